//! Everything that shapes the wire for one route.

use std::collections::BTreeSet;

use krabba_types::{JsonObject, ModelRef, ServerKind, TemplateFamily};

use crate::Compat;

/// What the encoder needs to know about the route that it writes for. Resolved once per route by the caller.
#[derive(Clone, Debug, PartialEq)]
pub struct Shape {
    /// The software behind the endpoint; decides the defaults.
    pub server: ServerKind,
    /// The route itself: reasoning is sent back only to the route that produced it.
    pub route: ModelRef,
    /// The switches that the user set.
    pub compat: Compat,
    /// Paths of body fields that are never sent (`stream_options`, `reasoning.effort`, `tools.function.strict`),
    /// usually learned from a 400. Positions in a path (`tools[0].function.strict`, `tools.0.…`) stand for all
    /// positions. `model` and the conversation itself cannot be dropped.
    pub dropped: BTreeSet<String>,
    /// Whether pictures are sent. When not, a line of text stands in their place.
    pub vision: bool,
    /// The configuration's `reasoning`: `false` means that thinking is never asked for.
    pub reasoning: bool,
    /// The family of the chat template, which decides how thinking is switched.
    pub family: TemplateFamily,
    /// Ollama's `options.num_ctx` in tokens. Must not change between requests: a different value reloads the model.
    pub num_ctx: Option<u32>,
    /// Ollama's `keep_alive` (`"10m"`, `"-1"`).
    pub keep_alive: Option<String>,
    /// LM Studio's `ttl` in seconds for a model that it loads by request.
    pub ttl: Option<u32>,
    /// OpenRouter's `provider` object. Sent to any server for which it is configured, and never dropped.
    pub provider_routing: Option<JsonObject>,
    /// Whether to ask for a stream; `true` unless a server failed at streaming this very turn.
    pub stream: bool,
}

impl Shape {
    /// The shape of a route about which nothing else is known: no pictures, no thinking asked for, streaming.
    pub fn new(server: ServerKind, route: ModelRef) -> Self {
        Self {
            server,
            route,
            compat: Compat::default(),
            dropped: BTreeSet::new(),
            vision: false,
            reasoning: false,
            family: TemplateFamily::Unknown,
            num_ctx: None,
            keep_alive: None,
            ttl: None,
            provider_routing: None,
            stream: true,
        }
    }

    /// Whether pictures may stand in this route's messages.
    pub(crate) fn shows_images(&self) -> bool {
        self.vision && self.compat.history.requires_string_content != Some(true)
    }

    /// Whether a field was refused before.
    pub(crate) fn refuses(&self, field: &str) -> bool {
        self.dropped.contains(field)
    }

    /// A server that runs on somebody's own machine and ignores what it does not know, so that "do not think" may be
    /// sent to a model that never would.
    pub(crate) fn is_self_hosted(&self) -> bool {
        match self.server {
            ServerKind::LmStudio
            | ServerKind::LlamaCpp
            | ServerKind::Ollama
            | ServerKind::Vllm
            | ServerKind::Sglang
            | ServerKind::Mlx
            | ServerKind::LocalAi
            | ServerKind::Jan => true,
            ServerKind::LiteLlm | ServerKind::OpenAi | ServerKind::Anthropic | ServerKind::OpenRouter | ServerKind::Other => false,
        }
    }
}
