//! A model as its server describes it.

use krabba_types::{ModelId, TemplateFamily};

use crate::family;

/// One entry of a server's listing. What the server does not say stays `None`, which is never the same as "no".
#[derive(Clone, Debug, PartialEq)]
pub struct ServerModel {
    /// As the server named it; goes out byte for byte.
    pub id: ModelId,
    /// Whether it is in memory now. `None` where a server lists models without saying so.
    pub loaded: Option<bool>,
    /// Whether it is on its way into memory. Then `loaded` is `Some(false)`.
    pub loading: bool,
    /// Tokens of prompt and answer together that the loaded instance takes (llama.cpp: per slot). For a model that is
    /// not loaded: what it will take, when the server says that.
    pub window: Option<u32>,
    /// The most that it could be loaded with.
    pub max_window: Option<u32>,
    /// Requests at a time, where the server says so per model (LM Studio `parallel`).
    pub slots: Option<u32>,
    /// Its size in every sense.
    pub weights: Weights,
    /// What it can do.
    pub abilities: Abilities,
    /// The host that really runs it, for an entry that the server only forwards (Ollama `remote_host`).
    pub remote_host: Option<String>,
}

impl ServerModel {
    /// Whether it can be talked to: it does more than make vectors, and is no pattern for whatever is asked for (LiteLLM's `openai/*`).
    pub fn converses(&self) -> bool {
        !self.abilities.embedding && !self.id.as_str().contains('*')
    }

    /// An entry that says nothing but the id. Size, quantisation and family are read off the name, as far as it tells.
    pub fn new(id: impl Into<String>) -> Self {
        let id = id.into();
        let weights = Weights::of_name(&id);
        let abilities = Abilities::of_name(&id);
        Self {
            id: ModelId::new(id),
            loaded: None,
            loading: false,
            window: None,
            max_window: None,
            slots: None,
            weights,
            abilities,
            remote_host: None,
        }
    }
}

/// How large a model is and how finely its weights are kept.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Weights {
    /// Billions of parameters.
    pub parameters: Option<f64>,
    /// Bits per weight, as reported, else as its quantisation usually has.
    pub bits_per_weight: Option<f64>,
    /// The quantisation's name (`Q4_K_M`, `MXFP4`, `4bit`).
    pub quantization: Option<String>,
    /// Bytes on disk.
    pub size_bytes: Option<u64>,
    /// Other forms of the same model on the disk.
    pub variants: Vec<String>,
}

/// What a model can do, as its server says.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Abilities {
    /// Whether it understands pictures.
    pub vision: Option<bool>,
    /// Whether the server parses its tool calls.
    pub tools: Option<bool>,
    /// How its reasoning is chosen; none when nothing is known about it.
    pub reasoning: Option<ReasoningAbility>,
    /// It makes vectors and cannot answer.
    pub embedding: bool,
    /// Its chat template's family.
    pub family: TemplateFamily,
}

/// How a model's reasoning is chosen.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ReasoningAbility {
    /// The words that the server takes (LM Studio `allowed_options`); empty when it only says that the model reasons.
    pub levels: Vec<String>,
    /// The one it uses unasked.
    pub default: Option<String>,
}

impl Abilities {
    /// What a model's id tells: its family, and whether it only makes vectors (`text-embedding-nomic-embed-text-v1.5`).
    pub(crate) fn of_name(name: &str) -> Self {
        let lower = name.to_ascii_lowercase();
        let embedding = ["embed", "reranker", "bge-", "e5-", "gte-", "minilm"].iter().any(|part| lower.contains(part));
        Self { vision: None, tools: None, reasoning: None, embedding, family: family::of_name(name) }
    }
}
