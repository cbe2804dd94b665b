//! The decoder: frames of one answer in, [`WireEvent`]s out.

use krabba_types::{Dialect, Progress};
use serde_json::Value;

use crate::answer::Answer;
use crate::tolerant::{excerpt, rate, text};
use crate::{WireEvent, anthropic, chat, error_body, json, ollama, responses};

/// How much of something unreadable is quoted, in characters.
const QUOTE: usize = 200;

/// Decodes the answer to one request. Feed it every frame in order, then [`Decoder::finish`]. It never fails: what it
/// cannot read becomes [`WireEvent::Malformed`], and it goes on with the next frame.
#[derive(Debug)]
pub struct Decoder {
    answer: Answer,
    state: State,
}

#[derive(Debug)]
enum State {
    Chat(chat::Decode),
    Responses(responses::Decode),
    Anthropic(anthropic::Decode),
    Ollama(ollama::Decode),
}

impl Decoder {
    /// A decoder at the beginning of an answer.
    pub fn new(dialect: Dialect) -> Self {
        let state = match dialect {
            Dialect::OpenAiResponses => State::Responses(responses::Decode::default()),
            Dialect::OpenAiCompletions => State::Chat(chat::Decode::default()),
            Dialect::AnthropicMessages => State::Anthropic(anthropic::Decode::default()),
            Dialect::Ollama => State::Ollama(ollama::Decode),
        };
        Self { answer: Answer::default(), state }
    }

    /// Takes one SSE event, or one NDJSON line with `event` being `None`.
    pub fn event(&mut self, event: Option<&str>, data: &str, out: &mut Vec<WireEvent>) {
        let data = data.trim_matches(|character: char| character.is_whitespace() || character == '\u{feff}');
        match data {
            "" => {}
            "[DONE]" | "\"[DONE]\"" => self.end_mark(),
            _ => match json::parse(data) {
                Ok(value) if value.is_object() => self.object(event, &value),
                Ok(_) | Err(_) => self.answer.malformed(excerpt(data, QUOTE)),
            },
        }
        self.answer.drain_into(out);
    }

    /// Takes the text of an SSE comment. mlx_lm tells how far it has read the prompt (`keepalive 512/2048`); all others
    /// mean only that somebody is there.
    pub fn comment(&mut self, text: &str, out: &mut Vec<WireEvent>) {
        let reading = text.trim().strip_prefix("keepalive").and_then(|rest| {
            let (done, total) = rest.trim().split_once('/')?;
            Some(Progress::Reading { done: done.trim().parse().ok()?, total: total.trim().parse().ok()? })
        });
        self.answer.progress(reading.unwrap_or(Progress::Alive));
        self.answer.drain_into(out);
    }

    /// The end of the file. A call whose arguments are a whole object is still given out; one that is not is lost. No
    /// ending is made up: whether a stream without one was cut is for the caller to say.
    pub fn finish(&mut self, out: &mut Vec<WireEvent>) {
        match &mut self.state {
            State::Chat(decode) => decode.end_of_file(&mut self.answer),
            State::Responses(decode) => decode.end_of_file(&mut self.answer),
            State::Anthropic(decode) => decode.end_of_file(&mut self.answer),
            State::Ollama(_) => {}
        }
        self.answer.close_reasoning();
        self.answer.drain_into(out);
    }

    /// Decodes a body that came in one piece: a complete JSON reply, an error object, or a stream that was delivered
    /// under the wrong content type. A complete reply ends in [`WireEvent::EndMarker`] whether or not it names a finish
    /// reason.
    pub fn whole(dialect: Dialect, body: &[u8]) -> Vec<WireEvent> {
        let mut decoder = Self::new(dialect);
        let mut out = Vec::new();
        let body = String::from_utf8_lossy(body);
        let body = body.trim_matches(|character: char| character.is_whitespace() || character == '\u{feff}');
        match json::parse(body) {
            Ok(Value::Array(chunks)) if chunks.iter().all(Value::is_object) && !chunks.is_empty() => {
                for chunk in &chunks {
                    decoder.object(None, chunk);
                }
                decoder.complete();
            }
            Ok(reply) if reply.is_object() => {
                decoder.object(None, &reply);
                decoder.complete();
            }
            Ok(Value::String(text)) if !text.trim().is_empty() => {
                if let Some(error) = error_body::from_error_value(&Value::String(text)) {
                    decoder.answer.error(error);
                }
            }
            Ok(_) => decoder.answer.malformed(excerpt(body, QUOTE)),
            Err(_) => decoder.lines(body, &mut out),
        }
        decoder.answer.drain_into(&mut out);
        out
    }

    fn object(&mut self, event: Option<&str>, value: &Value) {
        if let Some(error) = error_body::in_event(event, value) {
            self.answer.error(error);
        } else if let Some(progress) = lm_studio_progress(event, value) {
            self.answer.progress(progress);
        } else {
            match &mut self.state {
                State::Chat(decode) => decode.object(value, &mut self.answer),
                State::Responses(decode) => decode.object(event, value, &mut self.answer),
                State::Anthropic(decode) => decode.object(event, value, &mut self.answer),
                State::Ollama(decode) => decode.object(value, &mut self.answer),
            }
        }
        if self.answer.is_quiet() {
            self.answer.progress(Progress::Alive);
        }
    }

    fn end_mark(&mut self) {
        match &mut self.state {
            State::Chat(decode) => decode.end_mark(&mut self.answer),
            State::Responses(decode) => decode.end_mark(&mut self.answer),
            State::Anthropic(decode) => decode.end_mark(&mut self.answer),
            State::Ollama(_) => {}
        }
        self.answer.end();
    }

    /// A JSON reply has been read to its last brace, which is as good as an end mark.
    fn complete(&mut self) {
        if !self.answer.has_failed() {
            self.end_mark();
        }
    }

    /// SSE or NDJSON under another content type.
    fn lines(&mut self, body: &str, out: &mut Vec<WireEvent>) {
        let is_stream = |line: &str| line.starts_with("data:") || line.starts_with("event:") || line.starts_with('{');
        if !body.lines().any(is_stream) {
            self.answer.malformed(excerpt(body, QUOTE));
            return;
        }
        let mut event = None;
        for line in body.lines() {
            if let Some(name) = line.strip_prefix("event:") {
                event = Some(name.trim());
            } else if let Some(data) = line.strip_prefix("data:") {
                self.event(event.take(), data, out);
            } else if line.starts_with('{') {
                self.event(None, line, out);
            }
        }
        self.finish(out);
    }
}

/// LM Studio's native events about loading and reading. They belong to its own chat API; a proxy may pass them on
/// elsewhere.
fn lm_studio_progress(event: Option<&str>, value: &Value) -> Option<Progress> {
    let kind = text(value, "type").or(event)?;
    if kind.starts_with("model_load.") {
        let percent = rate(value, "progress").map(|progress| (progress * 100.0).clamp(0.0, 100.0) as u8);
        return Some(Progress::Loading { percent });
    }
    kind.starts_with("prompt_processing.").then_some(Progress::Alive)
}
