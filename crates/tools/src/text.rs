//! Text that has to fit.

use std::ops::RangeInclusive;

/// The share of the room that the beginning gets when the middle is left out.
const HEAD: usize = 2;
const OF: usize = 3;

/// `text` in at most about `budget` bytes. What is left out is its middle; a line in its place says how much, and `rest` how to get it.
pub(crate) fn fit(text: &str, budget: usize, rest: &str) -> String {
    if text.len() <= budget {
        return text.to_owned();
    }
    let head = floor(text, budget * HEAD / OF);
    let tail = ceil(text, text.len() - (budget - budget * HEAD / OF));
    let (Some(beginning), Some(end)) = (text.get(..head), text.get(tail..)) else { return text.to_owned() };
    let missing = tail.saturating_sub(head);
    format!("{beginning}\n[… {missing} bytes left out{rest} …]\n{end}")
}

/// The lines that were asked for, as far as they fit; where some are missing, a last line says how to go on. A line that is longer than all
/// the room is shown as far as it goes; `more` says of its number, and of the next bytes of it counted from 1, how to get those.
pub(crate) fn lines(
    text: &str,
    offset: Option<usize>,
    limit: Option<usize>,
    budget: usize,
    more: impl FnOnce(usize, RangeInclusive<usize>) -> String,
) -> Result<String, String> {
    let total = text.lines().count();
    let first = offset.unwrap_or(1).max(1);
    if first > total.max(1) {
        return Err(format!("it has only {total} lines"));
    }
    let wanted: String = text.split_inclusive('\n').skip(first - 1).take(limit.unwrap_or(usize::MAX)).collect();
    let (part, count) = beginning(&wanted, budget);
    let last = (first - 1 + count).max(first);
    let next = if last < total { format!("; go on with offset {}", last + 1) } else { String::new() };
    let line = wanted.lines().next().unwrap_or_default().len();
    let missing = if part.len() < line {
        let more = more(first, part.len() + 1..=part.len() + budget.max(1));
        format!("[the first {} of {line} bytes of line {first} of {total}; {more}{next}]", part.len())
    } else if last < total {
        format!("[lines {first} to {last} of {total}{next}]")
    } else {
        String::new()
    };
    let separator = if missing.is_empty() || part.is_empty() || part.ends_with('\n') { "" } else { "\n" };
    let shown = format!("{part}{separator}{missing}");
    Ok(if shown.is_empty() { "(nothing)".to_owned() } else { shown })
}

/// The beginning of `text` in at most `budget` bytes, whole lines where there are any; and how many lines that are.
pub(crate) fn beginning(text: &str, budget: usize) -> (&str, usize) {
    let cut = floor(text, budget);
    let whole = text.get(..cut).unwrap_or_default();
    let end = if cut == text.len() { cut } else { whole.rfind('\n').map_or(cut, |newline| newline + 1) };
    let shown = text.get(..end).unwrap_or_default();
    (shown, shown.lines().count())
}

/// How the lines of a text end, as its first one says.
pub(crate) fn line_ending(text: &str) -> &'static str {
    if text.split_inclusive('\n').next().is_some_and(|line| line.ends_with("\r\n")) { "\r\n" } else { "\n" }
}

/// The nearest boundary of a character at or before `index`.
fn floor(text: &str, index: usize) -> usize {
    let mut index = index.min(text.len());
    while !text.is_char_boundary(index) {
        index -= 1;
    }
    index
}

/// The nearest boundary of a character at or after `index`.
fn ceil(text: &str, index: usize) -> usize {
    let mut index = index.min(text.len());
    while !text.is_char_boundary(index) {
        index += 1;
    }
    index
}

/// At most `most` lines in at most about `budget` bytes; where some are missing a last line says how many, and `rest` how to get them.
pub(crate) fn listing(lines: &[String], most: usize, budget: usize, rest: &str) -> String {
    let mut text = String::new();
    let mut count = 0;
    for line in lines.iter().take(most) {
        if text.len() + line.len() > budget {
            break;
        }
        text.push_str(line);
        text.push('\n');
        count += 1;
    }
    if count < lines.len() {
        text.push_str(&format!("[the first {count} of {}{}; {rest}]", lines.len(), if lines.len() > most { " or more" } else { "" }));
    }
    text.trim_end_matches('\n').to_owned()
}

/// A line in at most about `longest` bytes.
pub(crate) fn clipped(line: &str, longest: usize) -> String {
    let cut = floor(line, longest);
    match line.get(..cut) {
        Some(head) if cut < line.len() => format!("{head}… ({} bytes more)", line.len() - cut),
        _ => line.to_owned(),
    }
}

/// Stand for a tab and a return while escape sequences are taken out.
const TAB: &str = "\u{fdd0}";
const RETURN: &str = "\u{fdd1}";

/// What a program wrote for a terminal, as text: without control sequences, and of a line that was written over only what it became.
pub(crate) fn plain(bytes: &[u8]) -> String {
    // The crate drops all controls but the end of a line: what tabs and returns stand for is no character of any text.
    let kept = String::from_utf8_lossy(bytes).replace('\t', TAB).replace('\r', RETURN);
    let text = strip_ansi_escapes::strip_str(kept).replace(TAB, "\t").replace(RETURN, "\r");
    let mut plain = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let (line, end) = match line.strip_suffix('\n') {
            Some(line) => (line.strip_suffix('\r').unwrap_or(line), "\n"),
            None => (line, ""),
        };
        let last = line.rsplit('\r').find(|part| !part.is_empty()).unwrap_or_default();
        plain.extend(last.chars().filter(|c| !c.is_control() || *c == '\t'));
        plain.push_str(end);
    }
    plain
}
