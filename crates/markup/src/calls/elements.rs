//! Calls as elements: `<function=name><parameter=key>value</parameter></function>` (Qwen3-Coder, Seed), the same with JSON inside
//! (Llama), `<invoke name="…"><parameter name="…">` (MiniMax, DeepSeek V3.2), and GLM's `<arg_key>` and `<arg_value>`.
//!
//! A value ends with its own closing tag; where that is missing, with the closing tag of the whole element, and never with the
//! end of the text: that would make half a file out of a whole one. What stands between the values must be blank.

use krabba_types::JsonObject;
use serde_json::Value;

use super::items::Read;
use super::loose::{self, Ending};

/// How an element and its parameters are written.
struct Kind {
    open: &'static str,
    close: &'static str,
    parameter: &'static str,
    parameter_close: &'static str,
}

const KINDS: [Kind; 3] = [
    Kind { open: "<function=", close: "</function>", parameter: "<parameter=", parameter_close: "</parameter>" },
    Kind { open: "<invoke name=", close: "</invoke>", parameter: "<parameter name=", parameter_close: "</parameter>" },
    Kind {
        open: "<｜DSML｜invoke name=",
        close: "</｜DSML｜invoke>",
        parameter: "<｜DSML｜parameter name=",
        parameter_close: "</｜DSML｜parameter>",
    },
];

/// The element at the beginning of `text`, with its length.
pub(super) fn element(text: &str, ending: Ending) -> Option<(Read, usize)> {
    let kind = KINDS.iter().find(|kind| text.starts_with(kind.open))?;
    let (name, _, mut rest) = tag(text.get(kind.open.len()..)?)?;
    let inner = rest.trim_start();
    if inner.starts_with('{') {
        let (json, len) = loose::value(inner, ending)?;
        let after = inner.get(len..)?;
        let Value::Object(arguments) = json else { return None };
        let closed = after.trim_start().strip_prefix(kind.close);
        let after = closed.or_else(|| (ending == Ending::Regular).then_some(after))?;
        return Some(((Some(name.to_owned()), Some(arguments)), text.len() - after.len()));
    }
    let mut arguments = JsonObject::new();
    loop {
        rest = rest.trim_start();
        if let Some(after) = rest.strip_prefix(kind.close) {
            return Some(((Some(name.to_owned()), Some(arguments)), text.len() - after.len()));
        }
        let Some(parameter) = rest.strip_prefix(kind.parameter) else {
            // The closing tag of the element may be missing, but then its wrapper or the answer must end here.
            let ends = ending == Ending::Regular && (rest.is_empty() || rest.starts_with("</"));
            return ends.then(|| ((Some(name.to_owned()), Some(arguments)), text.len() - rest.len()));
        };
        let (key, attributes, after) = tag(parameter)?;
        let (value, after) = match after.split_once(kind.parameter_close) {
            Some((value, after)) => (value, after),
            None => after.split_at_checked(after.find(kind.close)?)?,
        };
        // The end of one value was forgotten, or it tells of elements itself: who knows.
        if value.contains(kind.parameter) || value.contains(kind.close) {
            return None;
        }
        arguments.insert(key.to_owned(), typed(value, attributes));
        rest = after;
    }
}

/// GLM's keys and values at the beginning of `text`, with their length.
pub(super) fn pairs(text: &str, ending: Ending) -> Option<(JsonObject, usize)> {
    let mut arguments = JsonObject::new();
    let mut rest = text;
    while let Some(key) = rest.trim_start().strip_prefix("<arg_key>") {
        let (key, after) = key.split_once("</arg_key>")?;
        let (value, after) = after.trim_start().strip_prefix("<arg_value>")?.split_once("</arg_value>")?;
        arguments.insert(key.trim().to_owned(), typed(value, ""));
        rest = after;
    }
    // A block that is not closed may have had a further pair on its way.
    (ending == Ending::Regular).then(|| (arguments, text.len() - rest.len()))
}

/// Reads on after `<function=`: the name, with or without quotes, what follows it in the tag, and what follows the tag.
fn tag(text: &str) -> Option<(&str, &str, &str)> {
    let (inside, rest) = text.split_once('>')?;
    let (name, attributes) = match inside.chars().next()? {
        quote @ ('"' | '\'') => inside.get(1..)?.split_once(quote)?,
        _ => (inside, ""),
    };
    let name = name.trim();
    (!name.is_empty() && !name.contains('\n')).then_some((name, attributes, rest))
}

/// The line breaks that the templates put around a value are not part of it. Values are texts; the schema says later what else
/// they may be. DeepSeek says it itself.
fn typed(value: &str, attributes: &str) -> Value {
    let value = value.strip_prefix('\n').unwrap_or(value);
    let value = value.strip_suffix('\n').unwrap_or(value);
    if attributes.contains("string=\"false\"")
        && let Some((json, len)) = loose::value(value, Ending::Cut)
        && value.get(len..).is_some_and(|rest| rest.trim().is_empty())
    {
        return json;
    }
    Value::String(value.to_owned())
}
