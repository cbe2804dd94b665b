//! The official MCP servers from npm, which are there to test clients with.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::process::{ServerProcess, cached, free_port};

/// Where `cargo xtask servers` installs them.
const HOME: &str = "mcp-servers-2026.8.31";

/// A server of `@modelcontextprotocol`: a script for Node.
#[derive(Clone, Debug)]
pub struct McpScript {
    /// The script.
    pub path: PathBuf,
    /// The directory that holds it and everything it needs.
    pub home: PathBuf,
}

impl McpScript {
    /// The one that has a tool for everything the protocol knows.
    ///
    /// # Errors
    /// When it is not in the cache.
    pub fn everything() -> io::Result<Self> {
        Self::of("server-everything")
    }

    /// The one that reads and writes files.
    ///
    /// # Errors
    /// When it is not in the cache.
    pub fn filesystem() -> io::Result<Self> {
        Self::of("server-filesystem")
    }

    fn of(name: &str) -> io::Result<Self> {
        let home = cached(Path::new(HOME))?;
        let path = cached(&Path::new(HOME).join("node_modules/@modelcontextprotocol").join(name).join("dist/index.js"))?;
        Ok(Self { path, home })
    }
}

/// The server with everything, listening.
#[derive(Debug)]
pub struct McpListener {
    process: ServerProcess,
}

impl McpListener {
    /// Starts it on a free port of loopback.
    ///
    /// # Errors
    /// When it is not in the cache, or does not begin to listen.
    pub async fn start() -> io::Result<Self> {
        let port = free_port()?;
        let mut command = Command::new("node");
        command.arg(McpScript::everything()?.path).arg("streamableHttp").env("PORT", port.to_string());
        let mut process = ServerProcess::start(command, "mcp", port)?;
        process.wait_until_it_answers("/mcp").await?;
        Ok(Self { process })
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/mcp", self.process.port())
    }
}
