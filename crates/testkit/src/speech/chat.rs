//! OpenAI Chat Completions.

use serde_json::{Map, Value, json};

use super::{Counts, Line, Speech, Voice, Whole, arguments_on_wire, arguments_text, call_id, pieces};
use crate::ServerError;
use crate::kinds::AfterError;
use crate::step::{ArgumentsForm, CallStep, ProgressStep};

pub(crate) struct Chat {
    voice: Voice,
    calls: usize,
}

impl Chat {
    pub(crate) fn new(voice: Voice) -> Self {
        Self { voice, calls: 0 }
    }

    fn delta(&self, delta: Value) -> Line {
        Line::data(chunk(&self.voice, json!([{"index": 0, "delta": delta, "finish_reason": null}])))
    }
}

fn chunk(voice: &Voice, choices: Value) -> Value {
    json!({"id": voice.id, "object": "chat.completion.chunk", "created": 1_700_000_000, "model": voice.model, "choices": choices})
}

/// llama.cpp, asked with `return_progress`.
pub(crate) fn progress(voice: &Voice, step: ProgressStep) -> Line {
    let mut data = chunk(voice, json!([{"index": 0, "delta": {"role": "assistant", "content": null}, "finish_reason": null}]));
    data["prompt_progress"] = json!({"total": step.total, "cache": 0, "processed": step.done, "time_ms": 1});
    Line::data(data)
}

impl Speech for Chat {
    fn begin(&mut self) -> Vec<Line> {
        vec![self.delta(json!({"role": "assistant", "content": ""}))]
    }

    fn text(&mut self, text: &str) -> Vec<Line> {
        vec![self.delta(json!({"content": text}))]
    }

    fn reasoning(&mut self, text: &str) -> Vec<Line> {
        let mut delta = Map::new();
        match self.voice.reasoning_field.as_str() {
            "reasoning_details" => {
                delta.insert("reasoning_details".to_owned(), json!([{"type": "reasoning.text", "text": text, "index": 0}]));
            }
            field => {
                delta.insert(field.to_owned(), text.into());
            }
        }
        vec![self.delta(Value::Object(delta))]
    }

    fn tool_call(&mut self, call: &CallStep) -> Vec<Line> {
        let index = self.calls;
        self.calls += 1;
        let text = arguments_text(call);
        let parts = match call.form {
            ArgumentsForm::Object => vec![arguments_on_wire(call)],
            ArgumentsForm::Usual | ArgumentsForm::AtEnd | ArgumentsForm::Unfinished => {
                let parts = pieces(&text, call.pieces.unwrap_or(1));
                if parts.is_empty() { vec![Value::String(text)] } else { parts.into_iter().map(Value::String).collect() }
            }
        };
        let part = |position: usize, arguments: Value| self.delta(json!({"tool_calls": [call_part(call, index, position, arguments)]}));
        parts.into_iter().enumerate().map(|(position, arguments)| part(position, arguments)).collect()
    }

    fn error(&mut self, error: &ServerError) -> Vec<Line> {
        let body = (self.voice.habits.stream_error)(error);
        match self.voice.habits.after_error {
            AfterError::Nothing => vec![Line::data(body)],
            AfterError::DoneMarker => vec![Line::data(body), Line::Bare("[DONE]")],
            AfterError::EmptyDelta => vec![self.delta(json!({"role": "assistant", "content": ""}))],
            AfterError::InChunk => {
                let mut data = chunk(&self.voice, json!([{"index": 0, "delta": {"content": ""}, "finish_reason": "error"}]));
                data["error"] = body["error"].clone();
                vec![Line::data(data)]
            }
        }
    }

    fn finish(&mut self, reason: &str, _counts: Option<Counts>) -> Vec<Line> {
        let delta = if self.voice.habits.empty_tool_calls { json!({"tool_calls": []}) } else { json!({}) };
        vec![Line::data(chunk(&self.voice, json!([{"index": 0, "delta": delta, "finish_reason": reason}])))]
    }

