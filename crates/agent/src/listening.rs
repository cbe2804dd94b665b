//! What is heard of a run of models, and what came of it in the end.

use std::time::Duration;

use krabba_redact::Redactor;
use krabba_route::{Attempt, AttemptOutcome, AttemptStarted, ContextMeter, RunEnd, Timing};
use krabba_types::{DoneReason, Fault, FaultKind, ModelEvent, ModelRef, Phase, Progress};
use tokio::time::Instant;

use crate::TurnEvent;
use crate::account::millis;
use crate::answer::{Answer, ReasoningShown};
use crate::deadline::Deadline;
use crate::history::History;
use crate::links::Links;
use crate::record::Outcome;
use crate::say::Speaker;

/// What was heard of a run until now.
pub(crate) struct Listening {
    pub(crate) answer: Answer,
    pub(crate) notices: Vec<String>,
    pub(crate) shown: ReasoningShown,
    /// The person knows that this conversation leaves their own machines.
    pub(crate) left_home: bool,
    /// A line was said about the route that is asked next.
    pub(crate) introduced: bool,
    /// Whether there are tools to call.
    acts: Acts,
    /// The attempt that is going on, since when, and how long was waited in queues before.
    current: Option<(AttemptStarted, Instant, Duration)>,
    /// How long was waited in queues, and since when it is waited now.
    queued: Duration,
    queued_since: Option<Instant>,
}

/// Whether a call of the model can be followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Acts {
    Yes,
    No,
}

/// What came of asking the models.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) outcome: Outcome,
    pub(crate) answer: Answer,
    pub(crate) notices: Vec<String>,
    pub(crate) report: Report,
    /// How many attempts the turn had before.
    pub(crate) numbered: usize,
    /// The limit that cut the answer off, where it was not that of its own length.
    pub(crate) cut_by: Option<String>,
}

/// The router's account of a run.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) attempts: Vec<Attempt>,
    pub(crate) timing: Timing,
    pub(crate) context: ContextMeter,
}

impl Listening {
    pub(crate) fn new(history: &History, acts: Acts, redactor: &Redactor, links: Links) -> Self {
        let shown = if history.settings().shows_reasoning { ReasoningShown::Yes } else { ReasoningShown::No };
        Self {
            answer: Answer::without(redactor, links),
            notices: Vec::new(),
            shown,
            left_home: history.settings().left_home,
            introduced: false,
            acts,
            current: None,
            queued: Duration::ZERO,
            queued_since: None,
        }
    }

    fn with(self, outcome: Outcome, report: Report) -> Asked {
        Asked { outcome, answer: self.answer, notices: self.notices, report, numbered: 0, cut_by: None }
    }

    /// Another route is asked, or the same one again.
    pub(crate) fn attempt(&mut self, started: &AttemptStarted) {
        self.answer.attempt(started);
        self.current = Some((started.clone(), Instant::now(), self.queued));
    }

    /// The model does something, or is about to.
    pub(crate) fn heard(&mut self, event: &ModelEvent) {
        if matches!(event, ModelEvent::Progress(Progress::Queued { .. })) {
            self.queued_since.get_or_insert_with(Instant::now);
        } else if let Some(since) = self.queued_since.take() {
            self.queued += since.elapsed();
        }
    }

    /// Who is asked now.
    pub(crate) fn asking(&self) -> Option<&ModelRef> {
        self.current.as_ref().map(|(started, ..)| &started.reference)
    }

    /// The router was dropped before it could give its account; of the attempt that went on we know this much.
    pub(crate) fn stopped(self, context: ContextMeter) -> Asked {
        self.dropped(Outcome::Stopped, "stopped", context)
    }

    /// The same where the turn has no more time: what was said is the answer, and what was to be done is not.
    pub(crate) fn out_of_time(mut self, deadline: &Deadline, context: ContextMeter) -> Asked {
        self.answer.calls.clear();
        if self.answer.text.is_empty() {
            return self.dropped(Outcome::Failed(deadline.fault()), &deadline.words(), context);
        }
        let words = deadline.words();
        let asked = self.dropped(Outcome::Answered(DoneReason::Length), &words, context);
        Asked { cut_by: Some(format!("{words}; the answer is cut off (say \"go on\")")), ..asked }
    }

