//! Real servers for tests: llama.cpp's `llama-server`, LiteLLM's proxy and the official MCP servers, as `cargo xtask test` left them in its cache.
//!
//! A test that needs one and does not find it fails and says which command prepares it; nothing is skipped. Every
//! server listens on a free loopback port, writes its log into a temporary file, and dies with its owner.

#![allow(clippy::disallowed_methods, reason = "the test kit starts real servers; each is killed when its owner is dropped")]

mod litellm;
mod llama;
mod mcp;
mod process;

pub use litellm::LiteLlm;
pub use llama::{LlamaServer, ModelFile};
pub use mcp::{McpListener, McpScript};
