//! One request, watched from its first byte to its end.
//!
//! Everything the model says goes on to the consumer as it comes, but for complete tool calls: those are kept until the answer
//! has ended well, because nobody must act on half an answer. While there is no output, the server is looked at from time
//! to time, so that "loading" is seen even where the request itself stays silent (LM Studio loads by request and says nothing
//! until the first token).

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use futures_core::Stream;
use futures_util::StreamExt;
use krabba_types::{DoneReason, Fault, FaultKind, ModelEvent, ModelId, Phase, Progress, ToolCall, Usage};
use tokio::time::{Instant, sleep, sleep_until};

use crate::event::RouteEvent;
use crate::failover::Failover;
use crate::pace::Pace;
use crate::stream::Emitter;

/// A first look at a server that may have to load.
const FIRST_LOOK: Duration = Duration::from_secs(1);

/// Looks after that.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// What a look at the server showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// The model is not in memory yet.
    Loading {
        /// 0 to 100, when the server says.
        percent: Option<u8>,
    },
    /// It is.
    Loaded,
    /// Nothing was found out.
    Nothing,
}

/// A look that is under way.
pub(crate) type Looking = Pin<Box<dyn Future<Output = Look> + Send>>;

/// One request under way.
pub(crate) struct Attempting<'a> {
    pub(crate) emitter: &'a Emitter,
    pub(crate) failover: &'a mut Failover,
    pub(crate) pace: Pace,
    /// The route's name, for people.
    pub(crate) whom: String,
    /// The person was told that the model is being loaded; "waiting" would say less.
    pub(crate) loading: bool,
    /// How far the load was when somebody said so last.
    pub(crate) percent: Option<u8>,
    /// Looks at the server; `None` where that is not possible or not wanted.
    pub(crate) look: Option<Box<dyn Fn() -> Looking + Send + Sync + 'a>>,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Came {
    /// How it ended.
    pub(crate) end: Result<DoneReason, Fault>,
    /// Complete calls, not handed over yet; empty unless it ended well.
    pub(crate) calls: Vec<ToolCall>,
    /// The server's counters.
    pub(crate) usage: Usage,
    /// Another model's name, if it gave one.
    pub(crate) answered_by: Option<ModelId>,
    /// Whether anything of the answer was shown, reasoning included.
    pub(crate) shown: bool,
    /// Whether there was reasoning.
    pub(crate) reasoned: bool,
    /// Whether text turned out to be reasoning.
    pub(crate) retracted: bool,
    /// From the request to the first output.
    pub(crate) first_output: Option<Duration>,
    /// From the first output to the last.
    pub(crate) writing: Duration,
}

impl Attempting<'_> {
    /// Reads `stream` to its end, or until a clock runs out.
    pub(crate) async fn read(mut self, mut stream: impl Stream<Item = ModelEvent> + Unpin) -> Came {
        let started = Instant::now();
        let mut came = Came::new();
        let mut last_output = started;
        let mut looking = self.next_look(FIRST_LOOK);
        loop {
            let deadline = self.pace.deadline();
            // What has arrived counts, even if the consumer was too slow to take it before the clock ran out.
            let event = tokio::select! {
                biased;
                event = stream.next() => event,
                look = seen(&mut looking) => {
                    self.looked(look).await;
                    looking = self.next_look(LOOK_EVERY);
                    continue;
                }
                () = sleep_until(deadline) => {
                    came.end = Err(self.pace.fault(Instant::now(), &self.whom));
                    return came.failed();
                }
            };
            let now = Instant::now();
            let Some(event) = event else {
                let message = format!("{} ended without saying so", self.whom);
                came.end = Err(Fault::new(FaultKind::Truncated, Phase::Streaming, message));
                return came.failed();
            };
            self.pace.observe(&event, now);
            if event.is_output() {
                came.first_output.get_or_insert(now - started);
                came.shown = true;
                last_output = now;
                looking = None;
            }
            came.writing = came.first_output.map_or(Duration::ZERO, |first| (last_output - started).saturating_sub(first));
            match event {
                ModelEvent::Done(reason) => {
                    came.end = Ok(reason);
                    return came;
                }
                ModelEvent::Failed(fault) => {
                    came.end = Err(fault);
                    return came.failed();
                }
                other => self.pass(other, &mut came).await,
            }
        }
    }

    async fn pass(&mut self, event: ModelEvent, came: &mut Came) {
        match &event {
            ModelEvent::Text(_) => self.failover.commit(),
            ModelEvent::Retracted => {
                came.retracted = true;
                self.failover.retracted();
            }
            ModelEvent::Usage(usage) => came.usage.update(usage),
            ModelEvent::Progress(Progress::Waiting | Progress::Accepted) if self.loading => return,
            ModelEvent::AnsweredBy(model) => came.answered_by = Some(model.clone()),
            ModelEvent::ToolCall(call) => {
                came.calls.push(call.clone());
                return;
            }
            ModelEvent::Reasoning(_) => came.reasoned = true,
            // What reads is loaded, and the request itself tells more from now on than a look.
            ModelEvent::Progress(Progress::Reading { .. }) => {
                self.look = None;
                self.loading = false;
            }
            ModelEvent::ReasoningArtefact { .. }
            | ModelEvent::ToolCallPart(_)
            | ModelEvent::BrokenCall(_)
            | ModelEvent::Progress(_)
            | ModelEvent::Done(_)
            | ModelEvent::Failed(_) => {}
        }
        self.emitter.emit(RouteEvent::Model(event)).await;
    }

    async fn looked(&mut self, look: Look) {
        if self.look.is_none() {
            return;
        }
        let now = Instant::now();
        let progress = match look {
            Look::Loading { percent } => {
                self.pace.still_loading(percent, now);
                self.loading = true;
                self.percent = percent.max(self.percent);
                Progress::Loading { percent: self.percent }
            }
            Look::Loaded => {
                self.pace.loaded(now);
                self.look = None;
                self.loading = false;
                Progress::Waiting
            }
            Look::Nothing => return,
        };
        self.emitter.emit(RouteEvent::Model(ModelEvent::Progress(progress))).await;
    }

    fn next_look(&self, after: Duration) -> Option<Looking> {
        let look = self.look.as_ref()?();
        Some(Box::pin(async move {
            sleep(after).await;
            look.await
        }))
    }
}

/// Waits for a look that is under way; for ever where there is none.
async fn seen(looking: &mut Option<Looking>) -> Look {
    match looking {
        Some(looking) => looking.as_mut().await,
        None => std::future::pending().await,
    }
}

impl Came {
    fn new() -> Self {
        Self {
            end: Ok(DoneReason::Unknown),
            calls: Vec::new(),
            usage: Usage::default(),
            answered_by: None,
            shown: false,
            reasoned: false,
            retracted: false,
            first_output: None,
            writing: Duration::ZERO,
        }
    }

    /// Calls of an answer that failed are not calls.
    fn failed(mut self) -> Self {
        self.calls.clear();
        self
    }
}
