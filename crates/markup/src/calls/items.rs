//! Reading the calls of a block.
//!
//! A block holds calls in one of five notations, which its first characters tell apart: JSON; elements with parameters; a name
//! followed by key and value elements (GLM), by marks and JSON (Kimi, DeepSeek, Mistral) or by an object (Gemma); and Python.
//! Something that cannot be read makes one unreadable call and ends the reading: what follows it cannot be trusted.

use krabba_types::JsonObject;
use serde_json::Value;

use super::block::is_of_name;
use super::elements;
use super::form::{ARGS, BARE, CALL_ID, Content, Form, INNER, Start, start_of};
use super::loose::{Ending, mend_object, value};
use super::python;
use super::written::WrittenCall;

/// A name, with arguments when they could be read.
pub(super) type Read = (Option<String>, Option<JsonObject>);

/// The keys under which a call in JSON has its name and its arguments.
pub(super) const NAMES: [&str; 4] = ["name", "tool_name", "tool", "function"];
pub(super) const ARGUMENTS: [&str; 4] = ["arguments", "parameters", "args", "input"];

/// The calls in `body`, which began with the mark of `form` and holds its closing mark. `function` is the one that a header
/// named before.
pub(super) fn read(form: &Form, function: Option<&str>, body: &str, ending: Ending) -> Vec<WrittenCall> {
    if form.content == Content::Arguments {
        return vec![addressed(form, function, body, ending)];
    }
    let opened;
    let text = if form.content == Content::Element {
        opened = format!("{}{body}", form.open);
        opened.as_str()
    } else {
        without_close(form, body)
    };
    if form.content == Content::Python {
        return python::statements(text, ending);
    }
    let mut items = Items { form, text, at: 0, ending };
    let mut calls = Vec::new();
    loop {
        items.skip_separators();
        if items.rest().is_empty() {
            break;
        }
        let start = items.at;
        let read = items.item();
        let raw = items.text.get(start..items.at).unwrap_or_default().to_owned();
        match read {
            Some(read) => calls.extend(read.into_iter().map(|(name, arguments)| WrittenCall { name, arguments, ending, raw: raw.clone() })),
            None => {
                calls.push(unreadable(items.text.get(start..).unwrap_or_default(), ending));
                break;
            }
        }
    }
    if calls.is_empty() {
        calls.push(unreadable(&format!("{}{body}", form.open), ending));
    }
    calls
}

fn unreadable(raw: &str, ending: Ending) -> WrittenCall {
    WrittenCall { name: named_in(raw), arguments: None, ending, raw: raw.to_owned() }
}

fn addressed(form: &Form, function: Option<&str>, body: &str, ending: Ending) -> WrittenCall {
    let text = without_close(form, body).trim();
    let arguments = if text.is_empty() && ending == Ending::Regular { Some(JsonObject::new()) } else { mend_object(text, ending) };
    WrittenCall { name: function.map(str::to_owned), arguments, ending, raw: format!("{} {text}", function.unwrap_or_default()) }
}

fn without_close<'text>(form: &Form, body: &'text str) -> &'text str {
    form.close.iter().find_map(|close| body.strip_suffix(*close)).unwrap_or(body)
}

/// The name in something that looks like a call, for the message about it.
fn named_in(raw: &str) -> Option<String> {
    let after = ["\"name\"", "'name'"].iter().find_map(|key| raw.split_once(*key)).map(|(_, after)| after)?;
    let quoted = after.trim_start().strip_prefix(':')?.trim_start();
    let inner = quoted.strip_prefix(['"', '\''])?;
    inner.split(['"', '\'']).next().filter(|name| !name.is_empty() && name.len() < 128).map(str::to_owned)
}

struct Items<'text> {
    form: &'text Form,
    text: &'text str,
    at: usize,
    ending: Ending,
}

