//! What is known about a route, from whom, and since when.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Timestamp, grouped};

/// A value with its source and time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact<T> {
    /// What is so.
    pub value: T,
    /// Who says so.
    pub source: FactSource,
    /// When it was learned.
    pub at: Timestamp,
}

impl<T> Fact<T> {
    /// Puts the three together.
    pub fn new(value: T, source: FactSource, at: Timestamp) -> Self {
        Self { value, source, at }
    }
}

impl Fact<u32> {
    /// A number of tokens for people: `8,192 tokens (loaded instance)`.
    pub fn tokens(&self) -> String {
        format!("{} tokens ({})", grouped(self.value), self.source)
    }
}

/// Who says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FactSource {
    /// The instance that is loaded now.
    LoadedInstance,
    /// The server's listing, about a model that need not be loaded.
    Listing,
    /// The user's configuration.
    Configured,
    /// An error of the server, or a pinned token count, that gave the truth away.
    LearnedFromOverflow,
    /// Our own measurement of an answer.
    Measured,
    /// The built-in catalogue of hosted models.
    Catalogue,
    /// Nobody; a careful default.
    Assumed,
}

impl fmt::Display for FactSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::LoadedInstance => "loaded instance",
            Self::Listing => "server's listing",
            Self::Configured => "configured",
            Self::LearnedFromOverflow => "learned from an overflow",
            Self::Measured => "measured",
            Self::Catalogue => "catalogue",
            Self::Assumed => "assumed",
        })
    }
}

/// The software behind an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ServerKind {
    /// LM Studio (`/api/v1/models`, `/api/v0/models`).
    LmStudio,
    /// llama.cpp's `llama-server`.
    LlamaCpp,
    /// Ollama.
    Ollama,
    /// vLLM.
    Vllm,
    /// SGLang.
    Sglang,
    /// LiteLLM proxy; what stands behind it is unknown.
    LiteLlm,
    /// `mlx_lm.server`.
    Mlx,
    /// LocalAI.
    LocalAi,
    /// Jan.
    Jan,
    /// OpenAI's own service.
    OpenAi,
    /// Anthropic's own service.
    Anthropic,
    /// OpenRouter.
    OpenRouter,
    /// Anything else that speaks one of the dialects.
    Other,
}

impl ServerKind {
    /// The name for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::LmStudio => "LM Studio",
            Self::LlamaCpp => "llama.cpp",
            Self::Ollama => "Ollama",
            Self::Vllm => "vLLM",
            Self::Sglang => "SGLang",
            Self::LiteLlm => "LiteLLM",
            Self::Mlx => "MLX",
            Self::LocalAi => "LocalAI",
            Self::Jan => "Jan",
            Self::OpenAi => "OpenAI",
            Self::Anthropic => "Anthropic",
            Self::OpenRouter => "OpenRouter",
            Self::Other => "unknown server",
        }
    }
}

/// The family of chat template, which decides what its special tokens look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TemplateFamily {
    /// `<|im_start|>` (Qwen, Hermes, many others).
    ChatMl,
    /// `<|start_header_id|>` (Llama 3).
    Llama3,
    /// `[INST]`.
    Mistral,
    /// `<start_of_turn>`.
    Gemma,
    /// `<|start|>…<|channel|>` (gpt-oss).
    Harmony,
    /// DeepSeek's full-width bars.
    DeepSeek,
    /// GLM.
    Glm,
    /// Kimi.
    Kimi,
    /// MiniMax.
    MiniMax,
    /// Not known; all families are treated as possible.
    #[default]
    Unknown,
}

/// How a model calls tools on its server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ToolAbility {
    /// The server parses calls.
    Native,
    /// The model writes calls as text.
    Text,
    /// The server holds the model to a schema.
    Constrained,
    /// None at all.
    None,
}

impl ToolAbility {
    /// The word for it, in configurations and listings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Text => "text",
            Self::Constrained => "constrained",
            Self::None => "none",
        }
    }
}

/// Everything known about a route, each with its source. The smallest trustworthy window wins; who is trustworthy is
/// decided where facts are merged, not here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RouteFacts {
    /// The software, when recognised.
    pub server: ServerKind,
    /// Tokens of prompt and answer together.
    pub window: Fact<u32>,
    /// The most that the model could be loaded with.
    pub max_window: Option<Fact<u32>>,
    /// The longest answer.
    pub max_output: Option<Fact<u32>>,
    /// Requests that the box serves at a time.
    pub slots: Option<Fact<u32>>,
    /// Whether pictures are understood.
    pub vision: Option<Fact<bool>>,
    /// How tools are called.
    pub tools: Option<Fact<ToolAbility>>,
    /// The chat template's family.
    pub family: TemplateFamily,
    /// Prompt tokens per second.
    pub reading_speed: Option<Fact<f64>>,
    /// Output tokens per second.
    pub writing_speed: Option<Fact<f64>>,
}

impl RouteFacts {
    /// How tools are called, with who says so, for people: `native (measured)`.
    pub fn tools_told(&self) -> String {
        self.tools.map_or_else(|| "native (assumed)".to_owned(), |tools| format!("{} ({})", tools.value.name(), tools.source))
    }

    /// How tools are offered on this route. What nobody knows is tried the usual way; a server that refuses teaches us.
    pub fn tool_mode(&self) -> ToolAbility {
        self.tools.map_or(ToolAbility::Native, |tools| tools.value)
    }
}

/// What a route is doing. `local` publishes `Cold`, `Loading`, `Ready` and `Busy`; `route` alone adds the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum RouteState {
    /// Not asked yet.
    Unknown,
    /// The server answers, the model is not loaded.
    Cold,
    /// The model is being loaded.
    Loading,
    /// Loaded and free.
    Ready,
    /// Loaded, no free slot.
    Busy,
    /// Refuses until then.
    RateLimited {
        /// When to ask again.
        until: Timestamp,
    },
    /// Refuses the key.
    AuthFailed,
    /// Does not answer; asked again then.
    Down {
        /// When to ask again.
        until: Timestamp,
    },
}

impl RouteState {
    /// How long the route is out, seen from `now`; zero when it can be asked.
    pub fn remaining(self, now: Timestamp) -> Duration {
        match self {
            Self::RateLimited { until } | Self::Down { until } => until.since(now),
            Self::Unknown | Self::Cold | Self::Loading | Self::Ready | Self::Busy | Self::AuthFailed => Duration::ZERO,
        }
    }
}
