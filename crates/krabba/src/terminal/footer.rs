//! The quiet line after each answer: who, how fast, how full.

use krabba_agent::{Outcome, TurnEnd};
use krabba_types::{DoneReason, ModelId};

/// `qwen3-8b · 42 tokens/s · first token 0.8 s · context 1,204 of 8,192 (15 %)`.
pub(crate) fn footer(end: &TurnEnd) -> Option<String> {
    let answered = end.answered.as_ref()?;
    let model = end.model.as_ref().unwrap_or(&answered.model);
    let mut parts = vec![short_name(model).to_owned()];
    if let Some(speed) = tokens_per_second(end) {
        parts.push(format!("{speed:.0} tokens/s"));
    }
    if let Some(first) = end.timing.first_token_ms {
        parts.push(format!("first token {}", seconds(first)));
    }
    if let (Some(window), Some(prompt)) = (end.context.window, end.context.prompt_tokens) {
        let used = prompt + end.usage.output_tokens.unwrap_or(0);
        let percent = used.saturating_mul(100) / u64::from(window.max(1));
        parts.push(format!("context {} of {} ({percent} %)", grouped(used), grouped(u64::from(window))));
    }
    match end.outcome {
        Outcome::Answered(DoneReason::Length) => parts.push("cut off at the output limit".to_owned()),
        Outcome::Answered(DoneReason::Stop | DoneReason::ToolCalls | DoneReason::Unknown)
        | Outcome::Failed(_)
        | Outcome::Steered
        | Outcome::Interrupted
        | Outcome::Broken(_) => {}
        Outcome::Stopped => parts.push("stopped".to_owned()),
    }
    Some(parts.join(" · "))
}

/// A model's name for people. A llama.cpp without an alias calls a model by the path of its file.
pub(crate) fn short_name(model: &ModelId) -> &str {
    let id = model.as_str();
    if id.starts_with('/') { id.rsplit('/').next().unwrap_or(id) } else { id }
}

/// As the server measured it, else as we saw it.
fn tokens_per_second(end: &TurnEnd) -> Option<f64> {
    if let Some(speed) = end.usage.output_per_second {
        return Some(speed);
    }
    let tokens = end.usage.output_tokens?;
    // Of the attempt that answered: those before it had their own time.
    let writing = end.attempts.last()?.ms.checked_sub(end.timing.first_token_ms?)?;
    if writing < 50 {
        return None;
    }
    #[allow(clippy::cast_precision_loss, reason = "token counts are far below 2^52")]
    Some(tokens as f64 * 1000.0 / writing as f64)
}

fn seconds(ms: u64) -> String {
    if ms < 1_000 {
        return format!("{ms} ms");
    }
    if ms < 10_000 { format!("{}.{} s", ms / 1000, ms % 1000 / 100) } else { format!("{} s", ms / 1000) }
}

/// `8,192`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
