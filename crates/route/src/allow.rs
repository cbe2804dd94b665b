//! What a person may switch to.
//!
//! OpenClaw lets one map be two things: `agents.defaults.models` holds aliases and parameters, and when it is not empty it
//! is an allowlist too, unless `modelPolicy.allow` takes that part over. We keep the meaning, without the traps: what the
//! owner configured as primary or fallback is never dropped by it, and whoever is refused is told which line refuses.

use std::fmt;

use krabba_types::{ModelRef, ProviderId};

/// An allowlist for switches by people (`/model`, `--model`, a session's choice).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Allow {
    /// Whatever is configured or listed.
    #[default]
    Everything,
    /// What matches.
    Only {
        /// Any one suffices.
        patterns: Vec<AllowPattern>,
        /// The configuration line, with its key: `openclaw.json:12:7 (agents.defaults.models)`.
        origin: String,
    },
}

impl Allow {
    /// Whether `reference` may be chosen.
    ///
    /// # Errors
    /// Names the configuration line that denies it.
    pub fn check(&self, reference: &ModelRef) -> Result<(), NotAllowed> {
        match self {
            Self::Everything => Ok(()),
            Self::Only { patterns, .. } if patterns.iter().any(|pattern| pattern.matches(reference)) => Ok(()),
            Self::Only { origin, .. } => Err(NotAllowed { reference: reference.clone(), origin: origin.clone() }),
        }
    }
}

/// One line of an allowlist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AllowPattern {
    /// Exactly this model.
    Model(ModelRef),
    /// `provider/*`, or `provider/namespace/*`.
    Prefix {
        /// Whose models.
        provider: ProviderId,
        /// What the model's id begins with; empty for all.
        id_prefix: String,
    },
}

impl AllowPattern {
    /// Reads `provider/id`, `provider/*` or `provider/namespace/*`. Aliases are resolved by the caller, who knows them.
    pub fn parse(text: &str) -> Option<Self> {
        let reference = ModelRef::parse(text).ok()?;
        Some(match reference.model.as_str().strip_suffix('*') {
            Some(id_prefix) if id_prefix.is_empty() || id_prefix.ends_with('/') => {
                Self::Prefix { provider: reference.provider, id_prefix: id_prefix.to_owned() }
            }
            Some(_) | None => Self::Model(reference),
        })
    }

    fn matches(&self, reference: &ModelRef) -> bool {
        match self {
            Self::Model(model) => model == reference,
            Self::Prefix { provider, id_prefix } => {
                *provider == reference.provider && reference.model.as_str().starts_with(id_prefix.as_str())
            }
        }
    }
}

impl fmt::Display for AllowPattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Model(reference) => write!(formatter, "{reference}"),
            Self::Prefix { provider, id_prefix } => write!(formatter, "{provider}/{id_prefix}*"),
        }
    }
}

/// A model that may not be chosen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{reference}\" is not on the list of allowed models at {origin}; add \"{reference}\" or \"{}/*\" there", reference.provider)]
pub struct NotAllowed {
    /// Which.
    pub reference: ModelRef,
    /// The line that denies it.
    pub origin: String,
}
