//! What keeps us from doing our own part.

use krabba_store::StoreError;

/// A failure of the session's own keeping; what a model does wrong is a `Fault`.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// The store could not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The reference monitor could not decide; nothing was done.
    #[error(transparent)]
    Guard(#[from] krabba_guard::GuardError),
    /// A value has no stored form.
    #[error("cannot write down what happened in this turn: {0}")]
    Record(#[from] serde_json::Error),
    /// The owner stopped, and did not wait until the disk or another program let it be written down.
    #[error("stopped while the database was busy; what was done last may be missing when you go on")]
    Unwritten,
    /// The program is ending.
    #[error("krabba is shutting down; say it again after the restart")]
    Closing,
}
