//! Markdown for a terminal, line by line while it streams.
//!
//! A model's paragraph is one long line, so a line can be shown for good as soon as it ends, and nothing above it ever
//! changes. Only the fence of a code block is remembered between lines. What stands within a line is parsed by
//! `pulldown-cmark`. At the end of the input an unfinished line counts as a line, and an open fence is simply closed.

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use super::style::{Line, Span, Style};

/// A line with the indent of its continuation rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// What to show.
    pub(crate) line: Line,
    /// Columns by which wrapped rows are indented.
    pub(crate) indent: usize,
}

/// Turns a stream of Markdown into styled lines.
#[derive(Debug, Default)]
pub(crate) struct MarkdownLines {
    partial: String,
    /// The marker that opened the current code block.
    fence: Option<String>,
}

impl MarkdownLines {
    /// Takes the next piece of text; gives back the lines that it completed.
    pub(crate) fn push(&mut self, text: &str) -> Vec<Row> {
        let mut rows = Vec::new();
        for piece in text.split_inclusive('\n') {
            self.partial.push_str(piece);
            if piece.ends_with('\n') {
                let line = std::mem::take(&mut self.partial);
                rows.push(self.row(line.trim_end_matches(['\n', '\r'])));
            }
        }
        rows
    }

    /// How the unfinished line looks so far.
    pub(crate) fn unfinished(&self) -> Option<Row> {
        if self.partial.is_empty() {
            return None;
        }
        let mut copy = Self { partial: String::new(), fence: self.fence.clone() };
        Some(copy.row(&self.partial))
    }

    /// The end of the text: the unfinished line, for good.
    pub(crate) fn finish(&mut self) -> Option<Row> {
        let line = std::mem::take(&mut self.partial);
        let row = if line.is_empty() { None } else { Some(self.row(&line)) };
        self.fence = None;
        row
    }

    fn row(&mut self, line: &str) -> Row {
        let trimmed = line.trim_start();
        let indent = line.len() - trimmed.len();
        if let Some(open) = &self.fence {
            if trimmed.trim_end().starts_with(open.as_str()) && trimmed.trim_end().chars().all(|c| open.starts_with(c)) {
                self.fence = None;
                return Row { line: Line::of(line, Style::DIM), indent: 0 };
            }
            return Row { line: Line::of(format!("  {line}"), Style { code: true, ..Style::default() }), indent: 2 };
        }
        if let Some(marker) = fence_marker(trimmed) {
            self.fence = Some(marker);
            return Row { line: Line::of(line, Style::DIM), indent: 0 };
        }
        outside_of_code(trimmed, indent.min(12))
    }
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
        return Row { line: Line::default(), indent: 0 };
    }
    let level = trimmed.chars().take_while(|c| *c == '#').count();
    if (1..=6).contains(&level)
        && let Some(title) = trimmed.get(level..).and_then(|rest| rest.strip_prefix(' '))
    {
        return Row { line: inline(title.trim(), "", Style::BOLD), indent: 0 };
    }
    if is_rule(trimmed) {
        return Row { line: Line::of("─".repeat(24), Style::DIM), indent: 0 };
    }
    if let Some(quoted) = trimmed.strip_prefix('>') {
        let line = inline(quoted.trim_start(), &format!("{margin}│ "), Style::DIM);
        return Row { line, indent: indent + 2 };
    }
    if let Some(item) = ["- ", "* ", "+ "].iter().find_map(|marker| trimmed.strip_prefix(marker)) {
        return Row { line: inline(item, &format!("{margin}• "), Style::default()), indent: indent + 2 };
    }
    let digits = trimmed.chars().take_while(char::is_ascii_digit).count();
    if (1..=4).contains(&digits)
        && let Some(rest) = trimmed.get(digits..)
        && let Some(item) = rest.strip_prefix(". ").or_else(|| rest.strip_prefix(") "))
    {
        let marker = trimmed.get(..digits + 2).unwrap_or_default();
        return Row { line: inline(item, &format!("{margin}{marker}"), Style::default()), indent: indent + digits + 2 };
    }
    Row { line: inline(trimmed, &margin, Style::default()), indent }
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
