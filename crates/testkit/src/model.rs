//! A model that a scripted server offers.

use serde::{Deserialize, Serialize};

/// A model: what the server says about it, and what is really so.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Model {
    /// Its id on the wire.
    pub id: String,
    /// Tokens of prompt and answer with which it is (or will be) loaded, as the server reports it.
    pub window: u32,
    /// What it could be loaded with.
    pub max_window: u32,
    /// What it really takes, where the server reports something else.
    pub true_window: Option<u32>,
    /// The window from a given request on.
    pub later_window: Option<LaterWindow>,
    /// Whether it is in memory when the server starts.
    pub loaded: bool,
    /// What happens to a prompt that does not fit.
    pub overflow: Overflow,
    /// The name that answers carry, where it is another.
    pub answers_as: Option<String>,
    /// Listed, but gone when it is used.
    pub vanished: bool,
    /// Its weights and abilities, as listings show them.
    pub card: Card,
}

impl Default for Model {
    fn default() -> Self {
        Self {
            id: "scripted".to_owned(),
            window: 8192,
            max_window: 32_768,
            true_window: None,
            later_window: None,
            loaded: true,
            overflow: Overflow::Usual,
            answers_as: None,
            vanished: false,
            card: Card::default(),
        }
    }
}

impl Model {
    /// A loaded model with a window of 8,192 of 32,768 tokens.
    pub fn new(id: impl Into<String>) -> Self {
        Self { id: id.into(), ..Self::default() }
    }
}

/// What listings show about a model's weights and abilities.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Card {
    /// Billions of parameters.
    pub billions: f64,
    /// Name of the quantisation.
    pub quantization: String,
    /// Bits per weight.
    pub bits: f64,
    /// Bytes on disk.
    pub size_bytes: u64,
    /// Architecture (`qwen3`, `llama`), from which a template family can be guessed.
    pub architecture: String,
    /// Whether it sees pictures.
    pub vision: bool,
    /// Whether it calls tools.
    pub tools: bool,
    /// Whether it reasons.
    pub reasoning: bool,
    /// An embedding model.
    pub embedding: bool,
    /// Other quantisations on disk.
    pub variants: Vec<String>,
    /// Where it really runs, when the server only passes requests on (Ollama's cloud models).
    pub remote_host: Option<String>,
}

impl Default for Card {
    fn default() -> Self {
        Self {
            billions: 8.0,
            quantization: "Q4_K_M".to_owned(),
            bits: 4.0,
            size_bytes: 4_900_000_000,
            architecture: "qwen3".to_owned(),
            vision: false,
            tools: true,
            reasoning: false,
            embedding: false,
            variants: Vec::new(),
            remote_host: None,
        }
    }
}

/// A window that changes while the server runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LaterWindow {
    /// From this generation request on, counted from 1.
    pub from: u64,
    /// The window then.
    pub window: u32,
}

/// What happens to a prompt that is larger than the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Overflow {
    /// What this kind of server does, in its present words.
    #[default]
    Usual,
    /// An error, in the words of older releases of this kind of server, where there are any.
    OlderWords,
    /// An error in the words of the server's other engine (LM Studio's MLX), where there is one.
    OtherEngine,
    /// Cut without a word; the reported prompt stands at the window.
    Truncate,
    /// A stream without a single delta (LM Studio, GGUF engine).
    EmptyStream,
    /// Not looked at.
    Ignore,
}
