//! The user's configuration file: JSON5 with includes and variables, merged with provenance, checked with line and
//! column, edited with comments kept.
//!
//! The file is usually OpenClaw's, from one of its two generations, and is read as it is. Reading goes through fixed
//! steps, each a module:
//!
//! 1. [`locate`] finds the file and says whose it is.
//! 2. Each file is parsed by `json5` into a tree in which every value knows its origin; `$include` merges trees.
//! 3. Old keys move to where they are now, in memory.
//! 4. `${VARIABLE}`s are put in, from the environment, `.env` files and the `env` block.
//! 5. The tree is checked against the schema that is made from the typed structs, and judged by rules that no schema can
//!    express. Every fault is found; each costs the entry it is in and no other.
//! 6. What is left becomes [`Config`], with secrets resolved.
//!
//! The structs are the single truth: the checks, the JSON Schema, the reference and redaction all derive from them. What is
//! said about a file is a list of [`Diagnostics`]; line and column are looked up only when there is something to say.
//!
//! Nothing here reads the environment, runs a program or knows what a value is for. A file of ours can be edited with
//! [`set`] and [`unset`], which keep comments and order; a file of OpenClaw's is never written, and [`adopt`] copies it.

mod adopt;
mod agents;
mod auth;
mod check;
mod credential;
mod diagnostic;
mod draft;
mod edit;
mod entries;
mod env;
#[cfg(test)]
mod env_tests;
mod files;
mod forms;
mod include;
mod key_path;
#[cfg(test)]
mod key_path_tests;
mod legacy;
mod load;
mod locate;
#[cfg(test)]
mod locate_tests;
mod mcp;
mod messages;
mod models;
mod node_reader;
mod params;
#[cfg(test)]
mod params_tests;
mod raw;
mod read;
mod redact;
mod reference;
mod render;
mod rules;
mod schema;
#[cfg(test)]
mod schema_tests;
mod secret_names;
#[cfg(test)]
mod secret_names_tests;
mod secrets;
mod settings;
mod shape;
mod snippet;
#[cfg(test)]
mod snippet_tests;
mod sources;
mod spans;
mod suggest;
#[cfg(test)]
mod suggest_tests;
mod syntax;
mod tool_names;
mod tools;
mod tree;
#[cfg(test)]
mod tree_tests;
mod variables;
mod write;

pub use adopt::adopt;
pub use agents::{Agent, AgentDefaults, AgentOptions, Agents, ModelChoice, ModelOptions, ModelPolicy, TurnLimits};
pub use auth::{Auth, AuthMode, AuthProfile};
pub use credential::Credential;
pub use diagnostic::{Diagnostic, Diagnostics, Place, Related, Severity, Snippet};
pub use edit::{EditError, Edited, set, unset};
pub use entries::Entries;
pub use env::Env;
pub use files::{Disk, FileContent, Files, MemoryFiles};
pub use key_path::{KeyPath, KeyPathError, Step};
pub use load::{Loaded, Surroundings, load, load_file, parse_text};
pub use locate::{Location, Ownership, Where, locate};
pub use mcp::{Mcp, McpSandbox, McpServer, McpToolFilter, McpToolOptions, McpTransport};
pub use messages::{MessageQueue, Messages, QueueMode};
pub use models::{
    AuthKind, Clocks, Cost, KeepAlive, LocalService, Medium, Mode, Model, ModelDefaults, Models, Provider, RequestOptions, Server, Stand,
};
pub use params::{Sampling, sampling};
pub use raw::Raw;
pub use reference::reference;
pub use render::{Paint, render};
pub use schema::schema;
pub use settings::{Addresses, Config, Privacy};
pub use tool_names::tools_meant;
pub use tools::{ExecOptions, ExecSecurity, PageSecret, SsrfPolicy, ToolPolicy, ToolProfile, ToolScope, Tools, Web, WebFetch, WebSearch};
pub use write::write_new;
