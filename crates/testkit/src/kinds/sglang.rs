//! SGLang 0.5, default port 30000.
//!
//! Source: SGLang's HTTP server of release 0.5.23: flat HTTP errors, nested ones in streams followed by `[DONE]`,
//! `/get_model_info` (now also `/model_info`), its overflow texts, `The request queue is full.`

use krabba_types::Dialect;
use serde_json::{Value, json};

use super::{AfterError, Habits, Manners, Native, Trouble, View, dialect_under_v1, usual, vllm};
use crate::ServerError;
use crate::http::{Answer, Request};
use crate::model::Overflow;

pub(crate) struct Sglang;

impl Manners for Sglang {
    fn version(&self) -> &'static str {
        "0.5.23"
    }

    /// It also answers Ollama's native chat.
    fn dialect(&self, path: &str) -> Option<Dialect> {
        match path {
            "/api/chat" => Some(Dialect::Ollama),
            other => dialect_under_v1(other),
        }
    }

    fn native(&self, request: &Request, view: &View) -> Option<Native> {
        let answer = match (request.method.as_str(), request.path.as_str()) {
            ("GET", "/health" | "/health_generate" | "/ready") => {
                return Some(Native::Answer(Answer { status: 200, headers: Vec::new(), body: Vec::new() }));
            }
            ("GET", "/v1/models") => vllm::models(view, "sglang"),
            ("GET", "/get_model_info" | "/model_info") => {
                let path = view.models.first().map(|now| now.model.id.clone());
                json!({"model_path": path, "tokenizer_path": path, "is_generation": true})
            }
            ("GET", "/get_server_info" | "/server_info") => {
                json!({"version": view.version, "max_total_num_tokens": view.models.first().map(|now| now.window)})
            }
            _ => return None,
        };
        Some(Native::Answer(Answer::json(200, &answer)))
    }

    fn headers(&self) -> Vec<(&'static str, String)> {
        vec![("server", "uvicorn".to_owned())]
    }

    fn words(&self, trouble: &Trouble<'_>) -> ServerError {
        match *trouble {
            Trouble::NoSuchModel { asked, .. } => ServerError::new(404, format!("The model '{asked}' does not exist.")),
            Trouble::Full { .. } => ServerError::new(503, "The request queue is full."),
            Trouble::Overflow { asked, window, words: Overflow::OlderWords } => ServerError::new(
                400,
                format!(
                    "Requested token count exceeds the model's maximum context length of {window} tokens. You requested a total of {} tokens: \
                     {asked} tokens from the input messages and 512 tokens for the completion.",
                    asked + 512
                ),
            ),
            Trouble::Overflow { asked, window, .. } => {
                ServerError::new(400, format!("The input ({asked} tokens) is longer than the model's context length ({window} tokens)."))
            }
            Trouble::WrongKey { .. } => ServerError::new(401, "Unauthorized").bare(),
            Trouble::Refused { .. } | Trouble::NoModelLoaded | Trouble::Loading | Trouble::BadJson => usual::words(trouble),
        }
    }

    fn error_body(&self, dialect: Option<Dialect>, error: &ServerError) -> Value {
        match dialect {
            Some(Dialect::AnthropicMessages | Dialect::OpenAiResponses | Dialect::Ollama) => usual::error_body(dialect, error),
            _ if error.bare => json!({"error": error.message}),
            Some(Dialect::OpenAiCompletions) | None => flat(error),
        }
    }

    fn habits(&self, _dialect: Dialect) -> Habits {
        Habits {
            stream_error: |error| json!({"error": flat(error)}),
            after_error: AfterError::DoneMarker,
            cached_tokens: false,
            ..Habits::usual()
        }
    }
}

fn flat(error: &ServerError) -> Value {
    let usual = match error.status {
        400 => "BadRequest",
        other => vllm::kind_of(other),
    };
    let kind = error.kind.as_deref().unwrap_or(usual);
    let code = error.code.clone().unwrap_or_else(|| error.status.into());
    json!({"object": "error", "message": error.message, "type": kind, "param": error.param, "code": code})
}
