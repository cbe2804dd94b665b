//! The owner's files that a model reads before the first word: OpenClaw's names, and how much of the prompt each may have.

use serde::{Deserialize, Serialize};

use crate::fragment::Changes;

/// A file at the top of the workspace that becomes part of the prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WorkspaceFile {
    /// How to work.
    Agents,
    /// How to be.
    Soul,
    /// Who the assistant is.
    Identity,
    /// Who the owner is.
    User,
    /// Notes about tools and machines.
    Tools,
    /// What is to be remembered. For the owner's own sessions: it is not for the eyes of guests.
    Memory,
    /// What was noted on one day, in a file of that day's name ([`Fragment::daily`](crate::Fragment::daily)).
    Daily,
}

impl WorkspaceFile {
    /// All that have one name, in the order of the prompt.
    pub const ALL: [Self; 6] = [Self::Agents, Self::Soul, Self::Identity, Self::User, Self::Tools, Self::Memory];
    /// No file contributes more tokens than this, however large the budget is.
    pub const CAP: u32 = 5_000;
    /// And no day's notes more bytes. OpenClaw gives them 1,200 characters each.
    pub const DAILY_BYTES: usize = 1_200;

    /// The name in the workspace; of a day's notes that of their directory. OpenClaw's older spelling `memory.md` is the reader's to try.
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Agents => "AGENTS.md",
            Self::Soul => "SOUL.md",
            Self::Identity => "IDENTITY.md",
            Self::User => "USER.md",
            Self::Tools => "TOOLS.md",
            Self::Memory => "MEMORY.md",
            Self::Daily => "memory",
        }
    }

    /// The model itself adds to its memory; the other files are the owner's.
    pub(crate) fn changes(self) -> Changes {
        match self {
            Self::Agents | Self::Soul | Self::Identity | Self::User | Self::Tools => Changes::WithConfiguration,
            Self::Memory | Self::Daily => Changes::WithSession,
        }
    }

    /// What the file may have of the room that is left for files, against the others.
    pub(crate) fn weight(self) -> usize {
        match self {
            Self::Agents => 35,
            Self::Soul | Self::Identity | Self::Tools => 10,
            Self::User => 15,
            Self::Memory => 20,
            Self::Daily => 5,
        }
    }
}

/// What of a file is meant for the model: not the front matter of a template, and nothing at all where nobody has filled
/// in more than headings.
pub(crate) fn content(text: &str) -> Option<&str> {
    let text = text.trim_start_matches('\u{feff}').trim();
    let matter = text.strip_prefix("---").filter(|rest| rest.starts_with(['\n', '\r'])).and_then(|rest| rest.split_once("\n---"));
    let body = match matter {
        Some((_, after)) => after.split_once('\n').map_or("", |(_, body)| body).trim(),
        None => text,
    };
    let says_something = body.lines().any(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#'));
    says_something.then_some(body)
}

/// What a part of the prompt wants, in bytes, and how it counts against the others.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claim {
    pub(crate) need: usize,
    pub(crate) weight: usize,
}

/// Less of a file than this says nothing that is worth its place, in bytes.
const SMALLEST_USEFUL: usize = 200;

/// Shares `total` bytes out by weight. Nobody gets more than they need; what they leave goes to the others. Where that would
/// be less than a useful piece for somebody, the one with the least weight goes without.
pub(crate) fn share_out(total: usize, claims: &[Claim]) -> Vec<usize> {
    let mut claims = claims.to_vec();
    loop {
        let shares = by_weight(total, &claims);
        let useless = |index: &usize| shares[*index] < claims[*index].need.min(SMALLEST_USEFUL);
        // Of equal weights the last one goes first.
        match (0..claims.len()).rev().filter(useless).min_by_key(|index| claims[*index].weight) {
            Some(index) => claims[index].need = 0,
            None => return shares,
        }
    }
}

fn by_weight(total: usize, claims: &[Claim]) -> Vec<usize> {
    let mut shares = vec![0; claims.len()];
    let mut open: Vec<usize> = (0..claims.len()).collect();
    let mut left = total;
    while !open.is_empty() {
        let weights: usize = open.iter().map(|index| claims[*index].weight).sum();
        let fair = |index: usize| left * claims[index].weight / weights.max(1);
        let content: Vec<usize> = open.iter().copied().filter(|index| claims[*index].need <= fair(*index)).collect();
        let served = if content.is_empty() { open.clone() } else { content };
        for index in &served {
            shares[*index] = claims[*index].need.min(fair(*index));
        }
        left -= served.iter().map(|index| shares[*index]).sum::<usize>();
        open.retain(|index| !served.contains(index));
    }
    shares
}
