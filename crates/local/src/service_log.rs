//! The output of a server command, in a file of bounded size.
//!
//! The server writes into the file itself, not through us: when krabba is killed, the server neither notices nor dies of a broken pipe in
//! the middle of somebody's answer. The price is that the file cannot be renamed away under it. It is copied and emptied instead, which
//! works because both sides append; a line written between the two steps may be lost.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// A log that has grown beyond this is moved to `….1`, replacing the one before.
const ROTATE_AT: u64 = 10 * 1024 * 1024;
/// Lines that a crash report shows.
const LAST_LINES: usize = 20;
/// Longer lines are cut in reports, not in the file.
const LINE_LIMIT: usize = 500;
/// How much of the file's end is read for them.
const TAIL: u64 = 32 * 1024;

/// The log of one run of a service. Standard output and standard error share it.
#[derive(Debug)]
pub(crate) struct ServiceLog {
    path: PathBuf,
    /// Where this run begins in the file.
    begin: u64,
    rotate_at: u64,
    rotated: bool,
}

impl ServiceLog {
    /// A run that begins at the end of the file.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        Self::open_rotating(path, ROTATE_AT)
    }

    /// The same with another size.
    pub(crate) fn open_rotating(path: &Path, rotate_at: u64) -> io::Result<Self> {
        let begin = append_to(path)?.metadata()?.len();
        let mut log = Self { path: path.to_owned(), begin, rotate_at, rotated: false };
        log.rotate();
        log.rotated = false;
        Ok(log)
    }

    /// A handle for the server to append with; the file is readable by its owner alone.
    pub(crate) fn writer(&self) -> io::Result<File> {
        append_to(&self.path)
    }

    /// Moves the log out of the way if it has grown too large. The copy is of about 10 MB on a local disk, so it is done in place. What fails
    /// here fails again at the next look; a full disk must not stop the server.
    pub(crate) fn rotate(&mut self) {
        let size = fs::metadata(&self.path).map_or(0, |file| file.len());
        if size > self.rotate_at && fs::copy(&self.path, self.older()).is_ok() {
            let emptied = OpenOptions::new().write(true).open(&self.path).and_then(|file| file.set_len(0));
            if emptied.is_ok() {
                self.begin = 0;
                self.rotated = true;
            }
        }
    }

    /// The last lines that this run has written, oldest first, 20 at most.
    pub(crate) fn last_lines(&self) -> Vec<String> {
        let mut end = if self.rotated { tail(&self.older(), 0) } else { Vec::new() };
        end.extend(tail(&self.path, self.begin));
        let text = String::from_utf8_lossy(&end);
        let lines = text.lines().map(str::trim_end).filter(|line| !line.is_empty());
        let mut last: Vec<String> = lines.rev().take(LAST_LINES).map(|line| line.chars().take(LINE_LIMIT).collect()).collect();
        last.reverse();
        last
    }

    fn older(&self) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(".1");
        PathBuf::from(name)
    }
}

/// The end of a file, not before `begin`; empty when it cannot be read.
fn tail(path: &Path, begin: u64) -> Vec<u8> {
    let mut end = Vec::new();
    let read = File::open(path).and_then(|mut file| {
        let size = file.metadata()?.len();
        file.seek(SeekFrom::Start(begin.max(size.saturating_sub(TAIL))))?;
        file.take(TAIL).read_to_end(&mut end)
    });
    read.map_or_else(|_| Vec::new(), |_| end)
}

fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).mode(0o600).open(path)
}
