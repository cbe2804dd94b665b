//! Markdown for a terminal, line by line while it streams.
//!
//! A model's paragraph is one long line, so a line can be shown for good as soon as it ends, and nothing above it ever
//! changes. Two things are remembered between lines: the fence of a code block, and the rows of a table, which is shown
//! for good when it ends, because its last row may widen all columns. What stands within a line is parsed by
//! `pulldown-cmark`. At the end of the input an unfinished line counts as a line, and an open fence is simply closed.

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use super::style::{Line, Span, Style};
use super::table::{Table, could_be_header};

/// What is shown for good at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Row {
    /// A line with the columns by which its continuation rows are indented.
    Line(Line, usize),
    /// A whole table.
    Table(Table),
}

impl Row {
    /// The rows on a terminal of this width.
    pub(crate) fn lines(&self, width: usize) -> Vec<Line> {
        match self {
            Self::Line(line, indent) => line.wrap(width, *indent),
            Self::Table(table) => table.lines(width),
        }
    }
}

/// Turns a stream of Markdown into styled lines.
#[derive(Clone, Debug, Default)]
pub(crate) struct MarkdownLines {
    partial: String,
    /// The marker that opened the current code block.
    fence: Option<String>,
    table: Tabling,
}

/// How far a table has come.
#[derive(Clone, Debug, Default)]
enum Tabling {
    #[default]
    No,
    /// The line before this one, which may turn out to be a header.
    Perhaps(String),
    Yes(Table),
}

impl MarkdownLines {
    /// Takes the next piece of text; gives back what it completed.
    pub(crate) fn push(&mut self, text: &str) -> Vec<Row> {
        let mut rows = Vec::new();
        for piece in text.split_inclusive('\n') {
            self.partial.push_str(piece);
            if piece.ends_with('\n') {
                let line = std::mem::take(&mut self.partial);
                self.line(line.trim_end_matches(['\n', '\r']), &mut rows);
            }
        }
        rows
    }

    /// How that which may still change looks so far.
    pub(crate) fn unfinished(&self) -> Vec<Row> {
        self.clone().finish()
    }

    /// The end of the text: the unfinished line and table, for good.
    pub(crate) fn finish(&mut self) -> Vec<Row> {
        let mut rows = Vec::new();
        let line = std::mem::take(&mut self.partial);
        if !line.is_empty() {
            self.line(&line, &mut rows);
        }
        self.end_table(&mut rows);
        self.fence = None;
        rows
    }

    fn line(&mut self, line: &str, rows: &mut Vec<Row>) {
        if self.fence.is_some() {
            rows.push(self.row(line));
            return;
        }
        match std::mem::take(&mut self.table) {
            Tabling::Yes(mut table) if line.contains('|') => {
                table.push(line, cell);
                self.table = Tabling::Yes(table);
                return;
            }
            Tabling::Perhaps(header) => match Table::begin(&header, line, cell) {
                Some(table) => {
                    self.table = Tabling::Yes(table);
                    return;
                }
                None => rows.push(self.row(&header)),
            },
            Tabling::Yes(table) => rows.push(Row::Table(table)),
            Tabling::No => {}
        }
        if could_be_header(line) && fence_marker(line.trim_start()).is_none() {
            self.table = Tabling::Perhaps(line.to_owned());
        } else {
            rows.push(self.row(line));
        }
    }

    fn end_table(&mut self, rows: &mut Vec<Row>) {
        match std::mem::take(&mut self.table) {
            Tabling::No => {}
            Tabling::Perhaps(header) => rows.push(self.row(&header)),
            Tabling::Yes(table) => rows.push(Row::Table(table)),
        }
    }

    fn row(&mut self, line: &str) -> Row {
        let trimmed = line.trim_start();
        let indent = line.len() - trimmed.len();
        if let Some(open) = &self.fence {
            if trimmed.trim_end().starts_with(open.as_str()) && trimmed.trim_end().chars().all(|c| open.starts_with(c)) {
                self.fence = None;
                return Row::Line(Line::of(line, Style::DIM), 0);
            }
            return Row::Line(Line::of(format!("  {line}"), Style { code: true, ..Style::default() }), 2);
        }
        if let Some(marker) = fence_marker(trimmed) {
            self.fence = Some(marker);
            return Row::Line(Line::of(line, Style::DIM), 0);
        }
        outside_of_code(trimmed, indent.min(12))
    }
}

