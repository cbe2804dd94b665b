//! What a command changed, kept apart from the workspace.
//!
//! The kernel writes changes into a directory of their own (the upper layer of an overlay): a new or changed file is there whole,
//! a removed one is a character device with the number 0/0, and a directory that replaced another carries a mark.

use std::fs::{self, File};
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use krabba_guard::ControlFiles;
use krabba_types::WorkspacePath;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags, fremovexattr, open, openat2, statat};
use rustix::io::Errno;

use crate::removal::remove;
use crate::run_directory::RunDirectory;

/// Where the changes are, in the directory.
pub(crate) const UPPER: &str = "upper";

/// What the kernel needs beside them.
pub(crate) const WORK: &str = "work";

/// The mark of a directory that replaced another.
const REPLACES: &str = "user.overlay.opaque";

/// What is known of the changes, beside them.
const NOTE: &str = "note";

/// Paths that are longer may be too long for the system, in bytes.
const DEEP: usize = 3_000;

/// Changes that are not part of the workspace. Dropped, they are gone, unless they are kept.
#[derive(Debug)]
pub struct Aside {
    scratch: PathBuf,
    protected: Vec<WorkspacePath>,
    directory: RunDirectory,
}

/// A change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Where.
    pub path: WorkspacePath,
    /// What.
    pub kind: ChangeKind,
}

/// What happened at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// A file was written; [`Aside::read`] gives its content.
    File {
        /// How long it is.
        bytes: u64,
    },
    /// A directory was made, or changed.
    Directory,
    /// A directory took the place of whatever was there.
    Replaced,
    /// Something was removed.
    Removed,
    /// A link, a pipe, a file that steers the agent or that is protected: not taken over.
    LeftOut,
}

impl Aside {
    pub(crate) fn make(scratch: &Path, protected: Vec<WorkspacePath>) -> io::Result<Self> {
        let directory = RunDirectory::make(scratch)?;
        directory.with(UPPER)?;
        directory.with(WORK)?;
        Ok(Self { scratch: scratch.to_owned(), protected, directory })
    }

    /// What is kept under a name, newest first.
    pub(crate) fn kept(scratch: &Path, protected: &[WorkspacePath], name: &str) -> Vec<Self> {
        let of = |directory| Self { scratch: scratch.to_owned(), protected: protected.to_vec(), directory };
        RunDirectory::kept(scratch, name).into_iter().map(of).collect()
    }

    /// Keeps them beyond this process, newer than all that is kept under the same name, a single word. `note` comes back with them.
    ///
    /// # Errors
    /// When the disk does not take it; they are as they were then.
    pub fn keep(&mut self, name: &str, note: &str) -> io::Result<()> {
        fs::write(self.directory.path().join(NOTE), note)?;
        self.directory.keep(&self.scratch, name)
    }

    /// The note that they were kept with; empty before.
    pub fn note(&self) -> String {
        fs::read_to_string(self.directory.path().join(NOTE)).unwrap_or_default()
    }

    /// Throws away all that is kept under a name in the scratch directory of a sandbox, whichever it was made for.
    ///
    /// # Errors
    /// What the disk may meet.
    pub fn let_go_all(scratch: &Path, name: &str) -> io::Result<()> {
        first_error(RunDirectory::kept(scratch, name).iter().map(RunDirectory::let_go))
    }

    /// Throws all of these away.
    ///
    /// # Errors
    /// What the disk may meet first; the others are gone all the same.
    pub fn let_go_each(asides: &[Self]) -> io::Result<()> {
        first_error(asides.iter().map(Self::let_go))
    }

    /// Throws them away.
    ///
    /// # Errors
    /// What the disk may meet.
    pub fn let_go(&self) -> io::Result<()> {
        self.directory.let_go()
    }

    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    fn upper(&self) -> PathBuf {
        self.directory.path().join(UPPER)
    }

