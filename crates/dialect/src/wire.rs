//! What a decoder gives: the events of one answer, still in the server's own terms.

use krabba_types::{JsonObject, Progress, ToolCallPart, Usage};

use crate::ErrorBody;

/// One thing that an answer said. No event carries an empty text.
#[derive(Clone, Debug, PartialEq)]
pub enum WireEvent {
    /// The model that the server names, as it spells it. Once, whether or not it is the one that was asked for.
    AnsweredBy(String),
    /// Text of the answer, refusals included. May still contain inline reasoning tags: that is `markup`'s business.
    Text(String),
    /// Reasoning that the server separated, under whatever name.
    Reasoning(String),
    /// Closes the reasoning that came since the last one of these: where it came from, and what must be sent back with
    /// it.
    ReasoningArtefact {
        /// The wire field or item type (`reasoning_content`, `reasoning`, `thinking`, `reasoning_details`).
        field: String,
        /// Opaque, to be returned verbatim; empty when the text itself, under `field`, is all there is to return.
        artefact: JsonObject,
    },
    /// A piece of a call on its way; for display only.
    ToolCallPart(ToolCallPart),
    /// A call that is over.
    ToolCall {
        /// The server's id, when it gave one that is not blank. Not necessarily unique.
        server_id: Option<String>,
        /// The tool's name, cut at the first control token (gpt-oss leaks `name<|channel|>commentary`).
        name: String,
        /// The arguments, or the raw text that is not a JSON object. Nothing at all counts as `{}`.
        arguments: Result<JsonObject, String>,
    },
    /// What the server is doing; [`Progress::Alive`] for an event that says nothing (role, ping, empty delta).
    Progress(Progress),
    /// Counters; each one holds all that is known so far.
    Usage(Usage),
    /// The reason for the end. At most once.
    Finish(WireFinish),
    /// The dialect's end mark: `[DONE]`, `message_stop`, a terminal `response.…` event, `done: true`, the end of a
    /// whole JSON reply. At most once, and nothing follows it. Alone it is no proof of success: vLLM and SGLang send
    /// `[DONE]` after an error too.
    EndMarker,
    /// The server reports a failure, whatever the HTTP status was.
    Error(ErrorBody),
    /// Something that is not what the dialect says; holds the beginning of it.
    Malformed(String),
}

/// Why an answer ended, in the server's terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WireFinish {
    /// It was finished.
    Stop,
    /// The output budget, or the window, was used up.
    Length,
    /// Tools are to run. Also given for "stop" when calls came, because several servers say so (LiteLLM over Ollama).
    /// That calls came is not promised: vLLM and mlx_lm say this with an empty list.
    ToolCalls,
    /// The answer was withheld.
    ContentFilter,
    /// Prompt and answer together reached the window (Anthropic `model_context_window_exceeded`).
    ContextWindow,
    /// The server gave up (OpenRouter `error`, vLLM `abort`).
    Error,
    /// A word that is not known, verbatim.
    Unknown(String),
}
