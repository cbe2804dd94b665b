//! The workspace: files behind a directory handle.
//!
//! Every access goes through `openat2` with `RESOLVE_BENEATH`, so that neither `..` nor a link nor a rename in the wrong moment leads
//! out, and no check stands apart from its use. Reading follows links that stay inside; writing follows none, because a file that
//! steers the agent could hide behind one. A file is replaced by a new one under its name: whoever holds another name for the old one (a
//! hard link) keeps the old one. Places that no command sees are seen by no tool either, under whatever name.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::ops::{ControlFlow, RangeInclusive};
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use krabba_guard::FileLabels;
use krabba_guard::content_hash;
use krabba_store::StoreError;
use krabba_types::{Label, Timestamp, WorkspacePath};
use rustix::fs::{
    Access, AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags, accessat, fstat, fsync, mkdirat, openat2, renameat, statat, unlinkat,
};
use rustix::io::Errno;
use rustix::process::geteuid;

/// The longest file that is read or written whole.
pub(crate) const MAX_FILE: u64 = 16 << 20;

/// Who may read and write a new file, unless something else is said.
pub(crate) const USUAL_MODE: Mode = Mode::from_raw_mode(0o644);

/// A directory that files are read and written below, and nowhere else.
#[derive(Debug)]
pub struct Workspace {
    handle: OwnedFd,
    root: String,
    hidden: Vec<WorkspacePath>,
}

/// Why a file cannot be read or written; one line for the model.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// There is none.
    #[error("there is no {0}")]
    Missing(WorkspacePath),
    /// It leads out.
    #[error("{0} leads out of the workspace (rule workspace-only)")]
    Outside(WorkspacePath),
    /// No tool sees it.
    #[error("{0} is hidden from all tools and commands (rule hidden-places)")]
    Hidden(WorkspacePath),
    /// It is a link, and something was to be written.
    #[error("{0} is reached through a link; write to the file itself")]
    Link(WorkspacePath),
    /// It is a directory, a pipe, a device.
    #[error("{0} is no file")]
    NoFile(WorkspacePath),
    /// It is no directory.
    #[error("{0} is no directory")]
    NoDirectory(WorkspacePath),
    /// It is longer than what is read whole.
    #[error("{path} is {bytes} bytes long, too long to be handled whole; exec with sed -n 1,100p, head, tail or grep looks into it")]
    TooLong {
        /// Which.
        path: WorkspacePath,
        /// How long.
        bytes: u64,
    },
    /// It is another one than a moment ago.
    #[error("{0} has changed meanwhile; read it again")]
    Changed(WorkspacePath),
    /// The system says no.
    #[error("{path}: {source}")]
    System {
        /// Which.
        path: WorkspacePath,
        /// Why.
        source: io::Error,
    },
}

/// A file that was read.
pub(crate) struct Read {
    pub(crate) bytes: Vec<u8>,
    pub(crate) changed: Timestamp,
}

/// A file as it was at a time: another one at the same place, or with another content, has another stamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    inode: (u64, u64),
    bytes: i64,
    changed: (i64, i64),
}

/// What stands in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) kind: Kind,
}

/// What an entry of a directory is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    Directory,
    Link,
    Other,
}

/// Whether links are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Links {
    Inside,
    Never,
}

impl Workspace {
    /// The workspace at `path`, which is made if it is missing.
    ///
    /// # Errors
    /// When it cannot be made or opened.
    pub fn open(path: &Path) -> io::Result<Self> {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        let root = std::fs::canonicalize(path)?;
        let root =
            root.to_str().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the workspace's path is not plain text"))?.to_owned();
        let handle = rustix::fs::open(&root, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        Ok(Self { handle, root, hidden: Vec::new() })
    }

    /// The same, but that nothing is read, listed or changed at these places and below them. Those outside are out of reach anyway.
    pub fn hiding(self, places: &[PathBuf]) -> Self {
        let names = places.iter().flat_map(|place| {
            let (directory, name) = (place.parent().map(settled), place.file_name());
            [Some(settled(place)), directory.zip(name).map(|(directory, name)| directory.join(name))]
        });
        let below = |place: PathBuf| WorkspacePath::parse(place.strip_prefix(&self.root).ok()?.to_str()?, "/").ok();
        let hidden = names.flatten().filter_map(below).filter(|path| !path.as_str().is_empty()).collect();
        Self { hidden, ..self }
    }

    fn hides(&self, path: impl AsRef<Path>) -> bool {
        self.hidden.iter().any(|hidden| path.as_ref().starts_with(hidden.as_str()))
    }

    /// Its path, for people and models.
    pub fn root(&self) -> &str {
        &self.root
    }

    /// The content of a file.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn read(&self, path: &WorkspacePath) -> Result<Vec<u8>, FileError> {
        Ok(self.read_with_time(path)?.bytes)
    }

