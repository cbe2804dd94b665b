//! Merging what the user configured, what the server says and what was learned, into facts with their source.
//!
//! The smallest trustworthy window wins. Trusted are: the loaded instance, the user's word, and a limit learned from the
//! server's own errors. A listing's maximum is only a bound; alone it does not make a window, because a model of 262,144 tokens is mostly
//! loaded with far fewer.

use krabba_types::{Fact, FactSource, ModelId, RouteFacts, ServerKind, TemplateFamily, Timestamp, ToolAbility};

use crate::{Report, ServerModel};

/// The window that is assumed where nobody says anything: what the smallest usual defaults hold (Ollama and LM Studio load
/// with 4,096; servers that tell nothing, such as mlx_lm, mostly take more).
pub const ASSUMED_WINDOW: u32 = 8_192;
const ASSUMED_JUST_IN_TIME_WINDOW: u32 = 4_096;

/// What the user's configuration says about a model.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Configured {
    /// Tokens of prompt and answer together.
    pub window: Option<u32>,
    /// The longest answer, in tokens.
    pub max_output: Option<u32>,
    /// Requests at a time.
    pub slots: Option<u32>,
    /// Whether it understands pictures.
    pub vision: Option<bool>,
}

/// What earlier calls taught about a route.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Learned {
    /// A limit that an overflow, or a pinned token count, gave away.
    pub window: Option<LearnedWindow>,
    /// Prompt tokens per second.
    pub reading_speed: Option<Fact<f64>>,
    /// Output tokens per second.
    pub writing_speed: Option<Fact<f64>>,
    /// How tools turned out to work.
    pub tools: Option<Fact<ToolAbility>>,
}

/// A window that was learned, with what the server claimed at that time. When it claims something else now, the model was loaded
/// anew and the lesson no longer holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LearnedWindow {
    /// Tokens.
    pub tokens: u32,
    /// The loaded window that the server reported then.
    pub claimed: Option<u32>,
    /// When.
    pub at: Timestamp,
}

/// Everything known about `model` at the server of `report`.
pub fn facts(report: &Report, model: &ModelId, configured: &Configured, learned: &Learned) -> RouteFacts {
    let entry = report.model(model);
    let listing = |value| Fact::new(value, FactSource::Listing, report.at);
    let vision = configured
        .vision
        .map(|vision| Fact::new(vision, FactSource::Configured, report.at))
        .or(entry.and_then(|entry| entry.abilities.vision).map(listing));
    let listed_tools = entry.and_then(|entry| entry.abilities.tools);
    RouteFacts {
        server: report.kind,
        window: window(report, entry, configured, learned),
        max_window: entry.and_then(|entry| entry.max_window).map(|value| Fact::new(value, FactSource::Listing, report.at)),
        max_output: configured.max_output.map(|value| Fact::new(value, FactSource::Configured, report.at)),
        slots: slots(report, entry, configured),
        vision,
        tools: learned.tools.or(listed_tools.map(|tools| Fact::new(ability(tools), FactSource::Listing, report.at))),
        family: entry.map_or(TemplateFamily::Unknown, |entry| entry.abilities.family),
        reading_speed: learned.reading_speed,
        writing_speed: learned.writing_speed,
    }
}

/// What is known about a model whose server has not answered yet.
pub fn facts_unseen(server: ServerKind, configured: &Configured, learned: &Learned, at: Timestamp) -> RouteFacts {
    let mut silent = Report::new(server);
    silent.at = at;
    facts(&silent, &ModelId::new(""), configured, learned)
}

fn window(report: &Report, entry: Option<&ServerModel>, configured: &Configured, learned: &Learned) -> Fact<u32> {
    let reported = entry.and_then(|entry| Some((entry.window?, entry.loaded)));
    let reported = reported.map(|(tokens, loaded)| {
        let source = if loaded == Some(true) { FactSource::LoadedInstance } else { FactSource::Listing };
        Fact::new(tokens, source, report.at)
    });
    let lesson = learned.window.filter(|lesson| {
        // A lesson from before the model was loaded anew with another window says nothing about this instance.
        let claimed_now = reported.map(|fact| fact.value);
        lesson.claimed.is_none() || claimed_now.is_none() || lesson.claimed == claimed_now
    });
    let lesson = lesson.map(|lesson| Fact::new(lesson.tokens, FactSource::LearnedFromOverflow, lesson.at));
    let configured = configured.window.map(|tokens| Fact::new(tokens, FactSource::Configured, report.at));
    let bound = entry.and_then(|entry| entry.max_window).map(|tokens| Fact::new(tokens, FactSource::Listing, report.at));
    // On a tie the better witness is named: the instance before the lesson, both before the user's file.
    let trusted = [reported, lesson, configured].into_iter().flatten().min_by_key(|fact| fact.value);
    let known = trusted.unwrap_or_else(|| Fact::new(assumed(report.kind), FactSource::Assumed, report.at));
    match bound {
        Some(bound) if bound.value < known.value => bound,
        Some(_) | None => known,
    }
}

fn assumed(kind: ServerKind) -> u32 {
    match kind {
        // Both load a model at its first request with their own default, often 4,096.
        ServerKind::LmStudio | ServerKind::Ollama => ASSUMED_JUST_IN_TIME_WINDOW,
        ServerKind::LlamaCpp
        | ServerKind::Vllm
        | ServerKind::Sglang
        | ServerKind::LiteLlm
        | ServerKind::Mlx
        | ServerKind::LocalAi
        | ServerKind::Jan
        | ServerKind::OpenAi
        | ServerKind::Anthropic
        | ServerKind::OpenRouter
        | ServerKind::Other => ASSUMED_WINDOW,
    }
}

fn slots(report: &Report, entry: Option<&ServerModel>, configured: &Configured) -> Option<Fact<u32>> {
    let reported = entry.and_then(|entry| entry.slots).or(report.slots);
    let configured = configured.slots.map(|slots| Fact::new(slots, FactSource::Configured, report.at));
    configured.or(reported.map(|slots| Fact::new(slots, FactSource::LoadedInstance, report.at)))
}

fn ability(native: bool) -> ToolAbility {
    // Without native ability the calls are described and read as text; no model is without a way.
    if native { ToolAbility::Native } else { ToolAbility::Text }
}
