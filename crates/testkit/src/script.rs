//! A whole scripted server: what it is, what it offers, and how it answers.

use std::path::Path;
use std::str::FromStr;

use krabba_types::ServerKind;
use serde::{Deserialize, Serialize};

use crate::{Expect, Model, Rule};

/// A scripted server, as a script file describes it. The file's shape is shown in the essay of this crate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Script {
    /// Whose shapes it has. `other` speaks all four dialects at any path that ends like theirs.
    pub server: ServerKind,
    /// What it says its version is; a plausible one when left out.
    pub version: Option<String>,
    /// The key that it requires, if any.
    pub key: Option<String>,
    /// Its models. Without any, those that the rules name, and any other name is answered too.
    pub models: Vec<Model>,
    /// The machine: slots, memory, loading.
    pub machine: MachineScript,
    /// What it refuses.
    pub strict: Vec<Strict>,
    /// How it answers; without a fitting rule, `hello from <model>`.
    pub rules: Vec<Rule>,
    /// For the corpus of quirks: what to send to see the quirk.
    pub ask: Ask,
    /// For the corpus of quirks: what a client has to make of it.
    pub expect: Option<Expect>,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            server: ServerKind::Other,
            version: None,
            key: None,
            models: Vec::new(),
            machine: MachineScript::default(),
            strict: Vec::new(),
            rules: Vec::new(),
            ask: Ask::default(),
            expect: None,
        }
    }
}

impl Script {
    /// Reads a script file.
    ///
    /// # Errors
    /// The file cannot be read, or [`Script::from_str`] fails; both name the file.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, ScriptError> {
        let path = path.as_ref();
        let shown = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|source| ScriptError::Unreadable { path: shown.clone(), source })?;
        text.parse().map_err(|error: ScriptError| error.in_file(&shown))
    }
}

impl FromStr for Script {
    type Err = ScriptError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        json5::from_str(text).map_err(|source| ScriptError::Malformed { path: "script".to_owned(), source })
    }
}

/// Why a script cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ScriptError {
    /// The file cannot be read.
    #[error("cannot read {path}: {source}")]
    Unreadable {
        /// Which file.
        path: String,
        /// Why not.
        source: std::io::Error,
    },
    /// It is no JSON5, or not of the shape of a script.
    #[error("{path}: {source}")]
    Malformed {
        /// Which file.
        path: String,
        /// What is wrong, with its line and column.
        source: json5::Error,
    },
    /// A quirk without an opening comment or without `expect`.
    #[error("{path}: a quirk begins with a comment that says where the fact comes from, and has an `expect`")]
    Incomplete {
        /// Which file.
        path: String,
    },
}

impl ScriptError {
    fn in_file(self, path: &str) -> Self {
        match self {
            Self::Malformed { source, .. } => Self::Malformed { path: path.to_owned(), source },
            Self::Unreadable { source, .. } => Self::Unreadable { path: path.to_owned(), source },
            Self::Incomplete { .. } => Self::Incomplete { path: path.to_owned() },
        }
    }
}

/// The machine under a scripted server.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MachineScript {
    /// Requests worked on at a time; no limit when left out.
    pub slots: Option<usize>,
    /// What happens to a request when all slots are taken.
    pub when_full: WhenFull,
    /// The server's own start, while which it serves nothing.
    pub boot: Option<Boot>,
    /// How a model that is not in memory gets there.
    pub load: Load,
    /// Memory for one model only: loading one drops the other, after the other's requests are through.
    pub one_model: bool,
    /// A different `num_ctx` loads the model again (Ollama).
    pub window_reloads: bool,
    /// Goes on computing, and keeps the slot, when the client has left.
    pub deaf: bool,
    /// Milliseconds to read each 1,000 tokens of the prompt that are not in the slot's cache.
    pub read_ms_per_1000: u64,
}

/// What happens to a request when all slots are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WhenFull {
    /// It waits.
    #[default]
    Wait,
    /// 503 in the server's words.
    Unavailable,
    /// 429 in the server's words.
    TooMany,
}

/// The start of the whole server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Boot {
    /// Milliseconds; until [`ScriptedServer::release`](crate::ScriptedServer::release) when left out.
    pub for_ms: Option<u64>,
    /// What a request gets in the meantime.
    pub style: BootStyle,
}

/// What a request gets while the server starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BootStyle {
    /// 503 `Loading model` on every path (llama.cpp).
    #[default]
    Unavailable,
    /// Nothing, until the start is over.
    Blocks,
    /// A reset connection, as if nobody listened.
    Resets,
}

/// How a model that is not in memory gets there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Load {
    /// Milliseconds that a load takes. Without it and without `held`, none.
    pub ms: u64,
    /// A load ends with [`ScriptedServer::release`](crate::ScriptedServer::release) and not before.
    pub held: bool,
    /// What the request that needs the model gets.
    pub style: LoadStyle,
}

/// What a request gets that needs a model which is not in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LoadStyle {
    /// It waits, without a byte, not even a head.
    #[default]
    Blocks,
    /// Head first, then a comment per 100 ms, then the answer.
    Comments,
    /// It begins the load and gets 503 `Loading model`.
    Unavailable,
    /// No load by request: the server's words for that no model is loaded.
    Refuses,
}

/// What a strict server refuses, each in its own words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strict {
    /// A system message that is not the first, or a second one.
    OneSystem,
    /// Two user or two assistant messages in a row.
    Alternation,
    /// No user message at all.
    NeedsUser,
    /// Content as a list of parts.
    NoContentParts,
    /// Pictures.
    NoImages,
    /// The role `developer`.
    NoDeveloper,
    /// Tools (Ollama: `does not support tools`).
    NoTools,
    /// Tools with schema features that a grammar converter cannot take (`pattern`, `format`, `maxLength`, `$ref`, `not`).
    SimpleSchemas,
    /// `tool_choice` of `auto` without a parser (vLLM).
    NoAutoToolChoice,
    /// Tool call ids that are not nine letters or digits (Mistral's template).
    ShortToolIds,
    /// Asking for reasoning (Ollama: `does not support thinking`; elsewhere `reasoning_effort`).
    NoThinking,
    /// `stream_options`.
    NoStreamOptions,
    /// `store`.
    NoStore,
    /// `max_completion_tokens`.
    NoMaxCompletionTokens,
    /// Any member of the body that the API's oldest documentation does not know.
    KnownFields,
    /// Bodies without `Content-Length` (mlx_lm: 411).
    ContentLength,
    /// A `Host` other than localhost or a loopback address (Jan: 403).
    LocalHost,
    /// Responses requests (404 or the server's unknown-path answer).
    NoResponses,
    /// A `max_tokens` that does not fit into the window beside the prompt (vLLM).
    BudgetFits,
}

/// What to send to see a quirk.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Ask {
    /// The model to name; the first of the script, or `scripted`, when left out.
    pub model: Option<String>,
    /// The user's words; `hello` when left out.
    pub text: Option<String>,
    /// The user's words are filled up to this many bytes.
    pub prompt_bytes: Option<usize>,
    /// A tool named `get_weather` with one required text argument `city` is offered.
    pub tools: bool,
    /// The budget for the answer, in tokens; the client's own when left out.
    pub max_output_tokens: Option<u32>,
    /// The key that is sent; the server's own when left out.
    pub key: Option<String>,
    /// How often the same request is sent, one after the other; once when left out. The last answer counts.
    pub times: Option<u32>,
}
