//! Events of an Anthropic answer, and the whole message.

use std::collections::BTreeMap;

use krabba_types::{JsonObject, Progress};
use serde_json::Value;

use crate::answer::Answer;
use crate::tolerant::{count, list, object, text, word};
use crate::tool_calls::{Cut, PartialCall};
use crate::usage::AnthropicCounters;
use crate::{WireFinish, finish_word};

/// State across the events of one answer.
#[derive(Debug, Default)]
pub(crate) struct Decode {
    blocks: BTreeMap<u64, Block>,
    counters: AnthropicCounters,
}

/// A content block that is open.
#[derive(Debug)]
enum Block {
    /// Text, or something that we do not know.
    Plain,
    Thinking {
        text: String,
        signature: String,
    },
    /// Thinking that only the provider can read; kept whole.
    Redacted(JsonObject),
    Call(PartialCall),
}

impl Decode {
    /// One event, or the whole message.
    pub(crate) fn object(&mut self, event: Option<&str>, value: &Value, answer: &mut Answer) {
        match text(value, "type").or(event).unwrap_or_default() {
            "message_start" => {
                if let Some(message) = object(value, "message") {
                    answer.answered_by(message);
                    self.usage(message, answer);
                }
            }
            "content_block_start" => {
                if let Some(block) = object(value, "content_block") {
                    self.open(index(value), block, answer);
                }
            }
            "content_block_delta" => {
                if let Some(delta) = object(value, "delta") {
                    self.delta(index(value), delta, answer);
                }
            }
            "content_block_stop" => self.close(index(value), Cut::Finished, answer),
            "message_delta" => {
                self.usage(value, answer);
                self.stop_reason(value.get("delta").unwrap_or(value), answer);
            }
            "message_stop" => self.stop(answer),
            "ping" => answer.progress(Progress::Alive),
            "message" => self.message(value, answer),
            // New event types may come at any time and are to be passed over.
            _ if value.get("content").is_some_and(Value::is_array) => self.message(value, answer),
            _ => {}
        }
    }

    /// `[DONE]`, which some imitators send.
    pub(crate) fn end_mark(&mut self, answer: &mut Answer) {
        self.close_all(Cut::Finished, answer);
    }

    /// The end of the file.
    pub(crate) fn end_of_file(&mut self, answer: &mut Answer) {
        self.close_all(Cut::EndOfFile, answer);
    }

    fn message(&mut self, message: &Value, answer: &mut Answer) {
        answer.answered_by(message);
        for (position, block) in (0_u64..).zip(list(message, "content")) {
            self.open(position, block, answer);
            self.close(position, Cut::Finished, answer);
        }
        self.usage(message, answer);
        self.stop_reason(message, answer);
    }

    fn usage(&mut self, holder: &Value, answer: &mut Answer) {
        if let Some(usage) = object(holder, "usage") {
            let counted = self.counters.take(usage);
            answer.usage(Some(counted));
        }
    }

    fn stop_reason(&mut self, holder: &Value, answer: &mut Answer) {
        if let Some(finish) = finish_word::read(holder.get("stop_reason")) {
            self.close_all(if finish == WireFinish::Length { Cut::ByLength } else { Cut::Finished }, answer);
            answer.finish(finish);
        }
    }

    fn stop(&mut self, answer: &mut Answer) {
        self.close_all(Cut::Finished, answer);
        answer.end();
    }

    fn open(&mut self, index: u64, block: &Value, answer: &mut Answer) {
        // A server that forgets to close blocks begins the next one under the same index.
        self.close(index, Cut::Finished, answer);
        let opened = match text(block, "type").unwrap_or_default() {
            "thinking" => {
                let thought = text(block, "thinking").unwrap_or_default();
                answer.reasoning("thinking", thought);
                Block::Thinking { text: thought.to_owned(), signature: text(block, "signature").unwrap_or_default().to_owned() }
            }
            "redacted_thinking" => Block::Redacted(block.as_object().cloned().unwrap_or_default()),
            "tool_use" => {
                let mut call = PartialCall::new(answer.begin_call());
                call.id = word(block, "id").map(str::to_owned);
                call.take_name(text(block, "name"), answer);
                // `{}` is the placeholder before the deltas; a full object is a call that comes whole.
                if let Some(input) = object(block, "input").filter(|input| input.as_object().is_some_and(|fields| !fields.is_empty())) {
                    call.take_arguments(input, answer);
                }
                Block::Call(call)
            }
            _ => {
                answer.text(text(block, "text").unwrap_or_default());
                Block::Plain
            }
        };
        self.blocks.insert(index, opened);
    }

    fn delta(&mut self, index: u64, delta: &Value, answer: &mut Answer) {
        if let Some(piece) = text(delta, "text") {
            answer.text(piece);
        } else if let Some(piece) = text(delta, "thinking") {
            answer.reasoning("thinking", piece);
            if let Block::Thinking { text, .. } = self.thinking(index) {
                text.push_str(piece);
            }
        } else if let Some(piece) = text(delta, "signature") {
            if let Block::Thinking { signature, .. } = self.thinking(index) {
                signature.push_str(piece);
            }
        } else if let (Some(Block::Call(call)), Some(piece)) = (self.blocks.get_mut(&index), delta.get("partial_json")) {
            call.take_arguments(piece, answer);
        }
    }

    /// The block at `index`, opened now if its start never came.
    fn thinking(&mut self, index: u64) -> &mut Block {
        self.blocks.entry(index).or_insert_with(|| Block::Thinking { text: String::new(), signature: String::new() })
    }

    fn close(&mut self, index: u64, cut: Cut, answer: &mut Answer) {
        match self.blocks.remove(&index) {
            Some(Block::Thinking { text, signature }) if !signature.is_empty() => {
                let fields = [("type", "thinking".to_owned()), ("thinking", text), ("signature", signature)];
                let block = fields.into_iter().map(|(key, value)| (key.to_owned(), value.into())).collect();
                answer.artefact("thinking", block);
            }
            Some(Block::Thinking { .. }) => answer.close_reasoning(),
            Some(Block::Redacted(block)) => {
                answer.close_reasoning();
                answer.artefact("redacted_thinking", block);
            }
            Some(Block::Call(call)) => call.close(cut, answer),
            Some(Block::Plain) | None => {}
        }
    }

    fn close_all(&mut self, cut: Cut, answer: &mut Answer) {
        let open: Vec<u64> = self.blocks.keys().copied().collect();
        for index in open {
            self.close(index, cut, answer);
        }
    }
}

fn index(value: &Value) -> u64 {
    count(value, "index").unwrap_or(0)
}
