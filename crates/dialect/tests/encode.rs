//! What goes out, byte for byte: one JSON file per case under `tests/data/encode/`, keys in the order in which they are
//! sent. `KRABBA_BLESS=1` writes the files anew: read the difference before keeping it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod conversation;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use conversation::{conversation, looking, request, route};
use krabba_dialect::{ArgumentsEncoding, MaxTokensField, Shape, ThinkingFormat, WireFraming, encode};
use krabba_types::{Dialect, Message, ModelId, ModelRequest, Role, ServerKind, TemplateFamily, Thinking};
use serde_json::{Map, Value, json};

/// A name, what is asked, and for whom it is written.
struct Case {
    name: &'static str,
    dialect: Dialect,
    shape: Shape,
    request: ModelRequest,
}

impl Case {
    fn new(name: &'static str, dialect: Dialect, server: ServerKind, change: impl FnOnce(&mut Shape, &mut ModelRequest)) -> Self {
        let mut shape = Shape { vision: true, reasoning: true, ..Shape::new(server, route()) };
        let mut request = request(conversation());
        change(&mut shape, &mut request);
        Self { name, dialect, shape, request }
    }
}

fn unchanged(_: &mut Shape, _: &mut ModelRequest) {}

fn object(value: Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap()
}

fn chat_cases() -> Vec<Case> {
    use Dialect::OpenAiCompletions as Chat;
    vec![
        Case::new("chat-unknown-server", Chat, ServerKind::Other, |shape, request| {
            shape.vision = false;
            request.thinking = Thinking::Unspecified;
        }),
        Case::new("chat-llama-cpp", Chat, ServerKind::LlamaCpp, unchanged),
        Case::new("chat-llama-cpp-thinking-off", Chat, ServerKind::LlamaCpp, |shape, request| {
            shape.reasoning = false;
            request.thinking = Thinking::Off;
            request.messages.truncate(2);
        }),
        Case::new("chat-picture-of-a-tool", Chat, ServerKind::LlamaCpp, |_, request| request.messages = looking()),
        Case::new("chat-picture-of-a-tool-unseen", Chat, ServerKind::LlamaCpp, |shape, request| {
            shape.vision = false;
            request.messages = looking();
        }),
        Case::new("chat-lm-studio", Chat, ServerKind::LmStudio, |shape, _| shape.ttl = Some(600)),
        Case::new("chat-ollama-v1", Chat, ServerKind::Ollama, unchanged),
        Case::new("chat-vllm", Chat, ServerKind::Vllm, |_, request| {
            request.params.chat_template_kwargs = object(json!({"custom": 1}));
        }),
        Case::new("chat-vllm-gpt-oss", Chat, ServerKind::Vllm, |shape, request| {
            shape.family = TemplateFamily::Harmony;
            request.thinking = Thinking::Off;
        }),
        Case::new("chat-mlx", Chat, ServerKind::Mlx, |_, request| request.params.temperature = None),
        Case::new("chat-openai", Chat, ServerKind::OpenAi, unchanged),
        Case::new("chat-openrouter", Chat, ServerKind::OpenRouter, |shape, _| {
            shape.provider_routing = Some(object(json!({"only": ["minimax"], "data_collection": "deny"})));
        }),
        Case::new("chat-routing-through-a-gateway", Chat, ServerKind::Other, |shape, request| {
            shape.provider_routing = Some(object(json!({"only": ["minimax"], "allow_fallbacks": false, "zdr": true})));
            shape.dropped.insert("provider.zdr".to_owned());
            request.messages.truncate(2);
        }),
        Case::new("chat-mistral", Chat, ServerKind::LlamaCpp, |shape, _| shape.family = TemplateFamily::Mistral),
        Case::new("chat-compat", Chat, ServerKind::Other, |shape, _| {
            shape.compat.request.max_tokens_field = Some(MaxTokensField::MaxCompletionTokens);
            shape.compat.request.supports_usage_in_streaming = Some(false);
            shape.compat.request.supports_developer_role = Some(true);
            shape.compat.request.supports_temperature = Some(false);
            shape.compat.history.requires_string_content = Some(true);
            shape.compat.history.strict_message_keys = Some(true);
            shape.compat.history.requires_reasoning_content_on_assistant_messages = Some(true);
            shape.compat.history.requires_assistant_after_tool_result = Some(true);
            shape.compat.tools.tool_call_arguments_encoding = Some(ArgumentsEncoding::Object);
            shape.compat.tools.tool_schema_profile = Some("llamacpp".to_owned());
            shape.compat.thinking.thinking_format = Some(ThinkingFormat::Zai);
        }),
        Case::new("chat-other-route", Chat, ServerKind::Vllm, |shape, _| shape.route.model = ModelId::new("another")),
        Case::new("chat-dropped-and-extra", Chat, ServerKind::OpenAi, |shape, request| {
            for path in
                ["stream_options", "tools[0].function.strict", "store", "max_completion_tokens", "messages", "model", "messages[1].role"]
            {
                shape.dropped.insert(path.to_owned());
            }
            request.params.extra_body =
                object(json!({"stream": false, "model": "x", "messages": [], "top_p": 0.5, "service_tier": "flex"}));
        }),
        Case::new("chat-not-streaming", Chat, ServerKind::LlamaCpp, |shape, request| {
            shape.stream = false;
            request.messages.truncate(2);
            request.tools.clear();
        }),
    ]
}

