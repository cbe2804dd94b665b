//! Jan, default port 1337.
//!
//! Source: Jan's bug tracker: 403 `Invalid host header` for any other `Host` (janhq/jan #6471, #7345; a script asks for it
//! with `strict: ["local-host"]`), a key also on loopback, only started models listed. The engine inside is llama.cpp's.

use krabba_types::Dialect;
use serde_json::{Value, json};

use super::{Habits, Manners, Native, Trouble, View, llama_cpp, usual};
use crate::ServerError;
use crate::http::{Answer, Request};

pub(crate) struct Jan;

impl Manners for Jan {
    fn version(&self) -> &'static str {
        "0.7.5"
    }

    fn dialect(&self, path: &str) -> Option<Dialect> {
        (path == "/v1/chat/completions").then_some(Dialect::OpenAiCompletions)
    }

    fn native(&self, request: &Request, view: &View) -> Option<Native> {
        let answer = match (request.method.as_str(), request.path.as_str()) {
            ("GET", "/v1/models") => {
                let data: Vec<Value> = view
                    .loaded()
                    .map(|now| json!({"id": now.model.id, "object": "model", "created": 1_700_000_000, "owned_by": "jan"}))
                    .collect();
                json!({"object": "list", "data": data})
            }
            _ => return None,
        };
        Some(Native::Answer(Answer::json(200, &answer)))
    }

    fn unknown_path(&self, _request: &Request) -> Answer {
        Answer::text(404, "Not Found")
    }

    fn words(&self, trouble: &Trouble<'_>) -> ServerError {
        match trouble {
            Trouble::WrongKey { .. } => ServerError::new(401, "Invalid or missing authorization token"),
            Trouble::NoSuchModel { .. }
            | Trouble::NoModelLoaded
            | Trouble::Loading
            | Trouble::Full { .. }
            | Trouble::Overflow { .. }
            | Trouble::Refused { .. }
            | Trouble::BadJson => llama_cpp::LlamaCpp.words(trouble),
        }
    }

    fn error_body(&self, dialect: Option<Dialect>, error: &ServerError) -> Value {
        match error.status {
            // The proxy in front of the engine writes plain words.
            401 | 403 => Value::String(error.message.clone()),
            _ => llama_cpp::LlamaCpp.error_body(dialect, error),
        }
    }

    fn habits(&self, dialect: Dialect) -> Habits {
        let engine = llama_cpp::LlamaCpp.habits(dialect);
        Habits { prompt_progress: false, stream_error: |error| usual::nested(error, error.status.into()), ..engine }
    }
}
