//! LocalAI, default port 8080.
//!
//! Source: LocalAI's documentation (`/readyz`, `/healthz`, `/v1/models`, `/system`, `/version`): OpenAI shapes, the bare list of names, integer codes,
//! and one id shared by a completion and its tool call.

use krabba_types::Dialect;
use serde_json::{Value, json};

use super::{Habits, Manners, Native, View, usual};
use crate::ServerError;
use crate::http::{Answer, Request};

pub(crate) struct LocalAi;

impl Manners for LocalAi {
    fn version(&self) -> &'static str {
        "v3.8.0"
    }

    fn dialect(&self, path: &str) -> Option<Dialect> {
        matches!(path, "/v1/chat/completions" | "/chat/completions").then_some(Dialect::OpenAiCompletions)
    }

    fn native(&self, request: &Request, view: &View) -> Option<Native> {
        let answer = match (request.method.as_str(), request.path.as_str()) {
            ("GET", "/readyz" | "/healthz") => return Some(Native::Answer(Answer::text(200, "OK"))),
            ("GET", "/v1/models" | "/models") => {
                let data: Vec<Value> = view.models.iter().map(|now| json!({"id": now.model.id, "object": "model"})).collect();
                json!({"object": "list", "data": data})
            }
            ("GET", "/version") => json!({"version": view.version}),
            ("GET", "/system") => json!({
                "backends": ["llama-cpp"], "loaded_models": view.loaded().map(|now| json!({"id": now.model.id})).collect::<Vec<_>>(),
            }),
            _ => return None,
        };
        Some(Native::Answer(Answer::json(200, &answer)))
    }

    fn unknown_path(&self, _request: &Request) -> Answer {
        Answer::json(404, &error_object(&ServerError::new(404, "Resource not found")))
    }

    fn error_body(&self, _dialect: Option<Dialect>, error: &ServerError) -> Value {
        error_object(error)
    }

    fn habits(&self, _dialect: Dialect) -> Habits {
        Habits { stream_error: error_object, cached_tokens: false, ..Habits::usual() }
    }
}

fn error_object(error: &ServerError) -> Value {
    usual::nested(&error.clone().kind(error.kind.as_deref().unwrap_or_default()), error.status.into())
}
