//! llama.cpp's `llama-server`, default port 8080, started with one model; with several models of a script, in router mode.
//!
//! Source: `tools/server` of llama.cpp (README and `server-context.cpp`), as vendored in llama-cpp-python 0.3.36:
//! statuses by error type, `exceed_context_size_error` with `n_prompt_tokens` and `n_ctx`, 503 `Loading model` on every
//! path, `/props`, `/slots`, `/tokenize`, `/apply-template`, the router's `status` and `/models/load`, lean Responses.

use krabba_types::Dialect;
use serde_json::{Value, json};

use super::{Habits, Manners, Native, Trouble, View, dialect_under_v1, usual};
use crate::ServerError;
use crate::http::{Answer, Request};
use crate::machine::ModelNow;
use crate::model::Overflow;
use crate::prompt;
use crate::script::Strict;

pub(crate) struct LlamaCpp;

impl Manners for LlamaCpp {
    fn version(&self) -> &'static str {
        "b7100-0c1e57098"
    }

    fn dialect(&self, path: &str) -> Option<Dialect> {
        match path {
            "/chat/completions" => Some(Dialect::OpenAiCompletions),
            other => dialect_under_v1(other),
        }
    }

    fn native(&self, request: &Request, view: &View) -> Option<Native> {
        let body = || serde_json::from_slice::<Value>(&request.body).unwrap_or_default();
        let answer = match (request.method.as_str(), request.path.as_str()) {
            ("GET", "/health" | "/v1/health") => json!({"status": "ok"}),
            ("GET", "/v1/models" | "/models") => models(view),
            ("GET", "/props") => props(view, request.parameter("model")),
            ("GET", "/slots") => slots(view),
            ("POST", "/tokenize") => tokenize(&body()),
            ("POST", "/apply-template") => json!({"prompt": prompt::render(Dialect::OpenAiCompletions, &body())}),
            ("POST", "/v1/chat/completions/input_tokens") => count(Dialect::OpenAiCompletions, &body()),
            ("POST", "/v1/responses/input_tokens") => count(Dialect::OpenAiResponses, &body()),
            ("POST", "/v1/messages/count_tokens") => count(Dialect::AnthropicMessages, &body()),
            ("POST", "/models/load") => return Some(load(&body())),
            ("POST", "/models/unload") => return Some(unload(&body())),
            _ => return None,
        };
        Some(Native::Answer(Answer::json(200, &answer)))
    }

    fn unknown_path(&self, _request: &Request) -> Answer {
        Answer::json(404, &self.error_body(None, &ServerError::new(404, "File Not Found")))
    }

    fn guards(&self, path: &str) -> bool {
        !matches!(path, "/health" | "/v1/health" | "/v1/models" | "/models")
    }

    fn headers(&self) -> Vec<(&'static str, String)> {
        vec![("server", "llama.cpp".to_owned())]
    }

    /// With one model, the server does not look at the name.
    fn substitute<'a>(&self, view: &'a View) -> Option<&'a ModelNow> {
        view.models.first().filter(|_| view.models.len() == 1)
    }

    fn names_itself(&self) -> bool {
        false
    }

    fn words(&self, trouble: &Trouble<'_>) -> ServerError {
        match *trouble {
            Trouble::NoSuchModel { asked, .. } => ServerError::new(400, format!("model '{asked}' not found")),
            Trouble::NoModelLoaded => ServerError::new(400, "model is not loaded"),
            Trouble::Overflow { asked, window, words } => overflow(asked, window, words),
            Trouble::WrongKey { .. } => ServerError::new(401, "Invalid API Key"),
            Trouble::Full { .. } => ServerError::new(503, "no slot available"),
            Trouble::Refused { rule: Strict::OneSystem | Strict::Alternation | Strict::NeedsUser, .. } => {
                let message = "Unable to generate parser for this template. Automatic parser generation failed: \
                               Conversation roles must alternate user/assistant/user/assistant/...";
                ServerError::new(400, message)
            }
            Trouble::Refused { rule: Strict::NoImages | Strict::NoContentParts, .. } => ServerError::new(500, "unsupported content[].type"),
            Trouble::Refused { rule: Strict::NoTools, .. } => ServerError::new(500, "tools param requires --jinja flag"),
            Trouble::Refused { .. } | Trouble::Loading | Trouble::BadJson => usual::words(trouble),
        }
    }

    fn error_body(&self, dialect: Option<Dialect>, error: &ServerError) -> Value {
        match dialect {
            Some(Dialect::AnthropicMessages) => usual::error_body(dialect, error),
            Some(Dialect::OpenAiCompletions | Dialect::OpenAiResponses | Dialect::Ollama) | None => error_object(error),
        }
    }

    fn habits(&self, _dialect: Dialect) -> Habits {
        Habits { stream_error: error_object, timings: true, prompt_progress: true, lean_responses: true, ..Habits::usual() }
    }
}

