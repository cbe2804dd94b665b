//! Files of the workspace that steer: the agent reads them as instructions, or another program of the owner's runs them.

use krabba_types::WorkspacePath;
use serde::Serialize;

/// Names that steer wherever they stand: what agents read as instructions, and what programs run by themselves.
const NAMES: [&str; 15] = [
    "agents.md",
    "soul.md",
    "identity.md",
    "user.md",
    "tools.md",
    "heartbeat.md",
    "bootstrap.md",
    "boot.md",
    "claude.md",
    "skill.md",
    "krabba.json5",
    "openclaw.json",
    ".mcp.json",
    ".envrc",
    ".gitattributes",
];

/// Directories all of whose content steers.
const DIRECTORIES: [&str; 9] = ["skills", ".git", ".githooks", ".husky", ".krabba", ".openclaw", ".agents", ".vscode", ".idea"];

/// What the agent is told at the start of every conversation, and may add to while nobody else has a say.
const MEMORY: &str = "memory.md";

/// Notes that are found by a search and come back as data, with their label.
const NOTES: &str = "memory";

/// Which files steer. Compared without regard to case, as some file systems do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ControlFiles;

impl ControlFiles {
    /// Names that steer wherever they stand.
    pub fn names() -> &'static [&'static str] {
        &NAMES
    }

    /// Directories all of whose content steers, wherever they stand.
    pub fn directories() -> &'static [&'static str] {
        &DIRECTORIES
    }

    /// Whether it steers.
    pub fn holds(path: &WorkspacePath) -> bool {
        let lower = path.as_str().to_lowercase();
        let mut parts: Vec<&str> = lower.split('/').collect();
        let name = parts.last().copied().unwrap_or_default();
        if NAMES.contains(&name) || DIRECTORIES.contains(&name) {
            return true;
        }
        parts.pop();
        parts.iter().any(|part| DIRECTORIES.contains(part))
    }

    /// Whether it is the memory that every conversation begins with.
    pub fn is_memory(path: &WorkspacePath) -> bool {
        path.as_str().eq_ignore_ascii_case(MEMORY)
    }

    /// Whether it is a note that comes back as data.
    pub fn is_note(path: &WorkspacePath) -> bool {
        path.as_str().split_once('/').is_some_and(|(first, _)| first.eq_ignore_ascii_case(NOTES)) && !Self::holds(path)
    }
}
