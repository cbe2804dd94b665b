//! Harmony, the channel format of gpt-oss: `<|start|>assistant<|channel|>analysis<|message|>…<|end|>`.
//!
//! A header names a channel, and perhaps a recipient and a content type. Only `final` is for the reader: `analysis` is
//! reasoning, and what is said on `commentary` is addressed to a tool. Servers lose some of the marks or all of them; in
//! the latter case only the words are left: `analysis…assistantfinal…`.

use crate::token::{Found, Prefix, Token, prefix};

/// Whom a message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Channel {
    /// For the reader.
    Final,
    /// For nobody, or for a tool.
    Hidden,
}

/// The words that are left of the header of an answer when all marks were lost.
pub(crate) const BARE_FINAL: &str = "assistantfinal";

/// The names of channels. Some servers write the role in the channel's place.
const NAMES: [(&str, Channel); 4] =
    [("final", Channel::Final), ("assistant", Channel::Final), ("analysis", Channel::Hidden), ("commentary", Channel::Hidden)];

/// The longest role, channel or content type, in bytes.
const MAX_FIELD: usize = 128;
/// The longest word after which a bare opening is believed without a blank (Chinese and Japanese have none), in bytes.
const MAX_WORD: usize = 64;

/// What stands before the recipient.
const ADDRESS: &str = "to=";
const START: &str = "<|start|>";
const CHANNEL: &str = "<|channel|>";
const CONSTRAIN: &str = "<|constrain|>";
const MESSAGE: &str = "<|message|>";

/// Reads a header at the beginning of `text`, up to and including `<|message|>`. A channel mark that is followed by the
/// name of a known channel but never by `<|message|>` ends after the name.
pub(crate) fn header(text: &str) -> Found {
    let mut cursor = Cursor { text, rest: text };
    match cursor.literal(START) {
        Prefix::Whole => match cursor.field() {
            Field::Complete(_) => {}
            Field::Partial => return Found::Partial,
            Field::Broken => return Found::Nothing,
        },
        Prefix::Partial => return Found::Partial,
        Prefix::Different => {}
    }
    let started = cursor.taken() > 0;
    match cursor.literal(CHANNEL) {
        Prefix::Whole => channel(cursor),
        Prefix::Partial => Found::Partial,
        Prefix::Different if started => match cursor.literal(MESSAGE) {
            Prefix::Whole => Found::Whole(Token::Header(Channel::Final), cursor.taken()),
            Prefix::Partial => Found::Partial,
            Prefix::Different => Found::Nothing,
        },
        Prefix::Different => Found::Nothing,
    }
}

/// What the beginning of a header is when no more input comes: a channel that is known by its name counts, and a header
/// that has got no further than the name, or the role, is dropped.
pub(crate) fn header_at_end(text: &str) -> Found {
    let dropped = Found::Whole(Token::Header(Channel::Hidden), text.len());
    let from_channel = match text.strip_prefix(START) {
        Some(role) if "assistant".starts_with(role.trim()) => return dropped,
        Some(rest) => rest.find('<').and_then(|at| rest.get(at..)).unwrap_or_default(),
        None => text,
    };
    let Some(named) = from_channel.strip_prefix(CHANNEL) else { return Found::Nothing };
    match known_channel(named) {
        Some((channel, len)) => Found::Whole(Token::Header(channel), text.len() - named.len() + len),
        None if NAMES.iter().any(|(name, _)| name.starts_with(named)) => dropped,
        None => Found::Nothing,
    }
}

/// The function that a header is addressed to (`to=functions.read`), without its name space; `None` when it is addressed to
/// nobody.
pub(crate) fn recipient(header: &str) -> Option<&str> {
    let (_, after) = header.split_once(ADDRESS)?;
    let end = after.find(|character: char| character.is_whitespace() || matches!(character, '<' | '{')).unwrap_or(after.len());
    let name = after.get(..end)?;
    let name = name.strip_prefix("functions.").unwrap_or(name);
    (!name.is_empty()).then_some(name)
}

/// A header whose beginning stood in the prompt: `to=functions.read<|channel|>commentary json<|message|>`.
pub(crate) fn addressed_header(text: &str) -> Found {
    if !text.starts_with(ADDRESS) {
        return if ADDRESS.starts_with(text) { Found::Partial } else { Found::Nothing };
    }
    match text.find(['<', '\n']) {
        Some(end) if end <= MAX_FIELD => match header(text.get(end..).unwrap_or_default()) {
            Found::Whole(token, len) => Found::Whole(token, end + len),
            other => other,
        },
        None if text.len() <= MAX_FIELD => Found::Partial,
        Some(_) | None => Found::Nothing,
    }
}

/// `assistantcommentary to=functions.read json{…`: a second message whose marks were all lost.
pub(crate) fn bare_call(text: &str) -> Found {
    const WORDS: &str = "assistantcommentary";
    match prefix(text, WORDS) {
        Prefix::Partial => Found::Partial,
        Prefix::Different => Found::Nothing,
        Prefix::Whole => match bare_address(text.get(WORDS.len()..).unwrap_or_default()) {
            Found::Whole(token, len) => Found::Whole(token, WORDS.len() + len),
            other => other,
        },
    }
}

