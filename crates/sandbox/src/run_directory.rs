//! Directories that last as long as a run.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// A directory that is removed with everything in it.
#[derive(Debug)]
pub(crate) struct RunDirectory(PathBuf);

static NUMBER: AtomicU64 = AtomicU64::new(0);

/// Begins the name of every such directory; then come the process and a number.
const PREFIX: &str = "run-";

impl RunDirectory {
    /// Makes one below `scratch`.
    pub(crate) fn make(scratch: &Path) -> io::Result<Self> {
        let path = scratch.join(format!("{PREFIX}{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed)));
        if path.exists() {
            remove(&path);
        }
        fs::create_dir(&path)?;
        let made = Self(path);
        fs::set_permissions(&made.0, fs::Permissions::from_mode(0o711))?;
        Ok(made)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Makes a directory in it.
    pub(crate) fn with(&self, name: &str) -> io::Result<PathBuf> {
        let path = self.0.join(name);
        fs::create_dir(&path)?;
        Ok(path)
    }
}

impl Drop for RunDirectory {
    fn drop(&mut self) {
        remove(&self.0);
    }
}

/// Removes what processes left that are gone.
pub(crate) fn sweep(scratch: &Path) {
    for entry in fs::read_dir(scratch).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let process = name.to_str().and_then(|name| name.strip_prefix(PREFIX)).and_then(|rest| rest.split('-').next());
        if process.is_some_and(|process| !Path::new("/proc").join(process).exists()) {
            remove(&entry.path());
        }
    }
}

/// Removes a tree whose directories may have been made unreadable. Links in it are removed, never followed.
fn remove(path: &Path) {
    if fs::remove_dir_all(path).is_ok() {
        return;
    }
    open_up(path);
    let _ = fs::remove_dir_all(path);
}

fn open_up(path: &Path) {
    if !fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir()) {
        return;
    }
    let _ = fs::set_permissions(path, fs::Permissions::from_mode(0o700));
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        open_up(&entry.path());
    }
}
