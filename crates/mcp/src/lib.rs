//! The tools of MCP servers.
//!
//! An MCP server is somebody else's program. The owner chose it, and that is all that speaks for it: what it says of its tools and
//! whatever they bring is data, labelled with where it comes from, and never an instruction.
//!
//! # How a server is held
//! * One that is a program runs in a sandbox of its own, where it sees what the owner named and nothing else; one that is an address is
//!   asked through an HTTP client that reaches the configured addresses alone.
//! * It is started when one of its tools is called, not before: what its tools look like is known from the last time. One that ended
//!   is started again after a pause that grows, and each is ended with krabba.
//! * Starting, calling and every message have limits.
//!
//! # Pins
//! What a server offered when it was seen first is kept, word for word ([`Definition`]), and what a model is told of it is what was
//! kept. A tool that looks different later, or is new, is not offered until the owner has said yes to exactly that; until then a call
//! of it is refused. The hints of a server (it only reads, it reaches nobody) are part of the definition, since the policy follows them.
//!
//! # What it does not do
//! It answers no request of a server: no sampling, no roots, no questions to the person. It does not decide: a call is an
//! [`Action`](krabba_types::Action) for the reference monitor, with the arguments that the owner declared critical.

mod client;
mod definition;
mod error;
mod http;
mod link;
mod name;
mod outcome;
mod pins;
mod servers;
mod settings;
mod stdio;
mod tool;

pub use definition::Definition;
pub use error::McpError;
pub use pins::{Pin, Standing};
pub use servers::Servers;
pub use settings::{Clocks, Filter, ServerSettings, Transport};
