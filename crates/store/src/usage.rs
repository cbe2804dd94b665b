//! Usage: what each attempt of a turn cost and how long its phases took.

use krabba_types::{ModelRef, Residency, SessionId, Timestamp, TurnId, Usage};
use rusqlite::{Row, params};
use serde::{Deserialize, Serialize};

use crate::event::{from_json, to_json, unreadable};
use crate::store::Promise;
use crate::{Store, StoreError};

/// One attempt of one turn.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UsageRow {
    /// The session.
    pub session: SessionId,
    /// The turn.
    pub turn: TurnId,
    /// 1 for the first attempt of the turn.
    pub attempt: u32,
    /// The model that was asked.
    pub reference: ModelRef,
    /// The server's address or box.
    pub endpoint: String,
    /// Where it stands.
    pub residency: Residency,
    /// The name of the fault; `None` when it answered.
    pub fault: Option<String>,
    /// What the server counted.
    pub tokens: Usage,
    /// How long its phases took.
    pub timing: UsageTiming,
    /// When it ended.
    pub at: Timestamp,
}

/// The phases of an attempt in milliseconds; `None` when it did not come so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct UsageTiming {
    /// Waiting for a free slot.
    pub queued_ms: Option<u64>,
    /// From sending to the first output.
    pub first_token_ms: Option<u64>,
    /// From beginning to end.
    pub total_ms: Option<u64>,
}

impl Store {
    /// Keeps what an attempt cost; the same attempt again replaces it.
    ///
    /// # Errors
    /// What every write may meet.
    pub fn record_usage(&self, usage: &UsageRow) -> Result<(), StoreError> {
        self.record_usages(std::slice::from_ref(usage))
    }

    /// Keeps what all attempts of a turn cost, in one step.
    ///
    /// # Errors
    /// What every write may meet.
    pub fn record_usages(&self, rows: &[UsageRow]) -> Result<(), StoreError> {
        if rows.is_empty() {
            return Ok(());
        }
        self.write(Promise::Kept, |transaction| {
            let mut statement = transaction.prepare_cached(
                "INSERT OR REPLACE INTO usage (session, turn, attempt, reference, endpoint, residency, fault, tokens, timing, at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            )?;
            for row in rows {
                statement.execute(params![
                    row.session.as_str(),
                    row.turn.as_str(),
                    row.attempt,
                    row.reference.to_string(),
                    row.endpoint,
                    row.residency.to_string(),
                    row.fault,
                    to_json(&row.tokens)?,
                    to_json(&row.timing)?,
                    row.at.0,
                ])?;
            }
            Ok(())
        })
    }

    /// What the attempts of a session cost, in the order in which they ended.
    ///
    /// # Errors
    /// What every read may meet.
    pub fn usage(&self, session: &SessionId) -> Result<Vec<UsageRow>, StoreError> {
        self.read(|connection| {
            connection
                .prepare_cached(
                    "SELECT session, turn, attempt, reference, endpoint, residency, fault, tokens, timing, at
                     FROM usage WHERE session = ?1 ORDER BY at, turn, attempt",
                )?
                .query_map([session.as_str()], usage_of_row)?
                .collect()
        })
    }
}

fn usage_of_row(row: &Row<'_>) -> rusqlite::Result<UsageRow> {
    Ok(UsageRow {
        session: SessionId::new(row.get::<_, String>(0)?),
        turn: TurnId::new(row.get::<_, String>(1)?),
        attempt: row.get(2)?,
        reference: ModelRef::parse(&row.get::<_, String>(3)?).map_err(|error| unreadable(3, error))?,
        endpoint: row.get(4)?,
        residency: row.get::<_, String>(5)?.parse().map_err(|error| unreadable(5, error))?,
        fault: row.get(6)?,
        tokens: from_json(row, 7)?,
        timing: from_json(row, 8)?,
        at: Timestamp(row.get(9)?),
    })
}