/// A header of which only the words are left: ` to=functions.read json{…` after the channel's name. The length up to the bracket.
pub(crate) fn bare_address(text: &str) -> Found {
    let Some(after) = text.trim_start_matches(' ').strip_prefix(ADDRESS) else {
        let so_far = text.trim_start_matches(' ');
        return if ADDRESS.starts_with(so_far) && text.len() <= MAX_FIELD { Found::Partial } else { Found::Nothing };
    };
    match after.find(['{', '\n', '<']) {
        Some(end) if end <= MAX_FIELD && after.get(end..).is_some_and(|rest| rest.starts_with('{')) => {
            Found::Whole(Token::Header(Channel::Hidden), text.len() - after.len() + end)
        }
        None if after.len() <= MAX_FIELD => Found::Partial,
        Some(_) | None => Found::Nothing,
    }
}

/// Reads the role word that stays when only `<|start|>` was lost: `assistant<|channel|>…`.
pub(crate) fn header_after_role_word(text: &str) -> Found {
    const ROLE: &str = "assistant";
    match prefix(text, ROLE) {
        Prefix::Partial => Found::Partial,
        Prefix::Different => Found::Nothing,
        Prefix::Whole => match text.split_at_checked(ROLE.len()) {
            Some((_, "")) => Found::Partial,
            Some((_, rest)) if rest.starts_with('<') => match header(rest) {
                Found::Whole(token, len) => Found::Whole(token, ROLE.len() + len),
                other => other,
            },
            Some(_) | None => Found::Nothing,
        },
    }
}

/// What a text that begins an answer may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opening {
    /// Reasoning whose marks were lost; so many bytes of it are the channel's name.
    Bare(usize),
    /// A text that begins with the word `analysis`; it may yet turn out to be the above.
    Suspicious,
    /// Nothing of the kind.
    Ordinary,
    /// More input decides.
    Undecided,
}

/// Looks at the beginning of an answer for a channel name that sticks to the next word (`analysisThe user…`). A single
/// word (`analysisResult`) is an answer. `complete` says that there is no more input.
pub(crate) fn opening(text: &str, complete: Complete) -> Opening {
    for name in ["analysis", "commentary"] {
        if text.len() < name.len() && name.starts_with(text) && complete == Complete::No {
            return Opening::Undecided;
        }
        if let Some(rest) = text.strip_prefix(name) {
            return after_name(rest, name, complete);
        }
    }
    Opening::Ordinary
}

/// Whether the input is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Complete {
    /// It is.
    Yes,
    /// More may come.
    No,
}

fn after_name(rest: &str, name: &str, complete: Complete) -> Opening {
    const ADDRESS: &str = " to=";
    match rest.chars().next() {
        None if complete == Complete::No => return Opening::Undecided,
        None => return Opening::Ordinary,
        Some(next) if next.is_alphanumeric() || matches!(next, '"' | '“' | '<') => {}
        Some(_) if name == "commentary" => {
            return match prefix(rest, ADDRESS) {
                Prefix::Whole => Opening::Bare(name.len()),
                Prefix::Partial if complete == Complete::No => Opening::Undecided,
                Prefix::Partial | Prefix::Different => Opening::Ordinary,
            };
        }
        Some(_) => return Opening::Suspicious,
    }
    let word = rest.find(char::is_whitespace);
    match word {
        Some(_) => Opening::Bare(name.len()),
        None if rest.len() > MAX_WORD || rest.contains(BARE_FINAL) => Opening::Bare(name.len()),
        None if complete == Complete::No => Opening::Undecided,
        None => Opening::Ordinary,
    }
}

/// Reads on after `<|channel|>`.
fn channel(mut cursor: Cursor<'_>) -> Found {
    let named = known_channel(cursor.rest).map(|(channel, len)| Found::Whole(Token::Header(channel), cursor.taken() + len));
    let otherwise = named.unwrap_or(Found::Nothing);
    let channel = match cursor.field() {
        Field::Complete(field) => known_channel(field.trim_start()).map_or(Channel::Hidden, |(channel, _)| channel),
        Field::Partial => return Found::Partial,
        Field::Broken => return otherwise,
    };
    match cursor.literal(CONSTRAIN) {
        Prefix::Whole => match cursor.field() {
            Field::Complete(_) => {}
            Field::Partial => return Found::Partial,
            Field::Broken => return otherwise,
        },
        Prefix::Partial => return Found::Partial,
        Prefix::Different => {}
    }
    match cursor.literal(MESSAGE) {
        Prefix::Whole => Found::Whole(Token::Header(channel), cursor.taken()),
        Prefix::Partial => Found::Partial,
        Prefix::Different => otherwise,
    }
}

/// The channel that `text` begins with, and the length of its name.
fn known_channel(text: &str) -> Option<(Channel, usize)> {
    NAMES.iter().find(|(name, _)| text.starts_with(name)).map(|(name, channel)| (*channel, name.len()))
}

enum Field<'text> {
    Complete(&'text str),
    Partial,
    /// Too long, or on more than one line: no field of a header.
    Broken,
}

struct Cursor<'text> {
    text: &'text str,
    rest: &'text str,
}

impl<'text> Cursor<'text> {
    fn taken(&self) -> usize {
        self.text.len() - self.rest.len()
    }

    fn literal(&mut self, literal: &str) -> Prefix {
        let compared = prefix(self.rest, literal);
        if compared == Prefix::Whole {
            self.rest = self.rest.get(literal.len()..).unwrap_or_default();
        }
        compared
    }

    /// Takes everything up to the next mark.
    fn field(&mut self) -> Field<'text> {
        let end = self.rest.find(['<', '\n']).unwrap_or(self.rest.len());
        if end > MAX_FIELD {
            return Field::Broken;
        }
        match self.rest.split_at_checked(end) {
            Some((_, "")) => Field::Partial,
            Some((field, rest)) if rest.starts_with('<') => {
                self.rest = rest;
                Field::Complete(field)
            }
            Some(_) | None => Field::Broken,
        }
    }
}
