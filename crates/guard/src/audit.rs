//! The audit: one row for every decision, before its effect; each row's hash goes over the row before.

use krabba_store::{AuditRow, Store};
use krabba_types::{AgentId, Label, SessionId, Timestamp, TurnId};
use serde::{Deserialize, Serialize};

use crate::{Decision, GuardError, Principal};

/// How many rows are looked at in one go.
const PAGE: u32 = 1_000;

/// What a row says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Decided {
    /// For whom the turn worked, or who answered.
    pub actor: String,
    /// Whose conversation.
    pub agent: Option<AgentId>,
    /// Which conversation.
    pub session: SessionId,
    /// Which turn.
    pub turn: TurnId,
    /// What stood on the context.
    pub label: Label,
    /// What kind of action.
    pub sink: String,
    /// The rule that decided.
    pub rule: String,
    /// How.
    pub decision: String,
    /// The digest of the action, its terms and the policy.
    pub digest: String,
    /// The question that it was, or is, about.
    pub question: Option<String>,
}

/// Where the chain is broken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("row {seq} of the audit is not what was written")]
pub struct AuditProblem {
    /// The first row whose hash is wrong, or that is missing.
    pub seq: u64,
}

/// Writes a row; it is on the disk when this returns.
pub(crate) fn append(store: &Store, at: Timestamp, decided: &Decided) -> Result<(), GuardError> {
    let body = crate::canonical::text(decided);
    store.append_audit(at, &body, link)?;
    Ok(())
}

/// Goes through the whole chain.
///
/// # Errors
/// What the store may meet.
pub fn check_audit(store: &Store) -> Result<Result<u64, AuditProblem>, GuardError> {
    let mut seq = 0;
    let mut before = String::new();
    loop {
        // Asked for first: other processes go on writing meanwhile.
        let (end, hash) = store.audit_end()?;
        let rows = store.audit(seq, PAGE)?;
        if rows.is_empty() {
            let whole = seq > end || (seq == end && before == hash);
            return Ok(if whole { Ok(seq) } else { Err(AuditProblem { seq: seq + 1 }) });
        }
        for row in rows {
            seq += 1;
            if row.seq != seq || row.hash != link(&before, &row) {
                return Ok(Err(AuditProblem { seq }));
            }
            before = row.hash;
        }
    }
}

/// The hash of a row: over the hash before it, its number, its time and its body, each with its length.
fn link(before: &str, row: &AuditRow) -> String {
    let mut hasher = blake3::Hasher::new();
    for part in [before.as_bytes(), &row.seq.to_be_bytes(), &row.at.0.to_be_bytes(), row.body.as_bytes()] {
        hasher.update(&(part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    hasher.finalize().to_hex().to_string()
}

/// The name of a principal in the audit.
pub(crate) fn actor(principal: &Principal) -> String {
    match principal {
        Principal::Owner => "owner".to_owned(),
        Principal::Guest { person } => format!("guest {person}"),
    }
}

/// The word for a decision in the audit.
pub(crate) fn word(decision: Decision) -> &'static str {
    match decision {
        Decision::Allow => "allowed",
        Decision::AllowApart => "allowed-apart",
        Decision::Ask | Decision::AskTyped => "asked",
        Decision::Deny => "denied",
        Decision::Stop => "stopped",
    }
}
