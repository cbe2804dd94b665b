//! What one request teaches about its route, and the lines that say so.

use std::time::Duration;

use krabba_local::{Countable, TokenCounter};
use krabba_types::{DoneReason, FactSource, Fault, FaultKind, Message, RouteFacts, ServerKind, ToolAbility, grouped, seconds};

use crate::attempt::Came;
use crate::clocks::load_again;
use crate::event::RouteEvent;
use crate::failover::SCHEMAS;
use crate::learned::{CountsTell, LearnedWindow, Lesson, is_truncated};
use crate::leg::{Leg, Patience, Sent};

/// Tokens of a prompt that the smallest usual window of LM Studio, 4,096, may not hold together with an answer.
const SWALLOWABLE: u32 = 2048;

/// Prompts smaller than this say little about reading speed.
const MEASURABLE_PROMPT: u64 = 512;

/// Answers shorter than this say little about writing speed.
const MEASURABLE_ANSWER: u64 = 16;

/// Windows learned from counts are rounded up to a multiple of this.
const WINDOW_STEP: u32 = 256;

/// What a person who waits for the end of an answer does not notice.
const COUNT_BUDGET: Duration = Duration::from_secs(2);

/// A count that falls below this share of the estimate is taken for the window even where nothing was measured before; a
/// tokenizer alone does not make such a difference.
const CERTAIN_SHARE: f64 = 0.6;

/// How long a guessed window holds. It may be too small by much, and nothing else would ever show that.
const GUESS_HOLDS: Duration = Duration::from_secs(24 * 3600);

/// After an answer.
pub(crate) async fn take(leg: &mut Leg<'_>, came: &Came, sent: &Sent, reason: DoneReason) {
    keep_changes(leg, sent.facts.server).await;
    if leg.guessing {
        guessed(leg, sent).await;
    }
    if leg.run.inner.learned.of(&leg.key).endless_loads.is_some() {
        learn(leg, Lesson::Loaded, FactSource::Measured).await;
    }
    if came.retracted {
        orphan_close(leg).await;
    } else if came.reasoned && sent.streamed && leg.run.inner.learned.of(&leg.key).orphan_close.is_none() {
        // It reasoned, and nothing of it came as text: what comes as text is the answer.
        learn(leg, Lesson::OrphanClose(false), FactSource::Measured).await;
    }
    if let Some(model) = &came.answered_by {
        let line = format!("{} says that {model} answers", leg.candidate.reference);
        say_once(leg, line).await;
    }
    counts(leg, came, sent, reason).await;
    speeds(leg, came).await;
}

/// What was dropped or swapped in this run has worked, and is remembered.
async fn keep_changes(leg: &mut Leg<'_>, server: ServerKind) {
    let reference = leg.candidate.reference.clone();
    if let Some(tools) = leg.variation.tools {
        learn(leg, Lesson::Tools(tools), FactSource::Measured).await;
        let asked = leg.run.record.facts.as_ref().map(RouteFacts::tool_mode);
        let line = if asked == Some(ToolAbility::Constrained) {
            format!("{reference} cannot be held to the form of calls; it is told of tools in words from now on")
        } else {
            format!("{reference} does not take tools; it is told of them in words from now on{}", remedy(server))
        };
        say_once(leg, line).await;
    }
    if let Some(dialect) = leg.variation.dialect {
        learn(leg, Lesson::Dialect(dialect), FactSource::Measured).await;
        let line = format!("{reference} does not answer in openai-responses; it is asked in {dialect} from now on");
        say_once(leg, line).await;
    }
    let entry = leg.provider.entry(&reference.model);
    let lessons = leg.run.inner.learned.of(&leg.key);
    let spoken = crate::target::dialect(&leg.provider, entry, &lessons, &leg.variation);
    for field in leg.variation.dropped.clone() {
        learn(leg, Lesson::Dropped(spoken, field.clone()), FactSource::Measured).await;
        let line = if field == SCHEMAS {
            format!("{reference} cannot work with all that describes the tools; it gets simpler descriptions from now on")
        } else {
            format!("{reference} does not take \"{field}\"; it is not sent any more")
        };
        say_once(leg, line).await;
    }
}

/// What would have a server take tools.
fn remedy(server: ServerKind) -> &'static str {
    match server {
        ServerKind::LlamaCpp => " (a server that is started with --jinja takes them)",
        ServerKind::Vllm => " (a server that is started with --enable-auto-tool-choice and --tool-call-parser takes them)",
        ServerKind::Sglang => " (a server that is started with --tool-call-parser takes them)",
        ServerKind::LmStudio
        | ServerKind::Ollama
        | ServerKind::LiteLlm
        | ServerKind::Mlx
        | ServerKind::LocalAi
        | ServerKind::Jan
        | ServerKind::OpenAi
        | ServerKind::Anthropic
        | ServerKind::OpenRouter
        | ServerKind::Other => "",
    }
}

