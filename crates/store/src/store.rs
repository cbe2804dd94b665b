//! The handle on the file: one connection behind one lock, and the two ways to write.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::StoreError;
use crate::open::{open_file, open_memory};

/// The store. Share it in an `Arc`; every method takes `&self`.
#[derive(Debug)]
pub struct Store {
    connection: Mutex<Connection>,
    path: PathBuf,
}

/// Whether a write is worth waiting for the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Promise {
    /// On the disk when the call returns.
    OnDisk,
    /// Survives the death of this process, perhaps not a power cut.
    Kept,
}

impl Store {
    /// Opens `krabba.db` in `state_dir`; makes both when they are missing (0600 and 0700).
    ///
    /// # Errors
    /// When the place cannot be used, the file is damaged, locked for more than five seconds, or of a newer layout.
    pub fn open(state_dir: &Path) -> Result<Self, StoreError> {
        let (connection, path) = open_file(state_dir)?;
        Ok(Self { connection: Mutex::new(connection), path })
    }

    /// A store that is gone when it is dropped.
    ///
    /// # Errors
    /// When SQLite is too old or memory is short.
    pub fn open_in_memory() -> Result<Self, StoreError> {
        let (connection, path) = open_memory()?;
        Ok(Self { connection: Mutex::new(connection), path })
    }

    /// The file; `:memory:` when there is none.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Runs `work` on the connection.
    pub(crate) fn read<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, StoreError> {
        work(&self.lock()).map_err(|source| StoreError::of(&self.path, source))
    }

    /// Runs `work` in one transaction, which is undone when `work` fails.
    pub(crate) fn write<T>(&self, promise: Promise, work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>) -> Result<T, StoreError> {
        let mut connection = self.lock();
        let outcome = match promise {
            Promise::OnDisk => in_transaction(&mut connection, work),
            Promise::Kept => without_waiting(&mut connection, work),
        };
        outcome.map_err(|source| StoreError::of(&self.path, source))
    }

    /// A panic in another thread cannot leave half a transaction behind (it is undone when dropped), so that a
    /// poisoned lock is no reason to stop.
    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn in_transaction<T>(connection: &mut Connection, work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>) -> rusqlite::Result<T> {
    let transaction = Transaction::new(connection, TransactionBehavior::Immediate)?;
    let value = work(&transaction)?;
    transaction.commit()?;
    Ok(value)
}

fn without_waiting<T>(connection: &mut Connection, work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>) -> rusqlite::Result<T> {
    connection.execute_batch("PRAGMA synchronous=NORMAL")?;
    let outcome = in_transaction(connection, work);
    connection.execute_batch("PRAGMA synchronous=FULL")?;
    outcome
}
