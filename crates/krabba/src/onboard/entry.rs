//! What stands in a configuration for a server that was found.

use krabba_local::{Report, WhyHosted, url_residency, why_hosted};
use krabba_net::Url;
use krabba_route::find_hosted;
use krabba_types::{Dialect, ModelId, ProviderId, Residency, Secret, ServerKind};
use serde_json::{Map, Value, json};

/// Enough to choose from in the file; a server's other models stay reachable by name.
const MOST_MODELS: usize = 13;

/// A provider for a configuration.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// The key under `models.providers`.
    pub(crate) id: String,
    /// The name of the software, for people.
    pub(crate) server: String,
    /// The URL that answered.
    pub(crate) base_url: String,
    /// The wire format.
    pub(crate) dialect: Dialect,
    /// The key that the server wants, if any.
    pub(crate) key: Option<Key>,
    /// The models that the server has, the chosen one first.
    pub(crate) models: Vec<ModelId>,
    /// Why the chosen one counts as hosted.
    pub(crate) hosted: Option<WhyHosted>,
}

/// Where a server's key comes from.
#[derive(Clone, Debug)]
pub(crate) enum Key {
    /// A person typed it.
    Typed(Secret),
    /// A variable of the environment.
    Variable(String),
}

impl Entry {
    /// The server of `report`, with `model` chosen. `is_taken` says which ids other providers have.
    pub(crate) fn new(report: &Report, model: &ModelId, key: Option<Key>, is_taken: impl Fn(&str) -> bool) -> Self {
        let hosted = is_hosted(report, model);
        // Models at home and models that are not are different things to choose; one never comes along with the other.
        let others = report.models.iter().filter(|other| other.converses() && other.id != *model);
        let alike = others.filter(|other| is_hosted(report, &other.id).is_some() == hosted.is_some());
        Self {
            id: free_id(report, is_taken),
            server: report.kind.name().to_owned(),
            base_url: base_url(report),
            dialect: dialect(report.kind),
            key,
            models: std::iter::once(model).chain(alike.map(|other| &other.id)).take(MOST_MODELS).cloned().collect(),
            hosted,
        }
    }

    /// The chosen model, as a reference.
    pub(crate) fn reference(&self) -> String {
        format!("{}/{}", self.id, self.models.first().map(ModelId::as_str).unwrap_or_default())
    }

    /// The value under `models.providers`.
    pub(crate) fn value(&self) -> Value {
        let mut value = Map::new();
        value.insert("baseUrl".to_owned(), json!(self.base_url));
        if let Some(key) = &self.key {
            value.insert("apiKey".to_owned(), json!(key.written()));
        }
        value.insert("api".to_owned(), json!(self.dialect.name()));
        value.insert("models".to_owned(), self.models.iter().map(|id| json!({ "id": id })).collect());
        Value::Object(value)
    }
}

impl Key {
    /// What the configuration has for it.
    pub(crate) fn written(&self) -> String {
        match self {
            Self::Typed(secret) => secret.expose().to_owned(),
            Self::Variable(name) => format!("${{{name}}}"),
        }
    }
}

/// Why a model of a server counts as hosted; none for one at home.
pub(crate) fn is_hosted(report: &Report, model: &ModelId) -> Option<WhyHosted> {
    why_hosted(&Url::parse(&report.url).ok()?, report, model)
}

/// The software's name, or the host's where that is not known, with a number where somebody has it. The ids of the built-in providers are
/// never free: their keys would go to this server.
fn free_id(report: &Report, is_taken: impl Fn(&str) -> bool) -> String {
    let wanted = match report.kind {
        ServerKind::Other => host_id(&report.url),
        kind => provider_name(kind).to_owned(),
    };
    let is_taken = |id: &str| is_taken(id) || find_hosted(&ProviderId::new(id)).is_some();
    let mut id = wanted.clone();
    let mut number = 1;
    while is_taken(&id) {
        number += 1;
        id = format!("{wanted}-{number}");
    }
    id
}

/// `local` on this machine, else the host with dashes: `gpubox-lan`, `192-168-1-20`.
fn host_id(url: &str) -> String {
    let Ok(url) = Url::parse(url) else { return "local".to_owned() };
    if url_residency(&url) == Residency::Device {
        return "local".to_owned();
    }
    let host = url.host_str().unwrap_or_default().to_ascii_lowercase();
    let words: Vec<&str> = host.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    words.join("-")
}

/// What a provider of this software is called.
pub(super) fn provider_name(kind: ServerKind) -> &'static str {
    match kind {
        ServerKind::LmStudio => "lmstudio",
        ServerKind::LlamaCpp => "llama-cpp",
        ServerKind::Ollama => "ollama",
        ServerKind::Vllm => "vllm",
        ServerKind::Sglang => "sglang",
        ServerKind::LiteLlm => "litellm",
        ServerKind::Mlx => "mlx",
        ServerKind::LocalAi => "localai",
        ServerKind::Jan => "jan",
        ServerKind::OpenAi => "openai",
        ServerKind::Anthropic => "anthropic",
        ServerKind::OpenRouter => "openrouter",
        ServerKind::Other => "local",
    }
}

/// The wire format in which a server says the most: LM Studio separates reasoning in Responses, Ollama keeps the window
/// only natively, the others are at their best with Chat Completions.
fn dialect(kind: ServerKind) -> Dialect {
    match kind {
        ServerKind::LmStudio | ServerKind::OpenAi => Dialect::OpenAiResponses,
        ServerKind::Ollama => Dialect::Ollama,
        ServerKind::Anthropic => Dialect::AnthropicMessages,
        ServerKind::LlamaCpp
        | ServerKind::Vllm
        | ServerKind::Sglang
        | ServerKind::LiteLlm
        | ServerKind::Mlx
        | ServerKind::LocalAi
        | ServerKind::Jan
        | ServerKind::OpenRouter
        | ServerKind::Other => Dialect::OpenAiCompletions,
    }
}

fn base_url(report: &Report) -> String {
    match report.kind {
        ServerKind::Ollama => report.url.trim_end_matches('/').trim_end_matches("/v1").to_owned(),
        _ => report.url.clone(),
    }
}