    fn usage(&mut self, counts: Counts) -> Vec<Line> {
        let mut data = chunk(&self.voice, json!([]));
        data["usage"] = usage(&self.voice, counts);
        if self.voice.habits.timings {
            data["timings"] = timings(counts);
        }
        vec![Line::data(data)]
    }

    fn end_marker(&mut self) -> Vec<Line> {
        vec![Line::Bare("[DONE]")]
    }
}

fn call_part(call: &CallStep, index: usize, position: usize, arguments: Value) -> Value {
    let omits = |field: &str| call.omit.iter().any(|omitted| omitted == field);
    let mut part = Map::new();
    if !omits("index") {
        part.insert("index".to_owned(), call.index.map_or_else(|| json!(index), |index| json!(index)));
    }
    let mut function = Map::new();
    if position == 0 {
        if !omits("id") {
            part.insert("id".to_owned(), call_id(call, index).into());
        }
        if !omits("type") {
            part.insert("type".to_owned(), "function".into());
        }
        function.insert("name".to_owned(), call.name.clone().into());
    } else {
        if let Some(id) = &call.later_id {
            part.insert("id".to_owned(), id.clone().into());
        }
        if let Some(name) = &call.later_name {
            function.insert("name".to_owned(), name.clone().into());
        }
    }
    function.insert("arguments".to_owned(), arguments);
    part.insert("function".to_owned(), Value::Object(function));
    Value::Object(part)
}

fn usage(voice: &Voice, counts: Counts) -> Value {
    let mut usage =
        json!({"prompt_tokens": counts.prompt, "completion_tokens": counts.completion, "total_tokens": counts.prompt + counts.completion});
    if voice.habits.cached_tokens {
        usage["prompt_tokens_details"] = json!({"cached_tokens": counts.cached});
    }
    if counts.reasoning > 0 {
        usage["completion_tokens_details"] = json!({"reasoning_tokens": counts.reasoning});
    }
    usage
}

fn timings(counts: Counts) -> Value {
    json!({
        "cache_n": counts.cached, "prompt_n": counts.prompt.saturating_sub(counts.cached), "prompt_ms": 100.0, "prompt_per_second": 1000.0,
        "predicted_n": counts.completion, "predicted_ms": 100.0, "predicted_per_second": 50.0,
    })
}

pub(crate) fn whole(voice: &Voice, answer: &Whole) -> Value {
    let mut message = Map::new();
    message.insert("role".to_owned(), "assistant".into());
    let content = if answer.text.is_empty() && !answer.calls.is_empty() { Value::Null } else { answer.text.clone().into() };
    message.insert("content".to_owned(), content);
    if !answer.reasoning.is_empty() {
        let value = match voice.reasoning_field.as_str() {
            "reasoning_details" => json!([{"type": "reasoning.text", "text": answer.reasoning, "index": 0}]),
            _ => answer.reasoning.clone().into(),
        };
        message.insert(voice.reasoning_field.clone(), value);
    }
    if !answer.calls.is_empty() || voice.habits.empty_tool_calls {
        let calls: Vec<Value> = answer.calls.iter().enumerate().map(|(index, call)| whole_call(call, index)).collect();
        message.insert("tool_calls".to_owned(), calls.into());
    }
    let mut body = json!({
        "id": voice.id, "object": "chat.completion", "created": 1_700_000_000, "model": voice.model,
        "choices": [{"index": 0, "message": message, "finish_reason": answer.finish}],
    });
    if let Some(counts) = answer.counts {
        body["usage"] = usage(voice, counts);
        if voice.habits.timings {
            body["timings"] = timings(counts);
        }
    }
    body
}

fn whole_call(call: &CallStep, index: usize) -> Value {
    let mut value = json!({"type": "function", "function": {"name": call.name, "arguments": arguments_on_wire(call)}});
    if !call.omit.iter().any(|omitted| omitted == "id") {
        value["id"] = call_id(call, index).into();
    }
    value
}
