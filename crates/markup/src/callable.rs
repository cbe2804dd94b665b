//! What a model that is held to a form may call: the tools that it was told of, and through [`CALL_TOOL`] those that a search finds,
//! each with arguments of its own schema. The form is no part of the prompt, so it may differ from request to request.
//!
//! A search may find hundreds, and engines become slow with a large form or refuse it (OpenAI beyond 120,000 characters of names and
//! choices; llama.cpp writes down every repetition). Those that the conversation names come first, which are those that the model has
//! found; the others follow as long as there is room, and what has none cannot be called before it was found.

use krabba_types::{CALL_TOOL, Message, ModelRequest, Part, ToolSpec};
use serde_json::Value;

use crate::mould::{Field, Mould};

/// The room for all further tools: characters of their schemas and repetitions in them. About a hundred usual tools.
const FURTHER: u64 = 50_000;

/// The names, and what the arguments must be.
pub(crate) fn callable(request: &ModelRequest) -> Vec<(&str, Mould)> {
    let arguments = |tool: &ToolSpec| match tool.name.as_str() {
        CALL_TOOL => through(&request.calling.further, &request.messages),
        _ => Some(Mould::of(&tool.parameters)),
    };
    request.tools.iter().filter_map(|tool| Some((tool.name.as_str(), arguments(tool)?))).collect()
}

/// The arguments of [`CALL_TOOL`]; `None` when there is nothing that it could call.
fn through(further: &[ToolSpec], messages: &[Message]) -> Option<Mould> {
    let (named, others): (Vec<&ToolSpec>, Vec<&ToolSpec>) =
        further.iter().partition(|tool| messages.iter().any(|message| names(message, tool)));
    let mut room = FURTHER;
    let mut calls: Vec<(&str, Mould)> = Vec::new();
    for tool in named.into_iter().chain(others) {
        let mould = Mould::of(&tool.parameters);
        let size = u64::try_from(mould.schema().to_string().len() + tool.name.len()).unwrap_or(u64::MAX);
        if let Some(left) = room.checked_sub(size.saturating_add(mould.repetitions())) {
            room = left;
            calls.push((&tool.name, call(&tool.name, mould)));
        }
    }
    // The same form as long as the same ones have room: servers keep what they made of it.
    calls.sort_by_key(|(name, _)| *name);
    (!calls.is_empty()).then(|| Mould::Either(calls.into_iter().map(|(_, call)| call).collect()))
}

fn call(name: &str, arguments: Mould) -> Mould {
    let field = |name: &str, mould| Field { name: name.to_owned(), required: true, mould };
    Mould::Object(vec![field("name", Mould::Values(vec![name.into()])), field("arguments", arguments)])
}

fn names(message: &Message, tool: &ToolSpec) -> bool {
    message.parts.iter().any(|part| match part {
        Part::Text(text) => text.contains(&tool.name),
        Part::ToolResult(result) => result.text.contains(&tool.name),
        Part::ToolCall(call) => call.arguments.get("name").and_then(Value::as_str) == Some(tool.name.as_str()),
        Part::Image(_) | Part::Reasoning(_) => false,
    })
}
