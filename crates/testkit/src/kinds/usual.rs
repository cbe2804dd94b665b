//! An OpenAI-style server without peculiarities; it speaks every dialect, at any path that ends like the dialect's own.
//!
//! Shapes: OpenAI's and Anthropic's API references (error objects, `GET /v1/models`).

use krabba_types::Dialect;
use serde_json::{Value, json};

use super::{Habits, Manners, Native, Trouble, View};
use crate::ServerError;
use crate::http::{Answer, Request};
use crate::model::Overflow;
use crate::script::Strict;

pub(crate) struct Usual;

impl Manners for Usual {
    fn dialect(&self, path: &str) -> Option<Dialect> {
        dialect_by_ending(path)
    }

    fn native(&self, request: &Request, view: &View) -> Option<Native> {
        (request.method == "GET" && request.path.ends_with("/models"))
            .then(|| Native::Answer(Answer::json(200, &model_list(view, "owner"))))
    }

    fn unknown_path(&self, request: &Request) -> Answer {
        let message = format!("Invalid URL ({} {})", request.method, request.path);
        Answer::json(404, &error_body(None, &ServerError::new(404, message)))
    }

    fn habits(&self, _dialect: Dialect) -> Habits {
        Habits { signatures: true, ..Habits::usual() }
    }
}

pub(crate) fn dialect_by_ending(path: &str) -> Option<Dialect> {
    if path.ends_with("/chat/completions") {
        Some(Dialect::OpenAiCompletions)
    } else if path.ends_with("/responses") {
        Some(Dialect::OpenAiResponses)
    } else if path.ends_with("/messages") {
        Some(Dialect::AnthropicMessages)
    } else if path.ends_with("/api/chat") {
        Some(Dialect::Ollama)
    } else {
        None
    }
}

/// `GET /v1/models` with nothing but names.
pub(crate) fn model_list(view: &View, owner: &str) -> Value {
    let data: Vec<Value> =
        view.models.iter().map(|now| json!({"id": now.model.id, "object": "model", "created": 1_700_000_000, "owned_by": owner})).collect();
    json!({"object": "list", "data": data})
}

/// The error object of each dialect.
pub(crate) fn error_body(dialect: Option<Dialect>, error: &ServerError) -> Value {
    match dialect {
        Some(Dialect::AnthropicMessages) => crate::speech::anthropic_error(error),
        Some(Dialect::Ollama) => json!({"error": error.message}),
        Some(Dialect::OpenAiCompletions | Dialect::OpenAiResponses) | None if error.bare => json!({"error": error.message}),
        Some(Dialect::OpenAiCompletions | Dialect::OpenAiResponses) | None => nested(error, Value::Null),
    }
}

/// `{"error": {"message", "type", "param", "code", …}}`, with the code that a server sends when it has none.
pub(crate) fn nested(error: &ServerError, usual_code: Value) -> Value {
    let kind = error.kind.clone().unwrap_or_else(|| usual_kind(error.status).to_owned());
    let mut object = json!({
        "message": error.message, "type": kind, "param": error.param, "code": error.code.clone().unwrap_or(usual_code),
    });
    for (name, value) in &error.extra {
        object[name.as_str()] = value.clone();
    }
    json!({"error": object})
}

fn usual_kind(status: u16) -> &'static str {
    match status {
        400..=428 => "invalid_request_error",
        429 => "rate_limit_error",
        _ => "server_error",
    }
}

pub(crate) fn words(trouble: &Trouble<'_>) -> ServerError {
    match *trouble {
        Trouble::NoSuchModel { asked, .. } => {
            ServerError::new(404, format!("The model `{asked}` does not exist or you do not have access to it.")).code("model_not_found")
        }
        Trouble::NoModelLoaded => ServerError::new(404, "No model is loaded."),
        Trouble::Loading => ServerError::new(503, "Loading model").kind("unavailable_error"),
        Trouble::Full { too_many: true } => {
            ServerError::new(429, "Rate limit reached for requests").code("rate_limit_exceeded").header("retry-after", "1")
        }
        Trouble::Full { too_many: false } => ServerError::new(503, "The engine is currently overloaded, please try again later"),
        Trouble::Overflow { asked, window, words: Overflow::OlderWords, .. } => ServerError::new(
            400,
            format!("This model's maximum context length is {window} tokens. However, your messages resulted in {asked} tokens."),
        )
        .code("context_length_exceeded")
        .param("messages"),
        Trouble::Overflow { .. } => {
            let message = "Your input exceeds the context window of this model. Please adjust your input and try again.";
            ServerError::new(400, message).code("context_length_exceeded").param("input")
        }
        Trouble::WrongKey { sent: true } => ServerError::new(401, "Incorrect API key provided.").code("invalid_api_key"),
        Trouble::WrongKey { sent: false } => ServerError::new(401, "You didn't provide an API key."),
        Trouble::Refused { rule, field, model, .. } => refusal(rule, field, model),
        Trouble::BadJson => ServerError::new(400, "We could not parse the JSON body of your request."),
    }
}

/// The words of OpenAI itself, and of templates, for a request that breaks a rule.
pub(crate) fn refusal(rule: Strict, field: &str, model: &str) -> ServerError {
    let unsupported = |message: String| ServerError::new(400, message).code("unsupported_parameter").param(field);
    match rule {
        Strict::OneSystem => ServerError::new(400, "System message must be at the beginning."),
        Strict::Alternation => {
            ServerError::new(400, "Conversation roles must alternate user/assistant/user/assistant/...").kind("BadRequestError")
        }
        Strict::NeedsUser => ServerError::new(400, "No user query found in messages."),
        Strict::NoContentParts => ServerError::new(400, "invalid type: sequence, expected a string").param(field),
        Strict::NoImages => ServerError::new(400, format!("{model} is not a multimodal model")),
        Strict::NoDeveloper => ServerError::new(400, "Unexpected message role 'developer'.").param(field),
        Strict::NoTools => ServerError::new(400, format!("{model} does not support tools")),
        Strict::SimpleSchemas => ServerError::new(400, "Failed to initialize samplers: failed to parse grammar"),
        Strict::NoAutoToolChoice => {
            ServerError::new(400, "\"auto\" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set")
        }
        Strict::ShortToolIds => ServerError::new(400, "Tool call IDs should be alphanumeric strings with length 9!").param(field),
        Strict::NoThinking | Strict::NoStreamOptions | Strict::NoStore | Strict::NoMaxCompletionTokens => {
            unsupported(format!("Unsupported parameter: '{field}' is not supported with this model."))
        }
        Strict::KnownFields => ServerError::new(400, format!("Unrecognized request argument supplied: {field}")).param(field),
        Strict::ContentLength => ServerError::new(411, "Content-Length required").bare(),
        Strict::LocalHost => ServerError::new(403, "Invalid host header"),
        Strict::NoResponses => ServerError::new(404, "Not Found"),
        Strict::BudgetFits => ServerError::new(400, "max_tokens is too large").param(field),
    }
}
