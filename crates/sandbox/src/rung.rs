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

/// Why a rung is not tried.
pub(crate) const OFF: &str = "switched off";

/// What stands in containers and nowhere else.
const CONTAINERS: [&str; 2] = ["/.dockerenv", "/run/.containerenv"];

/// A rung that does not work here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Missed {
    /// Which.
    pub rung: Rung,
    /// Why.
    pub why: String,
}

impl Standing {
    /// What would make it better, for the owner of the machine; nothing where nothing would.
    pub fn remedy(&self) -> Option<String> {
        let missed = |rung| self.missed.iter().any(|missed| missed.rung == rung && missed.why != OFF);
        let number = |file: &str| std::fs::read_to_string(file).ok().and_then(|text| text.trim().parse::<u64>().ok());
        let mut remedies = Vec::new();
        if missed(Rung::Namespaces) {
            remedies.push(if number("/proc/sys/kernel/unprivileged_userns_clone") == Some(0) {
                "let ordinary users make namespaces: sysctl kernel.unprivileged_userns_clone=1"
            } else if number("/proc/sys/user/max_user_namespaces") == Some(0) {
                "let users make namespaces: sysctl user.max_user_namespaces=15000"
            } else if CONTAINERS.iter().any(|mark| std::path::Path::new(mark).exists()) {
                "let this container make user namespaces, which its seccomp profile or its security options forbid"
            } else if number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == Some(1) {
                "AppArmor lets no other program than bwrap make namespaces here"
            } else {
                "let ordinary users make user namespaces"
            });
            if missed(Rung::Bubblewrap) && !std::path::Path::new("/usr/bin/bwrap").exists() {
                remedies.push("install bubblewrap, which makes them where the system lets only it: apt install bubblewrap");
            }
        }
        if missed(Rung::LandlockSeccomp) {
            remedies.push("use a kernel from 6.12 on that has Landlock among its security modules (lsm=landlock,…)");
        }
        if remedies.is_empty() { None } else { Some(remedies.join("; or ")) }
    }

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
