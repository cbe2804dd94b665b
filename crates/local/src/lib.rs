//! The model servers in reach: discover them, ask them without waking them, load and keep models, start and stop servers on demand.
//!
//! A machine that runs its own models is never in the state that a program would like. The server is off, or was started
//! a minute later, or listens on `::1` only; the model is on the disk but not in memory, or in memory with a quarter of the
//! window that its listing boasts of. Everything else in krabba treats that as normal, because this crate says what
//! is the case, each time with its source:
//!
//! - [`probe`] asks one [`Endpoint`] a few harmless questions and gives a [`Report`]; [`discover`] does so on the usual ports.
//!   No question loads or wakes a model, counts as use, or prints an error in somebody's log without need.
//! - [`facts`] merges a report with the user's configuration and what was learned; [`mismatches`] says where they disagree.
//! - [`recommend`] chooses the model to begin with, for a [`Machine`].
//! - [`Watcher`] keeps reports fresh, one owned task for each endpoint.
//! - [`Loader`] loads a model at a person's word: one load at a time, its progress shown to all who wait, and nothing
//!   unloaded that was not loaded by us.
//! - [`Services`] starts a server command when a model needs it and stops it when nobody does.
//! - [`TokenCounter`] counts tokens exactly where a server offers that.
//! - [`infer_residency`] judges how far a conversation travels.
//!
//! What this crate does not know: conversations, wire formats of chats, and who is asked in which order. The states it publishes are
//! `Cold`, `Loading`, `Ready` and `Busy`; all others belong to the router.

mod asker;
mod counter;
mod discover;
mod endpoint;
mod facts;
mod family;
mod load_order;
mod load_progress;
mod loader;
mod loading;
mod machine;
mod mismatch;
mod model;
mod owned_task;
mod probe;
mod recommend;
mod report;
mod residency;
mod servers;
mod service;
mod service_actor;
mod service_error;
mod service_log;
mod service_process;
mod services;
mod surroundings;
mod watcher;
mod weights;
mod wire;

pub use counter::{CountError, Countable, TokenCounter};
pub use discover::{Discovery, discover};
pub use endpoint::Endpoint;
pub use facts::{ASSUMED_WINDOW, Configured, Learned, LearnedWindow, facts, facts_unseen};
pub use load_order::{LoadError, LoadEvent, LoadOrder, Loaded, UnloadError, Wanted};
pub use load_progress::load_percent;
pub use loader::{LoadStream, Loader};
pub use machine::Machine;
pub use mismatch::{Figure, Mismatch, mismatches, raise_window};
pub use model::{Abilities, ReasoningAbility, ServerModel, Weights};
pub use probe::probe;
pub use recommend::{Recommendation, recommend};
pub use report::{ProbeError, Report, ServerState, Tried, TriedOutcome};
pub use residency::{WhyHosted, infer_residency, model_residency, url_residency, why_hosted};
pub use service::{ServiceSettings, ServiceState};
pub use service_error::{CrashReport, ServiceError};
pub use services::{Lease, Services};
pub use surroundings::{Container, LmStudioTrace, Surroundings};
pub use watcher::{Observation, Watcher};

#[cfg(test)]
mod counter_tests;
#[cfg(test)]
mod discover_tests;
#[cfg(test)]
mod facts_tests;
#[cfg(test)]
mod load_progress_tests;
#[cfg(test)]
mod loader_tests;
#[cfg(test)]
mod machine_tests;
#[cfg(test)]
mod probe_tests;
#[cfg(test)]
mod recommend_tests;
#[cfg(test)]
mod residency_tests;
#[cfg(test)]
mod service_log_tests;
#[cfg(test)]
mod services_tests;
#[cfg(test)]
mod surroundings_tests;
#[cfg(test)]
mod test_server;
#[cfg(test)]
mod watcher_tests;
#[cfg(test)]
mod weights_tests;