impl<'text> Items<'text> {
    fn rest(&self) -> &'text str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn skip_blanks(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    fn skip_separators(&mut self) {
        loop {
            let rest = self.rest();
            let marks = INNER.iter().chain(self.form.close).chain([&"```json", &"```", &";", &",", &"}", &"]", &")"]);
            self.at += match start_of(rest, marks) {
                Start::Whole(len) => len,
                Start::Partial | Start::Different if rest.starts_with(char::is_whitespace) => {
                    self.skip_blanks();
                    continue;
                }
                Start::Partial | Start::Different => return,
            };
        }
    }

    fn item(&mut self) -> Option<Vec<Read>> {
        let rest = self.rest();
        match rest.chars().next()? {
            '{' | '[' => match value(rest, self.ending) {
                Some((value, len)) => {
                    self.at += len;
                    of_json(value, self.ending)
                }
                None => {
                    let (calls, len) = python::list(rest, self.ending)?;
                    self.at += len;
                    Some(calls)
                }
            },
            '<' => {
                let (call, len) = elements::element(rest, self.ending)?;
                self.at += len;
                Some(vec![call])
            }
            _ => self.named().map(|call| vec![call]),
        }
    }

    /// A call that begins with its name.
    fn named(&mut self) -> Option<Read> {
        let start = self.rest();
        if let Some((call, len)) = python::call(start, self.ending) {
            self.at += len;
            return Some(call);
        }
        let mut name = self.word()?;
        loop {
            self.skip_blanks();
            let rest = self.rest();
            if rest.starts_with('{') {
                let (value, len) = value(rest, self.ending)?;
                self.at += len;
                return Some((Some(clean_name(name)), Some(into_object(value, self.ending)?)));
            }
            if rest.starts_with("<arg_key>") {
                let (arguments, len) = elements::pairs(rest, self.ending)?;
                self.at += len;
                return Some((Some(clean_name(name)), Some(arguments)));
            }
            let id = rest.starts_with(CALL_ID);
            match start_of(rest, INNER.iter().chain([&"```json", &"```"])) {
                // A name that follows the separator is the function's; DeepSeek's first one is the word "function".
                Start::Whole(len) if rest.starts_with(ARGS) || !rest.starts_with('[') || id => self.at += len,
                Start::Whole(_) | Start::Partial | Start::Different => {
                    let whole = rest.is_empty() || start_of(rest, self.form.close) != Start::Different;
                    let alone = self.form != &BARE && self.ending == Ending::Regular && whole;
                    return alone.then(|| (Some(clean_name(name)), Some(JsonObject::new())));
                }
            }
            self.skip_blanks();
            let follows = self.rest().starts_with(|character: char| character.is_alphanumeric() || character == '_');
            if follows {
                let word = self.word()?;
                name = if id { name } else { word };
            }
        }
    }

    fn word(&mut self) -> Option<&'text str> {
        let rest = self.rest();
        let len = rest.find(|character: char| !is_of_name(character)).unwrap_or(rest.len());
        let word = rest.get(..len).filter(|word| !word.is_empty())?;
        self.at += len;
        Some(word)
    }
}

/// Kimi numbers its calls (`functions.read:0`), Gemma announces them (`call:read`).
pub(super) fn clean_name(name: &str) -> String {
    let name = name.strip_prefix("call:").unwrap_or(name);
    match name.rsplit_once(':') {
        Some((before, number)) if number.bytes().all(|byte| byte.is_ascii_digit()) => before.to_owned(),
        Some(_) | None => name.to_owned(),
    }
}

/// One call, or a list of them. `None` for JSON that is no call.
pub(super) fn of_json(value: Value, ending: Ending) -> Option<Vec<Read>> {
    match value {
        Value::Object(object) => Some(vec![of_object(object, ending)?]),
        Value::Array(calls) if !calls.is_empty() => calls
            .into_iter()
            .map(|call| match call {
                Value::Object(object) => of_object(object, ending),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => None,
            })
            .collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => None,
    }
}

pub(super) fn of_object(mut object: JsonObject, ending: Ending) -> Option<Read> {
    if let Some(Value::Object(function)) = object.get_mut("function") {
        let function = std::mem::take(function);
        return of_object(function, ending);
    }
    let name = NAMES.iter().find_map(|key| object.get(*key)?.as_str().map(clean_name))?;
    let arguments = ARGUMENTS.iter().find_map(|key| object.remove(*key));
    let arguments = match arguments {
        Some(Value::Null) | None => Some(JsonObject::new()),
        Some(value) => into_object(value, ending),
    };
    Some((Some(name), arguments))
}

/// Arguments, also when they were written as a text.
fn into_object(value: Value, ending: Ending) -> Option<JsonObject> {
    match value {
        Value::Object(object) => Some(object),
        Value::String(text) if text.trim().is_empty() => Some(JsonObject::new()),
        Value::String(text) => mend_object(&text, ending),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => None,
    }
}
