//! Who is asked, in which order, and who is not.

use krabba_types::{AgentId, ModelRef, Residency, RouteState, SessionId};
use serde::Serialize;

use crate::residency::ResidencyPolicy;

/// What a plan is wanted for.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Whose choice of models applies.
    pub agent: AgentId,
    /// What this one turn names (`--model`, an inline `/model`).
    pub model: Option<ModelRef>,
    /// What the session was switched to.
    pub sticky: Option<ModelRef>,
    /// The session's own limit; can only tighten.
    pub residency: Option<ResidencyPolicy>,
    /// Which session, so that a change of model is announced once in it and not in every turn.
    pub session: Option<SessionId>,
    /// A key profile that the person pinned.
    pub profile: Option<String>,
    /// Whether the new message holds pictures.
    pub images: bool,
    /// Whether nobody waits for the answer.
    pub background: bool,
    /// How a route is asked at first.
    pub temper: Temper,
}

/// How a route is asked at first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Temper {
    /// As the prompt wants it.
    #[default]
    Usual,
    /// Without thinking and with more room, as a route is otherwise asked once more that answered with nothing. Here it was asked so
    /// before, and is not asked again for that reason.
    Calm,
}

impl Ask {
    /// A person's turn with `agent`, without any wishes.
    pub fn new(agent: AgentId) -> Self {
        Self {
            agent,
            model: None,
            sticky: None,
            residency: None,
            session: None,
            profile: None,
            images: false,
            background: false,
            temper: Temper::Usual,
        }
    }
}

/// Who will be asked, in this order.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// To be asked, first to last.
    pub candidates: Vec<Candidate>,
    /// Not to be asked, with the reason.
    pub refused: Vec<Refused>,
    /// How far the conversation may travel.
    #[serde(rename = "residency", serialize_with = "as_text")]
    pub policy: ResidencyPolicy,
    /// Who would have been asked first, had everyone been able.
    pub wanted: Option<ModelRef>,
    /// What it was made for.
    #[serde(skip)]
    pub(crate) ask: Ask,
}

impl Plan {
    /// Whose choice of models it follows.
    pub fn agent(&self) -> &AgentId {
        &self.ask.agent
    }
}

fn as_text<S: serde::Serializer>(policy: &ResidencyPolicy, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(policy)
}

/// A route that will be asked when its turn comes.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Candidate {
    /// `provider/id`.
    #[serde(rename = "ref")]
    pub reference: ModelRef,
    /// Its base URL.
    pub endpoint: String,
    /// How far the conversation travels to get there.
    pub residency: Residency,
    /// What is known of it now.
    pub state: RouteState,
    /// Why it stands here: `primary`, `fallback 1`, `chosen for this turn`, …
    pub why: String,
}

/// A route that will not be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Refused {
    /// `provider/id`, or what was written when it names nothing.
    #[serde(rename = "ref")]
    pub reference: String,
    /// Why, and what to change.
    pub why: String,
    /// How many candidates stand before its place; 0 when it would have been asked first.
    pub behind: usize,
}

impl Ask {
    pub(crate) fn class(&self) -> Class {
        if self.background { Class::Background } else { Class::Person }
    }
}

/// Who waits behind the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) enum Class {
    /// A person.
    #[default]
    Person,
    /// Nobody; goes after all people.
    Background,
}
