//! The words for the end of an answer, over all dialects and servers.

use serde_json::Value;

use crate::WireFinish;

/// Reads a finish reason. `null`, an empty text and anything that is no text say nothing (vLLM sends `null` in every
/// chunk but the last, and sometimes in the last).
pub(crate) fn read(value: Option<&Value>) -> Option<WireFinish> {
    let word = value?.as_str()?.trim();
    (!word.is_empty()).then(|| translate(word))
}

fn translate(word: &str) -> WireFinish {
    match word.to_ascii_lowercase().as_str() {
        "stop" | "stop_sequence" | "end_turn" | "eos" | "eos_token" | "end" | "complete" | "completed" => WireFinish::Stop,
        "length" | "max_tokens" | "max_output_tokens" | "max_length" => WireFinish::Length,
        "tool_calls" | "tool_call" | "function_call" | "tool_use" => WireFinish::ToolCalls,
        "content_filter" | "refusal" | "safety" => WireFinish::ContentFilter,
        "model_context_window_exceeded" | "context_length_exceeded" => WireFinish::ContextWindow,
        "error" | "abort" | "failed" | "cancelled" | "insufficient_system_resource" => WireFinish::Error,
        _ => WireFinish::Unknown(word.to_owned()),
    }
}
