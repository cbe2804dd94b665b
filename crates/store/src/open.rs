//! Opening the file: who may read it, which SQLite it is, and bringing it to the layout of this program.
//!
//! The usual case, a file that exists in our layout, costs one open and the reading of its first page. Everything
//! that a new file needs (WAL mode, tables) is stored in the file and never asked for again.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::StoreError;
use crate::schema::{LAYOUT, layout, migrate};

/// The name of the file in the state directory.
const FILE_NAME: &str = "krabba.db";

/// How long we wait for another process's transaction. Theirs last milliseconds; five seconds is a sick disk.
const PATIENCE: Duration = Duration::from_secs(5);

/// 3.51.3 is the first version without the WAL reset race, in which a committed write could be lost.
const SAFE_SQLITE: i32 = 3_051_003;

/// Pages of 4 KiB in the write-ahead log before it is folded back: keeps what a start has to read below a megabyte.
const LOG_PAGES: i64 = 200;

/// Opens or makes the file in `state_dir`.
pub(crate) fn open_file(state_dir: &Path) -> Result<(Connection, PathBuf), StoreError> {
    refuse_unsafe_sqlite()?;
    let path = state_dir.join(FILE_NAME);
    prepare_place(state_dir, &path)?;
    // No SQLITE_OPEN_CREATE: we made the file ourselves, with its permissions. Our own lock makes SQLite's superfluous.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(&path, flags)
        .and_then(|mut connection| {
            connection.busy_timeout(PATIENCE)?;
            // Folding the log back at exit would cost every short command two waits for the disk.
            connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
            prepare(&mut connection)?;
            Ok(connection)
        })
        .map_err(|source| StoreError::of(&path, source))?;
    refuse_newer(&connection, &path)?;
    Ok((connection, path))
}

/// Opens a store that is gone when it is dropped.
pub(crate) fn open_memory() -> Result<(Connection, PathBuf), StoreError> {
    refuse_unsafe_sqlite()?;
    let path = PathBuf::from(":memory:");
    let connection = Connection::open_in_memory()
        .and_then(|mut connection| {
            migrate(&mut connection)?;
            Ok(connection)
        })
        .map_err(|source| StoreError::of(&path, source))?;
    Ok((connection, path))
}

fn prepare(connection: &mut Connection) -> rusqlite::Result<()> {
    if layout(connection)? < LAYOUT {
        switch_to_wal(connection)?;
        connection.execute_batch("PRAGMA synchronous=FULL")?;
        migrate(connection)?;
    }
    connection.execute_batch("PRAGMA synchronous=FULL")?;
    connection.pragma_update(None, "wal_autocheckpoint", LOG_PAGES)
}

/// SQLite does not wait by itself when two processes switch the mode of a new file at the same moment.
fn switch_to_wal(connection: &Connection) -> rusqlite::Result<()> {
    let begun = Instant::now();
    loop {
        match connection.query_row("PRAGMA journal_mode=WAL", [], |row| row.get::<_, String>(0)) {
            Ok(_) => return Ok(()),
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) && begun.elapsed() < PATIENCE => {
                std::thread::sleep(Duration::from_millis(5));
            }
            Err(error) => return Err(error),
        }
    }
}

fn refuse_unsafe_sqlite() -> Result<(), StoreError> {
    if rusqlite::version_number() < SAFE_SQLITE {
        return Err(StoreError::UnsafeSqlite { version: rusqlite::version() });
    }
    Ok(())
}

fn refuse_newer(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let found = layout(connection).map_err(|source| StoreError::of(path, source))?;
    if found > LAYOUT {
        return Err(StoreError::NewerLayout { path: path.to_owned(), found, known: LAYOUT });
    }
    Ok(())
}

/// Makes the directory (0700) and the file (0600) where they are missing. An existing directory keeps its mode, since
/// it may be shared with others; the file is ours and closed to them. SQLite gives `-wal` and `-shm` the file's mode.
fn prepare_place(state_dir: &Path, path: &Path) -> Result<(), StoreError> {
    let failed = |place: &Path, source: io::Error| StoreError::Place { path: place.to_owned(), source };
    if !state_dir.is_dir() {
        make_directory(state_dir).map_err(|source| failed(state_dir, source))?;
    }
    make_file(path).map_err(|source| failed(path, source))
}

#[cfg(unix)]
fn make_directory(state_dir: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(state_dir)
}

#[cfg(unix)]
fn make_file(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
    match fs::metadata(path) {
        Ok(metadata) if metadata.permissions().mode() & 0o077 == 0 => Ok(()),
        Ok(_) => fs::set_permissions(path, fs::Permissions::from_mode(0o600)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            fs::OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path).map(drop)
        }
        Err(error) => Err(error),
    }
}

#[cfg(not(unix))]
fn make_directory(state_dir: &Path) -> io::Result<()> {
    fs::create_dir_all(state_dir)
}

#[cfg(not(unix))]
fn make_file(path: &Path) -> io::Result<()> {
    fs::OpenOptions::new().write(true).create(true).truncate(false).open(path).map(drop)
}
