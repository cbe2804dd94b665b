//! `mlx_lm.server` 0.32, default port 8080.
//!
//! Source: `mlx_lm/server.py`: bare error strings, 404 for any failure at the start, 411 without `Content-Length`,
//! `: keepalive n/m` while it reads, the field `reasoning`, `/health` that is always well. It has chat completions only.

use krabba_types::Dialect;
use serde_json::{Value, json};

use super::{Habits, Manners, Native, Trouble, View, usual};
use crate::ServerError;
use crate::http::{Answer, Request};
use crate::script::Strict;

pub(crate) struct Mlx;

impl Manners for Mlx {
    fn version(&self) -> &'static str {
        "0.32.2"
    }

    fn dialect(&self, path: &str) -> Option<Dialect> {
        matches!(path, "/v1/chat/completions" | "/chat/completions").then_some(Dialect::OpenAiCompletions)
    }

    fn native(&self, request: &Request, view: &View) -> Option<Native> {
        let answer = match (request.method.as_str(), request.path.as_str()) {
            ("GET", "/health") => json!({"status": "ok"}),
            ("GET", "/v1/models") => {
                let data: Vec<Value> =
                    view.models.iter().map(|now| json!({"id": now.model.id, "object": "model", "created": 1_700_000_000})).collect();
                json!({"object": "list", "data": data})
            }
            _ => return None,
        };
        Some(Native::Answer(Answer::json(200, &answer)))
    }

    fn unknown_path(&self, _request: &Request) -> Answer {
        Answer { status: 404, headers: vec![("content-type".to_owned(), "text/html".to_owned())], body: b"Not Found".to_vec() }
    }

    fn guards(&self, _path: &str) -> bool {
        false
    }

    fn headers(&self) -> Vec<(&'static str, String)> {
        vec![("server", "BaseHTTP/0.6 Python/3.12".to_owned())]
    }

    fn tells_reading(&self) -> bool {
        true
    }

    fn words(&self, trouble: &Trouble<'_>) -> ServerError {
        let at_start = |message: String| ServerError::new(404, message).bare();
        match *trouble {
            Trouble::NoSuchModel { asked, .. } => at_start(format!(
                "404 Client Error. Repository Not Found for url: https://huggingface.co/api/models/{asked}/revision/main."
            )),
            Trouble::Refused { rule: Strict::OneSystem | Strict::Alternation | Strict::NeedsUser | Strict::ShortToolIds, .. } => {
                at_start("Conversation roles must alternate user/assistant/user/assistant/...".to_owned())
            }
            Trouble::Refused { rule: Strict::NoImages | Strict::NoContentParts, .. } => {
                at_start("Only 'text' content type is supported.".to_owned())
            }
            Trouble::Overflow { .. } => {
                at_start("[metal::malloc] Attempting to allocate more than the maximum allowed buffer size.".to_owned())
            }
            Trouble::Refused { .. }
            | Trouble::NoModelLoaded
            | Trouble::Loading
            | Trouble::Full { .. }
            | Trouble::WrongKey { .. }
            | Trouble::BadJson => usual::words(trouble).bare(),
        }
    }

    fn error_body(&self, _dialect: Option<Dialect>, error: &ServerError) -> Value {
        json!({"error": error.message})
    }

    fn habits(&self, _dialect: Dialect) -> Habits {
        Habits { reasoning_field: "reasoning", stream_error: |error| json!({"error": error.message}), ..Habits::usual() }
    }
}
