//! The four dialects from the server's side: what is said, as events of a stream or as one JSON body.

mod chat;
mod messages;
mod ollama;
mod responses;

use krabba_types::Dialect;
use serde_json::{Map, Value};

use crate::kinds::Habits;
use crate::rule::Newline;
use crate::step::{CallStep, ProgressStep, UsageStep};
use crate::{ServerError, step::ArgumentsForm};

/// One speaker for one streamed answer. The dialects keep what they must close later.
pub(crate) trait Speech: Send {
    fn begin(&mut self) -> Vec<Line>;
    fn text(&mut self, text: &str) -> Vec<Line>;
    fn reasoning(&mut self, text: &str) -> Vec<Line>;
    fn tool_call(&mut self, call: &CallStep) -> Vec<Line>;
    fn error(&mut self, error: &ServerError) -> Vec<Line>;
    /// The finish; counters are given where the dialect sends them in the same event.
    fn finish(&mut self, reason: &str, counts: Option<Counts>) -> Vec<Line>;
    /// The counters in an event of their own, where the dialect has one.
    fn usage(&mut self, counts: Counts) -> Vec<Line>;
    fn end_marker(&mut self) -> Vec<Line>;
}

/// A piece of a stream before it is framed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Line {
    Event { name: Option<String>, data: Value },
    Bare(&'static str),
    Comment(String),
}

impl Line {
    pub(crate) fn data(data: Value) -> Self {
        Self::Event { name: None, data }
    }

    pub(crate) fn named(name: &str, data: Value) -> Self {
        Self::Event { name: Some(name.to_owned()), data }
    }
}

/// Who speaks: the same for all events of one answer.
#[derive(Clone, Debug)]
pub(crate) struct Voice {
    pub(crate) id: String,
    pub(crate) model: String,
    pub(crate) habits: Habits,
    pub(crate) reasoning_field: String,
    /// Tokens of the prompt, for dialects that tell them at the start.
    pub(crate) prompt_tokens: u64,
    pub(crate) cached_tokens: u64,
}

/// Counters of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct Counts {
    pub(crate) prompt: u64,
    pub(crate) completion: u64,
    pub(crate) cached: u64,
    pub(crate) reasoning: u64,
}

impl Counts {
    pub(crate) fn corrected(self, usage: UsageStep) -> Self {
        Self {
            prompt: usage.prompt.unwrap_or(self.prompt),
            completion: usage.completion.unwrap_or(self.completion),
            cached: usage.cached.unwrap_or(self.cached),
            reasoning: self.reasoning,
        }
    }
}

/// An answer in one piece.
#[derive(Clone, Debug, Default)]
pub(crate) struct Whole {
    pub(crate) text: String,
    pub(crate) reasoning: String,
    pub(crate) calls: Vec<CallStep>,
    pub(crate) finish: Option<String>,
    pub(crate) counts: Option<Counts>,
}

pub(crate) fn speech(dialect: Dialect, voice: Voice) -> Box<dyn Speech> {
    match dialect {
        Dialect::OpenAiResponses => Box::new(responses::Responses::new(voice)),
        Dialect::OpenAiCompletions => Box::new(chat::Chat::new(voice)),
        Dialect::AnthropicMessages => Box::new(messages::Messages::new(voice)),
        Dialect::Ollama => Box::new(ollama::Ollama::new(voice)),
    }
}

pub(crate) fn whole(dialect: Dialect, voice: &Voice, answer: &Whole) -> Value {
    match dialect {
        Dialect::OpenAiResponses => responses::whole(voice, answer),
        Dialect::OpenAiCompletions => chat::whole(voice, answer),
        Dialect::AnthropicMessages => messages::whole(voice, answer),
        Dialect::Ollama => ollama::whole(voice, answer),
    }
}

pub(crate) fn content_type(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Ollama => "application/x-ndjson",
        Dialect::OpenAiResponses | Dialect::OpenAiCompletions | Dialect::AnthropicMessages => "text/event-stream",
    }
}

/// How far the prompt is read, as the server tells it.
pub(crate) fn progress(dialect: Dialect, voice: &Voice, step: ProgressStep) -> Vec<Line> {
    if dialect == Dialect::OpenAiCompletions && voice.habits.prompt_progress {
        return vec![chat::progress(voice, step)];
    }
    vec![Line::Comment(format!("keepalive {}/{}", step.done, step.total))]
}

/// Lines as bytes. SSE comments do not exist in NDJSON and are left out there.
pub(crate) fn frame(dialect: Dialect, lines: &[Line], newline: Newline, space: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for line in lines {
        if dialect == Dialect::Ollama {
            frame_ndjson(line, newline, &mut bytes);
        } else {
            frame_sse(line, newline.text(), space, &mut bytes);
        }
    }
    bytes
}

fn frame_ndjson(line: &Line, newline: Newline, bytes: &mut Vec<u8>) {
    match line {
        Line::Event { data, .. } => {
            bytes.extend_from_slice(data.to_string().as_bytes());
            bytes.extend_from_slice(newline.text().as_bytes());
        }
        Line::Bare(_) | Line::Comment(_) => {}
    }
}

fn frame_sse(line: &Line, newline: &str, space: &str, bytes: &mut Vec<u8>) {
    let text = match line {
        Line::Event { name: Some(name), data } => format!("event:{space}{name}{newline}data:{space}{data}{newline}{newline}"),
        Line::Event { name: None, data } => format!("data:{space}{data}{newline}{newline}"),
        Line::Bare(word) => format!("data:{space}{word}{newline}{newline}"),
        Line::Comment(words) => format!(":{space}{words}{newline}{newline}"),
    };
    bytes.extend_from_slice(text.as_bytes());
}

/// The arguments as the text that goes over the wire.
fn arguments_text(call: &CallStep) -> String {
    match &call.arguments {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// The arguments as a value: an object where they are one.
fn arguments_value(call: &CallStep) -> Value {
    match &call.arguments {
        Value::Null => Value::Object(Map::new()),
        Value::String(text) if text.is_empty() => Value::Object(Map::new()),
        other => other.clone(),
    }
}

fn arguments_on_wire(call: &CallStep) -> Value {
    match call.form {
        ArgumentsForm::Object => arguments_value(call),
        ArgumentsForm::Usual | ArgumentsForm::AtEnd | ArgumentsForm::Unfinished => Value::String(arguments_text(call)),
    }
}

/// A text in so many pieces, none of them empty, cut between characters.
fn pieces(text: &str, count: usize) -> Vec<String> {
    let characters: Vec<char> = text.chars().collect();
    let size = characters.len().div_ceil(count.max(1)).max(1);
    characters.chunks(size).map(|piece| piece.iter().collect()).collect()
}

/// The id of the nth call, counted from 0.
fn call_id(call: &CallStep, index: usize) -> String {
    call.id.clone().unwrap_or_else(|| format!("call_{}", index + 1))
}

/// Anthropic's error envelope, which every server uses on that dialect's path.
pub(crate) fn anthropic_error(error: &ServerError) -> Value {
    messages::error_body(error)
}
