//! One streaming call to one route, and one classifier of everything that can go wrong with it.
//!
//! [`Caller::call`] puts a [`ModelRequest`](krabba_types::ModelRequest) on the wire in the dialect of its [`Target`] and gives
//! back a [`ModelStream`]: events as they come, and exactly one final event, last. The stream never fails midway in
//! any other form, never ends in silence, and a success is never assumed: an end of file with neither finish reason nor end
//! marker is a fault, and so is a finish with nothing in it. Dropping the stream drops the connection, which is how a server learns
//! that nobody waits any more. There is no task behind it; it runs while it is polled.
//!
//! The way of the bytes:
//!
//! ```text
//! net: head of the answer ─► status, content type ─► frames ─► dialect: wire events ─► answer ─► ModelEvent
//!                              │                                                       │ markup: reasoning apart
//!                              └ not 2xx, a web page, garbage ─► classify ─► Failed     │ repetition, limits
//!                                                                                       └ the ending
//! ```
//!
//! * `offer` decides how the tools go out: to the server, in words, or in words and with a form that the server holds the model to.
//! * `opening` looks at the head: whether there is a stream at all, and how it is cut into frames. The content
//!   type decides, not the dialect's wish; where it says nothing, the first bytes do.
//! * `answer` is the state machine of the one ending. It is pure, and holds what a stream may not exceed.
//! * `classify` turns (status, error body, phase, network error) into a [`Fault`](krabba_types::Fault), by tables. It is the only
//!   place that knows the error texts of servers.
//! * `message` finds the words for a person; every text of a server goes through the redactor first.
//!
//! What is deliberately not here: retries, clocks (but the one for connecting and [`LINGER`]), the choice of a route. Those
//! belong to the router, which wraps this stream.

mod answer;
mod call_id;
mod caller;
mod classify;
mod collect;
mod families;
mod fields;
mod message;
mod offer;
mod opening;
mod site;
mod stream;
mod target;

pub use answer::{MAX_ANSWER_BYTES, MAX_ARTEFACT_BYTES, MAX_MALFORMED_EVENTS, MAX_STREAM_BYTES, MAX_UNSEEN_BYTES, MAX_WRITTEN_CALLS};
pub use caller::Caller;
pub use classify::{Trouble, classify};
pub use collect::{Collected, collect};
pub use site::Site;
pub use stream::{LINGER, ModelStream};
pub use target::Target;

pub use krabba_dialect::{Compat, ErrorBody, Shape};
pub use krabba_markup::OrphanPolicy;

#[cfg(test)]
mod answer_tests;
#[cfg(test)]
mod caller_tests;
#[cfg(test)]
mod classify_tests;
#[cfg(test)]
mod test_server;
