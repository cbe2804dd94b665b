//! A run: one request, over as many routes as it takes.
//!
//! ```text
//!  plan ──► candidate 1 ──► [leg] ──answered──────────────────────────► End(Ok)
//!               │ next            ╲ stop (cannot be taken back, cancelled)
//!               ▼                  ╲────────────────────────────────────► End(Err)
//!           candidate 2 ──► [leg] …                                       ▲
//!               └────────────────── nobody left ──────────────────────────┘
//! ```
//!
//! What happens on one route is [`crate::leg`]; what follows from a fault is decided by [`crate::failover`], which knows
//! no I/O. This file walks from route to route, tells the person, and keeps the record.
//!
//! What is deliberately not here: a second request to another route while the first one is still under way. On one GPU
//! that makes both slower.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use krabba_types::{DoneReason, Fault, FaultKind, ModelRef, Phase, RouteFacts, Usage, grouped};
use tokio::time::Instant;

use crate::clocks::millis;
use crate::event::{Attempt, AttemptOutcome, ContextMeter, RouteEvent, RunEnd, Surface, Timing};
use crate::failover::Failover;
use crate::leg::Leg;
use crate::plan::{Candidate, Plan};
use crate::prompt::Prompt;
use crate::router::Inner;
use crate::stream::Emitter;
use crate::told::{Instead, Memory};

/// One run, from its plan to its end.
pub(crate) struct Run {
    pub(crate) inner: Arc<Inner>,
    pub(crate) plan: Plan,
    pub(crate) prompt: Arc<dyn Prompt>,
    pub(crate) emitter: Emitter,
    pub(crate) failover: Failover,
    pub(crate) memory: Memory,
    pub(crate) record: Record,
}

/// What is known at the end.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) started: Instant,
    pub(crate) queued: Duration,
    pub(crate) attempts: Vec<Attempt>,
    pub(crate) usage: Usage,
    pub(crate) first_token: Option<Duration>,
    pub(crate) facts: Option<RouteFacts>,
    pub(crate) estimate: Option<u32>,
    /// Something of an answer is on the screen.
    pub(crate) shown: bool,
}

/// Which of those who are not asked are spoken of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusals {
    /// Those whose turn would have come before anybody else's.
    First,
    /// Those behind somebody who was asked.
    Others,
}

/// How a route was left.
#[derive(Debug)]
pub(crate) enum Left {
    /// With an answer.
    Answered(DoneReason),
    /// For the next one.
    Next(Fault),
    /// For the next one with a window larger than so many tokens.
    NextLarger(Fault, u32),
    /// For good.
    Stop(Fault),
}

impl Run {
    pub(crate) fn new(inner: Arc<Inner>, plan: Plan, prompt: Arc<dyn Prompt>, surface: Surface, emitter: Emitter) -> Self {
        let memory = inner.told.of(plan.ask.session.as_ref());
        let record = Record {
            started: Instant::now(),
            queued: Duration::ZERO,
            attempts: Vec::new(),
            usage: Usage::default(),
            first_token: None,
            facts: None,
            estimate: None,
            shown: false,
        };
        Self { inner, plan, prompt, emitter, failover: Failover::new(surface.can_retract), memory, record }
    }

    /// Does everything, and ends with [`RouteEvent::End`].
    pub(crate) async fn drive(mut self) {
        self.record.started = Instant::now();
        if self.plan.candidates.is_empty() {
            // Perhaps only because no server was asked yet.
            self.inner.freshen_all().await;
            self.plan = self.inner.plan(&self.plan.ask);
        }
        let outcome = self.answer().await;
        self.failover.done();
        self.inner.told.keep(self.plan.ask.session.as_ref(), &self.memory);
        let end = self.end(outcome);
        self.emitter.emit(RouteEvent::End(Box::new(end))).await;
    }

    async fn answer(&mut self) -> Result<(DoneReason, ModelRef), Fault> {
        self.tell_refused(Refusals::First).await;
        let mut waiting: VecDeque<Candidate> = self.plan.candidates.iter().cloned().collect();
        let mut previous: Option<Fault> = None;
        let mut larger_than: Option<u32> = None;
        while let Some(candidate) = waiting.pop_front() {
            if let Some(fault) = self.too_small(&candidate, larger_than) {
                self.attempted(&candidate, AttemptOutcome::TooSmall, Some(fault), Duration::ZERO);
                continue;
            }
            self.failover.next_route(self.plan.ask.temper);
            self.announce(&candidate, previous.as_ref()).await;
            let left = match Leg::new(self, candidate.clone(), waiting.len()) {
                Some(leg) => leg.run().await,
                None => Left::Next(nobody(&candidate.reference)),
            };
            match left {
                Left::Answered(reason) => return Ok((reason, candidate.reference)),
                Left::Stop(fault) => return Err(self.summary(fault)),
                Left::Next(fault) => previous = Some(fault),
                Left::NextLarger(fault, window) => {
                    larger_than = Some(window);
                    previous = Some(fault);
                }
            }
        }
        self.tell_refused(Refusals::Others).await;
        Err(previous.map_or_else(|| self.nobody_asked(), |fault| self.summary(fault)))
    }

    /// Takes back what the route before left on the screen, and says who is asked now, if it is news. In one line.
    async fn announce(&mut self, candidate: &Candidate, previous: Option<&Fault>) {
        let news = self.news(candidate, previous);
        let line = match (previous, news) {
            (Some(fault), None) if self.record.shown => format!("{}; asking {} instead", fault.message, candidate.reference),
            (_, Some(line)) => line,
            (_, None) => return,
        };
        if !self.restart(&line).await {
            self.emitter.emit(RouteEvent::Notice(line)).await;
        }
    }

