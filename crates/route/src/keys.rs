//! Several keys of one provider, used in turn.
//!
//! A key that meets a rate limit, an empty account or a refusal rests for 1, 5, 25, then 60 minutes, longer when the
//! server says so; an answer clears it. This is about keys alone: the endpoint's health is the breaker's. A key that the
//! person pinned is the only one used, resting or not.
//!
//! Pure: it is told the time.

use std::collections::HashMap;
use std::time::Duration;

use krabba_types::{Fault, FaultKind, Timestamp};

use crate::settings::Key;

/// Pauses after the first, second, third and every further failure in a row.
const PAUSES: [Duration; 4] =
    [Duration::from_secs(60), Duration::from_secs(5 * 60), Duration::from_secs(25 * 60), Duration::from_secs(60 * 60)];

/// The pause after a failure that followed `before` others.
pub(crate) fn pause(before: u32) -> Duration {
    let [first, second, third, longest] = PAUSES;
    match before {
        0 => first,
        1 => second,
        2 => third,
        _ => longest,
    }
}

/// The keys of one provider with what became of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct KeyRing {
    rests: HashMap<String, Rest>,
}

#[derive(Clone, Copy, Debug)]
struct Rest {
    failures: u32,
    until: Timestamp,
}

/// Which key to use.
#[derive(Clone, Debug)]
pub(crate) enum Choice<'a> {
    /// This one.
    Key(&'a Key),
    /// There is none, and perhaps none is needed.
    Keyless,
    /// All rest; this one wakes first.
    Resting(&'a Key),
}

impl KeyRing {
    /// The first key of `keys` that does not rest, or the pinned one. Keys whose profile is in `spent` were refused in this very run.
    pub(crate) fn choose<'a>(&self, keys: &'a [Key], pinned: Option<&str>, spent: &[String], now: Timestamp) -> Choice<'a> {
        if let Some(profile) = pinned
            && let Some(key) = keys.iter().find(|key| key.profile == profile)
        {
            return Choice::Key(key);
        }
        let mut first_awake: Option<(&Key, Timestamp)> = None;
        for key in keys {
            match self.rests.get(&key.profile) {
                Some(rest) if rest.until > now => {
                    if first_awake.is_none_or(|(_, until)| rest.until < until) {
                        first_awake = Some((key, rest.until));
                    }
                }
                Some(_) | None if spent.contains(&key.profile) => {}
                Some(_) | None => return Choice::Key(key),
            }
        }
        match (first_awake, keys.first()) {
            (Some((key, _)), _) | (None, Some(key)) => Choice::Resting(key),
            (None, None) => Choice::Keyless,
        }
    }

    /// The key met `fault`. Faults that are not about keys leave it alone.
    pub(crate) fn punish(&mut self, profile: &str, fault: &Fault, now: Timestamp) {
        if !matches!(fault.kind, FaultKind::RateLimited | FaultKind::Auth | FaultKind::Billing) {
            return;
        }
        let failures = self.rests.get(profile).map_or(0, |rest| rest.failures);
        let pause = fault.retry_after.map_or(pause(failures), |asked| asked.max(pause(failures)));
        self.rests.insert(profile.to_owned(), Rest { failures: failures.saturating_add(1), until: now.plus(pause) });
    }

    /// The key worked.
    pub(crate) fn reward(&mut self, profile: &str) {
        self.rests.remove(profile);
    }
}
