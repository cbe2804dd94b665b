//! HTTP as krabba needs it: bounded, cancellable, and only to places that the owner named.
//!
//! Three things make this more than a thin wrapper around an HTTP library.
//!
//! **Nobody is called.** Every request passes an [`Egress`] guard that knows the origins of the configured endpoints;
//! anything else is refused before a name is resolved. Redirects are never followed, so a server cannot send a
//! prompt or a key elsewhere: a 3xx comes back as what it is.
//!
//! **Dropping is cancelling.** [`HttpClient::send`] resolves when the headers are here; the body is a stream of
//! chunks ([`HttpResponse::chunks`]) or of frames ([`HttpResponse::frames`]). Dropping the future or the stream closes
//! the HTTP/1.1 connection at once, which is how a local server learns to stop its GPU. There is no clock in here but the
//! one for connecting: a model may read its prompt for minutes before the first byte, and who waits how long is the
//! route's decision.
//!
//! **Everything is bounded.** Headers, bodies (after decompression) and single events have limits, and crossing one
//! is [`NetError::TooLarge`].
//!
//! What is plain stays cheap: a process that talks only `http://` never loads the system's certificates, which
//! happens at the first `https://` request. TLS is rustls with *ring*, handed over as a value; nothing is installed
//! for the whole process.
//!
//! The framing of event streams ([`SseDecoder`], [`NdjsonDecoder`]) is our own, pure and small. The line grammar is
//! a page of code, and the crates that have it drop exactly what matters here: comments (mlx_lm reports reading the prompt
//! as `: keepalive 5/100`), the last event of a stream cut before its blank line, and everything after one
//! invalid byte; none limits the size of an event.
//!
//! [`Pages`] is for the web at large, where whoever names an address may not be trusted: it reaches the open internet and nothing nearer.
//!
//! Beside that lives a pure helper that all users of HTTP share: [`base_urls`], which guesses what a person meant by `box:1234`.

mod base_url;
mod client;
mod egress;
mod error;
mod frame;
mod ndjson;
mod pages;
mod public;
mod reach;
mod request;
mod resolver;
mod response;
mod retry_after;
mod sse;
mod tls;

pub use base_url::base_urls;
pub use client::HttpClient;
pub use egress::Egress;
pub use error::{ConnectFailure, NetError, display_url};
pub use frame::{Frame, FrameError, Frames, Framing, MAX_EVENT_BYTES};
pub use ndjson::NdjsonDecoder;
pub use pages::{Page, PageError, PageExtent, Pages};
pub use public::is_public;
pub use reach::{Reach, reach};
pub use request::{HttpRequest, Reuse};
pub use response::{HttpResponse, MAX_HEADERS};
pub use sse::SseDecoder;

pub use bytes::Bytes;
pub use http::{HeaderMap, Method};
pub use url::Url;

#[cfg(test)]
mod base_url_tests;
#[cfg(test)]
mod client_tests;
#[cfg(test)]
mod egress_tests;
#[cfg(test)]
mod framing_tests;
#[cfg(test)]
mod pages_tests;
#[cfg(test)]
mod public_tests;
#[cfg(test)]
mod reach_tests;
#[cfg(test)]
mod retry_after_tests;
#[cfg(test)]
mod test_server;
