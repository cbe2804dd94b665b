//! The line of a box across our processes: lock files in a directory that they share.
//!
//! ```text
//! <slots>/<box>/slot-0 … slot-(n-1)      whoever holds the lock uses the slot
//! <slots>/<box>/turn-<class>-<time>-…    whoever holds the lock waits; names sort in the order of service
//! ```
//!
//! The locks are the kernel's (`flock`), so that a process which dies, however, frees its slot and its turn in the same
//! instant; its files stay behind unlocked, and whoever finds one removes it. A turn is created under another name, locked,
//! and renamed, so that nobody takes it for a dead one in between.
//!
//! Only the first of a process's own line comes here; the order among equals across processes is therefore that of the
//! first ones.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use krabba_types::BoxId;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use crate::plan::Class;

static COUNTER: AtomicU64 = AtomicU64::new(0);

/// The lock files of one box.
#[derive(Debug)]
pub(crate) struct SlotFiles {
    directory: PathBuf,
}

/// A slot that is ours.
#[derive(Debug)]
pub(crate) struct SlotLock {
    _file: Flock<File>,
}

/// Our turn among the processes that wait.
#[derive(Debug)]
pub(crate) struct Turn {
    path: PathBuf,
    name: String,
    ahead: u32,
    _file: Flock<File>,
}

impl Turn {
    /// How many of other processes were served first when this was last looked at.
    pub(crate) fn ahead(&self) -> u32 {
        self.ahead
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        // Left behind, it would be found unlocked and removed by the next one who waits.
        drop(fs::remove_file(&self.path));
    }
}

impl SlotFiles {
    /// The files of `box_id` under `directory`. Nothing is created yet.
    pub(crate) fn of(directory: &Path, box_id: &BoxId) -> Self {
        Self { directory: directory.join(file_name(box_id.as_str())) }
    }

    /// Takes one of `slots` if it is our turn. Otherwise a turn is taken and kept in `turn`, to be brought along again.
    pub(crate) fn take(&self, turn: &mut Option<Turn>, class: Class, slots: u32) -> io::Result<Option<SlotLock>> {
        if turn.is_none() {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.directory)?;
        }
        let ahead = self.ahead(turn.as_ref(), class)?;
        if ahead == 0
            && let Some(lock) = self.any_slot(slots)?
        {
            return Ok(Some(lock));
        }
        let ours = match turn.take() {
            Some(ours) => ours,
            None => self.new_turn(class)?,
        };
        turn.insert(ours).ahead = ahead;
        Ok(None)
    }

    fn any_slot(&self, slots: u32) -> io::Result<Option<SlotLock>> {
        for index in 0..slots {
            if let Some(file) = try_lock(open(&self.directory.join(format!("slot-{index}")))?)? {
                return Ok(Some(SlotLock { _file: file }));
            }
        }
        Ok(None)
    }

    /// Counts the live turns before ours, or all that a newcomer of this class would stand behind.
    fn ahead(&self, turn: Option<&Turn>, class: Class) -> io::Result<u32> {
        let newcomer = format!("turn-{}-~", rank(class));
        let ours = turn.map_or(newcomer.as_str(), |turn| turn.name.as_str());
        let mut ahead = 0;
        for entry in fs::read_dir(&self.directory)? {
            let entry = entry?;
            let name = entry.file_name();
            let Some(name) = name.to_str() else { continue };
            if !name.starts_with("turn-") || name >= ours {
                continue;
            }
            match File::open(entry.path()).and_then(try_lock) {
                // Nobody holds it: its process is gone.
                Ok(Some(_dead)) => drop(fs::remove_file(entry.path())),
                Ok(None) => ahead += 1,
                // It was served in this moment.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(ahead)
    }

    fn new_turn(&self, class: Class) -> io::Result<Turn> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let count = COUNTER.fetch_add(1, Ordering::Relaxed);
        let name = format!("turn-{}-{:020}-{:010}-{count:010}", rank(class), since.as_nanos(), std::process::id());
        let new = self.directory.join(format!("new-{name}"));
        let path = self.directory.join(&name);
        let file = try_lock(open(&new)?)?.ok_or_else(|| io::Error::other("a new file is locked already"))?;
        fs::rename(&new, &path)?;
        Ok(Turn { path, name, ahead: 0, _file: file })
    }
}

fn rank(class: Class) -> u8 {
    match class {
        Class::Person => 0,
        Class::Background => 1,
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

fn try_lock(file: File) -> io::Result<Option<Flock<File>>> {
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => Ok(Some(lock)),
        Err((_, Errno::EWOULDBLOCK)) => Ok(None),
        Err((_, errno)) => Err(errno.into()),
    }
}

/// A file name for a box: letters, digits, `.` and `-` as they are, everything else as `_` and two hex digits, so that
/// two boxes never share one.
fn file_name(box_id: &str) -> String {
    let mut name = String::with_capacity(box_id.len());
    for byte in box_id.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'-' {
            name.push(char::from(byte));
        } else {
            name.push_str(&format!("_{byte:02x}"));
        }
    }
    // Long names are cut by file systems at 255 bytes; boxes named by people may be longer.
    name.chars().take(200).collect()
}
