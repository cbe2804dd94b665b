//! Reading files, as a value that tests and fuzzers can replace.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// A configuration file is refused beyond this size; the largest seen in the wild has 40 kB.
const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// What a file holds, and who may touch it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileContent {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Unix permission bits (`0o644`); `None` where there are none.
    pub mode: Option<u32>,
}

/// Where files are read from.
pub trait Files {
    /// Reads a whole file.
    ///
    /// # Errors
    /// When there is no such file, it cannot be read, is no regular file, or has more than 16 MiB.
    fn read(&self, path: &Path) -> io::Result<FileContent>;

    /// One name for each file, so that a file which includes itself through a link is recognised.
    fn canonical(&self, path: &Path) -> PathBuf;
}

/// The real file system.
#[derive(Clone, Copy, Debug, Default)]
pub struct Disk;

impl Files for Disk {
    fn read(&self, path: &Path) -> io::Result<FileContent> {
        // Asked before opening: opening a named pipe would wait for its writer for ever.
        if !std::fs::metadata(path)?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
        }
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        let mut bytes = Vec::with_capacity(usize::try_from(metadata.len().min(MAX_BYTES)).unwrap_or(0));
        (&file).take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
        if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > MAX_BYTES {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "it is larger than 16 MiB"));
        }
        Ok(FileContent { bytes, mode: mode(&metadata) })
    }

    fn canonical(&self, path: &Path) -> PathBuf {
        std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
    }
}

#[cfg(unix)]
fn mode(metadata: &std::fs::Metadata) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt;
    Some(metadata.permissions().mode() & 0o777)
}

#[cfg(not(unix))]
fn mode(_: &std::fs::Metadata) -> Option<u32> {
    None
}

/// Files that exist only in memory. Paths are compared after removing `.` and `..`.
#[derive(Clone, Debug, Default)]
pub struct MemoryFiles {
    files: BTreeMap<PathBuf, FileContent>,
}

impl MemoryFiles {
    /// Adds a file that only its owner can read.
    #[must_use]
    pub fn with(self, path: impl Into<PathBuf>, text: &str) -> Self {
        self.with_mode(path, text, 0o600)
    }

    /// Adds a file with the given permission bits.
    #[must_use]
    pub fn with_mode(mut self, path: impl Into<PathBuf>, text: &str, mode: u32) -> Self {
        self.files.insert(normal(&path.into()), FileContent { bytes: text.as_bytes().to_vec(), mode: Some(mode) });
        self
    }
}

impl Files for MemoryFiles {
    fn read(&self, path: &Path) -> io::Result<FileContent> {
        self.files.get(&normal(path)).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn canonical(&self, path: &Path) -> PathBuf {
        normal(path)
    }
}

/// The real file system with one file's content replaced, to see what an edit would mean before it is written.
pub(crate) struct Overlay<'t> {
    pub(crate) path: PathBuf,
    pub(crate) text: &'t str,
}

impl Files for Overlay<'_> {
    fn read(&self, path: &Path) -> io::Result<FileContent> {
        if Disk.canonical(path) == self.path {
            return Ok(FileContent { bytes: self.text.as_bytes().to_vec(), mode: Some(0o600) });
        }
        Disk.read(path)
    }

    fn canonical(&self, path: &Path) -> PathBuf {
        Disk.canonical(path)
    }
}

/// `a/./b/../c` is `a/c`; nothing is looked up.
fn normal(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::CurDir => {}
            std::path::Component::ParentDir => {
                clean.pop();
            }
            std::path::Component::Prefix(_) | std::path::Component::RootDir | std::path::Component::Normal(_) => clean.push(part),
        }
    }
    clean
}
