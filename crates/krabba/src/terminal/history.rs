//! Lines typed before, kept in the state directory for the arrow keys.
//!
//! Each line knows its session and goes with it. Several terminals write into one file: each write has it locked, and whoever
//! takes lines out writes over the same file, so that the bytes are gone with them.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use krabba_types::SessionId;
use serde::{Deserialize, Serialize};

/// More than anyone walks through.
const MOST: usize = 500;

/// The file of typed lines, newest last. Readable by its owner alone.
pub(crate) struct LineHistory {
    path: PathBuf,
}

/// A line of the file.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Typed {
    /// In this session.
    In { session: SessionId, text: String },
    /// By a krabba that did not write down where.
    Somewhere(String),
}

impl Typed {
    fn text(self) -> String {
        match self {
            Self::In { text, .. } | Self::Somewhere(text) => text,
        }
    }
}

impl LineHistory {
    /// The history in this state directory.
    pub(crate) fn new(state_dir: &Path) -> Self {
        Self { path: state_dir.join("typed.jsonl") }
    }

    /// What was typed, oldest first. Without a file there is nothing.
    pub(crate) fn load(&self) -> Vec<String> {
        // The history is a convenience: failing to read it is no reason to bother anyone.
        let shortened = |mut lines: Vec<Typed>| if lines.len() > MOST * 2 { lines.split_off(lines.len() - MOST) } else { lines };
        self.change(shortened).unwrap_or_default().into_iter().map(Typed::text).collect()
    }

    /// What was typed in `session`, oldest first.
    pub(crate) fn typed_in(&self, session: &SessionId) -> Vec<String> {
        let lines = self.change(|lines| lines).unwrap_or_default().into_iter();
        let here = lines.filter(|line| matches!(line, Typed::In { session: other, .. } if other == session));
        here.map(Typed::text).collect()
    }

    /// Adds a line that was typed in `session`.
    pub(crate) fn add(&self, session: &SessionId, text: &str) -> io::Result<()> {
        let line = as_line(&Typed::In { session: session.clone(), text: text.to_owned() })?;
        let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(&self.path)?;
        file.lock()?;
        file.write_all(line.as_bytes())
    }

    /// Removes what was typed in `session`.
    pub(crate) fn forget(&self, session: &SessionId) -> io::Result<()> {
        let elsewhere = |line: &Typed| !matches!(line, Typed::In { session: other, .. } if other == session);
        self.change(|lines| lines.into_iter().filter(elsewhere).collect()).map(drop)
    }

    /// Removes everything.
    pub(crate) fn forget_all(&self) -> io::Result<()> {
        self.change(|_| Vec::new()).map(drop)
    }

    /// Replaces all lines by what `change` makes of them, and hands them out. What cannot be read is left out.
    fn change(&self, change: impl FnOnce(Vec<Typed>) -> Vec<Typed>) -> io::Result<Vec<Typed>> {
        let mut file = match OpenOptions::new().read(true).write(true).open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            opened => opened?,
        };
        file.lock()?;
        let mut before = Vec::new();
        file.read_to_end(&mut before)?;
        let read = String::from_utf8_lossy(&before).lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let lines = change(read);
        let after = lines.iter().map(as_line).collect::<io::Result<String>>()?;
        if after.len() < before.len() {
            overwrite(&mut file, after.into_bytes(), before.len())?;
        }
        Ok(lines)
    }
}

fn as_line(typed: &Typed) -> io::Result<String> {
    Ok(format!("{}\n", serde_json::to_string(typed)?))
}

/// Writes `content` over a file of `length` bytes that was read to its end. Nothing of the old ones stays on the disk.
fn overwrite(file: &mut File, mut content: Vec<u8>, length: usize) -> io::Result<()> {
    let kept = content.len();
    content.resize(length, b' ');
    file.rewind()?;
    file.write_all(&content)?;
    file.sync_data()?;
    file.set_len(u64::try_from(kept).unwrap_or(u64::MAX))?;
    file.sync_data()
}
