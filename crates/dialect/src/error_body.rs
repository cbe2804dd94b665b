//! Every error envelope in use, read into one shape.
//!
//! | envelope | who sends it |
//! |---|---|
//! | `{"error": {"message", "type", "param", "code"}}` | OpenAI, llama.cpp and vLLM (`code` is a number), LiteLLM (`code` is a text), Ollama `/v1` |
//! | `{"error": "text"}` | LM Studio's overflow and "Unexpected endpoint", Ollama, mlx_lm |
//! | `{"object": "error", "message", "type", "code"}` | SGLang, older vLLM |
//! | `{"type": "error", "error": {"type", "message"}}` | Anthropic and its imitators, OpenResponses |
//! | `{"type": "error", "code", "message", "param"}` | OpenAI Responses |
//! | `{"error": {"code", "message", "metadata": {…}}}` | OpenRouter |
//! | `{"detail": "text" or [{"loc", "msg"}]}` | FastAPI (vLLM, SGLang, LiteLLM) |
//! | plain text | proxies (Jan: `Invalid host header`) |

use serde_json::Value;

use crate::overflow;
use crate::tolerant::{count, excerpt, list, object, rate, small_count, text, word};

/// The longest message that is kept, in characters. Jinja errors of llama.cpp carry the whole template.
const MESSAGE_LIMIT: usize = 2_000;
/// The longest raw form that is kept, in characters.
const RAW_LIMIT: usize = 4_000;

/// Fields of which any answer has at least one.
const ANSWER_FIELDS: [&str; 7] = ["choices", "output", "response", "content", "delta", "done", "usage"];

/// A failure in the server's own words, with the numbers that could be read out of it.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ErrorBody {
    /// What a person would read. Never empty; at most 2,000 characters.
    pub message: String,
    /// `code`, a number or a text on the wire.
    pub code: Option<String>,
    /// `type`, or OpenRouter's `metadata.error_type`.
    pub kind: Option<String>,
    /// The request field that it is about.
    pub param: Option<String>,
    /// Tokens of the prompt that did not fit.
    pub prompt_tokens: Option<u32>,
    /// The window in tokens that it did not fit into.
    pub window: Option<u32>,
    /// How long to stay away, when the body rather than a header says so.
    pub retry_after_ms: Option<u64>,
    /// The envelope as it came, at most 4,000 characters.
    pub raw: String,
}

/// Reads the body of an answer that is known to be an error. `None` when there are no words in it: nothing at all,
/// HTML, or bytes that are no text.
pub fn parse_error(body: &[u8]) -> Option<ErrorBody> {
    let body = std::str::from_utf8(body).ok()?.trim_start_matches('\u{feff}').trim();
    match serde_json::from_str::<Value>(body) {
        Ok(value) => from_reply(&value),
        Err(_) => from_event_lines(body).or_else(|| from_plain_text(body)),
    }
}

/// The error in an event of a stream or in a reply with status 200, if it is one. `event` is the SSE event name.
pub(crate) fn in_event(event: Option<&str>, value: &Value) -> Option<ErrorBody> {
    let is_named_error = event == Some("error") || matches!(text(value, "type"), Some("error"));
    let is_flat_error = text(value, "object") == Some("error");
    let only_detail = value.get("detail").is_some() && value.as_object().is_some_and(|fields| fields.len() == 1);
    // A proxy's `{"code": 404, "message": "…"}`: in every dialect a message that is part of an answer is an object.
    let only_message = text(value, "message").is_some() && !ANSWER_FIELDS.iter().any(|field| value.get(field).is_some());
    if has_error(value) || is_named_error || is_flat_error || only_detail || only_message { from_reply(value) } else { None }
}

/// The error object `error` itself, as it stands in `response.failed` or inside a choice.
pub(crate) fn from_error_value(error: &Value) -> Option<ErrorBody> {
    match error {
        Value::String(text) if !text.trim().is_empty() => Some(from_text(text, error)),
        Value::Object(_) => Some(from_object(error)),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => None,
    }
}

/// An error without words.
pub(crate) fn wordless(value: &Value) -> ErrorBody {
    from_text("the server reported an error without saying which", value)
}

fn has_error(value: &Value) -> bool {
    match value.get("error") {
        Some(Value::String(text)) => !text.trim().is_empty(),
        // An empty object beside real content is a placeholder.
        Some(Value::Object(fields)) => !fields.is_empty() || value.get("choices").is_none(),
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_)) | None => false,
    }
}

fn from_reply(value: &Value) -> Option<ErrorBody> {
    let mut error = match value {
        Value::String(text) if !text.trim().is_empty() => from_text(text, value),
        Value::Array(items) => items.iter().find_map(from_reply)?,
        Value::Object(fields) if fields.is_empty() => return None,
        // Express and Spring put a mere word under `error` and the sentence beside it.
        Value::Object(_) if text(value, "error").is_some() && text(value, "message").is_some() => {
            let body = from_object(value);
            ErrorBody { kind: body.kind.or_else(|| word(value, "error").map(str::to_owned)), ..body }
        }
        Value::Object(_) => value.get("error").and_then(from_error_value).unwrap_or_else(|| from_object(value)),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => return None,
    };
    error.raw = excerpt(&value.to_string(), RAW_LIMIT);
    Some(error)
}

