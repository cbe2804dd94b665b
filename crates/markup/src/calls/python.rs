//! Calls as Python: `read(path="a.txt")`, lists of those (Llama 4, LFM2), and Gemma's `print(default_api.read(path="a.txt"))`.
//!
//! Only names, keywords and literals are read. Anything else (a variable, an operator, a call within a call, an argument
//! without its name) is not guessed at.

use krabba_types::JsonObject;
use serde_json::Value;

use super::block::is_of_name;
use super::items::Read;
use super::loose::{self, Ending};
use super::written::WrittenCall;

/// One call per statement. The first one that is something else makes an unreadable call of all that is left.
pub(super) fn statements(text: &str, ending: Ending) -> Vec<WrittenCall> {
    let mut calls = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let Some((read, after)) = statement(rest, ending) else {
            calls.push(WrittenCall { name: None, arguments: None, ending, raw: rest.to_owned() });
            return calls;
        };
        let raw = rest.get(..rest.len() - after.len()).unwrap_or_default().to_owned();
        calls.extend(read.into_iter().map(|(name, arguments)| WrittenCall { name, arguments, ending, raw: raw.clone() }));
        rest = after.trim_start_matches(|character: char| character.is_whitespace() || character == ';');
    }
    if calls.is_empty() {
        calls.push(WrittenCall { name: None, arguments: None, ending, raw: text.to_owned() });
    }
    calls
}

fn statement(text: &str, ending: Ending) -> Option<(Vec<Read>, &str)> {
    if let Some(inner) = text.strip_prefix("print(") {
        let (call, len) = call(inner, ending)?;
        let after = inner.get(len..)?.trim_start().strip_prefix(')')?;
        return Some((vec![call], after));
    }
    if text.starts_with('[') {
        let (calls, len) = list(text, ending)?;
        return Some((calls, text.get(len..)?));
    }
    // `result = read(…)`
    let assigned =
        text.split_once('=').filter(|(name, _)| name.trim_end().chars().all(|character| character.is_alphanumeric() || character == '_'));
    let expression = assigned.map_or(text, |(_, expression)| expression.trim_start());
    let (call, len) = call(expression, ending)?;
    Some((vec![call], expression.get(len..)?))
}

/// `[name(…), name(…)]` at the beginning of `text`, with its length.
pub(super) fn list(text: &str, ending: Ending) -> Option<(Vec<Read>, usize)> {
    let mut rest = text.strip_prefix('[')?.trim_start();
    let mut calls = Vec::new();
    loop {
        let (read, len) = call(rest, ending)?;
        calls.push(read);
        rest = rest.get(len..)?.trim_start();
        if let Some(more) = rest.strip_prefix(',') {
            rest = more.trim_start();
        }
        if let Some(after) = rest.strip_prefix(']') {
            return Some((calls, text.len() - after.len()));
        }
        if rest.is_empty() && ending == Ending::Regular {
            return Some((calls, text.len()));
        }
    }
}

/// `name(key=value, …)` at the beginning of `text`, with its length. `name.call(…)` is how Llama writes its built-in tools.
pub(super) fn call(text: &str, ending: Ending) -> Option<(Read, usize)> {
    let len = text.find(|character: char| !is_of_name(character))?;
    let (name, rest) = text.split_at_checked(len)?;
    let name = name.strip_suffix(".call").unwrap_or(name);
    let mut rest = rest.strip_prefix('(').filter(|_| !name.is_empty())?.trim_start();
    let mut arguments = JsonObject::new();
    loop {
        if let Some(after) = rest.strip_prefix(')') {
            return Some(((Some(name.to_owned()), Some(arguments)), text.len() - after.len()));
        }
        let (key, value) = rest.split_once('=')?;
        let key = key.trim_end();
        let is_keyword = !key.is_empty() && key.chars().all(|character| character.is_alphanumeric() || character == '_');
        let (value, after) = literal(value.trim_start(), ending).filter(|_| is_keyword)?;
        arguments.insert(key.to_owned(), value);
        rest = after.trim_start();
        match rest.strip_prefix(',') {
            Some(more) => rest = more.trim_start(),
            None if rest.starts_with(')') => {}
            None => return None,
        }
    }
}

fn literal(text: &str, ending: Ending) -> Option<(Value, &str)> {
    for quotes in ["\"\"\"", "'''"] {
        if let Some((inside, after)) = text.strip_prefix(quotes).and_then(|rest| rest.split_once(quotes)) {
            // Read as a text in single quotes, of which there may be some in it.
            let escaped = format!("'{}'", inside.replace('\'', "\\'"));
            let (value, len) = loose::value(&escaped, Ending::Cut)?;
            return (len == escaped.len()).then_some((value, after));
        }
    }
    let (value, len) = loose::value(text, ending)?;
    Some((value, text.get(len..)?))
}
