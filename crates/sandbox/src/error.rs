//! What can go wrong before a command runs.

use std::io;
use std::path::{Path, PathBuf};

/// Why a command does not run.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// No rung works here.
    #[error("commands are refused, because nothing on this machine keeps them in ({why})")]
    Refused {
        /// Each rung with its reason.
        why: String,
    },
    /// The workspace cannot be one.
    #[error("{} cannot be a workspace: {why}", path.display())]
    Workspace {
        /// Which.
        path: PathBuf,
        /// Why.
        why: &'static str,
    },
    /// Something that is needed cannot be used.
    #[error("{}: {source}", path.display())]
    Place {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Changes were to be kept apart, which this machine's rung cannot do.
    #[error("changes of commands cannot be kept apart here")]
    NotDiscardable,
    /// Hosts were to be opened, which this machine's rung cannot do.
    #[error("no hosts can be opened for commands here")]
    NoHosts,
    /// A host that is none.
    #[error("\"{host}\" is no host; write one as example.com or example.com:8443, without http:// and without a path")]
    BadHost {
        /// As it was given.
        host: String,
    },
    /// A protected place of the workspace is a link, which cannot be protected where it stands.
    #[error("{path} is a link, and cannot be kept from being changed; put the file itself there")]
    ProtectedLink {
        /// Which.
        path: String,
    },
    /// The sandbox could not be made, or what was to run in it is not there.
    #[error("it could not be started in the sandbox: {0}")]
    Setup(String),
    /// As many commands run as may.
    #[error("{running} commands run already; end one with process kill, or wait for one")]
    TooMany {
        /// How many.
        running: usize,
    },
    /// The launcher could not be started, or went away.
    #[error("the sandbox's launcher: {0}")]
    Launcher(#[source] io::Error),
}

impl SandboxError {
    pub(crate) fn place(path: &Path, source: impl Into<io::Error>) -> Self {
        Self::Place { path: path.to_owned(), source: source.into() }
    }
}
