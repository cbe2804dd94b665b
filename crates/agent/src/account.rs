//! From the end of a turn to what is stored of it: the end's record, a usage row for each attempt, the session's title.

use std::time::Duration;

use krabba_route::{Attempt, Timing};
use krabba_store::{UsageRow, UsageTiming};
use krabba_types::{Part, SessionId, Timestamp, TurnId, Usage};

use crate::TurnEnd;
use crate::record::{AttemptRecord, ContextRecord, Counted, EndRecord, TimingRecord};

/// The longest title, in characters.
const TITLE: usize = 60;

/// The first line of what was said, short enough for a list.
pub(crate) fn title(parts: &[Part]) -> Option<String> {
    let text = parts.iter().find_map(|part| match part {
        Part::Text(text) => text.lines().map(str::trim).find(|line| !line.is_empty()),
        Part::Image(_) | Part::Reasoning(_) | Part::ToolCall(_) | Part::ToolResult(_) => None,
    })?;
    let mut title: String = text.chars().take(TITLE).collect();
    if title.len() < text.len() {
        title.push('…');
    }
    Some(title)
}

pub(crate) fn end_record(end: &TurnEnd) -> EndRecord {
    let counted = if end.usage.prompt_tokens.is_some() { Counted::Measured } else { Counted::Estimated };
    EndRecord {
        outcome: end.outcome.clone(),
        attempts: end.attempts.iter().map(attempt_record).collect(),
        timing: TimingRecord { queued_ms: end.timing.queued_ms, first_token_ms: end.timing.first_token_ms, total_ms: end.timing.total_ms },
        context: Some(ContextRecord {
            window: end.context.window,
            window_source: end.context.window_source,
            prompt_tokens: end.context.prompt_tokens,
            counted,
            cached_tokens: end.context.cached_tokens,
        }),
        usage: end.usage.clone(),
    }
}

fn attempt_record(attempt: &Attempt) -> AttemptRecord {
    AttemptRecord {
        reference: attempt.reference.clone(),
        endpoint: attempt.endpoint.clone(),
        residency: attempt.residency.clone(),
        fault: attempt.fault.clone(),
        ms: attempt.ms,
    }
}

/// What one answer cost: the attempts that led to it.
pub(crate) struct Account<'a> {
    pub(crate) session: &'a SessionId,
    pub(crate) turn: &'a TurnId,
    /// How many attempts the turn had before.
    pub(crate) before: usize,
    pub(crate) attempts: &'a [Attempt],
    pub(crate) usage: &'a Usage,
    pub(crate) timing: Timing,
}

/// The router counts tokens of the last attempt; the others brought nothing.
pub(crate) fn usage_rows(account: &Account<'_>, at: Timestamp) -> Vec<UsageRow> {
    let first = u32::try_from(account.before).unwrap_or(u32::MAX).saturating_add(1);
    let last = account.attempts.len().saturating_sub(1);
    (first..)
        .zip(account.attempts.iter().enumerate())
        .map(|(number, (index, attempt))| {
            let is_last = index == last;
            UsageRow {
                session: account.session.clone(),
                turn: account.turn.clone(),
                attempt: number,
                reference: attempt.reference.clone(),
                endpoint: attempt.endpoint.clone(),
                residency: attempt.residency.clone(),
                fault: attempt.fault.as_ref().map(|fault| fault.kind.name().to_owned()),
                tokens: if is_last { account.usage.clone() } else { Usage::default() },
                timing: UsageTiming {
                    queued_ms: is_last.then_some(account.timing.queued_ms),
                    first_token_ms: account.timing.first_token_ms.filter(|_| is_last),
                    total_ms: Some(attempt.ms),
                },
                at,
            }
        })
        .collect()
}

pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
