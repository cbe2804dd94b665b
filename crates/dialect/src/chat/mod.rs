//! OpenAI Chat Completions, `POST {base}/chat/completions`, SSE. What nearly every server speaks, each in its own way.

mod decode;
mod encode;

pub(crate) use decode::Decode;
pub(crate) use encode::encode;
