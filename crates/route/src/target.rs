//! From what the user configured, what the server says and what was learned, to one call.

use std::collections::BTreeSet;

use krabba_llm::{OrphanPolicy, Shape, Target};
use krabba_local::Report;
use krabba_types::{Dialect, ModelRef, ModelRequest, Params, RouteFacts, Secret, ServerKind, TemplateFamily, Thinking, ToolAbility};

use crate::catalogue;
use crate::clocks::Clocks;
use crate::learned::Lessons;
use crate::prompt::Prepared;
use crate::settings::{ModelEntry, Provider};
use crate::tuning::over;

/// The least room for an answer, whatever the arithmetic says.
const LEAST_OUTPUT: u32 = 256;

/// What this run changed for a route, beyond what is known of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Variation {
    /// Fields refused in this run.
    pub(crate) dropped: BTreeSet<String>,
    /// Another dialect than the configured one.
    pub(crate) dialect: Option<Dialect>,
    /// Thinking off, more room for the answer.
    pub(crate) calmer: bool,
    /// A smaller window than the facts say.
    pub(crate) window: Option<u32>,
    /// Another way of calling tools than the one that was refused.
    pub(crate) tools: Option<ToolAbility>,
}

/// Everything a call is made of.
pub(crate) struct Parts<'a> {
    pub(crate) reference: &'a ModelRef,
    pub(crate) provider: &'a Provider,
    pub(crate) entry: Option<&'a ModelEntry>,
    pub(crate) report: Option<&'a Report>,
    pub(crate) lessons: &'a Lessons,
    pub(crate) facts: &'a RouteFacts,
    pub(crate) variation: &'a Variation,
    pub(crate) dialect: Dialect,
    /// Whether text that was shown can be taken back.
    pub(crate) can_retract: bool,
    /// Ollama's window, which must not change from request to request.
    pub(crate) num_ctx: Option<u32>,
}

/// The dialect for a route: this run's, else the learned one, else the configured one.
pub(crate) fn dialect(provider: &Provider, entry: Option<&ModelEntry>, lessons: &Lessons, variation: &Variation) -> Dialect {
    let configured = entry.and_then(|entry| entry.dialect).unwrap_or(provider.dialect);
    variation.dialect.or(lessons.dialect).unwrap_or(configured)
}

impl Parts<'_> {
    /// Where to send it.
    pub(crate) fn target(&self, key: Option<Secret>, clocks: &Clocks) -> Target {
        let entry_headers = self.entry.map(|entry| entry.headers.as_slice()).unwrap_or_default();
        let own = |name: &str| entry_headers.iter().any(|(other, _)| other.eq_ignore_ascii_case(name));
        let provider_headers = self.provider.headers.iter().filter(|(name, _)| !own(name));
        Target {
            route: self.reference.clone(),
            dialect: self.dialect,
            base_url: self.base_url(),
            key,
            headers: provider_headers.chain(entry_headers).cloned().collect(),
            shape: self.shape(),
            connect_timeout: clocks.connect,
            residency: self.provider.residency.clone(),
            orphan: self.orphan(),
        }
    }

    /// The URL that worked when the server was asked, else the one that is configured.
    fn base_url(&self) -> String {
        match self.report {
            Some(report) if !report.url.is_empty() => report.url.clone(),
            Some(_) | None if self.provider.base_url.contains("://") => self.provider.base_url.clone(),
            Some(_) | None => format!("http://{}", self.provider.base_url),
        }
    }

    fn shape(&self) -> Shape {
        let mut shape = Shape::new(self.facts.server, self.reference.clone());
        shape.compat = self.entry.map(|entry| entry.compat.clone()).unwrap_or_default();
        shape.dropped = self.lessons.dropped.get(&self.dialect).cloned().unwrap_or_default();
        shape.dropped.extend(self.variation.dropped.iter().cloned());
        shape.vision = self.facts.vision.is_some_and(|vision| vision.value);
        let configured = self.entry.filter(|_| !self.provider.builtin).and_then(|entry| entry.reasoning);
        let known = catalogue::model(self.reference).map(|model| model.reasoning);
        // What nobody knows is asked for when the person wants it; a server that refuses teaches us.
        shape.reasoning = configured.or(known).unwrap_or(true);
        shape.family = self.facts.family;
        shape.num_ctx = self.num_ctx;
        shape.keep_alive = self.provider.extras.keep_alive.clone();
        shape.ttl = self.provider.extras.ttl;
        shape.provider_routing = self.provider.extras.routing.clone();
        shape
    }

    /// Some templates open the reasoning block themselves, so that the first thing seen of it is its end. Holding text back until
    /// then is safe, and is the end of streaming. So it is done where a route was seen to need it; and where nobody knows
    /// yet, for models of such families, if what is shown cannot be taken back. Hosted services separate
    /// reasoning before it gets here.
    fn orphan(&self) -> OrphanPolicy {
        match self.lessons.orphan_close {
            Some(true) => return OrphanPolicy::Hold,
            Some(false) => return OrphanPolicy::Stream,
            None if self.can_retract => return OrphanPolicy::Stream,
            None => {}
        }
        let separates = match self.facts.server {
            ServerKind::OpenAi | ServerKind::Anthropic | ServerKind::OpenRouter => true,
            ServerKind::LmStudio
            | ServerKind::LlamaCpp
            | ServerKind::Ollama
            | ServerKind::Vllm
            | ServerKind::Sglang
            | ServerKind::LiteLlm
            | ServerKind::Mlx
            | ServerKind::LocalAi
            | ServerKind::Jan
            | ServerKind::Other => self.provider.residency.leaves_home(),
        };
        let id = self.reference.model.as_str().to_lowercase();
        let opens = match self.facts.family {
            TemplateFamily::MiniMax | TemplateFamily::DeepSeek => true,
            TemplateFamily::ChatMl
            | TemplateFamily::Llama3
            | TemplateFamily::Mistral
            | TemplateFamily::Gemma
            | TemplateFamily::Harmony
            | TemplateFamily::Glm
            | TemplateFamily::Kimi
            | TemplateFamily::Unknown => ["qwq", "-r1", "thinking", "reason"].iter().any(|word| id.contains(word)),
        };
        if !separates && opens { OrphanPolicy::Hold } else { OrphanPolicy::Stream }
    }

    /// What to send: the prompt's request with the parameters of the configuration beneath its own, and an answer budget
    /// that fits behind the prompt. The budget is always sent: several servers default to 512 tokens, or to no end at all.
    pub(crate) fn request(&self, prepared: &Prepared, configured: &Params) -> ModelRequest {
        let mut request = prepared.request.clone();
        request.model = self.reference.model.clone();
        request.params = over(configured.clone(), &request.params);
        let room = self.facts.window.value.saturating_sub(prepared.estimate).max(LEAST_OUTPUT);
        let limit = self.facts.max_output.map_or(room, |limit| limit.value);
        let mut budget = request.max_output_tokens.unwrap_or(limit);
        if self.variation.calmer {
            request.thinking = Thinking::Off;
            budget = budget.saturating_mul(2).min(limit.max(budget));
        }
        request.max_output_tokens = Some(budget.min(room));
        request
    }
}
