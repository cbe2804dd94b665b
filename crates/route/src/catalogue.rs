//! Hosted providers that need no configuration but a key: one row each.
//!
//! Windows and limits are what the providers document; they carry the source `catalogue` and yield to everything that is
//! learned from an answer. A provider whose wire format we do not speak has no row, and a name for the error.

use krabba_types::{BoxId, Dialect, ModelId, ModelRef, ProviderId, Residency, Secret};

use crate::clocks::ClockSettings;
use crate::settings::{Extras, Hosting, Key, ModelEntry, Provider, ResidencySource};

/// A hosted provider.
#[derive(Clone, Copy, Debug)]
pub struct HostedProvider {
    /// The provider's id in references.
    pub id: &'static str,
    /// Its name for people.
    pub name: &'static str,
    /// Where it answers.
    pub base_url: &'static str,
    /// What it speaks.
    pub dialect: Dialect,
    /// Environment variables that may hold its key, best first.
    pub key_variables: &'static [&'static str],
    /// The region that the provider promises for this address; most promise none.
    pub region: Option<&'static str>,
    /// Well-known models. Others can be named all the same.
    pub models: &'static [HostedModel],
}

/// A model of the catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostedModel {
    /// Exactly as it goes out.
    pub id: &'static str,
    /// Tokens of prompt and answer together.
    pub window: u32,
    /// The longest answer, in tokens.
    pub max_output: u32,
    /// Whether it takes pictures.
    pub vision: bool,
    /// Whether it can be asked to reason.
    pub reasoning: bool,
}

impl HostedProvider {
    /// This row as a provider, with whatever keys `variable` finds.
    pub fn provider(&self, variable: impl Fn(&str) -> Option<Secret>) -> Provider {
        let keys: Vec<Key> = self
            .key_variables
            .iter()
            .filter_map(|name| {
                let secret = variable(name).filter(|secret| !secret.is_empty())?;
                Some(Key { profile: format!("{}:{}", self.id, name.to_lowercase()), secret, source: format!("env {name}") })
            })
            .take(1)
            .collect();
        let missing_key = if keys.is_empty() { self.key_variables.first().map(|name| (*name).to_owned()) } else { None };
        Provider {
            id: ProviderId::new(self.id),
            base_url: self.base_url.to_owned(),
            dialect: self.dialect,
            keys,
            missing_key,
            headers: Vec::new(),
            residency: self.residency(),
            hosting: Hosting {
                box_id: self.box_id(),
                residency_source: ResidencySource::Declared,
                slots: None,
                probe: false,
                service: None,
            },
            clocks: ClockSettings::default(),
            extras: Extras::default(),
            models: self.models.iter().map(HostedModel::entry).collect(),
            origin: "built in".to_owned(),
            builtin: true,
        }
    }

    /// How far a conversation travels to get there.
    pub fn residency(&self) -> Residency {
        self.region.map_or(Residency::Hosted, |code| Residency::Region(code.to_owned()))
    }

    fn box_id(&self) -> BoxId {
        let host = url::Url::parse(self.base_url).ok().and_then(|url| url.host_str().map(str::to_owned));
        BoxId::of_address("https", host.as_deref().unwrap_or(self.id), 443)
    }
}

impl HostedModel {
    fn entry(&self) -> ModelEntry {
        ModelEntry {
            reasoning: Some(self.reasoning),
            vision: Some(self.vision),
            // The window and the output limit are not copied: an entry's are the user's word, these are the catalogue's.
            ..ModelEntry::new(ModelId::new(self.id))
        }
    }
}

/// All rows, in the order in which they are listed to people.
pub fn catalogue() -> &'static [HostedProvider] {
    PROVIDERS
}

/// The row of a provider.
pub fn find(provider: &ProviderId) -> Option<&'static HostedProvider> {
    PROVIDERS.iter().find(|row| row.id == provider.as_str())
}

