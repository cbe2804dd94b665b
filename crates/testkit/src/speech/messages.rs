//! Anthropic Messages.

use serde_json::{Value, json};

use super::{Counts, Line, Speech, Voice, Whole, arguments_text, arguments_value, call_id, pieces};
use crate::ServerError;
use crate::step::{ArgumentsForm, CallStep};

pub(crate) struct Messages {
    voice: Voice,
    open: Option<Block>,
    blocks: usize,
    calls: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Block {
    Text,
    Thinking,
}

impl Messages {
    pub(crate) fn new(voice: Voice) -> Self {
        Self { voice, open: None, blocks: 0, calls: 0 }
    }

    fn event(data: Value) -> Line {
        let name = data["type"].as_str().unwrap_or_default().to_owned();
        Line::Event { name: Some(name), data }
    }

    fn open(&mut self, block: Block, lines: &mut Vec<Line>) {
        if self.open == Some(block) {
            return;
        }
        self.close(lines);
        let content = match block {
            Block::Text => json!({"type": "text", "text": ""}),
            Block::Thinking => json!({"type": "thinking", "thinking": "", "signature": ""}),
        };
        lines.push(Self::event(json!({"type": "content_block_start", "index": self.blocks, "content_block": content})));
        self.open = Some(block);
    }

    fn close(&mut self, lines: &mut Vec<Line>) {
        let Some(block) = self.open.take() else { return };
        if block == Block::Thinking && self.voice.habits.signatures {
            lines.push(self.delta(&json!({"type": "signature_delta", "signature": "c2lnbmF0dXJl"})));
        }
        lines.push(Self::event(json!({"type": "content_block_stop", "index": self.blocks})));
        self.blocks += 1;
    }

    fn delta(&self, delta: &Value) -> Line {
        Self::event(json!({"type": "content_block_delta", "index": self.blocks, "delta": delta}))
    }
}

impl Speech for Messages {
    fn begin(&mut self) -> Vec<Line> {
        let usage = usage(Counts { prompt: self.voice.prompt_tokens, completion: 0, cached: self.voice.cached_tokens, reasoning: 0 });
        vec![Self::event(json!({"type": "message_start", "message": {
            "id": self.voice.id, "type": "message", "role": "assistant", "model": self.voice.model, "content": [],
            "stop_reason": null, "stop_sequence": null, "usage": usage,
        }}))]
    }

    fn text(&mut self, text: &str) -> Vec<Line> {
        let mut lines = Vec::new();
        self.open(Block::Text, &mut lines);
        lines.push(self.delta(&json!({"type": "text_delta", "text": text})));
        lines
    }

    fn reasoning(&mut self, text: &str) -> Vec<Line> {
        let mut lines = Vec::new();
        self.open(Block::Thinking, &mut lines);
        lines.push(self.delta(&json!({"type": "thinking_delta", "thinking": text})));
        lines
    }

    fn tool_call(&mut self, call: &CallStep) -> Vec<Line> {
        let mut lines = Vec::new();
        self.close(&mut lines);
        let block = json!({"type": "tool_use", "id": call_id(call, self.calls), "name": call.name, "input": {}});
        self.calls += 1;
        lines.push(Self::event(json!({"type": "content_block_start", "index": self.blocks, "content_block": block})));
        for piece in pieces(&arguments_text(call), call.pieces.unwrap_or(1)) {
            lines.push(self.delta(&json!({"type": "input_json_delta", "partial_json": piece})));
        }
        if call.form != ArgumentsForm::Unfinished {
            lines.push(Self::event(json!({"type": "content_block_stop", "index": self.blocks})));
            self.blocks += 1;
        }
        lines
    }

    fn error(&mut self, error: &ServerError) -> Vec<Line> {
        vec![Self::event(error_body(error))]
    }

    fn finish(&mut self, reason: &str, counts: Option<Counts>) -> Vec<Line> {
        let mut lines = Vec::new();
        self.close(&mut lines);
        let mut event = json!({"type": "message_delta", "delta": {"stop_reason": stop_reason(reason), "stop_sequence": null}});
        if let Some(counts) = counts {
            event["usage"] = json!({"output_tokens": counts.completion});
        }
        lines.push(Self::event(event));
        lines
    }

    fn usage(&mut self, _counts: Counts) -> Vec<Line> {
        Vec::new()
    }

    fn end_marker(&mut self) -> Vec<Line> {
        vec![Self::event(json!({"type": "message_stop"}))]
    }
}

/// Anthropic's envelope, which every server uses on this path.
pub(crate) fn error_body(error: &ServerError) -> Value {
    let kind = error.kind.clone().unwrap_or_else(|| usual_kind(error.status).to_owned());
    json!({"type": "error", "error": {"type": kind, "message": error.message}, "request_id": "req_scripted"})
}

fn usual_kind(status: u16) -> &'static str {
    match status {
        400 => "invalid_request_error",
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        503 | 529 => "overloaded_error",
        _ => "api_error",
    }
}

fn stop_reason(reason: &str) -> &str {
    match reason {
        "stop" => "end_turn",
        "length" => "max_tokens",
        "tool_calls" => "tool_use",
        "content_filter" => "refusal",
        other => other,
    }
}

/// Anthropic counts the cached part of the prompt apart from the rest.
fn usage(counts: Counts) -> Value {
    json!({
        "input_tokens": counts.prompt.saturating_sub(counts.cached), "cache_read_input_tokens": counts.cached,
        "cache_creation_input_tokens": 0, "output_tokens": counts.completion,
    })
}

pub(crate) fn whole(voice: &Voice, answer: &Whole) -> Value {
    let mut content = Vec::new();
    if !answer.reasoning.is_empty() {
        let signature = if voice.habits.signatures { "c2lnbmF0dXJl" } else { "" };
        content.push(json!({"type": "thinking", "thinking": answer.reasoning, "signature": signature}));
    }
    if !answer.text.is_empty() {
        content.push(json!({"type": "text", "text": answer.text}));
    }
    for (index, call) in answer.calls.iter().enumerate() {
        content.push(json!({"type": "tool_use", "id": call_id(call, index), "name": call.name, "input": arguments_value(call)}));
    }
    let mut body = json!({
        "id": voice.id, "type": "message", "role": "assistant", "model": voice.model, "content": content,
        "stop_reason": answer.finish.as_deref().map(stop_reason), "stop_sequence": null,
    });
    if let Some(counts) = answer.counts {
        body["usage"] = usage(counts);
    }
    body
}
