//! The audit: rows that are chained by a hash, added and never changed.

use krabba_types::Timestamp;
use rusqlite::{OptionalExtension as _, Row, params};

use crate::store::Promise;
use crate::{Store, StoreError};

/// One row of the audit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRow {
    /// 1, 2, 3 and so on, without gaps.
    pub seq: u64,
    /// When it was written.
    pub at: Timestamp,
    /// What it says; JSON of the guard's.
    pub body: String,
    /// Over this row and the hash of the one before.
    pub hash: String,
}

impl Store {
    /// Adds a row. `link` gets the hash of the row before (empty for the first), and the new row with an empty hash, and says
    /// its hash. The row is on the disk when this returns.
    ///
    /// # Errors
    /// What every write may meet.
    pub fn append_audit(&self, at: Timestamp, body: &str, link: impl Fn(&str, &AuditRow) -> String) -> Result<AuditRow, StoreError> {
        self.write(Promise::OnDisk, |transaction| {
            let last = transaction
                .prepare_cached("SELECT seq, at, body, hash FROM audit ORDER BY seq DESC LIMIT 1")?
                .query_row([], audit_row)
                .optional()?;
            let (seq, before) = last.map_or((0, String::new()), |row| (row.seq, row.hash));
            let mut row = AuditRow { seq: seq.saturating_add(1), at, body: body.to_owned(), hash: String::new() };
            row.hash = link(&before, &row);
            transaction.prepare_cached("INSERT INTO audit (seq, at, body, hash) VALUES (?1, ?2, ?3, ?4)")?.execute(params![
                i64::try_from(row.seq).unwrap_or(i64::MAX),
                row.at.0,
                row.body,
                row.hash
            ])?;
            transaction
                .prepare_cached("INSERT OR REPLACE INTO audit_end (one, seq, hash) VALUES (1, ?1, ?2)")?
                .execute(params![i64::try_from(row.seq).unwrap_or(i64::MAX), row.hash])?;
            Ok(row)
        })
    }

    /// The rows after `after_seq`, at most `limit`, in order.
    ///
    /// # Errors
    /// What every read may meet.
    pub fn audit(&self, after_seq: u64, limit: u32) -> Result<Vec<AuditRow>, StoreError> {
        let after = i64::try_from(after_seq).unwrap_or(i64::MAX);
        self.read(|connection| {
            connection
                .prepare_cached("SELECT seq, at, body, hash FROM audit WHERE seq > ?1 ORDER BY seq LIMIT ?2")?
                .query_map(params![after, limit], audit_row)?
                .collect()
        })
    }

    /// The number and the hash of the row that was added last; 0 and nothing where there was none.
    ///
    /// # Errors
    /// What every read may meet.
    pub fn audit_end(&self) -> Result<(u64, String), StoreError> {
        let end = |row: &Row<'_>| Ok((u64::try_from(row.get::<_, i64>(0)?).unwrap_or(0), row.get(1)?));
        self.read(|connection| {
            let end = connection.prepare_cached("SELECT seq, hash FROM audit_end")?.query_row([], end).optional()?;
            Ok(end.unwrap_or_default())
        })
    }
}

fn audit_row(row: &Row<'_>) -> rusqlite::Result<AuditRow> {
    Ok(AuditRow {
        seq: u64::try_from(row.get::<_, i64>(0)?).unwrap_or(0),
        at: Timestamp(row.get(1)?),
        body: row.get(2)?,
        hash: row.get(3)?,
    })
}
