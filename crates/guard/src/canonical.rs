//! One text for one value: JSON without spaces, the keys of every object in order. What is hashed is made here.

use serde::Serialize;
use serde_json::Value;

/// The canonical text of a value; empty for one that JSON cannot hold, which none of ours is.
pub(crate) fn text(value: &impl Serialize) -> String {
    let mut text = String::new();
    if let Ok(value) = serde_json::to_value(value) {
        write(&value, &mut text);
    }
    text
}

/// BLAKE3 over the canonical text, in hex.
pub(crate) fn hash(value: &impl Serialize) -> String {
    blake3::hash(text(value).as_bytes()).to_hex().to_string()
}

fn write(value: &Value, text: &mut String) {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => text.push_str(&value.to_string()),
        Value::Array(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                write(item, text);
            }
            text.push(']');
        }
        Value::Object(entries) => {
            let mut keys: Vec<_> = entries.iter().collect();
            keys.sort_by_key(|(key, _)| key.as_str());
            text.push('{');
            for (index, (key, value)) in keys.into_iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                text.push_str(&Value::String(key.clone()).to_string());
                text.push(':');
                write(value, text);
            }
            text.push('}');
        }
    }
}
