//! Where a request goes, and under which header the key goes with it.

use krabba_types::{Dialect, ServerKind};

/// The header that carries a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyHeader {
    /// `Authorization: Bearer …`.
    Bearer,
    /// `x-api-key: …`.
    XApiKey,
}

impl KeyHeader {
    /// The header's name, lower case.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bearer => "authorization",
            Self::XApiKey => "x-api-key",
        }
    }

    /// The header's value for `key`.
    pub fn value(self, key: &str) -> String {
        match self {
            Self::Bearer => format!("Bearer {key}"),
            Self::XApiKey => key.to_owned(),
        }
    }
}

/// The header for a key. Anthropic and the hosted services that imitate it want `x-api-key`; the local servers'
/// Anthropic surfaces all take a bearer token, and vLLM takes nothing else.
pub fn key_header(dialect: Dialect, server: ServerKind) -> KeyHeader {
    match (dialect, server) {
        (Dialect::AnthropicMessages, ServerKind::Anthropic | ServerKind::Other) => KeyHeader::XApiKey,
        (
            Dialect::AnthropicMessages,
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
            | ServerKind::OpenRouter,
        )
        | (Dialect::OpenAiResponses | Dialect::OpenAiCompletions | Dialect::Ollama, _) => KeyHeader::Bearer,
    }
}

/// The full URL for a dialect under a configured base.
///
/// A base without any path gets `/v1` (LM Studio answers 200 with an error text to `/chat/completions` alone); a base
/// with a path is taken as meant, since not every service calls its version `v1` (Z.AI: `/api/paas/v4`). Anthropic
/// bases come without `/v1` by custom and get it unless they end with a version already. Ollama's native API lies
/// beside `/v1`, so that is taken off. A base that is the full URL already stays as it is. A query is kept.
pub fn endpoint_url(dialect: Dialect, base: &str) -> String {
    let base = base.trim();
    let (address, query) = match base.split_once('?') {
        Some((address, query)) => (address, Some(query)),
        None => (base, None),
    };
    let address = address.trim_end_matches('/');
    let url = match dialect {
        Dialect::OpenAiResponses => under_version(address, "/responses"),
        Dialect::OpenAiCompletions => under_version(address, "/chat/completions"),
        Dialect::AnthropicMessages => anthropic(address),
        Dialect::Ollama => ollama(address),
    };
    match query {
        Some(query) => format!("{url}?{query}"),
        None => url,
    }
}

fn under_version(address: &str, path: &str) -> String {
    // People paste the URL of the other OpenAI surface, too.
    let address = ["/chat/completions", "/responses"].iter().find_map(|known| address.strip_suffix(known)).unwrap_or(address);
    if has_path(address) { format!("{address}{path}") } else { format!("{address}/v1{path}") }
}

fn anthropic(address: &str) -> String {
    let address = address.strip_suffix("/messages").unwrap_or(address);
    if ends_with_version(address) { format!("{address}/messages") } else { format!("{address}/v1/messages") }
}

fn ollama(address: &str) -> String {
    let origin =
        ["/api/chat", "/v1/chat/completions", "/api", "/v1"].iter().find_map(|known| address.strip_suffix(known)).unwrap_or(address);
    format!("{}/api/chat", origin.trim_end_matches('/'))
}

fn has_path(address: &str) -> bool {
    let after_scheme = address.split_once("://").map_or(address, |(_, rest)| rest);
    after_scheme.contains('/')
}

/// `…/v1`, `…/v4`, `…/v1beta`.
fn ends_with_version(address: &str) -> bool {
    let last = address.rsplit('/').next().unwrap_or_default();
    last.strip_prefix('v').is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))
}
