//! The configuration with its secrets blanked, for `config get` and `--json`.
//!
//! What is secret is decided by the schema, and in sections without one by the name of the key; never by looking for a
//! secret's text, which would mangle everything that happens to contain it.

use std::collections::HashMap;

use serde_json::Value as Json;

use crate::secret_names::{holds_only_secrets, is_harmless_header, is_secret_name};
use crate::shape::{Kind, Shape};
use crate::tree::{Node, NodeId, Value};

/// What stands in place of a secret. OpenClaw's word, so that its tools understand it.
pub(crate) const REDACTED: &str = "__OPENCLAW_REDACTED__";

/// A tree as JSON. `written` has the texts that held variables: those are shown as they were written.
/// `key` is the one the node stands under.
pub(crate) fn redact_node(node: &Node, shape: &Shape, key: &str, written: &HashMap<NodeId, String>) -> Json {
    Redaction { written }.node(node, shape, key, Within::Nothing)
}

/// Unchecked JSON.
pub(crate) fn redact_json(value: &Json) -> Json {
    json("", value, Within::Nothing)
}

/// What the walk is in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Within {
    Nothing,
    /// Everything below is secret, but for harmless headers.
    Secrets,
}

struct Redaction<'t> {
    written: &'t HashMap<NodeId, String>,
}

impl Redaction<'_> {
    fn node(&self, node: &Node, shape: &Shape, key: &str, within: Within) -> Json {
        if let Some(written) = self.written.get(&node.id) {
            return written.as_str().into();
        }
        let within = if shape.secret { Within::Secrets } else { within };
        let any = Shape::default();
        match &node.value {
            Value::Object(object) if shape.secret => {
                // A reference: it names a secret and holds none.
                object.entries.iter().map(|(key, child)| (key.clone(), child.to_json())).collect()
            }
            Value::Object(object) => {
                let within = if holds_only_secrets(key) && matches!(shape.kind, Kind::Any) { Within::Secrets } else { within };
                let entry = |(key, child): &(String, Node)| (key.clone(), self.node(child, member(shape, key, &any), key, within));
                object.entries.iter().map(entry).collect()
            }
            Value::List(items) => items.iter().map(|item| self.node(item, element(shape, &any), key, within)).collect(),
            Value::Null | Value::Bool(_) | Value::Integer(_) | Value::Float(_) | Value::Text(_) => {
                let known = !matches!(shape.kind, Kind::Any) && !shape.secret;
                scalar(key, node.to_json(), within, known)
            }
        }
    }
}

fn member<'s>(shape: &'s Shape, key: &str, any: &'s Shape) -> &'s Shape {
    match &shape.kind {
        Kind::Object(fields) => fields.get(key).unwrap_or(any),
        Kind::Map(value) => value,
        Kind::Choice(shapes) => {
            shapes.iter().find(|shape| matches!(shape.kind, Kind::Object(_) | Kind::Map(_))).map_or(any, |shape| member(shape, key, any))
        }
        Kind::Any | Kind::Bool | Kind::Number(_) | Kind::Text(_) | Kind::List(_) => any,
    }
}

fn element<'s>(shape: &'s Shape, any: &'s Shape) -> &'s Shape {
    match &shape.kind {
        Kind::List(item) => item,
        Kind::Choice(shapes) => shapes.iter().find(|shape| matches!(shape.kind, Kind::List(_))).map_or(any, |shape| element(shape, any)),
        Kind::Any | Kind::Bool | Kind::Number(_) | Kind::Text(_) | Kind::Map(_) | Kind::Object(_) => any,
    }
}

fn json(key: &str, value: &Json, within: Within) -> Json {
    match value {
        Json::Object(object) => {
            let within = if holds_only_secrets(key) { Within::Secrets } else { within };
            object.iter().map(|(key, value)| (key.clone(), json(key, value, within))).collect()
        }
        Json::Array(items) => items.iter().map(|item| json(key, item, within)).collect(),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => scalar(key, value.clone(), within, false),
    }
}

fn scalar(key: &str, value: Json, within: Within, known: bool) -> Json {
    let harmless = is_harmless_header(key) || matches!(value, Json::Null | Json::Bool(_));
    let secret = within == Within::Secrets || (!known && is_secret_name(key));
    match value {
        Json::String(text) if text.is_empty() => Json::String(text),
        _ if secret && !harmless => REDACTED.into(),
        Json::String(text) => without_userinfo(text).into(),
        other => other,
    }
}

/// `http://name:password@host` without the password.
fn without_userinfo(text: String) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    let Some((userinfo, host)) = authority.rsplit_once('@') else { return text };
    let user = userinfo.split(':').next().unwrap_or_default();
    let tail = rest.strip_prefix(authority).unwrap_or_default();
    format!("{scheme}://{user}:{REDACTED}@{host}{tail}")
}
