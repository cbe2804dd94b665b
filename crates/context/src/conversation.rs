//! The history that earlier cuts left, as one model gets to see it, and how much of each text in it.
//!
//! What is remembered of a text that was shortened is how many tokens it may have at most. Its two ends follow from that, so that it
//! looks the same in every later request.

use std::collections::BTreeMap;

use krabba_types::{Message, Part};
use serde_json::Value;

use crate::budget::Budget;
use crate::build::{Entry, Input, first_kept};
use crate::estimate::estimate_tokens;
use crate::fit::keep_ends;
use crate::foreign::Reader;
use crate::repair::{Turn, turns};

/// How many tokens each text of a stored message may have, by the message's `seq`. Before correction, so that what a server reports
/// changes no text.
pub type TextLimits = BTreeMap<u64, u32>;

/// What was said, and how much of it is told.
#[derive(Clone, Debug)]
pub(crate) struct Conversation {
    entries: Vec<Entry>,
    limits: TextLimits,
}

impl Conversation {
    /// What earlier requests left of the history. A text that is too large for the window by itself is shortened wherever it stands.
    pub(crate) fn of(input: &Input<'_>, budget: Budget) -> Self {
        let reader = Reader { route: input.route, family: input.family, pictures: input.pictures };
        let kept = input.history.get(first_kept(input.history, input.keep_from)..).unwrap_or_default();
        let entries = kept.iter().map(|entry| Entry { message: reader.sees(&entry.message), ..*entry }).collect();
        let mut conversation = Self { entries, limits: input.shortened.clone() };
        for entry in &mut conversation.entries {
            if let Some(limit) = budget.shortened(largest(entry)) {
                lower(&mut conversation.limits, entry.seq, limit);
            }
        }
        conversation
    }

    /// As the model reads it.
    pub(crate) fn turns(&self) -> Vec<Turn> {
        turns(self.entries.iter().map(|entry| {
            let (message, _) = shortened(&entry.message, self.limits.get(&entry.seq));
            Entry { message, ..*entry }
        }))
    }

    /// What was stored from the message `seq` on.
    pub(crate) fn from(&self, seq: u64) -> &[Entry] {
        let begin = self.entries.iter().position(|entry| entry.seq == seq).unwrap_or(0);
        self.entries.get(begin..).unwrap_or_default()
    }

    /// Leaves out everything before the message `seq`.
    pub(crate) fn drop_before(&mut self, seq: u64) {
        self.entries = self.from(seq).to_vec();
    }

    /// Allows each text of these messages no more than `tokens`, and says how many tokens that saves.
    pub(crate) fn limit(&mut self, messages: &[u64], tokens: u32) -> u32 {
        let before = self.limits.clone();
        for seq in messages {
            lower(&mut self.limits, *seq, tokens);
        }
        let limited = self.entries.iter().filter(|entry| messages.contains(&entry.seq));
        limited.filter_map(|entry| self.loss(entry, &before)).map(|(_, saved)| saved).fold(0, u32::saturating_add)
    }

    /// The tokens of the largest text of these messages, as it was stored.
    pub(crate) fn largest(&mut self, messages: &[u64]) -> u32 {
        self.entries.iter_mut().filter(|entry| messages.contains(&entry.seq)).map(largest).max().unwrap_or(0)
    }

    /// The limits of this stored message beyond `before`, where it makes a difference, and about how many tokens that is.
    pub(crate) fn loss(&self, entry: &Entry, before: &TextLimits) -> Option<(u32, u32)> {
        let limit = self.limits.get(&entry.seq)?;
        let (told, lost_before) = shortened(&entry.message, before.get(&entry.seq));
        let (tells, lost) = shortened(&entry.message, Some(limit));
        (tells != told).then(|| (*limit, lost.saturating_sub(lost_before).max(1)))
    }
}

fn lower(limits: &mut TextLimits, seq: u64, tokens: u32) {
    let limit = limits.entry(seq).or_insert(tokens);
    *limit = tokens.min(*limit);
}

fn largest(entry: &mut Entry) -> u32 {
    texts(&mut entry.message).into_iter().map(|text| estimate_tokens(text)).max().unwrap_or(0)
}

/// A message whose texts keep their ends where they are longer than `limit`, and how many tokens it lost. The mark between the ends
/// counts, so that a text of about its length stays whole.
fn shortened(message: &Message, limit: Option<&u32>) -> (Message, u32) {
    let (mut message, mut lost) = (message.clone(), 0_u32);
    let Some(limit) = limit else { return (message, lost) };
    for text in texts(&mut message) {
        let tokens = estimate_tokens(text);
        if tokens > *limit {
            let ends = keep_ends(text, *limit);
            let fewer = tokens.saturating_sub(estimate_tokens(&ends));
            if fewer > 0 {
                *text = ends;
                lost = lost.saturating_add(fewer);
            }
        }
    }
    (message, lost)
}

/// The texts of a message that may be shortened. Thoughts may be unless their provider vouches for them as they are.
fn texts(message: &mut Message) -> Vec<&mut String> {
    let mut texts = Vec::new();
    for part in &mut message.parts {
        match part {
            Part::Text(text) => texts.push(text),
            Part::ToolResult(result) => texts.push(&mut result.text),
            Part::ToolCall(call) => call.arguments.values_mut().for_each(|value| strings(value, &mut texts)),
            Part::Reasoning(reasoning) if reasoning.origin.artefact.is_none() => texts.push(&mut reasoning.text),
            Part::Reasoning(_) | Part::Image(_) => {}
        }
    }
    texts
}

fn strings<'value>(value: &'value mut Value, texts: &mut Vec<&'value mut String>) {
    match value {
        Value::String(text) => texts.push(text),
        Value::Array(values) => values.iter_mut().for_each(|value| strings(value, texts)),
        Value::Object(object) => object.values_mut().for_each(|value| strings(value, texts)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