    /// Whatever is on the screen of this answer is void, if there is anything; says whether there was. `line` tells why, and what is
    /// done about it.
    pub(crate) async fn restart(&mut self, line: &str) -> bool {
        let shown = std::mem::take(&mut self.record.shown);
        if shown {
            self.failover.retracted();
            self.emitter.emit(RouteEvent::Restarted { why: line.to_owned() }).await;
        }
        shown
    }

    /// The line about who is asked, if it is news.
    fn news(&mut self, candidate: &Candidate, previous: Option<&Fault>) -> Option<String> {
        let wanted = self.plan.wanted.clone()?;
        let at_home = |reference: &ModelRef| {
            let place = self.plan.candidates.iter().find(|candidate| candidate.reference == *reference);
            place.is_some_and(|candidate| !candidate.residency.leaves_home())
        };
        if at_home(&wanted) {
            self.memory.meant_for_home();
        }
        let held = self.plan.candidates.iter().find(|other| other.reference == wanted).map(|other| other.state);
        let instead = match (previous, held) {
            (Some(fault), _) => Instead::Failed(fault),
            (None, Some(state)) if candidate.reference != wanted => Instead::Held(state),
            (None, Some(_) | None) => Instead::Nothing,
        };
        self.memory.before(&wanted, candidate, &instead)
    }

    /// What the configuration or the person wants and does not get is said once in a session: the first choice before
    /// another one is asked, a fallback when it would have been its turn.
    async fn tell_refused(&mut self, which: Refusals) {
        if self.plan.candidates.is_empty() {
            return;
        }
        for refused in self.plan.refused.clone() {
            let is_first = refused.behind == 0;
            match which {
                Refusals::First if is_first => {}
                Refusals::Others if !is_first => {}
                Refusals::First | Refusals::Others => continue,
            }
            let line = format!("{} is left out: {}", refused.reference, refused.why);
            if self.memory.first_time(&line) {
                self.emitter.emit(RouteEvent::Notice(line)).await;
            }
        }
    }

    fn too_small(&self, candidate: &Candidate, larger_than: Option<u32>) -> Option<Fault> {
        let needed = larger_than?;
        let window = self.inner.facts(&self.plan.ask.agent, &candidate.reference).window.value;
        let kind = FaultKind::Overflow { limit: Some(window), asked: None };
        let message = format!("{} holds {} tokens, which is no more than what was too little", candidate.reference, grouped(window));
        (window <= needed).then(|| Fault::new(kind, Phase::Connect, message))
    }

    pub(crate) fn attempted(&mut self, candidate: &Candidate, outcome: AttemptOutcome, fault: Option<Fault>, took: Duration) {
        self.record.attempts.push(Attempt {
            reference: candidate.reference.clone(),
            endpoint: candidate.endpoint.clone(),
            residency: candidate.residency.clone(),
            outcome,
            fault,
            ms: millis(took),
        });
    }

    /// One fault for all that failed, where none of them had the last word by itself.
    fn summary(&self, last: Fault) -> Fault {
        let mut failed: Vec<&str> = Vec::new();
        for fault in self.record.attempts.iter().filter_map(|attempt| attempt.fault.as_ref()) {
            if !failed.contains(&fault.message.as_str()) {
                failed.push(&fault.message);
            }
        }
        // The line about the first time was said when it was asked once more.
        let failures = self.record.attempts.iter().filter(|attempt| attempt.outcome == AttemptOutcome::BrokeOff);
        if failures.filter(|attempt| attempt.fault.as_ref().is_some_and(|fault| fault.message == last.message)).count() == 2 {
            return Fault { message: format!("{}, twice", last.message), ..last };
        }
        if failed.len() <= 1 || !last.next_route() || self.record.shown {
            return last;
        }
        Fault { message: format!("no model answered: {}", failed.join("; ")), ..last }
    }

    fn nobody_asked(&self) -> Fault {
        let why: Vec<String> = self.plan.refused.iter().map(|refused| format!("{}: {}", refused.reference, refused.why)).collect();
        let message = if why.is_empty() {
            "no model is configured, and no model server was found; start one, or name a model under agents.defaults.model".to_owned()
        } else {
            format!("no model may be asked ({})", why.join("; "))
        };
        Fault::new(FaultKind::NoSuchModel, Phase::Connect, message)
    }

    fn end(&mut self, outcome: Result<(DoneReason, ModelRef), Fault>) -> RunEnd {
        let answered = outcome.as_ref().ok().map(|(_, reference)| reference.clone());
        let record = &mut self.record;
        let window = record.facts.as_ref().map(|facts| facts.window);
        let context = ContextMeter {
            window: window.map(|fact| fact.value),
            window_source: window.map(|fact| fact.source),
            prompt_tokens: record.usage.prompt_tokens.or(record.estimate.map(u64::from)),
            cached_tokens: record.usage.cached_tokens,
        };
        let timing = Timing {
            queued_ms: millis(record.queued),
            first_token_ms: record.first_token.map(millis),
            total_ms: millis(record.started.elapsed()),
        };
        RunEnd {
            outcome: outcome.map(|(reason, _)| reason),
            answered,
            attempts: std::mem::take(&mut record.attempts),
            usage: record.usage.clone(),
            timing,
            context,
        }
    }
}

fn nobody(reference: &ModelRef) -> Fault {
    Fault::new(FaultKind::NoSuchModel, Phase::Connect, format!("there is no provider for {reference}"))
}