    fn dropped(mut self, outcome: Outcome, why: &str, context: ContextMeter) -> Asked {
        let waiting = self.queued_since.take().map(|since| since.elapsed()).unwrap_or_default();
        self.queued += waiting;
        let attempt = self.current.take().map(|(started, since, queued_before)| Attempt {
            reference: started.reference,
            endpoint: started.endpoint,
            residency: started.residency,
            outcome: if self.answer.text.is_empty() { AttemptOutcome::Failed } else { AttemptOutcome::BrokeOff },
            fault: Some(Fault::new(FaultKind::Cancelled, Phase::Streaming, why)),
            ms: millis(since.elapsed().saturating_sub(self.queued.saturating_sub(queued_before))),
        });
        let timing = Timing { queued_ms: millis(self.queued), ..Timing::default() };
        self.with(outcome, Report { attempts: attempt.into_iter().collect(), timing, context })
    }

    /// The router promises an end; this is for the day when it breaks the promise.
    pub(crate) fn cut_off(self) -> Asked {
        let fault = Fault::new(FaultKind::Truncated, Phase::Streaming, "the run of models ended without saying why");
        self.with(Outcome::Failed(fault), Report::default())
    }

    pub(crate) fn ended(mut self, end: RunEnd) -> Asked {
        self.answer.usage.update(&end.usage);
        if end.answered.is_some() {
            self.answer.route = end.answered;
        }
        let outcome = match end.outcome {
            Ok(_) if self.answer.text.is_empty() && !self.has_calls() => Outcome::Failed(self.answer.nothing_said()),
            Ok(reason) => Outcome::Answered(reason),
            Err(fault) if fault.kind == FaultKind::Cancelled => Outcome::Stopped,
            Err(fault) => Outcome::Failed(fault),
        };
        self.with(outcome, Report { attempts: end.attempts, timing: end.timing, context: end.context })
    }

    /// Whether the answer goes on with calls, be they broken ones.
    fn has_calls(&self) -> bool {
        self.acts == Acts::Yes && !(self.answer.calls.is_empty() && self.answer.broken.is_empty())
    }
}

impl Asked {
    /// The end of a turn between two answers.
    pub(crate) fn between(outcome: Outcome, last: Self) -> Self {
        let mut answer = Answer::default();
        answer.route = last.answer.route;
        let report = Report { context: last.report.context, ..Report::default() };
        Self { outcome, answer, notices: Vec::new(), report, numbered: last.numbered, cut_by: None }
    }

    /// Takes back what was shown of an answer that repeats itself: neither the person nor the model is to read it again.
    pub(crate) fn drop_loop(&mut self, speaker: &mut Speaker) {
        if let Outcome::Failed(fault) = &self.outcome
            && fault.kind == FaultKind::Looping
            && !self.answer.text.is_empty()
        {
            speaker.say(TurnEvent::Restarted { why: fault.message.clone() });
            self.answer.restart();
        }
    }

    /// The end of a turn in which nobody was asked.
    pub(crate) fn nothing(outcome: Outcome) -> Self {
        Self { outcome, answer: Answer::default(), notices: Vec::new(), report: Report::default(), numbered: 0, cut_by: None }
    }

    /// Says what an end alone does not show.
    pub(crate) fn explain(&self, speaker: &mut Speaker, notices: &mut Vec<String>) {
        let line = match &self.outcome {
            Outcome::Answered(DoneReason::Length) => self
                .cut_by
                .as_deref()
                .unwrap_or("the answer is cut off: the limit for its length was reached (say \"go on\", or raise maxTokens)"),
            Outcome::Answered(DoneReason::Unknown) => "the server did not say why the answer ended; it may be incomplete",
            Outcome::Answered(DoneReason::ToolCalls) => "the model also wanted to use a tool, which was not done",
            Outcome::Answered(DoneReason::Stop)
            | Outcome::Failed(_)
            | Outcome::Stopped
            | Outcome::Steered
            | Outcome::Interrupted
            | Outcome::Broken(_) => return,
        };
        speaker.say(TurnEvent::Notice(line.to_owned()));
        notices.push(line.to_owned());
    }
}
