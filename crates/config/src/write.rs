//! Files that are whole or not there: temporary file, fsync, rename, fsync of the directory; five versions behind.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::edit::EditError;
use crate::files::Overlay;
use crate::{Files, Surroundings, load};

/// Previous versions that are kept, `….bak.1` the latest.
const BACKUPS: u32 = 5;

/// Writes a configuration that does not exist yet, for its owner alone, after checking it.
///
/// # Errors
/// When the text has errors, or there is such a file already, or it cannot be written.
pub fn write_new(path: &Path, text: &str, surroundings: &Surroundings) -> Result<(), EditError> {
    let overlay = Overlay { path: crate::Disk.canonical(path), text };
    let diagnostics = match load(path, &overlay, surroundings) {
        Ok(loaded) => loaded.diagnostics,
        Err(diagnostics) => diagnostics,
    };
    if diagnostics.has_errors() {
        return Err(EditError::Invalid { diagnostics });
    }
    let fail = |source| EditError::Unwritable { path: path.to_owned(), source };
    create_directory(parent(path)).map_err(fail)?;
    let temporary = temporary(path, text).map_err(fail)?;
    match temporary.persist_noclobber(path) {
        Ok(_) => sync_directory(parent(path)).map_err(fail),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Err(EditError::Exists { path: path.to_owned() }),
        Err(error) => Err(fail(error.error)),
    }
}

/// Puts `new` in the place of `old`, which is kept as the latest previous version. `path` must be no link.
pub(crate) fn replace(path: &Path, old: &str, new: &str) -> Result<(), EditError> {
    let fail = |source| EditError::Unwritable { path: path.to_owned(), source };
    let next = temporary(path, new).map_err(fail)?;
    let previous = temporary(path, old).map_err(fail)?;
    // As late as possible: another program may have written the file since it was read.
    if std::fs::read(path).map_err(fail)? != old.as_bytes() {
        return Err(EditError::Changed { path: path.to_owned() });
    }
    for number in (1..BACKUPS).rev() {
        match std::fs::rename(backup(path, number), backup(path, number + 1)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(fail(error)),
            Ok(()) | Err(_) => {}
        }
    }
    previous.persist(backup(path, 1)).map_err(|error| fail(error.error))?;
    next.persist(path).map_err(|error| fail(error.error))?;
    sync_directory(parent(path)).map_err(fail)
}

fn backup(path: &Path, number: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".bak.{number}"));
    PathBuf::from(name)
}

/// A synced file beside `path` that only its owner can read.
fn temporary(path: &Path, text: &str) -> io::Result<tempfile::NamedTempFile> {
    let mut file = tempfile::Builder::new().prefix(".krabba-").suffix(".tmp").tempfile_in(parent(path))?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    Ok(file)
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        Some(_) | None => Path::new("."),
    }
}

#[cfg(unix)]
fn create_directory(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

#[cfg(not(unix))]
fn create_directory(path: &Path) -> io::Result<()> {
    std::fs::create_dir_all(path)
}

/// The new name is durable only when its directory is.
#[cfg(unix)]
fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

#[cfg(not(unix))]
fn sync_directory(_: &Path) -> io::Result<()> {
    Ok(())
}
