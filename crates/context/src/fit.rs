//! Making a text smaller, visibly.

pub(crate) use krabba_types::grouped;

use crate::estimate::estimate_tokens;
use crate::measure::escaped_bytes;

/// At most the first `bytes` bytes of `text`, cut between characters.
pub(crate) fn head(text: &str, bytes: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes)).unwrap_or(text)
}

/// At most the last `bytes` bytes of `text`, cut between characters.
fn tail(text: &str, bytes: usize) -> &str {
    text.get(text.ceil_char_boundary(text.len().saturating_sub(bytes))..).unwrap_or_default()
}

/// As many of the last lines as `bytes` bytes hold; of a last line that is longer, its end.
pub(crate) fn last_lines(text: &str, bytes: usize) -> &str {
    if text.len() <= bytes {
        return text;
    }
    let end = tail(text, bytes);
    end.split_once('\n').map_or(end, |(_, whole)| if whole.trim().is_empty() { end } else { whole })
}

/// The beginning of a text that has more than `tokens` tokens, and a mark that says so.
pub(crate) fn keep_head(text: &str, tokens: u32) -> String {
    const MARK: &str = "\n[… the rest is left out: it is longer than this part of the prompt may be …]";
    shrink(text, tokens, |bytes| format!("{}{MARK}", head(text, bytes)))
}

/// The beginning of a text that takes more than `bytes` bytes of JSON, and `mark` behind it. Nothing where not even the mark
/// has room.
pub(crate) fn clip(text: &str, bytes: usize, mark: &str) -> String {
    if escaped_bytes(text) <= bytes {
        return text.to_owned();
    }
    let Some(room) = bytes.checked_sub(escaped_bytes(mark)) else { return String::new() };
    let mut kept = head(text, room);
    while escaped_bytes(kept) > room {
        kept = head(kept, kept.len() * 9 / 10);
    }
    if kept.is_empty() { String::new() } else { format!("{kept}{mark}") }
}

/// Beginning and end of a text that has more than `tokens` tokens, and a mark between them that says what is missing.
/// Of what stays, 60 % is from the beginning: that is where people say what the rest is.
pub(crate) fn keep_ends(text: &str, tokens: u32) -> String {
    let all = estimate_tokens(text);
    shrink(text, tokens, |bytes| {
        let begin = head(text, bytes * 3 / 5);
        let end = tail(text, bytes * 2 / 5);
        let kept = estimate_tokens(begin) + estimate_tokens(end);
        let missing = grouped(all.saturating_sub(kept));
        format!("{begin}\n[… about {missing} tokens are left out here: the message does not fit into the window of the model …]\n{end}")
    })
}

/// Tries smaller and smaller parts until the result has at most `tokens` tokens, or nothing of the text is left.
fn shrink(text: &str, tokens: u32, part: impl Fn(usize) -> String) -> String {
    let all = u64::from(estimate_tokens(text).max(1));
    let share = u64::try_from(text.len()).unwrap_or(u64::MAX).saturating_mul(u64::from(tokens)) / all;
    let mut bytes = usize::try_from(share).unwrap_or(text.len()).min(text.len());
    loop {
        let smaller = part(bytes);
        if bytes == 0 || estimate_tokens(&smaller) <= tokens {
            return smaller;
        }
        bytes = bytes * 9 / 10;
    }
}
