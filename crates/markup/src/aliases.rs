//! Arguments under the names that a tool's schema has for them.
//!
//! Only what the tool lists counts as another name, and only where the right one is missing: a parameter that is there already stays
//! what it is, and whatever else is written beside it is left alone.

use std::collections::BTreeMap;

use krabba_types::{Aliases, JsonObject, ToolSpec};
use serde_json::Value;

use crate::schema::required;

/// As deep as schemas are looked into.
const MAX_DEPTH: u32 = 8;

/// Puts `arguments` under their names in the schema of `tool`.
pub(crate) fn by_their_names(arguments: &mut JsonObject, tool: &ToolSpec) {
    let Aliases { names, flat } = &tool.aliases;
    if let Some(list) = flat {
        gathered(arguments, &tool.parameters, list, names);
    }
    if !names.is_empty() {
        renamed(arguments, &tool.parameters, names, 0);
    }
}

/// Puts members of an item that stand beside `list` into it, where they are all that an item needs.
fn gathered(arguments: &mut JsonObject, schema: &JsonObject, list: &str, names: &BTreeMap<String, String>) {
    let Some(outer) = properties(schema) else { return };
    let Some(items) = outer.get(list).and_then(|list| list.get("items")).and_then(Value::as_object) else { return };
    let Some(members) = properties(items) else { return };
    let named = |written: &String| names.get(written).unwrap_or(written).clone();
    let beside = |written: &&String| !outer.contains_key(*written) && members.contains_key(&named(written));
    let beside: Vec<String> = arguments.keys().filter(beside).cloned().collect();
    let item: JsonObject = beside.iter().filter_map(|written| Some((named(written), arguments.get(written)?.clone()))).collect();
    if item.is_empty() || !required(items).all(|name| item.contains_key(name)) {
        return;
    }
    match arguments.entry(list).or_insert(Value::Null) {
        Value::Array(items) => items.push(Value::Object(item)),
        none @ Value::Null => *none = Value::Array(vec![Value::Object(item)]),
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => return,
    }
    beside.iter().for_each(|written| drop(arguments.remove(written)));
}

fn renamed(object: &mut JsonObject, schema: &JsonObject, names: &BTreeMap<String, String>, depth: u32) {
    let Some(properties) = properties(schema).filter(|_| depth < MAX_DEPTH) else { return };
    for (other, name) in names {
        if properties.contains_key(name)
            && !properties.contains_key(other)
            && !object.contains_key(name)
            && let Some(value) = object.remove(other)
        {
            object.insert(name.clone(), value);
        }
    }
    for (name, described) in properties {
        if let (Some(value), Some(described)) = (object.get_mut(name), described.as_object()) {
            inside(value, described, names, depth + 1);
        }
    }
}

fn inside(value: &mut Value, schema: &JsonObject, names: &BTreeMap<String, String>, depth: u32) {
    match value {
        Value::Object(object) => renamed(object, schema, names, depth),
        Value::Array(items) => {
            if let Some(described) = schema.get("items").and_then(Value::as_object) {
                items.iter_mut().for_each(|item| inside(item, described, names, depth + 1));
            }
        }
        Value::String(text) => {
            let allowed = |name: &str| schema.get("enum").and_then(Value::as_array).is_some_and(|all| all.iter().any(|one| one == name));
            if let Some(name) = names.get(text.trim()).filter(|name| allowed(name) && !allowed(text)) {
                name.clone_into(text);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn properties(schema: &JsonObject) -> Option<&JsonObject> {
    schema.get("properties").and_then(Value::as_object)
}
