//! The turn loop: how a person's words become a stored answer.
//!
//! An [`Agent`] has a [`Lane`] for every session. A lane runs one turn at a time, in the order in which they were asked
//! for, and no other process runs one in the same session meanwhile: within this process a queue sees to it, between
//! processes a lease in the store. A turn is listened to through its [`TurnHandle`]; dropping the handle stops it.
//!
//! # Write, then do
//! The person's words and the start of the turn are on the disk before any model is asked; the answer and the end of
//! the turn are on the disk before the listener hears of the end. What a killed process leaves is a start without an
//! end, which the next turn of the session closes and tells.
//!
//! # The prompt
//! Every request is worked out from the session's events alone ([`History`]), so that the request of the next turn
//! extends this one, and the model's server can go on from what it has already read.
//!
//! # Sub-agents
//! A model may have a task done in a conversation of its own, by a turn like any other, which has no authority but that of the turn
//! that began it (`helping.rs`).
//!
//! # Tasks
//! There is one task for each turn. It is owned by the agent, whose [`Agent::close`] stops all of them and waits until
//! each has stored what it has.
//!
//! This crate knows no configuration, no channel and no HTTP.

mod account;
mod acting;
mod agent;
mod answer;
mod aside;
mod asking;
mod compacting;
mod course;
mod deadline;
mod doing;
mod ending;
mod error;
mod event;
mod hands;
mod helping;
mod history;
mod inspection;
mod lane;
mod links;
mod listening;
mod looking;
mod meters;
mod opening;
mod prompt;
mod queue;
mod quoted;
mod record;
mod say;
mod scene;
mod status;
mod steps;
mod turn;

#[cfg(test)]
mod answer_tests;
#[cfg(test)]
mod history_tests;
#[cfg(test)]
mod links_tests;
#[cfg(test)]
mod queue_tests;
#[cfg(test)]
mod quoted_tests;
#[cfg(test)]
mod request_tests;
#[cfg(test)]
mod say_tests;

pub use agent::{Agent, AgentSettings, Deserted};
pub use compacting::{CompactEvent, Compacted, Compacting, Sizes};
pub use error::AgentError;
pub use event::{Acted, Input, TurnEnd, TurnEvent, Waiting};
pub use hands::{Arriving, Hands, Limits};
pub use history::{History, SessionSettings};
pub use inspection::Inspection;
pub use lane::{Lane, SessionView, Stopped, TurnHandle};
pub use opening::{Briefing, OpeningRecord};
pub use record::{
    AssistantRecord, AttemptRecord, Change, ContextRecord, Counted, CutRecord, EndRecord, Extent, Maker, NoticeRecord, Outcome, Record,
    StartRecord, TimingRecord, UnreadableRecord, UserRecord,
};
pub use status::Status;
