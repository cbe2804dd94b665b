//! What is known about each kind of server, one file each, all in the same shape:
//!
//! - `recognise(&Answer) -> bool`: does this answer to `/v1/models` (or to the path that the kind is asked first) come from it?
//! - `list(&mut Asker, Answer) -> Report`: the remaining harmless questions, in an order that spares them where possible;
//! - `parse…(&Value)`: what each body says, pure.
//!
//! None of the questions loads or wakes a model.

pub(crate) mod jan;
pub(crate) mod litellm;
pub(crate) mod llama_cpp;
pub(crate) mod lm_studio;
pub(crate) mod local_ai;
pub(crate) mod mlx;
pub(crate) mod ollama;
pub(crate) mod openai_style;
pub(crate) mod sglang;
pub(crate) mod vllm;

#[cfg(test)]
mod llama_cpp_tests;
#[cfg(test)]
mod lm_studio_tests;
#[cfg(test)]
mod ollama_tests;
#[cfg(test)]
mod others_tests;
