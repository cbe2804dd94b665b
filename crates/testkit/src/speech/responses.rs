//! OpenAI Responses, in full and as the lean form that llama.cpp sends (no sequence numbers, no indexes).

use serde_json::{Map, Value, json};

use super::{Counts, Line, Speech, Voice, Whole, arguments_on_wire, arguments_text, call_id, pieces};
use crate::ServerError;
use crate::kinds::AfterError;
use crate::step::{ArgumentsForm, CallStep};

pub(crate) struct Responses {
    voice: Voice,
    sequence: u64,
    open: Option<Item>,
    done: Vec<Value>,
    calls: usize,
}

struct Item {
    id: String,
    part: Part,
    text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Text,
    Reasoning,
}

impl Responses {
    pub(crate) fn new(voice: Voice) -> Self {
        Self { voice, sequence: 0, open: None, done: Vec::new(), calls: 0 }
    }

    fn event(&mut self, kind: &str, data: Value) -> Line {
        let mut members = Map::new();
        members.insert("type".to_owned(), kind.into());
        if let Value::Object(data) = data {
            members.extend(data);
        }
        if self.voice.habits.lean_responses {
            members.retain(|name, _| !matches!(name.as_str(), "output_index" | "content_index" | "summary_index"));
        } else {
            members.insert("sequence_number".to_owned(), self.sequence.into());
        }
        self.sequence += 1;
        Line::named(kind, Value::Object(members))
    }

    fn response(&self, status: &str, counts: Option<Counts>, incomplete: Option<&str>) -> Value {
        body(&self.voice, status, &self.done, counts, incomplete)
    }

    fn open(&mut self, part: Part, lines: &mut Vec<Line>) {
        if self.open.as_ref().is_some_and(|item| item.part == part) {
            return;
        }
        self.close(lines);
        let index = self.done.len();
        let (prefix, item) = match part {
            Part::Text => ("msg", json!({"type": "message", "role": "assistant", "status": "in_progress", "content": []})),
            Part::Reasoning => ("rs", json!({"type": "reasoning", "summary": [], "status": "in_progress"})),
        };
        let id = format!("{prefix}_{}", index + 1);
        let mut item = item;
        item["id"] = id.clone().into();
        lines.push(self.event("response.output_item.added", json!({"output_index": index, "item": item})));
        if part == Part::Text {
            let content = json!({"type": "output_text", "text": "", "annotations": []});
            let added = json!({"item_id": id, "output_index": index, "content_index": 0, "part": content});
            lines.push(self.event("response.content_part.added", added));
        }
        self.open = Some(Item { id, part, text: String::new() });
    }

    fn close(&mut self, lines: &mut Vec<Line>) {
        let Some(item) = self.open.take() else { return };
        let index = self.done.len();
        let at = json!({"item_id": item.id, "output_index": index, "content_index": 0});
        let with = |name: &str, value: Value| {
            let mut data = at.clone();
            data[name] = value;
            data
        };
        let finished = match item.part {
            Part::Text => {
                let content = json!({"type": "output_text", "text": item.text, "annotations": []});
                lines.push(self.event("response.output_text.done", with("text", item.text.clone().into())));
                lines.push(self.event("response.content_part.done", with("part", content)));
                message_item(&item.id, &item.text)
            }
            Part::Reasoning => {
                let kind = if self.voice.habits.summary_reasoning {
                    "response.reasoning_summary_text.done"
                } else {
                    "response.reasoning_text.done"
                };
                lines.push(self.event(kind, with("text", item.text.clone().into())));
                reasoning_item(&self.voice, &item.id, &item.text)
            }
        };
        lines.push(self.event("response.output_item.done", json!({"output_index": index, "item": finished})));
        self.done.push(finished);
    }

    fn delta(&mut self, part: Part, kind: &str, text: &str) -> Vec<Line> {
        let mut lines = Vec::new();
        self.open(part, &mut lines);
        let index = self.done.len();
        let Some(item) = self.open.as_mut() else { return lines };
        item.text.push_str(text);
        let data = json!({"item_id": item.id, "output_index": index, "content_index": 0, "delta": text});
        lines.push(self.event(kind, data));
        lines
    }
}

impl Speech for Responses {
    fn begin(&mut self) -> Vec<Line> {
        let response = self.response("in_progress", None, None);
        let created = self.event("response.created", json!({"response": response}));
        let in_progress = self.event("response.in_progress", json!({"response": response}));
        vec![created, in_progress]
    }

    fn text(&mut self, text: &str) -> Vec<Line> {
        self.delta(Part::Text, "response.output_text.delta", text)
    }

    fn reasoning(&mut self, text: &str) -> Vec<Line> {
        let kind =
            if self.voice.habits.summary_reasoning { "response.reasoning_summary_text.delta" } else { "response.reasoning_text.delta" };
        self.delta(Part::Reasoning, kind, text)
    }

