//! How far our estimates are off on a route, learned from what its server reports.

use std::fmt;

use krabba_types::grouped;
use serde::{Deserialize, Serialize};

/// Where a number of tokens comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TokenSource {
    /// The server counted.
    Measured,
    /// We estimated.
    Estimated,
}

/// A number of tokens with its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tokens {
    /// How many.
    pub count: u32,
    /// Who says so.
    pub source: TokenSource,
}

impl Tokens {
    /// What a server reported.
    pub fn measured(count: u64) -> Self {
        Self { count: u32::try_from(count).unwrap_or(u32::MAX), source: TokenSource::Measured }
    }

    /// What we think.
    pub fn estimated(count: u32) -> Self {
        Self { count, source: TokenSource::Estimated }
    }
}

impl fmt::Display for Tokens {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.source {
            TokenSource::Measured => write!(formatter, "{} tokens (measured)", grouped(self.count)),
            TokenSource::Estimated => write!(formatter, "about {} tokens (estimated)", grouped(self.count)),
        }
    }
}

/// An estimate above which a report that is much too small means that the server cut the prompt, in tokens. Below it, the
/// template's own additions weigh too much.
const TRUNCATION_FLOOR: u32 = 2_000;
/// Less than this share of the estimate was read: cut.
const TRUNCATION_PERCENT: u64 = 85;

/// Whether a server that reports `reported` prompt tokens has silently cut a prompt of about `estimate` tokens (Ollama drops
/// the oldest messages; its `/v1` route has no field against it). `estimate` should be one that a [`Meter`] corrected.
pub fn truncated_by_server(estimate: u32, reported: u64) -> bool {
    estimate > TRUNCATION_FLOOR && reported.saturating_mul(100) < u64::from(estimate) * TRUNCATION_PERCENT
}

/// The weight of the newest observation.
const WEIGHT: f64 = 0.3;
/// Smaller prompts say more about the template than about the text, in tokens.
const SMALLEST_OBSERVED: u32 = 64;
/// Corrections beyond these are a misreading (a prompt that was cut, pictures), not a tokenizer.
const RATIO_RANGE: std::ops::RangeInclusive<f64> = 0.6..=2.5;

/// The correction for one route: an exponentially weighted mean of reported over estimated.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Meter {
    ratio: f64,
    observations: u32,
}

impl Default for Meter {
    fn default() -> Self {
        Self { ratio: 1.0, observations: 0 }
    }
}

impl Meter {
    /// A meter that knows nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Learns that a prompt whose uncorrected estimate was `estimate` really had `reported` tokens. A report that betrays a
    /// truncated prompt teaches nothing.
    pub fn observe(&mut self, estimate: u32, reported: u64) {
        if estimate < SMALLEST_OBSERVED || reported == 0 || truncated_by_server(self.correct(estimate), reported) {
            return;
        }
        let reported = f64::from(u32::try_from(reported).unwrap_or(u32::MAX));
        let ratio = reported / f64::from(estimate);
        if !RATIO_RANGE.contains(&ratio) {
            return;
        }
        self.ratio = if self.observations == 0 { ratio } else { self.ratio + WEIGHT * (ratio - self.ratio) };
        self.observations = self.observations.saturating_add(1);
    }

    /// The corrected estimate, rounded up.
    pub fn correct(&self, estimate: u32) -> u32 {
        let corrected = (f64::from(estimate) * self.ratio).ceil();
        // Clamped to the range of the target, and never negative.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let count = corrected.clamp(0.0, f64::from(u32::MAX)) as u32;
        count
    }

    /// Whether a server's report has corrected it.
    pub fn is_calibrated(&self) -> bool {
        self.observations > 0
    }
}
