//! What a command changed, kept apart from the workspace.
//!
//! The kernel writes changes into a directory of their own (the upper layer of an overlay): a new or changed file is there whole,
//! a removed one is a character device with the number 0/0, and a directory that replaced another carries a mark.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::ops::ControlFlow;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use krabba_guard::ControlFiles;
use krabba_types::WorkspacePath;
use rustix::fs::{
    AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags, fchmod, fremovexattr, mkdirat, open, openat, openat2, renameat, statat, unlinkat,
};
use rustix::io::Errno;

use crate::run_directory::RunDirectory;

/// Where the changes are, in the directory.
pub(crate) const UPPER: &str = "upper";

/// What the kernel needs beside them.
pub(crate) const WORK: &str = "work";

/// The mark of a directory that replaced another.
const REPLACES: &str = "user.overlay.opaque";

/// What is known of the changes, beside them.
const NOTE: &str = "note";

/// Changes that are not part of the workspace. Dropped, they are gone, unless they are kept.
#[derive(Debug)]
pub struct Aside {
    scratch: PathBuf,
    workspace: PathBuf,
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
    pub(crate) fn make(scratch: &Path, workspace: &Path, protected: Vec<WorkspacePath>) -> io::Result<Self> {
        let directory = RunDirectory::make(scratch)?;
        directory.with(UPPER)?;
        directory.with(WORK)?;
        Ok(Self { scratch: scratch.to_owned(), workspace: workspace.to_owned(), protected, directory })
    }

    /// What is kept under a name, newest first.
    pub(crate) fn kept(scratch: &Path, workspace: &Path, protected: &[WorkspacePath], name: &str) -> Vec<Self> {
        let of =
            |directory| Self { scratch: scratch.to_owned(), workspace: workspace.to_owned(), protected: protected.to_vec(), directory };
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
    pub fn let_go_all(scratch: &Path, name: &str) {
        RunDirectory::kept(scratch, name).iter().for_each(RunDirectory::let_go);
    }

    /// Throws them away.
    pub fn let_go(&self) {
        self.directory.let_go();
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
        self.walk(Path::new(""), each)
    }

    fn walk(&self, below: &Path, each: &mut impl FnMut(Change) -> ControlFlow<()>) -> io::Result<ControlFlow<()>> {
        for entry in fs::read_dir(self.upper().join(below))? {
            let entry = entry?;
            let relative = below.join(entry.file_name());
            let metadata = fs::symlink_metadata(entry.path())?;
            let name = relative.to_str().and_then(|text| WorkspacePath::parse(text, "/").ok());
            // A name that is no text cannot be shown to anybody, and is left out without a word.
            let Some(path) = name else { continue };
            let kind = metadata.file_type();
            let what = if self.steers(&path) {
                ChangeKind::LeftOut
            } else if kind.is_file() {
                ChangeKind::File { bytes: metadata.len() }
            } else if kind.is_dir() {
                let mut mark = [0; 8];
                let replaces = rustix::fs::lgetxattr(entry.path(), REPLACES, &mut mark).is_ok();
                if replaces { ChangeKind::Replaced } else { ChangeKind::Directory }
            } else if kind.is_char_device() && metadata.rdev() == 0 {
                ChangeKind::Removed
            } else {
                ChangeKind::LeftOut
            };
            if each(Change { path, kind: what }).is_break() || kind.is_dir() && self.walk(&relative, each)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
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
            Ok(parent) => remove(&parent, Path::new(name)),
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Takes the changes over that `wanted` says yes to, and returns those. What is left out is never taken over.
    ///
    /// # Errors
    /// What the workspace's disk may meet; changes before that stay.
    pub fn adopt(self, wanted: impl Fn(&Change) -> bool) -> io::Result<Vec<Change>> {
        let root = open(&self.workspace, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        let mut adopted = Vec::new();
        for change in self.changes()? {
            if change.kind != ChangeKind::LeftOut && wanted(&change) {
                self.apply(&root, &change)?;
                adopted.push(change);
            }
        }
        Ok(adopted)
    }

    fn apply(&self, root: &OwnedFd, change: &Change) -> io::Result<()> {
        let path = Path::new(change.path.as_str());
        let Some(name) = path.file_name() else { return Ok(()) };
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let parent = match within(root, parent, OFlags::RDONLY | OFlags::DIRECTORY) {
            // Its directory is gone, so the file is.
            Err(Errno::NOENT) if change.kind == ChangeKind::Removed => return Ok(()),
            parent => parent?,
        };
        match &change.kind {
            ChangeKind::Removed => remove(&parent, Path::new(name)),
            ChangeKind::Replaced => {
                remove(&parent, Path::new(name))?;
                Ok(mkdirat(&parent, name, Mode::from_raw_mode(0o755))?)
            }
            ChangeKind::Directory => match mkdirat(&parent, name, Mode::from_raw_mode(0o755)) {
                Ok(()) | Err(Errno::EXIST) => Ok(()),
                Err(error) => Err(error.into()),
            },
            ChangeKind::File { .. } => {
                let mut from = File::from(self.file(&change.path)?);
                let mode = from.metadata()?.permissions().mode() & 0o777;
                let mut temporary = OsString::from(".krabba-");
                temporary.push(name);
                let flags = OFlags::CREATE | OFlags::TRUNC | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let mut to = File::from(openat(&parent, &temporary, flags, Mode::from_raw_mode(0o600))?);
                io::copy(&mut from, &mut to)?;
                fchmod(&to, Mode::from_raw_mode(mode | 0o600))?;
                to.flush()?;
                Ok(renameat(&parent, &temporary, &parent, name)?)
            }
            ChangeKind::LeftOut => Ok(()),
        }
    }
}

fn within(root: &OwnedFd, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
    openat2(root, path, flags | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty(), ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS)
}

/// Removes what is there, with everything in it, following no link.
fn remove(parent: &OwnedFd, name: &Path) -> io::Result<()> {
    match unlinkat(parent, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => return Ok(()),
        Err(Errno::ISDIR | Errno::PERM) => {}
        Err(error) => return Err(error.into()),
    }
    let directory = openat(parent, name, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
    for entry in Dir::read_from(&directory)? {
        let entry = entry?;
        let name = Path::new(std::ffi::OsStr::new(entry.file_name().to_str().map_err(io::Error::other)?)).to_owned();
        if name != Path::new(".") && name != Path::new("..") {
            remove(&directory, &name)?;
        }
    }
    Ok(unlinkat(parent, name, AtFlags::REMOVEDIR)?)
}