    /// The content of a file, and when its inode was changed last, which no command can set.
    pub(crate) fn read_with_time(&self, path: &WorkspacePath) -> Result<Read, FileError> {
        let file = self.file(path)?;
        let status = fstat(&file).map_err(|errno| system(path, errno))?;
        let changed = changed(&status);
        let mut content = Vec::new();
        // A file that grows meanwhile is not followed for ever.
        file.take(MAX_FILE + 1).read_to_end(&mut content).map_err(|source| FileError::System { path: path.clone(), source })?;
        match u64::try_from(content.len()) {
            Ok(bytes) if bytes > MAX_FILE => Err(FileError::TooLong { path: path.clone(), bytes }),
            Ok(_) | Err(_) => Ok(Read { bytes: content, changed }),
        }
    }

    /// When the inode of whatever is at this place was changed last, and its size. A link is looked at itself.
    pub(crate) fn changed(&self, path: &WorkspacePath) -> Result<(Timestamp, u64), FileError> {
        let status = fstat(self.open_at(path, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Links::Inside)?)
            .map_err(|errno| system(path, errno))?;
        Ok((changed(&status), u64::try_from(status.st_size).unwrap_or(0)))
    }

    /// The content of a file, and whose it is, where that can be told.
    ///
    /// # Errors
    /// [`FileError`], where there is nothing to be read.
    pub fn read_labelled(&self, path: &WorkspacePath, labels: &FileLabels) -> Result<(Vec<u8>, Result<Label, StoreError>), FileError> {
        let Read { bytes, changed } = self.read_with_time(path)?;
        let label = labels.label_of_file(path, &bytes, changed);
        Ok((bytes, label))
    }

