//! What was already said of one answer, and the promises that all decoders keep about it: one ending, one end mark,
//! nothing after it, no calls after an error, reasoning closed before anything else begins.

use krabba_types::{JsonObject, Progress, ToolCallPart, Usage};
use serde_json::Value;

use crate::tolerant::word;
use crate::{ErrorBody, WireEvent, WireFinish};

/// Collects the events of one answer.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    queue: Vec<WireEvent>,
    open_reasoning: Option<OpenReasoning>,
    usage: Usage,
    calls_begun: u32,
    calls_done: u32,
    named: bool,
    finished: bool,
    failed: bool,
    ended: bool,
}

/// Reasoning that came since the last artefact.
#[derive(Debug)]
struct OpenReasoning {
    field: String,
    details: Vec<Value>,
}

impl Answer {
    /// Moves what was collected to `out`.
    pub(crate) fn drain_into(&mut self, out: &mut Vec<WireEvent>) {
        out.append(&mut self.queue);
    }

    /// Whether nothing was collected since the last [`Self::drain_into`].
    pub(crate) fn is_quiet(&self) -> bool {
        self.queue.is_empty()
    }

    /// Whether the server reported a failure.
    pub(crate) fn has_failed(&self) -> bool {
        self.failed
    }

    /// Takes the name of the model from the `model` field of an event.
    pub(crate) fn answered_by(&mut self, event: &Value) {
        if self.named {
            return;
        }
        if let Some(model) = word(event, "model") {
            self.named = true;
            self.push(WireEvent::AnsweredBy(model.to_owned()));
        }
    }

    /// A piece of the answer.
    pub(crate) fn text(&mut self, text: &str) {
        if !text.is_empty() {
            self.close_reasoning();
            self.push(WireEvent::Text(text.to_owned()));
        }
    }

    /// A piece of reasoning that came under `field`.
    pub(crate) fn reasoning(&mut self, field: &str, text: &str) {
        if !text.is_empty() {
            self.open_reasoning(field);
            self.push(WireEvent::Reasoning(text.to_owned()));
        }
    }

    /// A piece of OpenRouter's `reasoning_details`. Pieces of one entry (same type and index) are joined, because the
    /// whole entries are what must be sent back.
    pub(crate) fn reasoning_detail(&mut self, detail: &Value) {
        let details = &mut self.open_reasoning("reasoning_details").details;
        let same_entry = |last: &&mut Value| last.get("type") == detail.get("type") && last.get("index") == detail.get("index");
        match (details.last_mut().filter(same_entry), detail.as_object()) {
            (Some(Value::Object(last)), Some(piece)) => join_entry(last, piece),
            (Some(_) | None, _) => details.push(detail.clone()),
        }
    }

    /// Closes the open reasoning with an artefact of the provider.
    pub(crate) fn artefact(&mut self, field: &str, artefact: JsonObject) {
        self.open_reasoning = None;
        self.push(WireEvent::ReasoningArtefact { field: field.to_owned(), artefact });
    }

    /// Closes the open reasoning, if any, naming the field that it came under.
    pub(crate) fn close_reasoning(&mut self) {
        let Some(open) = self.open_reasoning.take() else { return };
        let (field, artefact) = if open.details.is_empty() {
            (open.field, JsonObject::new())
        } else {
            let details = JsonObject::from_iter([("reasoning_details".to_owned(), Value::Array(open.details))]);
            ("reasoning_details".to_owned(), details)
        };
        self.push(WireEvent::ReasoningArtefact { field, artefact });
    }

    /// The number of a call that begins, counted from 0.
    pub(crate) fn begin_call(&mut self) -> u32 {
        let number = self.calls_begun;
        self.calls_begun = number.saturating_add(1);
        number
    }

    /// A piece of a call.
    pub(crate) fn call_part(&mut self, part: ToolCallPart) {
        if part.name.is_some() || !part.arguments.is_empty() {
            self.close_reasoning();
            self.push(WireEvent::ToolCallPart(part));
        }
    }

    /// A call that is over.
    pub(crate) fn call(&mut self, server_id: Option<String>, name: String, arguments: Result<JsonObject, String>) {
        if self.failed {
            return;
        }
        self.close_reasoning();
        self.calls_done = self.calls_done.saturating_add(1);
        self.push(WireEvent::ToolCall { server_id, name, arguments });
    }

    /// What the server is doing.
    pub(crate) fn progress(&mut self, progress: Progress) {
        self.push(WireEvent::Progress(progress));
    }

    /// Counters, which add to those known so far. The same numbers again are not said again.
    pub(crate) fn usage(&mut self, usage: Option<Usage>) {
        let before = self.usage.clone();
        self.usage.update(&usage.unwrap_or_default());
        if self.usage != before {
            self.push(WireEvent::Usage(self.usage.clone()));
        }
    }

    /// The reason for the end; only the first one counts.
    pub(crate) fn finish(&mut self, finish: WireFinish) {
        if self.finished {
            return;
        }
        self.close_reasoning();
        let finish = if finish == WireFinish::Stop && self.calls_done > 0 { WireFinish::ToolCalls } else { finish };
        self.push(WireEvent::Finish(finish));
        self.finished = true;
    }

    /// The end mark.
    pub(crate) fn end(&mut self) {
        self.close_reasoning();
        self.push(WireEvent::EndMarker);
        self.ended = true;
    }

    /// A failure that the server reports. Calls that were on their way are lost: their arguments cannot be trusted.
    pub(crate) fn error(&mut self, error: ErrorBody) {
        self.push(WireEvent::Error(error));
        self.failed = true;
    }

    /// Something unreadable.
    pub(crate) fn malformed(&mut self, beginning: String) {
        self.push(WireEvent::Malformed(beginning));
    }

    fn open_reasoning(&mut self, field: &str) -> &mut OpenReasoning {
        self.open_reasoning.get_or_insert_with(|| OpenReasoning { field: field.to_owned(), details: Vec::new() })
    }

    fn push(&mut self, event: WireEvent) {
        if !self.ended {
            self.queue.push(event);
        }
    }
}

/// Texts grow, everything else is replaced by what is not null.
fn join_entry(entry: &mut JsonObject, piece: &JsonObject) {
    for (key, value) in piece {
        match (key.as_str(), entry.get_mut(key), value) {
            ("text" | "summary" | "data", Some(Value::String(text)), Value::String(more)) => text.push_str(more),
            (_, _, Value::Null) => {}
            _ => {
                entry.insert(key.clone(), value.clone());
            }
        }
    }
}
