//! The four model wire formats, pure: no I/O, no clock, no policy.
//!
//! One way: [`encode`] turns a [`ModelRequest`](krabba_types::ModelRequest) into the bytes that one kind of server
//! wants to read. What differs between servers is data in [`Shape`] (which software, which switches of the user's
//! configuration, which fields it has refused before), so that the caller decides and this crate only writes. A server
//! that is not OpenAI's own gets the strictest common subset: one leading system text, content as a string unless there
//! are pictures, call ids of nine letters and digits, no field that only OpenAI knows. The bytes are stable: keys stand
//! in a fixed order, tools before messages and everything that may differ between turns after them, so that a longer
//! conversation extends a shorter one byte for byte and a server's prompt cache keeps working.
//!
//! The other way: a [`Decoder`] takes the frames of an answer, as they come out of SSE or NDJSON framing, and gives
//! [`WireEvent`]s. It reads loosely on purpose. Every local server departs from the published format somewhere, and a
//! typed mirror of it would lose a whole event over one field of the wrong type; so fields are picked out of a JSON
//! value one by one, each of them optional, and what is not known is passed over. What a decoder does promise: text
//! comes once though a server may say it up to three times; reasoning never comes as text; a tool call comes out only
//! when it is whole; there is at most one [`WireEvent::Finish`] and at most one [`WireEvent::EndMarker`]. Whether the
//! answer as a whole was good (finished, cut, empty) is judged by the caller, who sees these events and the end of the
//! file.
//!
//! Each dialect is a folder with `encode` and `decode`; what they share has a file of its own:
//!
//! | file | holds |
//! |---|---|
//! | `history` | the conversation read once under the rules that all dialects share |
//! | `thinking` | "think less" in each server's own words |
//! | `tool_calls` | putting calls together from pieces that servers label badly |
//! | `answer` | what was already said of one answer, and the once-only promises |
//! | `usage`, `finish_word` | counters and endings under all their names |
//! | `error_body`, `overflow` | every error envelope, and the numbers hidden in overflow texts |

mod answer;
mod anthropic;
mod banner;
mod body;
mod chat;
mod compat;
mod decoder;
mod encode;
mod endpoint;
mod error_body;
mod finish_word;
mod history;
mod json;
mod ollama;
mod overflow;
mod responses;
mod schema;
mod shape;
mod thinking;
mod tolerant;
mod tool_calls;
mod usage;
mod wire;

#[cfg(test)]
mod body_tests;
#[cfg(test)]
mod compat_tests;
#[cfg(test)]
mod endpoint_tests;
#[cfg(test)]
mod json_tests;
#[cfg(test)]
mod overflow_tests;
#[cfg(test)]
mod schema_tests;
#[cfg(test)]
mod thinking_tests;

pub use compat::{ArgumentsEncoding, Compat, HistoryCompat, MaxTokensField, RequestCompat, ThinkingCompat, ThinkingFormat, ToolCompat};
pub use decoder::Decoder;
pub use encode::{Encoded, WireFraming, encode};
pub use endpoint::{KeyHeader, endpoint_url, key_header};
pub use error_body::{ErrorBody, parse_error};
pub use shape::Shape;
pub use wire::{WireEvent, WireFinish};
