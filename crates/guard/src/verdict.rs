//! What the monitor says.

use krabba_types::{Action, SessionId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::Authorized;

/// The decision on one action.
#[derive(Debug, PartialEq)]
pub enum Verdict {
    /// It may be done, once.
    Allowed(Box<Authorized<Action>>),
    /// The owner is asked.
    Asked(Box<Question>),
    /// It is not done.
    Denied(Denial),
    /// It is not done, and nothing more is done in this conversation: a decoy that no honest action holds was about to leave.
    Stopped(Denial),
}

/// What became of a question.
#[derive(Debug, PartialEq)]
pub enum Redeemed {
    /// Nobody answered yet.
    Pending,
    /// The owner said yes; this is the one time that it counts.
    Allowed(Box<Authorized<Action>>),
    /// The owner said no, or nothing in time, or the yes was used before.
    Denied(Denial),
}

/// What the owner is asked. Everything in it is made from the action itself, never from a model's prose.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Question {
    /// Its name in listings and answers.
    pub id: String,
    /// The action, exactly as it would be done.
    pub action: Action,
    /// BLAKE3 over the action, its terms and the policy, in hex. An answer holds for this and nothing else.
    pub digest: String,
    /// The rule that asks.
    pub rule: String,
    /// What a person reads, line by line, control characters escaped, never shortened: the action, then each argument with its origin.
    pub lines: Vec<String>,
    /// Words that must be typed instead of a bare yes, for what cannot be undone.
    pub typed: Option<String>,
    /// Whether it may be allowed for the rest of a task.
    #[serde(default)]
    pub for_task: bool,
    /// Silence is a no from then on.
    pub expires: Timestamp,
}

/// A question that waits for its answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OpenQuestion {
    /// The conversation that waits.
    pub session: SessionId,
    /// What is asked.
    #[serde(flatten)]
    pub question: Question,
}

/// An owner's answer to a question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// Do it, this once.
    Approve,
    /// Do it, and the same again in this conversation: for an hour, and at most twenty times.
    ApproveTask,
    /// Do it, this once; with the words that were typed for it.
    Typed(String),
    /// Do not.
    Deny,
}

/// Why something is not done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Denial {
    /// The rule, as `krabba explain policy` names it.
    pub rule: String,
    /// What the model is told, in one line.
    pub message: String,
}
