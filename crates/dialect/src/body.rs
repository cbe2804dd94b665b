//! A request body on its way: an object whose keys stay in the order in which they were put.

use std::collections::BTreeSet;

use krabba_types::JsonObject;
use serde_json::Value;

/// Fields that nobody may drop or override: without them it would be another request.
const ESSENTIAL: [&str; 4] = ["model", "messages", "input", "stream"];

/// OpenRouter's routing object: who may see the conversation. A server that refuses a part of it is left, not obeyed.
const ROUTING: &str = "provider";

/// A JSON object in order of insertion.
#[derive(Debug, Default)]
pub(crate) struct Body(JsonObject);

impl Body {
    /// Adds a field.
    pub(crate) fn put(&mut self, key: &str, value: impl Into<Value>) {
        self.0.insert(key.to_owned(), value.into());
    }

    /// Adds a field when there is something to say.
    pub(crate) fn put_some(&mut self, key: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.put(key, value);
        }
    }

    /// Adds an object, unless it is empty.
    pub(crate) fn put_object(&mut self, key: &str, value: JsonObject) {
        if !value.is_empty() {
            self.put(key, value);
        }
    }

    /// Adds a list, unless it is empty.
    pub(crate) fn put_list(&mut self, key: &str, value: Vec<Value>) {
        if !value.is_empty() {
            self.put(key, value);
        }
    }

    /// Merges the user's own fields in; objects are merged, everything else is replaced. Essential fields stay as they
    /// are.
    pub(crate) fn merge(&mut self, extra: &JsonObject) {
        for (key, value) in extra {
            if !ESSENTIAL.contains(&key.as_str()) {
                merge_field(&mut self.0, key, value);
            }
        }
    }

    /// Takes out the fields that the server has refused.
    pub(crate) fn drop_fields(&mut self, paths: &BTreeSet<String>) {
        for path in paths {
            let normal = path.replace(['[', ']'], ".");
            let steps: Vec<&str> = normal.split('.').filter(|step| !step.is_empty() && step.parse::<u32>().is_err()).collect();
            if may_be_dropped(&steps) {
                remove(&mut self.0, &steps);
            }
        }
    }

    /// The object.
    pub(crate) fn into_object(self) -> JsonObject {
        self.0
    }

    /// The bytes. Writing an object with text keys cannot fail.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        serde_json::to_vec(&self.0).unwrap_or_default()
    }
}

/// An object of the given fields, in that order.
pub(crate) fn object<const N: usize>(fields: [(&str, Value); N]) -> Value {
    Value::Object(fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

fn merge_field(into: &mut JsonObject, key: &str, value: &Value) {
    match (into.get_mut(key), value) {
        (Some(Value::Object(existing)), Value::Object(more)) => {
            for (key, value) in more {
                merge_field(existing, key, value);
            }
        }
        _ => {
            into.insert(key.to_owned(), value.clone());
        }
    }
}

/// The model, the conversation and who may see it are never dropped, nor who speaks in it and what; other fields of a
/// message may be.
fn may_be_dropped(steps: &[&str]) -> bool {
    match steps {
        [] | [ROUTING, ..] => false,
        [only] => !ESSENTIAL.contains(only),
        [first, .., last] => !ESSENTIAL.contains(first) || !matches!(*last, "role" | "content" | "type" | "text"),
    }
}

fn remove(object: &mut JsonObject, steps: &[&str]) {
    match steps {
        [] => {}
        [last] => {
            object.shift_remove(*last);
        }
        [first, rest @ ..] => {
            match object.get_mut(*first) {
                Some(Value::Object(inner)) => remove(inner, rest),
                Some(Value::Array(items)) => items.iter_mut().filter_map(Value::as_object_mut).for_each(|item| remove(item, rest)),
                Some(_) | None => {}
            }
            // An option object without options says nothing, and some servers refuse it.
            if object.get(*first).and_then(Value::as_object).is_some_and(JsonObject::is_empty) {
                object.shift_remove(*first);
            }
        }
    }
}
