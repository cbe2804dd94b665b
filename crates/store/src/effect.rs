//! Effects: what was begun, so that after a crash it is known what may have happened.

use krabba_types::{SessionId, Timestamp, TurnId};
use rusqlite::{Row, params};
use serde::{Deserialize, Serialize};

use crate::event::{from_json, to_json};
use crate::store::Promise;
use crate::{Store, StoreError};

/// Something with consequences that was begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Effect {
    /// The conversation.
    pub session: SessionId,
    /// Unique in the conversation; the id of the call.
    pub id: String,
    /// The turn.
    pub turn: TurnId,
    /// What it is, for a person.
    pub intent: String,
    /// How far it got.
    pub state: EffectState,
    /// When it was begun.
    pub begun_at: Timestamp,
    /// When it was over, or given up.
    pub ended_at: Option<Timestamp>,
}

/// How far an effect got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EffectState {
    /// It was begun. After a crash: nobody knows.
    Started,
    /// It is over, well or badly.
    Done,
    /// It was begun before a crash; the owner and the model were told.
    Unknown,
}

impl Store {
    /// Notes that something is about to begin. True when it is new; false when one of this id was begun before, and must not
    /// be begun again. It is on the disk when this returns.
    ///
    /// # Errors
    /// What every write may meet.
    pub fn begin_effect(&self, session: &SessionId, id: &str, turn: &TurnId, intent: &str, at: Timestamp) -> Result<bool, StoreError> {
        self.write(Promise::OnDisk, |transaction| {
            let inserted = transaction
                .prepare_cached(
                    "INSERT INTO effect (session, id, turn, intent, state, begun_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING",
                )?
                .execute(params![session.as_str(), id, turn.as_str(), intent, to_json(&EffectState::Started)?, at.0])?;
            Ok(inserted == 1)
        })
    }

    /// Notes how something ended that was begun; what ended before keeps its first end. It is on the disk when this returns.
    ///
    /// # Errors
    /// What every write may meet.
    pub fn end_effect(&self, session: &SessionId, id: &str, state: EffectState, at: Timestamp) -> Result<(), StoreError> {
        self.write(Promise::OnDisk, |transaction| {
            transaction
                .prepare_cached("UPDATE effect SET state = ?3, ended_at = ?4 WHERE session = ?1 AND id = ?2 AND ended_at IS NULL")?
                .execute(params![session.as_str(), id, to_json(&state)?, at.0])
                .map(drop)
        })
    }

    /// What was begun in a conversation and is not over, the oldest first.
    ///
    /// # Errors
    /// What every read may meet.
    pub fn open_effects(&self, session: &SessionId) -> Result<Vec<Effect>, StoreError> {
        self.read(|connection| {
            connection
                .prepare_cached(
                    "SELECT session, id, turn, intent, state, begun_at, ended_at FROM effect
                     WHERE session = ?1 AND ended_at IS NULL ORDER BY begun_at, id",
                )?
                .query_map([session.as_str()], of_row)?
                .collect()
        })
    }
}

fn of_row(row: &Row<'_>) -> rusqlite::Result<Effect> {
    Ok(Effect {
        session: SessionId::new(row.get::<_, String>(0)?),
        id: row.get(1)?,
        turn: TurnId::new(row.get::<_, String>(2)?),
        intent: row.get(3)?,
        state: from_json(row, 4)?,
        begun_at: Timestamp(row.get(5)?),
        ended_at: row.get::<_, Option<i64>>(6)?.map(Timestamp),
    })
}
