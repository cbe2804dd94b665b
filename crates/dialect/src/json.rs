//! Reading JSON as servers write it.

use serde_json::Value;

/// Parses `text`. An escape of half a character (`\ud83d` without its other half) is forbidden in JSON and comes from
/// servers in JavaScript that cut their text between the halves of an emoji; it reads as U+FFFD, and the rest of the event
/// is kept.
pub(crate) fn parse(text: &str) -> Result<Value, serde_json::Error> {
    serde_json::from_str(text).or_else(|error| match mend_half_characters(text) {
        Some(mended) => serde_json::from_str(&mended),
        None => Err(error),
    })
}

/// `text` with each unpaired surrogate escape replaced; `None` when there is none.
fn mend_half_characters(text: &str) -> Option<String> {
    let mut mended = String::with_capacity(text.len());
    let mut rest = text;
    let mut changed = false;
    while let Some((before, escape)) = rest.split_once('\\') {
        mended.push_str(before);
        rest = escape;
        match (surrogate(rest), rest.get(5..).and_then(|rest| rest.strip_prefix('\\')).and_then(surrogate)) {
            (Some(Half::High), Some(Half::Low)) => {
                mended.push('\\');
                rest = carry(rest, 11, &mut mended);
            }
            (Some(Half::High | Half::Low), _) => {
                mended.push_str("\\ufffd");
                changed = true;
                rest = rest.get(5..).unwrap_or_default();
            }
            (None, _) => {
                mended.push('\\');
                // The escaped character itself, which may be a backslash.
                rest = carry(rest, rest.chars().next().map_or(0, char::len_utf8), &mut mended);
            }
        }
    }
    mended.push_str(rest);
    changed.then_some(mended)
}

fn carry<'a>(rest: &'a str, bytes: usize, into: &mut String) -> &'a str {
    into.push_str(rest.get(..bytes).unwrap_or_default());
    rest.get(bytes..).unwrap_or_default()
}

/// Half of a character that UTF-16 needs two units for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Half {
    High,
    Low,
}

/// Whether `escape`, which stands behind a backslash, is `uD8xx` to `uDFxx`.
fn surrogate(escape: &str) -> Option<Half> {
    let digits = escape.strip_prefix('u')?.get(..4)?;
    match u16::from_str_radix(digits, 16).ok()? {
        0xD800..=0xDBFF => Some(Half::High),
        0xDC00..=0xDFFF => Some(Half::Low),
        _ => None,
    }
}
