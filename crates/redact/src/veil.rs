//! Secrets in a text that comes in pieces.
//!
//! What may be the beginning of a secret is held back until it is one, or something else; the rest goes on at once. The pieces
//! that come out, put together, are what [`Redactor::hide`] makes of the whole.

use crate::Redactor;

/// Keeps secrets out of a text that comes in pieces.
#[derive(Clone, Debug, Default)]
pub struct Veil {
    redactor: Redactor,
    /// The last character that went on, then what is held back.
    held: String,
    /// The length of that character.
    shown: usize,
}

impl Veil {
    /// With what this redactor knows, now and later.
    pub fn new(redactor: Redactor) -> Self {
        Self { redactor, ..Self::default() }
    }

    /// Takes a piece; gives what can go on.
    pub fn push(&mut self, piece: &str) -> String {
        self.held.push_str(piece);
        let (end, clean) = self.redactor.hide_beginning(&self.held, self.shown);
        if end > self.shown {
            let last = self.held.get(..end).and_then(|shown| shown.chars().next_back());
            let rest = self.held.get(end..).unwrap_or_default();
            self.held = last.into_iter().chain(rest.chars()).collect();
            self.shown = last.map_or(0, char::len_utf8);
        }
        clean
    }

    /// The end of the text; gives the rest of it. What comes after it is another text.
    pub fn finish(&mut self) -> String {
        let held = std::mem::take(&mut self.held);
        let shown = std::mem::take(&mut self.shown);
        let clean = self.redactor.hide(&held);
        clean.get(shown..).unwrap_or_default().to_owned()
    }

    /// Forgets what is held back.
    pub fn clear(&mut self) {
        self.held.clear();
        self.shown = 0;
    }
}
