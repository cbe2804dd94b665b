//! What a person who waits is told.

use krabba_types::Progress;
use serde::{Deserialize, Serialize};

/// What is going on. One is said the moment a turn begins, and another one at every change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "state")]
pub enum Status {
    /// Others are before us: in this conversation, or at the model's box.
    Queued {
        /// Place in the queue; 1 is next.
        position: u32,
    },
    /// The model is being loaded.
    Loading {
        /// 0 to 100, when the server says.
        percent: Option<u8>,
    },
    /// The server reads the prompt.
    Reading {
        /// Tokens read.
        done: u64,
        /// Tokens to read.
        total: u64,
    },
    /// Asked; nothing came back yet.
    Waiting,
    /// The model thinks before it answers.
    Thinking {
        /// Tokens so far, estimated.
        tokens: u64,
    },
    /// A tool works.
    Acting {
        /// What it does, in one line.
        what: String,
    },
    /// The owner is asked whether something may be done.
    Asking,
    /// The answer comes.
    Answering,
}

impl Status {
    /// What a server's progress means to a person; `None` when it means nothing new.
    pub(crate) fn of_progress(progress: &Progress) -> Option<Self> {
        match progress {
            Progress::Queued { position } => Some(Self::Queued { position: *position }),
            Progress::Waiting | Progress::Accepted => Some(Self::Waiting),
            Progress::Loading { percent } => Some(Self::Loading { percent: *percent }),
            Progress::Reading { done, total } => Some(Self::Reading { done: *done, total: *total }),
            Progress::Alive => None,
        }
    }
}
