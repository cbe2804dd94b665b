//! What a listener of a turn hears.

use krabba_context::Circumstances;
use krabba_guard::Question;
use krabba_route::{Attempt, ContextMeter, ResidencyPolicy, Surface, Timing};
use krabba_types::{Label, ModelId, ModelRef, Part, SessionId, Thinking, TurnId, Usage};
use serde::Serialize;

use crate::Status;
use crate::record::Outcome;

/// What a person says, and how it is to be answered.
#[derive(Clone, Debug)]
pub struct Input {
    /// Text and pictures, in the person's order.
    pub parts: Vec<Part>,
    /// What the model is told with it and the person did not write (the time of day). Kept with the message for ever.
    pub circumstances: Option<Circumstances>,
    /// Pieces of the text that the person pasted: content that they show, not what they say.
    pub pasted: Vec<String>,
    /// Whose words these are.
    pub label: Label,
    /// The model for this turn alone.
    pub model: Option<ModelRef>,
    /// How much to think in this turn alone.
    pub thinking: Option<Thinking>,
    /// How far this turn may go, where it is stricter than session and configuration.
    pub residency: Option<ResidencyPolicy>,
    /// What the one who shows the answer is able to do.
    pub surface: Surface,
    /// Who waits for the answer.
    pub waiting: Waiting,
}

/// Who waits for an answer; people go before background work at every box.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// A person.
    Person,
    /// Nobody.
    Nobody,
}

impl Input {
    /// The owner's own words, to be answered as configured, on a surface that can take text back.
    pub fn text(text: impl Into<String>) -> Self {
        Self::parts(vec![Part::Text(text.into())])
    }

    /// The owner's own words and pictures.
    pub fn parts(parts: Vec<Part>) -> Self {
        Self {
            parts,
            circumstances: None,
            pasted: Vec::new(),
            label: Label::Owner,
            model: None,
            thinking: None,
            residency: None,
            surface: Surface { can_retract: true },
            waiting: Waiting::Person,
        }
    }
}

/// What happens in a turn. [`TurnEvent::Ended`] comes exactly once, last.
#[derive(Clone, Debug, PartialEq)]
pub enum TurnEvent {
    /// What is going on while nothing is said; the first event of every turn.
    Status(Status),
    /// The next piece of the answer.
    Text(String),
    /// The next piece of what the model thinks. Said only in sessions whose person asked to see it.
    Reasoning(String),
    /// All text of this turn so far is void; the answer begins anew.
    Restarted {
        /// For the person, one line: what happened, and what is done about it. Kept with the notices.
        why: String,
    },
    /// A line for the person.
    Notice(String),
    /// A line of a tool that works.
    Output(String),
    /// A tool is done, or was not allowed to begin.
    Acted(Box<Acted>),
    /// The owner is asked; answered with [`crate::Lane::answer`], or by any other process on the same state.
    Asked(Box<Question>),
    /// The turn is over and stored.
    Ended(Box<TurnEnd>),
}

/// What a tool did, for a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Acted {
    /// The tool's name.
    pub tool: String,
    /// What it was to do, in one line; the tool's name where it could not be told.
    pub what: String,
    /// Whether it failed or was refused.
    pub is_error: bool,
    /// What there is to look at: a diff, or the first lines of what came.
    pub shown: String,
}

/// How a turn ended.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TurnEnd {
    /// The session.
    pub session: SessionId,
    /// The turn.
    pub turn: TurnId,
    /// The answer, as far as it came.
    pub text: String,
    /// Who else had a hand in it: the origins of everything foreign that the model had read. Empty for what is made from the owner's own.
    pub unverified: Vec<String>,
    /// Who answered.
    pub answered: Option<ModelRef>,
    /// The model that the server named, when it is another one than was asked for.
    pub model: Option<ModelId>,
    /// How it ended.
    pub outcome: Outcome,
    /// Who was asked, in order.
    pub attempts: Vec<Attempt>,
    /// What the server counted.
    pub usage: Usage,
    /// About how many tokens were written that no server counted.
    pub estimated_tokens: u64,
    /// Where the time went.
    pub timing: Timing,
    /// How full the window was.
    pub context: ContextMeter,
}
