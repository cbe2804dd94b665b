//! What goes wrong with a server.

use std::time::Duration;

use krabba_sandbox::SandboxError;
use krabba_store::StoreError;

/// Why a tool of a server was not called, or brought nothing. The words are ours: what a server said is in [`McpError::said`].
#[derive(Debug, thiserror::Error)]
pub enum McpError {
    /// It cannot be kept in, or its program is not there.
    #[error("the MCP server {server}: {source}")]
    Start {
        /// Which.
        server: String,
        /// Why.
        source: SandboxError,
    },
    /// It does not speak the protocol, or not in time.
    #[error("the MCP server {server} {why}")]
    Handshake {
        /// Which.
        server: String,
        /// What it does.
        why: &'static str,
        /// What it said.
        said: String,
    },
    /// It takes so long to begin that it is not waited for any more.
    #[error("the MCP server {server} has not begun after {} s; its tools are there once it has", patience.as_secs())]
    Late {
        /// Which.
        server: String,
        /// How long it was waited for.
        patience: Duration,
    },
    /// It ended, or its connection did.
    #[error("the MCP server {server} broke off; whether the call was done is not known")]
    Broken {
        /// Which.
        server: String,
        /// What it said.
        said: String,
    },
    /// It did not answer in time.
    #[error("the MCP server {server} did not answer within {} s", limit.as_secs())]
    Slow {
        /// Which.
        server: String,
        /// The limit.
        limit: Duration,
    },
    /// It failed so often that it is left alone for a while.
    #[error("the MCP server {server} failed {failures} times in a row; it is started again in {} s", pause.as_secs().max(1))]
    Resting {
        /// Which.
        server: String,
        /// How often.
        failures: u32,
        /// How long it is left alone from now on.
        pause: Duration,
    },
    /// Its owner declared arguments as critical that the tool does not have.
    #[error(
        "mcp.servers.{server}.tools.{tool}.critical names {}, which the tool does not have: all its arguments are critical until that is mended",
        names.join(", ")
    )]
    Misdeclared {
        /// Whose.
        server: String,
        /// Which.
        tool: String,
        /// Which names.
        names: Vec<String>,
    },
    /// The tool is not what the owner knows.
    #[error("the tool {tool} of the MCP server {server} is not the one that the owner approved; krabba mcp list shows what it is now")]
    Changed {
        /// Whose.
        server: String,
        /// Which.
        tool: String,
    },
    /// There is no such tool any more.
    #[error("the MCP server {server} has no tool {tool} any more")]
    Gone {
        /// Whose.
        server: String,
        /// Which.
        tool: String,
    },
    /// It refused the call.
    #[error("the MCP server {server} refused the call")]
    Refused {
        /// Which.
        server: String,
        /// What it said.
        said: String,
    },
    /// What it gave is not what a call gives.
    #[error("the MCP server {server} answered with something that krabba does not take: {what}")]
    Odd {
        /// Which.
        server: String,
        /// What.
        what: &'static str,
    },
    /// The owner stopped it.
    #[error("stopped by the owner")]
    Stopped,
    /// The pins cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl McpError {
    /// What the server itself said, which nobody vouches for; empty when it said nothing.
    pub fn said(&self) -> &str {
        match self {
            Self::Handshake { said, .. } | Self::Broken { said, .. } | Self::Refused { said, .. } => said,
            Self::Start { .. }
            | Self::Late { .. }
            | Self::Slow { .. }
            | Self::Resting { .. }
            | Self::Misdeclared { .. }
            | Self::Changed { .. }
            | Self::Gone { .. }
            | Self::Odd { .. }
            | Self::Stopped
            | Self::Store(_) => "",
        }
    }

    /// Whether the server itself is to blame, so that it is left alone for a while.
    pub(crate) fn is_failure(&self) -> bool {
        matches!(self, Self::Start { .. } | Self::Handshake { .. } | Self::Broken { .. })
    }
}