    fn tool_call(&mut self, call: &CallStep) -> Vec<Line> {
        let mut lines = Vec::new();
        self.close(&mut lines);
        let index = self.done.len();
        let id = format!("fc_{}", index + 1);
        let mut item = call_item(call, &id, self.calls);
        self.calls += 1;
        let finished = item.clone();
        item["arguments"] = "".into();
        item["status"] = "in_progress".into();
        lines.push(self.event("response.output_item.added", json!({"output_index": index, "item": item})));
        if call.form != ArgumentsForm::AtEnd {
            for piece in pieces(&arguments_text(call), call.pieces.unwrap_or(1)) {
                let data = json!({"item_id": id, "output_index": index, "delta": piece});
                lines.push(self.event("response.function_call_arguments.delta", data));
            }
        }
        if call.form == ArgumentsForm::Unfinished {
            return lines;
        }
        if call.form != ArgumentsForm::AtEnd {
            let data = json!({"item_id": id, "output_index": index, "arguments": finished["arguments"]});
            lines.push(self.event("response.function_call_arguments.done", data));
        }
        lines.push(self.event("response.output_item.done", json!({"output_index": index, "item": finished})));
        self.done.push(finished);
        lines
    }

    fn error(&mut self, error: &ServerError) -> Vec<Line> {
        if self.voice.habits.lean_responses {
            // llama.cpp: the bare error without an event name, and nothing after it.
            return vec![Line::data((self.voice.habits.stream_error)(error))];
        }
        let code = error.code.clone().unwrap_or_else(|| "server_error".into());
        let mut lines = vec![self.event("error", json!({"code": code, "message": error.message, "param": error.param}))];
        match self.voice.habits.after_error {
            AfterError::DoneMarker => {
                let mut response = self.response("failed", None, None);
                response["error"] = json!({"code": code, "message": error.message});
                lines.push(self.event("response.failed", json!({"response": response})));
            }
            AfterError::Nothing | AfterError::EmptyDelta | AfterError::InChunk => {}
        }
        lines
    }

    fn finish(&mut self, reason: &str, counts: Option<Counts>) -> Vec<Line> {
        let mut lines = Vec::new();
        self.close(&mut lines);
        let (status, incomplete) = ending(reason);
        let response = self.response(status, counts, incomplete);
        lines.push(self.event(&format!("response.{status}"), json!({"response": response})));
        lines
    }

    fn usage(&mut self, _counts: Counts) -> Vec<Line> {
        Vec::new()
    }

    fn end_marker(&mut self) -> Vec<Line> {
        Vec::new()
    }
}

fn ending(reason: &str) -> (&'static str, Option<&str>) {
    match reason {
        "stop" | "tool_calls" => ("completed", None),
        "length" => ("incomplete", Some("max_output_tokens")),
        other => ("incomplete", Some(other)),
    }
}

fn message_item(id: &str, text: &str) -> Value {
    json!({
        "type": "message", "id": id, "role": "assistant", "status": "completed",
        "content": [{"type": "output_text", "text": text, "annotations": []}],
    })
}

fn reasoning_item(voice: &Voice, id: &str, text: &str) -> Value {
    if voice.habits.summary_reasoning {
        // Ollama puts the plain thinking into `encrypted_content`.
        let summary = json!([{"type": "summary_text", "text": text}]);
        return json!({"type": "reasoning", "id": id, "summary": summary, "encrypted_content": text, "status": "completed"});
    }
    json!({
        "type": "reasoning", "id": id, "summary": [], "content": [{"type": "reasoning_text", "text": text}],
        "encrypted_content": "", "status": "completed",
    })
}

fn call_item(call: &CallStep, id: &str, index: usize) -> Value {
    let mut item = json!({
        "type": "function_call", "id": id, "name": call.name, "arguments": arguments_on_wire(call), "status": "completed",
    });
    if !call.omit.iter().any(|omitted| omitted == "id") {
        item["call_id"] = call_id(call, index).into();
    }
    item
}

fn usage(counts: Counts) -> Value {
    json!({
        "input_tokens": counts.prompt, "input_tokens_details": {"cached_tokens": counts.cached},
        "output_tokens": counts.completion, "output_tokens_details": {"reasoning_tokens": counts.reasoning},
        "total_tokens": counts.prompt + counts.completion,
    })
}

fn body(voice: &Voice, status: &str, output: &[Value], counts: Option<Counts>, incomplete: Option<&str>) -> Value {
    let details = incomplete.map(|reason| json!({"reason": reason}));
    let usage = counts.map(usage);
    let mut body = json!({
        "id": voice.id, "object": "response", "created_at": 1_700_000_000, "status": status, "model": voice.model, "output": output,
        "usage": usage,
    });
    if !voice.habits.lean_responses {
        body["error"] = Value::Null;
        body["incomplete_details"] = json!(details);
        body["instructions"] = Value::Null;
        body["previous_response_id"] = Value::Null;
        body["tools"] = json!([]);
        body["tool_choice"] = "auto".into();
        body["parallel_tool_calls"] = true.into();
        body["store"] = false.into();
        body["metadata"] = json!({});
    }
    body
}

pub(crate) fn whole(voice: &Voice, answer: &Whole) -> Value {
    let mut output = Vec::new();
    if !answer.reasoning.is_empty() {
        output.push(reasoning_item(voice, "rs_1", &answer.reasoning));
    }
    if !answer.text.is_empty() {
        output.push(message_item("msg_1", &answer.text));
    }
    for (index, call) in answer.calls.iter().enumerate() {
        output.push(call_item(call, &format!("fc_{}", index + 1), index));
    }
    let (status, incomplete) = answer.finish.as_deref().map_or(("in_progress", None), ending);
    body(voice, status, &output, answer.counts, incomplete)
}
