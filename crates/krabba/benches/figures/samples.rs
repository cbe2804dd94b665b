//! Durations that were measured, and what is said about them.

use std::time::Duration;

/// Several measurements of the same thing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Samples {
    times: Vec<Duration>,
}

impl Samples {
    /// One more.
    pub(crate) fn add(&mut self, time: Duration) {
        self.times.push(time);
    }

    /// The one in the middle, in seconds.
    pub(crate) fn median(&self) -> f64 {
        self.at(50)
    }

    /// The one that so many of a hundred do not exceed, in seconds.
    pub(crate) fn at(&self, percent: usize) -> f64 {
        let mut sorted = self.times.clone();
        sorted.sort_unstable();
        let place = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
        sorted.get(place).copied().unwrap_or_default().as_secs_f64()
    }
}

impl Extend<Duration> for Samples {
    fn extend<I: IntoIterator<Item = Duration>>(&mut self, times: I) {
        self.times.extend(times);
    }
}

/// Seconds as milliseconds with two digits.
pub(crate) fn milliseconds(seconds: f64) -> String {
    format!("{:.2} ms", seconds * 1e3)
}

/// Seconds as microseconds with one digit.
pub(crate) fn microseconds(seconds: f64) -> String {
    format!("{:.1} µs", seconds * 1e6)
}

/// A difference in milliseconds, with its sign.
pub(crate) fn more_milliseconds(seconds: f64) -> String {
    format!("{:+.2} ms", seconds * 1e3)
}

/// A difference in microseconds, with its sign.
pub(crate) fn more_microseconds(seconds: f64) -> String {
    format!("{:+.1} µs", seconds * 1e6)
}
