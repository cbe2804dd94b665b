//! A prompt that is made smaller: at the person's word, or in the background before its window is full.

use krabba_agent::{CompactEvent, Compacting, Lane, Status};
use krabba_command::compacted;
use krabba_context::Occasion;

/// Work on it.
pub(super) struct Shrinking {
    occasion: Occasion,
    work: Compacting,
}

/// What a person is told of it.
pub(super) enum Told {
    /// While they wait.
    Status(Status),
    /// A line, once it is over.
    Line(String),
    /// A quiet line about something that they did not ask for.
    Aside(String),
    /// Nothing.
    Nothing,
}

impl Shrinking {
    pub(super) fn begin(lane: &Lane, occasion: Occasion) -> Self {
        Self { occasion, work: lane.compact(occasion) }
    }

    /// Whether a person waits for it.
    pub(super) fn is_waited_for(&self) -> bool {
        self.occasion == Occasion::Asked
    }

    /// The next thing to tell; `None` when it is over.
    pub(super) async fn next(&mut self) -> Option<CompactEvent> {
        self.work.events.recv().await
    }

    pub(super) fn told(&self, event: CompactEvent) -> Told {
        match (event, self.occasion) {
            (CompactEvent::Noting { piece, of }, Occasion::Asked) => {
                Told::Status(Status::Acting { what: format!("noting what was said, part {piece} of {of}") })
            }
            (CompactEvent::Ended(Ok(outcome)), Occasion::Asked) => Told::Line(compacted(&outcome)),
            (CompactEvent::Ended(Ok(outcome)), Occasion::NearlyFull) if outcome.is_news() => Told::Aside(compacted(&outcome)),
            (CompactEvent::Ended(Err(error)), Occasion::Asked) => Told::Line(error.to_string()),
            // The next turn has the same trouble and says so.
            (CompactEvent::Noting { .. } | CompactEvent::Ended(_), Occasion::NearlyFull) => Told::Nothing,
        }
    }
}

/// Over for a person who cannot watch.
pub(super) async fn compact_now(lane: &Lane) -> String {
    let mut shrinking = Shrinking::begin(lane, Occasion::Asked);
    let mut line = String::new();
    while let Some(event) = shrinking.next().await {
        if let Told::Line(told) = shrinking.told(event) {
            line = told;
        }
    }
    line
}
