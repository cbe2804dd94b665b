//! OpenAI Responses, `POST {base}/responses`, SSE. Asked statelessly: `store` is false and the whole conversation is
//! sent.

mod decode;
mod encode;

pub(crate) use decode::Decode;
pub(crate) use encode::encode;
