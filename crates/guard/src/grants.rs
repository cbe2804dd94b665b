//! What the owner allowed for the rest of a task: the same again, in the same conversation, for a while and a number of times.
//!
//! "The same" is what the question was about and nothing wider: the same tool with the same critical arguments, the same hosts, the
//! same files, the same address. A grant never reaches what has to be typed, and never a file that steers.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use krabba_store::{Permit, Store};
use krabba_types::{Action, FileChanges, ForeignEffect, SessionId, Timestamp};
use serde::Serialize;
use serde_json::Value;

use crate::policy::{Condition, Sink};
use crate::{GuardError, canonical, findings};

/// How long a grant lasts, and how often it may be used.
const LASTS: Duration = Duration::from_secs(60 * 60);
const USES: u32 = 20;

/// What a grant is for.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Grant {
    sink: Sink,
    /// What is affected, by name.
    target: BTreeMap<String, Value>,
}

impl Grant {
    /// What would be granted with this action; `None` where each one has to be looked at.
    pub(crate) fn of(action: &Action) -> Option<Self> {
        let text = |text: &str| Value::String(text.to_owned());
        let target: Vec<(String, Value)> = match action {
            // A yes to what a model writes is none to what a command wrote.
            Action::Change(changes) if findings::removes(changes) || changes.tool == FileChanges::KEEP => return None,
            Action::Change(changes) => changes.changes.iter().map(|change| (change.path.to_string(), Value::Null)).collect(),
            // Without a host there is nothing that would tell one command from all others.
            Action::Run(exec) if exec.hosts.is_empty() => return None,
            Action::Run(exec) => exec.hosts.iter().map(|host| (host.clone(), Value::Null)).collect(),
            Action::Fetch(fetch) => {
                let key = fetch.secret.iter().map(|name| ("secret".to_owned(), text(name)));
                std::iter::once(("url".to_owned(), text(&fetch.url))).chain(key).collect()
            }
            Action::Call(call) => {
                let of = [("server".to_owned(), text(&call.server)), ("tool".to_owned(), text(&call.tool))];
                let critical: Option<&[String]> = match &call.effect {
                    // Nobody said what decides there.
                    ForeignEffect::ReadOnly { critical, .. } if critical.is_empty() => None,
                    ForeignEffect::ReadOnly { critical, .. } | ForeignEffect::Declared { critical } => Some(critical),
                    ForeignEffect::Undeclared => None,
                };
                let decides = |name: &String| critical.is_none_or(|critical| critical.contains(name));
                let arguments = call.arguments.iter().filter(|(name, _)| decides(name));
                of.into_iter().chain(arguments.map(|(name, value)| (format!("argument {name}"), value.clone()))).collect()
            }
            Action::Consult(_) | Action::Look(_) | Action::Control(_) | Action::Search(_) | Action::Spawn(_) => return None,
        };
        Some(Self { sink: Sink::of(action), target: target.into_iter().collect() })
    }

    /// Uses a grant for this up, once. Its id, when there is one.
    pub(crate) fn take(&self, store: &Store, session: &SessionId, now: Timestamp) -> Result<Option<String>, GuardError> {
        let body = canonical::text(self);
        for permit in store.permits(now)? {
            if permit.session.as_ref() == Some(session) && permit.body == body && store.use_permit(&permit.id, now)? {
                return Ok(Some(permit.id));
            }
        }
        Ok(None)
    }

    /// Gives it.
    pub(crate) fn give(&self, store: &Store, id: &str, session: &SessionId, now: Timestamp) -> Result<(), GuardError> {
        store.permit(&Permit {
            id: id.to_owned(),
            session: Some(session.clone()),
            body: canonical::text(self),
            uses_left: USES,
            given_at: now,
            expires: now.plus(LASTS),
        })?;
        Ok(())
    }
}

/// Whether a grant may cover an action of which this is true.
pub(crate) fn may_cover(sink: Sink, met: &BTreeSet<Condition>) -> bool {
    let plain = met.contains(&Condition::PlainPayload);
    let steers = met.contains(&Condition::ControlFile) || met.contains(&Condition::Memory);
    match sink {
        // An approved recipient is no leave to send along what others wrote.
        Sink::CallReading | Sink::CallDeclared | Sink::CallUndeclared => plain,
        Sink::Change | Sink::Fetch => !steers,
        // Another command than the one that was shown changes nothing in place where somebody else has a say.
        Sink::Run => !met.contains(&Condition::Tainted) || met.contains(&Condition::ThrowAway),
        Sink::Consult | Sink::Look | Sink::Observe | Sink::Type | Sink::Search | Sink::Spawn => false,
    }
}

/// Takes back every grant of a conversation.
pub(crate) fn take_back(store: &Store, session: &SessionId, now: Timestamp) -> Result<(), GuardError> {
    for permit in store.permits(now)? {
        if permit.session.as_ref() == Some(session) {
            store.revoke_permit(&permit.id)?;
        }
    }
    Ok(())
}
