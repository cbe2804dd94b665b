//! Lines of Ollama's chat, and the whole reply, which is the last line with everything in it.

use serde_json::Value;

use crate::answer::Answer;
use crate::tolerant::{list, object, text};
use crate::tool_calls::{Cut, Form, ToolCalls};
use crate::{finish_word, usage};

/// There is no state: calls come whole, one or several to a line.
#[derive(Debug)]
pub(crate) struct Decode;

impl Decode {
    /// One line.
    pub(crate) fn object(&mut self, line: &Value, answer: &mut Answer) {
        answer.answered_by(line);
        let message = object(line, "message").unwrap_or(line);
        if let Some(thought) = text(message, "thinking") {
            answer.reasoning("thinking", thought);
        }
        // `response` is the name in `/api/generate`.
        if let Some(said) = text(message, "content").or_else(|| text(message, "response")) {
            answer.text(said);
        }
        let mut calls = ToolCalls::default();
        for call in list(message, "tool_calls") {
            calls.take(call, Form::Whole, answer);
        }
        calls.flush(Cut::Finished, answer);
        if line.get("done").and_then(Value::as_bool) == Some(true) {
            answer.usage(usage::ollama(line));
            if let Some(finish) = finish_word::read(line.get("done_reason")) {
                answer.finish(finish);
            }
            answer.end();
        }
    }
}
