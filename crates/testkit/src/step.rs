//! One thing that a scripted server does while it answers.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::server_error::ServerError;

/// A step of an answer. In a script file a step without content is a word (`"end"`), all others are an object with one
/// key (`{text: "hello"}`).
///
/// The response's head is sent together with the first step that sends something, so that waiting, resetting and
/// stalling can also happen before the head.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Text of the answer: one delta.
    Text(String),
    /// Text of the reasoning, in the field or event that the server uses for it.
    Reasoning(String),
    /// A tool call.
    ToolCall(CallStep),
    /// Bytes of the body, sent as they are. `\xHH` is one byte; characters above U+00FF are sent as UTF-8.
    Raw(RawBytes),
    /// Bytes of the connection, outside of the body's transfer coding.
    Wire(RawBytes),
    /// A JSON value as an event without a name (SSE) or a line (NDJSON).
    Data(Value),
    /// A JSON value as a named SSE event; a line in NDJSON.
    Event(EventStep),
    /// An SSE comment; nothing in NDJSON.
    Comment(String),
    /// How far the server has read the prompt: llama.cpp's `prompt_progress`, elsewhere mlx_lm's comment `keepalive n/m`.
    Progress(ProgressStep),
    /// A pause in milliseconds.
    DelayMs(u64),
    /// The same text again and again.
    Repeat(RepeatStep),
    /// The same text until the client goes away.
    Endless(String),
    /// So many bytes of filler (`x`).
    Huge(u64),
    /// An HTML page, with its content type.
    Html(String),
    /// An error inside the stream, in the shape of the server and the dialect; an HTTP error when the reply is whole.
    Error(ServerError),
    /// The finish reason. `stop`, `length`, `tool_calls` and `content_filter` are translated for each dialect, others
    /// are sent as they are. In Responses and Ollama this is the last event.
    Finish(String),
    /// The counters; fields that are left out are counted.
    Usage(UsageStep),
    /// The end marker: `[DONE]`, `message_stop`; nothing where the finish is the end.
    DoneMarker,
    /// Finish, counters and end marker, as a healthy server sends them.
    End,
    /// Response head without any body yet.
    Head,
    /// Header lines until the client goes away.
    HeadersEndless,
    /// Waits for [`ScriptedServer::open_gate`](crate::ScriptedServer::open_gate), once per call.
    Gate,
    /// The body ends here, correctly framed, and the connection closes.
    Eof,
    /// The connection closes without the end of the body.
    Cut,
    /// The connection is reset (RST).
    Reset,
    /// Nothing more happens until the client goes away.
    Stall,
}

/// A tool call and the ways in which servers get it wrong.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CallStep {
    /// The function's name.
    pub name: String,
    /// The arguments: an object, or a text that is sent as it is.
    pub arguments: Value,
    /// The id; `call_<n>` when left out, and it may be blank.
    pub id: Option<String>,
    /// The index on the wire; counted when left out (some servers send 0 for every call).
    pub index: Option<u32>,
    /// Fields that are left out: `id`, `index`, `type`.
    pub omit: Vec<String>,
    /// In how many pieces the arguments come; 1 when left out.
    pub pieces: Option<usize>,
    /// Sent as `name` again in each later piece (LM Studio before 0.3.16 repeats `""`).
    pub later_name: Option<String>,
    /// Sent as `id` again in each later piece.
    pub later_id: Option<String>,
    /// How the arguments are sent.
    pub form: ArgumentsForm,
}

/// How the arguments of a tool call are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ArgumentsForm {
    /// As the dialect says.
    #[default]
    Usual,
    /// As an object where the dialect wants a text.
    Object,
    /// Only in the event that ends the call (Responses: `output_item.done`); as usual elsewhere.
    AtEnd,
    /// As the dialect says, but the call is never ended (Ollama sends calls only whole).
    Unfinished,
}

/// A named event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventStep {
    /// The SSE event name.
    pub name: String,
    /// Its data.
    pub data: Value,
}

/// Reading the prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProgressStep {
    /// Tokens read.
    pub done: u64,
    /// Tokens to read.
    pub total: u64,
}

/// Text that repeats.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RepeatStep {
    /// One delta.
    pub text: String,
    /// How many.
    pub times: u64,
    /// Milliseconds after each one; none when left out.
    #[serde(default)]
    pub every_ms: u64,
}

/// Counters to report in place of those that were counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UsageStep {
    /// Tokens of the prompt, those from the cache included.
    pub prompt: Option<u64>,
    /// Tokens of the answer, reasoning included.
    pub completion: Option<u64>,
    /// Tokens of the prompt that came from the cache.
    pub cached: Option<u64>,
}

/// Bytes written as a text: `\xHH`, and every other character up to U+00FF, is one byte; a character above is its UTF-8.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct RawBytes(pub Vec<u8>);

impl From<String> for RawBytes {
    fn from(text: String) -> Self {
        let mut bytes = Vec::with_capacity(text.len());
        for character in text.chars() {
            match u8::try_from(u32::from(character)) {
                Ok(byte) => bytes.push(byte),
                Err(_) => bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        Self(bytes)
    }
}

impl From<RawBytes> for String {
    fn from(bytes: RawBytes) -> Self {
        bytes.0.into_iter().map(char::from).collect()
    }
}
