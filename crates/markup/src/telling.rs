//! A conversation for a model whose server takes no `tools`: the tools stand in the instructions, calls in the answers, and what
//! came of them in messages of the person's role, so that the strictest template has nothing in it that it does not know.
//!
//! It looks at one message at a time and never at what follows, so that a request goes on where the one before it ended.

use std::fmt::Write as _;

use krabba_types::{Message, ModelRequest, Part, Role, TemplateFamily, ToolCall, ToolResult, ToolSpec};
use serde_json::{Value, json};

use crate::special::neutralise;

/// What a model is told of tools and calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Telling {
    /// It writes calls between marks.
    Marked,
    /// Each of its answers is one JSON object: words in it, or a call.
    Object,
    /// It has no tools. Calls of the past are told in brackets.
    Aside,
}

const MARKED: &str = include_str!("../prompts/tools.md");
const OBJECT: &str = include_str!("../prompts/object.md");

/// Makes a request without tools and calls of one with them. The descriptions of tools are somebody else's words: special tokens of
/// `family` in them are broken.
pub fn tell(mut request: ModelRequest, telling: Telling, family: TemplateFamily) -> ModelRequest {
    let tools = std::mem::take(&mut request.tools);
    let mut told: Vec<Message> = Vec::with_capacity(request.messages.len() + 1);
    for message in std::mem::take(&mut request.messages) {
        match message.role {
            Role::System => told.push(message),
            Role::User => ask(&mut told, message.parts),
            Role::Assistant => told.push(answered(message, telling)),
            Role::Tool => ask(&mut told, message.parts.into_iter().flat_map(result).collect()),
        }
    }
    if let Some(described) = tools_in_words(&tools, telling, family).map(Part::Text) {
        match told.first_mut() {
            Some(first) if first.role == Role::System => first.parts.push(described),
            Some(_) | None => told.insert(0, Message { role: Role::System, parts: vec![described] }),
        }
    }
    request.messages = told;
    request
}

/// The results of one answer are one message: two of a person in a row break strict templates.
fn ask(told: &mut Vec<Message>, parts: Vec<Part>) {
    match told.last_mut() {
        Some(last) if last.role == Role::User => last.parts.extend(parts),
        Some(_) | None => told.push(Message { role: Role::User, parts }),
    }
}

fn result(part: Part) -> Vec<Part> {
    let Part::ToolResult(ToolResult { call: _, name, text, is_error, images }) = part else { return Vec::new() };
    let text = Part::Text(format!("[{} of {name}]\n{text}", if is_error { "error" } else { "result" }));
    std::iter::once(text).chain(images.into_iter().map(Part::Image)).collect()
}

/// Thoughts go with structured calls only.
fn answered(message: Message, telling: Telling) -> Message {
    let calls = message.parts.iter().any(|part| matches!(part, Part::ToolCall(_)));
    let parts = message.parts.into_iter().filter_map(|part| match part {
        Part::Text(text) if telling == Telling::Object && !calls => Some(Part::Text(json!({ "reply": text }).to_string())),
        Part::ToolCall(call) => Some(Part::Text(written(&call, telling))),
        Part::Reasoning(_) | Part::ToolResult(_) => None,
        Part::Text(_) | Part::Image(_) => Some(part),
    });
    Message { role: message.role, parts: parts.collect() }
}

fn written(call: &ToolCall, telling: Telling) -> String {
    let arguments = Value::Object(call.arguments.clone());
    match telling {
        Telling::Marked => format!("<tool_call>\n{{\"name\": {}, \"arguments\": {arguments}}}\n</tool_call>", json!(call.name)),
        Telling::Object => format!("{{\"name\": {}, \"arguments\": {arguments}}}", json!(call.name)),
        Telling::Aside => format!("[called {} with {arguments}]", call.name),
    }
}

/// What [`tell`] adds to the instructions; `None` where there is nothing to call.
pub fn tools_in_words(tools: &[ToolSpec], telling: Telling, family: TemplateFamily) -> Option<String> {
    let how = match telling {
        Telling::Marked => MARKED,
        Telling::Object => OBJECT,
        Telling::Aside => return None,
    };
    if tools.is_empty() {
        return None;
    }
    let mut text = how.trim_end().to_owned();
    for tool in tools {
        let line = json!({ "name": tool.name, "description": tool.description, "parameters": tool.parameters }).to_string();
        // Writing to a text cannot fail.
        let _ = write!(text, "\n{}", neutralise(&line, family));
    }
    Some(text)
}