/// The server reads text of a reasoning block as an answer's: hold it back the next time.
pub(crate) async fn orphan_close(leg: &mut Leg<'_>) {
    learn(leg, Lesson::OrphanClose(true), FactSource::Measured).await;
}

/// An overflow that names the true window.
pub(crate) async fn overflow(leg: &mut Leg<'_>, fault: &Fault, sent: &Sent) {
    let FaultKind::Overflow { limit: Some(limit), .. } = fault.kind else { return };
    if limit == 0 || limit >= sent.facts.window.value {
        return;
    }
    let line = format!(
        "{} holds {} tokens, not {} ({}); remembered",
        leg.candidate.reference,
        grouped(limit),
        grouped(sent.facts.window.value),
        sent.facts.window.source
    );
    let window = LearnedWindow { tokens: limit, claimed: sent.claimed, until: None };
    learn(leg, Lesson::Window(window), FactSource::LearnedFromOverflow).await;
    say_once(leg, line).await;
}

/// What was too much had no name, and this was not too much: the next prompts, of other processes too, begin here.
async fn guessed(leg: &mut Leg<'_>, sent: &Sent) {
    let tokens = sent.facts.window.value;
    let until = leg.run.inner.clock.now().plus(GUESS_HOLDS);
    let window = LearnedWindow { tokens, claimed: sent.claimed, until: Some(until) };
    learn(leg, Lesson::Window(window), FactSource::LearnedFromOverflow).await;
    let line = format!(
        "{} does not say how much it holds; for a day it gets {} tokens at most, which it took",
        leg.candidate.reference,
        grouped(tokens)
    );
    say_once(leg, line).await;
}

/// The time for loading is used up. Where another model can answer, the next turns do not wait as long for the same.
pub(crate) async fn endless_load(leg: &Leg<'_>, fault: Fault) -> Fault {
    let waited = seconds(leg.clocks.load);
    if leg.patience == Patience::Short {
        return Fault { message: format!("{}; it was waited for {waited} only, as its last load did not end", fault.message), ..fault };
    }
    learn(leg, Lesson::EndlessLoad, FactSource::Measured).await;
    let next = if leg.others == 0 {
        String::new()
    } else {
        let memory = leg.run.inner.learned.of(&leg.key).memory_of_endless_loads();
        format!(" (in the next {} min {} at most)", memory.as_secs() / 60, seconds(load_again(leg.clocks.load)))
    };
    Fault { message: format!("{}; it was waited for {waited}{next}", fault.message), ..fault }
}

/// LM Studio answers a prompt that is larger than the window with nothing at all (its issue 2339), as it may do for other reasons too.
pub(crate) fn swallowed(fault: Fault, sent: &Sent) -> Fault {
    if fault.kind != FaultKind::Empty || sent.facts.server != ServerKind::LmStudio || sent.estimate < SWALLOWABLE {
        return fault;
    }
    let tokens = grouped(sent.estimate);
    let hint = format!("it does that to a prompt larger than its window; this one has about {tokens} tokens, so load the model with more");
    Fault { message: format!("{}; {hint}", fault.message), ..fault }
}

/// The window to ask the prompt for after an overflow: what the server named, corrected by how much more it counts than we
/// do; three quarters of what was sent where it named nothing.
pub(crate) fn smaller_window(fault: &Fault, sent: &Sent) -> u32 {
    let FaultKind::Overflow { limit: Some(limit @ 1..), asked } = fault.kind else {
        return sent.estimate.min(sent.facts.window.value) / 4 * 3;
    };
    let ours = f64::from(sent.estimate.max(1));
    let scale = asked.filter(|asked| *asked > 0).map_or(0.9, |asked| (ours / f64::from(asked)).min(1.0));
    // Between 0 and a u32.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let window = (f64::from(limit) * scale * 0.95) as u32;
    window.min(sent.facts.window.value)
}

