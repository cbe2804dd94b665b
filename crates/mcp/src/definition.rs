//! What a tool is, in the words of its server.

use krabba_types::JsonObject;
use rmcp::model::Tool;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The most that a tool may say about itself, in bytes of JSON.
const LONGEST: usize = 64 * 1024;

/// What a server says of a tool, as far as it means anything to krabba.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Definition {
    /// Its name at the server.
    pub name: String,
    /// What it does, for a model.
    pub description: String,
    /// The schema of its arguments.
    pub parameters: JsonObject,
    /// It changes nothing (MCP: `readOnlyHint`).
    pub read_only: bool,
    /// It looks into the server's own data only (MCP: `openWorldHint: false`).
    pub closed_world: bool,
}

impl Definition {
    /// `None` for a tool that says too much.
    pub(crate) fn of(tool: &Tool) -> Option<Self> {
        let hints = tool.annotations.as_ref();
        let definition = Self {
            name: tool.name.to_string(),
            description: tool.description.as_deref().unwrap_or_default().to_owned(),
            parameters: tool.input_schema.iter().map(|(key, value)| (key.clone(), sorted(value))).collect(),
            read_only: hints.and_then(|hints| hints.read_only_hint) == Some(true),
            closed_world: hints.and_then(|hints| hints.open_world_hint) == Some(false),
        };
        (definition.to_text().len() <= LONGEST && !definition.name.is_empty()).then_some(definition)
    }

    /// The names of its arguments.
    pub(crate) fn arguments(&self) -> Vec<String> {
        let properties = self.parameters.get("properties").and_then(Value::as_object);
        properties.into_iter().flat_map(|properties| properties.keys().cloned()).collect()
    }

    /// Those of these names that none of its arguments has.
    pub(crate) fn lacks(&self, names: &[String]) -> Vec<String> {
        let arguments = self.arguments();
        names.iter().filter(|name| !arguments.contains(name)).cloned().collect()
    }

    /// One text for one definition, whatever the order of the keys.
    pub(crate) fn to_text(&self) -> String {
        // Its parts are texts, flags and JSON: nothing that could fail.
        serde_json::to_value(self).map(|value| sorted(&value).to_string()).unwrap_or_default()
    }

    pub(crate) fn from_text(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// The hash that pins it.
    pub(crate) fn hash(&self, server: &str) -> String {
        let mut hasher = blake3::Hasher::new();
        // The length keeps `a` of `bc` and `ab` of `c` apart.
        hasher.update(format!("{} {server}", server.len()).as_bytes());
        hasher.update(self.to_text().as_bytes());
        hasher.finalize().to_hex().to_string()
    }
}

fn sorted(value: &Value) -> Value {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
        Value::Object(members) => {
            let mut members: Vec<(&String, &Value)> = members.iter().collect();
            members.sort_by_key(|(key, _)| *key);
            Value::Object(members.into_iter().map(|(key, value)| (key.clone(), sorted(value))).collect())
        }
    }
}
