//! How much the parts of a request weigh, in estimated tokens.

use krabba_markup::{Telling, tools_in_words};
use krabba_types::{JsonObject, Message, Part, TemplateFamily, ToolAbility, ToolSpec};

use crate::build::Offered;
use crate::estimate::estimate_tokens;
use crate::fragment::SEPARATOR;

/// What a template puts around a message.
const PER_MESSAGE: u32 = 5;
/// What a template puts around a call or a result.
const PER_CALL: u32 = 12;
/// What a template puts around the description of a tool.
const PER_TOOL: u32 = 24;
/// What a template says about tools when there are any.
pub(crate) const ABOUT_TOOLS: u32 = 100;
/// What a picture costs. Vision models of today take between 250 and 2,500 tokens for a photograph.
const PER_IMAGE: u32 = 1_200;

/// The tokens of a message. Reasoning counts in messages with calls only: nowhere else is it sent back.
pub fn message_tokens(message: &Message) -> u32 {
    let calls = message.parts.iter().any(|part| matches!(part, Part::ToolCall(_)));
    let parts = message.parts.iter().map(|part| match part {
        Part::Text(text) => estimate_tokens(text),
        Part::Image(_) => PER_IMAGE,
        Part::Reasoning(reasoning) if calls => {
            estimate_tokens(&reasoning.text) + reasoning.origin.artefact.as_ref().map_or(0, object_tokens)
        }
        Part::Reasoning(_) => 0,
        Part::ToolCall(call) => PER_CALL + estimate_tokens(&call.name) + object_tokens(&call.arguments),
        Part::ToolResult(result) => {
            let pictures = u32::try_from(result.images.len()).unwrap_or(u32::MAX).saturating_mul(PER_IMAGE);
            (PER_CALL + estimate_tokens(&result.text)).saturating_add(pictures)
        }
    });
    parts.fold(PER_MESSAGE, u32::saturating_add)
}

/// The bytes of a message that are not reasoning, pictures counted as they travel.
pub(crate) fn message_bytes(message: &Message) -> usize {
    message
        .parts
        .iter()
        .map(|part| match part {
            Part::Text(text) => text.len(),
            Part::Image(image) => image.base64.len(),
            Part::Reasoning(_) => 0,
            Part::ToolCall(call) => call.name.len() + json(&call.arguments).len(),
            Part::ToolResult(result) => result.text.len() + result.images.iter().map(|image| image.base64.len()).sum::<usize>(),
        })
        .sum()
}

/// The tokens of a tool's description.
pub(crate) fn tool_tokens(tool: &ToolSpec) -> u32 {
    PER_TOOL + estimate_tokens(&tool.name) + estimate_tokens(&tool.description) + object_tokens(&tool.parameters)
}

/// The bytes of a tool's description as it travels in the wordiest dialect, Chat Completions.
pub(crate) fn tool_bytes(tool: &ToolSpec) -> usize {
    const FRAME: &str = r#"{"type":"function","function":{"name":"","description":"","parameters":}},"#;
    FRAME.len() + tool.name.len() + escaped_bytes(&tool.description) + json(&tool.parameters).len()
}

/// The bytes of all of them as they travel: in a field of their own, or in words at the end of the instructions.
pub(crate) fn tools_bytes(offered: Offered<'_>) -> usize {
    match offered.mode {
        ToolAbility::Native => offered.tools.iter().map(tool_bytes).sum(),
        // The way that is told at greater length: which one it is, is the server's affair, and may change.
        ToolAbility::Text | ToolAbility::Constrained => {
            let told = |telling| tools_in_words(offered.tools, telling, TemplateFamily::Unknown);
            let bytes = |text: String| escaped_bytes(SEPARATOR) + escaped_bytes(&text);
            [Telling::Marked, Telling::Object].into_iter().filter_map(told).map(bytes).max().unwrap_or(0)
        }
        ToolAbility::None => 0,
    }
}

/// The bytes of a text inside a JSON string.
pub(crate) fn escaped_bytes(text: &str) -> usize {
    let more = |byte: u8| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 1,
        0x00..0x20 => 5,
        _ => 0,
    };
    text.bytes().map(|byte| 1 + more(byte)).sum()
}

fn object_tokens(object: &JsonObject) -> u32 {
    estimate_tokens(&json(object))
}

/// A map of strings to JSON values always has a text.
fn json(object: &JsonObject) -> String {
    serde_json::to_string(object).unwrap_or_default()
}
