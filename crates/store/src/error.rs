//! Why the store could not do it, in words that say what to do next.

use std::io;
use std::path::{Path, PathBuf};

use krabba_types::SessionId;
use rusqlite::ErrorCode;

/// A failure of the store. Every message names the file and the remedy.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The state directory or the file in it cannot be made or opened.
    #[error("cannot use {}: {source}; make it readable and writable for you, or choose another place with --state-dir", path.display())]
    Place {
        /// The directory or file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file may be read but not written.
    #[error("{} cannot be written: {source}; give yourself write permission to it and its directory, or choose another place with --state-dir", path.display())]
    ReadOnly {
        /// The database file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// No space is left.
    #[error("the disk that holds {} is full; nothing was changed. Free some space and try again", path.display())]
    Full {
        /// The database file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// The disk does not do what it should.
    #[error("the disk that holds {} failed ({source}); nothing was changed. Look whether it is mounted read-only, or broken", path.display())]
    Disk {
        /// The database file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// Another process kept the file for longer than we wait (five seconds).
    #[error("{} is in use by another program for more than 5 seconds; if no other krabba runs, look who holds it with: fuser {}", path.display(), path.display())]
    Locked {
        /// The database file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// The file is no database, or a part of it is broken.
    #[error("{} is damaged ({source}); krabba leaves it as it is. Put a copy of it back, or move it away to start with an empty one", path.display())]
    Damaged {
        /// The database file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// A newer krabba wrote this file.
    #[error("{} was written by a newer krabba (its layout is {found}, this one knows {known}); update krabba, or choose another place with --state-dir", path.display())]
    NewerLayout {
        /// The database file.
        path: PathBuf,
        /// The layout of the file.
        found: i64,
        /// The newest layout this program knows.
        known: i64,
    },
    /// The SQLite that was linked can lose committed writes in WAL mode (all versions before 3.51.3).
    #[error("this krabba was built with SQLite {version}, which can lose committed writes; build it with 3.51.3 or later")]
    UnsafeSqlite {
        /// The linked version.
        version: &'static str,
    },
    /// There is no such session.
    #[error("there is no session \"{session}\"; krabba sessions list shows those that exist")]
    NoSession {
        /// What was asked for.
        session: SessionId,
    },
    /// A session of this id exists already.
    #[error("a session \"{session}\" exists already; leave out the id to get a new one")]
    SessionExists {
        /// The id.
        session: SessionId,
    },
    /// A row holds something that this program does not understand.
    #[error("{} holds a row that this krabba cannot read ({source}); a newer krabba may have written it", path.display())]
    Unreadable {
        /// The database file.
        path: PathBuf,
        /// What is wrong with the value.
        source: rusqlite::Error,
    },
    /// Anything else that SQLite reports.
    #[error("{}: {source}", path.display())]
    Sqlite {
        /// The database file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
}

impl StoreError {
    /// Whether the same call may succeed a little later without anybody doing anything.
    pub fn passes_by_itself(&self) -> bool {
        matches!(self, Self::Locked { .. })
    }

    /// The one place where SQLite's codes get their meaning.
    pub(crate) fn of(path: &Path, source: rusqlite::Error) -> Self {
        let path = path.to_owned();
        if is_conversion(&source) {
            return Self::Unreadable { path, source };
        }
        match source.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Locked { path, source },
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => Self::ReadOnly { path, source },
            Some(ErrorCode::SystemIoFailure) => Self::Disk { path, source },
            Some(ErrorCode::DiskFull) => Self::Full { path, source },
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Damaged { path, source },
            Some(_) | None => Self::Sqlite { path, source },
        }
    }
}

/// Whether a row was there and its content is the trouble.
pub(crate) fn is_conversion(error: &rusqlite::Error) -> bool {
    matches!(
        error,
        rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::Utf8Error(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::InvalidColumnType(..)
    )
}
