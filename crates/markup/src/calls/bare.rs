//! Calls without a mark: `{"name": "read", "parameters": {…}}` (Llama 3), lists of those, and `[read(path="…")]`.
//!
//! Any JSON looks like that at first. It is taken for a call when its first key names a function that was offered and the next
//! one brings arguments, which is known after some fifty characters; until then the line is kept back.

/// What a line begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bare {
    /// A call.
    Opens,
    /// Perhaps one; more input decides.
    Undecided,
    /// Text.
    Text,
}

/// No call is decided later than this, in bytes.
const LOOK: usize = 512;

/// Looks at the beginning of a line. `whole` says that no more input comes: then the beginning of a call that names a tool,
/// in full or in part, counts as one, so that it is not shown.
pub(crate) fn opening(line: &str, tools: &[String], whole: bool) -> Bare {
    let short = line.len() < LOOK;
    let mut lexer = Lexer { rest: line.get(..line.floor_char_boundary(LOOK)).unwrap_or(line) };
    let found = match lexer.next() {
        Some(Lexeme::Mark('[')) => match lexer.clone().next() {
            Some(Lexeme::Mark('{')) => {
                lexer.next();
                object(&mut lexer, tools)
            }
            Some(_) | None => python(lexer.rest, tools),
        },
        Some(Lexeme::Mark('{')) => object(&mut lexer, tools),
        Some(Lexeme::Mark(_) | Lexeme::Text(_) | Lexeme::Other) | None => Found::Text,
    };
    match found {
        Found::Opens => Bare::Opens,
        Found::Named | Found::Nothing if !whole && short => Bare::Undecided,
        Found::Named if short => Bare::Opens,
        Found::Named | Found::Nothing | Found::Text => Bare::Text,
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
        let value = lexer.next();
        match (key, value) {
            ("function", Some(Lexeme::Mark('{'))) => {}
            ("name" | "tool" | "tool_name" | "function", Some(Lexeme::Text(name))) => {
                return if is_tool(name, tools) { arguments(lexer) } else { Found::Text };
            }
            ("name" | "tool" | "tool_name" | "function", None) => {
                let partial = begun.is_some_and(|begun| !begun.is_empty() && tools.iter().any(|tool| tool.starts_with(begun)));
                return if partial { Found::Named } else { Found::Nothing };
            }
            ("type" | "id", Some(Lexeme::Text(_))) => match lexer.next() {
                Some(Lexeme::Mark(',')) => {}
                Some(_) => return Found::Text,
                None => return Found::Nothing,
            },
            (_, None) => return Found::Nothing,
            (_, Some(_)) => return Found::Text,
        }
    }
}

/// What follows the name must bring arguments.
fn arguments(lexer: &mut Lexer<'_>) -> Found {
    match (lexer.next(), lexer.next()) {
        (Some(Lexeme::Mark(',')), Some(Lexeme::Text("arguments" | "parameters" | "args" | "input"))) => Found::Opens,
        (None, _) | (Some(Lexeme::Mark(',')), None) => Found::Named,
        (Some(_), _) => Found::Text,
    }
}

/// A name that was offered and a parenthesis, after the opening bracket of a list.
fn python(rest: &str, tools: &[String]) -> Found {
    let rest = rest.trim_start();
    let len = rest.find(|character: char| !(character.is_alphanumeric() || matches!(character, '_' | '-' | '.'))).unwrap_or(rest.len());
    match rest.split_at_checked(len) {
        Some(("", "")) => Found::Nothing,
        Some((name, "")) if is_tool(name, tools) => Found::Named,
        Some((name, "")) if tools.iter().any(|tool| tool.starts_with(name)) => Found::Nothing,
        Some((name, rest)) if rest.starts_with('(') && is_tool(name, tools) => Found::Opens,
        Some(_) | None => Found::Text,
    }
}

fn is_tool(name: &str, tools: &[String]) -> bool {
    let name = name.strip_prefix("functions.").unwrap_or(name);
    tools.iter().any(|tool| tool == name)
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
    rest: &'text str,
}

impl<'text> Lexer<'text> {
    /// `None` when the text ends before or within the next lexeme.
    fn next(&mut self) -> Option<Lexeme<'text>> {
        self.rest = self.rest.trim_start();
        let first = self.rest.chars().next()?;
        let after = self.rest.get(first.len_utf8()..)?;
        if first == '"' {
            // Names of keys and tools have no escapes in them.
            let (text, rest) = after.split_once('"')?;
            self.rest = rest;
            return Some(Lexeme::Text(text));
        }
        self.rest = after;
        Some(if "{}[]:,".contains(first) { Lexeme::Mark(first) } else { Lexeme::Other })
    }

    /// What stands there of a text whose closing quote has not come.
    fn unclosed(&self) -> Option<&'text str> {
        self.rest.trim_start().strip_prefix('"').filter(|text| !text.contains('"'))
    }
}
