//! Why the monitor could not do its work. Whatever fails here, nothing is allowed.

use krabba_store::StoreError;

/// A failure of the monitor, or an answer that it cannot take.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A row of the monitor's cannot be read.
    #[error("cannot read {what}: {source}; a newer krabba may have written it")]
    Unreadable {
        /// Which.
        what: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// There is no such question.
    #[error("there is no question \"{id}\"; krabba approvals list shows those that are open")]
    NoQuestion {
        /// What was asked for.
        id: String,
    },
    /// The question has its answer.
    #[error("question \"{id}\" was answered before")]
    Answered {
        /// The question.
        id: String,
    },
    /// The question was not answered in time.
    #[error("question \"{id}\" ran out before it was answered, which is a no; have the task done again")]
    RanOut {
        /// The question.
        id: String,
    },
    /// A bare yes is not enough.
    #[error("a yes is not enough: to allow \"{id}\", type exactly: {words}")]
    NeedsWords {
        /// The question.
        id: String,
        /// What must be typed.
        words: String,
    },
    /// It cannot be allowed for more than once.
    #[error("\"{id}\" can be allowed this once, not for the rest of the task")]
    OnlyOnce {
        /// The question.
        id: String,
    },
}

impl GuardError {
    /// Whether the same call may succeed a little later without anybody doing anything.
    pub fn passes_by_itself(&self) -> bool {
        match self {
            Self::Store(error) => error.passes_by_itself(),
            Self::Unreadable { .. }
            | Self::NoQuestion { .. }
            | Self::Answered { .. }
            | Self::RanOut { .. }
            | Self::NeedsWords { .. }
            | Self::OnlyOnce { .. } => false,
        }
    }
}
