//! Calls without a mark: `{"name": "read", "parameters": {…}}` (Llama 3), lists of those, and `[read(path="…")]`.
//!
//! Any JSON looks like that at first. It is taken for a call when its first key names a tool and the next one brings arguments, which is
//! known after some fifty characters; until then the line is kept back. Where the arguments come first, or where prose on the same line
//! announces the call, more must be there: in the one case the name behind them, in the other all of it up to the end of the line,
//! because in the middle of a sentence it would be told of.

use super::items::{ARGUMENTS, NAMES};
use crate::harmony::Complete;
use crate::token::{self, Found as Mark, Token};
use crate::toolbox::{is_alike, plain};

/// What a line begins or goes on with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bare {
    /// A call.
    Opens,
    /// Perhaps one; more input decides.
    Undecided,
    /// Text.
    Text,
}

/// Where on its line it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Beginning,
    /// Behind prose.
    Within,
}

/// No call is decided later than this, in bytes.
const LOOK: usize = 512;
/// And none that needs its arguments for it.
const LONG_LOOK: usize = 16 * 1024;

/// Looks at what stands in `place`. [`Complete::Yes`]: no more input comes, and the beginning of a call that names a tool, in full or in
/// part, counts as one, so that it is not shown.
pub(crate) fn opening(text: &str, tools: &[String], place: Place, complete: Complete) -> Bare {
    let mut lexer = Lexer { text, at: 0, look: LOOK };
    let found = match lexer.next() {
        Some(Lexeme::Mark('[')) => match lexer.clone().next() {
            Some(Lexeme::Mark('{')) => {
                lexer.next();
                object(&mut lexer, tools)
            }
            Some(_) | None => python(lexer.rest(), tools),
        },
        Some(Lexeme::Mark('{')) => object(&mut lexer, tools),
        Some(Lexeme::Mark(_) | Lexeme::Text(_) | Lexeme::Other) | None => Found::Text,
    };
    let short = text.len() < lexer.look;
    match found {
        Found::Opens if place == Place::Within => to_its_end(text, complete),
        Found::Opens => Bare::Opens,
        Found::Named | Found::Nothing if complete == Complete::No && short => Bare::Undecided,
        Found::Named if short => Bare::Opens,
        Found::Named | Found::Nothing | Found::Text => Bare::Text,
    }
}

/// A call that prose announces: whether the line ends behind it.
fn to_its_end(text: &str, complete: Complete) -> Bare {
    let open = match (complete, text.len() < LONG_LOOK) {
        (Complete::Yes, true) => Bare::Opens,
        (Complete::No, true) => Bare::Undecided,
        (_, false) => Bare::Text,
    };
    let mut lexer = Lexer { text, at: 1, look: LONG_LOOK };
    let Some(()) = lexer.skip_object() else { return open };
    let behind = lexer.rest().trim_start_matches([' ', '\t', '\r']);
    if behind.is_empty() {
        return open;
    }
    match token::recognise(behind, complete) {
        _ if behind.starts_with('\n') => Bare::Opens,
        Mark::Whole(Token::End | Token::EndOrStrike, _) => Bare::Opens,
        Mark::Partial => open,
        Mark::Whole(..) | Mark::Nothing => Bare::Text,
    }
}

enum Found {
    Opens,
    /// The text ends after a tool was named, or within its name.
    Named,
    /// The text ends before.
    Nothing,
    Text,
}

