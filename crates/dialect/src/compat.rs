//! The compatibility switches of a model entry, under the names that OpenClaw's configuration gives them.
//!
//! All are optional; an absent one leaves the decision to what is known about the server. They are grouped by what they
//! change, but flat on the wire. Unknown keys are kept, so that writing a configuration back loses nothing.
//!
//! Three names are read and deliberately without effect: `requiresThinkingAsText` (reasoning is never turned into
//! text), `supportsPromptCacheKey` (no session id is sent to anybody) and `visibleReasoningDetailTypes` (reasoning is
//! never visible).

use std::collections::BTreeMap;

use krabba_types::{JsonObject, ToolAbility};
use serde::{Deserialize, Serialize};

/// The switches of one model.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Compat {
    /// Which request fields the server takes.
    #[serde(flatten)]
    pub request: RequestCompat,
    /// How past messages must be written.
    #[serde(flatten)]
    pub history: HistoryCompat,
    /// How thinking is controlled.
    #[serde(flatten)]
    pub thinking: ThinkingCompat,
    /// How tools are described.
    #[serde(flatten)]
    pub tools: ToolCompat,
    /// Everything else, untouched.
    #[serde(flatten)]
    pub extra: JsonObject,
}

/// Which request fields the server takes.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct RequestCompat {
    /// `store` may be sent. By default in the Responses dialect and to OpenAI.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub supports_store: Option<bool>,
    /// The system text goes out as role `developer`. By default only to OpenAI's reasoning models.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub supports_developer_role: Option<bool>,
    /// The name of the output budget in chat completions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tokens_field: Option<MaxTokensField>,
    /// `stream_options.include_usage` may be sent. By default yes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub supports_usage_in_streaming: Option<bool>,
    /// `temperature` may be sent. By default yes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub supports_temperature: Option<bool>,
    /// Responses: the system text goes out as `instructions`. By default only to OpenAI.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub supports_instructions: Option<bool>,
}

/// How past messages must be written.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct HistoryCompat {
    /// A tool's result carries the tool's name (Mistral).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requires_tool_result_name: Option<bool>,
    /// A user message may not follow a tool's result directly.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requires_assistant_after_tool_result: Option<bool>,
    /// Content must be a string; pictures become a line of text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requires_string_content: Option<bool>,
    /// Messages have no keys beyond the standard ones: no reasoning is sent back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strict_message_keys: Option<bool>,
    /// Every assistant message has `reasoning_content`, an empty one where there was none (DeepSeek while thinking).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requires_reasoning_content_on_assistant_messages: Option<bool>,
}

/// How thinking is controlled.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ThinkingCompat {
    /// `reasoning_effort` may be sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub supports_reasoning_effort: Option<bool>,
    /// The efforts that exist; the nearest one is taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub supported_reasoning_efforts: Option<Vec<String>>,
    /// Our level (`off`, `low`, `medium`, `high`) to the server's word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning_effort_map: Option<BTreeMap<String, String>>,
    /// Which fields switch thinking in chat completions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thinking_format: Option<ThinkingFormat>,
}

/// How tools are described.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ToolCompat {
    /// Tools may be sent at all. When not, the model is told of them in words. Decided before a request gets here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub supports_tools: Option<bool>,
    /// How the model calls tools, whatever anybody else says about it. A key of our own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_calls: Option<ToolAbility>,
    /// `strict` may be sent. By default only to OpenAI (as `false`, since its Responses API assumes `true`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub supports_strict_mode: Option<bool>,
    /// A named set of JSON Schema keywords to leave out: `llamacpp` or `gemini`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_schema_profile: Option<String>,
    /// JSON Schema keywords to leave out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unsupported_tool_schema_keywords: Option<Vec<String>>,
    /// How past calls' arguments are written in chat completions. By default as JSON text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_call_arguments_encoding: Option<ArgumentsEncoding>,
}

/// The name of the output budget in chat completions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MaxTokensField {
    /// What every local server reads. Ollama's `/v1` reads nothing else.
    MaxTokens,
    /// What OpenAI's newer models demand.
    MaxCompletionTokens,
}

/// Which fields switch thinking in chat completions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ThinkingFormat {
    /// `reasoning_effort`.
    Openai,
    /// `thinking: {type: enabled | disabled}`.
    Zai,
    /// `thinking: {type: enabled | disabled}`.
    Deepseek,
    /// `enable_thinking` at the top level (Alibaba's own service).
    Qwen,
    /// `chat_template_kwargs.enable_thinking`.
    QwenChatTemplate,
    /// `reasoning: {effort | enabled}`.
    Openrouter,
    /// `reasoning: {enabled}`.
    Together,
    /// A format that we do not know; the server's default is used.
    #[serde(other)]
    Unknown,
}

/// How past calls' arguments are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ArgumentsEncoding {
    /// As a JSON object.
    Object,
    /// As JSON text, which is OpenAI's form.
    #[serde(other)]
    String,
}
