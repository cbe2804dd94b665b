//! What to do after a fault: the failover state machine, without any I/O.
//!
//! # States
//!
//! ```text
//!  Waiting ──text shown──► Committed ──calls handed over──► SideEffect
//!     │                        │                                │
//!     └────────────────────────┴────────────── whole answer ────┴──► Done
//! ```
//!
//! - **Waiting.** Nothing real was shown. Progress, pings, empty deltas and reasoning do not commit. Any fault whose
//!   [`next_route`](krabba_types::Fault::next_route) is true moves on at once.
//! - **Committed.** Text was shown. A surface that can take it back gets a restart on the next route, or once on the same one
//!   if there is no other; one that cannot gets the fault, and no success marker. An answer is never continued by
//!   pretending that the model wrote its first half: many models refuse that, and the seam shows.
//! - **SideEffect.** Complete tool calls were handed over, which happens only when the answer ended well, so that nobody can
//!   act on half an answer. Nothing is replayed from here: the agent runs the tools and asks for a *new* run, whose prompt holds
//!   their results, whichever route answers it.
//! - **Done.** The run is over.
//!
//! # What is tried on the same route first
//!
//! | fault | same route | then |
//! |---|---|---|
//! | `NoSuchModel` | load it, once, where the server lists it and waits to be told | next |
//! | `Loading` | wait within the load budget, even when there are fallbacks | next |
//! | `Busy` | wait, briefly when there are fallbacks | next |
//! | `RateLimited`, `Auth`, `Billing` | another key of the provider | next |
//! | `Overflow` | a smaller prompt, once; never the same one | next *with a larger window* |
//! | `Unsupported{field}` | without the field, once for each field | next |
//! | `Unsupported{tools}` | tools told in words; with simpler schemas before, where it is those that are refused | next |
//! | `Unsupported{api}` | the other OpenAI dialect, once | next |
//! | `Empty`, `OnlyReasoning` | thinking off and more room, once; never where it was asked so from the start | next |
//! | `Looping` | thinking off, once, when there is no other route | next |
//! | `Truncated`, `Stalled`, … after text | once, when there is no other route | next |
//! | `BadRequest` | never | next |
//! | `ContentPolicy`, `Cancelled` | never | never |
//!
//! What is deliberately not here: retrying an unchanged request that failed before any output. A silent or refusing route
//! is left, not asked again; the breaker and the next turn give it its next chance.

use std::collections::BTreeSet;

use krabba_types::{Fault, FaultKind};

use crate::Temper;

/// Fields dropped for one route in one run before it is given up; each costs a request.
const FIELDS: usize = 4;

/// The field of tools, without which a model is told of them in words.
pub(crate) const TOOLS: &str = "tools";

/// The schemas in it, as far as they are more than simple.
pub(crate) const SCHEMAS: &str = "tool schemas";

/// How far an answer has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Nothing real was shown.
    Waiting,
    /// Text was shown.
    Committed,
    /// Complete tool calls were handed over.
    SideEffect,
    /// Over.
    Done,
}

/// What there is to choose from at this moment.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Outlook {
    /// Routes that were not asked yet.
    pub(crate) others: usize,
    /// Another key of this provider is usable.
    pub(crate) other_key: bool,
    /// The time for waiting here is not used up.
    pub(crate) may_wait: bool,
    /// The route can be spoken to in another dialect.
    pub(crate) other_dialect: bool,
    /// The server has the model on its disk and loads it when told to.
    pub(crate) can_load: bool,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Move {
    /// The same route, unchanged, after a pause.
    Wait,
    /// The same route, changed.
    Again(Change),
    /// The next route.
    Next,
    /// The next route with more than the window of this one.
    NextLarger,
    /// End with the fault.
    GiveUp,
}

/// What is different the next time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Another key.
    Key,
    /// The model loaded.
    Load,
    /// Without this field.
    WithoutField(String),
    /// Another dialect.
    Dialect,
    /// A smaller prompt.
    SmallerPrompt,
    /// Without thinking, with more room for the answer.
    Calmer,
    /// Nothing; the text that was shown is taken back.
    Nothing,
}

impl Change {
    /// How it is asked the next time, for people.
    pub(crate) fn words(&self) -> &'static str {
        match self {
            Self::Nothing => "once more",
            Self::Calmer => "again without thinking",
            Self::Key => "again with another key",
            Self::SmallerPrompt => "again with less of the conversation",
            Self::Load | Self::WithoutField(_) | Self::Dialect => "again in another way",
        }
    }
}

