//! What stands in for protected places that are missing.
//!
//! A mount needs something to stand on. So a missing protected file is made, empty, for as long as commands run that could make it
//! themselves, and is taken away again if nobody wrote to it.
//!
//! All commands on one workspace share what stands in, whichever krabba started them: taken away under one that still runs, it would
//! take that one's mount along. Each run holds a shared lock in the scratch directory, which goes with its holders however they end,
//! and the last to leave takes everything away. What is about to be made is written down before, so that whoever comes after a crash
//! does not take it for the owner's.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use krabba_guard::{ControlFiles, content_hash};
use rustix::fs::{AtFlags, Dir, FileType, FlockOperation, Mode, OFlags, ResolveFlags, flock, mkdirat, open, openat2, statat, unlinkat};
use rustix::io::{Errno, retry_on_intr};
use serde::{Deserialize, Serialize};

use crate::settings::private_directory;
use crate::{Missing, Protected, SandboxError};

/// Those of one workspace, held.
#[derive(Debug)]
pub(crate) struct Placeholders {
    root: OwnedFd,
    /// What was made. Locked for as long as somebody looks at it, or makes or takes away what is on it.
    list: File,
    /// Locked by whoever needs what is on the list.
    held: File,
    directory: PathBuf,
}

/// What was made at a place.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Made {
    path: PathBuf,
    /// Of a file; a directory has none.
    content: Option<String>,
}

/// What is protected in a workspace. Paths are relative to it.
#[derive(Debug, Default)]
pub(crate) struct Guarded {
    /// The places; each of them exists now.
    pub(crate) places: Vec<PathBuf>,
    /// The files among them that only stand in for one.
    pub(crate) stand_ins: Vec<PathBuf>,
}

/// What is done about missing places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Filling {
    /// Something is put there.
    Fill,
    /// Nothing.
    Leave,
}

/// Where the lists are, in the scratch directory.
const LISTS: &str = "placeholders";

