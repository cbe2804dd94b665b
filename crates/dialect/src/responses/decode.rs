//! Events of a Responses answer, and the whole response object.
//!
//! The same text may come three times: in deltas, in `output_item.done`, in `response.completed`. Servers leave out any
//! of the three (llama.cpp sends lean events without positions, LM Studio may skip `content_part.added`, bridges send
//! only the last), so deltas are passed on as they come, and each later form adds only what was not said yet. Items
//! follow one another, which is why "the open item" needs no id: ids differ between forms on several servers.

use serde_json::Value;

use crate::answer::Answer;
use crate::tolerant::{count, list, object, text, word};
use crate::tool_calls::{Cut, PartialCall};
use crate::{WireFinish, error_body, finish_word, usage};

/// State across the events of one answer.
#[derive(Debug, Default)]
pub(crate) struct Decode {
    /// Text of the open message item, and of the whole answer.
    item_text: String,
    all_text: String,
    thought: Thought,
    calls: Vec<OpenCall>,
    done_calls: Vec<DoneCall>,
}

/// The open reasoning item.
#[derive(Debug, Default)]
struct Thought {
    /// Whether deltas came, and of which kind: a server may send its thoughts both raw and summarised.
    kind: Option<ThoughtKind>,
    /// A new part of the summary began.
    new_part: bool,
    /// Items whose reasoning was given out already, by id.
    closed: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ThoughtKind {
    Raw,
    Summary,
}

#[derive(Debug)]
struct OpenCall {
    item_id: Option<String>,
    output_index: Option<u64>,
    call: PartialCall,
}

/// What is needed to know a call again.
#[derive(Debug, PartialEq)]
struct DoneCall {
    item_id: Option<String>,
    call_id: Option<String>,
}

impl Decode {
    /// One event, or the whole response object.
    pub(crate) fn object(&mut self, event: Option<&str>, value: &Value, answer: &mut Answer) {
        let kind = text(value, "type").or(event).unwrap_or_default();
        if let Some(response) = object(value, "response") {
            answer.answered_by(response);
        }
        match kind {
            "response.output_text.delta" | "response.refusal.delta" => self.said(text(value, "delta").unwrap_or_default(), answer),
            "response.output_text.done" | "response.refusal.done" if self.item_text.is_empty() => {
                self.said(text(value, "text").or_else(|| text(value, "refusal")).unwrap_or_default(), answer);
            }
            "response.reasoning_text.delta" | "response.reasoning.delta" => self.thought(ThoughtKind::Raw, value, answer),
            "response.reasoning_summary_text.delta" | "response.reasoning_summary.delta" => {
                self.thought(ThoughtKind::Summary, value, answer);
            }
            "response.reasoning_summary_part.added" => self.thought.new_part = self.thought.kind == Some(ThoughtKind::Summary),
            "response.output_item.added" => self.item_added(value, answer),
            "response.output_item.done" => {
                if let Some(item) = object(value, "item") {
                    self.item_done(item, count(value, "output_index"), answer);
                }
            }
            "response.function_call_arguments.delta" => self.arguments_delta(value, answer),
            "response.function_call_arguments.done" => self.arguments_done(value, answer),
            "response.completed" | "response.incomplete" | "response.failed" | "response.cancelled" | "response.done" => {
                let ending = kind.strip_prefix("response.").unwrap_or(kind);
                self.terminal(ending, value.get("response").unwrap_or(value), answer);
            }
            _ if value.get("output").is_some_and(Value::is_array) => {
                answer.answered_by(value);
                self.terminal("done", value, answer);
            }
            _ => {}
        }
    }

    /// `[DONE]`, which OpenResponses asks for and bridges send.
    pub(crate) fn end_mark(&mut self, answer: &mut Answer) {
        self.close_calls(Cut::Finished, answer);
    }

    /// The end of the file.
    pub(crate) fn end_of_file(&mut self, answer: &mut Answer) {
        self.close_calls(Cut::EndOfFile, answer);
    }

    fn said(&mut self, text: &str, answer: &mut Answer) {
        self.item_text.push_str(text);
        self.all_text.push_str(text);
        answer.text(text);
    }

