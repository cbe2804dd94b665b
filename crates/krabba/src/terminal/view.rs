//! What a person sees of a turn: the answer as it comes, one status line for every wait, a quiet line at the end.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use krabba_agent::Status;
use krabba_types::grouped;

use super::editor::Editor;
use super::markdown::{MarkdownLines, Row};
use super::screen::{Live, Prompt, Screen};
use super::style::{Line, Style};

/// The answer is called silent when no piece of it came for so long.
const SILENCE: Duration = Duration::from_secs(2);

/// Before what must be noticed.
const ALARM_MARK: &str = "! ";

/// Draws a conversation on a screen.
pub(crate) struct View<W: Write> {
    screen: Screen<W>,
    markdown: MarkdownLines,
    reasoning: MarkdownLines,
    status: Option<(Status, Instant)>,
    /// When the last piece of the answer came.
    heard: Instant,
    printed: Printed,
    waiting: Vec<String>,
    prompt: Option<Prompt>,
}

/// What was printed for good since the first row of the current answer; some of it may have to be taken back.
#[derive(Debug, Default)]
struct Printed {
    rows: Vec<(Line, Owner)>,
    extent: Reach,
}

/// Whose row it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    /// Void when the answer is.
    Answer,
    /// A notice, or the answer to a command, that was printed in between.
    Other,
}

/// Whether the rows are where they were printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
enum Reach {
    #[default]
    OnScreen,
    /// They scrolled out, or the terminal was resized and broke them anew.
    Lost,
}

impl<W: Write> View<W> {
    /// A view with nothing on it.
    pub(crate) fn new(screen: Screen<W>) -> Self {
        Self {
            screen,
            markdown: MarkdownLines::default(),
            reasoning: MarkdownLines::default(),
            status: None,
            heard: Instant::now(),
            printed: Printed::default(),
            waiting: Vec::new(),
            prompt: None,
        }
    }

    /// The terminal changed its size.
    pub(crate) fn resize(&mut self, columns: usize, rows: usize) -> io::Result<()> {
        if !self.printed.rows.is_empty() {
            self.printed.extent = Reach::Lost;
        }
        self.screen.resize(columns, rows)
    }

    /// Shows the message being written.
    pub(crate) fn edit(&mut self, editor: &Editor) -> io::Result<()> {
        self.prompt = Some(Prompt { text: editor.text().to_owned(), before_cursor: editor.before_cursor().to_owned() });
        self.refresh()
    }

    /// Shows the messages that wait for the answer to end.
    pub(crate) fn wait(&mut self, messages: Vec<String>) -> io::Result<()> {
        self.waiting = messages;
        self.refresh()
    }

    /// Prints Markdown that is not part of an answer.
    pub(crate) fn say(&mut self, text: &str) -> io::Result<()> {
        let mut lines = MarkdownLines::default();
        let mut rows = lines.push(text);
        rows.extend(lines.finish());
        let wrapped = self.wrap(&rows, "");
        self.print(&wrapped, Owner::Other)
    }

    /// Prints lines that must be noticed. Each row bears the mark: no part of a long one may look like another line of ours.
    pub(crate) fn alarm(&mut self, text: &str) -> io::Result<()> {
        let width = self.width().saturating_sub(ALARM_MARK.len());
        let rows = text.lines().flat_map(|line| Line::of(line, Style::ALARM).wrap(width, 2));
        let lines: Vec<Line> = rows.map(|row| row.behind(ALARM_MARK, Style::ALARM)).collect();
        self.print(&lines, Owner::Other)
    }

    /// Prints quiet lines.
    pub(crate) fn aside(&mut self, text: &str) -> io::Result<()> {
        let lines: Vec<Line> = text.lines().flat_map(|line| Line::of(line, Style::DIM).wrap(self.width(), 2)).collect();
        self.print(&lines, Owner::Other)
    }

    /// An empty line between one exchange and the next.
    pub(crate) fn gap(&mut self) -> io::Result<()> {
        self.print(&[Line::default()], Owner::Other)
    }

