//! LiteLLM proxy, default port 4000.
//!
//! Source: the proxy itself, measured at release 1.106.2 with a master key and no database: string codes,
//! `litellm.<Class>: …` texts, `x-litellm-*` headers on answers of models alone, health endpoints without a version, a bare
//! 500 where no key is sent and a 400 where a wrong one is, no `[DONE]` after an error inside a stream.

use krabba_types::Dialect;
use serde_json::{Value, json};

use super::{Habits, Manners, Native, Trouble, View, dialect_under_v1, usual};
use crate::ServerError;
use crate::http::{Answer, Request};

pub(crate) struct LiteLlm;

impl Manners for LiteLlm {
    fn version(&self) -> &'static str {
        "1.106.2"
    }

    fn dialect(&self, path: &str) -> Option<Dialect> {
        match path {
            "/chat/completions" => Some(Dialect::OpenAiCompletions),
            "/responses" => Some(Dialect::OpenAiResponses),
            other => dialect_under_v1(other),
        }
    }

    fn native(&self, request: &Request, view: &View) -> Option<Native> {
        let answer = match (request.method.as_str(), request.path.as_str()) {
            ("GET", "/health/liveliness" | "/health/liveness") => json!("I'm alive!"),
            ("GET", "/health/readiness") => {
                json!({"status": "healthy", "db": "Not connected"})
            }
            ("GET", "/v1/models" | "/models") => usual::model_list(view, "openai"),
            ("GET", "/model/info" | "/v1/model/info") => json!({"data": view.models.iter().map(|now| json!({
                "model_name": now.model.id,
                "litellm_params": {"model": format!("openai/{}", now.model.id), "api_base": "http://127.0.0.1:1234/v1"},
                "model_info": {"id": "0123", "db_model": false, "max_input_tokens": now.model.max_window, "mode": "chat"},
            })).collect::<Vec<_>>()}),
            _ => return None,
        };
        Some(Native::Answer(Answer::json(200, &answer)))
    }

    fn guards(&self, path: &str) -> bool {
        !path.starts_with("/health/")
    }

    fn generation_headers(&self) -> Vec<(&'static str, String)> {
        vec![("x-litellm-version", self.version().to_owned()), ("x-litellm-attempted-retries", "0".to_owned())]
    }

    fn words(&self, trouble: &Trouble<'_>) -> ServerError {
        match *trouble {
            Trouble::NoSuchModel { asked, .. } => {
                let message = format!(
                    "/chat/completions: Invalid model name passed in model={asked}. Call `/v1/models` to view available models for your key."
                );
                ServerError::new(400, message)
            }
            Trouble::Full { .. } => {
                let message = "litellm.RateLimitError: No deployments available for selected model, Try again in 60 seconds.";
                ServerError::new(429, message).header("retry-after", "60")
            }
            Trouble::Overflow { asked, window, .. } => {
                let message = format!(
                    "litellm.ContextWindowExceededError: litellm.BadRequestError: OpenAIException - request ({asked} tokens) exceeds the \
                     available context size ({window} tokens), try increasing it. Received Model Group=local\nAvailable Model Group Fallbacks=None"
                );
                ServerError::new(400, message).kind("invalid_request_error")
            }
            Trouble::Loading => {
                let message = "litellm.ServiceUnavailableError: ServiceUnavailableError: OpenAIException - Loading model";
                ServerError::new(503, message)
            }
            // It looks for a database error in the missing key, and its client for databases is not there.
            Trouble::WrongKey { sent: false } => ServerError::new(500, "Internal Server Error").plain(),
            // Any key but the master key would be looked up in the database.
            Trouble::WrongKey { sent: true } => ServerError::new(400, "No connected db.").kind("no_db_connection"),
            Trouble::Refused { .. } | Trouble::NoModelLoaded | Trouble::BadJson => usual::words(trouble),
        }
    }

    fn error_body(&self, dialect: Option<Dialect>, error: &ServerError) -> Value {
        match dialect {
            Some(Dialect::AnthropicMessages) => usual::error_body(dialect, error),
            Some(Dialect::OpenAiCompletions | Dialect::OpenAiResponses | Dialect::Ollama) | None => error_object(error),
        }
    }

    fn habits(&self, _dialect: Dialect) -> Habits {
        Habits { stream_error: error_object, ..Habits::usual() }
    }
}

/// The code is a text.
fn error_object(error: &ServerError) -> Value {
    usual::nested(error, error.status.to_string().into())
}
