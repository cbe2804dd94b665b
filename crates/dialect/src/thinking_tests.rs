use krabba_types::{Calling, JsonObject, ModelId, ModelRef, ModelRequest, Params, ProviderId, ServerKind, TemplateFamily, Thinking};
use serde_json::{Value, json};

use crate::thinking::{effort, for_chat, for_responses};
use crate::{Shape, ThinkingFormat};

fn shape(server: ServerKind) -> Shape {
    Shape { reasoning: true, ..Shape::new(server, ModelRef::new(ProviderId::new("p"), ModelId::new("m"))) }
}

fn request(thinking: Thinking) -> ModelRequest {
    ModelRequest {
        model: ModelId::new("m"),
        messages: Vec::new(),
        tools: Vec::new(),
        calling: Calling::default(),
        max_output_tokens: None,
        thinking,
        params: Params::default(),
    }
}

/// Everything that is sent about thinking, as one object.
fn sent(shape: &Shape, thinking: Thinking) -> Value {
    let thoughts = for_chat(&request(thinking), shape);
    let mut all = JsonObject::new();
    if let Some(effort) = thoughts.effort {
        all.insert("reasoning_effort".to_owned(), effort.into());
    }
    if let Some((field, value)) = thoughts.field {
        all.insert(field.to_owned(), value);
    }
    if !thoughts.template.is_empty() {
        all.insert("chat_template_kwargs".to_owned(), thoughts.template.into());
    }
    all.into()
}

#[test]
fn each_server_is_told_in_its_own_words() {
    let cases = [
        (
            ServerKind::LlamaCpp,
            json!({"reasoning_effort": "none", "chat_template_kwargs": {"enable_thinking": false}}),
            json!({"reasoning_effort": "high", "chat_template_kwargs": {"enable_thinking": true}}),
        ),
        (ServerKind::LmStudio, json!({"reasoning_effort": "none"}), json!({"reasoning_effort": "high"})),
        (
            ServerKind::Vllm,
            json!({"chat_template_kwargs": {"enable_thinking": false}}),
            json!({"chat_template_kwargs": {"enable_thinking": true}}),
        ),
        (ServerKind::OpenRouter, json!({"reasoning": {"enabled": false}}), json!({"reasoning": {"effort": "high"}})),
        (ServerKind::OpenAi, json!({"reasoning_effort": "none"}), json!({"reasoning_effort": "high"})),
    ];
    for (server, off, high) in cases {
        assert_eq!(sent(&shape(server), Thinking::Off), off, "{}", server.name());
        assert_eq!(sent(&shape(server), Thinking::High), high, "{}", server.name());
        assert_eq!(sent(&shape(server), Thinking::Unspecified), json!({}), "{}", server.name());
    }
}

#[test]
fn a_model_that_does_not_reason_is_not_asked_to() {
    let local = Shape { reasoning: false, ..shape(ServerKind::LmStudio) };
    assert_eq!(sent(&local, Thinking::High), json!({}));
    // It may think unasked, and the field is ignored when it does not.
    assert_eq!(sent(&local, Thinking::Off), json!({"reasoning_effort": "none"}));
    // A hosted model refuses the field.
    let hosted = Shape { reasoning: false, ..shape(ServerKind::OpenAi) };
    assert_eq!(sent(&hosted, Thinking::Off), json!({}));
}

#[test]
fn gpt_oss_gets_the_least_it_has_in_place_of_off() {
    let harmony = Shape { family: TemplateFamily::Harmony, ..shape(ServerKind::LlamaCpp) };
    assert_eq!(sent(&harmony, Thinking::Off), json!({"reasoning_effort": "low"}));
    let mlx = Shape { family: TemplateFamily::Harmony, ..shape(ServerKind::Mlx) };
    assert_eq!(sent(&mlx, Thinking::Medium), json!({"chat_template_kwargs": {"reasoning_effort": "medium"}}));
}

#[test]
fn a_configured_format_wins() {
    let cases = [
        (ThinkingFormat::Openai, json!({"reasoning_effort": "low"})),
        (ThinkingFormat::Zai, json!({"thinking": {"type": "enabled"}})),
        (ThinkingFormat::Deepseek, json!({"thinking": {"type": "enabled"}})),
        (ThinkingFormat::Qwen, json!({"enable_thinking": true})),
        (ThinkingFormat::QwenChatTemplate, json!({"chat_template_kwargs": {"enable_thinking": true}})),
        (ThinkingFormat::Openrouter, json!({"reasoning": {"effort": "low"}})),
        (ThinkingFormat::Together, json!({"reasoning": {"enabled": true}})),
    ];
    for (format, expected) in cases {
        let mut shape = shape(ServerKind::Other);
        shape.compat.thinking.thinking_format = Some(format);
        assert_eq!(sent(&shape, Thinking::Low), expected, "{format:?}");
    }
}

#[test]
fn efforts_are_mapped_and_clamped() {
    let mut shape = shape(ServerKind::Other);
    shape.compat.thinking.supported_reasoning_efforts = Some(vec!["minimal".to_owned(), "medium".to_owned()]);
    assert_eq!(effort(Thinking::Off, &shape).as_deref(), Some("minimal"));
    assert_eq!(effort(Thinking::High, &shape).as_deref(), Some("medium"));
    shape.compat.thinking.reasoning_effort_map = Some([("high".to_owned(), "max".to_owned()), ("off".to_owned(), "no".to_owned())].into());
    assert_eq!(effort(Thinking::High, &shape).as_deref(), Some("max"));
    assert_eq!(effort(Thinking::Off, &shape).as_deref(), Some("no"));
    shape.compat.thinking.supports_reasoning_effort = Some(false);
    assert_eq!(effort(Thinking::High, &shape), None);
}

#[test]
fn the_users_template_variables_win() {
    let mut request = request(Thinking::Off);
    request.params.chat_template_kwargs = [("enable_thinking".to_owned(), Value::Bool(true))].into_iter().collect();
    let thoughts = for_responses(&request, &shape(ServerKind::LlamaCpp));
    assert_eq!((thoughts.effort.as_deref(), Value::from(thoughts.template)), (Some("none"), json!({"enable_thinking": true})));
}