/// What the catalogue knows about a model, through whichever row its provider has.
pub fn model(reference: &ModelRef) -> Option<&'static HostedModel> {
    find(&reference.provider)?.models.iter().find(|model| model.id == reference.model.as_str())
}

/// The wire format of a well-known provider that krabba does not speak.
pub fn unsupported(provider: &ProviderId) -> Option<&'static str> {
    UNSUPPORTED.iter().find(|(id, _)| *id == provider.as_str()).map(|(_, api)| *api)
}

/// Short names that exist without configuration, with what they stand for. The user's own go before these.
pub fn aliases() -> impl Iterator<Item = (&'static str, &'static str)> {
    ALIASES.iter().copied()
}

/// The full id behind a short one that OpenClaw accepts.
pub(crate) fn full_id(provider: &ProviderId, id: &str) -> Option<&'static str> {
    SHORT_IDS.iter().find(|(owner, short, _)| *owner == provider.as_str() && *short == id).map(|(_, _, full)| *full)
}

const ALIASES: &[(&str, &str)] = &[
    ("opus", "anthropic/claude-opus-4-6"),
    ("sonnet", "anthropic/claude-sonnet-4-5"),
    ("haiku", "anthropic/claude-haiku-4-5"),
    ("gpt", "openai/gpt-5.2"),
    ("gpt-mini", "openai/gpt-5-mini"),
];

const SHORT_IDS: &[(&str, &str, &str)] = &[
    ("anthropic", "opus-4.6", "claude-opus-4-6"),
    ("anthropic", "opus-4.5", "claude-opus-4-5"),
    ("anthropic", "sonnet-4.5", "claude-sonnet-4-5"),
];

const UNSUPPORTED: &[(&str, &str)] = &[
    ("google", "google-generative-ai"),
    ("google-vertex", "google-vertex"),
    ("google-gemini-cli", "google-gemini-cli"),
    ("google-antigravity", "google-antigravity"),
    ("amazon-bedrock", "bedrock-converse-stream"),
    ("openai-codex", "openai-codex-responses"),
    ("github-copilot", "github-copilot"),
];

const fn text(id: &'static str, window: u32, max_output: u32) -> HostedModel {
    HostedModel { id, window, max_output, vision: false, reasoning: false }
}

const fn thinking(id: &'static str, window: u32, max_output: u32) -> HostedModel {
    HostedModel { id, window, max_output, vision: false, reasoning: true }
}

const fn seeing(id: &'static str, window: u32, max_output: u32) -> HostedModel {
    HostedModel { id, window, max_output, vision: true, reasoning: false }
}

const fn all_round(id: &'static str, window: u32, max_output: u32) -> HostedModel {
    HostedModel { id, window, max_output, vision: true, reasoning: true }
}

