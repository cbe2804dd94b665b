//! Where content comes from. A label goes wherever its content goes, and content that is made of several pieces carries the
//! join of their labels.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

/// The most origins that a label names; what is beyond that is called [`MORE_ORIGINS`].
const MAX_ORIGINS: usize = 24;

/// Stands for the origins that a label no longer names.
const MORE_ORIGINS: &str = "and others";

/// The origin of a piece of content, which decides what it may bring about.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Label {
    /// The owner's own words.
    Owner,
    /// Text that ships with krabba.
    System,
    /// Made from content of the owner and the system alone.
    Minted,
    /// Another person who may talk here.
    Guest {
        /// Who, as the channel names them.
        person: String,
    },
    /// Content that somebody else wrote: a page, a file, a tool's result, and whatever was made of it.
    Untrusted {
        /// Where it came from, for display.
        origins: BTreeSet<String>,
    },
}

impl Label {
    /// Content of one foreign origin.
    pub fn untrusted(origin: impl Into<String>) -> Self {
        Self::Untrusted { origins: BTreeSet::from([origin.into()]) }
    }

    /// Whether nobody but the owner and krabba had a hand in it.
    pub fn is_own(&self) -> bool {
        match self {
            Self::Owner | Self::System | Self::Minted => true,
            Self::Guest { .. } | Self::Untrusted { .. } => false,
        }
    }

    /// The label of what is made from both: as clean as the less clean of them. Commutative, associative and idempotent.
    #[must_use]
    pub fn join(&self, other: &Self) -> Self {
        if self == other {
            return self.clone();
        }
        match (self.is_own(), other.is_own()) {
            (true, true) => Self::Minted,
            (false, true) => self.clone(),
            (true, false) => other.clone(),
            (false, false) => {
                let mut origins = self.origins();
                origins.extend(other.origins());
                if origins.len() > MAX_ORIGINS {
                    origins = origins.into_iter().filter(|origin| origin != MORE_ORIGINS).take(MAX_ORIGINS).collect();
                    origins.insert(MORE_ORIGINS.to_owned());
                }
                Self::Untrusted { origins }
            }
        }
    }

    /// The join of many; [`Label::System`] of none.
    pub fn join_all<'a>(labels: impl IntoIterator<Item = &'a Self>) -> Self {
        let mut labels = labels.into_iter();
        let Some(first) = labels.next() else { return Self::System };
        labels.fold(first.clone(), |joined, label| joined.join(label))
    }

    /// Who else had a hand in it, for display. Empty for what is the owner's own.
    pub fn origins(&self) -> BTreeSet<String> {
        match self {
            Self::Owner | Self::System | Self::Minted => BTreeSet::new(),
            Self::Guest { person } => BTreeSet::from([format!("guest {person}")]),
            Self::Untrusted { origins } => origins.clone(),
        }
    }
}

impl fmt::Display for Label {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Owner => formatter.write_str("owner"),
            Self::System => formatter.write_str("system"),
            Self::Minted => formatter.write_str("made from the owner's own"),
            Self::Guest { .. } | Self::Untrusted { .. } => formatter.write_str(&self.origins().into_iter().collect::<Vec<_>>().join(", ")),
        }
    }
}
