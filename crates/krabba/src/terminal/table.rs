//! A Markdown table with its columns aligned.
//!
//! Columns that do not fit are narrowed, the widest first, and their cells broken into several rows. A table with more
//! columns than the terminal has room for is shown as it was written.

use super::style::{Line, Span, Style};

/// Columns narrower than this are unreadable.
const NARROWEST: usize = 8;
const BETWEEN: &str = " │ ";

/// A table, parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Table {
    /// Header first. Every row has as many cells as there are [`Table::sides`].
    rows: Vec<Vec<Line>>,
    sides: Vec<Side>,
    /// As it was written, header first, the delimiter left out.
    source: Vec<String>,
}

/// Where the text of a column stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Left,
    Middle,
    Right,
}

/// Whether `line` could be the first one of a table.
pub(crate) fn could_be_header(line: &str) -> bool {
    line.contains('|') && !line.trim_matches(['|', ' ']).is_empty()
}

impl Table {
    /// The table that begins with these two lines, if they begin one. `cell` turns Markdown into spans.
    pub(crate) fn begin(header: &str, delimiter: &str, cell: impl Fn(&str, Style) -> Line) -> Option<Self> {
        let sides = cells(delimiter).iter().map(|cell| side(cell)).collect::<Option<Vec<_>>>()?;
        if !delimiter.contains('-') || cells(header).len() != sides.len() {
            return None;
        }
        let header_row = cells(header).iter().map(|text| cell(text, Style::BOLD)).collect();
        Some(Self { rows: vec![header_row], sides, source: vec![header.to_owned(), delimiter.to_owned()] })
    }

    /// Another line; too many cells are dropped and missing ones empty, as GitHub does.
    pub(crate) fn push(&mut self, line: &str, cell: impl Fn(&str, Style) -> Line) {
        let mut row: Vec<Line> = cells(line).iter().map(|text| cell(text, Style::default())).collect();
        row.resize(self.sides.len(), Line::default());
        self.rows.push(row);
        self.source.push(line.to_owned());
    }

    /// The rows for a terminal of this width.
    pub(crate) fn lines(&self, width: usize) -> Vec<Line> {
        let Some(widths) = self.widths(width) else {
            return self.source.iter().flat_map(|line| Line::of(line.as_str(), Style::default()).wrap(width, 2)).collect();
        };
        let mut lines = Vec::new();
        for (number, row) in self.rows.iter().enumerate() {
            lines.extend(self.row_lines(row, &widths));
            if number == 0 {
                let rule: Vec<String> = widths.iter().map(|width| "─".repeat(*width)).collect();
                lines.push(Line::of(rule.join("─┼─"), Style::DIM));
            }
        }
        lines
    }

    /// How wide each column is; `None` when not all of them find room.
    fn widths(&self, width: usize) -> Option<Vec<usize>> {
        let mut widths = vec![1; self.sides.len()];
        for row in &self.rows {
            for (widest, cell) in widths.iter_mut().zip(row) {
                *widest = (*widest).max(cell.width());
            }
        }
        let room = width.checked_sub(BETWEEN.chars().count() * self.sides.len().saturating_sub(1))?;
        while widths.iter().sum::<usize>() > room {
            let widest = widths.iter_mut().max()?;
            if *widest <= NARROWEST {
                return None;
            }
            *widest -= 1;
        }
        Some(widths)
    }

    fn row_lines(&self, row: &[Line], widths: &[usize]) -> Vec<Line> {
        let wrapped: Vec<Vec<Line>> = row.iter().zip(widths).map(|(cell, width)| cell.wrap(*width, 0)).collect();
        let height = wrapped.iter().map(Vec::len).max().unwrap_or(1);
        let mut lines = Vec::with_capacity(height);
        for number in 0..height {
            let mut line = Line::default();
            for (column, (cell, width)) in wrapped.iter().zip(widths).enumerate() {
                if column > 0 {
                    line.0.push(Span { text: BETWEEN.to_owned(), style: Style::DIM });
                }
                let content = cell.get(number).cloned().unwrap_or_default();
                let free = width.saturating_sub(content.width());
                let before = match self.sides.get(column) {
                    Some(Side::Right) => free,
                    Some(Side::Middle) => free / 2,
                    Some(Side::Left) | None => 0,
                };
                line.0.push(Span { text: " ".repeat(before), style: Style::default() });
                line.0.extend(content.0);
                line.0.push(Span { text: " ".repeat(free - before), style: Style::default() });
            }
            line.trim_end();
            lines.push(line);
        }
        lines
    }
}

fn side(delimiter: &str) -> Option<Side> {
    let dashes = delimiter.trim_start_matches(':').trim_end_matches(':');
    if dashes.is_empty() || dashes.chars().any(|c| c != '-') || delimiter.len() > dashes.len() + 2 {
        return None;
    }
    Some(match (delimiter.starts_with(':'), delimiter.ends_with(':')) {
        (true, true) => Side::Middle,
        (false, true) => Side::Right,
        (true | false, false) => Side::Left,
    })
}

/// The cells of a line. `\|` is a bar and parts nothing; neither does one in a code span.
fn cells(line: &str) -> Vec<String> {
    let mut cells = vec![String::new()];
    let mut letters = line.trim().chars().peekable();
    let mut in_code = false;
    while let Some(letter) = letters.next() {
        match letter {
            '\\' if letters.peek() == Some(&'|') => {}
            '|' if !in_code => {
                cells.push(String::new());
                continue;
            }
            '`' => in_code = !in_code,
            _ => {}
        }
        let escaped = letter == '\\' && letters.peek() == Some(&'|');
        let letter = if escaped { letters.next().unwrap_or(letter) } else { letter };
        if let Some(cell) = cells.last_mut() {
            cell.push(letter);
        }
    }
    // An unclosed backtick parts nothing off.
    if in_code {
        cells = line.trim().split('|').map(str::to_owned).collect();
    }
    if cells.first().is_some_and(|cell| cell.trim().is_empty()) {
        cells.remove(0);
    }
    if cells.len() > 1 && cells.last().is_some_and(|cell| cell.trim().is_empty()) {
        cells.pop();
    }
    cells.iter().map(|cell| cell.trim().to_owned()).collect()
}
