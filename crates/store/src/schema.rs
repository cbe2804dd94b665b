//! The layout of the file and how it is recognised.

use rusqlite::{Connection, Transaction, TransactionBehavior};

/// The layout that this program writes; stored as SQLite's `user_version`.
pub(crate) const LAYOUT: i64 = 4;

/// The steps from one layout to the next: the first makes layout 1 out of an empty file.
const STEPS: [&str; LAYOUT as usize] =
    [include_str!("schema.sql"), include_str!("layout_2.sql"), include_str!("layout_3.sql"), include_str!("layout_4.sql")];

/// The layout of the file; 0 when it is empty.
pub(crate) fn layout(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// Brings the file to [`LAYOUT`]. The version is read again inside the transaction, because another process may have
/// done it in the meantime.
pub(crate) fn migrate(connection: &mut Connection) -> rusqlite::Result<i64> {
    let transaction = Transaction::new(connection, TransactionBehavior::Immediate)?;
    let from = layout(&transaction)?;
    if from >= LAYOUT {
        return Ok(from);
    }
    for step in STEPS.iter().skip(usize::try_from(from).unwrap_or(0)) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "user_version", LAYOUT)?;
    transaction.commit()?;
    Ok(LAYOUT)
}