/// The state of one run.
#[derive(Clone, Debug)]
pub(crate) struct Failover {
    stage: Stage,
    can_retract: bool,
    here: Here,
}

/// What was tried on the present route.
#[derive(Clone, Debug, Default)]
struct Here {
    fields: BTreeSet<String>,
    load: bool,
    dialect: bool,
    smaller: bool,
    calmer: bool,
    repeated: bool,
}

impl Failover {
    pub(crate) fn new(can_retract: bool) -> Self {
        Self { stage: Stage::Waiting, can_retract, here: Here::default() }
    }

    pub(crate) fn can_retract(&self) -> bool {
        self.can_retract
    }

    pub(crate) fn stage(&self) -> Stage {
        self.stage
    }

    /// Text was shown.
    pub(crate) fn commit(&mut self) {
        if self.stage == Stage::Waiting {
            self.stage = Stage::Committed;
        }
    }

    /// The text was taken back.
    pub(crate) fn retracted(&mut self) {
        if self.stage == Stage::Committed {
            self.stage = Stage::Waiting;
        }
    }

    /// Complete calls were handed over.
    pub(crate) fn calls_handed_over(&mut self) {
        self.stage = Stage::SideEffect;
    }

    pub(crate) fn done(&mut self) {
        self.stage = Stage::Done;
    }

    /// Another route has its first try.
    pub(crate) fn next_route(&mut self, temper: Temper) {
        self.here = Here { calmer: temper == Temper::Calm, ..Here::default() };
    }

    /// What to do about `fault`.
    pub(crate) fn after(&mut self, fault: &Fault, outlook: &Outlook) -> Move {
        match self.stage {
            Stage::SideEffect | Stage::Done => return Move::GiveUp,
            Stage::Committed if !self.can_retract => return Move::GiveUp,
            Stage::Waiting | Stage::Committed => {}
        }
        if let Some(change) = self.change_here(fault, outlook) {
            return change;
        }
        if outlook.others == 0 || !fault.next_route() {
            return Move::GiveUp;
        }
        if fault.shrink() { Move::NextLarger } else { Move::Next }
    }

    fn change_here(&mut self, fault: &Fault, outlook: &Outlook) -> Option<Move> {
        let alone = outlook.others == 0;
        match &fault.kind {
            FaultKind::Loading | FaultKind::Busy => outlook.may_wait.then_some(Move::Wait),
            FaultKind::RateLimited | FaultKind::Auth | FaultKind::Billing => outlook.other_key.then_some(Move::Again(Change::Key)),
            FaultKind::Overflow { .. } => once(&mut self.here.smaller).then_some(Move::Again(Change::SmallerPrompt)),
            FaultKind::Unsupported { field } if field == "api" => {
                (outlook.other_dialect && once(&mut self.here.dialect)).then_some(Move::Again(Change::Dialect))
            }
            FaultKind::Unsupported { field } => {
                // Simplified they are refused still.
                let field = if field == SCHEMAS && self.here.fields.contains(SCHEMAS) { TOOLS } else { field };
                let new = self.here.fields.len() < FIELDS && self.here.fields.insert(field.to_owned());
                new.then(|| Move::Again(Change::WithoutField(field.to_owned())))
            }
            // Told of its tools in words, it writes calls that we read.
            FaultKind::Unparsed => self.here.fields.insert(TOOLS.to_owned()).then(|| Move::Again(Change::WithoutField(TOOLS.to_owned()))),
            FaultKind::Empty | FaultKind::OnlyReasoning => once(&mut self.here.calmer).then_some(Move::Again(Change::Calmer)),
            FaultKind::Looping => (alone && once(&mut self.here.calmer)).then_some(Move::Again(Change::Calmer)),
            FaultKind::Truncated | FaultKind::Stalled | FaultKind::Malformed | FaultKind::Unreachable | FaultKind::Overloaded => {
                let again = alone && self.stage == Stage::Committed && once(&mut self.here.repeated);
                again.then_some(Move::Again(Change::Nothing))
            }
            FaultKind::NoSuchModel => (outlook.can_load && once(&mut self.here.load)).then_some(Move::Again(Change::Load)),
            // Sent again it would be refused again.
            FaultKind::BadRequest | FaultKind::ContentPolicy | FaultKind::Cancelled => None,
        }
    }
}

/// Whether `done` is set for the first time by this.
fn once(done: &mut bool) -> bool {
    !std::mem::replace(done, true)
}
