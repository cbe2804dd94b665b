//! The bottom of the terminal: a live area that is redrawn in place, and the scrollback above it that is left alone.
//!
//! The live area holds what may still change: the unfinished line of an answer, the status line, the message being
//! written. To print something for good, the live area is cleared, the text is written where it stood, and the live
//! area is drawn again below. The cursor always rests inside the live area. Nothing else on the screen is touched, so
//! copying, searching and scrolling back work as with any program.

use std::io::{self, Write};

use unicode_width::UnicodeWidthStr;

use super::style::{Colours, Line, Style};

/// What stands at the bottom.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Live {
    /// The unfinished line of the answer, wrapped already.
    pub(crate) answer: Vec<Line>,
    /// One quiet line about what is going on.
    pub(crate) status: Option<Line>,
    /// Messages that wait for the answer to end, a line each.
    pub(crate) waiting: Vec<Line>,
    /// The message being written; `None` hides the prompt.
    pub(crate) prompt: Option<Prompt>,
}

/// The message being written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Prompt {
    /// All of it.
    pub(crate) text: String,
    /// The part before the cursor.
    pub(crate) before_cursor: String,
}

/// Draws on a terminal.
pub(crate) struct Screen<W: Write> {
    out: W,
    colours: Colours,
    columns: usize,
    rows: usize,
    live: Live,
    /// Rows from the top of the live area to the cursor's row.
    cursor_row: usize,
    /// The columns of the drawn rows down to the cursor's, and the cursor's own.
    drawn: Vec<usize>,
}

const PROMPT: &str = "› ";
const CONTINUED: &str = "  ";

impl<W: Write> Screen<W> {
    /// A screen of the given size, nothing drawn yet.
    pub(crate) fn new(out: W, colours: Colours, columns: usize, rows: usize) -> Self {
        Self { out, colours, columns: columns.max(20), rows: rows.max(4), live: Live::default(), cursor_row: 0, drawn: Vec::new() }
    }

    /// The number of columns text may take.
    pub(crate) fn columns(&self) -> usize {
        self.columns
    }

    /// The number of rows of the terminal.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// The terminal changed its size. Nearly all of them break rows that have become too long into several, so that the
    /// cursor stands farther below the top of the live area than it did.
    pub(crate) fn resize(&mut self, columns: usize, rows: usize) -> io::Result<()> {
        self.columns = columns.max(20);
        self.rows = rows.max(4);
        let Some((cursor, above)) = self.drawn.split_last() else { return self.redraw() };
        let rows_above: usize = above.iter().map(|row| row.div_ceil(columns.max(1)).max(1)).sum();
        self.cursor_row = (rows_above + cursor / columns.max(1)).min(self.rows - 1);
        self.redraw()
    }

    /// Prints lines for good, above the live area.
    pub(crate) fn print(&mut self, lines: &[Line]) -> io::Result<()> {
        if lines.is_empty() {
            return Ok(());
        }
        self.clear_live()?;
        for line in lines {
            write!(self.out, "{}\r\n", line.render(self.colours))?;
        }
        self.draw_live()
    }

    /// Takes back the last `rows` printed rows, if all of them are still on the screen. Says whether it did.
    pub(crate) fn take_back(&mut self, rows: usize) -> io::Result<bool> {
        if rows + self.live_rows().len() + 1 >= self.rows {
            return Ok(rows == 0);
        }
        self.clear_live()?;
        if rows > 0 {
            write!(self.out, "\x1b[{rows}A\r\x1b[J")?;
        }
        self.draw_live()?;
        Ok(true)
    }

    /// Shows this live area from now on.
    pub(crate) fn show(&mut self, live: Live) -> io::Result<()> {
        if live == self.live {
            return Ok(());
        }
        self.clear_live()?;
        self.live = live;
        self.draw_live()
    }

    /// Draws the live area again (after a resize, or when something else wrote to the terminal).
    pub(crate) fn redraw(&mut self) -> io::Result<()> {
        self.clear_live()?;
        self.draw_live()
    }

    /// Removes the live area; the cursor stands at the start of an empty line.
    pub(crate) fn close(&mut self) -> io::Result<()> {
        self.clear_live()?;
        self.live = Live::default();
        self.out.flush()
    }

    fn clear_live(&mut self) -> io::Result<()> {
        if self.cursor_row > 0 {
            write!(self.out, "\x1b[{}A", self.cursor_row)?;
        }
        self.cursor_row = 0;
        write!(self.out, "\r\x1b[J")
    }

    fn draw_live(&mut self) -> io::Result<()> {
        let mut rows = self.live_rows();
        let (row, column) = self.cursor_position(rows.len());
        // More than a screen cannot be redrawn in place: the top of it is left out, or what is below the cursor.
        let height = self.rows - 1;
        let hidden = rows.len().saturating_sub(height).min(row);
        rows.drain(..hidden);
        rows.truncate(height);
        let row = row - hidden;
        let last = rows.len().saturating_sub(1);
        for (index, row) in rows.iter().enumerate() {
            write!(self.out, "{}{}", row.render(self.colours), if index < last { "\r\n" } else { "" })?;
        }
        if last > row {
            write!(self.out, "\x1b[{}A", last - row)?;
        }
        write!(self.out, "\r")?;
        if column > 0 {
            write!(self.out, "\x1b[{column}C")?;
        }
        self.cursor_row = row;
        self.drawn = rows.iter().take(row).map(Line::width).chain([column]).collect();
        self.out.flush()
    }

    fn live_rows(&self) -> Vec<Line> {
        let mut rows = self.live.answer.clone();
        if let Some(status) = &self.live.status {
            rows.push(self.first_row(status));
        }
        rows.extend(self.live.waiting.iter().map(|line| self.first_row(line)));
        if let Some(prompt) = &self.live.prompt {
            rows.extend(prompt_rows(&prompt.text, self.columns - 1).into_iter().map(|row| Line::of(row, Style::default())));
        }
        rows
    }

    /// As much of a line as fits into one row.
    fn first_row(&self, line: &Line) -> Line {
        line.wrap(self.columns - 1, 0).into_iter().next().unwrap_or_default()
    }

    /// Row within a live area of so many rows, and column, of the cursor.
    fn cursor_position(&self, rows: usize) -> (usize, usize) {
        let Some(prompt) = &self.live.prompt else {
            return (rows.saturating_sub(1), 0);
        };
        let all = prompt_rows(&prompt.text, self.columns - 1).len();
        let before = prompt_rows(&prompt.before_cursor, self.columns - 1);
        let column = before.last().map_or(0, |row| row.width());
        (rows.saturating_sub(all) + before.len().saturating_sub(1), column)
    }
}

/// The rows of a message being written: each line behind its mark, cut hard at the width.
fn prompt_rows(text: &str, columns: usize) -> Vec<String> {
    let mut rows = Vec::new();
    for (number, line) in text.split('\n').enumerate() {
        let mut row = String::from(if number == 0 { PROMPT } else { CONTINUED });
        for grapheme in unicode_segmentation::UnicodeSegmentation::graphemes(super::style::printable(line).as_str(), true) {
            if row.width() + grapheme.width() > columns {
                rows.push(std::mem::replace(&mut row, CONTINUED.to_owned()));
            }
            row.push_str(grapheme);
        }
        rows.push(row);
    }
    rows
}
