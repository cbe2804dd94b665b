//! What a probe found.

use std::fmt;

use krabba_types::{ModelId, RouteState, ServerKind, Timestamp};

use crate::ServerModel;

/// What a server said about itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// The software.
    pub kind: ServerKind,
    /// Its version, when it tells.
    pub version: Option<String>,
    /// The base URL that worked, ready for `/chat/completions` to be appended (so usually with `/v1`).
    pub url: String,
    /// Its models, in its own order.
    pub models: Vec<ServerModel>,
    /// Requests that it serves at a time, when it tells.
    pub slots: Option<u32>,
    /// How many of them are taken, when it tells.
    pub busy: Option<u32>,
    /// Whether it can be used.
    pub state: ServerState,
    /// It has put its model out of memory and loads it again at the next request (llama.cpp `--sleep-idle-seconds`).
    pub sleeping: bool,
    /// Conversations may go on from it to somebody else's machine.
    pub hosted: bool,
    /// Every URL that was asked, in order.
    pub tried: Vec<Tried>,
    /// When.
    pub at: Timestamp,
}

impl Report {
    pub(crate) fn new(kind: ServerKind) -> Self {
        Self {
            kind,
            version: None,
            url: String::new(),
            models: Vec::new(),
            slots: None,
            busy: None,
            state: ServerState::Up,
            sleeping: false,
            hosted: false,
            tried: Vec::new(),
            at: Timestamp(0),
        }
    }

    /// The entry of a model, by its exact id. Ollama lists `qwen3:latest` where people say `qwen3`, and takes both.
    pub fn model(&self, id: &ModelId) -> Option<&ServerModel> {
        let exact = self.models.iter().find(|model| model.id == *id);
        let latest = || self.models.iter().find(|model| model.id.as_str().strip_suffix(":latest") == Some(id.as_str()));
        exact.or_else(|| if self.kind == ServerKind::Ollama { latest() } else { None })
    }

    /// What a route to `id` is doing, as far as this server tells: `Cold`, `Loading`, `Ready`, `Busy` or `Unknown`.
    pub fn route_state(&self, id: &ModelId) -> RouteState {
        match &self.state {
            ServerState::Loading { .. } => RouteState::Loading,
            ServerState::NeedsKey | ServerState::KeyRefused | ServerState::Failing { .. } => RouteState::Unknown,
            ServerState::Up => self.model(id).map_or(RouteState::Unknown, |model| self.state_of(model)),
        }
    }

    fn state_of(&self, model: &ServerModel) -> RouteState {
        let full = self.slots.zip(self.busy).is_some_and(|(slots, busy)| busy >= slots);
        match model.loaded {
            Some(false) | None if model.loading => RouteState::Loading,
            Some(false) => RouteState::Cold,
            Some(true) if self.sleeping => RouteState::Cold,
            Some(true) if full => RouteState::Busy,
            Some(true) => RouteState::Ready,
            None => RouteState::Unknown,
        }
    }
}

/// Whether a server can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerState {
    /// It answers.
    Up,
    /// It loads its only model and answers nothing else until then (llama.cpp: 503 on every path).
    Loading {
        /// 0 to 100, when it says.
        percent: Option<u8>,
    },
    /// It wants a key, and none is configured.
    NeedsKey,
    /// It does not take the configured key.
    KeyRefused,
    /// It is there and cannot work.
    Failing {
        /// Why, and what to do, for a person.
        reason: String,
    },
}

/// A URL that was asked, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// Without secrets.
    pub url: String,
    /// What came of it.
    pub outcome: TriedOutcome,
}

impl fmt::Display for Tried {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.url, self.outcome)
    }
}

/// What came of asking a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TriedOutcome {
    /// It answered with what was asked for.
    Answered,
    /// It answered with this HTTP status.
    Status(u16),
    /// It answered 200 with something else: a page, or LM Studio's "Unexpected endpoint".
    NotThis,
    /// Nothing listens there.
    NothingThere,
    /// No answer in time.
    TimedOut,
    /// It failed otherwise.
    Failed(String),
}

impl fmt::Display for TriedOutcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answered => formatter.write_str("answered"),
            Self::Status(status) => write!(formatter, "answered with status {status}"),
            Self::NotThis => formatter.write_str("answered, but not as a model server does"),
            Self::NothingThere => formatter.write_str("nothing listens there"),
            Self::TimedOut => formatter.write_str("no answer in time"),
            Self::Failed(reason) => formatter.write_str(reason),
        }
    }
}

/// No model server was found at an endpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ProbeError {
    /// As configured.
    pub base_url: String,
    /// Every URL that was asked, in order; empty when `base_url` is no URL.
    pub tried: Vec<Tried>,
}

impl ProbeError {
    /// Whether nothing listens at any of the addresses: the server is off.
    pub fn nothing_there(&self) -> bool {
        !self.tried.is_empty() && self.tried.iter().all(|tried| tried.outcome == TriedOutcome::NothingThere)
    }
}

impl fmt::Display for ProbeError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.tried.is_empty() {
            return write!(formatter, "\"{}\" is not an address; write it like http://localhost:1234/v1", self.base_url);
        }
        write!(formatter, "no model server at {}", self.base_url)?;
        for (index, tried) in self.tried.iter().enumerate() {
            write!(formatter, "{}{tried}", if index == 0 { " (" } else { "; " })?;
        }
        formatter.write_str(")")
    }
}
