//! Tool descriptions: JSON Schemas with the keywords taken out that a server's grammar engine cannot take.

use krabba_types::{JsonObject, ModelRequest, ToolSpec};
use serde_json::Value;

use crate::Shape;

/// What llama.cpp's schema converter fails on with "failed to parse grammar" (LM Studio's GGUF engine is the same
/// code).
const LLAMACPP: [&str; 6] = ["pattern", "format", "minLength", "maxLength", "$ref", "not"];
/// What stands among the refused fields when a server could not make a grammar of the schemas.
const REFUSED: &str = "tool schemas";
/// What Gemini's API refuses.
const GEMINI: [&str; 8] =
    ["$schema", "$ref", "additionalProperties", "patternProperties", "exclusiveMinimum", "exclusiveMaximum", "const", "not"];

/// The tools of `request` as `shape` takes them, schemas simplified where it asks for that.
pub(crate) fn tools<'a>(request: &'a ModelRequest, shape: &Shape) -> Vec<(&'a ToolSpec, JsonObject)> {
    let unwanted = unwanted(shape);
    request.tools.iter().map(|tool| (tool, simplified(&tool.parameters, &unwanted))).collect()
}

fn unwanted(shape: &Shape) -> Vec<&str> {
    let compat = &shape.compat.tools;
    let mut keywords: Vec<&str> = match compat.tool_schema_profile.as_deref() {
        Some("llamacpp") => LLAMACPP.to_vec(),
        Some("gemini") => GEMINI.to_vec(),
        Some(_) | None if shape.refuses(REFUSED) => LLAMACPP.to_vec(),
        Some(_) | None => Vec::new(),
    };
    keywords.extend(compat.unsupported_tool_schema_keywords.iter().flatten().map(String::as_str));
    keywords
}

/// `schema` without the keywords. A property that is merely called like one stays.
pub(crate) fn simplified(schema: &JsonObject, unwanted: &[&str]) -> JsonObject {
    let kept = schema.iter().filter(|(key, _)| !unwanted.contains(&key.as_str()));
    kept.map(|(key, value)| {
        let value = match (key.as_str(), value) {
            ("properties" | "patternProperties" | "$defs" | "definitions", Value::Object(named)) => {
                Value::Object(named.iter().map(|(name, inner)| (name.clone(), inside(inner, unwanted))).collect())
            }
            // Their values are data, not schemas.
            ("enum" | "const" | "default" | "examples", data) => data.clone(),
            (_, other) => inside(other, unwanted),
        };
        (key.clone(), value)
    })
    .collect()
}

fn inside(value: &Value, unwanted: &[&str]) -> Value {
    match value {
        Value::Object(schema) => Value::Object(simplified(schema, unwanted)),
        Value::Array(schemas) => Value::Array(schemas.iter().map(|schema| inside(schema, unwanted)).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}