    /// All changes, by place.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn changes(&self) -> io::Result<Vec<Change>> {
        let mut changes = Vec::new();
        let _all = self.visit(&mut |change| {
            changes.push(change);
            ControlFlow::Continue(())
        })?;
        changes.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(changes)
    }

    /// Shows all changes, however many there are, one by one and a directory's before those in it, until `each` breaks off.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn visit(&self, each: &mut impl FnMut(Change) -> ControlFlow<()>) -> io::Result<ControlFlow<()>> {
        let mut directories = vec![PathBuf::new()];
        while let Some(below) = directories.pop() {
            let entries = match fs::read_dir(self.upper().join(&below)) {
                Ok(entries) => entries,
                // So deep lies nothing that could be named to anybody.
                Err(error) if error.kind() == io::ErrorKind::InvalidFilename && below.as_os_str().len() > DEEP => continue,
                Err(error) => return Err(error),
            };
            for entry in entries {
                let entry = entry?;
                let relative = below.join(entry.file_name());
                // A name that is no text cannot be shown to anybody, and is left out without a word.
                let Some(path) = relative.to_str().and_then(|text| WorkspacePath::parse(text, "/").ok()) else { continue };
                let Some((kind, goes_on)) = self.kind(&entry.path(), &path)? else { continue };
                if each(Change { path, kind }).is_break() {
                    return Ok(ControlFlow::Break(()));
                }
                directories.extend(goes_on.then_some(relative));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// What happened at a place, and whether it is a directory; `None` where it lies too deep to be looked at.
    fn kind(&self, at: &Path, path: &WorkspacePath) -> io::Result<Option<(ChangeKind, bool)>> {
        let metadata = match fs::symlink_metadata(at) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::InvalidFilename && at.as_os_str().len() > DEEP => return Ok(None),
            Err(error) => return Err(error),
        };
        let kind = metadata.file_type();
        let what = if self.steers(path) {
            ChangeKind::LeftOut
        } else if kind.is_file() {
            ChangeKind::File { bytes: metadata.len() }
        } else if kind.is_dir() {
            let mut mark = [0; 8];
            let replaces = rustix::fs::lgetxattr(at, REPLACES, &mut mark).is_ok();
            if replaces { ChangeKind::Replaced } else { ChangeKind::Directory }
        } else if kind.is_char_device() && metadata.rdev() == 0 {
            ChangeKind::Removed
        } else {
            ChangeKind::LeftOut
        };
        Ok(Some((what, kind.is_dir())))
    }

    /// Whether nothing is taken over at this place, as what lies there steers the agent or is protected.
    pub fn steers(&self, path: &WorkspacePath) -> bool {
        let protected = |protected: &WorkspacePath| Path::new(path.as_str()).starts_with(protected.as_str());
        ControlFiles::holds(path) || self.protected.iter().any(protected)
    }

    /// The content of a file that was written.
    ///
    /// # Errors
    /// When there is no such file, or it cannot be read.
    pub fn read(&self, path: &WorkspacePath) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        File::from(self.file(path)?).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn file(&self, path: &WorkspacePath) -> io::Result<OwnedFd> {
        let upper = open(self.upper(), OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        let file = within(&upper, Path::new(path.as_str()), OFlags::RDONLY | OFlags::NONBLOCK)?;
        let kind = FileType::from_raw_mode(statat(&file, "", AtFlags::EMPTY_PATH)?.st_mode);
        if kind.is_file() { Ok(file) } else { Err(io::ErrorKind::NotFound.into()) }
    }

    /// Whether a file that was written may be run by its owner.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn is_executable(&self, path: &WorkspacePath) -> io::Result<bool> {
        Ok(File::from(self.file(path)?).metadata()?.permissions().mode() & 0o100 != 0)
    }

    /// Whether a file was written at this place.
    pub fn has(&self, path: &WorkspacePath) -> bool {
        self.file(path).is_ok()
    }

    /// Undoes what was changed at a place and below: commands that see this see the workspace there again.
    ///
    /// # Errors
    /// What the disk may meet.
    pub fn undo(&self, path: &WorkspacePath) -> io::Result<()> {
        let upper = open(self.upper(), OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        let path = Path::new(path.as_str());
        let Some(name) = path.file_name() else { return Ok(()) };
        // A directory that replaced another hides what the workspace holds there.
        for above in path.ancestors().skip(1).filter(|above| !above.as_os_str().is_empty()) {
            if let Ok(directory) = within(&upper, above, OFlags::RDONLY | OFlags::DIRECTORY) {
                let _no_mark = fremovexattr(&directory, REPLACES);
            }
        }
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        match within(&upper, parent, OFlags::RDONLY | OFlags::DIRECTORY) {
            Ok(parent) => remove(&parent, name),
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// Of all that were done.
fn first_error(done: impl Iterator<Item = io::Result<()>>) -> io::Result<()> {
    done.fold(Ok(()), io::Result::and)
}

fn within(root: &OwnedFd, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
    openat2(root, path, flags | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty(), ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS)
}
