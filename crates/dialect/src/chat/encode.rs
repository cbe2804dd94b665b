//! Writing a chat completion request.

use krabba_types::{ModelRequest, ServerKind, TemplateFamily};
use serde_json::Value;

use crate::body::{Body, object};
use crate::history::{Answered, Brought, Content, History, Turn, data_url, only_text};
use crate::{ArgumentsEncoding, MaxTokensField, Shape, schema, thinking};

/// What stands between a tool's result and a person's next message where a template wants an answer there.
const AFTER_TOOL_RESULT: &str = "I have processed the tool results.";

/// mlx_lm.server samples with temperature 0 when none is sent, which makes small models repeat themselves.
const MLX_TEMPERATURE: f64 = 0.7;

/// The body. First what never changes on a route, then tools, then messages, then what may differ from turn to turn.
pub(crate) fn encode(request: &ModelRequest, history: &History<'_>, shape: &Shape) -> Body {
    let mut body = Body::default();
    body.put("model", request.model.as_str());
    body.put("stream", shape.stream);
    if shape.stream && shape.compat.request.supports_usage_in_streaming != Some(false) {
        body.put("stream_options", object([("include_usage", true.into())]));
    }
    server_fields(&mut body, shape);
    body.put_list("tools", tools(request, shape));
    body.put("messages", messages(history, shape));
    body.put_some(max_tokens_field(shape), request.max_output_tokens);
    sampling(&mut body, request, shape);
    let thoughts = thinking::for_chat(request, shape);
    body.put_some("reasoning_effort", thoughts.effort);
    if let Some((field, value)) = thoughts.field {
        body.put(field, value);
    }
    body.put_object("chat_template_kwargs", thoughts.template);
    body
}

fn server_fields(body: &mut Body, shape: &Shape) {
    if shape.compat.request.supports_store.unwrap_or(shape.server == ServerKind::OpenAi) {
        body.put("store", false);
    }
    match shape.server {
        ServerKind::LlamaCpp => {
            body.put("cache_prompt", true);
            if shape.stream {
                body.put("return_progress", true);
            }
        }
        ServerKind::LmStudio => body.put_some("ttl", shape.ttl),
        ServerKind::OpenRouter => body.put("usage", object([("include", true.into())])),
        ServerKind::Ollama
        | ServerKind::Vllm
        | ServerKind::Sglang
        | ServerKind::LiteLlm
        | ServerKind::Mlx
        | ServerKind::LocalAi
        | ServerKind::Jan
        | ServerKind::OpenAi
        | ServerKind::Anthropic
        | ServerKind::Other => {}
    }
}

/// `max_tokens`, which every local server reads; OpenAI's newer models refuse it. A server that refused the one gets
/// the other.
fn max_tokens_field(shape: &Shape) -> &'static str {
    let usual = if shape.server == ServerKind::OpenAi { MaxTokensField::MaxCompletionTokens } else { MaxTokensField::MaxTokens };
    let wanted = shape.compat.request.max_tokens_field.unwrap_or(usual);
    match wanted {
        MaxTokensField::MaxTokens if shape.refuses("max_tokens") => "max_completion_tokens",
        MaxTokensField::MaxCompletionTokens if !shape.refuses("max_completion_tokens") => "max_completion_tokens",
        MaxTokensField::MaxTokens | MaxTokensField::MaxCompletionTokens => "max_tokens",
    }
}

fn sampling(body: &mut Body, request: &ModelRequest, shape: &Shape) {
    let params = &request.params;
    if shape.compat.request.supports_temperature != Some(false) {
        body.put_some("temperature", params.temperature.or((shape.server == ServerKind::Mlx).then_some(MLX_TEMPERATURE)));
    }
    body.put_some("top_p", params.top_p);
    body.put_some("top_k", params.top_k);
    body.put_some("min_p", params.min_p);
    body.put_some("seed", params.seed);
    body.put_list("stop", params.stop.iter().map(|stop| stop.as_str().into()).collect());
}

fn tools(request: &ModelRequest, shape: &Shape) -> Vec<Value> {
    let strict = shape.compat.tools.supports_strict_mode.unwrap_or(shape.server == ServerKind::OpenAi);
    let describe = |(tool, parameters): (&krabba_types::ToolSpec, krabba_types::JsonObject)| {
        let mut function = Body::default();
        function.put("name", tool.name.as_str());
        function.put("description", tool.description.as_str());
        function.put("parameters", parameters);
        if strict {
            function.put("strict", false);
        }
        object([("type", "function".into()), ("function", function.into_object().into())])
    };
    schema::tools(request, shape).into_iter().map(describe).collect()
}