impl Placeholders {
    /// Holds those of a workspace. What a crash has left is taken away first.
    pub(crate) fn hold(workspace: &Path, scratch: &Path) -> Result<Self, SandboxError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = open(workspace, flags, Mode::empty()).map_err(|error| SandboxError::place(workspace, error))?;
        let directory = scratch.join(LISTS).join(content_hash(workspace.as_os_str().as_encoded_bytes()));
        let place = |source| SandboxError::place(&directory, source);
        private_directory(&directory).map_err(place)?;
        let file = |name| File::options().create(true).read(true).append(true).mode(0o600).open(directory.join(name)).map_err(place);
        let (list, held) = (file("list")?, file("held")?);
        let placeholders = Self { root, list, held, directory };
        let held = placeholders.alone(|| {
            placeholders.sweep_if_last();
            lock(&placeholders.held, FlockOperation::LockShared)
        })?;
        held.map_err(|source| SandboxError::place(&placeholders.directory, source))?;
        Ok(placeholders)
    }

    /// What keeps them there, whoever else leaves.
    pub(crate) fn held(&self) -> BorrowedFd<'_> {
        self.held.as_fd()
    }

    /// Does something while nobody else makes or takes away anything.
    fn alone<T>(&self, act: impl FnOnce() -> T) -> Result<T, SandboxError> {
        let place = |source: Errno| SandboxError::place(&self.directory, source);
        lock(&self.list, FlockOperation::LockExclusive).map_err(place)?;
        let done = act();
        lock(&self.list, FlockOperation::Unlock).map_err(place)?;
        Ok(done)
    }

    /// The places that have to be protected.
    pub(crate) fn protect(&self, protected: &[Protected], filling: Filling) -> Result<Guarded, SandboxError> {
        self.alone(|| self.protect_alone(protected, filling))?
    }

    fn protect_alone(&self, protected: &[Protected], filling: Filling) -> Result<Guarded, SandboxError> {
        let listed = self.listed().map_err(|source| SandboxError::place(&self.directory, source))?;
        let mut made: Vec<Made> = listed.into_iter().filter(|made| self.stands(made)).collect();
        let mut places = self.by_name();
        for Protected { path, missing } in protected {
            let path = Path::new(path.as_str());
            let mut here = PathBuf::new();
            for part in path.components() {
                here.push(part);
                let place = |source: io::Error| SandboxError::place(&here, source);
                let last = here == path;
                match self.kind(&here) {
                    Ok(FileType::Symlink) => return Err(SandboxError::ProtectedLink { path: here.display().to_string() }),
                    // A placeholder protects everything in it.
                    Ok(FileType::Directory) if !last && !made.iter().any(|made| made.path == here) => {}
                    Ok(_) => {
                        places.push(here.clone());
                        break;
                    }
                    Err(Errno::NOENT) => {
                        let stand_in = if last { *missing } else { Missing::Directory };
                        if filling == Filling::Fill
                            && let Some(filled) = self.fill(&here, stand_in).map_err(place)?
                        {
                            made.push(filled);
                            places.push(here.clone());
                        }
                        break;
                    }
                    Err(error) => return Err(place(error.into())),
                }
            }
        }
        places.sort();
        places.dedup();
        let stand_ins = made.into_iter().filter(|made| made.content.is_some()).map(|made| made.path).collect();
        Ok(Guarded { places, stand_ins })
    }

    /// What stands at the root under the name of something that steers, however it is written.
    fn by_name(&self) -> Vec<PathBuf> {
        let Ok(entries) = Dir::read_from(&self.root) else { return Vec::new() };
        let names = entries.flatten().filter_map(|entry| entry.file_name().to_str().ok().map(str::to_owned));
        let steers = |name: &String| {
            let lower = name.to_lowercase();
            // Most of `.git` is left to git.
            lower != ".git" && (ControlFiles::names().contains(&lower.as_str()) || ControlFiles::directories().contains(&lower.as_str()))
        };
        let there = |name: &PathBuf| self.kind(name).is_ok_and(|kind| kind != FileType::Symlink);
        names.filter(steers).map(PathBuf::from).filter(there).collect()
    }

    fn kind(&self, path: &Path) -> Result<FileType, Errno> {
        let place = self.place(path)?;
        Ok(FileType::from_raw_mode(statat(&place, "", AtFlags::EMPTY_PATH)?.st_mode))
    }

    /// A place, never reached through a link.
    fn place(&self, path: &Path) -> Result<OwnedFd, Errno> {
        self.open(path, OFlags::PATH | OFlags::NOFOLLOW)
    }

    fn open(&self, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
        let mode = if flags.contains(OFlags::CREATE) { Mode::from_raw_mode(0o644) } else { Mode::empty() };
        openat2(&self.root, path, flags | OFlags::CLOEXEC, mode, ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS)
    }

    /// The directory of a place, and its name in there.
    fn parent(&self, path: &Path) -> Result<(OwnedFd, PathBuf), Errno> {
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Ok((self.open(parent, OFlags::PATH | OFlags::DIRECTORY)?, path.file_name().map(PathBuf::from).ok_or(Errno::INVAL)?))
    }

    /// What was made and not yet taken away, by whomever. A line that a crash has cut short was followed by nothing.
    fn listed(&self) -> io::Result<Vec<Made>> {
        let mut text = String::new();
        let mut list = &self.list;
        list.rewind()?;
        list.read_to_string(&mut text)?;
        Ok(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
    }

    /// Puts something there, once it is on the list; nothing where nothing is to be put.
    fn fill(&self, path: &Path, missing: Missing) -> io::Result<Option<Made>> {
        let content = match missing {
            Missing::Nothing => return Ok(None),
            Missing::Directory => None,
            Missing::File(content) => Some(content.to_owned()),
        };
        let made = Made { path: path.to_owned(), content };
        (&self.list).write_all(format!("{}\n", serde_json::to_string(&made)?).as_bytes())?;
        let done = match &made.content {
            None => self.parent(path).and_then(|(parent, name)| mkdirat(&parent, &name, Mode::from_raw_mode(0o755))),
            Some(content) => self.open(path, OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY).and_then(|file| {
                File::from(file).write_all(content.as_bytes()).map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))
            }),
        };
        match done {
            Ok(()) | Err(Errno::EXIST) => Ok(Some(made)),
            // Where krabba may not write, its commands may not either.
            Err(Errno::ACCESS | Errno::ROFS | Errno::PERM) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether it is still what was put there.
    fn stands(&self, made: &Made) -> bool {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        match &made.content {
            None => self
                .open(&made.path, flags | OFlags::DIRECTORY)
                .and_then(Dir::new)
                .is_ok_and(|mut entries| entries.all(|entry| entry.is_ok_and(|entry| [c".", c".."].contains(&entry.file_name())))),
            Some(content) => self.open(&made.path, flags).is_ok_and(|file| {
                let mut now = String::new();
                File::from(file).take(64).read_to_string(&mut now).is_ok_and(|_| now == *content)
            }),
        }
    }

    /// Takes it away again, if it is still what was put there.
    fn take_away(&self, made: &Made) -> Result<(), Errno> {
        let (parent, name) = self.parent(&made.path)?;
        match made.content {
            // Refused when something is in it.
            None => unlinkat(&parent, &name, AtFlags::REMOVEDIR),
            Some(_) if self.stands(made) => unlinkat(&parent, &name, AtFlags::empty()),
            Some(_) => Ok(()),
        }
    }

    /// Takes everything away that nobody else holds.
    fn sweep_if_last(&self) {
        // The lock that is held is turned into this one: a copy of it in a process that is about to be something else does no harm.
        if lock(&self.held, FlockOperation::NonBlockingLockExclusive).is_err() {
            return;
        }
        for made in self.listed().unwrap_or_default().iter().rev() {
            // What cannot be taken away stays, and does no harm.
            let _ = self.take_away(made);
        }
        let _ = self.list.set_len(0);
    }
}

impl Drop for Placeholders {
    fn drop(&mut self) {
        let _ = self.alone(|| {
            self.sweep_if_last();
            let _ = lock(&self.held, FlockOperation::Unlock);
        });
    }
}

fn lock(file: &File, how: FlockOperation) -> Result<(), Errno> {
    retry_on_intr(|| flock(file, how))
}
