//! JSON as models write it.
//!
//! Read strictly first; what is tolerated after that has one meaning only: a comma before a closing bracket, quotes of the
//! other kind, keys without quotes, line breaks inside a text, Python's `True`, `False` and `None`, Gemma's marks in the place
//! of quotes, and, where the model ended its answer by itself, closing brackets that are missing after a complete value. A
//! text that is not closed is never closed here: it may be half of what was meant.

use krabba_types::JsonObject;
use serde_json::{Map, Number, Value};

/// How the text came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The model, or a closing mark, ended it.
    Regular,
    /// It was cut off, or may have been.
    Cut,
}

/// Deeper than any arguments; bounds the recursion.
const MAX_DEPTH: u32 = 96;

/// What stands in the place of quotes in Gemma's calls.
const GEMMA_QUOTES: [&str; 2] = ["<|\"|>", "<escape>"];

/// The object that `text` holds, blanks and surplus closing brackets around it aside. An object within a text
/// (`"{\"a\": 1}"`) counts too.
pub fn mend_object(text: &str, ending: Ending) -> Option<JsonObject> {
    let (value, len) = value(text, ending)?;
    let rest = text.get(len..).unwrap_or_default();
    if !rest.trim_matches(|character: char| character.is_whitespace() || matches!(character, '}' | ']')).is_empty() {
        return None;
    }
    match value {
        Value::Object(object) => Some(object),
        Value::String(inner) if inner.trim_start().starts_with('{') => mend_object(&inner, ending),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => None,
    }
}

/// The value at the beginning of `text`, after blanks, and the length of both.
pub(crate) fn value(text: &str, ending: Ending) -> Option<(Value, usize)> {
    let mut strict = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    if let Some(Ok(value)) = strict.next() {
        return Some((value, strict.byte_offset()));
    }
    let mut reader = Reader { text, at: 0, ending, depth: 0 };
    reader.skip_blanks();
    let value = reader.value()?;
    Some((value, reader.at))
}

/// The same where there may be none, without reading strictly first: how far was looked then.
pub(super) fn value_or_look(text: &str) -> Result<(Value, usize), usize> {
    let mut reader = Reader { text, at: 0, ending: Ending::Regular, depth: 0 };
    match reader.value() {
        Some(value) => Ok((value, reader.at)),
        None => Err(reader.at),
    }
}

struct Reader<'text> {
    text: &'text str,
    at: usize,
    ending: Ending,
    depth: u32,
}

impl<'text> Reader<'text> {
    fn rest(&self) -> &'text str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn take(&mut self, expected: char) -> bool {
        let found = self.peek() == Some(expected);
        if found {
            self.at += expected.len_utf8();
        }
        found
    }

    fn skip_blanks(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    /// Nothing follows, and that is as the model wanted it.
    fn may_close(&self) -> bool {
        self.rest().is_empty() && self.ending == Ending::Regular
    }

    fn value(&mut self) -> Option<Value> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return None;
        }
        let value = match self.peek()? {
            '{' => self.object().map(Value::Object),
            '[' => self.array().map(Value::Array),
            '"' | '\'' | '<' => self.string().map(Value::String),
            '-' | '0'..='9' => self.number().map(Value::Number),
            _ => self.word(),
        };
        self.depth -= 1;
        value
    }

    fn object(&mut self) -> Option<JsonObject> {
        let mut object = Map::new();
        self.take('{');
        self.skip_blanks();
        if self.take('}') {
            return Some(object);
        }
        loop {
            let key = self.key()?;
            self.skip_blanks();
            if !self.take(':') {
                return None;
            }
            self.skip_blanks();
            object.insert(key, self.value()?);
            if self.closes('}')? {
                return Some(object);
            }
        }
    }

    fn array(&mut self) -> Option<Vec<Value>> {
        let mut items = Vec::new();
        self.take('[');
        self.skip_blanks();
        if self.take(']') {
            return Some(items);
        }
        loop {
            items.push(self.value()?);
            if self.closes(']')? {
                return Some(items);
            }
        }
    }

    /// After an element: whether the bracket closes, or another element follows.
    fn closes(&mut self, bracket: char) -> Option<bool> {
        self.skip_blanks();
        if self.take(bracket) || self.may_close() {
            return Some(true);
        }
        if !self.take(',') {
            return None;
        }
        self.skip_blanks();
        Some(self.take(bracket))
    }

    fn key(&mut self) -> Option<String> {
        if matches!(self.peek()?, '"' | '\'' | '<') {
            return self.string();
        }
        let rest = self.rest();
        let len = rest.find(|character: char| !(character.is_alphanumeric() || matches!(character, '_' | '-'))).unwrap_or(rest.len());
        let key = rest.get(..len).filter(|key| !key.is_empty())?;
        self.at += len;
        Some(key.to_owned())
    }

    fn string(&mut self) -> Option<String> {
        if let Some(mark) = GEMMA_QUOTES.iter().find(|mark| self.rest().starts_with(**mark)) {
            let (text, _) = self.rest().get(mark.len()..)?.split_once(*mark)?;
            self.at += mark.len() * 2 + text.len();
            return Some(text.to_owned());
        }
        let quote = self.peek().filter(|quote| matches!(quote, '"' | '\''))?;
        self.at += 1;
        let mut string = String::new();
        loop {
            let character = self.peek()?;
            self.at += character.len_utf8();
            match character {
                '\\' => self.escape(&mut string)?,
                _ if character == quote => return Some(string),
                _ => string.push(character),
            }
        }
    }

    /// An escape that JSON does not know is what it looks like: models write Windows paths and patterns.
    fn escape(&mut self, into: &mut String) -> Option<()> {
        let character = self.peek()?;
        self.at += character.len_utf8();
        match character {
            'n' => into.push('\n'),
            't' => into.push('\t'),
            'r' => into.push('\r'),
            'b' => into.push('\u{8}'),
            'f' => into.push('\u{c}'),
            '"' | '\'' | '\\' | '/' => into.push(character),
            'u' => into.push(self.unicode()?),
            other => into.extend(['\\', other]),
        }
        Some(())
    }

    fn unicode(&mut self) -> Option<char> {
        let first = self.hexadecimal()?;
        if !(0xD800..0xDC00).contains(&first) {
            return Some(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        let before = self.at;
        if self.take('\\') && self.take('u') {
            let second = self.hexadecimal()?;
            if (0xDC00..0xE000).contains(&second) {
                return char::from_u32(0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00));
            }
        }
        self.at = before;
        Some(char::REPLACEMENT_CHARACTER)
    }

    fn hexadecimal(&mut self) -> Option<u32> {
        let digits = self.rest().get(..4)?;
        let number = u32::from_str_radix(digits, 16).ok()?;
        self.at += 4;
        Some(number)
    }

    fn number(&mut self) -> Option<Number> {
        let rest = self.rest();
        let len = rest.find(|character: char| !matches!(character, '-' | '+' | '.' | 'e' | 'E' | '0'..='9')).unwrap_or(rest.len());
        let number = serde_json::from_str(rest.get(..len)?).ok()?;
        self.at += len;
        Some(number)
    }

    fn word(&mut self) -> Option<Value> {
        let rest = self.rest();
        let len = rest.find(|character: char| !character.is_ascii_alphabetic()).unwrap_or(rest.len());
        let value = match rest.get(..len)? {
            "true" | "True" => Value::Bool(true),
            "false" | "False" => Value::Bool(false),
            "null" | "None" => Value::Null,
            _ => return None,
        };
        self.at += len;
        Some(value)
    }
}
