//! vLLM 0.32, default port 8000.
//!
//! Source: vLLM's OpenAI server (`vllm/entrypoints/openai`) of release 0.32.0 and its issues: `max_model_len`, error types,
//! integer codes, `[DONE]` after an error inside a stream, `reasoning` (pull request 50624), `--api-key` guarding `/v1` only.

use krabba_types::Dialect;
use serde_json::{Value, json};

use super::{AfterError, Habits, Manners, Native, Trouble, View, dialect_under_v1, usual};
use crate::ServerError;
use crate::http::{Answer, Request};
use crate::model::Overflow;
use crate::prompt;
use crate::script::Strict;

pub(crate) struct Vllm;

impl Manners for Vllm {
    fn version(&self) -> &'static str {
        "0.32.0"
    }

    fn dialect(&self, path: &str) -> Option<Dialect> {
        dialect_under_v1(path)
    }

    fn native(&self, request: &Request, view: &View) -> Option<Native> {
        let answer = match (request.method.as_str(), request.path.as_str()) {
            ("GET", "/health" | "/ping") => return Some(Native::Answer(Answer { status: 200, headers: Vec::new(), body: Vec::new() })),
            ("GET", "/version") => json!({"version": view.version}),
            ("GET", "/v1/models") => models(view, "vllm"),
            ("GET", "/load") => json!({"server_load": view.busy}),
            ("POST", "/tokenize") => tokenize(request, view),
            _ => return None,
        };
        Some(Native::Answer(Answer::json(200, &answer)))
    }

    fn guards(&self, path: &str) -> bool {
        path.starts_with("/v1")
    }

    fn headers(&self) -> Vec<(&'static str, String)> {
        vec![("server", "uvicorn".to_owned())]
    }

    fn words(&self, trouble: &Trouble<'_>) -> ServerError {
        match *trouble {
            Trouble::NoSuchModel { asked, .. } => ServerError::new(404, format!("The model `{asked}` does not exist.")).param("model"),
            Trouble::Full { .. } => {
                ServerError::new(503, "The engine is currently busy and cannot accept new requests. Please try again later.")
            }
            Trouble::Overflow { asked, window, words } => overflow(asked, window, words),
            Trouble::WrongKey { .. } => ServerError::new(401, "Unauthorized").bare(),
            Trouble::Refused { rule: Strict::BudgetFits, window, asked, budget, .. } => {
                let total = asked + budget;
                let message = format!(
                    "This model's maximum context length is {window} tokens. However, you requested {total} tokens ({asked} in the messages, \
                     {budget} in the completion). Please reduce the length of the messages or completion."
                );
                ServerError::new(400, message)
            }
            Trouble::Refused { .. } | Trouble::NoModelLoaded | Trouble::Loading | Trouble::BadJson => usual::words(trouble),
        }
    }

    fn error_body(&self, dialect: Option<Dialect>, error: &ServerError) -> Value {
        match dialect {
            Some(Dialect::AnthropicMessages) => usual::error_body(dialect, error),
            _ if error.bare => json!({"error": error.message}),
            Some(Dialect::OpenAiCompletions | Dialect::OpenAiResponses | Dialect::Ollama) | None => error_object(error),
        }
    }

    fn habits(&self, _dialect: Dialect) -> Habits {
        Habits {
            reasoning_field: "reasoning",
            stream_error: error_object,
            after_error: AfterError::DoneMarker,
            cached_tokens: false,
            ..Habits::usual()
        }
    }
}

fn error_object(error: &ServerError) -> Value {
    let kind = error.kind.clone().unwrap_or_else(|| kind_of(error.status).to_owned());
    usual::nested(&error.clone().kind(&kind), error.status.into())
}

pub(super) fn kind_of(status: u16) -> &'static str {
    match status {
        404 => "NotFoundError",
        400..=499 => "BadRequestError",
        503 => "ServiceUnavailableError",
        _ => "InternalServerError",
    }
}

pub(super) fn models(view: &View, owner: &str) -> Value {
    let data: Vec<Value> = view
        .models
        .iter()
        .map(|now| {
            json!({
                "id": now.model.id, "object": "model", "created": 1_700_000_000, "owned_by": owner, "root": now.model.id, "parent": null,
                "max_model_len": now.window,
            })
        })
        .collect();
    json!({"object": "list", "data": data})
}

fn overflow(asked: u64, window: u32, words: Overflow) -> ServerError {
    match words {
        Overflow::OlderWords => ServerError::new(
            400,
            format!(
                "This model's maximum context length is {window} tokens. However, you requested {} tokens ({asked} in the messages, 512 in the \
                 completion). Please reduce the length of the messages or completion.",
                asked + 512
            ),
        ),
        Overflow::Usual | Overflow::OtherEngine | Overflow::Truncate | Overflow::EmptyStream | Overflow::Ignore => ServerError::new(
            400,
            format!(
                "This model's maximum context length is {window} tokens. However, your prompt contains {asked} input tokens, which exceeds this \
                 limit even without any output tokens. Please reduce the length of the input prompt."
            ),
        )
        .param("input_tokens"),
    }
}

fn tokenize(request: &Request, view: &View) -> Value {
    let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let length = match body["prompt"].as_str() {
        Some(text) => text.len(),
        None => prompt::render(Dialect::OpenAiCompletions, &body).len(),
    };
    let count = prompt::tokens(length);
    let window = view.models.first().map_or(0, |now| now.window);
    json!({"count": count, "max_model_len": window, "tokens": (0..count).collect::<Vec<u64>>()})
}
