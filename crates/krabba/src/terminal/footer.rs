//! The quiet lines after each answer: whose content is in it, who wrote it, how fast, how full.

use std::time::Duration;

use krabba_agent::{Outcome, TurnEnd};
use krabba_types::{DoneReason, Label, ModelId, grouped, seconds, speed};

/// `qwen3-8b · 42 tokens/s · first token 0.8 s · context 1,204 of 8,192 (15 %)`.
pub(crate) fn footer(end: &TurnEnd) -> Option<String> {
    let answered = end.answered.as_ref()?;
    let model = end.model.as_ref().unwrap_or(&answered.model);
    let mut parts = vec![short_name(model).to_owned()];
    // Of the attempt that answered: those before it had their own time.
    let whole = end.attempts.last().map(|attempt| attempt.ms);
    parts.extend(end.usage.writing_speed(end.timing.first_token_ms, whole).map(speed));
    parts.extend(end.timing.first_token_ms.map(|first| format!("first token {}", seconds(Duration::from_millis(first)))));
    if let (Some(window), Some(prompt)) = (end.context.window, end.context.prompt_tokens) {
        let used = prompt + end.usage.output_tokens.unwrap_or(0);
        let percent = used.saturating_mul(100) / u64::from(window.max(1));
        parts.push(format!("context {} of {} ({percent} %)", grouped(used), grouped(window)));
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

/// `unverified: it uses content from evil.example`; nothing for an answer that is made from the owner's own.
///
/// The origins are somebody else's words: whoever prints them takes control characters out.
pub(crate) fn unverified(origins: &[String]) -> Option<String> {
    (!origins.is_empty()).then(|| format!("unverified: it uses content from {}", origins.join(", ")))
}

/// The same for an answer that was given earlier.
pub(crate) fn was_unverified(label: &Label) -> Option<String> {
    unverified(&label.origins().into_iter().collect::<Vec<_>>())
}

/// A model's name for people. A llama.cpp without an alias calls a model by the path of its file.
pub(crate) fn short_name(model: &ModelId) -> &str {
    let id = model.as_str();
    if id.starts_with('/') { id.rsplit('/').next().unwrap_or(id) } else { id }
}
