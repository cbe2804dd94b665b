//! The manners of each kind of server: its native endpoints, its words for trouble, and the habits of its streams.
//!
//! One file per kind. What a file does not override is the usual manner of an OpenAI-style server.

mod anthropic;
mod jan;
mod litellm;
mod llama_cpp;
mod lm_studio;
mod local_ai;
mod mlx;
mod ollama;
mod open_router;
mod sglang;
mod usual;
mod vllm;

use krabba_types::{Dialect, ServerKind};
use serde_json::Value;

use crate::ServerError;
use crate::http::{Answer, Request};
use crate::machine::ModelNow;
use crate::model::Overflow;
use crate::script::Strict;

/// How a kind of server behaves.
pub(crate) trait Manners: Send + Sync {
    /// What it says its version is, when the script does not.
    fn version(&self) -> &'static str {
        "1.0.0"
    }

    /// The dialect in which a path answers, if it is one that generates.
    fn dialect(&self, path: &str) -> Option<Dialect>;

    /// Everything else that it serves.
    fn native(&self, request: &Request, view: &View) -> Option<Native>;

    /// The answer to a path that it does not have.
    fn unknown_path(&self, _request: &Request) -> Answer {
        Answer::json(404, &serde_json::json!({"detail": "Not Found"}))
    }

    /// Whether a required key is asked for on this path.
    fn guards(&self, _path: &str) -> bool {
        true
    }

    /// Headers of every response.
    fn headers(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    /// Further headers of what answers a generation request.
    fn generation_headers(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    /// Whether a request for an unlisted model is served by another, and by which.
    fn substitute<'a>(&self, _view: &'a View) -> Option<&'a ModelNow> {
        None
    }

    /// Whether an answer carries the name of the model that gave it, rather than the one that was asked for.
    fn names_itself(&self) -> bool {
        true
    }

    /// Whether it tells how far it has read the prompt without being asked (mlx_lm).
    fn tells_reading(&self) -> bool {
        false
    }

    /// Its words for trouble.
    fn words(&self, trouble: &Trouble<'_>) -> ServerError {
        usual::words(trouble)
    }

    /// Whether a prompt over the window is an error here (`false`: it is cut without a word).
    fn refuses_overflow(&self, _dialect: Dialect, _body: &Value) -> bool {
        true
    }

    /// The body of an HTTP error.
    fn error_body(&self, dialect: Option<Dialect>, error: &ServerError) -> Value {
        usual::error_body(dialect, error)
    }

    /// The habits of its streams in a dialect.
    fn habits(&self, dialect: Dialect) -> Habits;
}

/// What an endpoint besides the generating ones does.
#[derive(Debug)]
pub(crate) enum Native {
    /// Answers.
    Answer(Answer),
    /// Loads a model, then answers with what [`Native::Load::then`] makes of the new state.
    Load { model: String, window: Option<u32>, then: fn(&View, &str) -> Answer },
    /// Drops a model from memory, then answers.
    Unload { model: String, answer: Answer },
}

/// What native endpoints can tell.
#[derive(Debug)]
pub(crate) struct View {
    pub(crate) version: String,
    pub(crate) models: Vec<ModelNow>,
    pub(crate) slots: Option<usize>,
    pub(crate) busy: usize,
}

impl View {
    pub(crate) fn loaded(&self) -> impl Iterator<Item = &ModelNow> {
        self.models.iter().filter(|now| now.loaded)
    }
}

/// The habits of a stream.
#[derive(Clone, Debug)]
pub(crate) struct Habits {
    /// The field of a chat delta that carries reasoning.
    pub(crate) reasoning_field: &'static str,
    /// An error inside a stream, as its JSON body.
    pub(crate) stream_error: fn(&ServerError) -> Value,
    /// What follows it.
    pub(crate) after_error: AfterError,
    /// `tool_calls: []` where there are none.
    pub(crate) empty_tool_calls: bool,
    /// llama.cpp's `timings` with the usage.
    pub(crate) timings: bool,
    /// llama.cpp's `prompt_progress`.
    pub(crate) prompt_progress: bool,
    /// Cached tokens in the chat usage.
    pub(crate) cached_tokens: bool,
    /// Anthropic's own signatures on thinking blocks.
    pub(crate) signatures: bool,
    /// Responses without sequence numbers and indexes.
    pub(crate) lean_responses: bool,
    /// Responses reasoning as a summary.
    pub(crate) summary_reasoning: bool,
    /// Chat usage also when `stream_options.include_usage` was not sent.
    pub(crate) unasked_usage: bool,
}

impl Habits {
    /// Those of an OpenAI-style server.
    pub(crate) fn usual() -> Self {
        Self {
            reasoning_field: "reasoning_content",
            stream_error: |error| usual::error_body(None, error),
            after_error: AfterError::Nothing,
            empty_tool_calls: false,
            timings: false,
            prompt_progress: false,
            cached_tokens: true,
            signatures: false,
            lean_responses: false,
            summary_reasoning: false,
            unasked_usage: false,
        }
    }
}

/// What follows an error inside a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AfterError {
    /// The end of the body.
    Nothing,
    /// `[DONE]` (vLLM, SGLang); in Responses `response.failed`.
    DoneMarker,
    /// The error itself is lost: an empty delta in its place, then the end (Ollama's `/v1`).
    EmptyDelta,
    /// The error stands beside `choices`, with finish reason `error` (OpenRouter).
    InChunk,
}

/// Trouble that a server has words for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Trouble<'a> {
    NoSuchModel { asked: &'a str, listed: &'a [String] },
    NoModelLoaded,
    Loading,
    Full { too_many: bool },
    Overflow { asked: u64, window: u32, words: Overflow },
    WrongKey { sent: bool },
    Refused { rule: Strict, field: &'a str, model: &'a str, window: u32, asked: u64, budget: u64 },
    BadJson,
}

pub(crate) fn manners(kind: ServerKind) -> &'static dyn Manners {
    match kind {
        ServerKind::LmStudio => &lm_studio::LmStudio,
        ServerKind::LlamaCpp => &llama_cpp::LlamaCpp,
        ServerKind::Ollama => &ollama::Ollama,
        ServerKind::Vllm => &vllm::Vllm,
        ServerKind::Sglang => &sglang::Sglang,
        ServerKind::LiteLlm => &litellm::LiteLlm,
        ServerKind::Mlx => &mlx::Mlx,
        ServerKind::LocalAi => &local_ai::LocalAi,
        ServerKind::Jan => &jan::Jan,
        ServerKind::Anthropic => &anthropic::Anthropic,
        ServerKind::OpenRouter => &open_router::OpenRouter,
        ServerKind::OpenAi | ServerKind::Other => &usual::Usual,
    }
}

/// Dialects by their exact paths under `/v1`.
pub(crate) fn dialect_under_v1(path: &str) -> Option<Dialect> {
    match path {
        "/v1/chat/completions" => Some(Dialect::OpenAiCompletions),
        "/v1/responses" => Some(Dialect::OpenAiResponses),
        "/v1/messages" => Some(Dialect::AnthropicMessages),
        _ => None,
    }
}
