//! When two texts are the same, and where a word of one ends.
//!
//! A value counts as somebody's words only where they stand in what was written as whole words: `list.docx` does not stand in
//! `hawaii-list.docx`, nor `a.com` in `a.com.evil`. Capitals and composed letters are alike. Look-alikes are not: a letter of
//! another script, a full-width letter, a sign for kelvin never becomes an ASCII letter, so that what looks the same and is not is
//! asked about.

use icu_normalizer::ComposingNormalizerBorrowed;
use icu_properties::CodePointMapData;
use icu_properties::props::GeneralCategory;

/// Characters that composition would turn into ASCII: the signs for kelvin, the Greek question mark and the varia.
const TURN_ASCII: [char; 3] = ['\u{212A}', '\u{037E}', '\u{1FEF}'];

/// Joins words into one when a word stands on its other side.
const GLUE: [char; 13] = ['-', '_', '/', '.', '+', ':', '&', '%', '#', '~', '=', '?', '@'];

/// And those that may stand in an address, before its `@`.
const GLUE_IN_ADDRESSES: [char; 11] = ['!', '$', '\'', '*', '^', '`', '{', '|', '}', '’', '\\'];

/// The text as it is compared: composed, in small letters where that changes no script, each white space a blank, trimmed.
pub(crate) fn fold(text: &str) -> String {
    let nfc = ComposingNormalizerBorrowed::new_nfc();
    let mut folded = String::with_capacity(text.len());
    for piece in text.split_inclusive(TURN_ASCII) {
        let odd = piece.chars().next_back().filter(|last| TURN_ASCII.contains(last));
        let piece = odd.map_or(piece, |odd| piece.trim_end_matches(odd));
        for character in nfc.normalize(piece).chars() {
            if !character.is_whitespace() {
                folded.push(lower(character));
            } else if !folded.is_empty() && !folded.ends_with(' ') {
                folded.push(' ');
            }
        }
        folded.extend(odd);
    }
    if folded.ends_with(' ') {
        folded.pop();
    }
    folded
}

fn lower(character: char) -> char {
    let mut small = character.to_lowercase();
    match (small.next(), small.next()) {
        (Some(small), None) if small.is_ascii() == character.is_ascii() => small,
        _ => character,
    }
}

/// Whether there is a character in it that nobody sees: control, format (zero width, direction), private, unassigned.
pub(crate) fn is_hidden(text: &str) -> bool {
    let category = CodePointMapData::<GeneralCategory>::new();
    text.chars().any(|character| match category.get(character) {
        GeneralCategory::Control => !matches!(character, '\n' | '\t' | '\r'),
        GeneralCategory::Format | GeneralCategory::PrivateUse | GeneralCategory::Unassigned | GeneralCategory::Surrogate => true,
        _ => false,
    })
}

/// Whether `value` stands in `text` as whole words; both are folded.
pub(crate) fn has_span(text: &str, value: &str) -> bool {
    let (Some(first), Some(last)) = (value.chars().next(), value.chars().next_back()) else { return false };
    let mut from = 0;
    while let Some(at) = text.get(from..).and_then(|rest| rest.find(value)) {
        let (start, end) = (from + at, from + at + value.len());
        let (before, after) = (text.get(..start).unwrap_or_default(), text.get(end..).unwrap_or_default());
        let (mut left, mut right) = (before.chars().rev(), after.chars());
        let (near, beyond) = (left.next(), left.next());
        let longer = near.is_some_and(|near| GLUE_IN_ADDRESSES.contains(&near)) && beyond.is_some_and(is_word) && value.contains('@');
        if !longer && !is_glued(first, near, beyond) && !is_glued(last, right.next(), right.next()) {
            return true;
        }
        from = start + first.len_utf8();
    }
    false
}

/// Whether the neighbour of a value, and the one beyond it, make a longer word of it.
fn is_glued(inner: char, near: Option<char>, beyond: Option<char>) -> bool {
    let Some(near) = near else { return false };
    if is_word(near) {
        return is_word(inner) || GLUE.contains(&inner);
    }
    let more = beyond.is_some_and(is_word);
    match near {
        '@' => true,
        // A decimal comma.
        ',' => inner.is_ascii_digit() && beyond.is_some_and(|beyond| beyond.is_ascii_digit()),
        _ => GLUE.contains(&near) && more,
    }
}

pub(crate) fn is_word(character: char) -> bool {
    character == '_'
        || character.is_alphanumeric()
        || matches!(
            CodePointMapData::<GeneralCategory>::new().get(character),
            GeneralCategory::NonspacingMark | GeneralCategory::SpacingMark | GeneralCategory::EnclosingMark
        )
}
