//! What is asked of a model, before any dialect shapes it.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Message, ModelId, ToolAbility};

/// A JSON object that passes through unread.
pub type JsonObject = serde_json::Map<String, serde_json::Value>;

/// The tool through which those are called that no model is told of up front: its arguments are the `name` of one and, as an object,
/// that one's own `arguments`.
pub const CALL_TOOL: &str = "call_tool";

/// One streaming request to one model.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelRequest {
    /// Goes out byte for byte.
    pub model: ModelId,
    /// At most one system message, first; then user and assistant in turns. `context` guarantees the order.
    pub messages: Vec<Message>,
    /// Sorted by the caller, the same in every request of a session.
    pub tools: Vec<ToolSpec>,
    /// How calls of them are made and read.
    pub calling: Calling,
    /// Budget for the answer in tokens. Always sent where set: several servers default to 512 or to no end at all.
    pub max_output_tokens: Option<u32>,
    /// How much to think.
    pub thinking: Thinking,
    /// Sampling and pass-through.
    pub params: Params,
}

/// How a model is to call the tools of a request.
#[derive(Clone, Debug, PartialEq)]
pub struct Calling {
    /// The way in which they are offered. `context` gives the tools and the messages alike for all of them; how they look on the
    /// wire is `llm`'s business. [`RouteFacts::tool_mode`](crate::RouteFacts::tool_mode) has the one for a route.
    pub mode: ToolAbility,
    /// What the model may do. Held to where the server holds the model to a form, and nowhere else.
    pub wanted: Wanted,
    /// Texts within the messages that somebody else wrote (a file of the workspace, a forwarded mail). Results of tools need not
    /// be named here. A call that the model writes as text is not taken when it merely repeats one of them.
    pub untrusted: Vec<String>,
    /// Tools that the model was not told of and may have found by a search. A call of one that it writes as text is known by
    /// them, and a call that it is held to may be of one, through [`CALL_TOOL`]; they are no part of any prompt.
    pub further: Vec<ToolSpec>,
}

impl Default for Calling {
    fn default() -> Self {
        Self { mode: ToolAbility::Native, wanted: Wanted::AnswerOrCall, untrusted: Vec::new(), further: Vec::new() }
    }
}

/// What a model may do with its tools.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Wanted {
    /// Answer in words, or call one of them.
    #[default]
    AnswerOrCall,
    /// Call one of them.
    Call,
}

/// A tool as the model sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToolSpec {
    /// `[a-zA-Z0-9_-]{1,64}`.
    pub name: String,
    /// One or two sentences.
    pub description: String,
    /// JSON Schema of the arguments; an object schema.
    pub parameters: JsonObject,
    /// What else a call of it may say. No model is told.
    #[serde(default, skip_serializing_if = "Aliases::is_empty")]
    pub aliases: Aliases,
}

/// Other names for what a tool takes: models write those of its older versions, and of tools that other agents have for the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Aliases {
    /// Of a parameter, at any depth, or of a value of an enumeration; each with the name in the schema.
    pub names: BTreeMap<String, String>,
    /// A parameter that is a list of objects, one of which may stand without it, its members beside the other parameters.
    pub flat: Option<String>,
}

impl Aliases {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// How much the model is asked to think, translated into each server's own terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Thinking {
    /// Nothing is sent; the server decides.
    #[default]
    Unspecified,
    /// Thinking is switched off where the server can.
    Off,
    /// A little.
    Low,
    /// The usual amount.
    Medium,
    /// As much as it takes.
    High,
}

impl FromStr for Thinking {
    type Err = String;

    /// Accepts OpenClaw's words too: `minimal` is low, `xhigh` and `max` are high, `on` is medium, `default` leaves it to the server.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.trim().to_ascii_lowercase().as_str() {
            "default" | "auto" => Ok(Self::Unspecified),
            "off" | "none" => Ok(Self::Off),
            "minimal" | "low" => Ok(Self::Low),
            "medium" | "on" => Ok(Self::Medium),
            "high" | "xhigh" | "max" => Ok(Self::High),
            other => Err(format!("\"{other}\" is not a thinking level; use off, low, medium or high")),
        }
    }
}

impl fmt::Display for Thinking {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Unspecified => "default",
            Self::Off => "off",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        })
    }
}

/// Sampling parameters and what the user passes through. `None` is not sent, so that the server's own tuning stays.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", default)]
pub struct Params {
    /// 0 and up.
    pub temperature: Option<f64>,
    /// 0 to 1.
    pub top_p: Option<f64>,
    /// Number of candidates.
    pub top_k: Option<u32>,
    /// 0 to 1.
    pub min_p: Option<f64>,
    /// For repeatable answers.
    pub seed: Option<i64>,
    /// Texts that end the answer.
    pub stop: Vec<String>,
    /// Variables of the chat template (`enable_thinking`).
    pub chat_template_kwargs: JsonObject,
    /// Merged into the top level of the request body, last.
    pub extra_body: JsonObject,
}

/// A wire format of model servers. The text forms are the `api` values of the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Dialect {
    /// OpenAI Responses, `POST {base}/responses`.
    #[serde(rename = "openai-responses")]
    OpenAiResponses,
    /// OpenAI Chat Completions, `POST {base}/chat/completions`.
    #[serde(rename = "openai-completions")]
    OpenAiCompletions,
    /// Anthropic Messages, `POST {base}/v1/messages`.
    #[serde(rename = "anthropic-messages")]
    AnthropicMessages,
    /// Ollama native, `POST {origin}/api/chat`, NDJSON.
    #[serde(rename = "ollama")]
    Ollama,
}

impl Dialect {
    /// All that exist, in the order in which they are listed to people.
    pub const ALL: [Self; 4] = [Self::OpenAiResponses, Self::OpenAiCompletions, Self::AnthropicMessages, Self::Ollama];

    /// The name in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::OpenAiResponses => "openai-responses",
            Self::OpenAiCompletions => "openai-completions",
            Self::AnthropicMessages => "anthropic-messages",
            Self::Ollama => "ollama",
        }
    }

    /// Whether a request can ask that a model is held to a form ([`ToolAbility::Constrained`]).
    pub fn can_hold(self) -> bool {
        match self {
            Self::OpenAiResponses | Self::OpenAiCompletions | Self::Ollama => true,
            Self::AnthropicMessages => false,
        }
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Dialect {
    type Err = UnknownDialect;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|dialect| dialect.name() == text).ok_or_else(|| UnknownDialect { text: text.to_owned() })
    }
}

/// An `api` that krabba does not speak.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown api \"{text}\"; there is openai-responses, openai-completions, anthropic-messages and ollama")]
pub struct UnknownDialect {
    /// What was given.
    pub text: String,
}
