//! OpenRouter.
//!
//! Source: OpenRouter's API reference and SDK: integer codes, `metadata`, errors beside `choices` inside a 200, `402` that
//! may pass, comments while it waits (`: OPENROUTER PROCESSING`), `/api/v1` as the base.

use krabba_types::Dialect;
use serde_json::{Value, json};

use super::{AfterError, Habits, Manners, Native, Trouble, View, usual};
use crate::ServerError;
use crate::http::{Answer, Request};

pub(crate) struct OpenRouter;

impl Manners for OpenRouter {
    fn dialect(&self, path: &str) -> Option<Dialect> {
        usual::dialect_by_ending(path).filter(|dialect| *dialect != Dialect::Ollama)
    }

    fn native(&self, request: &Request, view: &View) -> Option<Native> {
        if request.method != "GET" || !request.path.ends_with("/models") {
            return None;
        }
        let data: Vec<Value> = view
            .models
            .iter()
            .map(|now| {
                json!({
                    "id": now.model.id, "name": now.model.id, "context_length": now.model.max_window,
                    "top_provider": {"context_length": now.window, "max_completion_tokens": null, "is_moderated": false},
                    "pricing": {"prompt": "0.000001", "completion": "0.000002"},
                })
            })
            .collect();
        Some(Native::Answer(Answer::json(200, &json!({"data": data}))))
    }

    fn words(&self, trouble: &Trouble<'_>) -> ServerError {
        match *trouble {
            Trouble::NoSuchModel { asked, .. } => ServerError::new(400, format!("{asked} is not a valid model ID")),
            Trouble::Full { too_many: true } => {
                let message = "Provider returned error";
                ServerError::new(429, message).with("metadata", json!({"error_type": "rate_limit_exceeded"})).header("retry-after", "1")
            }
            Trouble::Full { too_many: false } => ServerError::new(503, "No allowed providers are available for the selected model."),
            Trouble::Overflow { asked, window, .. } => {
                let message = format!(
                    "This endpoint's maximum context length is {window} tokens. However, you requested about {asked} tokens. Please reduce the \
                     length of either one, or use the \"middle-out\" transform to compress your prompt automatically."
                );
                ServerError::new(400, message).with("metadata", json!({"error_type": "context_length_exceeded"}))
            }
            Trouble::WrongKey { sent: true } => ServerError::new(401, "User not found."),
            Trouble::WrongKey { sent: false } => ServerError::new(401, "No auth credentials found"),
            Trouble::Refused { .. } | Trouble::NoModelLoaded | Trouble::Loading | Trouble::BadJson => usual::words(trouble),
        }
    }

    fn error_body(&self, dialect: Option<Dialect>, error: &ServerError) -> Value {
        match dialect {
            Some(Dialect::AnthropicMessages) => usual::error_body(dialect, error),
            Some(Dialect::OpenAiCompletions | Dialect::OpenAiResponses | Dialect::Ollama) | None => error_object(error),
        }
    }

    fn habits(&self, _dialect: Dialect) -> Habits {
        Habits {
            reasoning_field: "reasoning",
            stream_error: error_object,
            after_error: AfterError::InChunk,
            unasked_usage: true,
            ..Habits::usual()
        }
    }
}

fn error_object(error: &ServerError) -> Value {
    let code = error.code.clone().unwrap_or_else(|| error.status.into());
    let mut object = json!({"code": code, "message": error.message});
    for (name, value) in &error.extra {
        object[name.as_str()] = value.clone();
    }
    json!({"error": object})
}
