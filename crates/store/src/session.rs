//! Sessions: one row per conversation.

use krabba_types::{AgentId, SessionId, Timestamp};
use rusqlite::{OptionalExtension as _, Row, params};
use serde::Serialize;

use crate::store::Promise;
use crate::{Store, StoreError, StoredEvent};

/// A conversation that is to begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSession {
    /// Unique in the store.
    pub id: SessionId,
    /// Whose conversation it is.
    pub agent: AgentId,
    /// For listings.
    pub title: Option<String>,
    /// When it begins.
    pub at: Timestamp,
}

/// A conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// Unique in the store.
    pub id: SessionId,
    /// Whose conversation it is.
    pub agent: AgentId,
    /// For listings.
    pub title: Option<String>,
    /// When it began.
    pub created_at: Timestamp,
    /// When its last event was written.
    pub updated_at: Timestamp,
    /// How many events it has.
    pub events: u64,
}

const COLUMNS: &str =
    "SELECT id, agent, title, created_at, updated_at, (SELECT COUNT(*) FROM event WHERE event.session = session.id) FROM session";

impl Store {
    /// Begins a session.
    ///
    /// # Errors
    /// [`StoreError::SessionExists`], and what every write may meet.
    pub fn create_session(&self, new: &NewSession) -> Result<Session, StoreError> {
        match self.insert_session(new)? {
            (session, Inserted::Now) => Ok(session),
            (session, Inserted::Before) => Err(StoreError::SessionExists { session: session.id }),
        }
    }

    /// The session of this id; begins it when there is none. An existing one keeps its agent and title.
    ///
    /// # Errors
    /// What every write may meet.
    pub fn get_or_create_session(&self, new: &NewSession) -> Result<Session, StoreError> {
        // Looked up first: continuing a session must not wait for the disk.
        match self.session(&new.id)? {
            Some(session) => Ok(session),
            None => Ok(self.insert_session(new)?.0),
        }
    }

    /// The session of this id.
    ///
    /// # Errors
    /// What every read may meet.
    pub fn session(&self, id: &SessionId) -> Result<Option<Session>, StoreError> {
        self.read(|connection| {
            connection.prepare_cached(&format!("{COLUMNS} WHERE id = ?1"))?.query_row([id.as_str()], session_of_row).optional()
        })
    }

    /// The session of `agent` that was used last.
    ///
    /// # Errors
    /// What every read may meet.
    pub fn latest_session(&self, agent: &AgentId) -> Result<Option<Session>, StoreError> {
        self.read(|connection| {
            connection
                .prepare_cached(&format!("{COLUMNS} WHERE agent = ?1 ORDER BY updated_at DESC, id DESC LIMIT 1"))?
                .query_row([agent.as_str()], session_of_row)
                .optional()
        })
    }

    /// All sessions, the one used last first.
    ///
    /// # Errors
    /// What every read may meet.
    pub fn list_sessions(&self) -> Result<Vec<Session>, StoreError> {
        self.read(|connection| {
            connection.prepare_cached(&format!("{COLUMNS} ORDER BY updated_at DESC, id DESC"))?.query_map([], session_of_row)?.collect()
        })
    }

    /// Gives the session a title for listings.
    ///
    /// # Errors
    /// [`StoreError::NoSession`], and what every write may meet.
    pub fn entitle_session(&self, id: &SessionId, title: &str) -> Result<(), StoreError> {
        let changed = self.write(Promise::Kept, |transaction| {
            transaction.execute("UPDATE session SET title = ?2 WHERE id = ?1", params![id.as_str(), title])
        })?;
        if changed == 0 { Err(StoreError::NoSession { session: id.clone() }) } else { Ok(()) }
    }

    /// Every event of the session from the first on, for a person to take away, those that cannot be read as they stand in the file.
    ///
    /// # Errors
    /// [`StoreError::NoSession`], and what every read may meet.
    pub fn export(&self, id: &SessionId) -> Result<Vec<StoredEvent>, StoreError> {
        match self.session(id)? {
            Some(_) => self.events(id, 0),
            None => Err(StoreError::NoSession { session: id.clone() }),
        }
    }

    /// Removes the session with its events, usage, lease, questions, grants and effects; the audit stays, which holds digests
    /// alone. Their bytes are overwritten in the file, and the
    /// write-ahead log is emptied, so that nothing of it is left to find. Only ever at the person's word.
    ///
    /// # Errors
    /// [`StoreError::NoSession`], and what every write may meet.
    pub fn delete_session(&self, id: &SessionId) -> Result<(), StoreError> {
        let removed = self.write(Promise::OnDisk, |transaction| {
            // The session goes first: its events can go only when it is gone.
            let removed = transaction.execute("DELETE FROM session WHERE id = ?1", [id.as_str()])?;
            transaction.execute("DELETE FROM event WHERE session = ?1", [id.as_str()])?;
            transaction.execute("DELETE FROM usage WHERE session = ?1", [id.as_str()])?;
            for table in ["lease", "approval", "permit", "effect"] {
                transaction.execute(&format!("DELETE FROM {table} WHERE session = ?1"), [id.as_str()])?;
            }
            Ok(removed)
        })?;
        if removed == 0 {
            return Err(StoreError::NoSession { session: id.clone() });
        }
        // A page that was ever split holds copies of what was moved, which no deletion reaches: the file is written anew. Another
        // process that is reading at this moment, or a full disk, prevents that; the next deletion makes up for it.
        match self.read(|connection| connection.execute_batch("VACUUM")) {
            Ok(()) | Err(StoreError::Locked { .. } | StoreError::Full { .. }) => {}
            Err(error) => return Err(error),
        }
        self.read(|connection| connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())))
    }

    fn insert_session(&self, new: &NewSession) -> Result<(Session, Inserted), StoreError> {
        // Its first event brings it to the disk; an empty session is nobody's words and not worth a wait.
        self.write(Promise::Kept, |transaction| {
            let inserted = transaction.execute(
                "INSERT INTO session (id, agent, title, created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?4) ON CONFLICT DO NOTHING",
                params![new.id.as_str(), new.agent.as_str(), new.title, new.at.0],
            )?;
            let session = transaction.query_row(&format!("{COLUMNS} WHERE id = ?1"), [new.id.as_str()], session_of_row)?;
            Ok((session, if inserted == 0 { Inserted::Before } else { Inserted::Now }))
        })
    }
}

enum Inserted {
    Now,
    Before,
}

fn session_of_row(row: &Row<'_>) -> rusqlite::Result<Session> {
    Ok(Session {
        id: SessionId::new(row.get::<_, String>(0)?),
        agent: AgentId::new(row.get::<_, String>(1)?),
        title: row.get(2)?,
        created_at: Timestamp(row.get(3)?),
        updated_at: Timestamp(row.get(4)?),
        events: u64::try_from(row.get::<_, i64>(5)?).unwrap_or(0),
    })
}
