//! Ollama, default port 11434: native `/api/*` and its `/v1`.
//!
//! Sources: Ollama's API documentation and its server code of August 2026: bare error strings, statuses and texts,
//! `/api/ps` with the loaded context, silent truncation unless `truncate:false`, `/v1` losing errors inside a stream.

use krabba_types::Dialect;
use serde_json::{Value, json};

use super::{AfterError, Habits, Manners, Native, Trouble, View, dialect_under_v1, usual};
use crate::ServerError;
use crate::http::{Answer, Request};
use crate::machine::ModelNow;
use crate::prompt;
use crate::script::Strict;

pub(crate) struct Ollama;

impl Manners for Ollama {
    fn version(&self) -> &'static str {
        "0.13.5"
    }

    fn dialect(&self, path: &str) -> Option<Dialect> {
        match path {
            "/api/chat" => Some(Dialect::Ollama),
            other => dialect_under_v1(other),
        }
    }

    fn native(&self, request: &Request, view: &View) -> Option<Native> {
        let answer = match (request.method.as_str(), request.path.as_str()) {
            ("GET", "/") => return Some(Native::Answer(Answer::text(200, "Ollama is running"))),
            ("GET", "/api/version") => json!({"version": view.version}),
            ("GET", "/api/tags") => json!({"models": view.models.iter().map(listed).collect::<Vec<_>>()}),
            ("GET", "/api/ps") => json!({"models": view.loaded().map(running).collect::<Vec<_>>()}),
            ("POST", "/api/show") => return Some(Native::Answer(show(request, view))),
            ("POST", "/api/chat") => return warm_up(request),
            ("GET", "/v1/models") => usual::model_list(view, "library"),
            _ => return None,
        };
        Some(Native::Answer(Answer::json(200, &answer)))
    }

    fn unknown_path(&self, _request: &Request) -> Answer {
        Answer::text(404, "404 page not found")
    }

    fn words(&self, trouble: &Trouble<'_>) -> ServerError {
        match *trouble {
            Trouble::NoSuchModel { asked, .. } => ServerError::new(404, format!("model \"{asked}\" not found, try pulling it first")),
            Trouble::NoModelLoaded => ServerError::new(500, "llama runner process has terminated"),
            Trouble::Full { .. } => ServerError::new(503, "server busy, please try again.  maximum pending requests exceeded"),
            Trouble::Overflow { .. } => ServerError::new(
                400,
                "the prompt is longer than the context length currently available to the model; shorten the prompt or raise the context length",
            ),
            Trouble::WrongKey { .. } => ServerError::new(401, "unauthorized"),
            Trouble::Refused { rule: Strict::NoTools, model, .. } => {
                ServerError::new(400, format!("registry.ollama.ai/library/{model} does not support tools"))
            }
            Trouble::Refused { rule: Strict::NoThinking, model, .. } => {
                ServerError::new(400, format!("\"{model}\" does not support thinking"))
            }
            Trouble::Refused { rule: Strict::NoImages, model, .. } => ServerError::new(400, format!("\"{model}\" does not support images")),
            Trouble::Refused { .. } | Trouble::Loading | Trouble::BadJson => usual::words(trouble),
        }
    }

    /// Only the native path can ask not to be cut.
    fn refuses_overflow(&self, dialect: Dialect, body: &Value) -> bool {
        dialect == Dialect::Ollama && body["truncate"] == false
    }

    fn error_body(&self, dialect: Option<Dialect>, error: &ServerError) -> Value {
        match dialect {
            Some(Dialect::OpenAiCompletions | Dialect::OpenAiResponses) => {
                let kind = match error.status {
                    404 => "not_found_error",
                    400..=499 => "invalid_request_error",
                    _ => "api_error",
                };
                usual::nested(&error.clone().kind(kind), Value::Null)
            }
            Some(Dialect::AnthropicMessages | Dialect::Ollama) => usual::error_body(dialect, error),
            None => json!({"error": error.message}),
        }
    }

    fn habits(&self, _dialect: Dialect) -> Habits {
        Habits {
            reasoning_field: "reasoning",
            after_error: AfterError::EmptyDelta,
            cached_tokens: false,
            summary_reasoning: true,
            ..Habits::usual()
        }
    }
}

/// A chat without messages loads the model, and with `keep_alive: 0` unloads it.
fn warm_up(request: &Request) -> Option<Native> {
    let body: Value = serde_json::from_slice(&request.body).ok()?;
    if body["messages"].as_array().is_some_and(|messages| !messages.is_empty()) {
        return None;
    }
    let model = body["model"].as_str().unwrap_or_default().to_owned();
    if body["keep_alive"] == 0 || body["keep_alive"] == "0" {
        let answer = done(&model, "unload");
        return Some(Native::Unload { model, answer });
    }
    Some(Native::Load { model, window: prompt::asked_window(Dialect::Ollama, &body), then: |_, model| done(model, "load") })
}

fn done(model: &str, reason: &str) -> Answer {
    let message = json!({"role": "assistant", "content": ""});
    Answer::json(
        200,
        &json!({"model": model, "created_at": "2026-01-01T00:00:00Z", "message": message, "done": true, "done_reason": reason}),
    )
}

fn details(now: &ModelNow) -> Value {
    let card = &now.model.card;
    json!({
        "parent_model": "", "format": "gguf", "family": card.architecture, "families": [card.architecture],
        "parameter_size": format!("{:.1}B", card.billions), "quantization_level": card.quantization,
    })
}

fn listed(now: &ModelNow) -> Value {
    let mut entry = json!({
        "name": now.model.id, "model": now.model.id, "modified_at": "2026-01-01T00:00:00Z", "size": now.model.card.size_bytes,
        "digest": "0123456789ab", "details": details(now),
    });
    if let Some(host) = &now.model.card.remote_host {
        entry["remote_host"] = host.clone().into();
        entry["remote_model"] = now.model.id.clone().into();
    }
    entry
}

fn running(now: &ModelNow) -> Value {
    json!({
        "name": now.model.id, "model": now.model.id, "size": now.model.card.size_bytes, "size_vram": now.model.card.size_bytes,
        "context_length": now.window, "expires_at": "2030-01-01T00:00:00Z", "digest": "0123456789ab", "details": details(now),
    })
}

fn show(request: &Request, view: &View) -> Answer {
    let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let asked = body["model"].as_str().or_else(|| body["name"].as_str()).unwrap_or_default();
    let Some(now) = view.models.iter().find(|now| now.model.id == asked) else {
        return Answer::json(404, &json!({"error": format!("model '{asked}' not found")}));
    };
    let card = &now.model.card;
    let mut capabilities = vec![if card.embedding { "embedding" } else { "completion" }];
    capabilities.extend(
        [("tools", card.tools), ("thinking", card.reasoning), ("vision", card.vision)].iter().filter(|able| able.1).map(|able| able.0),
    );
    let architecture = &card.architecture;
    let mut info = json!({"general.architecture": architecture, "general.parameter_count": card.billions * 1e9});
    info[format!("{architecture}.context_length")] = now.model.max_window.into();
    let mut answer = json!({
        "template": "{{ .Prompt }}", "parameters": "stop \"<|im_end|>\"", "details": details(now), "model_info": info,
        "capabilities": capabilities,
    });
    if let Some(host) = &card.remote_host {
        answer["remote_host"] = host.clone().into();
    }
    Answer::json(200, &answer)
}
