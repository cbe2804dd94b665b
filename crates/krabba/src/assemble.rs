//! The one place where the user's raw configuration becomes each room's settings, and the rooms are put together.
//!
//! [`Home`] is where things are and what the file says; reading it costs a few milliseconds and touches no network.
//! [`World`] is everything running: store, router with its watchers, agent. Verbs that only read the file stop at `Home`.

mod choices;
#[cfg(test)]
mod choices_tests;
mod hands;
mod home;
mod keys;
mod limits;
mod mcp;
mod origin;
pub(crate) mod providers;
#[cfg(test)]
mod providers_tests;
mod tools;
mod world;

pub(crate) use choices::{default_agent, permits};
pub(crate) use hands::Ground;
pub(crate) use home::{ConfigErrors, Home};
pub(crate) use keys::usual_variable;
pub(crate) use limits::LimitRow;
pub(crate) use mcp::is_secret as is_secret_of_server;
pub(crate) use tools::{policy, selection};
pub(crate) use world::{Forbidden, World};