async fn counts(leg: &mut Leg<'_>, came: &Came, sent: &Sent, reason: DoneReason) {
    // An answer that ended at the budget that we set ran out of that, not of the window.
    let output = came.usage.output_tokens.unwrap_or(0);
    let at_budget = sent.budget().is_some_and(|budget| output >= u64::from(budget));
    let ran_out = reason == DoneReason::Length && !at_budget;
    let tell = leg.run.inner.learned.with(&leg.key, |lessons| {
        let calibrated = lessons.is_calibrated();
        (lessons.counts(&came.usage, sent.estimate, ran_out), calibrated)
    });
    let reference = &leg.candidate.reference;
    match tell {
        (CountsTell::Nothing, _) => {}
        (CountsTell::LargerThanThought, _) => learn(leg, Lesson::WindowWasTooSmall, FactSource::Measured).await,
        (CountsTell::Pinned { total }, _) => {
            let line = format!("{reference} stopped twice at {} tokens in all; that is taken for its real window", grouped(total));
            shrink(leg, sent, total).await;
            say_once(leg, line).await;
        }
        (CountsTell::Truncated { read, expected }, calibrated) => {
            // It may be our estimate that is wrong. A server that counts texts settles that.
            let counted = counted_by_server(leg, sent).await;
            if counted.is_some_and(|counted| !is_truncated(read, f64::from(counted))) {
                leg.run.inner.learned.with(&leg.key, |lessons| lessons.calibrate(read, sent.estimate));
                return;
            }
            let expected = counted.map_or(expected, u64::from);
            let line = format!(
                "the prompt was truncated by the server: {reference} read {} of about {} tokens, so this answer may miss what was said \
                 earlier; load the model with a larger context window",
                grouped(read),
                grouped(expected)
            );
            #[allow(clippy::cast_precision_loss)]
            let certain = (read as f64) < expected as f64 * CERTAIN_SHARE;
            if calibrated || certain || counted.is_some() {
                shrink(leg, sent, read.saturating_add(output)).await;
            }
            leg.run.emitter.emit(RouteEvent::Notice(line)).await;
        }
    }
}

/// Tokens of the prompt's texts as the server's own tokenizer counts them, without what its template adds; `None` where
/// there is no such interface.
async fn counted_by_server(leg: &Leg<'_>, sent: &Sent) -> Option<u32> {
    let inner = &leg.run.inner;
    let report = inner.report(&leg.provider)?;
    let endpoint = inner.endpoint(&leg.provider);
    let counter = TokenCounter { http: &inner.http, endpoint: &endpoint, report: &report, budget: COUNT_BUDGET };
    let texts: Vec<String> = sent.request.messages.iter().map(Message::plain_text).collect();
    counter.count(&leg.candidate.reference.model, Countable::Text(&texts.join("\n"))).await.ok()
}

async fn shrink(leg: &mut Leg<'_>, sent: &Sent, total: u64) {
    let tokens = u32::try_from(total).unwrap_or(u32::MAX).div_ceil(WINDOW_STEP).saturating_mul(WINDOW_STEP);
    if tokens < sent.facts.window.value {
        let window = LearnedWindow { tokens, claimed: sent.claimed, until: None };
        learn(leg, Lesson::Window(window), FactSource::LearnedFromOverflow).await;
    }
}

/// The server's own figures, else what was seen from here.
async fn speeds(leg: &mut Leg<'_>, came: &Came) {
    let usage = &came.usage;
    let read = usage.prompt_tokens.unwrap_or(0).saturating_sub(usage.cached_tokens.unwrap_or(0));
    let wrote = usage.output_tokens.unwrap_or(0);
    #[allow(clippy::cast_precision_loss)]
    let rate = |tokens: u64, seconds: f64| (seconds > 0.0).then(|| tokens as f64 / seconds);
    let loaded = usage.load_ms.unwrap_or(0) > 0;
    let seen_reading = came.first_output.filter(|_| read >= MEASURABLE_PROMPT && !loaded).and_then(|first| rate(read, first.as_secs_f64()));
    let seen_writing = (wrote >= MEASURABLE_ANSWER).then(|| rate(wrote, came.writing.as_secs_f64())).flatten();
    let reading = usage.prompt_per_second.filter(|_| read >= 32).or(seen_reading);
    let writing = usage.output_per_second.or(seen_writing);
    if reading.is_some() || writing.is_some() {
        learn(leg, Lesson::Speeds { reading, writing }, FactSource::Measured).await;
    }
}

async fn learn(leg: &Leg<'_>, lesson: Lesson, source: FactSource) {
    let (inner, key) = (std::sync::Arc::clone(&leg.run.inner), leg.key.clone());
    // The store may wait for another process; the runtime must not. What cannot be stored is known until we end, and learned again.
    let stored = tokio::task::spawn_blocking(move || inner.learned.learn(&key, &lesson, source)).await;
    drop(stored);
}

async fn say_once(leg: &mut Leg<'_>, line: String) {
    if leg.run.memory.first_time(&line) {
        leg.run.emitter.emit(RouteEvent::Notice(line)).await;
    }
}
