//! What the people of each session were told already, so that they are told once.
//!
//! A change of model is a line when it happens, not in every turn that it lasts; so is its end. The first time that a
//! conversation leaves home is announced whatever the reason. Kept in memory: after a restart a line may be said again, which
//! is better than never.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use krabba_types::{Fault, ModelRef, RouteState, SessionId};

use crate::plan::Candidate;

/// Sessions remembered; beyond that all are forgotten, and some lines are said twice.
const SESSIONS: usize = 4_096;

/// Lines remembered for a session; some hold numbers, so that there is no end of new ones.
const LINES: usize = 256;

/// What one session was told.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory {
    /// Who stands in for whom.
    stand_in: Option<StandIn>,
    /// An endpoint at home has answered or was meant to.
    home: bool,
    /// It was said that the conversation left home.
    left_home: bool,
    said: HashSet<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct StandIn {
    wanted: ModelRef,
    answering: ModelRef,
}

/// Why the wanted route is not the one that is asked.
#[derive(Clone, Debug)]
pub(crate) enum Instead<'a> {
    /// It failed in this run.
    Failed(&'a Fault),
    /// It is held since earlier.
    Held(RouteState),
    /// It is the one.
    Nothing,
}

impl Memory {
    /// The line to say before `candidate` is asked, if any.
    pub(crate) fn before(&mut self, wanted: &ModelRef, candidate: &Candidate, instead: &Instead<'_>) -> Option<String> {
        let leaves = candidate.residency.leaves_home();
        let crossing = leaves && self.home && !self.left_home;
        let away = format!("the conversation leaves your own machines ({})", candidate.residency);
        if crossing {
            self.left_home = true;
        }
        if !leaves {
            self.home = true;
        }
        let stand_in = StandIn { wanted: wanted.clone(), answering: candidate.reference.clone() };
        let switched = candidate.reference != *wanted && self.stand_in.as_ref() != Some(&stand_in);
        if candidate.reference == *wanted || !switched {
            return crossing.then(|| format!("{} answers now: {away}", candidate.reference));
        }
        self.stand_in = Some(stand_in);
        let why = match instead {
            Instead::Failed(fault) => fault.message.clone(),
            Instead::Held(state) => format!("{wanted} {}", held(*state)),
            Instead::Nothing => format!("{wanted} is not asked"),
        };
        let tail = if crossing { format!("; {away}") } else { String::new() };
        Some(format!("{why}; asking {} instead{tail}", candidate.reference))
    }

    /// The wanted route is at home, whether it answers or not: leaving it is a crossing.
    pub(crate) fn meant_for_home(&mut self) {
        self.home = true;
    }

    /// The line to say when `answered` has answered, if any.
    pub(crate) fn after(&mut self, answered: &ModelRef) -> Option<String> {
        let back = self.stand_in.as_ref().is_some_and(|stand_in| stand_in.wanted == *answered);
        if !back {
            return None;
        }
        self.stand_in = None;
        Some(format!("{answered} answers again"))
    }

    /// Whether `line` is new to this session.
    pub(crate) fn first_time(&mut self, line: &str) -> bool {
        if self.said.len() >= LINES {
            self.said.clear();
        }
        self.said.insert(line.to_owned())
    }
}

fn held(state: RouteState) -> &'static str {
    match state {
        RouteState::RateLimited { .. } => "is rate limited",
        RouteState::AuthFailed => "refused its key",
        RouteState::Down { .. } => "did not answer lately",
        RouteState::Unknown | RouteState::Cold | RouteState::Loading | RouteState::Ready | RouteState::Busy => "is not asked",
    }
}

/// The memories of all sessions.
#[derive(Debug, Default)]
pub(crate) struct Told {
    sessions: Mutex<HashMap<SessionId, Memory>>,
}

impl Told {
    /// What `session` was told; nothing where there is no session.
    pub(crate) fn of(&self, session: Option<&SessionId>) -> Memory {
        let sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        session.and_then(|session| sessions.get(session)).cloned().unwrap_or_default()
    }

    /// Remembers it.
    pub(crate) fn keep(&self, session: Option<&SessionId>, memory: &Memory) {
        let Some(session) = session else { return };
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        if sessions.len() >= SESSIONS && !sessions.contains_key(session) {
            sessions.clear();
        }
        sessions.insert(session.clone(), memory.clone());
    }
}
