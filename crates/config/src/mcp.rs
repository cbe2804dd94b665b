//! `mcp`: servers whose tools are used.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::forms::Headers;
use crate::{Credential, Entries};

/// Servers whose tools are used (Model Context Protocol).
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-ignored" = ["apps", "sessionIdleTtlMs"]))]
pub struct Mcp {
    /// The servers by name. A tool of one is called `name__tool`.
    pub servers: Entries<McpServer>,
}

/// An MCP server: a program (`command`) or an address (`url`).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-entry" = true, "x-ignored" = ["auth", "clientCert", "clientKey", "codex", "oauth", "sslVerify", "supportsParallelToolCalls",
    "type", "workingDirectory"]))]
pub struct McpServer {
    /// The program, which runs in a sandbox of its own: a path, or a name that is looked up there.
    #[schemars(length(min = 1))]
    pub command: Option<String>,
    /// Its arguments. A directory that one of them names by its whole path may be written, a file may be read.
    pub args: Vec<String>,
    /// Its environment. Nothing of our own is passed on.
    #[schemars(with = "Headers")]
    pub env: BTreeMap<String, Credential>,
    /// Directory it starts in, and may write.
    pub cwd: Option<String>,
    /// Address of a server that listens.
    #[schemars(length(min = 1))]
    pub url: Option<String>,
    /// How an address is talked to. `sse`, the older way, is tried as `streamable-http`.
    #[schemars(extend("x-default" = "stdio for a command, streamable-http for a url"))]
    pub transport: Option<McpTransport>,
    /// Extra request headers for an address.
    #[schemars(with = "Headers")]
    pub headers: BTreeMap<String, Credential>,
    /// Whether it is used.
    #[schemars(extend("x-default" = "true"))]
    pub enabled: Option<bool>,
    /// Milliseconds until it must have said what it offers.
    #[schemars(range(min = 1), extend("x-default" = "30000"))]
    pub connection_timeout_ms: Option<u64>,
    /// Milliseconds that a call may take.
    #[schemars(range(min = 1), extend("x-default" = "60000"))]
    pub request_timeout_ms: Option<u64>,
    /// Which of its tools are offered.
    pub tool_filter: McpToolFilter,
    /// What you know about its tools, by name.
    #[schemars(extend("x-krabba" = true))]
    pub tools: Entries<McpToolOptions>,
    /// What a program sees and reaches beside that.
    #[schemars(extend("x-krabba" = true))]
    pub sandbox: McpSandbox,
}

/// How an MCP server is talked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum McpTransport {
    /// Over the standard streams of a program.
    Stdio,
    /// Over HTTP.
    StreamableHttp,
    /// Over HTTP, the older way.
    Sse,
}

/// Which tools of a server are offered. A `*` stands for anything.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct McpToolFilter {
    /// These alone.
    #[schemars(extend("x-default" = "all"))]
    pub include: Vec<String>,
    /// Not these.
    pub exclude: Vec<String>,
}

/// What the owner knows about a tool.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct McpToolOptions {
    /// The arguments that decide who or what is affected. They must be your own words, or you are asked. An empty list says that
    /// none does.
    #[schemars(extend("x-krabba" = true, "x-default" = "all, unless the tool only reads"))]
    pub critical: Option<Vec<String>>,
}

/// What a server that is a program sees and reaches.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct McpSandbox {
    /// Files and directories that it may read.
    #[schemars(extend("x-krabba" = true))]
    pub read: Vec<String>,
    /// Directories that it may write.
    #[schemars(extend("x-krabba" = true))]
    pub write: Vec<String>,
    /// Hosts that it may reach, as `name` or `name:port`; `*` is the whole open internet.
    #[schemars(extend("x-krabba" = true, "x-default" = "none"))]
    pub hosts: Vec<String>,
}
