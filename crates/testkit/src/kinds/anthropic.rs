//! Anthropic's own service.
//!
//! Source: Anthropic's API reference and SDK: `x-api-key` and `anthropic-version`, the error envelope, `overloaded_error`
//! (529, also inside a 200), `prompt is too long: N tokens > M maximum`, signatures on thinking blocks.

use krabba_types::Dialect;
use serde_json::{Value, json};

use super::{Habits, Manners, Native, Trouble, View, usual};
use crate::ServerError;
use crate::http::{Answer, Request};
use crate::speech;

pub(crate) struct Anthropic;

impl Manners for Anthropic {
    fn dialect(&self, path: &str) -> Option<Dialect> {
        path.ends_with("/v1/messages").then_some(Dialect::AnthropicMessages)
    }

    fn native(&self, request: &Request, view: &View) -> Option<Native> {
        if request.method != "GET" || request.path != "/v1/models" {
            return None;
        }
        let data: Vec<Value> = view
            .models
            .iter()
            .map(|now| json!({"type": "model", "id": now.model.id, "display_name": now.model.id, "created_at": "2026-01-01T00:00:00Z"}))
            .collect();
        Some(Native::Answer(Answer::json(200, &json!({"data": data, "has_more": false}))))
    }

    fn unknown_path(&self, _request: &Request) -> Answer {
        Answer::json(404, &speech::anthropic_error(&ServerError::new(404, "Not Found")))
    }

    fn headers(&self) -> Vec<(&'static str, String)> {
        vec![("request-id", "req_scripted".to_owned())]
    }

    fn words(&self, trouble: &Trouble<'_>) -> ServerError {
        match *trouble {
            Trouble::NoSuchModel { asked, .. } => ServerError::new(404, format!("model: {asked}")),
            Trouble::Full { too_many: true } => {
                ServerError::new(429, "This request would exceed your account's rate limit.").header("retry-after", "2")
            }
            Trouble::Full { too_many: false } => ServerError::new(529, "Overloaded"),
            Trouble::Overflow { asked, window, .. } => {
                ServerError::new(400, format!("prompt is too long: {asked} tokens > {window} maximum"))
            }
            Trouble::WrongKey { sent: true } => ServerError::new(401, "invalid x-api-key"),
            Trouble::WrongKey { sent: false } => ServerError::new(401, "x-api-key header is required"),
            Trouble::Refused { rule, field, model, .. } => usual::refusal(rule, field, model),
            Trouble::NoModelLoaded | Trouble::Loading | Trouble::BadJson => usual::words(trouble),
        }
    }

    fn error_body(&self, _dialect: Option<Dialect>, error: &ServerError) -> Value {
        speech::anthropic_error(error)
    }

    fn habits(&self, _dialect: Dialect) -> Habits {
        Habits { signatures: true, ..Habits::usual() }
    }
}
