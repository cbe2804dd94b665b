//! Questions to the owner and their answers. The first answer counts, and it is used once.

use krabba_types::{SessionId, Timestamp, TurnId};
use rusqlite::{OptionalExtension as _, Row, params};

use crate::store::Promise;
use crate::{Store, StoreError};

/// A question that is to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewApproval {
    /// Unique in the store.
    pub id: String,
    /// The conversation that waits.
    pub session: SessionId,
    /// The turn that waits.
    pub turn: TurnId,
    /// What is asked; JSON of the guard's.
    pub question: String,
    /// What a yes allows; JSON of the guard's.
    pub terms: String,
    /// When it was asked.
    pub asked_at: Timestamp,
    /// From when on no answer is taken.
    pub expires: Timestamp,
}

/// A question as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredApproval {
    /// What was asked.
    pub asked: NewApproval,
    /// The answer, once there is one.
    pub answer: Option<StoredAnswer>,
    /// When a yes was used.
    pub used_at: Option<Timestamp>,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredAnswer {
    /// JSON of the guard's.
    pub answer: String,
    /// Who gave it.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

const COLUMNS: &str =
    "SELECT id, session, turn, question, terms, asked_at, expires, answer, answered_by, answered_at, used_at FROM approval";

impl Store {
    /// Keeps a question. It is on the disk when this returns.
    ///
    /// # Errors
    /// What every write may meet.
    pub fn ask(&self, new: &NewApproval) -> Result<(), StoreError> {
        self.write(Promise::OnDisk, |transaction| {
            transaction
                .prepare_cached(
                    "INSERT INTO approval (id, session, turn, question, terms, asked_at, expires) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                )?
                .execute(params![new.id, new.session.as_str(), new.turn.as_str(), new.question, new.terms, new.asked_at.0, new.expires.0])
                .map(drop)
        })
    }

    /// The question of this id.
    ///
    /// # Errors
    /// What every read may meet.
    pub fn approval(&self, id: &str) -> Result<Option<StoredApproval>, StoreError> {
        self.read(|connection| connection.prepare_cached(&format!("{COLUMNS} WHERE id = ?1"))?.query_row([id], of_row).optional())
    }

    /// The latest `limit` questions, the newest first.
    ///
    /// # Errors
    /// What every read may meet.
    pub fn approvals(&self, limit: u32) -> Result<Vec<StoredApproval>, StoreError> {
        self.read(|connection| {
            connection.prepare_cached(&format!("{COLUMNS} ORDER BY asked_at DESC, id LIMIT ?1"))?.query_map([limit], of_row)?.collect()
        })
    }

    /// Takes an answer, unless there is one. Says whether it was taken. It is on the disk when this returns.
    ///
    /// # Errors
    /// What every write may meet.
    pub fn answer(&self, id: &str, answer: &StoredAnswer) -> Result<bool, StoreError> {
        self.write(Promise::OnDisk, |transaction| {
            let changed = transaction
                .prepare_cached("UPDATE approval SET answer = ?2, answered_by = ?3, answered_at = ?4 WHERE id = ?1 AND answer IS NULL")?
                .execute(params![id, answer.answer, answer.by, answer.at.0])?;
            Ok(changed == 1)
        })
    }

    /// Uses an answer up. True once, and for one caller alone. It is on the disk when this returns.
    ///
    /// # Errors
    /// What every write may meet.
    pub fn use_answer(&self, id: &str, at: Timestamp) -> Result<bool, StoreError> {
        self.write(Promise::OnDisk, |transaction| {
            let changed = transaction
                .prepare_cached("UPDATE approval SET used_at = ?2 WHERE id = ?1 AND answer IS NOT NULL AND used_at IS NULL")?
                .execute(params![id, at.0])?;
            Ok(changed == 1)
        })
    }
}

fn of_row(row: &Row<'_>) -> rusqlite::Result<StoredApproval> {
    let answer = match row.get::<_, Option<String>>(7)? {
        Some(answer) => Some(StoredAnswer {
            answer,
            by: row.get::<_, Option<String>>(8)?.unwrap_or_default(),
            at: Timestamp(row.get::<_, Option<i64>>(9)?.unwrap_or_default()),
        }),
        None => None,
    };
    Ok(StoredApproval {
        asked: NewApproval {
            id: row.get(0)?,
            session: SessionId::new(row.get::<_, String>(1)?),
            turn: TurnId::new(row.get::<_, String>(2)?),
            question: row.get(3)?,
            terms: row.get(4)?,
            asked_at: Timestamp(row.get(5)?),
            expires: Timestamp(row.get(6)?),
        },
        answer,
        used_at: row.get::<_, Option<i64>>(10)?.map(Timestamp),
    })
}
