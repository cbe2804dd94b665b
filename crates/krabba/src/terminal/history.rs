//! Lines typed before, kept in the state directory for the arrow keys.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// More than anyone walks through.
const MOST: usize = 500;

/// The file of typed lines, one JSON string a line, newest last. Readable by its owner alone.
pub(crate) struct LineHistory {
    path: PathBuf,
}

impl LineHistory {
    /// The history in this state directory.
    pub(crate) fn new(state_dir: &Path) -> Self {
        Self { path: state_dir.join("typed.jsonl") }
    }

    /// What was typed, oldest first. A line that cannot be read is left out; without a file there is nothing.
    pub(crate) fn load(&self) -> Vec<String> {
        let text = fs::read_to_string(&self.path).unwrap_or_default();
        let lines: Vec<String> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        if lines.len() <= MOST * 2 {
            return lines;
        }
        let kept: Vec<String> = lines.iter().skip(lines.len() - MOST).cloned().collect();
        let whole: String = kept.iter().map(|line| format!("{}\n", serde_json::Value::from(line.as_str()))).collect();
        // The history is a convenience: failing to shorten it is no reason to bother anyone.
        let _ = fs::write(&self.path, whole);
        kept
    }

    /// Adds a line.
    pub(crate) fn add(&self, line: &str) -> io::Result<()> {
        let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(&self.path)?;
        writeln!(file, "{}", serde_json::Value::from(line))
    }
}
