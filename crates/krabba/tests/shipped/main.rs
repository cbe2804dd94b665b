//! The program as it is shipped, from its command line to the sockets: run as a process, in a home of its own, against real
//! servers (llama.cpp's `llama-server`, LiteLLM's proxy) and scripted ones.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests too")]

mod acting;
mod agents;
mod approvals;
mod bad_input;
mod calling;
mod interrupted;
mod killed;
mod litellm;
mod llama_server;
mod loading;
mod mcp;
mod memory;
mod network;
mod onboarding;
mod openclaw;
mod secrets;
mod support;
mod unverified;
mod windows;