fn cell(text: &str, style: Style) -> Line {
    inline(text, "", style)
}

fn fence_marker(trimmed: &str) -> Option<String> {
    for letter in ['`', '~'] {
        let marker: String = trimmed.chars().take_while(|c| *c == letter).collect();
        let info_has_backtick = trimmed.trim_start_matches(letter).contains('`');
        if marker.len() >= 3 && !info_has_backtick {
            return Some(marker);
        }
    }
    None
}

fn outside_of_code(trimmed: &str, indent: usize) -> Row {
    let margin = " ".repeat(indent);
    if trimmed.is_empty() {
        return Row::Line(Line::default(), 0);
    }
    let level = trimmed.chars().take_while(|c| *c == '#').count();
    if (1..=6).contains(&level)
        && let Some(title) = trimmed.get(level..).and_then(|rest| rest.strip_prefix(' '))
    {
        return Row::Line(inline(title.trim(), "", Style::BOLD), 0);
    }
    if is_rule(trimmed) {
        return Row::Line(Line::of("─".repeat(24), Style::DIM), 0);
    }
    if let Some(quoted) = trimmed.strip_prefix('>') {
        let line = inline(quoted.trim_start(), &format!("{margin}│ "), Style::DIM);
        return Row::Line(line, indent + 2);
    }
    if let Some(item) = ["- ", "* ", "+ "].iter().find_map(|marker| trimmed.strip_prefix(marker)) {
        return Row::Line(inline(item, &format!("{margin}• "), Style::default()), indent + 2);
    }
    let digits = trimmed.chars().take_while(char::is_ascii_digit).count();
    if (1..=4).contains(&digits)
        && let Some(rest) = trimmed.get(digits..)
        && let Some(item) = rest.strip_prefix(". ").or_else(|| rest.strip_prefix(") "))
    {
        let marker = trimmed.get(..digits + 2).unwrap_or_default();
        return Row::Line(inline(item, &format!("{margin}{marker}"), Style::default()), indent + digits + 2);
    }
    Row::Line(inline(trimmed, &margin, Style::default()), indent)
}

fn is_rule(trimmed: &str) -> bool {
    let mut letters = trimmed.chars().filter(|c| !c.is_whitespace());
    let Some(first) = letters.next() else { return false };
    matches!(first, '-' | '*' | '_') && letters.clone().count() >= 2 && letters.all(|c| c == first)
}

/// Emphasis, code spans and links of one line.
fn inline(text: &str, prefix: &str, base: Style) -> Line {
    let mut spans = Vec::new();
    if !prefix.is_empty() {
        spans.push(Span { text: prefix.to_owned(), style: base });
    }
    let mut style = base;
    let mut target = None;
    let leading = text.len() - text.trim_start().len();
    if leading > 0 {
        spans.push(Span { text: " ".repeat(leading), style: base });
    }
    for event in Parser::new_ext(text.trim_start(), Options::ENABLE_STRIKETHROUGH) {
        match event {
            Event::Start(Tag::Strong) => style.bold = true,
            Event::End(TagEnd::Strong) => style.bold = base.bold,
            Event::Start(Tag::Emphasis) => style.italic = true,
            Event::End(TagEnd::Emphasis) => style.italic = base.italic,
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => target = Some(dest_url.to_string()),
            Event::End(TagEnd::Link | TagEnd::Image) => {
                if let Some(url) = target.take()
                    && spans.last().is_none_or(|span| span.text != url)
                {
                    spans.push(Span { text: format!(" ({url})"), style: Style::DIM });
                }
            }
            Event::Code(code) => spans.push(Span { text: code.to_string(), style: Style { code: true, ..style } }),
            Event::Text(words) | Event::Html(words) | Event::InlineHtml(words) => spans.push(Span { text: words.to_string(), style }),
            Event::SoftBreak | Event::HardBreak => spans.push(Span { text: " ".to_owned(), style }),
            _ => {}
        }
    }
    let trailing = text.len() - text.trim_end().len();
    if trailing > 0 && spans.len() > usize::from(!prefix.is_empty()) {
        spans.push(Span { text: " ".repeat(trailing), style: base });
    }
    if spans.iter().all(|span| span.text.trim().is_empty()) && !text.trim().is_empty() {
        spans.push(Span { text: text.to_owned(), style: base });
    }
    Line(spans)
}
