//! Ollama's native chat, NDJSON.

use serde_json::{Value, json};

use super::{Counts, Line, Speech, Voice, Whole, arguments_value, call_id};
use crate::ServerError;
use crate::step::CallStep;

pub(crate) struct Ollama {
    voice: Voice,
}

impl Ollama {
    pub(crate) fn new(voice: Voice) -> Self {
        Self { voice }
    }

    fn message(&self, message: &Value) -> Vec<Line> {
        vec![Line::data(json!({
            "model": self.voice.model, "created_at": "2026-01-01T00:00:00Z", "message": message, "done": false,
        }))]
    }
}

impl Speech for Ollama {
    fn begin(&mut self) -> Vec<Line> {
        Vec::new()
    }

    fn text(&mut self, text: &str) -> Vec<Line> {
        self.message(&json!({"role": "assistant", "content": text}))
    }

    fn reasoning(&mut self, text: &str) -> Vec<Line> {
        self.message(&json!({"role": "assistant", "content": "", "thinking": text}))
    }

    fn tool_call(&mut self, call: &CallStep) -> Vec<Line> {
        self.message(&json!({"role": "assistant", "content": "", "tool_calls": [tool_call(call)]}))
    }

    fn error(&mut self, error: &ServerError) -> Vec<Line> {
        vec![Line::data(json!({"error": error.message}))]
    }

    fn finish(&mut self, reason: &str, counts: Option<Counts>) -> Vec<Line> {
        let mut last = json!({
            "model": self.voice.model, "created_at": "2026-01-01T00:00:01Z", "message": {"role": "assistant", "content": ""},
            "done": true, "done_reason": done_reason(reason),
        });
        add_counts(&mut last, counts);
        vec![Line::data(last)]
    }

    fn usage(&mut self, _counts: Counts) -> Vec<Line> {
        Vec::new()
    }

    fn end_marker(&mut self) -> Vec<Line> {
        Vec::new()
    }
}

fn tool_call(call: &CallStep) -> Value {
    let mut value = json!({"function": {"name": call.name, "arguments": arguments_value(call)}});
    // Only recent releases send an id; a script asks for one by naming it.
    if call.id.is_some() {
        value["id"] = call_id(call, 0).into();
    }
    if let Some(index) = call.index {
        value["function"]["index"] = index.into();
    }
    value
}

fn done_reason(reason: &str) -> &str {
    match reason {
        "tool_calls" | "content_filter" => "stop",
        other => other,
    }
}

fn add_counts(body: &mut Value, counts: Option<Counts>) {
    let Some(counts) = counts else { return };
    body["total_duration"] = 2_000_000_000_u64.into();
    body["load_duration"] = 1_000_000_u64.into();
    body["prompt_eval_count"] = counts.prompt.into();
    body["prompt_eval_duration"] = 500_000_000_u64.into();
    body["eval_count"] = counts.completion.into();
    body["eval_duration"] = 1_000_000_000_u64.into();
}

pub(crate) fn whole(voice: &Voice, answer: &Whole) -> Value {
    let mut message = json!({"role": "assistant", "content": answer.text});
    if !answer.reasoning.is_empty() {
        message["thinking"] = answer.reasoning.clone().into();
    }
    if !answer.calls.is_empty() {
        message["tool_calls"] = answer.calls.iter().map(tool_call).collect();
    }
    let mut body = json!({
        "model": voice.model, "created_at": "2026-01-01T00:00:01Z", "message": message, "done": answer.finish.is_some(),
    });
    if let Some(reason) = &answer.finish {
        body["done_reason"] = done_reason(reason).into();
    }
    add_counts(&mut body, answer.counts);
    body
}
