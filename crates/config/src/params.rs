//! `params`: from the free object of the configuration to what a request carries.

use krabba_types::{JsonObject, Params};
use serde_json::Value;

/// What a `params` object says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sampling {
    /// Sampling and pass-through.
    pub params: Params,
    /// The longest answer in tokens.
    pub max_tokens: Option<u32>,
}

/// Reads `params` objects laid over each other, the last one on top. Both spellings of every name are understood
/// (`top_p`, `topP`); keys that are not understood have no effect, as in OpenClaw. `extra_body` and
/// `chat_template_kwargs` are merged key by key.
pub fn sampling<'p>(layers: impl IntoIterator<Item = &'p JsonObject>) -> Sampling {
    let mut sampling = Sampling::default();
    for (key, value) in layers.into_iter().flatten() {
        let params = &mut sampling.params;
        match key.as_str() {
            "temperature" => params.temperature = value.as_f64(),
            "top_p" | "topP" => params.top_p = value.as_f64(),
            "top_k" | "topK" => params.top_k = small(value),
            "min_p" | "minP" => params.min_p = value.as_f64(),
            "seed" => params.seed = value.as_i64(),
            "stop" => params.stop = texts(value),
            "maxTokens" | "max_tokens" => sampling.max_tokens = small(value),
            "chat_template_kwargs" | "chatTemplateKwargs" => merge(&mut params.chat_template_kwargs, value),
            "extra_body" | "extraBody" => merge(&mut params.extra_body, value),
            _ => {}
        }
    }
    sampling
}

fn small(value: &Value) -> Option<u32> {
    value.as_u64().and_then(|number| u32::try_from(number).ok())
}

fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(items) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => Vec::new(),
    }
}

fn merge(into: &mut JsonObject, value: &Value) {
    if let Value::Object(object) = value {
        into.extend(object.iter().map(|(key, value)| (key.clone(), value.clone())));
    }
}