fn messages(history: &History<'_>, shape: &Shape) -> Vec<Value> {
    let mut messages: Vec<Value> = Vec::with_capacity(history.turns.len() + 1);
    if let Some(system) = &history.system {
        messages.push(object([("role", system_role(shape).into()), ("content", system.as_str().into())]));
    }
    let mut after_result = false;
    for turn in &history.turns {
        match turn {
            Turn::User(contents) => {
                if after_result && shape.compat.history.requires_assistant_after_tool_result == Some(true) {
                    messages.push(object([("role", "assistant".into()), ("content", AFTER_TOOL_RESULT.into())]));
                }
                messages.push(object([("role", "user".into()), ("content", user_content(contents))]));
            }
            Turn::Assistant(answered) => messages.push(assistant(answered, shape)),
            Turn::Result(brought) => messages.push(result(brought, shape)),
        }
        after_result = matches!(turn, Turn::Result(_));
    }
    messages
}

fn system_role(shape: &Shape) -> &'static str {
    let developer = shape.compat.request.supports_developer_role.unwrap_or(shape.server == ServerKind::OpenAi && shape.reasoning);
    if developer { "developer" } else { "system" }
}

/// A string unless there are pictures: several templates and Ollama's `/v1` do odd things to a list of texts.
fn user_content(contents: &[Content<'_>]) -> Value {
    if let Some(text) = only_text(contents) {
        return text.into();
    }
    let part = |content: &Content<'_>| match content {
        Content::Text(text) => object([("type", "text".into()), ("text", text.as_str().into())]),
        Content::Image(image) => object([("type", "image_url".into()), ("image_url", object([("url", data_url(image).into())]))]),
    };
    contents.iter().map(part).collect::<Vec<_>>().into()
}

/// Content is a string even when empty: `null` is refused by Ollama's `/v1` and by some templates.
fn assistant(answered: &Answered<'_>, shape: &Shape) -> Value {
    let mut message = Body::default();
    message.put("role", "assistant");
    message.put("content", answered.text.as_str());
    reasoning(&mut message, answered, shape);
    let as_object = shape.compat.tools.tool_call_arguments_encoding == Some(ArgumentsEncoding::Object);
    let calls = answered.calls.iter().map(|call| {
        let arguments: Value =
            if as_object { call.arguments.clone().into() } else { serde_json::to_string(call.arguments).unwrap_or_default().into() };
        let function = object([("name", call.name.into()), ("arguments", arguments)]);
        object([("id", call.id.as_str().into()), ("type", "function".into()), ("function", function)])
    });
    message.put_list("tool_calls", calls.collect());
    message.into_object().into()
}

/// Under the field that it came in. OpenAI sends none in this dialect and refuses fields that it does not know.
fn reasoning(message: &mut Body, answered: &Answered<'_>, shape: &Shape) {
    if shape.server == ServerKind::OpenAi {
        return;
    }
    let details =
        answered.reasoning.iter().filter_map(|reasoning| reasoning.origin.artefact.as_ref()?.get("reasoning_details")?.as_array());
    let details: Vec<Value> = details.flatten().cloned().collect();
    if !details.is_empty() {
        message.put("reasoning_details", details);
        return;
    }
    let text = answered.thoughts();
    let named = answered.reasoning.first().map(|reasoning| reasoning.origin.field.as_str()).filter(|field| !field.is_empty());
    if !text.is_empty() {
        message.put(named.unwrap_or(default_field(shape.server)), text);
    } else if shape.compat.history.requires_reasoning_content_on_assistant_messages == Some(true) {
        message.put("reasoning_content", "");
    }
}

/// vLLM, Ollama and mlx_lm ignore the older name.
fn default_field(server: ServerKind) -> &'static str {
    match server {
        ServerKind::Vllm | ServerKind::Ollama | ServerKind::Mlx | ServerKind::OpenRouter => "reasoning",
        ServerKind::LmStudio
        | ServerKind::LlamaCpp
        | ServerKind::Sglang
        | ServerKind::LiteLlm
        | ServerKind::LocalAi
        | ServerKind::Jan
        | ServerKind::OpenAi
        | ServerKind::Anthropic
        | ServerKind::Other => "reasoning_content",
    }
}

fn result(brought: &Brought<'_>, shape: &Shape) -> Value {
    let mut message = Body::default();
    message.put("role", "tool");
    message.put("tool_call_id", brought.id.as_str());
    if shape.compat.history.requires_tool_result_name.unwrap_or(shape.family == TemplateFamily::Mistral) {
        message.put("name", brought.name);
    }
    message.put("content", brought.told());
    message.into_object().into()
}
