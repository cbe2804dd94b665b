//! What leaves a prompt that does not fit. No model is asked: whole turns go, oldest first, so that calls stay with their
//! results; and when the last turn alone is too large, its largest texts lose their middle.

use std::fmt;

use krabba_types::{Message, Part, grouped};

use crate::budget::Budget;
use crate::estimate::estimate_tokens;
use crate::fit::keep_ends;
use crate::measure::message_tokens;
use crate::meter::Meter;
use crate::repair::Turn;

/// What was left out of a prompt. Its [`fmt::Display`] is the line for the person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The `seq` of the first message that stays: [`Input::keep_from`] of the next request.
    pub keep_from: u64,
    /// Stored messages that left.
    pub dropped: usize,
    /// Stored messages that there were before, those of earlier cuts not counted.
    pub of: usize,
    /// About how many tokens left with them.
    pub tokens: u32,
    /// What the last message lost.
    pub shortened: Option<Shortened>,
}

/// The last message lost its middle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shortened {
    /// About how many tokens are missing.
    pub tokens: u32,
}

impl fmt::Display for Cut {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.dropped > 0 {
            write!(formatter, "cut {} of {} messages, about {} tokens", self.dropped, self.of, grouped(self.tokens))?;
        }
        match self.shortened {
            Some(shortened) => {
                let joint = if self.dropped > 0 { "; " } else { "" };
                write!(formatter, "{joint}left about {} tokens out of the middle of the last message", grouped(shortened.tokens))
            }
            None => Ok(()),
        }
    }
}

/// A prompt that cannot be made to fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the prompt is about {} tokens too large for a window of {} tokens, of which instructions and tools take {}; load the model with a larger window or shorten the instructions",
    grouped(*by_tokens),
    grouped(*window),
    grouped(*instructions)
)]
pub struct TooLarge {
    /// By how much it is too large.
    pub by_tokens: u32,
    /// The window in tokens.
    pub window: u32,
    /// What system prompt and tools take.
    pub instructions: u32,
}

/// The turns that go into the prompt, and what was left out of them.
#[derive(Debug)]
pub(crate) struct Fitted {
    pub(crate) turns: Vec<Turn>,
    pub(crate) cut: Option<Cut>,
}

/// Makes `turns` fit beside `fixed` uncorrected tokens of system prompt and tools.
pub(crate) fn fit(mut turns: Vec<Turn>, fixed: u32, budget: Budget, meter: &Meter) -> Result<Fitted, TooLarge> {
    let mut lost = 0;
    let last = turns.len().saturating_sub(1);
    for (index, turn) in turns.iter_mut().enumerate() {
        let tokens = shorten_giants(turn, budget);
        if index == last {
            lost = tokens;
        }
    }
    let costs: Vec<u32> = turns.iter().map(turn_tokens).collect();
    let excess = |history: u32| meter.correct(fixed.saturating_add(history)).saturating_sub(budget.prompt());
    let mut cut = None;
    if excess(total(&costs)) > 0 {
        let dropped = drop_until(&costs, meter, budget.recent(meter.correct(fixed)));
        if dropped > 0 {
            cut = Some(cut_at(&turns, &costs, dropped, meter));
            turns.drain(..dropped);
        }
    }
    let history = |turns: &[Turn]| turns.iter().map(turn_tokens).fold(0, u32::saturating_add);
    while excess(history(&turns)) > 0 {
        let by_tokens = excess(history(&turns));
        let Some(tokens) = turns.last_mut().and_then(|turn| shorten_largest(turn, by_tokens)) else {
            return Err(TooLarge { by_tokens, window: budget.window(), instructions: meter.correct(fixed) });
        };
        lost += tokens;
    }
    if lost > 0 {
        let shortened = Some(Shortened { tokens: meter.correct(lost) });
        let keep_from = turns.first().map_or(0, |turn| turn.first_seq);
        let of = turns.iter().map(|turn| turn.stored).sum();
        let whole = cut.unwrap_or(Cut { keep_from, dropped: 0, of, tokens: 0, shortened });
        cut = Some(Cut { shortened, ..whole });
    }
    Ok(Fitted { turns, cut })
}

/// The smallest text that is worth keeping of a message, in tokens.
const SMALLEST_REST: u32 = 128;

/// How many turns leave from the beginning until the rest, corrected, is no more than `goal`. Never the last one.
pub(crate) fn drop_until(costs: &[u32], meter: &Meter, goal: u32) -> usize {
    let mut rest = total(costs);
    let mut dropped = 0;
    for cost in costs.iter().take(costs.len().saturating_sub(1)) {
        if meter.correct(rest) <= goal {
            break;
        }
        rest -= cost;
        dropped += 1;
    }
    dropped
}

fn cut_at(turns: &[Turn], costs: &[u32], dropped: usize, meter: &Meter) -> Cut {
    Cut {
        keep_from: turns.get(dropped).map_or(0, |turn| turn.first_seq),
        dropped: turns.iter().take(dropped).map(|turn| turn.stored).sum(),
        of: turns.iter().map(|turn| turn.stored).sum(),
        tokens: meter.correct(costs.iter().take(dropped).sum()),
        shortened: None,
    }
}

pub(crate) fn turn_tokens(turn: &Turn) -> u32 {
    turn.messages.iter().map(message_tokens).fold(0, u32::saturating_add)
}

pub(crate) fn total(costs: &[u32]) -> u32 {
    costs.iter().copied().fold(0, u32::saturating_add)
}

/// Shortens every text that is too large for the window by itself, and says how many tokens are missing. It depends on
/// the text and the window alone, so a message that was shortened once looks the same in every later request.
fn shorten_giants(turn: &mut Turn, budget: Budget) -> u32 {
    let mut missing = 0;
    for text in turn.messages.iter_mut().flat_map(texts) {
        let tokens = estimate_tokens(text);
        if let Some(kept) = budget.shortened(tokens) {
            *text = keep_ends(text, kept);
            missing += tokens.saturating_sub(estimate_tokens(text));
        }
    }
    missing
}

/// Takes at least `by_tokens` out of the largest text of a turn, or as much as it has. `None` when no text is large enough
/// to lose anything.
fn shorten_largest(turn: &mut Turn, by_tokens: u32) -> Option<u32> {
    let text = turn.messages.iter_mut().flat_map(texts).max_by_key(|text| estimate_tokens(text))?;
    let tokens = estimate_tokens(text);
    let kept = tokens.saturating_sub(by_tokens.saturating_add(by_tokens / 4 + 16)).max(SMALLEST_REST);
    let shorter = keep_ends(text, kept);
    let missing = tokens.checked_sub(estimate_tokens(&shorter)).filter(|missing| *missing > 0)?;
    *text = shorter;
    Some(missing)
}

/// The texts of a message that may be shortened.
fn texts(message: &mut Message) -> impl Iterator<Item = &mut String> {
    message.parts.iter_mut().filter_map(|part| match part {
        Part::Text(text) => Some(text),
        Part::ToolResult(result) => Some(&mut result.text),
        Part::Image(_) | Part::Reasoning(_) | Part::ToolCall(_) => None,
    })
}
