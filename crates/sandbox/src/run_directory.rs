//! Directories that last as long as a run, and what is kept of them.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::CWD;

use crate::removal;
use crate::settings::private_directory;

/// A directory that is removed with everything in it, unless it is kept.
#[derive(Debug)]
pub(crate) struct RunDirectory {
    path: PathBuf,
    lasting: Lasting,
}

/// How long a directory lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lasting {
    /// As long as its value.
    Passing,
    /// Until somebody removes it.
    Kept,
}

/// Where kept ones are.
const KEPT: &str = "kept";

static NUMBER: AtomicU64 = AtomicU64::new(0);

/// Begins the name of every such directory; then come the process and a number.
const PREFIX: &str = "run-";

impl RunDirectory {
    /// Makes one below `scratch`.
    pub(crate) fn make(scratch: &Path) -> io::Result<Self> {
        let path = passing(scratch);
        if path.exists() {
            remove(&path)?;
        }
        fs::create_dir(&path)?;
        let made = Self { path, lasting: Lasting::Passing };
        fs::set_permissions(&made.path, fs::Permissions::from_mode(0o711))?;
        Ok(made)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Keeps it under a name, newer than all that are there under the same. Whole or not at all.
    pub(crate) fn keep(&mut self, scratch: &Path, name: &str) -> io::Result<()> {
        let place = scratch.join(KEPT).join(name);
        private_directory(&place)?;
        let last = numbers(&place).into_iter().max().unwrap_or(0);
        let place = place.join((last + 1).to_string());
        fs::rename(&self.path, &place)?;
        *self = Self { path: place, lasting: Lasting::Kept };
        Ok(())
    }

    /// What is kept under a name, newest first.
    pub(crate) fn kept(scratch: &Path, name: &str) -> Vec<Self> {
        let place = scratch.join(KEPT).join(name);
        let mut numbers = numbers(&place);
        numbers.sort_unstable_by(|one, other| other.cmp(one));
        numbers.into_iter().map(|number| Self { path: place.join(number.to_string()), lasting: Lasting::Kept }).collect()
    }

    /// Keeps it no longer.
    pub(crate) fn let_go(&self) -> io::Result<()> {
        // Out of the way first: what is half removed is used by nobody, and swept away later.
        let scratch = self.path.ancestors().nth(3).filter(|_| self.lasting == Lasting::Kept);
        let away = scratch.map(passing).filter(|away| fs::rename(&self.path, away).is_ok());
        // The last one takes the name along.
        let _ = self.path.parent().map(fs::remove_dir);
        remove(away.as_deref().unwrap_or(&self.path))
    }

    /// Makes a directory in it.
    pub(crate) fn with(&self, name: &str) -> io::Result<PathBuf> {
        let path = self.path.join(name);
        fs::create_dir(&path)?;
        Ok(path)
    }
}

impl Drop for RunDirectory {
    fn drop(&mut self) {
        if self.lasting == Lasting::Passing {
            // What stays is swept away when this process is gone.
            let _swept_later = remove(&self.path);
        }
    }
}

/// A name below `scratch` that is swept away when this process is gone.
fn passing(scratch: &Path) -> PathBuf {
    scratch.join(format!("{PREFIX}{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed)))
}

fn numbers(place: &Path) -> Vec<u64> {
    let entries = fs::read_dir(place).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// Removes what processes left that are gone.
pub(crate) fn sweep(scratch: &Path) {
    for entry in fs::read_dir(scratch).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let process = name.to_str().and_then(|name| name.strip_prefix(PREFIX)).and_then(|rest| rest.split('-').next());
        if process.is_some_and(|process| !Path::new("/proc").join(process).exists()) {
            let _next_time = remove(&entry.path());
        }
    }
}

fn remove(path: &Path) -> io::Result<()> {
    removal::remove(CWD, path.as_os_str())
}
