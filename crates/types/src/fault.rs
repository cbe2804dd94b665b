//! Everything that can go wrong with a model call, as one type whose methods answer what to do about it.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A failed call: its kind, the words for a person, and what the server added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
#[serde(rename_all = "camelCase")]
pub struct Fault {
    /// What it was.
    pub kind: FaultKind,
    /// How far the call had come.
    pub phase: Phase,
    /// HTTP status, when there was one.
    pub status: Option<u16>,
    /// For a person: what happened and where, lower case, secrets already removed.
    pub message: String,
    /// How long the server asks us to stay away.
    pub retry_after: Option<Duration>,
}

impl Fault {
    /// A fault without status or pause.
    pub fn new(kind: FaultKind, phase: Phase, message: impl Into<String>) -> Self {
        Self { kind, phase, status: None, message: message.into(), retry_after: None }
    }

    /// The same request may be sent to the same route again, after a pause.
    pub fn retry_here(&self) -> bool {
        match self.kind {
            FaultKind::Loading | FaultKind::Busy => true,
            FaultKind::RateLimited
            | FaultKind::Overloaded
            | FaultKind::Overflow { .. }
            | FaultKind::Auth
            | FaultKind::Billing
            | FaultKind::NoSuchModel
            | FaultKind::Unsupported { .. }
            | FaultKind::BadRequest
            | FaultKind::ContentPolicy
            | FaultKind::Unreachable
            | FaultKind::Stalled
            | FaultKind::Truncated
            | FaultKind::Empty
            | FaultKind::OnlyReasoning
            | FaultKind::Malformed
            | FaultKind::Unparsed
            | FaultKind::Looping
            | FaultKind::Cancelled => false,
        }
    }

    /// Another route may do better.
    pub fn next_route(&self) -> bool {
        match self.kind {
            FaultKind::Cancelled | FaultKind::ContentPolicy => false,
            FaultKind::Loading
            | FaultKind::Busy
            | FaultKind::RateLimited
            | FaultKind::Overloaded
            | FaultKind::Overflow { .. }
            | FaultKind::Auth
            | FaultKind::Billing
            | FaultKind::NoSuchModel
            | FaultKind::Unsupported { .. }
            | FaultKind::BadRequest
            | FaultKind::Unreachable
            | FaultKind::Stalled
            | FaultKind::Truncated
            | FaultKind::Empty
            | FaultKind::OnlyReasoning
            | FaultKind::Malformed
            | FaultKind::Unparsed
            | FaultKind::Looping => true,
        }
    }

    /// A smaller prompt may fit. An overflowing request is never repeated unchanged.
    pub fn shrink(&self) -> bool {
        matches!(self.kind, FaultKind::Overflow { .. })
    }

    /// The request field that the server does not take, to be dropped, retried once and remembered.
    pub fn drop_field(&self) -> Option<&str> {
        match &self.kind {
            FaultKind::Unsupported { field } => Some(field),
            _ => None,
        }
    }

    /// Whether this says something about the health of the endpoint (and so counts for its breaker).
    pub fn blames_endpoint(&self) -> bool {
        matches!(
            self.kind,
            FaultKind::Unreachable | FaultKind::Stalled | FaultKind::Truncated | FaultKind::Malformed | FaultKind::Overloaded
        )
    }

    /// Whether only the owner can mend it, so that it must be told to them.
    pub fn needs_owner(&self) -> bool {
        matches!(self.kind, FaultKind::Auth | FaultKind::Billing | FaultKind::NoSuchModel | FaultKind::Unsupported { .. })
    }
}

/// The kinds of fault. Every failure of every server maps to one of these, by one classifier.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "fault")]
pub enum FaultKind {
    /// The model is still being loaded (llama.cpp: 503 `Loading model`).
    Loading,
    /// No slot is free; the server works on something else.
    Busy,
    /// 429 and its relatives.
    RateLimited,
    /// The provider is overloaded (529, engine busy, 5xx without better words).
    Overloaded,
    /// The prompt, or prompt plus budget, exceeds the window.
    Overflow {
        /// The true window in tokens, when the error gives it away.
        limit: Option<u32>,
        /// The size of what was sent, when the error says.
        asked: Option<u32>,
    },
    /// The key is missing, wrong or not allowed.
    Auth,
    /// Payment is needed.
    Billing,
    /// The server does not know this model.
    NoSuchModel,
    /// The server refuses a field of the request. `api` stands for the whole dialect.
    Unsupported {
        /// The field's path in the request body.
        field: String,
    },
    /// The server could not work with this request and names no field: a conversation that its template does not take, a 400
    /// without better words. It says nothing about the server's health.
    BadRequest,
    /// Refused for what it says; another model is not asked behind the person's back.
    ContentPolicy,
    /// No connection: refused, no such host, TLS, egress guard, reset before an answer.
    Unreachable,
    /// A clock ran out.
    Stalled,
    /// The stream ended without saying so.
    Truncated,
    /// The stream said that it was finished, and there was nothing in it.
    Empty,
    /// There was reasoning and no answer.
    OnlyReasoning,
    /// What came is not what the dialect says (HTML, garbage, too large).
    Malformed,
    /// The model wrote a call that its server could not read, or did not finish one. It says nothing about the server's health.
    Unparsed,
    /// The model repeats itself without end.
    Looping,
    /// The person stopped it.
    Cancelled,
}

impl FaultKind {
    /// A single word for listings and programs.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Loading => "loading",
            Self::Busy => "busy",
            Self::RateLimited => "rateLimited",
            Self::Overloaded => "overloaded",
            Self::Overflow { .. } => "overflow",
            Self::Auth => "auth",
            Self::Billing => "billing",
            Self::NoSuchModel => "noSuchModel",
            Self::Unsupported { .. } => "unsupported",
            Self::BadRequest => "badRequest",
            Self::ContentPolicy => "contentPolicy",
            Self::Unreachable => "unreachable",
            Self::Stalled => "stalled",
            Self::Truncated => "truncated",
            Self::Empty => "empty",
            Self::OnlyReasoning => "onlyReasoning",
            Self::Malformed => "malformed",
            Self::Unparsed => "unparsed",
            Self::Looping => "looping",
            Self::Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// How far a call had come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Phase {
    /// No connection yet.
    Connect,
    /// Sent; no response headers yet.
    Headers,
    /// Headers came; no output yet.
    FirstToken,
    /// Output was coming.
    Streaming,
}