    /// A regular file, opened for reading.
    pub(crate) fn file(&self, path: &WorkspacePath) -> Result<File, FileError> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = self.open_at(path, flags, Links::Inside)?;
        let status = fstat(&file).map_err(|errno| system(path, errno))?;
        if FileType::from_raw_mode(status.st_mode) != FileType::RegularFile {
            return Err(FileError::NoFile(path.clone()));
        }
        match u64::try_from(status.st_size) {
            Ok(bytes) if bytes > MAX_FILE => Err(FileError::TooLong { path: path.clone(), bytes }),
            Ok(_) | Err(_) => Ok(File::from(file)),
        }
    }

    /// A regular file's beginning, and how it is now, unless it is still as it was `before`.
    pub(crate) fn news(&self, path: &WorkspacePath, before: Option<&Stamp>, most: u64) -> Result<(Stamp, Option<Vec<u8>>), FileError> {
        let file = self.file(path)?;
        let stamp = stamp(&fstat(&file).map_err(|errno| system(path, errno))?);
        if before == Some(&stamp) {
            return Ok((stamp, None));
        }
        let mut content = Vec::new();
        file.take(most).read_to_end(&mut content).map_err(|source| FileError::System { path: path.clone(), source })?;
        Ok((stamp, Some(content)))
    }

    /// Whether there is anything at this place.
    pub fn exists(&self, path: &WorkspacePath) -> bool {
        self.open_at(path, OFlags::PATH | OFlags::CLOEXEC, Links::Inside).is_ok()
    }

    /// Whether there is anything at this place, a link that leads nowhere included. What cannot be told is there.
    pub(crate) fn is_there(&self, path: &WorkspacePath) -> bool {
        !matches!(self.changed(path), Err(FileError::Missing(_)))
    }

    /// Whether there is a directory at this place, reached through no link.
    pub(crate) fn is_directory(&self, path: &WorkspacePath) -> bool {
        self.open_at(path, OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Links::Never).is_ok()
    }

    /// Whether something that [`Self::list`] leaves out may have been changed in this time. Of a directory, nobody can tell.
    pub(crate) fn odd_may_have_changed(&self, path: &WorkspacePath, time: &RangeInclusive<Timestamp>) -> Result<bool, FileError> {
        let failed = |errno| system(path, errno);
        let directory = self.open_at(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Links::Inside)?;
        let is_changed = time.contains(&changed(&fstat(&directory).map_err(failed)?));
        for entry in Dir::read_from(&directory).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if entry.file_name().to_str().is_ok_and(is_plain) {
                continue;
            }
            let status = match statat(&directory, entry.file_name(), AtFlags::SYMLINK_NOFOLLOW) {
                Err(Errno::NOENT) => continue,
                status => status.map_err(failed)?,
            };
            let is_directory = FileType::from_raw_mode(status.st_mode) == FileType::Directory;
            if is_changed || is_directory || time.contains(&changed(&status)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether no command of ours gets into a directory, as it is somebody else's and closed to us.
    pub(crate) fn is_closed(&self, path: &WorkspacePath) -> bool {
        let Ok(directory) = self.open_at(path, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Links::Inside) else { return false };
        let is_ours = fstat(&directory).map_or(true, |status| status.st_uid == geteuid().as_raw());
        !is_ours && accessat(&directory, ".", Access::EXEC_OK, AtFlags::EACCESS) == Err(Errno::ACCESS)
    }

    /// What stands in a directory, by name. Names that are not plain text are left out.
    pub(crate) fn list(&self, path: &WorkspacePath) -> Result<Vec<Entry>, FileError> {
        let mut entries = Vec::new();
        self.each(path, |name, kind| {
            entries.push(Entry { name: name.to_owned(), kind });
            ControlFlow::Continue(())
        })?;
        entries.sort_by(|one, two| one.name.cmp(&two.name));
        Ok(entries)
    }

    /// The same in no order, as long as `each` goes on.
    pub(crate) fn each(&self, path: &WorkspacePath, mut each: impl FnMut(&str, Kind) -> ControlFlow<()>) -> Result<(), FileError> {
        let directory = self.open_at(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Links::Inside)?;
        for entry in Dir::read_from(&directory).map_err(|errno| system(path, errno))? {
            let entry = entry.map_err(|errno| system(path, errno))?;
            let Ok(name) = entry.file_name().to_str() else { continue };
            if name == "." || name == ".." || !is_plain(name) || self.hides(Path::new(path.as_str()).join(name)) {
                continue;
            }
            let kind = match entry.file_type() {
                FileType::RegularFile => Kind::File,
                FileType::Directory => Kind::Directory,
                FileType::Symlink => Kind::Link,
                _ => Kind::Other,
            };
            if each(name, kind).is_break() {
                break;
            }
        }
        Ok(())
    }

    /// The file, if it is still the one with this content; `None` for no file.
    ///
    /// # Errors
    /// [`FileError::Changed`] when it is not.
    pub(crate) fn expect(&self, path: &WorkspacePath, before: Option<&str>) -> Result<Option<Read>, FileError> {
        let now = match self.read_with_time(path) {
            Ok(read) => Some(read),
            Err(FileError::Missing(_)) => None,
            Err(error) => return Err(error),
        };
        let same = now.as_ref().map(|read| content_hash(&read.bytes)).as_deref() == before;
        if same { Ok(now) } else { Err(FileError::Changed(path.clone())) }
    }

    /// Puts a file with this content in the place of whatever file was there. It is there whole or not at all, and on the disk when
    /// this returns. Missing directories are made. It gets this mode, or that of the file that was there, or the usual one.
    ///
    /// # Errors
    /// [`FileError`].
    pub(crate) fn replace(&self, path: &WorkspacePath, content: &[u8], mode: Option<Mode>) -> Result<(), FileError> {
        let failed = |errno| system(path, errno);
        let there = self.mode(path)?;
        let mode = mode.or(there).unwrap_or(USUAL_MODE);
        let (parent, name) = self.parent(path)?;
        let temporary = format!(".{}.krabba", uuid::Uuid::new_v4().simple());
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let file = openat2(&parent, temporary.as_str(), flags, mode, ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS).map_err(failed)?;
        let mut file = File::from(file);
        let written = file.write_all(content).and_then(|()| Ok(fsync(file.as_fd())?));
        let placed = written.and_then(|()| Ok(renameat(&parent, temporary.as_str(), &parent, name.as_str())?));
        if let Err(source) = placed {
            let _gone = unlinkat(&parent, temporary.as_str(), AtFlags::empty());
            return Err(FileError::System { path: path.clone(), source });
        }
        // The name is on the disk only with its directory.
        let directory = openat2(&parent, ".", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty(), ResolveFlags::BENEATH);
        directory.and_then(|directory| fsync(&directory)).map_err(failed)
    }

    /// Who may read, write and run a file, if there is one.
    pub(crate) fn mode(&self, path: &WorkspacePath) -> Result<Option<Mode>, FileError> {
        let there = match self.open_at(path, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Links::Never) {
            Ok(there) => there,
            Err(FileError::Missing(_)) => return Ok(None),
            Err(error) => return Err(error),
        };
        let status = fstat(&there).map_err(|errno| system(path, errno))?;
        match FileType::from_raw_mode(status.st_mode) {
            FileType::RegularFile => Ok(Some(Mode::from_raw_mode(status.st_mode & 0o777))),
            FileType::Symlink => Err(FileError::Link(path.clone())),
            _ => Err(FileError::NoFile(path.clone())),
        }
    }

    /// Removes a file.
    ///
    /// # Errors
    /// [`FileError`].
    pub(crate) fn remove(&self, path: &WorkspacePath) -> Result<(), FileError> {
        let (parent, name) = self.parent(path)?;
        unlinkat(&parent, name.as_str(), AtFlags::empty()).map_err(|errno| system(path, errno))
    }

    /// Removes a directory, if there is nothing in it.
    ///
    /// # Errors
    /// [`FileError`].
    pub(crate) fn remove_directory(&self, path: &WorkspacePath) -> Result<(), FileError> {
        let (parent, name) = self.parent(path)?;
        unlinkat(&parent, name.as_str(), AtFlags::REMOVEDIR).map_err(|errno| system(path, errno))
    }

    /// The directory that a file is to stand in, made where it is missing, and the file's name.
    fn parent(&self, path: &WorkspacePath) -> Result<(OwnedFd, String), FileError> {
        let name = path.name().to_owned();
        if name.is_empty() {
            return Err(FileError::NoFile(path.clone()));
        }
        if self.hides(path.as_str()) {
            return Err(FileError::Hidden(path.clone()));
        }
        let failed = |errno| writing(path, errno);
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let mut directory = openat2(&self.handle, ".", flags, Mode::empty(), resolve).map_err(failed)?;
        let parents = path.as_str().strip_suffix(&name).unwrap_or_default();
        for part in parents.split('/').filter(|part| !part.is_empty()) {
            match mkdirat(&directory, part, Mode::from_raw_mode(0o755)) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(errno) => return Err(failed(errno)),
            }
            directory = openat2(&directory, part, flags, Mode::empty(), resolve).map_err(failed)?;
        }
        Ok((directory, name))
    }

    fn open_at(&self, path: &WorkspacePath, flags: OFlags, links: Links) -> Result<OwnedFd, FileError> {
        let text = if path.as_str().is_empty() { "." } else { path.as_str() };
        let (resolve, failed): (ResolveFlags, fn(&WorkspacePath, Errno) -> FileError) = match links {
            Links::Inside => (ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS, system),
            Links::Never => (ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_SYMLINKS, writing),
        };
        if self.hides(path.as_str()) {
            return Err(FileError::Hidden(path.clone()));
        }
        let opened = openat2(&self.handle, text, flags, Mode::empty(), resolve).map_err(|errno| failed(path, errno))?;
        // A link may have led there.
        let led = links == Links::Inside && !self.hidden.is_empty();
        if led && self.hides(self.found_at(&opened).map_err(|source| FileError::System { path: path.clone(), source })?) {
            return Err(FileError::Hidden(path.clone()));
        }
        Ok(opened)
    }

    /// Where something that was opened is, below the root.
    fn found_at(&self, opened: &OwnedFd) -> io::Result<PathBuf> {
        let place = |opened: &OwnedFd| std::fs::read_link(format!("/proc/self/fd/{}", opened.as_raw_fd()));
        let outside = |_| io::Error::other("it is not where it was");
        Ok(place(opened)?.strip_prefix(place(&self.handle)?).map_err(outside)?.to_owned())
    }
}

