//! The description of a tool in fewer words. Names, types, what is required and what is allowed stay as they are: a call
//! that is valid for the short description is valid for the long one.

use krabba_types::{JsonObject, ToolSpec};
use serde_json::Value;

use crate::fit::head;

/// How much is told of a tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Detail {
    /// All of it.
    Full,
    /// The first sentences.
    Short,
    /// What the tool is for; of its parameters the names.
    Bare,
}

impl Detail {
    /// From the longest to the shortest.
    pub(crate) const ALL: [Self; 3] = [Self::Full, Self::Short, Self::Bare];
}

/// What schemas say to people only.
const REMARKS: [&str; 6] = ["title", "$schema", "$comment", "examples", "default", "deprecated"];

/// `spec` in so much detail.
pub(crate) fn told(spec: &ToolSpec, detail: Detail) -> ToolSpec {
    let (of_tool, of_parameter) = match detail {
        Detail::Full => return spec.clone(),
        Detail::Short => (180, 60),
        Detail::Bare => (90, 0),
    };
    let mut parameters = spec.parameters.clone();
    shorten_schema(&mut parameters, of_parameter);
    ToolSpec {
        name: spec.name.clone(),
        description: first_sentences(&spec.description, of_tool),
        parameters,
        aliases: spec.aliases.clone(),
    }
}

fn shorten_schema(schema: &mut JsonObject, longest: usize) {
    schema.retain(|key, value| !(REMARKS.contains(&key.as_str()) || (longest == 0 && key == "description" && value.is_string())));
    for (key, value) in schema.iter_mut() {
        match (key.as_str(), value) {
            ("description", Value::String(text)) => *text = first_sentences(text, longest),
            // Here the keys are names of the tool's own, `title` and `description` among them.
            ("properties" | "patternProperties" | "$defs" | "definitions", Value::Object(members)) => {
                members.values_mut().filter_map(Value::as_object_mut).for_each(|member| shorten_schema(member, longest));
            }
            ("items" | "additionalProperties" | "not", Value::Object(inner)) => shorten_schema(inner, longest),
            ("anyOf" | "oneOf" | "allOf" | "prefixItems", Value::Array(choices)) => {
                choices.iter_mut().filter_map(Value::as_object_mut).for_each(|choice| shorten_schema(choice, longest));
            }
            _ => {}
        }
    }
}

/// As many whole sentences as `bytes` hold, or as much of the first one.
fn first_sentences(text: &str, bytes: usize) -> String {
    const MARK: &str = "…";
    let text = text.trim();
    if text.len() <= bytes {
        return text.to_owned();
    }
    let begin = head(text, bytes);
    if let Some(end) = begin.rfind(". ").or_else(|| begin.rfind(".\n")) {
        return head(begin, end + 1).to_owned();
    }
    let begin = head(text, bytes.saturating_sub(MARK.len()));
    let end = begin.rfind(char::is_whitespace).unwrap_or(begin.len());
    format!("{}{MARK}", head(begin, end).trim_end())
}
