//! What a request looks like to the model: one text, in the order in which a chat template would put it.
//!
//! Tools, system, messages, and at the end the opening of the answer, so that the text of turn n plus its answer is a
//! prefix of the text of turn n+1 when the client keeps its prompt stable. A token is four bytes.

use krabba_types::Dialect;
use serde_json::Value;

/// Begins a message; not a character that people type.
const MESSAGE: char = '\u{1e}';
/// Between a message's role and its content.
const CONTENT: char = '\u{1f}';
/// What a picture costs (Ollama counts a flat 768 tokens).
const IMAGE_BYTES: usize = 768 * 4;

/// Tokens in so many bytes.
pub(crate) fn tokens(bytes: usize) -> u64 {
    u64::try_from(bytes.div_ceil(4)).unwrap_or(u64::MAX)
}

/// A message of a request, as far as templates care.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Turn<'a> {
    pub(crate) role: &'a str,
    pub(crate) content: &'a Value,
    pub(crate) message: &'a Value,
}

/// The messages of a request; top-level system text is not among them.
pub(crate) fn turns(dialect: Dialect, body: &Value) -> Vec<Turn<'_>> {
    let list = match dialect {
        Dialect::OpenAiResponses => &body["input"],
        Dialect::OpenAiCompletions | Dialect::AnthropicMessages | Dialect::Ollama => &body["messages"],
    };
    match list {
        Value::Array(messages) => messages.iter().map(turn).collect(),
        Value::String(_) => vec![Turn { role: "user", content: list, message: list }],
        _ => Vec::new(),
    }
}

fn turn(message: &Value) -> Turn<'_> {
    let role = message["role"].as_str().or_else(|| message["type"].as_str()).unwrap_or("user");
    Turn { role, content: &message["content"], message }
}

/// The system text outside of the messages.
pub(crate) fn top_level_system(dialect: Dialect, body: &Value) -> Option<&Value> {
    let value = match dialect {
        Dialect::OpenAiResponses => &body["instructions"],
        Dialect::AnthropicMessages => &body["system"],
        Dialect::OpenAiCompletions | Dialect::Ollama => &Value::Null,
    };
    (!value.is_null()).then_some(value)
}

/// The whole prompt as one text.
pub(crate) fn render(dialect: Dialect, body: &Value) -> String {
    let mut text = String::new();
    if let Some(tools) = body["tools"].as_array().filter(|tools| !tools.is_empty()) {
        text.push_str("tools");
        text.push(CONTENT);
        for tool in tools {
            text.push_str(&tool.to_string());
        }
    }
    if let Some(system) = top_level_system(dialect, body) {
        open(&mut text, "system");
        push_content(&mut text, system);
    }
    for turn in turns(dialect, body) {
        open(&mut text, turn.role);
        push_content(&mut text, turn.content);
        push_rest(&mut text, turn.message);
    }
    open(&mut text, "assistant");
    text
}

fn open(text: &mut String, role: &str) {
    text.push(MESSAGE);
    text.push_str(role);
    text.push(CONTENT);
}

fn push_content(text: &mut String, content: &Value) {
    match content {
        Value::Null => {}
        Value::String(words) => text.push_str(words),
        Value::Array(parts) => parts.iter().for_each(|part| push_part(text, part)),
        other => text.push_str(&other.to_string()),
    }
}

fn push_part(text: &mut String, part: &Value) {
    match part["type"].as_str() {
        Some("text" | "input_text" | "output_text") => text.push_str(part["text"].as_str().unwrap_or_default()),
        Some("image" | "image_url" | "input_image") => text.extend(std::iter::repeat_n('i', IMAGE_BYTES)),
        Some(_) | None => text.push_str(&part.to_string()),
    }
}

/// Calls, results and pictures that stand beside the content.
fn push_rest(text: &mut String, message: &Value) {
    for name in ["tool_calls", "arguments", "output", "name", "call_id", "tool_call_id"] {
        if let Some(value) = message.get(name).filter(|value| !value.is_null()) {
            text.push_str(&value.to_string());
        }
    }
    let images = message["images"].as_array().map_or(0, Vec::len);
    text.extend(std::iter::repeat_n('i', images * IMAGE_BYTES));
}

/// Whether the request carries a picture.
pub(crate) fn has_image(dialect: Dialect, body: &Value) -> bool {
    turns(dialect, body).iter().any(|turn| {
        let parts = turn
            .content
            .as_array()
            .is_some_and(|parts| parts.iter().any(|part| matches!(part["type"].as_str(), Some("image" | "image_url" | "input_image"))));
        parts || turn.message["images"].as_array().is_some_and(|images| !images.is_empty())
    })
}

/// The `num_ctx` that a native Ollama request asks for; its `/v1` ignores it.
pub(crate) fn asked_window(dialect: Dialect, body: &Value) -> Option<u32> {
    let asked = (dialect == Dialect::Ollama).then(|| &body["options"]["num_ctx"]);
    asked.and_then(Value::as_u64).and_then(|window| u32::try_from(window).ok())
}

/// The budget for the answer, under any of its names.
pub(crate) fn asked_budget(body: &Value) -> Option<u64> {
    ["max_tokens", "max_completion_tokens", "max_output_tokens"]
        .iter()
        .find_map(|name| body[name].as_u64())
        .or_else(|| body["options"]["num_predict"].as_u64())
}
