//! How long a turn may take.
//!
//! The clock begins when the turn has its place and ends it wherever it is: a tool is ended with what it has, and the model is asked to
//! answer with that, for which there is a little time ([`LAST_WORDS`]); an answer that comes just then is cut off. While the owner is
//! asked something, the clock stands: that time is theirs.

use std::time::Duration;

use krabba_types::{Fault, FaultKind, Phase};
use tokio::time::Instant;

/// The least time for the answer that is asked for at the end; else a tenth of the limit.
const LAST_WORDS: Duration = Duration::from_secs(30);

/// When a turn is over.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Deadline {
    limit: Option<u64>,
    until: Option<Instant>,
}

impl Deadline {
    /// So many seconds from now; for ever without a limit.
    pub(crate) fn begin(limit: Option<u64>) -> Self {
        // What the clock cannot count is no limit.
        Self { limit, until: limit.and_then(|seconds| Instant::now().checked_add(Duration::from_secs(seconds))) }
    }

    /// The clock stood for so long.
    pub(crate) fn stood(&mut self, time: Duration) {
        self.until = self.until.and_then(|until| until.checked_add(time));
    }

    /// Time for one more answer.
    pub(crate) fn grant_last_words(&mut self) {
        let share = Duration::from_secs(self.limit.unwrap_or_default()) / 10;
        self.until = self.until.and_then(|_| Instant::now().checked_add(share.max(LAST_WORDS)));
    }

    pub(crate) fn is_over(&self) -> bool {
        self.until.is_some_and(|until| Instant::now() >= until)
    }

    /// Waits for it.
    pub(crate) async fn over(self) {
        match self.until {
            Some(until) => tokio::time::sleep_until(until).await,
            None => std::future::pending().await,
        }
    }

    /// For a person.
    pub(crate) fn words(&self) -> String {
        format!("{} s are over, the limit for one turn", self.limit.unwrap_or_default())
    }

    /// Where it ends a turn before anything was answered.
    pub(crate) fn fault(&self) -> Fault {
        Fault::new(FaultKind::Stalled, Phase::Streaming, format!("{}, and there is no answer yet", self.words()))
    }
}
