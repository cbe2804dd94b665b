//! What the file tools wrote over or removed: a model that means well, and is small, may still write the wrong thing over the right one.
//!
//! The content that a change takes away is kept first, as a plain file under the time of the change and the file's whole path, so that
//! its owner gets it back with `cp`. It lies where no command and no tool comes. Whatever goes wrong, and is not noticed at once, the
//! changes of the last day are all kept; of the older ones as many as have room.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use krabba_types::WorkspacePath;

/// As many changes are kept beyond those of the last day,
const MOST_CHANGES: usize = 200;
/// as far as these bytes hold them.
const MOST_BYTES: u64 = 256 << 20;
/// What the last day may take. Nothing is taken away any more where that is full.
const MOST_BYTES_OF_A_DAY: u64 = 1 << 30;

/// Where the contents are kept that file tools take away.
#[derive(Clone, Debug)]
pub struct Replaced {
    directory: PathBuf,
}

impl Replaced {
    /// Below this directory, which is made when there is something to keep.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into() }
    }

    /// Keeps what a single change of files in the workspace at `root` is about to take away. It is on the disk when this returns.
    ///
    /// # Errors
    /// Where it cannot be kept; nothing should be taken away then.
    pub(crate) fn keep<'c>(&self, root: &str, contents: impl IntoIterator<Item = (&'c WorkspacePath, &'c [u8])>) -> io::Result<()> {
        let mut contents = contents.into_iter().peekable();
        if contents.peek().is_none() {
            return Ok(());
        }
        private().recursive(true).create(&self.directory)?;
        self.make_room()?;
        let change = self.change()?;
        let place = change.join(root.trim_start_matches('/'));
        for (path, content) in contents {
            let file = place.join(path.as_str());
            let above = file.parent().unwrap_or(&place);
            private().recursive(true).create(above)?;
            let mut kept = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&file)?;
            kept.write_all(content)?;
            kept.sync_all()?;
            // A name is on the disk only with its directory.
            for directory in above.ancestors().take_while(|directory| directory.starts_with(&self.directory)) {
                File::open(directory)?.sync_all()?;
            }
        }
        Ok(())
    }

    /// A new directory that is named after the present moment.
    fn change(&self) -> io::Result<PathBuf> {
        let now = name(Timestamp::now());
        let names = std::iter::once(now.clone()).chain((2..).map(|number| format!("{now}-{number}")));
        for change in names.map(|name| self.directory.join(name)) {
            match private().create(&change) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
                Ok(()) => return Ok(change),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    /// Removes the oldest changes that have no room.
    fn make_room(&self) -> io::Result<()> {
        let mut changes = fs::read_dir(&self.directory)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
        changes.sort_unstable_by(|one, other| other.cmp(one));
        let yesterday = self.directory.join(name(Timestamp::now() - SignedDuration::from_hours(24)));
        let (mut bytes, mut older) = (0, 0);
        for change in &changes {
            bytes += size(change);
            if *change >= yesterday {
                if bytes > MOST_BYTES_OF_A_DAY {
                    let full = format!("what was replaced within a day fills {}; make room there", self.directory.display());
                    return Err(io::Error::new(io::ErrorKind::StorageFull, full));
                }
                continue;
            }
            older += 1;
            if older > MOST_CHANGES || bytes > MOST_BYTES {
                // Another process may have been faster.
                let _gone = fs::remove_dir_all(change);
            }
        }
        Ok(())
    }
}

/// The name of a change that was made at this moment.
fn name(moment: Timestamp) -> String {
    moment.strftime("%Y-%m-%dT%H-%M-%S%.3fZ").to_string()
}

/// Nobody else on this machine looks into it.
fn private() -> DirBuilder {
    let mut builder = DirBuilder::new();
    builder.mode(0o700);
    builder
}

/// The bytes of all files in a directory, as far as they can be seen.
fn size(directory: &Path) -> u64 {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let sizes = entries.map(|entry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => size(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    });
    sizes.sum()
}
