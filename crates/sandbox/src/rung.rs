//! The ladder.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A way of keeping a command in. The first that works on this machine is used; where none does, nothing runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rung {
    /// Namespaces that krabba makes itself, with Landlock and seccomp in them.
    Namespaces,
    /// Namespaces made by `/usr/bin/bwrap`, where only it may; Landlock and seccomp in them.
    Bubblewrap,
    /// Landlock and seccomp alone: no network at all, and nothing new at the root of the workspace.
    LandlockSeccomp,
}

impl Rung {
    /// All, best first.
    pub const ALL: [Self; 3] = [Self::Namespaces, Self::Bubblewrap, Self::LandlockSeccomp];
}

impl fmt::Display for Rung {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Namespaces => "namespaces",
            Self::Bubblewrap => "bubblewrap",
            Self::LandlockSeccomp => "Landlock and seccomp",
        })
    }
}

/// What this machine offers, found out by trying.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Standing {
    /// The rung that is used; none refuses every command.
    pub rung: Option<Rung>,
    /// The rungs above it, each with the reason why it is not used.
    pub missed: Vec<Missed>,
    /// Whether a command's changes can be kept apart from the workspace.
    pub discardable: bool,
    /// Whether named hosts can be opened.
    pub hosts: bool,
    /// What Landlock adds, in its own words.
    pub landlock: String,
}

/// A rung that does not work here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Missed {
    /// Which.
    pub rung: Rung,
    /// Why.
    pub why: String,
}

impl Standing {
    /// Why nothing runs, or why nothing better is used.
    pub fn reasons(&self) -> String {
        let reasons: Vec<String> = self.missed.iter().map(|missed| format!("{}: {}", missed.rung, missed.why)).collect();
        reasons.join("; ")
    }
}

/// One line, for `krabba doctor`.
impl fmt::Display for Standing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(rung) = self.rung else {
            return write!(formatter, "commands are refused ({})", self.reasons());
        };
        write!(formatter, "commands run in {rung} (Landlock: {})", self.landlock)?;
        if !self.discardable {
            formatter.write_str(", changes cannot be kept apart")?;
        }
        if !self.hosts {
            formatter.write_str(", no hosts can be opened")?;
        }
        if self.missed.is_empty() { Ok(()) } else { write!(formatter, "; not better, because {}", self.reasons()) }
    }
}
