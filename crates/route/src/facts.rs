//! What is known about a route, put together from everyone who says something about it.
//!
//! How the server, the owner and an overflow are weighed against each other is `krabba_local`'s business. Added here is what it
//! cannot know: the built-in catalogue, what hosted services are assumed to hold, the slots of boxes that tell nothing, and
//! fields that a route turned out to refuse.

use krabba_local::{ASSUMED_WINDOW, Configured, Learned, LearnedWindow, Report, ServerModel, facts, facts_unseen};
use krabba_types::{Dialect, Fact, FactSource, ModelRef, RouteFacts, ServerKind, TemplateFamily, Timestamp, ToolAbility};

use crate::catalogue;
use crate::learned::{self, Lessons};
use crate::queue::default_slots;
use crate::settings::{ModelEntry, Provider};
use crate::tuning::Tuned;

/// The window of a hosted model that nobody knows anything about.
const ASSUMED_HOSTED: u32 = 32_768;

/// Everyone who says something about a route.
pub(crate) struct Voices<'a> {
    pub(crate) reference: &'a ModelRef,
    pub(crate) provider: &'a Provider,
    pub(crate) entry: Option<&'a ModelEntry>,
    pub(crate) report: Option<&'a Report>,
    pub(crate) lessons: &'a Lessons,
    pub(crate) tuned: &'a Tuned,
    pub(crate) dialect: Dialect,
    pub(crate) now: Timestamp,
}

impl Voices<'_> {
    /// All facts of the route.
    pub(crate) fn facts(&self) -> RouteFacts {
        let (configured, learned) = (self.configured(), self.learned());
        let mut known = match self.report {
            Some(report) => facts(report, &self.reference.model, &configured, &learned),
            None => facts_unseen(server_kind(self.provider, None), &configured, &learned, self.now),
        };
        if self.dialect == Dialect::Ollama {
            known.window = self.ollama_window(known.window);
        }
        if let Some(hosted) = catalogue::model(self.reference) {
            let says = |value| Fact::new(value, FactSource::Catalogue, self.now);
            if known.window.source == FactSource::Assumed {
                known.window = says(hosted.window);
            }
            known.max_output = known.max_output.or_else(|| Some(says(hosted.max_output)));
            known.vision = known.vision.or(Some(Fact::new(hosted.vision, FactSource::Catalogue, self.now)));
        } else if known.window.source == FactSource::Assumed && self.provider.residency.leaves_home() {
            known.window.value = ASSUMED_HOSTED;
        }
        // It narrows what is known, and stands for what nobody knows.
        if let Some(tokens) = self.tuned.context_tokens
            && (tokens < known.window.value || known.window.source == FactSource::Assumed)
        {
            known.window = Fact::new(tokens, FactSource::Configured, self.now);
        }
        if known.family == TemplateFamily::Unknown {
            known.family = ServerModel::new(self.reference.model.as_str()).abilities.family;
        }
        // Where it cannot be asked for, a model that is to be held to a form is told of tools in words, and nobody says otherwise.
        if let Some(tools) = known.tools.as_mut().filter(|tools| tools.value == ToolAbility::Constrained && !self.dialect.can_hold()) {
            tools.value = ToolAbility::Text;
        }
        known.slots = known
            .slots
            .or_else(|| default_slots(known.server, &self.provider.residency).map(|slots| Fact::new(slots, FactSource::Assumed, self.now)));
        known
    }

    /// What the server itself says that a request may hold.
    pub(crate) fn claimed_window(&self) -> Option<u32> {
        self.report.and_then(|report| report.model(&self.reference.model)).and_then(|model| model.window)
    }

    fn configured(&self) -> Configured {
        Configured {
            window: self.entry.and_then(|entry| entry.window),
            max_output: self.tuned.knobs.max_output,
            slots: self.provider.hosting.slots,
            // A built-in entry repeats the catalogue, which is not the owner's word.
            vision: self.entry.filter(|_| !self.provider.builtin).and_then(|entry| entry.vision),
        }
    }

    fn learned(&self) -> Learned {
        let compat = self.entry.map(|entry| &entry.compat.tools);
        let configured = |ability| Fact::new(ability, FactSource::Configured, self.now);
        let said = |native| configured(if native { ToolAbility::Native } else { ToolAbility::Text });
        let wanted = compat.and_then(|compat| compat.tool_calls).map(configured);
        let told = compat.and_then(|compat| compat.supports_tools).map(said);
        Learned {
            window: self.lesson().map(|learned| LearnedWindow {
                tokens: learned.value.tokens,
                claimed: learned.value.claimed,
                at: learned.at,
            }),
            reading_speed: self.lessons.reading_speed,
            writing_speed: self.lessons.writing_speed,
            tools: wanted.or(self.lessons.tools).or(told),
        }
    }

    /// The window that was learned; a guess only for as long as it holds.
    fn lesson(&self) -> Option<Fact<learned::LearnedWindow>> {
        self.lessons.window.filter(|window| window.value.until.is_none_or(|until| self.now < until))
    }

    /// Ollama's native API loads with the window that the request names, so that what is loaded now does not bind: the
    /// owner's word does, and then whatever we asked for first, because another value would load the model anew. Where nothing is
    /// loaded and nobody said anything, we choose, and not as narrowly as Ollama would on a small card.
    fn ollama_window(&self, merged: Fact<u32>) -> Fact<u32> {
        let chosen = if merged.source == FactSource::Assumed { merged.value.max(ASSUMED_WINDOW) } else { merged.value };
        let merged = Fact { value: chosen, ..merged };
        let owners = [self.entry.and_then(|entry| entry.window), self.tuned.context_tokens];
        let configured = owners.into_iter().flatten().min().map(|window| Fact::new(window, FactSource::Configured, self.now));
        let asked = self.lessons.num_ctx.map(|window| Fact::new(window, merged.source, merged.at));
        let window = configured.or(asked).unwrap_or(merged);
        let lesson = self.lesson().map(|learned| Fact::new(learned.value.tokens, learned.source, learned.at));
        let listed = self.report.and_then(|report| Some((report.model(&self.reference.model)?.max_window?, report.at)));
        let most = listed.map(|(tokens, at)| Fact::new(tokens, FactSource::Listing, at));
        // The first of equals is named: the owner's word before a lesson, both before what a listing promises.
        [Some(window), lesson, most].into_iter().flatten().min_by_key(|fact| fact.value).unwrap_or(window)
    }
}

