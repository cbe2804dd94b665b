//! What the router is told once, at the start: providers, choices, names and permissions, already resolved from the
//! user's file. Nothing in here is looked up or parsed again.

use std::collections::BTreeMap;
use std::path::PathBuf;

use krabba_llm::Compat;
use krabba_local::ServiceSettings;
use krabba_net::display_url;
use krabba_types::{AgentId, BoxId, Dialect, JsonObject, ModelId, ModelRef, Params, ProviderId, Residency, Secret};

use crate::allow::Allow;
use crate::clocks::ClockSettings;
use crate::residency::ResidencyPolicy;
use crate::tuning::Tuning;

/// Everything the router needs from the configuration.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// In the order of the user's file, then the built-in hosted ones.
    pub providers: Vec<Provider>,
    /// The choice of `agents.defaults`.
    pub default: Selection,
    /// What single agents choose instead.
    pub agents: BTreeMap<AgentId, Selection>,
    /// Names that people use. Compared without regard to case; the user's own go before the built-in ones.
    pub aliases: Vec<Alias>,
    /// What a person may switch to.
    pub allow: Allow,
    /// How far conversations may travel.
    pub residency: ResidencyPolicy,
    /// Where slot locks are kept, so that several processes share a box fairly; without it the queue holds for this
    /// process alone.
    pub slots_dir: Option<PathBuf>,
}

/// A choice of models.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// The first to be asked.
    pub primary: Option<Configured>,
    /// The ones behind it. For an agent `None` means "as the defaults say"; an empty list means none.
    pub fallbacks: Option<Vec<Configured>>,
    /// Asked first when a picture is to be looked at and the first model is not known to see any.
    pub image: Vec<Configured>,
    /// Replaces the global policy for this agent.
    pub residency: Option<ResidencyPolicy>,
    /// Replaces the global allowlist for this agent.
    pub allow: Option<Allow>,
    /// How models are used.
    pub tuning: Tuning,
}

/// A model reference or alias as the user wrote it, with the place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Configured {
    /// As written.
    pub text: String,
    /// `file:line:column`, with the key where that helps.
    pub origin: String,
}

impl Configured {
    /// Puts the two together.
    pub fn new(text: impl Into<String>, origin: impl Into<String>) -> Self {
        Self { text: text.into(), origin: origin.into() }
    }
}

/// Another name for a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alias {
    /// As the user wrote it; may hold spaces.
    pub name: String,
    /// `provider/id`.
    pub target: ModelRef,
    /// Where it is configured.
    pub origin: String,
}

/// Someone who serves models, as the configuration or the built-in catalogue names them.
#[derive(Clone, Debug)]
pub struct Provider {
    /// The key under `models.providers`.
    pub id: ProviderId,
    /// As configured, with or without `/v1`.
    pub base_url: String,
    /// For models that name none of their own.
    pub dialect: Dialect,
    /// In the order in which they are used; none is fine for a local server.
    pub keys: Vec<Key>,
    /// The environment variable to set when a key is needed and there is none.
    pub missing_key: Option<String>,
    /// Sent with every request.
    pub headers: Vec<(String, Secret)>,
    /// How far a conversation travels to get there.
    pub residency: Residency,
    /// The machine behind it.
    pub hosting: Hosting,
    /// Its waiting times, where they differ from the defaults.
    pub clocks: ClockSettings,
    /// What only some servers understand.
    pub extras: Extras,
    /// The models that the user listed.
    pub models: Vec<ModelEntry>,
    /// `file:line:column`, or `built in`.
    pub origin: String,
    /// Out of the built-in catalogue, not of the user's file.
    pub builtin: bool,
}

impl Provider {
    /// The entry of a listed model.
    pub fn entry(&self, model: &ModelId) -> Option<&ModelEntry> {
        self.models.iter().find(|entry| entry.id == *model)
    }

    /// Its address as it may be shown: without user name, password, query and fragment, any of which may hold a secret.
    pub fn shown_url(&self) -> String {
        let with_scheme = if self.base_url.contains("://") { self.base_url.clone() } else { format!("http://{}", self.base_url) };
        match url::Url::parse(&with_scheme) {
            // As the user wrote it, where there is nothing to hide: the library adds slashes and changes case.
            Ok(url) if url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none() => {
                self.base_url.clone()
            }
            Ok(url) => display_url(&url),
            Err(_) => "an address that cannot be read".to_owned(),
        }
    }
}

/// The machine behind a provider, and what we do with it.
#[derive(Clone, Debug)]
pub struct Hosting {
    /// What queues and slots belong to.
    pub box_id: BoxId,
    /// Who says how far away it is.
    pub residency_source: ResidencySource,
    /// Requests at a time, when the user says so.
    pub slots: Option<u32>,
    /// Whether it is asked for its state now and then.
    pub probe: bool,
    /// A command that starts it on demand.
    pub service: Option<ServiceSettings>,
}

/// Who says how far away a provider is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResidencySource {
    /// The owner (`residency`, `region`), or the built-in catalogue. Taken as it is.
    Declared,
    /// Its address. A server that says it forwards to somebody's cloud is believed over it.
    Inferred,
}

/// Fields that only some servers understand.
#[derive(Clone, Debug, Default)]
pub struct Extras {
    /// OpenRouter's `provider` object (`only`, `order`, `allow_fallbacks`, …), passed through unread.
    pub routing: Option<JsonObject>,
    /// Ollama: how long a model stays loaded.
    pub keep_alive: Option<String>,
    /// LM Studio: seconds that a model stays loaded after use.
    pub ttl: Option<u32>,
}

/// A key with its name.
#[derive(Clone, Debug)]
pub struct Key {
    /// The profile it belongs to (`anthropic:work`), or the provider's own name.
    pub profile: String,
    /// The key.
    pub secret: Secret,
    /// Where it came from, for people: `env OPENAI_API_KEY`.
    pub source: String,
}

/// A model that the user listed under a provider.
#[derive(Clone, Debug)]
pub struct ModelEntry {
    /// Goes out byte for byte.
    pub id: ModelId,
    /// For people.
    pub name: Option<String>,
    /// Its own dialect.
    pub dialect: Option<Dialect>,
    /// `false` means: do not ask for reasoning.
    pub reasoning: Option<bool>,
    /// Whether it takes pictures.
    pub vision: Option<bool>,
    /// Tokens of prompt and answer together (the smaller of `contextTokens` and `contextWindow`).
    pub window: Option<u32>,
    /// The longest answer, in tokens.
    pub max_output: Option<u32>,
    /// Its price.
    pub cost: Option<Cost>,
    /// Peculiarities of its wire format.
    pub compat: Compat,
    /// Sampling and pass-through.
    pub params: Params,
    /// Over those of the provider.
    pub headers: Vec<(String, Secret)>,
}

impl ModelEntry {
    /// An entry that says nothing but the id.
    pub fn new(id: ModelId) -> Self {
        Self {
            id,
            name: None,
            dialect: None,
            reasoning: None,
            vision: None,
            window: None,
            max_output: None,
            cost: None,
            compat: Compat::default(),
            params: Params::default(),
            headers: Vec::new(),
        }
    }
}

/// Prices in US dollars for a million tokens.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Cost {
    /// Prompt.
    pub input: f64,
    /// Answer.
    pub output: f64,
    /// Prompt out of the cache.
    pub cache_read: f64,
    /// Prompt into the cache.
    pub cache_write: f64,
}