/// `code` is the status as a number, and there is no `param`.
fn error_object(error: &ServerError) -> Value {
    let kind = error.kind.clone().unwrap_or_else(|| kind_of(error.status).to_owned());
    let code = error.code.clone().unwrap_or_else(|| error.status.into());
    let mut object = json!({"code": code, "message": error.message, "type": kind});
    for (name, value) in &error.extra {
        object[name.as_str()] = value.clone();
    }
    json!({"error": object})
}

fn kind_of(status: u16) -> &'static str {
    match status {
        400 => "invalid_request_error",
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        501 => "not_supported_error",
        503 => "unavailable_error",
        _ => "server_error",
    }
}

fn overflow(asked: u64, window: u32, words: Overflow) -> ServerError {
    let message = match words {
        Overflow::OlderWords => {
            "the request exceeds the available context size. try increasing the context size or enable context shift".to_owned()
        }
        Overflow::Usual | Overflow::OtherEngine | Overflow::Truncate | Overflow::EmptyStream | Overflow::Ignore => {
            format!("request ({asked} tokens) exceeds the available context size ({window} tokens), try increasing it")
        }
    };
    ServerError::new(400, message).kind("exceed_context_size_error").with("n_prompt_tokens", asked).with("n_ctx", window)
}

fn models(view: &View) -> Value {
    let data: Vec<Value> = view.models.iter().map(|now| model(view, now)).collect();
    json!({"object": "list", "data": data})
}

fn model(view: &View, now: &ModelNow) -> Value {
    let card = &now.model.card;
    let mut entry = json!({"id": now.model.id, "object": "model", "created": 1_700_000_000, "owned_by": "llamacpp", "meta": null});
    if now.loaded {
        entry["meta"] = json!({
            "vocab_type": 2, "n_vocab": 32_000, "n_ctx": now.window, "n_ctx_train": now.model.max_window, "n_embd": 64,
            "n_params": card.billions * 1e9, "size": card.size_bytes,
        });
    }
    if is_router(view) {
        let value = match (now.loaded, now.loading) {
            (true, _) => "loaded",
            (false, true) => "loading",
            (false, false) => "unloaded",
        };
        entry["status"] = json!({"value": value});
    }
    entry
}

fn is_router(view: &View) -> bool {
    view.models.len() > 1
}

fn props(view: &View, asked: Option<&str>) -> Value {
    let named = asked.and_then(|asked| view.models.iter().find(|now| now.model.id == asked));
    let Some(now) = named.or_else(|| view.models.first().filter(|_| !is_router(view))) else {
        return json!({"role": "router", "default_generation_settings": {"n_ctx": 0}, "total_slots": 0, "build_info": view.version});
    };
    json!({
        "default_generation_settings": {"n_ctx": now.window},
        "total_slots": view.slots.unwrap_or(4),
        "model_path": format!("/models/{}.gguf", now.model.id),
        "modalities": {"vision": now.model.card.vision, "audio": false},
        "chat_template": "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}",
        "chat_template_caps": {"supports_tools": now.model.card.tools, "supports_tool_calls": now.model.card.tools},
        "build_info": view.version,
        "is_sleeping": false,
    })
}

fn slots(view: &View) -> Value {
    let total = view.slots.unwrap_or(4);
    let window = view.loaded().next().map_or(0, |now| now.window);
    (0..total).map(|id| json!({"id": id, "n_ctx": window, "is_processing": id < view.busy})).collect()
}

fn tokenize(body: &Value) -> Value {
    let count = prompt::tokens(body["content"].as_str().unwrap_or_default().len());
    json!({"tokens": (0..count).collect::<Vec<u64>>()})
}

fn count(dialect: Dialect, body: &Value) -> Value {
    json!({"input_tokens": prompt::tokens(prompt::render(dialect, body).len())})
}

fn load(body: &Value) -> Native {
    Native::Load {
        model: body["model"].as_str().unwrap_or_default().to_owned(),
        window: None,
        then: |_, _| Answer::json(200, &json!({"success": true})),
    }
}

fn unload(body: &Value) -> Native {
    let model = body["model"].as_str().unwrap_or_default().to_owned();
    Native::Unload { model, answer: Answer::json(200, &json!({"success": true})) }
}
