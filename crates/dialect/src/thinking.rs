//! "Think this much" in each server's own words.
//!
//! A level that asks for thinking is sent only where the configuration says that the model reasons. "Off" goes further:
//! a model on somebody's own machine may think unasked, and the fields that stop it are ignored by models that never
//! do. gpt-oss (the Harmony family) cannot be switched off; it gets the least it has.

use krabba_types::{JsonObject, ModelRequest, ServerKind, TemplateFamily, Thinking};
use serde_json::Value;

use crate::body::object;
use crate::{Shape, ThinkingFormat};

/// All words for effort that servers know, from least to most.
const SCALE: [&str; 6] = ["none", "minimal", "low", "medium", "high", "xhigh"];

/// What a request says about thinking.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Thoughts {
    /// The effort (`reasoning_effort`, or `reasoning.effort` in Responses).
    pub(crate) effort: Option<String>,
    /// A field of the body, for formats of their own.
    pub(crate) field: Option<(&'static str, Value)>,
    /// Variables of the chat template, the user's own among them.
    pub(crate) template: JsonObject,
}

/// Whether thinking is to be mentioned at all.
pub(crate) fn is_asked(level: Thinking, shape: &Shape) -> bool {
    match level {
        Thinking::Unspecified => false,
        Thinking::Off => shape.reasoning || shape.is_self_hosted() || shape.compat.thinking.thinking_format.is_some(),
        Thinking::Low | Thinking::Medium | Thinking::High => shape.reasoning,
    }
}

/// The fields for chat completions.
pub(crate) fn for_chat(request: &ModelRequest, shape: &Shape) -> Thoughts {
    let mut thoughts = Thoughts::default();
    if is_asked(request.thinking, shape) {
        match shape.compat.thinking.thinking_format {
            Some(ThinkingFormat::Unknown) | None => by_server(request.thinking, shape, &mut thoughts),
            Some(format) => by_format(format, request.thinking, shape, &mut thoughts),
        }
    }
    with_user_variables(thoughts, request)
}

/// The fields for Responses, where the effort has a place of its own and only the template variables differ.
pub(crate) fn for_responses(request: &ModelRequest, shape: &Shape) -> Thoughts {
    let mut thoughts = for_chat(request, shape);
    thoughts.field = None;
    if is_asked(request.thinking, shape) && !is_switched_by_template(request.thinking, shape) {
        thoughts.effort = effort(request.thinking, shape);
    }
    thoughts
}

/// vLLM and SGLang check the effort against a list that may lack `none`; the template variable is enough there.
fn is_switched_by_template(level: Thinking, shape: &Shape) -> bool {
    let checks = matches!(shape.server, ServerKind::Vllm | ServerKind::Sglang);
    level == Thinking::Off && checks && shape.family != TemplateFamily::Harmony
}

fn by_format(format: ThinkingFormat, level: Thinking, shape: &Shape, thoughts: &mut Thoughts) {
    let on = level != Thinking::Off;
    match format {
        ThinkingFormat::Openai | ThinkingFormat::Unknown => thoughts.effort = effort(level, shape),
        ThinkingFormat::Zai | ThinkingFormat::Deepseek => {
            let kind = if on { "enabled" } else { "disabled" };
            thoughts.field = Some(("thinking", object([("type", kind.into())])));
        }
        ThinkingFormat::Qwen => thoughts.field = Some(("enable_thinking", on.into())),
        ThinkingFormat::QwenChatTemplate => switch(thoughts, "enable_thinking", on),
        ThinkingFormat::Openrouter => thoughts.field = Some(("reasoning", openrouter(level, shape))),
        ThinkingFormat::Together => thoughts.field = Some(("reasoning", object([("enabled", on.into())]))),
    }
}

fn by_server(level: Thinking, shape: &Shape, thoughts: &mut Thoughts) {
    let on = level != Thinking::Off;
    let is_harmony = shape.family == TemplateFamily::Harmony;
    match shape.server {
        ServerKind::OpenRouter => thoughts.field = Some(("reasoning", openrouter(level, shape))),
        // The template variable is for builds that do not know `reasoning_effort: none`, and for templates that are off
        // by default.
        ServerKind::LlamaCpp | ServerKind::Jan => {
            thoughts.effort = effort(level, shape);
            if !is_harmony {
                switch(thoughts, template_switch(shape.family), on);
            }
        }
        ServerKind::Vllm | ServerKind::Sglang | ServerKind::Mlx => match (is_harmony, shape.server) {
            (true, ServerKind::Mlx) => {
                let effort = effort(level, shape).map(|effort| ("reasoning_effort".to_owned(), effort.into()));
                thoughts.template.extend(effort);
            }
            (true, _) => thoughts.effort = effort(level, shape),
            (false, _) => switch(thoughts, template_switch(shape.family), on),
        },
        ServerKind::LmStudio
        | ServerKind::Ollama
        | ServerKind::LiteLlm
        | ServerKind::LocalAi
        | ServerKind::OpenAi
        | ServerKind::Anthropic
        | ServerKind::Other => thoughts.effort = effort(level, shape),
    }
}

/// DeepSeek's template has another name for it than Qwen, GLM and the rest.
fn template_switch(family: TemplateFamily) -> &'static str {
    match family {
        TemplateFamily::DeepSeek | TemplateFamily::Kimi => "thinking",
        TemplateFamily::ChatMl
        | TemplateFamily::Llama3
        | TemplateFamily::Mistral
        | TemplateFamily::Gemma
        | TemplateFamily::Harmony
        | TemplateFamily::Glm
        | TemplateFamily::MiniMax
        | TemplateFamily::Unknown => "enable_thinking",
    }
}

fn switch(thoughts: &mut Thoughts, variable: &str, on: bool) {
    thoughts.template.insert(variable.to_owned(), on.into());
}

fn openrouter(level: Thinking, shape: &Shape) -> Value {
    match (level, effort(level, shape)) {
        (Thinking::Off, _) | (_, None) => object([("enabled", (level != Thinking::Off).into())]),
        (_, Some(effort)) => object([("effort", effort.into())]),
    }
}

/// The word for a level, mapped and clamped as the model entry says.
pub(crate) fn effort(level: Thinking, shape: &Shape) -> Option<String> {
    let compat = &shape.compat.thinking;
    let word = match level {
        Thinking::Unspecified => return None,
        Thinking::Off if shape.family == TemplateFamily::Harmony => "low",
        Thinking::Off => "none",
        Thinking::Low => "low",
        Thinking::Medium => "medium",
        Thinking::High => "high",
    };
    if compat.supports_reasoning_effort == Some(false) {
        return None;
    }
    let map = compat.reasoning_effort_map.as_ref();
    if let Some(mapped) = map.and_then(|map| map.get(&level.to_string()).or_else(|| map.get(word))) {
        return Some(mapped.clone());
    }
    match compat.supported_reasoning_efforts.as_deref() {
        Some(supported) if !supported.is_empty() => Some(nearest(word, supported)),
        Some(_) | None => Some(word.to_owned()),
    }
}

fn nearest(word: &str, supported: &[String]) -> String {
    let place = |word: &str| SCALE.iter().position(|known| *known == word).unwrap_or(SCALE.len());
    let wanted = place(word);
    supported.iter().min_by_key(|candidate| place(candidate).abs_diff(wanted)).cloned().unwrap_or_else(|| word.to_owned())
}

fn with_user_variables(mut thoughts: Thoughts, request: &ModelRequest) -> Thoughts {
    for (key, value) in &request.params.chat_template_kwargs {
        thoughts.template.insert(key.clone(), value.clone());
    }
    thoughts
}
