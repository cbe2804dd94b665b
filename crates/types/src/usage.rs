//! What a call cost.

use serde::{Deserialize, Serialize};

/// Milliseconds; an answer that was written in less came in one piece.
const LEAST_MEASURED: u64 = 50;

/// Token counts and speeds as the server reported them. `None` is "not said", which is not zero.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Usage {
    /// All tokens of the prompt, cached ones included.
    pub prompt_tokens: Option<u64>,
    /// Those of them that came out of the server's cache.
    pub cached_tokens: Option<u64>,
    /// Tokens written, reasoning included.
    pub output_tokens: Option<u64>,
    /// Those of them that were reasoning.
    pub reasoning_tokens: Option<u64>,
    /// Prompt tokens per second, where the server measures it.
    pub prompt_per_second: Option<f64>,
    /// Output tokens per second, where the server measures it.
    pub output_per_second: Option<f64>,
    /// Milliseconds that the server spent loading the model (Ollama `load_duration`).
    pub load_ms: Option<u64>,
}

impl Usage {
    /// Takes every counter that `later` has over those of `self`.
    pub fn update(&mut self, later: &Self) {
        fn take<T: Copy>(into: &mut Option<T>, from: Option<T>) {
            if from.is_some() {
                *into = from;
            }
        }
        take(&mut self.prompt_tokens, later.prompt_tokens);
        take(&mut self.cached_tokens, later.cached_tokens);
        take(&mut self.output_tokens, later.output_tokens);
        take(&mut self.reasoning_tokens, later.reasoning_tokens);
        take(&mut self.prompt_per_second, later.prompt_per_second);
        take(&mut self.output_per_second, later.output_per_second);
        take(&mut self.load_ms, later.load_ms);
    }

    /// Output tokens per second: what the server measured, else what came between the first token and the end, both in
    /// milliseconds from the request on. `None` where that time is too short to say anything.
    pub fn writing_speed(&self, first_token_ms: Option<u64>, whole_ms: Option<u64>) -> Option<f64> {
        if self.output_per_second.is_some() {
            return self.output_per_second;
        }
        let writing = whole_ms?.checked_sub(first_token_ms?).filter(|ms| *ms >= LEAST_MEASURED)?;
        let tokens = u32::try_from(self.output_tokens?).ok()?;
        Some(f64::from(tokens) * 1_000.0 / f64::from(u32::try_from(writing).ok()?))
    }
}
