//! Chunks of a chat completion, and the whole reply, which has the same shape with `message` in place of `delta`.

use krabba_types::Progress;
use serde_json::Value;

use crate::answer::Answer;
use crate::banner::{Banner, Channel, Piece};
use crate::tolerant::{count, list, object, text};
use crate::tool_calls::{Cut, Form, ToolCalls};
use crate::{WireFinish, error_body, finish_word, usage};

/// The names under which servers send reasoning, in the order in which they are looked for: some send the same text
/// under two of them. `reasoning_content`: llama.cpp, SGLang, LM Studio, transformers, DeepSeek; `reasoning`: vLLM,
/// Ollama, mlx_lm, OpenRouter, LM Studio with gpt-oss; the others: proxies.
const REASONING_FIELDS: [&str; 4] = ["reasoning_content", "reasoning", "reasoning_text", "thinking"];

/// State across the chunks of one answer.
#[derive(Debug, Default)]
pub(crate) struct Decode {
    calls: ToolCalls,
    banner: Banner,
}

impl Decode {
    /// One chunk, or the whole reply.
    pub(crate) fn object(&mut self, chunk: &Value, answer: &mut Answer) {
        answer.answered_by(chunk);
        if let Some(progress) = object(chunk, "prompt_progress") {
            // llama.cpp with `return_progress`: `processed` includes what came from the cache.
            if let (Some(done), Some(total)) = (count(progress, "processed"), count(progress, "total")) {
                answer.progress(Progress::Reading { done, total });
            }
        }
        let choice = list(chunk, "choices").iter().find(|choice| count(choice, "index").unwrap_or(0) == 0);
        if let Some(choice) = choice {
            self.choice(choice, answer);
        }
        answer.usage(usage::openai_like(chunk));
        if let Some(finish) = choice.and_then(|choice| finish_word::read(choice.get("finish_reason"))) {
            let cut = if finish == WireFinish::Length { Cut::ByLength } else { Cut::Finished };
            self.calls.flush(cut, answer);
            answer.finish(finish);
        }
    }

    /// `[DONE]`.
    pub(crate) fn end_mark(&mut self, answer: &mut Answer) {
        self.calls.flush(Cut::Finished, answer);
    }

    /// The end of the file.
    pub(crate) fn end_of_file(&mut self, answer: &mut Answer) {
        self.calls.flush(Cut::EndOfFile, answer);
    }

    fn choice(&mut self, choice: &Value, answer: &mut Answer) {
        if let Some(error) = choice.get("error").and_then(error_body::from_error_value) {
            answer.error(error);
            return;
        }
        if let Some(delta) = object(choice, "delta") {
            self.delta(delta, Form::Delta, answer);
        } else if let Some(message) = object(choice, "message") {
            self.delta(message, Form::Whole, answer);
        } else if let Some(text) = text(choice, "text") {
            // The older completions shape, which some servers fall back to.
            answer.text(text);
        }
    }

    fn delta(&mut self, delta: &Value, form: Form, answer: &mut Answer) {
        self.reasoning(delta, answer);
        match delta.get("content") {
            Some(Value::String(text)) => self.text(text, answer),
            Some(Value::Array(parts)) => parts.iter().for_each(|part| self.part(part, answer)),
            Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) | None => {}
        }
        if let Some(refusal) = text(delta, "refusal") {
            answer.text(refusal);
        }
        for piece in list(delta, "tool_calls") {
            self.calls.take(piece, form, answer);
        }
        if let Some(call) = object(delta, "function_call") {
            self.calls.take(call, form, answer);
        }
    }

    fn reasoning(&mut self, delta: &Value, answer: &mut Answer) {
        let details = list(delta, "reasoning_details");
        if let Some((field, text)) = REASONING_FIELDS.iter().find_map(|field| Some((*field, text(delta, field)?))) {
            match self.banner.sort(text, Channel::Reasoning) {
                Piece::Said(said) => answer.reasoning(field, &said),
                Piece::Held => {}
                Piece::Loading => answer.progress(Progress::Loading { percent: None }),
            }
        } else {
            for text in details.iter().filter_map(|detail| text(detail, "text").or_else(|| text(detail, "summary"))) {
                answer.reasoning("reasoning_details", text);
            }
        }
        details.iter().for_each(|detail| answer.reasoning_detail(detail));
    }

    fn text(&mut self, text: &str, answer: &mut Answer) {
        // The empty text of a first, role-only chunk says nothing about what follows.
        if text.is_empty() {
            return;
        }
        match self.banner.sort(text, Channel::Text) {
            Piece::Said(said) => answer.text(&said),
            Piece::Held => {}
            Piece::Loading => answer.progress(Progress::Loading { percent: None }),
        }
    }

    /// Content as a list of parts. Mistral's reasoning models put `{"type": "thinking", "thinking": [{"text"}]}` among
    /// them.
    fn part(&mut self, part: &Value, answer: &mut Answer) {
        match part.get("thinking") {
            Some(Value::String(text)) => answer.reasoning("thinking", text),
            Some(Value::Array(inner)) => {
                inner.iter().filter_map(|piece| text(piece, "text")).for_each(|text| answer.reasoning("thinking", text))
            }
            Some(_) | None => {
                if let Some(text) = text(part, "text").or_else(|| text(part, "refusal")) {
                    answer.text(text);
                }
            }
        }
    }
}
