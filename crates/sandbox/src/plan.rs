//! What the launcher is told, and what it tells.

use std::collections::BTreeMap;
use std::path::PathBuf;

use rustix::process::Signal;
use serde::{Deserialize, Serialize};

use crate::{Limits, Rung};

/// Everything about one run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Plan {
    /// How it is kept in.
    pub(crate) rung: Rung,
    /// Program and arguments.
    pub(crate) command: Vec<String>,
    /// All of its variables.
    pub(crate) environment: BTreeMap<String, String>,
    /// Where it begins.
    pub(crate) directory: PathBuf,
    /// Its home directory, whatever its variables say.
    pub(crate) home: PathBuf,
    /// Files of that: where below it, and the content.
    pub(crate) home_files: Vec<(String, String)>,
    /// What it talks to.
    pub(crate) stdio: Stdio,
    /// What it sees.
    pub(crate) tree: Tree,
    /// A directory of the host for this run alone.
    pub(crate) private: PathBuf,
    /// Whether a port is opened inside, behind which krabba listens.
    pub(crate) proxy: bool,
    /// Whether what holds the workspace's placeholders travels with the plan, after the streams.
    pub(crate) holds: bool,
    /// What it may use.
    pub(crate) limits: Limits,
    /// When it is ended.
    pub(crate) milliseconds: Option<u64>,
}

/// What a command talks to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Stdio {
    /// Three pipes, which travel with the plan.
    Pipes,
    /// A terminal, which is made inside.
    Terminal,
}

/// What a command sees of the host, beside the system.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Tree {
    /// The workspace; a server has none.
    pub(crate) workspace: Option<Workspace>,
    /// More directories that may be written.
    pub(crate) writable: Vec<PathBuf>,
    /// More places that may be read.
    pub(crate) readable: Vec<PathBuf>,
    /// Places that are covered.
    pub(crate) hidden: Vec<PathBuf>,
}

/// The workspace as a command sees it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Workspace {
    /// Where it is, on both sides.
    pub(crate) path: PathBuf,
    /// Places in it that are read-only; each of them exists, and none is reached through a link.
    pub(crate) protected: Vec<PathBuf>,
    /// The files in it that only stand in for one that is missing.
    pub(crate) stand_ins: Vec<PathBuf>,
    /// Where changes go.
    pub(crate) changes: Changes,
}

/// Where changes of the workspace go.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Changes {
    /// Into it.
    Direct,
    /// Into a directory of their own.
    Apart {
        /// Which.
        own: PathBuf,
        /// Those of earlier commands, newest first.
        earlier: Vec<PathBuf>,
    },
}

/// What the launcher tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Report {
    /// The command runs. The terminal's other end and the proxy's socket, where there are such, travel with it in this order.
    Running {
        /// What Landlock adds.
        landlock: String,
    },
    /// It does not, and will not.
    Failed {
        /// Why.
        why: String,
    },
    /// It has ended, and everything that it started.
    Ended(Ended),
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// How.
    pub how: How,
    /// The limit that ended it, if one did.
    pub limit: Option<Limit>,
    /// Whether it ended by itself, and something that it had started did not and was ended with it.
    pub left_running: bool,
}

impl Ended {
    /// By force.
    pub(crate) fn killed(limit: Limit) -> Self {
        Self { how: How::Signalled(Signal::KILL.as_raw()), limit: Some(limit), left_running: false }
    }
}

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum How {
    /// With this code.
    Exited(i32),
    /// By this signal.
    Signalled(i32),
}

/// What ended a command before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Limit {
    /// It ran for too long.
    Time,
    /// It took too much memory.
    Memory,
    /// It started too many processes.
    Processes,
    /// It filled the disk.
    Disk,
    /// It used too much processor time.
    Cpu,
    /// It wrote too long a file.
    FileSize,
    /// Somebody replaced a protected file meanwhile, which undoes its protection.
    Protection,
    /// It was about to send a decoy away, which nothing honest uses.
    Decoy,
    /// It was ended from outside.
    Killed,
}

impl std::fmt::Display for Limit {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Time => "it ran for too long",
            Self::Memory => "it took too much memory",
            Self::Processes => "it started too many processes",
            Self::Disk => "it filled the disk",
            Self::Cpu => "it used too much processor time",
            Self::FileSize => "it wrote too long a file",
            Self::Protection => "a protected file was replaced from outside while it ran",
            Self::Decoy => "it was about to send away a decoy that nothing honest uses, as one does who is after your keys",
            Self::Killed => "it was ended",
        })
    }
}
