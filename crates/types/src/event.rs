//! What a model call gives back: one stream of events with exactly one ending.

use serde::{Deserialize, Serialize};

use crate::{Fault, JsonObject, ModelId, ToolCall, Usage};

/// An event of a model stream. [`ModelEvent::Done`] or [`ModelEvent::Failed`] comes exactly once, last.
#[derive(Clone, Debug, PartialEq)]
pub enum ModelEvent {
    /// Text of the answer. Never empty, never reasoning.
    Text(String),
    /// Text of the model's reasoning. Never empty.
    Reasoning(String),
    /// The provider's opaque reasoning artefact, kept for the same route's next request.
    ReasoningArtefact {
        /// The wire field or item type it belongs to.
        field: String,
        /// Returned verbatim.
        artefact: JsonObject,
    },
    /// A piece of a tool call on its way; for display only.
    ToolCallPart(ToolCallPart),
    /// A call that arrived whole. If its tool was offered, its arguments are valid for the tool's schema; one in the text is of a
    /// tool that was offered.
    ToolCall(ToolCall),
    /// What the model meant as a call and what is none. Nothing is done about it but to tell the model, once.
    BrokenCall(BrokenCall),
    /// What the server is doing while nothing is said.
    Progress(Progress),
    /// The model that the server says is answering, when it is not the one that was asked for.
    AnsweredBy(ModelId),
    /// Counters; a later one replaces an earlier one.
    Usage(Usage),
    /// All text of this answer so far was not meant for the reader (an unopened reasoning block was closed); take it back.
    Retracted,
    /// The end of an answer.
    Done(DoneReason),
    /// The end without one.
    Failed(Fault),
}

impl ModelEvent {
    /// Whether this ends the stream.
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Done(_) | Self::Failed(_))
    }

    /// Whether this is output of the model: what stops the first-token clock and commits an attempt.
    pub fn is_output(&self) -> bool {
        matches!(self, Self::Text(_) | Self::Reasoning(_) | Self::ToolCallPart(_) | Self::ToolCall(_) | Self::BrokenCall(_))
    }
}

/// A fragment of a tool call while it streams.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolCallPart {
    /// Position among the calls of this answer, counted by us (servers repeat `index: 0`).
    pub index: u32,
    /// The name, in the first part that has it.
    pub name: Option<String>,
    /// The next piece of the arguments' JSON text.
    pub arguments: String,
}

/// A call that may not be executed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BrokenCall {
    /// The tool that it names, as far as it could be read.
    pub name: Option<String>,
    /// What is wrong with it.
    pub problem: CallProblem,
    /// One line for the model: what is wrong and what to do instead. Holds nothing of any untrusted text but, shortened, what
    /// the model itself wrote.
    pub message: String,
    /// What the model wrote, marks included; never for a person's chat.
    pub written: String,
}

/// What is wrong with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CallProblem {
    /// It cannot be read.
    Unreadable,
    /// It is not whole: the answer ended in the middle of it.
    Unfinished,
    /// No such tool was offered.
    UnknownTool,
    /// The arguments are not valid for the tool's schema.
    Arguments,
    /// It repeats what stands in a text that somebody else wrote. Not to be asked for again.
    Copied,
    /// The same call stands in the answer before it, or too many do.
    OneTooMany,
}

/// What is going on before and between output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "state")]
pub enum Progress {
    /// Waiting for a free slot of the box; 1 is next.
    Queued {
        /// Place in the queue.
        position: u32,
    },
    /// The request was sent; nothing came back yet.
    Waiting,
    /// The server's answer began (response headers are here).
    Accepted,
    /// The model is being loaded.
    Loading {
        /// 0 to 100, when the server says.
        percent: Option<u8>,
    },
    /// The server reads the prompt.
    Reading {
        /// Tokens read, those taken from the cache included.
        done: u64,
        /// Tokens to read.
        total: u64,
    },
    /// The peer is alive (a comment, a ping, an empty delta), which is not the same as getting on.
    Alive,
}

/// Why an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DoneReason {
    /// The model was finished.
    Stop,
    /// The output budget ran out; shown to the person.
    Length,
    /// The model wants tools to run; there was at least one call, be it a broken one.
    ToolCalls,
    /// An end marker came without a known finish reason.
    Unknown,
}