    fn thought(&mut self, kind: ThoughtKind, value: &Value, answer: &mut Answer) {
        let delta = text(value, "delta").unwrap_or_default();
        if *self.thought.kind.get_or_insert(kind) != kind {
            return;
        }
        if std::mem::take(&mut self.thought.new_part) {
            answer.reasoning("reasoning", "\n\n");
        }
        answer.reasoning("reasoning", delta);
    }

    fn item_added(&mut self, value: &Value, answer: &mut Answer) {
        let Some(item) = object(value, "item") else { return };
        match text(item, "type").unwrap_or_default() {
            "message" => self.item_text.clear(),
            "reasoning" => self.thought.kind = None,
            "function_call" => {
                let mut call = PartialCall::new(answer.begin_call());
                call.id = word(item, "call_id").map(str::to_owned);
                call.take_name(text(item, "name"), answer);
                let item_id = word(item, "id").or_else(|| word(value, "item_id")).map(str::to_owned);
                self.calls.push(OpenCall { item_id, output_index: count(value, "output_index"), call });
            }
            _ => {}
        }
    }

    fn item_done(&mut self, item: &Value, output_index: Option<u64>, answer: &mut Answer) {
        match text(item, "type").unwrap_or_default() {
            "message" => {
                let unsaid = unsaid(&message_text(item), &self.item_text);
                self.said(&unsaid, answer);
                self.item_text.clear();
            }
            "reasoning" => self.reasoning_done(item, answer),
            "function_call" => self.call_done(item, output_index, answer),
            _ => {}
        }
    }

    fn reasoning_done(&mut self, item: &Value, answer: &mut Answer) {
        let id = text(item, "id").unwrap_or_default().to_owned();
        if self.thought.closed.contains(&id) {
            return;
        }
        self.thought.closed.push(id);
        if self.thought.kind.take().is_none() {
            answer.reasoning("reasoning", &reasoning_text(item));
        }
        // What neither the server nor we could read again is of no use in the next request.
        let is_returnable = text(item, "encrypted_content").is_some() || !list(item, "content").is_empty();
        match item.as_object().filter(|_| is_returnable) {
            Some(item) => answer.artefact("reasoning", item.clone()),
            None => answer.close_reasoning(),
        }
    }

    fn arguments_delta(&mut self, value: &Value, answer: &mut Answer) {
        if let Some(open) = self.open_call(value) {
            open.call.take_arguments(value.get("delta").unwrap_or(&Value::Null), answer);
        }
    }

    fn arguments_done(&mut self, value: &Value, answer: &mut Answer) {
        if let Some(open) = self.open_call(value) {
            open.call.take_name(text(value, "name"), answer);
            open.call.replace_arguments(value.get("arguments").unwrap_or(&Value::Null));
        }
    }

    fn open_call(&mut self, value: &Value) -> Option<&mut OpenCall> {
        let position = self.position(word(value, "item_id"), count(value, "output_index"))?;
        self.calls.get_mut(position)
    }

    /// By id, else by place, else the last one.
    fn position(&self, item_id: Option<&str>, output_index: Option<u64>) -> Option<usize> {
        let by_id = item_id.and_then(|id| self.calls.iter().position(|open| open.item_id.as_deref() == Some(id)));
        let by_index = || output_index.and_then(|index| self.calls.iter().position(|open| open.output_index == Some(index)));
        by_id.or_else(by_index).or_else(|| self.calls.len().checked_sub(1))
    }

    fn call_done(&mut self, item: &Value, output_index: Option<u64>, answer: &mut Answer) {
        let item_id = word(item, "id");
        let call_id = word(item, "call_id");
        let is_open = self.calls.iter().any(|open| is_same(open, item_id, call_id, output_index));
        let mut call = match self.position(item_id, output_index).filter(|_| is_open) {
            Some(position) => self.calls.remove(position).call,
            None => PartialCall::new(answer.begin_call()),
        };
        call.take_name(text(item, "name"), answer);
        call.id = call_id.map(str::to_owned).or(call.id);
        call.replace_arguments(item.get("arguments").unwrap_or(&Value::Null));
        self.done_calls.push(DoneCall { item_id: item_id.map(str::to_owned), call_id: call.id.clone() });
        call.close(Cut::Finished, answer);
    }