/// A path without links, whose end may be missing.
fn settled(path: &Path) -> PathBuf {
    let real = |above: &Path| Some(std::fs::canonicalize(above).ok()?.join(path.strip_prefix(above).ok()?));
    path.ancestors().find_map(real).unwrap_or_else(|| path.to_owned())
}

/// Whether a path of ours can hold this name.
fn is_plain(name: &str) -> bool {
    !name.chars().any(char::is_control)
}

fn system(path: &WorkspacePath, errno: Errno) -> FileError {
    let path = path.clone();
    match errno {
        Errno::NOENT => FileError::Missing(path),
        Errno::XDEV => FileError::Outside(path),
        Errno::NOTDIR => FileError::NoDirectory(path),
        Errno::ISDIR | Errno::NXIO => FileError::NoFile(path),
        errno => FileError::System { path, source: errno.into() },
    }
}

fn writing(path: &WorkspacePath, errno: Errno) -> FileError {
    if errno == Errno::LOOP { FileError::Link(path.clone()) } else { system(path, errno) }
}

fn changed(status: &rustix::fs::Stat) -> Timestamp {
    Timestamp(status.st_ctime.saturating_mul(1_000).saturating_add(i64::try_from(status.st_ctime_nsec / 1_000_000).unwrap_or(0)))
}

fn stamp(status: &rustix::fs::Stat) -> Stamp {
    Stamp {
        inode: (status.st_dev, status.st_ino),
        bytes: status.st_size,
        changed: (status.st_ctime, i64::try_from(status.st_ctime_nsec).unwrap_or(0)),
    }
}
