//! A conversation with everything in it: instructions, a picture, reasoning, a call, a failed call, an answer.

#![allow(dead_code, reason = "each test program uses its part of it")]

use krabba_types::{
    Aliases, CallChannel, CallId, Calling, Image, JsonObject, Message, ModelId, ModelRef, ModelRequest, Params, Part, ProviderId,
    Reasoning, ReasoningOrigin, Role, Thinking, ToolCall, ToolResult, ToolSpec,
};
use serde_json::{Value, json};

pub(crate) fn route() -> ModelRef {
    ModelRef::new(ProviderId::new("box"), ModelId::new("qwen/qwen3:8b@q4_k_m"))
}

pub(crate) fn object(value: Value) -> JsonObject {
    value.as_object().cloned().unwrap()
}

pub(crate) fn request(messages: Vec<Message>) -> ModelRequest {
    ModelRequest {
        model: route().model,
        messages,
        tools: vec![ToolSpec {
            name: "read".to_owned(),
            description: "Reads a file.".to_owned(),
            parameters: object(json!({
                "type": "object",
                "properties": {"path": {"type": "string", "pattern": "^/", "maxLength": 400}, "format": {"type": "string"}},
                "required": ["path"]
            })),
            aliases: Aliases::default(),
        }],
        calling: Calling::default(),
        max_output_tokens: Some(4_000),
        thinking: Thinking::Medium,
        params: Params {
            temperature: Some(0.7),
            top_p: Some(0.9),
            top_k: Some(40),
            min_p: Some(0.05),
            seed: Some(7),
            stop: vec!["###".to_owned()],
            ..Params::default()
        },
    }
}

pub(crate) fn reasoning(field: &str, text: &str, artefact: Option<Value>) -> Part {
    let origin = ReasoningOrigin { route: route(), field: field.to_owned(), artefact: artefact.map(object) };
    Part::Reasoning(Reasoning { text: text.to_owned(), origin })
}

pub(crate) fn call(id: &str, arguments: Value) -> Part {
    Part::ToolCall(ToolCall { id: CallId::new(id), name: "read".to_owned(), arguments: object(arguments), channel: CallChannel::default() })
}

pub(crate) fn result(id: &str, text: &str, is_error: bool) -> Message {
    let result = ToolResult { call: CallId::new(id), name: "read".to_owned(), text: text.to_owned(), is_error, images: Vec::new() };
    Message { role: Role::Tool, parts: vec![Part::ToolResult(result)] }
}

/// Two calls, one of which brings a picture.
pub(crate) fn looking() -> Vec<Message> {
    let mut picture = result("abcDEF123", "a picture", false);
    if let Some(Part::ToolResult(result)) = picture.parts.first_mut() {
        result.images.push(Image { media_type: "image/png".to_owned(), base64: "iVBORw0KGgo=".to_owned() });
    }
    vec![
        Message::text(Role::User, "What is this?"),
        Message { role: Role::Assistant, parts: vec![call("abcDEF123", json!({"path": "/a"})), call("abcDEF456", json!({"path": "/b"}))] },
        picture,
        result("abcDEF456", "a text", false),
    ]
}

pub(crate) fn conversation() -> Vec<Message> {
    let image = Image { media_type: "image/png".to_owned(), base64: "iVBORw0KGgo=".to_owned() };
    let signed = json!({"type": "thinking", "thinking": "I read both.", "signature": "c2ln"});
    vec![
        Message::text(Role::System, "You are krabba."),
        Message {
            role: Role::User,
            parts: vec![Part::Text("What is this?".to_owned()), Part::Image(image), Part::Text("[10:02]".to_owned())],
        },
        Message {
            role: Role::Assistant,
            parts: vec![
                reasoning("reasoning_content", "I read both.", Some(signed)),
                Part::Text("Let me look.".to_owned()),
                call("turn-1/call-1", json!({"path": "/a", "depth": 2})),
                call("abcDEF123", json!({})),
            ],
        },
        result("turn-1/call-1", "contents of a", false),
        result("abcDEF123", "no path given", true),
        Message {
            role: Role::Assistant,
            parts: vec![reasoning("reasoning_content", "Done.", None), Part::Text("It is a crab.".to_owned())],
        },
        Message::text(Role::User, "Thanks."),
    ]
}
