//! Leases: which process works on a session. One row per session.
//!
//! A lease is free when there is none, when its time has run out, or when its owner is known to be dead: the process
//! id is gone, or belongs to a process that started at another time. That can be judged only within one
//! [`LeaseOwner::realm`] (the same boot and the same process namespace); a lease from elsewhere, say from another
//! container on the same volume, ends by its time alone. A living owner prolongs its lease long before it ends.

use std::time::Duration;

use krabba_types::{SessionId, Timestamp};
use rusqlite::{OptionalExtension as _, params};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::event::{from_json, to_json};
use crate::process::{self, Life};
use crate::store::Promise;
use crate::{Store, StoreError};

/// How long nothing is heard of an owner before it is given up.
const GIVEN_UP_AFTER: Duration = Duration::from_secs(3_600);

/// Who works on a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseOwner {
    /// The process.
    pub pid: u32,
    /// When the process started, in the system's own unit; process ids are used again. `None` where the system does not say.
    pub started: Option<u64>,
    /// Where `pid` means something: the boot and the process namespace. `None` where the system does not say.
    pub realm: Option<String>,
    /// Random; tells two owners in one process apart.
    pub nonce: String,
}

impl LeaseOwner {
    /// A new owner in this process.
    pub fn new() -> Self {
        let pid = std::process::id();
        Self { pid, started: process::started(pid), realm: process::realm(), nonce: Uuid::new_v4().to_string() }
    }

    /// Whether this owner can no longer do anything, as far as we can tell from here.
    fn is_dead(&self) -> bool {
        if self.realm.is_none() || self.realm != process::realm() {
            return false;
        }
        match process::life(self.pid) {
            Life::Gone => true,
            Life::Here => matches!((self.started, process::started(self.pid)), (Some(then), Some(now)) if then != now),
            Life::Unknown => false,
        }
    }
}

impl Default for LeaseOwner {
    fn default() -> Self {
        Self::new()
    }
}

/// The right to work on a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The session.
    pub session: SessionId,
    /// Who has it.
    pub owner: LeaseOwner,
    /// When it ends, unless it is renewed.
    pub until: Timestamp,
}

/// The answer to [`Store::take_lease`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Leasing {
    /// It is yours.
    Taken(Lease),
    /// Somebody else has it.
    Held {
        /// Who.
        by: LeaseOwner,
        /// Until when, unless it is renewed.
        until: Timestamp,
    },
}

/// The answer to [`Store::renew_lease`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Renewal {
    /// It is still yours, until later.
    Renewed(Lease),
    /// It had run out and somebody took it, or the session was deleted.
    Lost,
}

impl Store {
    /// Takes the lease of a session for `owner` until `until`, if it is free or `owner`'s already.
    ///
    /// # Errors
    /// What every write may meet.
    pub fn take_lease(&self, session: &SessionId, owner: &LeaseOwner, now: Timestamp, until: Timestamp) -> Result<Leasing, StoreError> {
        self.write(Promise::Kept, |transaction| {
            let current: Option<(LeaseOwner, Timestamp)> = transaction
                .prepare_cached("SELECT owner, until FROM lease WHERE session = ?1")?
                .query_row([session.as_str()], |row| Ok((from_json(row, 0)?, Timestamp(row.get(1)?))))
                .optional()?;
            if let Some((by, until)) = current
                && by != *owner
                && until > now
                && !by.is_dead()
            {
                return Ok(Leasing::Held { by, until });
            }
            transaction.prepare_cached("INSERT OR REPLACE INTO lease (session, owner, until) VALUES (?1, ?2, ?3)")?.execute(params![
                session.as_str(),
                to_json(owner)?,
                until.0
            ])?;
            Ok(Leasing::Taken(Lease { session: session.clone(), owner: owner.clone(), until }))
        })
    }

    /// The sessions whose lease was never given back, and whose owner is gone: it was ended in the middle of a turn. One that cannot be
    /// looked for from here is given up when nothing was heard of it for an hour; a machine may sleep.
    ///
    /// # Errors
    /// What every read may meet.
    pub fn deserted_sessions(&self, now: Timestamp) -> Result<Vec<SessionId>, StoreError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached("SELECT session, owner, until FROM lease ORDER BY session")?;
            let leases = statement.query_map([], |row| {
                Ok((SessionId::new(row.get::<_, String>(0)?), from_json::<LeaseOwner>(row, 1)?, Timestamp(row.get(2)?)))
            })?;
            let leases = leases.collect::<rusqlite::Result<Vec<_>>>()?;
            Ok(leases
                .into_iter()
                .filter(|(_, by, until)| by.is_dead() || now.since(*until) > GIVEN_UP_AFTER)
                .map(|(session, ..)| session)
                .collect())
        })
    }

    /// Prolongs a lease.
    ///
    /// # Errors
    /// What every write may meet.
    pub fn renew_lease(&self, lease: &Lease, until: Timestamp) -> Result<Renewal, StoreError> {
        self.write(Promise::Kept, |transaction| {
            let renewed = transaction.prepare_cached("UPDATE lease SET until = ?3 WHERE session = ?1 AND owner = ?2")?.execute(params![
                lease.session.as_str(),
                to_json(&lease.owner)?,
                until.0
            ])?;
            Ok(if renewed == 0 { Renewal::Lost } else { Renewal::Renewed(Lease { until, ..lease.clone() }) })
        })
    }

    /// Gives a lease back. No matter if it was lost before.
    ///
    /// # Errors
    /// What every write may meet.
    pub fn release_lease(&self, lease: &Lease) -> Result<(), StoreError> {
        self.write(Promise::Kept, |transaction| {
            transaction
                .prepare_cached("DELETE FROM lease WHERE session = ?1 AND owner = ?2")?
                .execute(params![lease.session.as_str(), to_json(&lease.owner)?])
                .map(drop)
        })
    }
}