    /// The person's own message, into the scrollback.
    pub(crate) fn said(&mut self, text: &str) -> io::Result<()> {
        let mut lines = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let mark = if number == 0 { "› " } else { "  " };
            lines.extend(Line::of(format!("{mark}{line}"), Style::BOLD).wrap(self.width(), 2));
        }
        self.print(&lines, Owner::Other)
    }

    /// A turn begins.
    pub(crate) fn begin(&mut self) {
        self.printed = Printed::default();
        self.markdown = MarkdownLines::default();
        self.reasoning = MarkdownLines::default();
    }

    /// Says what is going on; `None` when nothing is.
    pub(crate) fn status(&mut self, status: Option<Status>) -> io::Result<()> {
        self.heard = Instant::now();
        self.status = match (status, self.status.take()) {
            (None, _) => None,
            // The same kind of wait goes on: its time runs on too.
            (Some(new), Some((old, since))) if std::mem::discriminant(&new) == std::mem::discriminant(&old) => Some((new, since)),
            (Some(new), _) => Some((new, Instant::now())),
        };
        self.refresh()
    }

    /// A piece of the answer.
    pub(crate) fn answer(&mut self, text: &str) -> io::Result<()> {
        self.end_reasoning()?;
        self.heard = Instant::now();
        let rows = self.markdown.push(text);
        self.commit(&rows, "")?;
        self.refresh()
    }

    /// A piece of the model's reasoning, for a person who asked to see it.
    pub(crate) fn think(&mut self, text: &str) -> io::Result<()> {
        let rows = self.reasoning.push(text);
        self.commit(&rows, "┊ ")?;
        self.refresh()
    }

    /// The answer so far does not count. What is still on the screen is taken away; what has scrolled out is marked.
    pub(crate) fn restart(&mut self, why: &str) -> io::Result<()> {
        self.markdown = MarkdownLines::default();
        self.reasoning = MarkdownLines::default();
        self.refresh()?;
        let printed = std::mem::take(&mut self.printed);
        if printed.extent == Reach::Lost || !self.screen.take_back(printed.rows.len())? {
            return self.alarm(&format!("the answer above does not count: {why}"));
        }
        let others: Vec<Line> = printed.rows.into_iter().filter(|(_, owner)| *owner == Owner::Other).map(|(line, _)| line).collect();
        self.screen.print(&others)?;
        self.aside(why)
    }

    /// The answer is over.
    pub(crate) fn end(&mut self) -> io::Result<()> {
        self.end_reasoning()?;
        let rows = self.markdown.finish();
        self.commit(&rows, "")?;
        self.status = None;
        self.printed = Printed::default();
        self.refresh()
    }

    /// Time passed: what counts seconds is drawn again.
    pub(crate) fn tick(&mut self) -> io::Result<()> {
        if self.status.is_some() { self.refresh() } else { Ok(()) }
    }

    /// Draws everything that may have been disturbed.
    pub(crate) fn redraw(&mut self) -> io::Result<()> {
        self.screen.redraw()
    }

    /// Leaves the terminal as it was found.
    pub(crate) fn close(&mut self) -> io::Result<()> {
        self.screen.close()
    }

    fn end_reasoning(&mut self) -> io::Result<()> {
        let rows = self.reasoning.finish();
        self.commit(&rows, "┊ ")
    }

    fn commit(&mut self, rows: &[Row], margin: &str) -> io::Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        let lines = self.wrap(rows, margin);
        // The unfinished line in the live area is part of what is printed now.
        let live = self.live();
        self.screen.show(Live { answer: Vec::new(), ..live })?;
        self.print(&lines, Owner::Answer)
    }

    fn print(&mut self, lines: &[Line], owner: Owner) -> io::Result<()> {
        // Nothing stands above the answer that would have to move with it.
        if owner == Owner::Answer || !self.printed.rows.is_empty() {
            self.printed.rows.extend(lines.iter().map(|line| (line.clone(), owner)));
        }
        if self.printed.rows.len() >= self.screen.rows() {
            self.printed = Printed { rows: Vec::new(), extent: Reach::Lost };
        }
        self.screen.print(lines)
    }

    fn refresh(&mut self) -> io::Result<()> {
        let live = self.live();
        self.screen.show(live)
    }

    fn live(&self) -> Live {
        let mut answer = self.wrap(&self.markdown.unfinished(), "");
        if answer.is_empty() {
            answer = self.wrap(&self.reasoning.unfinished(), "┊ ");
        }
        Live {
            answer,
            status: self.status.as_ref().map(|(status, since)| Line::of(self.describe(status, *since), Style::DIM)),
            waiting: self.waiting.iter().map(|text| Line::of(format!("  next: {}", text.replace('\n', " ")), Style::DIM)).collect(),
            prompt: self.prompt.clone(),
        }
    }

    fn describe(&self, status: &Status, since: Instant) -> String {
        let silent = self.heard.elapsed();
        match status {
            Status::Answering if silent >= SILENCE => format!("… waiting for more of the answer · {} s", silent.as_secs()),
            status => describe(status, since.elapsed()),
        }
    }

    fn wrap(&self, rows: &[Row], margin: &str) -> Vec<Line> {
        let width = self.width().saturating_sub(margin.chars().count());
        let mut lines: Vec<Line> = rows.iter().flat_map(|row| row.lines(width)).collect();
        if !margin.is_empty() {
            for line in &mut lines {
                for span in &mut line.0 {
                    span.style = Style { dim: true, ..span.style };
                }
            }
            lines = lines.into_iter().map(|line| line.behind(margin, Style::DIM)).collect();
        }
        lines
    }

    fn width(&self) -> usize {
        self.screen.columns() - 1
    }
}

/// The status line. A wait of less than two seconds shows no clock.
pub(crate) fn describe(status: &Status, elapsed: Duration) -> String {
    let clock = if elapsed.as_secs() >= 2 { format!(" · {} s", elapsed.as_secs()) } else { String::new() };
    match status {
        Status::Queued { position: 1 } => format!("… queued, next in line{clock}"),
        Status::Queued { position } => format!("… queued, number {position} in line{clock}"),
        Status::Loading { percent: Some(percent) } => format!("… loading the model, {percent} %{clock}"),
        Status::Loading { percent: None } => format!("… loading the model{clock}"),
        Status::Reading { done, total } if *total > 0 => {
            let percent = done.saturating_mul(100) / total;
            format!("… reading the prompt, {percent} % of {} tokens{clock}", grouped(*total))
        }
        Status::Reading { .. } => format!("… reading the prompt{clock}"),
        Status::Waiting => format!("… waiting for the model{clock}"),
        Status::Thinking { tokens } => format!("… thinking, {} tokens{clock}", grouped(*tokens)),
        Status::Acting { what } => format!("… {what}{clock}"),
        Status::Asking => format!("… waiting for your word{clock}"),
        Status::Answering => format!("… answering{clock}"),
    }
}
