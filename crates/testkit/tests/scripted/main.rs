//! The scripted server through its front door, with a client that is not krabba's own.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests too")]

mod connection;
mod corpus;
mod kinds;
mod program;
mod speech;
mod support;
