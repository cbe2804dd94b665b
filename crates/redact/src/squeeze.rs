//! A text without what people, programs and models put between the characters of a secret: blanks, dashes, dots, quotes, line ends,
//! also as JSON spells those.

use std::ops::Range;

/// More in a row are no longer taken for a way of writing one word.
const MOST: usize = 7;

/// A text without separators, and where each of its bytes comes from.
pub(crate) struct Squeezed {
    pub(crate) text: String,
    places: Vec<Range<usize>>,
}

/// Without separators.
pub(crate) fn text(text: &str) -> String {
    pieces(text).filter(|(_, _, separates)| !separates).map(|(_, character, _)| character).collect()
}

/// The characters of a text, where each stands, and whether it only separates others. A backslash at the end may go on as a line end.
fn pieces(text: &str) -> impl Iterator<Item = (usize, char, bool)> {
    let mut escaped = false;
    let mut characters = text.char_indices().peekable();
    std::iter::from_fn(move || {
        let (at, character) = characters.next()?;
        let ends_escape = std::mem::take(&mut escaped);
        escaped = character == '\\' && characters.peek().is_none_or(|(_, next)| matches!(next, 'n' | 'r' | 't'));
        Some((at, character, ends_escape || escaped || separates(character)))
    })
}

fn separates(character: char) -> bool {
    character.is_whitespace() || matches!(character, '-' | '_' | '.' | ',' | ':' | ';' | '|' | '*' | '\'' | '"' | '`')
}

impl Squeezed {
    pub(crate) fn of(text: &str) -> Self {
        let mut squeezed = Self { text: String::with_capacity(text.len()), places: Vec::with_capacity(text.len()) };
        let mut between = 0;
        for (at, character, separates) in pieces(text) {
            if separates {
                between += 1;
                continue;
            }
            if between > MOST {
                // Nothing is found across it.
                squeezed.push('\0', at..at);
            }
            between = 0;
            squeezed.push(character, at..at + character.len_utf8());
        }
        if between > MOST {
            squeezed.push('\0', text.len()..text.len());
        }
        squeezed
    }

    fn push(&mut self, character: char, place: Range<usize>) {
        self.text.push(character);
        self.places.extend(std::iter::repeat_n(place, character.len_utf8()));
    }

    /// Where a part of the squeezed text stands in the text.
    pub(crate) fn place(&self, part: Range<usize>) -> Option<Range<usize>> {
        let (first, last) = (self.places.get(part.start)?, self.places.get(part.end.checked_sub(1)?)?);
        Some(first.start..last.end)
    }
}
