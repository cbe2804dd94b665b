//! Styled text for a terminal: spans, wrapping, and the escape codes at the very end.

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// How a piece of text looks. Few on purpose: a theme of the terminal decides the colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct Style {
    /// Strong text, headings.
    pub(crate) bold: bool,
    /// Emphasis.
    pub(crate) italic: bool,
    /// Status lines, reasoning, links' targets.
    pub(crate) dim: bool,
    /// Code.
    pub(crate) code: bool,
    /// Errors.
    pub(crate) alarm: bool,
}

impl Style {
    /// Quiet text.
    pub(crate) const DIM: Self = Self { bold: false, italic: false, dim: true, code: false, alarm: false };
    /// Text that must be noticed.
    pub(crate) const ALARM: Self = Self { bold: false, italic: false, dim: false, code: false, alarm: true };
    /// Strong text.
    pub(crate) const BOLD: Self = Self { bold: true, italic: false, dim: false, code: false, alarm: false };
}

/// A run of text in one style, without line breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    /// The text.
    pub(crate) text: String,
    /// Its look.
    pub(crate) style: Style,
}

/// One line on the screen.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Line(pub(crate) Vec<Span>);

/// Whether escape codes for colours may be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Colours {
    /// To a terminal, and `NO_COLOR` is not set.
    On,
    /// Everywhere else.
    Off,
}

impl Line {
    /// A line of one style.
    pub(crate) fn of(text: impl Into<String>, style: Style) -> Self {
        Self(vec![Span { text: text.into(), style }])
    }

    /// This line behind a mark.
    pub(crate) fn behind(mut self, mark: &str, style: Style) -> Self {
        self.0.insert(0, Span { text: mark.to_owned(), style });
        self
    }

    /// Columns that it takes.
    pub(crate) fn width(&self) -> usize {
        self.0.iter().map(|span| printable(&span.text).width()).sum()
    }

    /// Drops spaces at the end.
    pub(crate) fn trim_end(&mut self) {
        while let Some(last) = self.0.last_mut() {
            last.text.truncate(last.text.trim_end().len());
            if !last.text.is_empty() {
                break;
            }
            self.0.pop();
        }
    }

    /// The text with escape codes. Control characters in the text itself never get through: what a model writes
    /// must not move the cursor or change the terminal.
    pub(crate) fn render(&self, colours: Colours) -> String {
        let mut out = String::new();
        for span in &self.0 {
            let text = printable(&span.text);
            let codes = codes(span.style);
            if colours == Colours::Off || codes.is_empty() {
                out.push_str(&text);
            } else {
                out.push_str(&format!("\x1b[{codes}m{text}\x1b[0m"));
            }
        }
        out
    }

    /// Breaks the line into rows of at most `width` columns, at spaces where there are any; later rows are indented by
    /// `indent` columns.
    pub(crate) fn wrap(&self, width: usize, indent: usize) -> Vec<Self> {
        let width = width.max(8);
        let indent = if indent + 8 > width { 0 } else { indent };
        let mut rows = vec![Self::default()];
        let mut used = 0;
        for span in &self.0 {
            // Measured as it will be shown: a tab is four columns wide then, and as itself none.
            let text = printable(&span.text);
            for word in unbroken(&text) {
                let columns = word.width();
                if used + columns > width && used > 0 {
                    if word.trim().is_empty() {
                        continue;
                    }
                    used = begin_row(&mut rows, indent);
                }
                if used + columns <= width {
                    push(&mut rows, word, span.style);
                    used += columns;
                    continue;
                }
                for grapheme in word.graphemes(true) {
                    let columns = grapheme.width();
                    if used + columns > width {
                        used = begin_row(&mut rows, indent);
                    }
                    push(&mut rows, grapheme, span.style);
                    used += columns;
                }
            }
        }
        rows
    }
}

/// The pieces of a text between which a row may end: around spaces, and between the characters of scripts that part words by
/// none. Punctuation stays with what stands before it.
fn unbroken(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut start = 0;
    let mut before: Option<&str> = None;
    for (position, word) in text.split_word_bound_indices() {
        if before.is_some_and(|before| may_break(before, word)) {
            pieces.extend(text.get(start..position));
            start = position;
        }
        before = Some(word);
    }
    pieces.extend(text.get(start..).filter(|rest| !rest.is_empty()));
    pieces
}

fn may_break(before: &str, after: &str) -> bool {
    let is_space = |word: &str| word.chars().all(char::is_whitespace);
    if is_space(before) || is_space(after) {
        return true;
    }
    !before.is_ascii() && !after.is_ascii() && after.chars().any(char::is_alphanumeric)
}

/// Another row, and the columns that are taken of it.
fn begin_row(rows: &mut Vec<Line>, indent: usize) -> usize {
    rows.push(Line::default());
    if indent > 0 {
        push(rows, &" ".repeat(indent), Style::default());
    }
    indent
}

fn push(rows: &mut [Line], text: &str, style: Style) {
    let Some(row) = rows.last_mut() else { return };
    match row.0.last_mut() {
        Some(last) if last.style == style => last.text.push_str(text),
        Some(_) | None => row.0.push(Span { text: text.to_owned(), style }),
    }
}

fn codes(style: Style) -> String {
    let mut codes = Vec::new();
    for (set, code) in [(style.bold, "1"), (style.dim, "2"), (style.italic, "3"), (style.code, "36"), (style.alarm, "33")] {
        if set {
            codes.push(code);
        }
    }
    codes.join(";")
}

/// `text` with every control character replaced, tabs widened.
pub(crate) fn printable(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        match c {
            '\t' => out.push_str("    "),
            // Beside control characters, those that turn the direction of text around: they can make a line read as another.
            c if c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
        out
    })
}

/// The same for a text of several lines, whose line breaks stay.
pub(crate) fn printable_lines(text: &str) -> String {
    text.split('\n').map(printable).collect::<Vec<_>>().join("\n")
}

/// The rows of a line of plain text for a terminal of this width, those after the first indented.
pub(crate) fn wrapped_lines(text: &str, columns: usize, indent: usize) -> Vec<String> {
    Line::of(text, Style::default()).wrap(columns, indent).iter().map(|row| row.render(Colours::Off)).collect()
}