/// The software behind a provider: what it said, else what its name and address say.
pub(crate) fn server_kind(provider: &Provider, report: Option<&Report>) -> ServerKind {
    if let Some(report) = report {
        return report.kind;
    }
    match provider.id.as_str() {
        "openai" => return ServerKind::OpenAi,
        "anthropic" => return ServerKind::Anthropic,
        "openrouter" => return ServerKind::OpenRouter,
        "lmstudio" => return ServerKind::LmStudio,
        "ollama" => return ServerKind::Ollama,
        "llama-cpp" | "llamacpp" | "llama.cpp" => return ServerKind::LlamaCpp,
        "vllm" => return ServerKind::Vllm,
        "sglang" => return ServerKind::Sglang,
        "litellm" => return ServerKind::LiteLlm,
        "mlx" => return ServerKind::Mlx,
        "localai" => return ServerKind::LocalAi,
        "jan" => return ServerKind::Jan,
        _ => {}
    }
    let url = url::Url::parse(&provider.base_url).ok();
    let host = url.as_ref().and_then(url::Url::host_str).unwrap_or_default();
    if host == "api.openai.com" {
        ServerKind::OpenAi
    } else if host == "api.anthropic.com" {
        ServerKind::Anthropic
    } else if host == "openrouter.ai" || host.ends_with(".openrouter.ai") {
        ServerKind::OpenRouter
    } else if provider.dialect == Dialect::Ollama {
        ServerKind::Ollama
    } else {
        ServerKind::Other
    }
}