fn from_object(error: &Value) -> ErrorBody {
    let metadata = error.get("metadata").unwrap_or(&Value::Null);
    let message = ["message", "detail", "msg", "error_description", "reason", "title"]
        .iter()
        .find_map(|key| words(error.get(key)?))
        .or_else(|| word(metadata, "raw").map(str::to_owned));
    let mut body = match message {
        Some(message) => from_text(&message, error),
        None => wordless(error),
    };
    body.code = error.get("code").and_then(code).or(body.code);
    // `"type": "error"` is the envelope, not a kind.
    let kind = telling(error, "type").filter(|kind| *kind != "error").or_else(|| telling(metadata, "error_type"));
    body.kind = kind.map(str::to_owned).or(body.kind);
    body.param = telling(error, "param").map(str::to_owned).or(body.param);
    body.prompt_tokens = small_count(error, "n_prompt_tokens").or(body.prompt_tokens);
    body.window = small_count(error, "n_ctx").filter(|window| *window > 0).or(body.window);
    body.retry_after_ms = retry_after(error).or_else(|| retry_after(metadata)).or(body.retry_after_ms);
    body
}

/// A message text. Proxies wrap the error of the server behind them as JSON inside the text (LiteLLM: `litellm.X: … -
/// {…}`); what that says is taken where the outer one is silent.
fn from_text(message: &str, raw: &Value) -> ErrorBody {
    let numbers = overflow::read(message);
    let inner = embedded(message).unwrap_or_default();
    ErrorBody {
        message: excerpt(message.trim(), MESSAGE_LIMIT),
        code: inner.code,
        kind: inner.kind,
        param: inner.param,
        prompt_tokens: inner.prompt_tokens.or(numbers.prompt),
        window: inner.window.or(numbers.window),
        retry_after_ms: inner.retry_after_ms.or_else(|| overflow::pause_ms(message)),
        raw: excerpt(&raw.to_string(), RAW_LIMIT),
    }
}

fn embedded(message: &str) -> Option<ErrorBody> {
    let (_, rest) = message.split_once('{')?;
    let (inside, _) = rest.rsplit_once('}')?;
    let value: Value = serde_json::from_str(&format!("{{{inside}}}")).ok()?;
    from_reply(&value)
}

/// Text, or FastAPI's list of complaints.
fn words(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.trim().is_empty() => Some(text.clone()),
        Value::Array(items) => {
            let complaints: Vec<String> = items.iter().filter_map(complaint).collect();
            (!complaints.is_empty()).then(|| complaints.join("; "))
        }
        Value::Object(_) => ["message", "msg", "error"].iter().find_map(|key| word(value, key)).map(str::to_owned),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

fn complaint(item: &Value) -> Option<String> {
    let message = item.as_str().map(str::trim).filter(|text| !text.is_empty()).or_else(|| word(item, "msg"))?;
    let place: Vec<String> = list(item, "loc").iter().map(|step| step.as_str().map_or_else(|| step.to_string(), str::to_owned)).collect();
    Some(if place.is_empty() { message.to_owned() } else { format!("{}: {message}", place.join(".")) })
}

/// A word that is one: LiteLLM writes Python's `None` as text.
fn telling<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    word(value, key).filter(|word| *word != "None")
}

fn code(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn retry_after(value: &Value) -> Option<u64> {
    let seconds = |value: &Value, key: &str| rate(value, key).map(|seconds| (seconds * 1_000.0) as u64);
    count(value, "retry_after_ms")
        .or_else(|| seconds(value, "retry_after"))
        .or_else(|| seconds(value, "retry_after_seconds"))
        .or_else(|| object(value, "headers").and_then(|headers| count(headers, "Retry-After")?.checked_mul(1_000)))
}

/// An SSE stream in answer to a request that failed: the error is in its first event.
fn from_event_lines(body: &str) -> Option<ErrorBody> {
    body.lines()
        .filter_map(|line| line.strip_prefix("data:").or_else(|| line.starts_with('{').then_some(line)))
        .filter_map(|data| serde_json::from_str::<Value>(data.trim()).ok())
        .find_map(|value| in_event(None, &value))
}

fn from_plain_text(body: &str) -> Option<ErrorBody> {
    let is_html = body.starts_with('<');
    let is_binary = body.contains(|character: char| character.is_control() && !character.is_whitespace());
    (!body.is_empty() && !is_html && !is_binary).then(|| ErrorBody { raw: excerpt(body, RAW_LIMIT), ..from_text(body, &Value::Null) })
}
