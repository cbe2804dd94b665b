//! What is asked of the [`Loader`](crate::Loader), and what comes of it.

use std::sync::Arc;
use std::time::Duration;

use krabba_types::{ModelId, Progress};

use crate::{Endpoint, Report};

/// A model to be loaded.
#[derive(Clone, Debug)]
pub struct LoadOrder {
    /// Where.
    pub endpoint: Endpoint,
    /// What the server said last.
    pub report: Arc<Report>,
    /// Which, exactly as the server names it.
    pub model: ModelId,
    /// How.
    pub wanted: Wanted,
    /// How long it stays loaded after use, in the user's words (Ollama `keep_alive`: `10m`, `-1`).
    pub keep_alive: Option<String>,
    /// How long the load itself may take. Waiting for another load on the same box does not count.
    pub budget: Duration,
}

/// How a model is to be loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// As its server does by itself.
    Usual,
    /// With a window of so many tokens, at the person's word.
    Window(u32),
}

/// What happens during a load. `Ended` comes exactly once, last.
#[derive(Clone, Debug, PartialEq)]
pub enum LoadEvent {
    /// Where it stands.
    Progress(Progress),
    /// How it ended.
    Ended(Result<Loaded, LoadError>),
}

/// A load that ended well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Loaded {
    /// It is in memory because of us.
    Now {
        /// How requests must name it; LM Studio may give an instance a name of its own.
        model: ModelId,
        /// The window that the server reports now, which counts, whatever was asked for.
        window: Option<u32>,
        /// For a person, where that is not what was asked for.
        note: Option<String>,
    },
    /// It was in memory already, with this window.
    Already {
        /// As reported.
        window: Option<u32>,
    },
    /// Nothing was done: this server loads a model when the first request names it.
    ByRequest,
}

/// A load that failed. Cloned to everybody who waits for it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// The server said no.
    #[error("{server} cannot load {model}: {words}")]
    Refused {
        /// The software.
        server: &'static str,
        /// Which model.
        model: ModelId,
        /// Its own words, shortened.
        words: String,
    },
    /// The server's process for the model ended.
    #[error("{server} tried to load {model}, and its process ended{}; look into the server's log", with_code(*exit_code))]
    Ended {
        /// The software.
        server: &'static str,
        /// Which model.
        model: ModelId,
        /// As the server tells it.
        exit_code: Option<i64>,
    },
    /// It took too long.
    #[error("{model} was not loaded within {} s; it may still be on its way", budget.as_secs())]
    TimedOut {
        /// Which model.
        model: ModelId,
        /// What was given.
        budget: Duration,
    },
    /// The server cannot be asked.
    #[error("cannot ask for {model}: {reason}")]
    Unreachable {
        /// Which model.
        model: ModelId,
        /// Why, with the URL.
        reason: String,
    },
    /// The loader was shut down.
    #[error("the load of {model} was abandoned because krabba is stopping")]
    Abandoned {
        /// Which model.
        model: ModelId,
    },
}

/// An unload that did not happen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnloadError {
    /// It is not ours to unload.
    #[error("{model} was not loaded by krabba, so krabba does not unload it; do that in the server itself")]
    NotOurs {
        /// Which model.
        model: ModelId,
    },
    /// The server said no, or nothing.
    #[error("cannot unload {model}: {reason}")]
    Failed {
        /// Which model.
        model: ModelId,
        /// Why.
        reason: String,
    },
}

fn with_code(exit_code: Option<i64>) -> String {
    exit_code.map(|code| format!(" with exit code {code}")).unwrap_or_default()
}