const PROVIDERS: &[HostedProvider] = &[
    HostedProvider {
        id: "anthropic",
        name: "Anthropic",
        base_url: "https://api.anthropic.com",
        dialect: Dialect::AnthropicMessages,
        key_variables: &["ANTHROPIC_API_KEY"],
        region: None,
        models: &[
            all_round("claude-opus-4-6", 200_000, 64_000),
            all_round("claude-opus-4-5", 200_000, 64_000),
            all_round("claude-opus-4-1", 200_000, 32_000),
            all_round("claude-sonnet-4-5", 200_000, 64_000),
            all_round("claude-haiku-4-5", 200_000, 64_000),
        ],
    },
    HostedProvider {
        id: "openai",
        name: "OpenAI",
        base_url: "https://api.openai.com/v1",
        dialect: Dialect::OpenAiResponses,
        key_variables: &["OPENAI_API_KEY"],
        region: None,
        models: &[
            all_round("gpt-5.2", 400_000, 128_000),
            all_round("gpt-5.1", 400_000, 128_000),
            all_round("gpt-5", 400_000, 128_000),
            all_round("gpt-5-mini", 400_000, 128_000),
            all_round("gpt-5-nano", 400_000, 128_000),
            seeing("gpt-4.1", 1_047_576, 32_768),
            seeing("gpt-4o", 128_000, 16_384),
        ],
    },
    HostedProvider {
        id: "openrouter",
        name: "OpenRouter",
        base_url: "https://openrouter.ai/api/v1",
        dialect: Dialect::OpenAiCompletions,
        key_variables: &["OPENROUTER_API_KEY"],
        region: None,
        models: &[
            thinking("minimax/minimax-m2.1", 196_608, 65_536),
            thinking("minimax/minimax-m2", 196_608, 65_536),
            all_round("anthropic/claude-sonnet-4.5", 1_000_000, 64_000),
            thinking("moonshotai/kimi-k2-thinking", 262_144, 65_536),
            thinking("z-ai/glm-4.7", 202_752, 65_536),
            thinking("deepseek/deepseek-v3.2", 163_840, 65_536),
        ],
    },
    HostedProvider {
        id: "minimax",
        name: "MiniMax",
        base_url: "https://api.minimax.io/anthropic",
        dialect: Dialect::AnthropicMessages,
        key_variables: &["MINIMAX_API_KEY"],
        region: None,
        models: &[thinking("MiniMax-M2.1", 204_800, 65_536), thinking("MiniMax-M2", 204_800, 65_536)],
    },
    HostedProvider {
        id: "moonshot",
        name: "Moonshot AI",
        base_url: "https://api.moonshot.ai/v1",
        dialect: Dialect::OpenAiCompletions,
        key_variables: &["MOONSHOT_API_KEY"],
        region: None,
        models: &[
            all_round("kimi-k2.5", 262_144, 32_768),
            thinking("kimi-k2-thinking", 262_144, 32_768),
            text("kimi-k2-0905-preview", 262_144, 16_384),
        ],
    },
    HostedProvider {
        id: "kimi-coding",
        name: "Kimi for Coding",
        base_url: "https://api.kimi.com/coding",
        dialect: Dialect::AnthropicMessages,
        key_variables: &["KIMI_API_KEY", "KIMICODE_API_KEY"],
        region: None,
        models: &[all_round("k2p5", 262_144, 32_768), thinking("kimi-for-coding", 262_144, 32_768)],
    },
    HostedProvider {
        id: "zai",
        name: "Z.AI",
        base_url: "https://api.z.ai/api/coding/paas/v4",
        dialect: Dialect::OpenAiCompletions,
        key_variables: &["ZAI_API_KEY", "Z_AI_API_KEY"],
        region: None,
        models: &[
            thinking("glm-5", 204_800, 131_072),
            thinking("glm-4.7", 204_800, 131_072),
            thinking("glm-4.6", 204_800, 131_072),
            thinking("glm-4.5-air", 131_072, 98_304),
        ],
    },
    HostedProvider {
        id: "groq",
        name: "Groq",
        base_url: "https://api.groq.com/openai/v1",
        dialect: Dialect::OpenAiCompletions,
        key_variables: &["GROQ_API_KEY"],
        region: None,
        models: &[
            text("llama-3.3-70b-versatile", 131_072, 32_768),
            thinking("openai/gpt-oss-120b", 131_072, 65_536),
            thinking("openai/gpt-oss-20b", 131_072, 65_536),
        ],
    },
    HostedProvider {
        id: "cerebras",
        name: "Cerebras",
        base_url: "https://api.cerebras.ai/v1",
        dialect: Dialect::OpenAiCompletions,
        key_variables: &["CEREBRAS_API_KEY"],
        region: None,
        models: &[thinking("gpt-oss-120b", 131_072, 32_768), thinking("zai-glm-4.7", 131_072, 40_960)],
    },
    HostedProvider {
        id: "xai",
        name: "xAI",
        base_url: "https://api.x.ai/v1",
        dialect: Dialect::OpenAiCompletions,
        key_variables: &["XAI_API_KEY"],
        region: None,
        models: &[all_round("grok-4", 256_000, 64_000), all_round("grok-4-fast", 2_000_000, 30_000)],
    },
    HostedProvider {
        id: "mistral",
        name: "Mistral",
        base_url: "https://api.mistral.ai/v1",
        dialect: Dialect::OpenAiCompletions,
        key_variables: &["MISTRAL_API_KEY"],
        region: None,
        models: &[seeing("mistral-large-latest", 262_144, 32_768), text("devstral-latest", 262_144, 32_768)],
    },
    HostedProvider {
        id: "deepseek",
        name: "DeepSeek",
        base_url: "https://api.deepseek.com/v1",
        dialect: Dialect::OpenAiCompletions,
        key_variables: &["DEEPSEEK_API_KEY"],
        region: None,
        models: &[text("deepseek-chat", 131_072, 8_192), thinking("deepseek-reasoner", 131_072, 65_536)],
    },
    HostedProvider {
        id: "together",
        name: "Together AI",
        base_url: "https://api.together.xyz/v1",
        dialect: Dialect::OpenAiCompletions,
        key_variables: &["TOGETHER_API_KEY"],
        region: None,
        models: &[text("meta-llama/Llama-3.3-70B-Instruct-Turbo", 131_072, 8_192), thinking("zai-org/GLM-4.7", 202_752, 8_192)],
    },
    HostedProvider {
        id: "venice",
        name: "Venice",
        base_url: "https://api.venice.ai/api/v1",
        dialect: Dialect::OpenAiCompletions,
        key_variables: &["VENICE_API_KEY"],
        region: None,
        models: &[text("llama-3.3-70b", 131_072, 8_192), thinking("qwen3-235b-a22b-thinking-2507", 131_072, 8_192)],
    },
    HostedProvider {
        id: "synthetic",
        name: "Synthetic",
        base_url: "https://api.synthetic.new/anthropic",
        dialect: Dialect::AnthropicMessages,
        key_variables: &["SYNTHETIC_API_KEY"],
        region: None,
        models: &[thinking("hf:MiniMaxAI/MiniMax-M2.1", 192_000, 65_536), thinking("hf:zai-org/GLM-4.7", 198_000, 65_536)],
    },
    HostedProvider {
        id: "huggingface",
        name: "Hugging Face",
        base_url: "https://router.huggingface.co/v1",
        dialect: Dialect::OpenAiCompletions,
        key_variables: &["HF_TOKEN", "HUGGINGFACE_HUB_TOKEN"],
        region: None,
        models: &[],
    },
    HostedProvider {
        id: "vercel-ai-gateway",
        name: "Vercel AI Gateway",
        base_url: "https://ai-gateway.vercel.sh",
        dialect: Dialect::AnthropicMessages,
        key_variables: &["AI_GATEWAY_API_KEY"],
        region: None,
        models: &[],
    },
    HostedProvider {
        id: "opencode",
        name: "OpenCode Zen",
        base_url: "https://opencode.ai/zen/v1",
        dialect: Dialect::OpenAiCompletions,
        key_variables: &["OPENCODE_API_KEY", "OPENCODE_ZEN_API_KEY"],
        region: None,
        models: &[],
    },
    HostedProvider {
        id: "qwen-portal",
        name: "Qwen Portal",
        base_url: "https://portal.qwen.ai/v1",
        dialect: Dialect::OpenAiCompletions,
        key_variables: &["QWEN_PORTAL_API_KEY"],
        region: None,
        models: &[],
    },
    HostedProvider {
        id: "xiaomi",
        name: "Xiaomi MiMo",
        base_url: "https://api.xiaomimimo.com/anthropic",
        dialect: Dialect::AnthropicMessages,
        key_variables: &["XIAOMI_API_KEY"],
        region: None,
        models: &[text("mimo-v2-flash", 262_144, 8_192)],
    },
    HostedProvider {
        id: "qianfan",
        name: "Baidu Qianfan",
        base_url: "https://qianfan.baidubce.com/v2",
        dialect: Dialect::OpenAiCompletions,
        key_variables: &["QIANFAN_API_KEY"],
        region: Some("cn"),
        models: &[],
    },
];
