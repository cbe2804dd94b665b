//! What is known about the place where something went wrong.

use krabba_redact::Redactor;
use krabba_types::{Dialect, ModelId, ModelRef, ServerKind};

use crate::Target;

/// The surroundings of a fault: they decide how a text of the server is read, and go into the message for people.
#[derive(Clone, Debug)]
pub struct Site {
    /// The software that answers.
    pub server: ServerKind,
    /// The route.
    pub route: ModelRef,
    /// The wire format.
    pub dialect: Dialect,
    /// Where the request went, without credentials and query.
    pub url: String,
    /// Removes secrets from what the server says.
    pub redactor: Redactor,
}

impl Site {
    /// The site of a call to `target` at `url`.
    pub fn of(target: &Target, url: String, redactor: Redactor) -> Self {
        Self { server: target.shape.server, route: target.route.clone(), dialect: target.dialect, url, redactor }
    }

    /// The model's id as the server knows it.
    pub fn model(&self) -> &ModelId {
        &self.route.model
    }

    /// For messages: `LM Studio at http://127.0.0.1:1234/v1/responses`, or the provider's name where the software is unknown.
    pub fn who(&self) -> String {
        match self.server {
            ServerKind::Other => format!("{} at {}", self.route.provider, self.url),
            ServerKind::LmStudio
            | ServerKind::LlamaCpp
            | ServerKind::Ollama
            | ServerKind::Vllm
            | ServerKind::Sglang
            | ServerKind::LiteLlm
            | ServerKind::Mlx
            | ServerKind::LocalAi
            | ServerKind::Jan
            | ServerKind::OpenAi
            | ServerKind::Anthropic
            | ServerKind::OpenRouter => format!("{} at {}", self.server.name(), self.url),
        }
    }
}
