//! Writing a Responses request.

use krabba_types::{ModelRequest, Reasoning, ServerKind};
use serde_json::Value;

use crate::body::{Body, object};
use crate::history::{Answered, Content, History, Turn, data_url};
use crate::{Shape, schema, thinking};

/// The body. `store` is false wherever it is understood: it defaults to true at OpenAI and LM Studio, and nobody was
/// asked.
pub(crate) fn encode(request: &ModelRequest, history: &History<'_>, shape: &Shape) -> Body {
    let own_host = shape.server == ServerKind::OpenAi;
    let mut body = Body::default();
    body.put("model", request.model.as_str());
    body.put("stream", shape.stream);
    if shape.compat.request.supports_store != Some(false) {
        body.put("store", false);
    }
    match shape.server {
        ServerKind::LmStudio => body.put_some("ttl", shape.ttl),
        ServerKind::OpenAi if shape.reasoning => body.put("include", vec![Value::from("reasoning.encrypted_content")]),
        ServerKind::OpenAi
        | ServerKind::LlamaCpp
        | ServerKind::Ollama
        | ServerKind::Vllm
        | ServerKind::Sglang
        | ServerKind::LiteLlm
        | ServerKind::Mlx
        | ServerKind::LocalAi
        | ServerKind::Jan
        | ServerKind::Anthropic
        | ServerKind::OpenRouter
        | ServerKind::Other => {}
    }
    let as_instructions = shape.compat.request.supports_instructions.unwrap_or(own_host) && !shape.refuses("instructions");
    if as_instructions {
        body.put_some("instructions", history.system.as_deref());
    }
    body.put_list("tools", tools(request, shape));
    body.put("input", input(history, shape, as_instructions));
    body.put_some("max_output_tokens", request.max_output_tokens);
    let thoughts = thinking::for_responses(request, shape);
    let summary = if own_host { Some(Value::from("auto")) } else { None };
    body.put_some(
        "reasoning",
        thoughts.effort.map(|effort| {
            let mut reasoning = Body::default();
            reasoning.put("effort", effort);
            reasoning.put_some("summary", summary);
            reasoning.into_object()
        }),
    );
    sampling(&mut body, request, own_host, shape);
    body.put_object("chat_template_kwargs", thoughts.template);
    body
}

/// OpenAI's Responses know neither `stop` nor `seed`; the local servers convert to chat and pass them on.
fn sampling(body: &mut Body, request: &ModelRequest, own_host: bool, shape: &Shape) {
    let params = &request.params;
    if shape.compat.request.supports_temperature != Some(false) {
        body.put_some("temperature", params.temperature);
    }
    body.put_some("top_p", params.top_p);
    if !own_host {
        body.put_some("top_k", params.top_k);
        body.put_some("min_p", params.min_p);
        body.put_some("seed", params.seed);
        body.put_list("stop", params.stop.iter().map(|stop| stop.as_str().into()).collect());
    }
}

/// Flat: type, name, description and parameters side by side.
fn tools(request: &ModelRequest, shape: &Shape) -> Vec<Value> {
    let strict = shape.compat.tools.supports_strict_mode.unwrap_or(shape.server == ServerKind::OpenAi);
    let tools = schema::tools(request, shape).into_iter();
    tools
        .map(|(tool, parameters)| {
            let mut entry = Body::default();
            entry.put("type", "function");
            entry.put("name", tool.name.as_str());
            entry.put("description", tool.description.as_str());
            entry.put("parameters", parameters);
            if strict {
                entry.put("strict", false);
            }
            entry.into_object().into()
        })
        .collect()
}

fn input(history: &History<'_>, shape: &Shape, as_instructions: bool) -> Vec<Value> {
    let mut items: Vec<Value> = Vec::with_capacity(history.turns.len() + 1);
    if let Some(system) = history.system.as_deref().filter(|_| !as_instructions) {
        let developer = shape.compat.request.supports_developer_role.unwrap_or(false);
        let role = if developer { "developer" } else { "system" };
        items.push(message(role, vec![input_text(system)]));
    }
    for turn in &history.turns {
        match turn {
            Turn::User(contents) if contents.is_empty() => items.push(message("user", vec![input_text("")])),
            Turn::User(contents) => items.push(message("user", contents.iter().map(content).collect())),
            Turn::Assistant(answered) => push_answer(&mut items, answered, shape),
            Turn::Result(brought) => items.push(object([
                ("type", "function_call_output".into()),
                ("call_id", brought.id.as_str().into()),
                ("output", brought.told().into()),
            ])),
        }
    }
    items
}

fn message(role: &str, content: Vec<Value>) -> Value {
    object([("type", "message".into()), ("role", role.into()), ("content", content.into())])
}

fn input_text(text: &str) -> Value {
    object([("type", "input_text".into()), ("text", text.into())])
}

fn content(content: &Content<'_>) -> Value {
    match content {
        Content::Text(text) => input_text(text),
        Content::Image(image) => object([("type", "input_image".into()), ("image_url", data_url(image).into()), ("detail", "auto".into())]),
    }
}

/// Reasoning items, then the text, then the calls, as they came. The message carries all fields of an output message
/// (its id is its place): vLLM and LM Studio check the form strictly and refuse one without.
fn push_answer(items: &mut Vec<Value>, answered: &Answered<'_>, shape: &Shape) {
    items.extend(answered.reasoning.iter().filter_map(|reasoning| reasoning_item(reasoning, shape)));
    if !answered.text.is_empty() || answered.calls.is_empty() {
        let content =
            object([("type", "output_text".into()), ("text", answered.text.as_str().into()), ("annotations", Value::Array(Vec::new()))]);
        items.push(object([
            ("type", "message".into()),
            ("id", format!("msg_{}", items.len()).into()),
            ("role", "assistant".into()),
            ("status", "completed".into()),
            ("content", vec![content].into()),
        ]));
    }
    items.extend(answered.calls.iter().map(|call| {
        object([
            ("type", "function_call".into()),
            ("call_id", call.id.as_str().into()),
            ("name", call.name.into()),
            ("arguments", serde_json::to_string(call.arguments).unwrap_or_default().into()),
        ])
    }));
}

/// An item as it came. OpenAI knows its own items only by their encrypted content, since nothing was stored there.
fn reasoning_item(reasoning: &Reasoning, shape: &Shape) -> Option<Value> {
    let artefact = reasoning.origin.artefact.as_ref()?;
    let is_item = artefact.get("type").and_then(Value::as_str) == Some("reasoning");
    let is_readable = artefact.get("encrypted_content").and_then(Value::as_str).is_some_and(|text| !text.is_empty());
    (is_item && (is_readable || shape.server != ServerKind::OpenAi)).then(|| artefact.clone().into())
}
