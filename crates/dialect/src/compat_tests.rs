use serde_json::{Value, json};

use crate::{ArgumentsEncoding, Compat, MaxTokensField, ThinkingFormat};

#[test]
fn a_users_switches_are_read_flat_and_nothing_is_lost() {
    let written = json!({
        "supportsStore": false,
        "maxTokensField": "max_completion_tokens",
        "requiresStringContent": true,
        "thinkingFormat": "qwen-chat-template",
        "reasoningEffortMap": {"high": "max"},
        "supportsTools": true,
        "unsupportedToolSchemaKeywords": ["pattern"],
        "toolCallArgumentsEncoding": "object",
        "requiresThinkingAsText": true,
        "somethingOfNextYear": {"a": [1]}
    });
    let compat: Compat = serde_json::from_value(written.clone()).unwrap();
    assert_eq!(compat.request.supports_store, Some(false));
    assert_eq!(compat.request.max_tokens_field, Some(MaxTokensField::MaxCompletionTokens));
    assert_eq!(compat.history.requires_string_content, Some(true));
    assert_eq!(compat.thinking.thinking_format, Some(ThinkingFormat::QwenChatTemplate));
    assert_eq!(compat.tools.tool_call_arguments_encoding, Some(ArgumentsEncoding::Object));
    let kept: Vec<&String> = compat.extra.keys().collect();
    assert_eq!(kept, ["requiresThinkingAsText", "somethingOfNextYear"]);
    assert_eq!(serde_json::to_value(&compat).unwrap(), written);
}

#[test]
fn no_switches_are_no_fields() {
    let compat: Compat = serde_json::from_value(json!({})).unwrap();
    assert_eq!((compat.clone(), serde_json::to_value(&compat).unwrap()), (Compat::default(), Value::Object(serde_json::Map::new())));
}

#[test]
fn an_unknown_thinking_format_does_not_spoil_the_rest() {
    let compat: Compat = serde_json::from_value(json!({"thinkingFormat": "of-next-year", "supportsTools": false})).unwrap();
    assert_eq!((compat.thinking.thinking_format, compat.tools.supports_tools), (Some(ThinkingFormat::Unknown), Some(false)));
}
