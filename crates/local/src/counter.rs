//! Counting tokens exactly, where a server offers that.
//!
//! | server | chat | plain text |
//! |---|---|---|
//! | llama.cpp | `/v1/chat/completions/input_tokens`, else `/apply-template` and `/tokenize` | `/tokenize` |
//! | vLLM | `/tokenize` with `messages` | `/tokenize` with `prompt` |
//! | SGLang | – | `/tokenize` with `prompt` |
//!
//! None of the others counts without generating.

use std::time::Duration;

use krabba_net::{Bytes, HttpClient, HttpRequest};
use krabba_types::{JsonObject, ModelId, ServerKind};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::asker::{Answer, fetch};
use crate::endpoint::join;
use crate::{Endpoint, Report, wire};

/// Counts tokens at one server.
pub struct TokenCounter<'a> {
    /// The client.
    pub http: &'a HttpClient,
    /// Whom to ask, with its key.
    pub endpoint: &'a Endpoint,
    /// What it said about itself.
    pub report: &'a Report,
    /// For one count, all questions together.
    pub budget: Duration,
}

/// What is counted.
#[derive(Clone, Copy, Debug)]
pub enum Countable<'a> {
    /// The body of a chat completions request (`messages`, `tools`); counted as the model's template renders it.
    Chat(&'a JsonObject),
    /// A text by itself.
    Text(&'a str),
}

/// No exact count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CountError {
    /// The server does not offer this.
    #[error("{server} does not count tokens")]
    NotOffered {
        /// The software.
        server: &'static str,
    },
    /// It does, and it did not work.
    #[error("{url} did not count: {reason}")]
    Failed {
        /// Who was asked last.
        url: String,
        /// What came of it.
        reason: String,
    },
}

impl TokenCounter<'_> {
    /// Tokens of `countable` as `model` reads it.
    ///
    /// # Errors
    /// When the server does not offer it, or did not answer in time. An estimate has to do then.
    pub async fn count(&self, model: &ModelId, countable: Countable<'_>) -> Result<u32, CountError> {
        let deadline = Instant::now() + self.budget;
        match (self.report.kind, countable) {
            (ServerKind::LlamaCpp, Countable::Chat(body)) => self.llama_chat(model, body, deadline).await,
            (ServerKind::LlamaCpp, Countable::Text(text)) => self.llama_text(model, text, deadline).await,
            (ServerKind::Vllm, Countable::Chat(body)) => {
                let mut asked = json!({ "model": model.as_str(), "add_generation_prompt": true });
                copy(body, &mut asked, &["messages", "tools", "chat_template_kwargs"]);
                self.ask("/tokenize", &asked, deadline).await.and_then(|(url, reply)| tokens_in(&url, &reply))
            }
            (ServerKind::Vllm | ServerKind::Sglang, Countable::Text(text)) => {
                let asked = json!({ "model": model.as_str(), "prompt": text });
                self.ask("/tokenize", &asked, deadline).await.and_then(|(url, reply)| tokens_in(&url, &reply))
            }
            (
                ServerKind::LmStudio
                | ServerKind::Ollama
                | ServerKind::Sglang
                | ServerKind::LiteLlm
                | ServerKind::Mlx
                | ServerKind::LocalAi
                | ServerKind::Jan
                | ServerKind::OpenAi
                | ServerKind::Anthropic
                | ServerKind::OpenRouter
                | ServerKind::Other,
                _,
            ) => Err(CountError::NotOffered { server: self.report.kind.name() }),
        }
    }

    async fn llama_chat(&self, model: &ModelId, body: &JsonObject, deadline: Instant) -> Result<u32, CountError> {
        let mut asked = json!({ "model": model.as_str() });
        copy(body, &mut asked, &["messages", "tools", "chat_template_kwargs", "reasoning_effort"]);
        if let Ok((url, reply)) = self.ask("/v1/chat/completions/input_tokens", &asked, deadline).await {
            return tokens_in(&url, &reply);
        }
        // Builds without that path render and count in two steps.
        let (url, rendered) = self.ask("/apply-template", &asked, deadline).await?;
        let Some(prompt) = rendered.get("prompt").and_then(Value::as_str) else {
            return Err(CountError::Failed { url, reason: "there is no prompt in its answer".to_owned() });
        };
        self.llama_text(model, prompt, deadline).await
    }

    async fn llama_text(&self, model: &ModelId, text: &str, deadline: Instant) -> Result<u32, CountError> {
        // A rendered prompt holds special tokens, which must count as one each.
        let asked = json!({ "model": model.as_str(), "content": text, "add_special": true, "parse_special": true });
        let (url, reply) = self.ask("/tokenize", &asked, deadline).await?;
        tokens_in(&url, &reply)
    }

    async fn ask(&self, path: &str, body: &Value, deadline: Instant) -> Result<(String, Value), CountError> {
        let root = Endpoint::new(self.report.url.clone()).roots().into_iter().next();
        let Some(root) = root else { return Err(CountError::Failed { url: self.report.url.clone(), reason: "not an address".to_owned() }) };
        let url = join(&root, path);
        let request = HttpRequest::post_json(url.clone(), Bytes::from(body.to_string()));
        let failed = |reason: String| CountError::Failed { url: krabba_net::display_url(&url), reason };
        let answer: Answer = fetch(self.http, self.endpoint, request, deadline).await.map_err(|outcome| failed(outcome.to_string()))?;
        match answer.success() {
            Some(reply) => Ok((krabba_net::display_url(&url), reply.clone())),
            None => Err(failed(format!("status {} {}", answer.status, answer.complaint().chars().take(200).collect::<String>()))),
        }
    }
}

/// `input_tokens` (llama.cpp), `count` (vLLM, SGLang), else the length of `tokens`.
fn tokens_in(url: &str, reply: &Value) -> Result<u32, CountError> {
    let listed = reply.get("tokens").and_then(Value::as_array).and_then(|tokens| u32::try_from(tokens.len()).ok());
    let count = wire::count(reply, "/input_tokens").or(wire::count(reply, "/count")).or(listed);
    count.ok_or_else(|| CountError::Failed { url: url.to_owned(), reason: "there is no count in its answer".to_owned() })
}

fn copy(from: &JsonObject, into: &mut Value, fields: &[&str]) {
    let Some(into) = into.as_object_mut() else { return };
    for field in fields {
        if let Some(value) = from.get(*field) {
            into.insert((*field).to_owned(), value.clone());
        }
    }
}
