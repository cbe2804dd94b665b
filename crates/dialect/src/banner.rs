//! llama-swap's loading banner.
//!
//! With `sendLoadingState`, llama-swap answers at once and, while it loads the model, streams a banner as if the model
//! were reasoning: a rule of `━`, `llama-swap loading model: NAME`, remarks and dots, `Done! (7.26s)`, a rule, a blank
//! line; one line per delta. That is progress, not thought. The banner can stand only at the very beginning of an
//! answer and keeps to the channel that it began in, so anything else switches this filter off for good. A first rule
//! is held back until the next piece tells what it was; it is lost when that piece comes in another channel or not at
//! all, which nobody misses.

use std::borrow::Cow;

const TITLE: &str = "llama-swap loading model";

/// Recognises the banner in the first pieces of an answer.
#[derive(Debug, Default)]
pub(crate) struct Banner {
    state: State,
}

/// Where a piece came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Channel {
    /// The answer.
    Text,
    /// The reasoning.
    Reasoning,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Before,
    /// A rule came, with this text.
    Rule(String, Channel),
    /// Within the banner.
    Inside(Channel),
    /// The closing rule came; one blank line may follow.
    Closed(Channel),
    /// No banner, or no more of it.
    Over,
}

/// What a piece turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    /// The model's own words.
    Said(Cow<'a, str>),
    /// Perhaps the beginning of the banner.
    Held,
    /// Part of the banner.
    Loading,
}

impl Banner {
    /// Sorts one piece, which is not empty.
    pub(crate) fn sort<'a>(&mut self, text: &'a str, channel: Channel) -> Piece<'a> {
        let (state, piece) = match std::mem::take(&mut self.state) {
            State::Before if is_rule(text) => (State::Rule(text.to_owned(), channel), Piece::Held),
            State::Before if begins_banner(text) => (State::Inside(channel), Piece::Loading),
            State::Rule(_, begun) if begun == channel && begins_banner(text) => (State::Inside(channel), Piece::Loading),
            State::Rule(held, begun) if begun == channel => (State::Over, Piece::Said(Cow::Owned(held + text))),
            State::Inside(begun) if begun == channel && is_rule(text) => (State::Closed(channel), Piece::Loading),
            State::Inside(begun) if begun == channel => (State::Inside(channel), Piece::Loading),
            State::Closed(begun) if begun == channel && text.trim().is_empty() => (State::Over, Piece::Loading),
            State::Before | State::Rule(..) | State::Inside(_) | State::Closed(_) | State::Over => {
                (State::Over, Piece::Said(Cow::Borrowed(text)))
            }
        };
        self.state = state;
        piece
    }
}

fn is_rule(text: &str) -> bool {
    let text = text.trim();
    !text.is_empty() && text.chars().all(|character| matches!(character, '━' | '─'))
}

fn begins_banner(text: &str) -> bool {
    text.trim_start_matches(|character: char| character.is_whitespace() || matches!(character, '━' | '─')).starts_with(TITLE)
}
