//! Arguments made to fit their schema, where there is only one thing that they can mean.
//!
//! Notations without types (Qwen3-Coder, GLM) write every value as a text, and small models put quotes around numbers or leave
//! them out, write one value where a list is wanted, `null` for what they do not want to say. Nothing is invented, and
//! nothing that fits already is touched.

use std::cell::Cell;

use krabba_types::{JsonObject, ToolSpec};
use serde_json::{Number, Value};

use crate::aliases::by_their_names;
use crate::calls::{Ending, value as loose_value};
use crate::schema::{Asked, Misfit, STEPS, Schema, check_in, is_of_type, required, same, types};

/// Brings `arguments` into the form that `tool` asks for.
///
/// # Errors
/// What does not fit, after all that can be brought into form was.
pub fn fit(arguments: &mut JsonObject, tool: &ToolSpec) -> Result<(), Misfit> {
    by_their_names(arguments, tool);
    let schema = &tool.parameters;
    let left = Cell::new(STEPS);
    let place = Schema::new(schema, &left);
    if check_in(arguments, place).is_ok() {
        return Ok(());
    }
    object(arguments, schema, place, 0);
    check_in(arguments, place)
}

/// As deep as values are looked at.
const MAX_DEPTH: u32 = 32;

fn object(object: &mut JsonObject, schema: &JsonObject, root: Schema<'_>, depth: u32) {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return };
    for (name, described) in properties {
        let Some(value) = object.get_mut(name) else { continue };
        convert(value, described, root, depth + 1);
        // "Nothing" for something that may be left out.
        let nothing = value.is_null() || value.as_str().is_some_and(|text| text.trim().is_empty());
        if nothing && root.value(value, described, "").is_err() && required(schema).all(|required| required != name) {
            object.remove(name);
        }
    }
}

fn convert(value: &mut Value, described: &Value, root: Schema<'_>, depth: u32) {
    if depth > MAX_DEPTH || !root.step() || root.value(value, described, "").is_ok() {
        return;
    }
    let Asked::Object(schema) = root.of(described) else { return };
    for keyword in ["anyOf", "oneOf", "allOf"] {
        for choice in schema.get(keyword).and_then(Value::as_array).into_iter().flatten() {
            let mut tried = value.clone();
            convert(&mut tried, choice, root, depth + 1);
            if root.value(&tried, described, "").is_ok() {
                *value = tried;
                return;
            }
        }
    }
    let wanted = types(schema);
    if !wanted.is_empty()
        && !wanted.iter().any(|wanted| is_of_type(value, wanted))
        && let Some(changed) = wanted.iter().find_map(|wanted| as_type(value, wanted))
    {
        *value = changed;
    }
    match value {
        Value::Object(inner) => object(inner, schema, root, depth),
        Value::Array(items) => {
            if let Some(described) = schema.get("items") {
                items.iter_mut().for_each(|item| convert(item, described, root, depth + 1));
            }
        }
        Value::String(_) | Value::Number(_) => {
            if let Some(meant) = of_enumeration(value, schema) {
                *value = meant;
            }
        }
        Value::Null | Value::Bool(_) => {}
    }
}

/// The same in another type, if there is a single way to read it so.
fn as_type(value: &Value, wanted: &str) -> Option<Value> {
    match (wanted, value) {
        ("integer" | "number", Value::String(text)) => {
            let number: Number = serde_json::from_str(text.trim()).ok()?;
            let number = Value::Number(number);
            is_of_type(&number, wanted).then(|| integral(number))
        }
        ("boolean", Value::String(text)) => match text.trim().to_ascii_lowercase().as_str() {
            "true" => Some(Value::Bool(true)),
            "false" => Some(Value::Bool(false)),
            _ => None,
        },
        ("null", Value::String(text)) => matches!(text.trim(), "null" | "None").then_some(Value::Null),
        ("string", Value::Number(_) | Value::Bool(_)) => Some(Value::String(value.to_string())),
        ("object", Value::String(text)) => written(text).filter(Value::is_object),
        ("array", Value::String(text)) if text.trim_start().starts_with('[') => written(text).filter(Value::is_array),
        // A list of one, whose item is looked at next.
        ("array", Value::String(_) | Value::Number(_) | Value::Bool(_) | Value::Object(_)) => Some(Value::Array(vec![value.clone()])),
        _ => None,
    }
}

/// `3.0` where an integer is wanted is sent on as `3`.
fn integral(value: Value) -> Value {
    match value.as_f64() {
        Some(number) if !value.is_i64() && !value.is_u64() && number.fract() == 0.0 => {
            serde_json::from_str(&format!("{number:.0}")).unwrap_or(value)
        }
        Some(_) | None => value,
    }
}

/// JSON within a text, and nothing else in it.
fn written(text: &str) -> Option<Value> {
    let (value, len) = loose_value(text, Ending::Cut)?;
    text.get(len..)?.trim().is_empty().then_some(value)
}

/// The only value of an enumeration that differs in nothing but case, blanks or quotes.
fn of_enumeration(value: &Value, schema: &JsonObject) -> Option<Value> {
    let allowed = schema.get("enum")?.as_array()?;
    if allowed.iter().any(|one| same(one, value)) {
        return None;
    }
    let plain = |value: &Value| match value {
        Value::String(text) => text.trim().to_lowercase(),
        other => other.to_string(),
    };
    let meant = plain(value);
    let mut alike = allowed.iter().filter(|one| plain(one) == meant);
    let only = alike.next()?;
    alike.next().is_none().then(|| only.clone())
}
