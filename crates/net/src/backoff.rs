//! Growing pauses.

use std::time::Duration;

/// Exponential pauses with jitter: each is between half and all of a value that doubles from the first to the
/// ceiling. Half is fixed so that a pause is a pause; half is random so that clients which failed together do not come
/// back together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backoff {
    first: Duration,
    ceiling: Duration,
    failures: u32,
}

impl Backoff {
    /// Starts at `first` and never exceeds `ceiling`.
    pub fn new(first: Duration, ceiling: Duration) -> Self {
        Self { first, ceiling, failures: 0 }
    }

    /// The pause after one more failure.
    pub fn pause(&mut self) -> Duration {
        // Without a source of randomness the pauses are merely regular.
        let random = getrandom::u32().unwrap_or(u32::MAX);
        self.pause_with(random)
    }

    /// The pause after one more failure, with the randomness given: 0 is the shortest, `u32::MAX` the longest.
    pub fn pause_with(&mut self, random: u32) -> Duration {
        let doubled = 1u32.checked_shl(self.failures).unwrap_or(u32::MAX);
        let whole = self.first.saturating_mul(doubled).min(self.ceiling);
        self.failures = self.failures.saturating_add(1);
        let half = whole / 2;
        half + half.mul_f64(f64::from(random) / f64::from(u32::MAX))
    }

    /// How many pauses were taken since the last success.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// Starts over, after a success.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}
