//! Permits: what the owner allowed beforehand, for a while and a number of times.

use krabba_types::{SessionId, Timestamp};
use rusqlite::{Row, params};

use crate::store::Promise;
use crate::{Store, StoreError};

/// Something that the owner allowed beforehand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permit {
    /// Unique in the store.
    pub id: String,
    /// The conversation it holds in; `None` for all.
    pub session: Option<SessionId>,
    /// What is allowed; JSON of the guard's.
    pub body: String,
    /// How often it may still be used.
    pub uses_left: u32,
    /// When it was given.
    pub given_at: Timestamp,
    /// When it ends.
    pub expires: Timestamp,
}

impl Store {
    /// Keeps a permit.
    ///
    /// # Errors
    /// What every write may meet.
    pub fn permit(&self, permit: &Permit) -> Result<(), StoreError> {
        self.write(Promise::OnDisk, |transaction| {
            transaction
                .prepare_cached("INSERT INTO permit (id, session, body, uses_left, given_at, expires) VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?
                .execute(params![
                    permit.id,
                    permit.session.as_ref().map(SessionId::as_str),
                    permit.body,
                    permit.uses_left,
                    permit.given_at.0,
                    permit.expires.0
                ])
                .map(drop)
        })
    }

    /// The permits that hold at `at`, the oldest first.
    ///
    /// # Errors
    /// What every read may meet.
    pub fn permits(&self, at: Timestamp) -> Result<Vec<Permit>, StoreError> {
        self.read(|connection| {
            connection
                .prepare_cached(
                    "SELECT id, session, body, uses_left, given_at, expires FROM permit
                     WHERE uses_left > 0 AND expires > ?1 ORDER BY given_at, id",
                )?
                .query_map([at.0], of_row)?
                .collect()
        })
    }

    /// Uses a permit once. Says whether it still held.
    ///
    /// # Errors
    /// What every write may meet.
    pub fn use_permit(&self, id: &str, at: Timestamp) -> Result<bool, StoreError> {
        self.write(Promise::OnDisk, |transaction| {
            let changed = transaction
                .prepare_cached("UPDATE permit SET uses_left = uses_left - 1 WHERE id = ?1 AND uses_left > 0 AND expires > ?2")?
                .execute(params![id, at.0])?;
            Ok(changed == 1)
        })
    }

    /// Takes a permit back. Says whether there was one.
    ///
    /// # Errors
    /// What every write may meet.
    pub fn revoke_permit(&self, id: &str) -> Result<bool, StoreError> {
        self.write(Promise::OnDisk, |transaction| Ok(transaction.execute("DELETE FROM permit WHERE id = ?1", [id])? == 1))
    }
}

fn of_row(row: &Row<'_>) -> rusqlite::Result<Permit> {
    Ok(Permit {
        id: row.get(0)?,
        session: row.get::<_, Option<String>>(1)?.map(SessionId::new),
        body: row.get(2)?,
        uses_left: row.get(3)?,
        given_at: Timestamp(row.get(4)?),
        expires: Timestamp(row.get(5)?),
    })
}
