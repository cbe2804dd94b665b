//! What leaves a prompt that does not fit. No model is asked: whole turns go, oldest first, so that calls stay with their
//! results; and when the last turn alone is too large, what was done in it loses its middle, oldest first too. Both make more room than
//! is needed, and are remembered, so that the requests that follow repeat what this one begins with.

use std::fmt;

use krabba_types::{Role, grouped};

use crate::budget::Budget;
use crate::build::Input;
use crate::conversation::{Conversation, TextLimits};
use crate::measure::message_tokens;
use crate::meter::Meter;
use crate::repair::Turn;

/// What was left out of a prompt and was not left out before. Its [`fmt::Display`] is the line for the person.
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
    /// What the last turn lost.
    pub shortened: Option<Shortened>,
}

/// Texts of the last turn lost their middle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shortened {
    /// What joins [`Input::shortened`] in the next request.
    pub limits: TextLimits,
    /// About how many tokens of the question are missing.
    pub of_question: u32,
    /// About how many tokens are missing in what was done to answer it.
    pub of_work: u32,
}

impl fmt::Display for Cut {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { keep_from: _, dropped, of, tokens, shortened } = self;
        let of_question = shortened.as_ref().map_or(0, |shortened| shortened.of_question);
        let of_work = shortened.as_ref().map_or(0, |shortened| shortened.of_work);
        let mut lines = Vec::new();
        if *dropped > 0 {
            lines.push(format!("cut {dropped} of {of} messages, about {} tokens", grouped(*tokens)));
        }
        if of_question > 0 {
            lines.push(format!("left about {} tokens out of the middle of the last message", grouped(of_question)));
        }
        if of_work > 0 {
            lines.push(format!("left about {} tokens out of what was done so far in this turn", grouped(of_work)));
        }
        formatter.write_str(&lines.join("; "))
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

/// What a prompt is to fit into.
#[derive(Clone, Copy)]
pub(crate) struct Room<'meter> {
    /// Uncorrected tokens of system prompt, tools and note.
    pub(crate) fixed: u32,
    pub(crate) budget: Budget,
    pub(crate) meter: &'meter Meter,
}

impl Room<'_> {
    fn excess(self, turns: &[Turn]) -> u32 {
        self.meter.correct(self.tokens(turns)).saturating_sub(self.budget.prompt())
    }

    /// Before correction.
    fn tokens(self, turns: &[Turn]) -> u32 {
        turns.iter().map(turn_tokens).fold(self.fixed, u32::saturating_add)
    }

    /// What history has after a cut.
    fn recent(self) -> u32 {
        self.budget.recent(self.meter.correct(self.fixed))
    }
}

/// Makes the conversation of `input` fit.
pub(crate) fn fit(input: &Input<'_>, mut conversation: Conversation, room: Room<'_>) -> Result<Fitted, TooLarge> {
    let mut turns = conversation.turns();
    let mut cut = None;
    if room.excess(&turns) > 0 {
        let costs: Vec<u32> = turns.iter().map(turn_tokens).collect();
        let dropped = drop_until(&costs, room.meter, room.recent());
        if dropped > 0 {
            let made = cut_at(&turns, &costs, dropped, room.meter);
            conversation.drop_before(made.keep_from);
            turns = conversation.turns();
            cut = Some(made);
        }
    }
    let begin = turns.last().map_or(0, |turn| turn.first_seq);
    if room.excess(&turns) > 0 {
        shorten(&mut conversation, begin, room);
        turns = conversation.turns();
    }
    let by_tokens = room.excess(&turns);
    if by_tokens > 0 {
        return Err(TooLarge { by_tokens, window: room.budget.window(), instructions: room.meter.correct(room.fixed) });
    }
    if let Some(shortened) = shortened(&conversation, begin, input.shortened, room.meter) {
        let of = turns.iter().map(|turn| turn.stored).sum();
        let cut = cut.get_or_insert(Cut { keep_from: input.keep_from, dropped: 0, of, tokens: 0, shortened: None });
        cut.shortened = Some(shortened);
    }
    Ok(Fitted { turns, cut })
}

/// What a text keeps at least, but for the oldest where even that is too much, in tokens.
const SMALLEST_REST: u32 = 128;

/// Shortens the turn that begins with the message `begin`. What the model has read and answered goes first, oldest first, then what it
/// is to read now, as long as that stays readable, and then the question.
fn shorten(conversation: &mut Conversation, begin: u64, room: Room<'_>) {
    let entries = conversation.from(begin);
    let answered = entries.iter().rposition(|entry| entry.message.role == Role::Assistant).unwrap_or(0);
    let (mut question, mut older, mut newest, mut unread) = (Vec::new(), Vec::new(), Vec::new(), 0_u32);
    for (index, entry) in entries.iter().enumerate() {
        match entry.message.role {
            Role::User | Role::System => question.push(entry.seq),
            Role::Assistant | Role::Tool if index <= answered => older.push(entry.seq),
            Role::Assistant | Role::Tool => {
                newest.push(entry.seq);
                unread = unread.saturating_add(message_tokens(&entry.message));
            }
        }
    }
    let Room { budget, meter, fixed } = room;
    let goal = meter.correct(fixed).saturating_add(room.recent());
    // What comes next may be as large as what came last.
    let without_next = budget.prompt().saturating_sub(meter.correct(unread)).min(budget.nearly_full());
    for (rest, above) in [(SMALLEST_REST, budget.prompt()), (0, without_next)] {
        let mut tokens = room.tokens(&conversation.turns());
        if meter.correct(tokens) > above {
            for seq in &older {
                if meter.correct(tokens) > goal {
                    tokens = tokens.saturating_sub(conversation.limit(&[*seq], rest));
                }
            }
        }
    }
    for (group, rest) in [(&newest, budget.readable()), (&question, SMALLEST_REST), (&newest, SMALLEST_REST)] {
        let mut tokens = conversation.largest(group);
        while tokens > rest && room.excess(&conversation.turns()) > 0 {
            tokens = (tokens - tokens.div_ceil(4)).max(rest);
            conversation.limit(group, tokens);
        }
    }
}

/// What the turn that begins with the message `begin` lost since it was `told`.
fn shortened(conversation: &Conversation, begin: u64, told: &TextLimits, meter: &Meter) -> Option<Shortened> {
    let mut lost = Shortened { limits: TextLimits::new(), of_question: 0, of_work: 0 };
    for entry in conversation.from(begin) {
        let Some((limit, tokens)) = conversation.loss(entry, told) else { continue };
        lost.limits.insert(entry.seq, limit);
        match entry.message.role {
            Role::User | Role::System => lost.of_question = lost.of_question.saturating_add(tokens),
            Role::Assistant | Role::Tool => lost.of_work = lost.of_work.saturating_add(tokens),
        }
    }
    let (of_question, of_work) = (meter.correct(lost.of_question), meter.correct(lost.of_work));
    (!lost.limits.is_empty()).then_some(Shortened { of_question, of_work, ..lost })
}

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
