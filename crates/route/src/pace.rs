//! The clocks of one attempt, running.
//!
//! ```text
//!  sent ──► Headers ──► FirstToken ──► Streaming
//!               ╲______________╱             │
//!        loading, reading: start anew     output: starts anew
//!        comments, pings: put off, up to a cap
//! ```
//!
//! Real progress (a higher loading percentage, more of the prompt read) always starts the clock anew, however often: a
//! slow machine is not a broken one. Signs of life without progress only prove that the peer's TCP stack works, so they
//! put the end off no further than a cap. Waiting in our own queue does not come here at all.
//!
//! Pure: it is told the time and never waits.

use std::time::Duration;

use krabba_types::{Fault, FaultKind, ModelEvent, Phase, Progress, seconds};
use tokio::time::Instant;

use crate::clocks::Clocks;

/// Whether the model was in memory when it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// Loaded, or nobody knows.
    Warm,
    /// It has to be loaded first, which is not the first-token clock's time.
    Cold,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waits {
    Headers,
    FirstToken,
    NextToken,
}

/// When to give up on an attempt.
#[derive(Clone, Debug)]
pub(crate) struct Pace {
    clocks: Clocks,
    waits: Waits,
    headers_end: Option<Instant>,
    /// When the current wait ends, unless something happens.
    end: Instant,
    /// Up to when signs of life may put that off.
    cap: Instant,
    whole_end: Option<Instant>,
    percent: Option<u8>,
    read: Option<u64>,
}

impl Pace {
    /// Starts the clocks at `now`, when the request is sent.
    pub(crate) fn new(clocks: Clocks, now: Instant, start: Start) -> Self {
        let loading = match start {
            Start::Warm => Duration::ZERO,
            Start::Cold => clocks.load,
        };
        Self {
            waits: Waits::Headers,
            headers_end: clocks.headers.map(|limit| now + loading + limit),
            end: now + loading + clocks.first_token,
            cap: now + loading + clocks.patience,
            whole_end: clocks.whole.map(|limit| now + limit),
            percent: None,
            read: None,
            clocks,
        }
    }

    /// Takes notice of what came.
    pub(crate) fn observe(&mut self, event: &ModelEvent, now: Instant) {
        match event {
            ModelEvent::Text(_)
            | ModelEvent::Reasoning(_)
            | ModelEvent::ToolCallPart(_)
            | ModelEvent::ToolCall(_)
            | ModelEvent::BrokenCall(_) => {
                self.waits = Waits::NextToken;
                self.headers_end = None;
                self.end = now + self.clocks.gap;
                self.cap = now + self.clocks.gap_patience;
            }
            ModelEvent::Progress(progress) => self.progress(progress, now),
            ModelEvent::ReasoningArtefact { .. } | ModelEvent::AnsweredBy(_) | ModelEvent::Usage(_) | ModelEvent::Retracted => {
                self.alive(now);
            }
            ModelEvent::Done(_) | ModelEvent::Failed(_) => {}
        }
    }

    fn progress(&mut self, progress: &Progress, now: Instant) {
        match progress {
            Progress::Waiting | Progress::Queued { .. } => {}
            Progress::Accepted => {
                self.headers_end = None;
                if self.waits == Waits::Headers {
                    self.waits = Waits::FirstToken;
                }
            }
            Progress::Loading { percent } => {
                if self.loading(*percent) {
                    self.advance(now, self.clocks.load + self.clocks.first_token);
                } else {
                    self.alive(now);
                }
            }
            Progress::Reading { done, .. } => {
                if self.read.is_none_or(|before| *done > before) {
                    self.read = Some(*done);
                    self.advance(now, self.clocks.first_token);
                } else {
                    self.alive(now);
                }
            }
            Progress::Alive => self.alive(now),
        }
    }

    /// A look from outside found it still loading. Only progress counts: this sign of life is not the request's own.
    pub(crate) fn still_loading(&mut self, percent: Option<u8>, now: Instant) {
        if self.loading(percent) {
            self.advance(now, self.clocks.load + self.clocks.first_token);
        }
    }

    /// Whether loading has begun or got on.
    fn loading(&mut self, percent: Option<u8>) -> bool {
        let first = self.percent.is_none() && self.read.is_none();
        let further = percent.is_some_and(|percent| self.percent.is_none_or(|before| percent > before));
        self.percent = Some(percent.unwrap_or(0).max(self.percent.unwrap_or(0)));
        first || further
    }

    /// The model is loaded now: what remains is the first token.
    pub(crate) fn loaded(&mut self, now: Instant) {
        if self.waits != Waits::NextToken {
            self.advance(now, self.clocks.first_token);
        }
    }

    fn advance(&mut self, now: Instant, limit: Duration) {
        if self.waits == Waits::NextToken {
            self.alive(now);
            return;
        }
        self.end = now + limit;
        self.cap = now + limit.max(self.clocks.patience);
        if self.headers_end.is_some() {
            self.headers_end = self.clocks.headers.map(|headers| now + headers);
        }
    }

    fn alive(&mut self, now: Instant) {
        let limit = match self.waits {
            Waits::Headers | Waits::FirstToken => self.clocks.first_token,
            Waits::NextToken => self.clocks.gap,
        };
        self.end = self.end.max((now + limit).min(self.cap));
    }

    /// When the next clock runs out.
    pub(crate) fn deadline(&self) -> Instant {
        [self.headers_end, self.whole_end].into_iter().flatten().fold(self.end, Instant::min)
    }

    /// The fault for a clock that ran out; `whom` is the route, for people.
    pub(crate) fn fault(&self, now: Instant, whom: &str) -> Fault {
        let phase = match self.waits {
            Waits::Headers => Phase::Headers,
            Waits::FirstToken => Phase::FirstToken,
            Waits::NextToken => Phase::Streaming,
        };
        let message = if self.whole_end.is_some_and(|end| end <= now) {
            format!("{whom} was not finished after {} (clock: whole answer)", seconds(self.clocks.whole.unwrap_or_default()))
        } else if self.headers_end.is_some_and(|end| end <= now) {
            format!("{whom} did not begin to answer within {} (clock: headers)", seconds(self.clocks.headers.unwrap_or_default()))
        } else {
            match self.waits {
                Waits::Headers | Waits::FirstToken => {
                    format!("{whom} sent no token within {} (clock: first token)", seconds(self.clocks.first_token))
                }
                Waits::NextToken => {
                    format!("{whom} fell silent for {} in the middle of its answer (clock: gap)", seconds(self.clocks.gap))
                }
            }
        };
        Fault::new(FaultKind::Stalled, phase, message)
    }
}
