//! What a person sees of a turn: the answer as it comes, one status line for every wait, a quiet line at the end.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use krabba_agent::Status;

use super::editor::Editor;
use super::markdown::{MarkdownLines, Row};
use super::screen::{Live, Prompt, Screen};
use super::style::{Line, Span, Style};

/// Draws a conversation on a screen.
pub(crate) struct View<W: Write> {
    screen: Screen<W>,
    markdown: MarkdownLines,
    reasoning: MarkdownLines,
    status: Option<(Status, Instant)>,
    /// Rows of the current answer that stand in the scrollback.
    printed: usize,
    prompt: Option<Prompt>,
}

impl<W: Write> View<W> {
    /// A view with nothing on it.
    pub(crate) fn new(screen: Screen<W>) -> Self {
        Self { screen, markdown: MarkdownLines::default(), reasoning: MarkdownLines::default(), status: None, printed: 0, prompt: None }
    }

    /// The terminal changed its size.
    pub(crate) fn resize(&mut self, columns: usize, rows: usize) -> io::Result<()> {
        self.screen.resize(columns, rows)
    }

    /// Shows the message being written.
    pub(crate) fn edit(&mut self, editor: &Editor) -> io::Result<()> {
        self.prompt = Some(Prompt { text: editor.text().to_owned(), before_cursor: editor.before_cursor().to_owned() });
        self.refresh()
    }

    /// Prints Markdown that is not part of an answer.
    pub(crate) fn say(&mut self, text: &str) -> io::Result<()> {
        let mut lines = MarkdownLines::default();
        let mut rows = lines.push(text);
        rows.extend(lines.finish());
        let wrapped = self.wrap(rows, "");
        self.screen.print(&wrapped)
    }

    /// Prints one line that must be noticed.
    pub(crate) fn alarm(&mut self, text: &str) -> io::Result<()> {
        let lines: Vec<Line> = text.lines().flat_map(|line| Line::of(format!("! {line}"), Style::ALARM).wrap(self.width(), 2)).collect();
        self.screen.print(&lines)
    }

    /// Prints quiet lines.
    pub(crate) fn aside(&mut self, text: &str) -> io::Result<()> {
        let lines: Vec<Line> = text.lines().flat_map(|line| Line::of(line, Style::DIM).wrap(self.width(), 2)).collect();
        self.screen.print(&lines)
    }

    /// The person's own message, into the scrollback.
    pub(crate) fn said(&mut self, text: &str) -> io::Result<()> {
        let mut lines = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let mark = if number == 0 { "› " } else { "  " };
            lines.extend(Line::of(format!("{mark}{line}"), Style::BOLD).wrap(self.width(), 2));
        }
        self.screen.print(&lines)
    }

    /// A turn begins.
    pub(crate) fn begin(&mut self) {
        self.printed = 0;
        self.markdown = MarkdownLines::default();
        self.reasoning = MarkdownLines::default();
    }

    /// Says what is going on; `None` when nothing is.
    pub(crate) fn status(&mut self, status: Option<Status>) -> io::Result<()> {
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
        let rows = self.markdown.push(text);
        self.commit(rows, "")?;
        self.refresh()
    }

    /// A piece of the model's reasoning, for a person who asked to see it.
    pub(crate) fn think(&mut self, text: &str) -> io::Result<()> {
        let rows = self.reasoning.push(text);
        self.commit(rows, "┊ ")?;
        self.refresh()
    }

    /// The answer so far does not count. What is still on the screen is taken away; what has scrolled out is marked.
    pub(crate) fn restart(&mut self, why: &str) -> io::Result<()> {
        self.markdown = MarkdownLines::default();
        self.reasoning = MarkdownLines::default();
        self.refresh()?;
        let printed = std::mem::take(&mut self.printed);
        if self.screen.take_back(printed)? { self.aside(why) } else { self.alarm(&format!("the answer above does not count: {why}")) }
    }

    /// The answer is over.
    pub(crate) fn end(&mut self) -> io::Result<()> {
        self.end_reasoning()?;
        let rows: Vec<Row> = self.markdown.finish().into_iter().collect();
        self.commit(rows, "")?;
        self.status = None;
        self.printed = 0;
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
        let rows: Vec<Row> = self.reasoning.finish().into_iter().collect();
        self.commit(rows, "┊ ")
    }

    fn commit(&mut self, rows: Vec<Row>, margin: &str) -> io::Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        let lines = self.wrap(rows, margin);
        self.printed += lines.len();
        // The unfinished line in the live area is part of what is printed now.
        let live = self.live();
        self.screen.show(Live { answer: Vec::new(), ..live })?;
        self.screen.print(&lines)
    }

    fn refresh(&mut self) -> io::Result<()> {
        let live = self.live();
        self.screen.show(live)
    }

    fn live(&self) -> Live {
        let thinking = self.reasoning.unfinished().map(|row| self.wrap(vec![row], "┊ "));
        let answer = self.markdown.unfinished().map(|row| self.wrap(vec![row], ""));
        Live {
            answer: answer.or(thinking).unwrap_or_default(),
            status: self.status.as_ref().map(|(status, since)| Line::of(describe(status, since.elapsed()), Style::DIM)),
            prompt: self.prompt.clone(),
        }
    }

    fn wrap(&self, rows: Vec<Row>, margin: &str) -> Vec<Line> {
        let width = self.width().saturating_sub(margin.chars().count());
        let mut lines = Vec::new();
        for row in rows {
            for mut line in row.line.wrap(width, row.indent) {
                if !margin.is_empty() {
                    for span in &mut line.0 {
                        span.style = Style { dim: true, ..span.style };
                    }
                    line.0.insert(0, Span { text: margin.to_owned(), style: Style::DIM });
                }
                lines.push(line);
            }
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
            format!("… reading the prompt, {percent} % of {total} tokens{clock}")
        }
        Status::Reading { .. } => format!("… reading the prompt{clock}"),
        Status::Waiting => format!("… waiting for the model{clock}"),
        Status::Thinking { tokens } => format!("… thinking, {tokens} tokens{clock}"),
        Status::Answering => format!("… answering{clock}"),
    }
}
