//! How far a conversation may travel.
//!
//! A policy is a set of farthest places. Nearer is always permitted: who may ask a machine in the EU may also stay on
//! this one. Two regions are not nearer or farther than each other. Seen so, places form a semilattice
//! (`device` ≤ `lan` ≤ any `region:x` ≤ `hosted`), and tightening a policy by another is the meet of the two, which by
//! construction permits nothing that either of them refuses.
//!
//! The filter runs before any ordering: what it refuses never becomes a candidate, so that no later step, fallback or
//! retry can reach it.

use std::fmt;

use krabba_types::Residency;

use crate::reference::Names;
use crate::settings::{Configured, Provider, Settings};

/// The farthest places that a conversation may go to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResidencyPolicy {
    /// Never empty: the nearest place, this machine, is always permitted.
    farthest: Vec<Residency>,
}

impl Default for ResidencyPolicy {
    fn default() -> Self {
        Self::anywhere()
    }
}

impl ResidencyPolicy {
    /// No limit. Hosted models still need the owner's word: a place in `primary` or `fallbacks`, or `/model`.
    pub fn anywhere() -> Self {
        Self { farthest: vec![Residency::Hosted] }
    }

    /// This machine alone.
    pub fn device() -> Self {
        Self { farthest: vec![Residency::Device] }
    }

    /// This machine and the home network.
    pub fn home() -> Self {
        Self { farthest: vec![Residency::Lan] }
    }

    /// As far as any of `places`; this machine alone when there are none.
    pub fn up_to(places: impl IntoIterator<Item = Residency>) -> Self {
        let mut policy = Self::device();
        for place in places {
            policy.add(place);
        }
        policy
    }

    /// Whether an endpoint there may see the conversation.
    pub fn permits(&self, place: &Residency) -> bool {
        self.farthest.iter().any(|limit| is_within(place, limit))
    }

    /// What both permit.
    #[must_use]
    pub fn tightened_by(&self, other: &Self) -> Self {
        let mut policy = Self::device();
        for one in &self.farthest {
            for two in &other.farthest {
                policy.add(meet(one, two));
            }
        }
        policy
    }

    fn add(&mut self, place: Residency) {
        if self.permits(&place) {
            return;
        }
        self.farthest.retain(|limit| !is_within(limit, &place));
        self.farthest.push(place);
    }
}

impl fmt::Display for ResidencyPolicy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, place) in self.farthest.iter().enumerate() {
            if index > 0 {
                formatter.write_str(", ")?;
            }
            write!(formatter, "{place}")?;
        }
        Ok(())
    }
}

fn is_within(place: &Residency, limit: &Residency) -> bool {
    place == limit || place.reach() < limit.reach()
}

fn meet(one: &Residency, two: &Residency) -> Residency {
    if is_within(one, two) {
        one.clone()
    } else if is_within(two, one) {
        two.clone()
    } else {
        // Two different regions have the home network in common, and nothing beyond it.
        Residency::Lan
    }
}

/// Something in the configuration that contradicts itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{origin}: {message}")]
pub struct ConfigError {
    /// `file:line:column`.
    pub origin: String,
    /// What is wrong, and what to do.
    pub message: String,
}

/// Finds every primary and fallback that its policy forbids, so that a private configuration fails when it is loaded
/// and not on the day when the local box is down. Unknown names are reported elsewhere.
pub fn check(settings: &Settings) -> Vec<ConfigError> {
    let names = Names::of(settings);
    let mut errors = Vec::new();
    let defaults = settings.default.residency.as_ref().unwrap_or(&settings.residency);
    let agents = settings.agents.iter().map(|(id, selection)| (format!("agent {id}"), selection));
    for (whose, selection) in std::iter::once(("the defaults".to_owned(), &settings.default)).chain(agents) {
        let policy = selection.residency.as_ref().unwrap_or(defaults);
        // An agent that lists nothing of its own inherits; then a stricter policy of its own meets the defaults' list.
        let primary = selection.primary.as_ref().or(settings.default.primary.as_ref());
        let fallbacks = selection.fallbacks.as_ref().or(settings.default.fallbacks.as_ref());
        let configured = primary.into_iter().chain(fallbacks.into_iter().flatten()).chain(&selection.image);
        errors.extend(configured.filter_map(|entry| forbidden(settings, &names, policy, entry, &whose)));
    }
    errors.dedup();
    errors
}

fn forbidden(settings: &Settings, names: &Names, policy: &ResidencyPolicy, entry: &Configured, whose: &str) -> Option<ConfigError> {
    let reference = names.resolve(&entry.text, &[]).ok()?.reference;
    let provider: &Provider = settings.providers.iter().find(|provider| provider.id == reference.provider)?;
    (!policy.permits(&provider.residency)).then(|| ConfigError {
        origin: entry.origin.clone(),
        message: format!(
            "\"{}\" is {}, but privacy.residency for {whose} permits only {policy}; remove it, or permit {}",
            entry.text, provider.residency, provider.residency
        ),
    })
}
