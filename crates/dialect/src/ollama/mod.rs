//! Ollama's native `POST {origin}/api/chat`, NDJSON: the only surface on which it honours the window and says when it
//! overflows.

mod decode;
mod encode;

pub(crate) use decode::Decode;
pub(crate) use encode::encode;