/// Reads on after the opening bracket.
fn object(lexer: &mut Lexer<'_>, tools: &[String]) -> Found {
    let mut has_arguments = false;
    loop {
        let key = match lexer.next() {
            Some(Lexeme::Text(key)) => key,
            Some(_) => return Found::Text,
            None => return Found::Nothing,
        };
        match lexer.next() {
            Some(Lexeme::Mark(':')) => {}
            Some(_) => return Found::Text,
            None => return Found::Nothing,
        }
        let begun = lexer.unclosed();
        match (key, lexer.next()) {
            ("function", Some(Lexeme::Mark('{'))) => continue,
            (key, Some(Lexeme::Text(name))) if NAMES.contains(&key) => {
                return match is_tool(name, tools) {
                    true if has_arguments => Found::Opens,
                    true => arguments(lexer),
                    false => Found::Text,
                };
            }
            (key, None) if NAMES.contains(&key) => {
                let partial = begun.is_some_and(|begun| !begun.is_empty() && tools.iter().any(|tool| begins(tool, begun)));
                return if partial { Found::Named } else { Found::Nothing };
            }
            (key, Some(Lexeme::Mark('{'))) if ARGUMENTS.contains(&key) => {
                has_arguments = true;
                lexer.look = LONG_LOOK;
                if lexer.skip_object().is_none() {
                    return Found::Nothing;
                }
            }
            ("type" | "id", Some(Lexeme::Text(_))) => {}
            (_, None) => return Found::Nothing,
            (_, Some(_)) => return Found::Text,
        }
        match lexer.next() {
            Some(Lexeme::Mark(',')) => {}
            Some(_) => return Found::Text,
            None => return Found::Nothing,
        }
    }
}

/// What follows the name must bring arguments.
fn arguments(lexer: &mut Lexer<'_>) -> Found {
    match (lexer.next(), lexer.next()) {
        (Some(Lexeme::Mark(',')), Some(Lexeme::Text(key))) if ARGUMENTS.contains(&key) => Found::Opens,
        (None, _) | (Some(Lexeme::Mark(',')), None) => Found::Named,
        (Some(_), _) => Found::Text,
    }
}

/// The name of a tool and a parenthesis, after the opening bracket of a list.
fn python(rest: &str, tools: &[String]) -> Found {
    let rest = rest.trim_start();
    let len = rest.find(|character: char| !(character.is_alphanumeric() || matches!(character, '_' | '-' | '.'))).unwrap_or(rest.len());
    match rest.split_at_checked(len) {
        Some((name, "")) if is_tool(name, tools) => Found::Named,
        Some((_, "")) => Found::Nothing,
        Some((name, rest)) if rest.starts_with('(') && is_tool(name, tools) => Found::Opens,
        Some(_) | None => Found::Text,
    }
}

fn is_tool(name: &str, tools: &[String]) -> bool {
    tools.iter().any(|tool| is_alike(tool, name))
}

/// Whether the name of `tool` begins with `begun`, as names are compared.
fn begins(tool: &str, begun: &str) -> bool {
    let mut name = plain(tool);
    plain(begun).all(|character| name.next() == Some(character))
}

#[derive(Clone, Copy)]
enum Lexeme<'text> {
    Mark(char),
    /// Between quotes.
    Text(&'text str),
    Other,
}

#[derive(Clone)]
struct Lexer<'text> {
    text: &'text str,
    at: usize,
    /// So much of the text is looked at.
    look: usize,
}

impl<'text> Lexer<'text> {
    fn rest(&self) -> &'text str {
        self.text.get(self.at..self.text.floor_char_boundary(self.look)).unwrap_or_default()
    }

    /// `None` when the text ends before or within the next lexeme.
    fn next(&mut self) -> Option<Lexeme<'text>> {
        self.at += self.rest().len() - self.rest().trim_start().len();
        let first = self.rest().chars().next()?;
        let after = self.rest().get(first.len_utf8()..)?;
        if first == '"' {
            // Names of keys and tools have no escapes in them.
            let (text, _) = after.split_once('"')?;
            self.at += text.len() + 2;
            return Some(Lexeme::Text(text));
        }
        self.at += first.len_utf8();
        Some(if "{}[]:,".contains(first) { Lexeme::Mark(first) } else { Lexeme::Other })
    }

    /// What stands there of a text whose closing quote has not come.
    fn unclosed(&self) -> Option<&'text str> {
        self.rest().trim_start().strip_prefix('"').filter(|text| !text.contains('"'))
    }

    /// Reads on after an opening bracket and up to the one that closes it. `None` when the text ends before.
    fn skip_object(&mut self) -> Option<()> {
        let (mut depth, mut quoted, mut escaped) = (1_u32, false, false);
        for (at, character) in self.rest().char_indices() {
            match character {
                _ if escaped => escaped = false,
                '\\' if quoted => escaped = true,
                '"' => quoted = !quoted,
                _ if quoted => {}
                '{' | '[' => depth += 1,
                '}' | ']' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                self.at += at + 1;
                return Some(());
            }
        }
        None
    }
}
