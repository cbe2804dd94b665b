//! What stands in for protected places that are missing.
//!
//! A mount needs something to stand on. So a missing protected file is made, empty, for as long as commands run that could make it
//! themselves, and is taken away again if nobody wrote to it.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use krabba_guard::ControlFiles;
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags, mkdirat, open, openat2, statat, unlinkat};
use rustix::io::Errno;

use crate::{Missing, Protected, SandboxError};

/// Those of one workspace.
#[derive(Debug)]
pub(crate) struct Placeholders {
    root: OwnedFd,
    made: Mutex<Vec<(PathBuf, Missing)>>,
}

/// What is done about missing places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Filling {
    /// Something is put there.
    Fill,
    /// Nothing.
    Leave,
}

impl Placeholders {
    pub(crate) fn new(workspace: &Path) -> Result<Self, SandboxError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = open(workspace, flags, Mode::empty()).map_err(|error| SandboxError::place(workspace, error))?;
        Ok(Self { root, made: Mutex::default() })
    }

    /// The places that have to be protected, relative to the workspace; each of them exists now.
    pub(crate) fn protect(&self, protected: &[Protected], filling: Filling) -> Result<Vec<PathBuf>, SandboxError> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let mut found = self.by_name();
        for Protected { path, missing } in protected {
            let path = Path::new(path.as_str());
            let mut here = PathBuf::new();
            for part in path.components() {
                here.push(part);
                if made.iter().any(|(place, _)| *place == here) {
                    // Its placeholder protects it, and everything in it.
                    found.push(here.clone());
                    break;
                }
                let place = |source: Errno| SandboxError::place(&here, source);
                let last = here == path;
                match self.kind(&here) {
                    Ok(FileType::Symlink) => return Err(SandboxError::ProtectedLink { path: here.display().to_string() }),
                    Ok(FileType::Directory) if !last => {}
                    Ok(_) => {
                        found.push(here.clone());
                        break;
                    }
                    Err(Errno::NOENT) => {
                        let stand_in = if last { *missing } else { Missing::Directory };
                        if filling == Filling::Fill && self.fill(&here, stand_in).map_err(place)? {
                            made.push((here.clone(), stand_in));
                            found.push(here.clone());
                        }
                        break;
                    }
                    Err(error) => return Err(place(error)),
                }
            }
        }
        found.sort();
        found.dedup();
        Ok(found)
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

    /// Puts something there; false when nothing is to be put there.
    fn fill(&self, path: &Path, missing: Missing) -> Result<bool, Errno> {
        let done = match missing {
            Missing::Nothing => return Ok(false),
            Missing::Directory => self.parent(path).and_then(|(parent, name)| mkdirat(&parent, &name, Mode::from_raw_mode(0o755))),
            Missing::File(content) => self.open(path, OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY).and_then(|file| {
                File::from(file).write_all(content.as_bytes()).map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))
            }),
        };
        match done {
            Ok(()) | Err(Errno::EXIST) => Ok(true),
            // Where krabba may not write, its commands may not either.
            Err(Errno::ACCESS | Errno::ROFS | Errno::PERM) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Takes it away again, if it is still what was put there.
    fn take_away(&self, path: &Path, missing: Missing) -> io::Result<()> {
        let (parent, name) = self.parent(path)?;
        match missing {
            Missing::Nothing => {}
            // Refused when something is in it.
            Missing::Directory => unlinkat(&parent, &name, AtFlags::REMOVEDIR)?,
            Missing::File(content) => {
                let mut now = String::new();
                let file = self.open(path, OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK)?;
                File::from(file).take(64).read_to_string(&mut now)?;
                if now == content {
                    unlinkat(&parent, &name, AtFlags::empty())?;
                }
            }
        }
        Ok(())
    }
}

impl Drop for Placeholders {
    fn drop(&mut self) {
        let made = std::mem::take(self.made.get_mut().unwrap_or_else(PoisonError::into_inner));
        for (path, missing) in made.iter().rev() {
            // What cannot be taken away stays, and does no harm.
            let _ = self.take_away(path, *missing);
        }
    }
}