    fn terminal(&mut self, ending: &str, response: &Value, answer: &mut Answer) {
        let status = text(response, "status").unwrap_or(ending);
        if let Some(error) = failure(ending, status, response) {
            answer.error(error);
            answer.end();
            return;
        }
        let mut call_number = 0;
        let mut full_text = String::new();
        for item in list(response, "output") {
            match text(item, "type").unwrap_or_default() {
                "message" => {
                    full_text.push_str(&message_text(item));
                    self.said(&unsaid(&full_text, &self.all_text), answer);
                }
                "reasoning" => self.reasoning_at_end(item, answer),
                "function_call" => {
                    if !self.is_done(item, call_number) {
                        self.call_done(item, None, answer);
                    }
                    call_number += 1;
                }
                _ => {}
            }
        }
        let finish = finish(ending, status, response);
        self.close_calls(if finish == WireFinish::Length { Cut::ByLength } else { Cut::Finished }, answer);
        answer.usage(usage::openai_like(response));
        answer.finish(finish);
        answer.end();
    }

    /// Reasoning that no earlier event told. Once text or calls came, it is too late for it.
    fn reasoning_at_end(&mut self, item: &Value, answer: &mut Answer) {
        if self.thought.closed.is_empty() && self.all_text.is_empty() && self.done_calls.is_empty() {
            self.reasoning_done(item, answer);
        }
    }

    /// Whether this call of the final list was given out before: by an id, or, if it has none, by its place.
    fn is_done(&self, item: &Value, number: usize) -> bool {
        let (item_id, call_id) = (word(item, "id"), word(item, "call_id"));
        if item_id.is_none() && call_id.is_none() {
            return number < self.done_calls.len();
        }
        self.done_calls.iter().any(|done| {
            (call_id.is_some() && done.call_id.as_deref() == call_id) || (item_id.is_some() && done.item_id.as_deref() == item_id)
        })
    }

    fn close_calls(&mut self, cut: Cut, answer: &mut Answer) {
        for open in self.calls.drain(..) {
            open.call.close(cut, answer);
        }
    }
}

fn is_same(open: &OpenCall, item_id: Option<&str>, call_id: Option<&str>, output_index: Option<u64>) -> bool {
    let by_item = item_id.is_some() && open.item_id.as_deref() == item_id;
    let by_call = call_id.is_some() && open.call.id.as_deref() == call_id;
    let by_index = output_index.is_some() && open.output_index == output_index;
    by_item || by_call || by_index || (open.item_id.is_none() && open.call.id.is_none())
}

/// What of `full` was not said yet. When the two differ, the person has read something already and the difference is
/// dropped: saying it all again would be worse.
fn unsaid(full: &str, said: &str) -> String {
    full.strip_prefix(said).unwrap_or_default().to_owned()
}

fn message_text(item: &Value) -> String {
    match item.get("content") {
        Some(Value::String(text)) => text.clone(),
        Some(_) | None => list(item, "content").iter().filter_map(|part| text(part, "text").or_else(|| text(part, "refusal"))).collect(),
    }
}

/// The summary is preferred: where both are there, it is what the provider means to be read.
fn reasoning_text(item: &Value) -> String {
    let texts = |key: &str| list(item, key).iter().filter_map(|part| text(part, "text")).collect::<Vec<_>>();
    let summary = texts("summary");
    if summary.is_empty() { texts("content").concat() } else { summary.join("\n\n") }
}

fn failure(ending: &str, status: &str, response: &Value) -> Option<crate::ErrorBody> {
    let error = response.get("error").and_then(error_body::from_error_value);
    let failed = [ending, status].iter().any(|word| matches!(*word, "failed" | "cancelled"));
    error.or_else(|| failed.then(|| error_body::wordless(response)))
}

fn finish(ending: &str, status: &str, response: &Value) -> WireFinish {
    let is_incomplete = ending == "incomplete" || status == "incomplete";
    if !is_incomplete {
        return WireFinish::Stop;
    }
    let reason = response.get("incomplete_details").and_then(|details| details.get("reason"));
    finish_word::read(reason).unwrap_or(WireFinish::Length)
}
