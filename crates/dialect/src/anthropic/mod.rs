//! Anthropic Messages, `POST {base}/v1/messages`, SSE; spoken by Anthropic and, without signatures, by most local
//! servers.

mod decode;
mod encode;

pub(crate) use decode::Decode;
pub(crate) use encode::encode;
