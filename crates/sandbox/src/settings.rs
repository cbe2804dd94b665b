//! What the owner decides about where commands run.

use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use krabba_guard::Decoys;
use krabba_types::WorkspacePath;
use serde::{Deserialize, Serialize};

use crate::{Rung, SandboxError};

/// Where commands run, and what they get there. Paths are absolute.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The workspace's root.
    pub workspace: PathBuf,
    /// Places of the workspace that no command changes, nor makes where they are missing.
    pub protected: Vec<Protected>,
    /// Places that no command sees, wherever they lie: the state directory, keys.
    pub hidden: Vec<PathBuf>,
    /// What every command finds in its environment and in its home directory that goes looking for keys.
    pub decoys: Option<Decoys>,
    /// Places outside the workspace that commands see, beside the system's own: toolchains.
    pub readable: Vec<PathBuf>,
    /// Directories that are searched for programs before the system's own.
    pub search: Vec<PathBuf>,
    /// A directory of krabba's own, outside the workspace, for what is kept apart and what one run needs.
    pub scratch: PathBuf,
    /// How much a command may use.
    pub limits: Limits,
    /// The rungs that may be used, best first.
    pub rungs: Vec<Rung>,
    /// A program that begins with [`launcher_main`](crate::launcher_main): krabba itself.
    pub launcher: PathBuf,
}

impl Settings {
    /// The usual settings for a workspace.
    pub fn new(workspace: PathBuf, scratch: PathBuf) -> Self {
        Self {
            workspace,
            protected: Protected::usual(),
            hidden: Vec::new(),
            decoys: None,
            readable: Vec::new(),
            search: Vec::new(),
            scratch,
            limits: Limits::default(),
            rungs: Rung::ALL.to_vec(),
            launcher: PathBuf::from("/proc/self/exe"),
        }
    }

    /// Follows links once and for all, and refuses what would give away more than a workspace.
    pub(crate) fn settle(mut self) -> Result<Self, SandboxError> {
        private_directory(&self.scratch).map_err(|source| SandboxError::place(&self.scratch, source))?;
        self.scratch = canonical(&self.scratch)?;
        self.workspace = canonical(&self.workspace)?;
        if SYSTEM_ROOTS.iter().any(|root| Path::new(root).starts_with(&self.workspace)) {
            return Err(SandboxError::Workspace { path: self.workspace, why: "it holds the system itself" });
        }
        if self.scratch.starts_with(&self.workspace) || self.workspace.starts_with(&self.scratch) {
            return Err(SandboxError::Workspace { path: self.workspace, why: "it and krabba's scratch directory lie in each other" });
        }
        // What is not there cannot be seen either.
        self.hidden = self.hidden.iter().filter_map(|path| canonical(path).ok()).collect();
        self.readable = self.readable.iter().filter_map(|path| canonical(path).ok()).collect();
        Ok(self)
    }
}

/// What a workspace may not hold.
const SYSTEM_ROOTS: [&str; 7] = ["/usr", "/etc", "/proc", "/sys", "/dev", "/tmp", "/var"];

/// A directory that nobody else looks into, made where it is missing.
pub(crate) fn private_directory(path: &Path) -> std::io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

pub(crate) fn canonical(path: &Path) -> Result<PathBuf, SandboxError> {
    let path = std::fs::canonicalize(path).map_err(|source| SandboxError::place(path, source))?;
    // Paths travel to the launcher as text.
    if path.to_str().is_some_and(|text| !text.chars().any(char::is_control)) {
        Ok(path)
    } else {
        Err(SandboxError::Workspace { path, why: "its name is not plain text" })
    }
}

/// A place of the workspace that no command changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Protected {
    /// Where.
    pub path: WorkspacePath,
    /// What stands in for it, for the time of the command, where it is missing.
    pub missing: Missing,
}

/// What stands in for a protected place that is missing. It is gone when no command runs any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// A file with this content.
    File(&'static str),
    /// An empty directory.
    Directory,
    /// Nothing: it may be made.
    Nothing,
}

/// Files at the root of a workspace that agents take for instructions, or that other programs run by themselves.
const FILES: [&str; 15] = [
    "AGENTS.md",
    "SOUL.md",
    "IDENTITY.md",
    "USER.md",
    "TOOLS.md",
    "HEARTBEAT.md",
    "BOOTSTRAP.md",
    "BOOT.md",
    "SKILL.md",
    "CLAUDE.md",
    "krabba.json5",
    "openclaw.json",
    ".mcp.json",
    ".envrc",
    ".gitattributes",
];

/// Directories of that kind.
const DIRECTORIES: [&str; 8] = ["skills", ".githooks", ".husky", ".krabba", ".openclaw", ".agents", ".vscode", ".idea"];

/// What git runs or follows. The rest of `.git` stays writable, so that a command may commit.
const GIT: [(&str, Missing); 6] = [
    (".git/hooks", Missing::Directory),
    (".git/config", Missing::File("")),
    // A file that would lead git to another configuration; this content leads it to where it is.
    (".git/commondir", Missing::File(".\n")),
    (".git/info", Missing::Directory),
    (".git/modules", Missing::Directory),
    (".git/worktrees", Missing::Directory),
];

impl Protected {
    /// What steers agents, editors and git.
    pub fn usual() -> Vec<Self> {
        let files = FILES.iter().map(|name| (*name, Missing::File("")));
        let directories = DIRECTORIES.iter().map(|name| (*name, Missing::Directory));
        files
            .chain(directories)
            .chain(GIT)
            .filter_map(|(name, missing)| Some(Self { path: WorkspacePath::parse(name, "/").ok()?, missing }))
            .collect()
    }
}

/// How much a command may use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Memory of all its processes together, in bytes. No single one gets more either.
    pub memory_bytes: u64,
    /// Processes and threads.
    pub processes: u64,
    /// Processor time of each process, in seconds.
    pub cpu_seconds: u64,
    /// The longest file that it may write, in bytes.
    pub file_bytes: u64,
    /// Open files of each process.
    pub open_files: u64,
    /// What `/tmp` and the home directory hold, in bytes of memory.
    pub scratch_bytes: u64,
    /// By how much the free space of the workspace's disk may fall meanwhile, in bytes.
    pub disk_bytes: u64,
    /// Output that is kept, in bytes.
    pub output_bytes: u64,
    /// What goes to and comes from the hosts it may reach, in bytes.
    pub network_bytes: u64,
    /// The longest time it may run, whatever it asks for.
    pub longest: Duration,
}

const MIB: u64 = 1 << 20;

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_bytes: 4096 * MIB,
            processes: 512,
            cpu_seconds: 3600,
            file_bytes: 2048 * MIB,
            open_files: 4096,
            scratch_bytes: 1024 * MIB,
            disk_bytes: 8192 * MIB,
            output_bytes: 16 * MIB,
            network_bytes: 1024 * MIB,
            longest: Duration::from_secs(24 * 3600),
        }
    }
}