fn other_cases() -> Vec<Case> {
    use Dialect::{AnthropicMessages as Anthropic, Ollama, OpenAiResponses as Responses};
    vec![
        Case::new("responses-lm-studio", Responses, ServerKind::LmStudio, |shape, _| shape.ttl = Some(600)),
        Case::new("responses-llama-cpp-thinking-off", Responses, ServerKind::LlamaCpp, |_, request| request.thinking = Thinking::Off),
        Case::new("responses-openai", Responses, ServerKind::OpenAi, unchanged),
        Case::new("responses-openrouter", Responses, ServerKind::OpenRouter, |shape, request| {
            shape.provider_routing = Some(object(json!({"zdr": true})));
            request.messages.truncate(2);
        }),
        Case::new("responses-other-route", Responses, ServerKind::LmStudio, |shape, _| shape.route.model = ModelId::new("another")),
        Case::new("responses-picture-of-a-tool", Responses, ServerKind::OpenAi, |_, request| request.messages = looking()),
        Case::new("anthropic-picture-of-a-tool", Anthropic, ServerKind::Anthropic, |_, request| request.messages = looking()),
        Case::new("ollama-picture-of-a-tool", Ollama, ServerKind::Ollama, |_, request| request.messages = looking()),
        Case::new("anthropic-own-host", Anthropic, ServerKind::Anthropic, |_, request| {
            request.model = ModelId::new("claude-sonnet-4-5-20250929")
        }),
        Case::new("anthropic-adaptive", Anthropic, ServerKind::Anthropic, |_, request| request.model = ModelId::new("claude-opus-4-6")),
        Case::new("anthropic-small-budget", Anthropic, ServerKind::Anthropic, |_, request| {
            request.model = ModelId::new("claude-3-7-sonnet-latest");
            request.max_output_tokens = Some(2_000);
            request.messages.truncate(2);
        }),
        Case::new("anthropic-joins-a-tool-loop", Anthropic, ServerKind::Anthropic, |shape, request| {
            shape.route.model = ModelId::new("claude-sonnet-4-5");
            request.messages.truncate(5);
        }),
        Case::new("anthropic-goes-on-in-a-tool-loop", Anthropic, ServerKind::Anthropic, |_, request| request.messages.truncate(5)),
        Case::new("anthropic-llama-cpp", Anthropic, ServerKind::LlamaCpp, unchanged),
        Case::new("anthropic-local-thinking-off", Anthropic, ServerKind::LmStudio, |shape, request| {
            shape.vision = false;
            request.thinking = Thinking::Off;
            request.max_output_tokens = None;
        }),
        Case::new("anthropic-empty-answer", Anthropic, ServerKind::Anthropic, |_, request| {
            request.messages.truncate(2);
            request.messages.push(Message { role: Role::Assistant, parts: Vec::new() });
            request.messages.push(Message::text(Role::User, "Hello?"));
        }),
        Case::new("ollama", Ollama, ServerKind::Ollama, |shape, _| {
            shape.num_ctx = Some(16_384);
            shape.keep_alive = Some("10m".to_owned());
        }),
        Case::new("ollama-gpt-oss-thinking-off", Ollama, ServerKind::Ollama, |shape, request| {
            shape.family = TemplateFamily::Harmony;
            shape.vision = false;
            shape.keep_alive = Some("-1".to_owned());
            request.thinking = Thinking::Off;
        }),
        Case::new("ollama-extra-options", Ollama, ServerKind::Ollama, |shape, request| {
            shape.num_ctx = Some(8_192);
            shape.dropped.insert("options.top_k".to_owned());
            shape.dropped.insert("think".to_owned());
            request.params.extra_body = object(json!({"options": {"repeat_penalty": 1.1}, "format": "json"}));
            request.messages.truncate(2);
        }),
    ]
}

#[test]
fn bodies_are_written_as_agreed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/encode");
    let bless = std::env::var_os("KRABBA_BLESS").is_some();
    let mut wrong = String::new();
    for case in chat_cases().into_iter().chain(other_cases()) {
        let encoded = encode(case.dialect, &case.request, &case.shape);
        let body: Value = serde_json::from_slice(&encoded.body).unwrap();
        let headers: Vec<String> = encoded.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        let found = json!({"path": encoded.path, "headers": headers, "body": body});
        let found = serde_json::to_string_pretty(&found).unwrap() + "\n";
        let path = folder.join(case.name).with_extension("json");
        if bless {
            fs::create_dir_all(&folder).unwrap();
            fs::write(&path, &found).unwrap();
        }
        if found != fs::read_to_string(&path).unwrap_or_default() {
            writeln!(wrong, "== {}\n{found}", case.name).unwrap();
        }
    }
    assert!(wrong.is_empty(), "other than in tests/data/encode:\n{wrong}");
}

#[test]
fn framing_follows_the_dialect() {
    let framings = Dialect::ALL.map(|dialect| encode(dialect, &request(Vec::new()), &Shape::new(ServerKind::Other, route())).framing);
    assert_eq!(framings, [WireFraming::Sse, WireFraming::Sse, WireFraming::Sse, WireFraming::Ndjson]);
}
