//! Token counts and speeds under all their names.

use krabba_types::Usage;
use serde_json::Value;

use crate::tolerant::{count, list, object, rate};

/// Reads the counters of an OpenAI-like event (chat chunk or Responses object) wherever they stand: `usage`,
/// `choices[0].usage` (Moonshot), `x_groq.usage`, `timings` (llama.cpp) and `stats` (LM Studio). Nothing when the event
/// has none, or only the zeros that some servers put into every chunk before the last.
pub(crate) fn openai_like(event: &Value) -> Option<Usage> {
    let mut usage = Usage::default();
    if let Some(timings) = object(event, "timings") {
        usage.update(&from_timings(timings));
    }
    if let Some(stats) = object(event, "stats") {
        usage.output_per_second = rate(stats, "tokens_per_second");
    }
    let inside_choice = list(event, "choices").first().and_then(|choice| object(choice, "usage"));
    let inside_groq = object(event, "x_groq").and_then(|groq| object(groq, "usage"));
    for counters in [inside_groq, inside_choice, object(event, "usage")].into_iter().flatten() {
        usage.update(&from_counters(counters));
    }
    (usage != Usage::default()).then_some(usage)
}

fn from_counters(counters: &Value) -> Usage {
    // A prompt is never empty: zero is a placeholder, and then the zero beside it is one, too.
    let prompt_tokens = first_count(counters, &["prompt_tokens", "input_tokens"]).filter(|tokens| *tokens > 0);
    let output_tokens = first_count(counters, &["completion_tokens", "output_tokens"]);
    let prompt_details = object(counters, "prompt_tokens_details").or_else(|| object(counters, "input_tokens_details"));
    let output_details = object(counters, "completion_tokens_details").or_else(|| object(counters, "output_tokens_details"));
    Usage {
        prompt_tokens,
        // DeepSeek and Moonshot keep the cached count beside the others rather than among the details.
        cached_tokens: prompt_details
            .and_then(|details| count(details, "cached_tokens"))
            .or_else(|| first_count(counters, &["prompt_cache_hit_tokens", "cached_tokens"]))
            .filter(|_| prompt_tokens.is_some()),
        output_tokens: output_tokens.filter(|tokens| prompt_tokens.is_some() || *tokens > 0),
        reasoning_tokens: output_details.and_then(|details| count(details, "reasoning_tokens")).filter(|_| prompt_tokens.is_some()),
        ..Usage::default()
    }
}

/// llama.cpp: `prompt_n` counts what was really read, `cache_n` what was taken from the cache; together they are the
/// prompt.
fn from_timings(timings: &Value) -> Usage {
    let read = count(timings, "prompt_n");
    let cached = count(timings, "cache_n");
    Usage {
        prompt_tokens: read.map(|read| read.saturating_add(cached.unwrap_or(0))).filter(|tokens| *tokens > 0),
        cached_tokens: cached,
        output_tokens: count(timings, "predicted_n"),
        prompt_per_second: rate(timings, "prompt_per_second"),
        output_per_second: rate(timings, "predicted_per_second"),
        ..Usage::default()
    }
}

/// Anthropic: the three input counters are disjoint and together make up the prompt. Counters come in pieces
/// (`message_start`, then cumulative in `message_delta`), so they are kept and summed anew each time.
#[derive(Debug, Default)]
pub(crate) struct AnthropicCounters {
    input: Option<u64>,
    cache_creation: Option<u64>,
    cache_read: Option<u64>,
    output: Option<u64>,
}

impl AnthropicCounters {
    /// Takes over what `usage` has. vLLM starts with zeros and says the truth at the end, so a zero never replaces a
    /// count.
    pub(crate) fn take(&mut self, usage: &Value) -> Usage {
        let keep = |into: &mut Option<u64>, key: &str| {
            if let Some(new) = count(usage, key) {
                *into = Some(if new == 0 { into.unwrap_or(0) } else { new });
            }
        };
        keep(&mut self.input, "input_tokens");
        keep(&mut self.cache_creation, "cache_creation_input_tokens");
        keep(&mut self.cache_read, "cache_read_input_tokens");
        keep(&mut self.output, "output_tokens");
        let parts = [self.input, self.cache_creation, self.cache_read];
        let prompt = parts.into_iter().flatten().fold(0_u64, u64::saturating_add);
        Usage {
            prompt_tokens: (prompt > 0).then_some(prompt),
            cached_tokens: self.cache_read.filter(|_| prompt > 0),
            output_tokens: self.output,
            ..Usage::default()
        }
    }
}

/// Ollama's last line: counts, and durations in nanoseconds.
pub(crate) fn ollama(line: &Value) -> Option<Usage> {
    let prompt_tokens = count(line, "prompt_eval_count");
    let output_tokens = count(line, "eval_count");
    let usage = Usage {
        prompt_tokens,
        output_tokens,
        prompt_per_second: per_second(prompt_tokens, count(line, "prompt_eval_duration")),
        output_per_second: per_second(output_tokens, count(line, "eval_duration")),
        load_ms: count(line, "load_duration").map(|nanoseconds| nanoseconds / 1_000_000),
        ..Usage::default()
    };
    (usage != Usage::default()).then_some(usage)
}

fn first_count(value: &Value, keys: &[&str]) -> Option<u64> {
    keys.iter().find_map(|key| count(value, key))
}

fn per_second(tokens: Option<u64>, nanoseconds: Option<u64>) -> Option<f64> {
    match (tokens?, nanoseconds?) {
        (0, _) | (_, 0) => None,
        (tokens, nanoseconds) => Some(tokens as f64 / (nanoseconds as f64 / 1e9)),
    }
}
