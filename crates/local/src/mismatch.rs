//! Where the user's file and the server disagree, and how to change either.

use std::fmt;

use krabba_types::{ModelId, ServerKind, grouped};

use crate::{Configured, Report};

/// A disagreement about one figure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// Which one.
    pub figure: Figure,
    /// In the user's file, in tokens.
    pub configured: u32,
    /// At the server, in tokens.
    pub server: u32,
    /// How to change the user's file.
    pub change_configuration: String,
    /// How to change the server; none where that is not possible.
    pub change_server: Option<String>,
}

/// What can disagree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Figure {
    /// The window of the loaded instance.
    LoadedWindow,
    /// The most that the model can be loaded with.
    MaximumWindow,
    /// The longest answer, which does not fit into the window.
    Output,
}

impl Mismatch {
    /// What disagrees, for a person.
    pub fn what(&self) -> String {
        let (configured, server) = (grouped(self.configured), grouped(self.server));
        match self.figure {
            Figure::LoadedWindow => format!("configured with a window of {configured} tokens, loaded with {server}"),
            Figure::MaximumWindow => format!("configured with a window of {configured} tokens, the model takes {server} at most"),
            Figure::Output => format!("configured for answers of {configured} tokens, the window has {server} in all"),
        }
    }

    /// How to change either, for a person.
    pub fn remedy(&self) -> String {
        let server = self.change_server.as_ref().map(|change| format!(", or {change}")).unwrap_or_default();
        format!("{}{server}", self.change_configuration)
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}; {}", self.what(), self.remedy())
    }
}

/// Where `configured` and the server disagree about `model`. A window configured smaller than the loaded one is the user's choice
/// and still listed, because part of the memory then goes unused.
pub fn mismatches(report: &Report, model: &ModelId, configured: &Configured) -> Vec<Mismatch> {
    let Some(entry) = report.model(model) else { return Vec::new() };
    let mut found = Vec::new();
    let mut note = |figure, configured, server, change_configuration, change_server| {
        found.push(Mismatch { figure, configured, server, change_configuration, change_server });
    };
    let loaded = entry.window.filter(|_| entry.loaded == Some(true));
    if let Some(window) = configured.window {
        let change = |tokens| format!("set contextWindow to {tokens}");
        match (loaded, entry.max_window) {
            (_, Some(maximum)) if window > maximum => {
                note(Figure::MaximumWindow, window, maximum, change(loaded.unwrap_or(maximum)), None);
            }
            (Some(loaded), _) if window != loaded => {
                note(Figure::LoadedWindow, window, loaded, change(loaded), raise_window(report.kind, model, window));
            }
            (Some(_) | None, _) => {}
        }
    }
    if let (Some(output), Some(window)) = (configured.max_output, loaded)
        && output >= window
    {
        let change = format!("set maxTokens to {} or less", window / 2);
        note(Figure::Output, output, window, change, raise_window(report.kind, model, output.saturating_mul(2)));
    }
    found
}

/// How a person gets `model` a window of `tokens`, in the server's own terms; none for servers where only their operator can.
pub fn raise_window(kind: ServerKind, model: &ModelId, tokens: u32) -> Option<String> {
    match kind {
        ServerKind::LmStudio => {
            Some(format!("reload it in LM Studio with a context length of {tokens} (`lms load {model} --context-length {tokens}`)"))
        }
        ServerKind::LlamaCpp => Some(format!("start llama-server with `-c {tokens}` (times the number of slots `-np`)")),
        ServerKind::Ollama => Some(format!(
            "set contextWindow to {tokens} and api to \"ollama\", with which krabba asks for it by `num_ctx`; for every program set OLLAMA_CONTEXT_LENGTH={tokens}"
        )),
        ServerKind::Vllm => Some(format!("start vLLM with `--max-model-len {tokens}`")),
        ServerKind::Sglang => Some(format!("start SGLang with `--context-length {tokens}`")),
        ServerKind::LocalAi => Some(format!("set `context_size: {tokens}` in the model's YAML file")),
        ServerKind::Jan => Some(format!("set the context size to {tokens} in Jan's model settings")),
        ServerKind::LiteLlm | ServerKind::Mlx | ServerKind::OpenAi | ServerKind::Anthropic | ServerKind::OpenRouter | ServerKind::Other => {
            None
        }
    }
}
