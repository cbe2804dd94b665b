//! Links in an answer that foreign content had a say in. One that stood nowhere in what was read was made up by the model, and what
//! follows it could carry something away; it is told in a way that nothing follows.
//!
//! What a tool brought counts as read where the model did not choose the words: no output of a command, and nothing that stood in an
//! argument of a call before. A host that the owner wrote as one is theirs to be led to.

use std::collections::BTreeSet;
use std::net::IpAddr;

use krabba_guard::defang;

use crate::history::History;
use crate::scene::Material;

/// The longest piece without a blank that is held back, in bytes.
const LONGEST: usize = 4_096;

/// The parameters of `read`, in all spellings that it takes: none of them is a file's name.
const PARAMETERS: [&str; 5] = ["path", "file_path", "filePath", "offset", "limit"];

/// What joins a scheme and an address, which may come in two pieces.
const SEAM: &str = "://";

/// Passes an answer on word by word.
#[derive(Clone, Debug, Default)]
pub(crate) struct Links {
    /// What links are held against; `None` where one is as good as another.
    against: Option<Read>,
    kept: String,
}

/// What was read, and what the model asked for, each with its place in the log.
#[derive(Clone, Debug)]
struct Read {
    texts: Vec<(u64, String)>,
    calls: Vec<(u64, String)>,
    /// Hosts, with their ports, that the owner wrote in addresses.
    owners: BTreeSet<String>,
}

impl Links {
    /// For an answer to this conversation.
    pub(crate) fn of(history: &History) -> Self {
        let texts = history.material().iter().filter(|material| !is_own_writing(material, history)).filter_map(Material::as_read);
        let owners = history.material().iter().filter_map(|material| material.of_owner()).flat_map(hosts).collect();
        let calls = history.material().iter().filter_map(Material::as_asked);
        let owned = |(seq, text): (u64, &str)| (seq, text.to_owned());
        let against = Read { texts: texts.map(owned).collect(), calls: calls.map(owned).collect(), owners };
        Self { against: Some(against), kept: String::new() }
    }

    /// The part of the answer that may be told now.
    pub(crate) fn push(&mut self, text: String) -> String {
        let Some(read) = &self.against else { return text };
        self.kept.push_str(&text);
        if let Some(end) = self.kept.rfind(char::is_whitespace) {
            let rest = self.kept.split_off(end);
            let told = std::mem::replace(&mut self.kept, rest);
            return defang(&told, |link| read.knows(link));
        }
        if self.kept.len() <= LONGEST {
            return String::new();
        }
        // No address that a person needs is that long.
        let end = self.kept.floor_char_boundary(self.kept.len().saturating_sub(SEAM.len()));
        let rest = self.kept.split_off(end);
        std::mem::replace(&mut self.kept, rest).replace(SEAM, "[:]//")
    }

    /// Nothing more comes.
    pub(crate) fn finish(&mut self) -> String {
        let told = std::mem::take(&mut self.kept);
        match &self.against {
            Some(read) => defang(&told, |link| read.knows(link)),
            None => told,
        }
    }

    /// The answer begins anew.
    pub(crate) fn clear(&mut self) {
        self.kept.clear();
    }
}

/// Whether something was read from a file that the model had named before in a call that writes files: it may have put it together there,
/// piece by piece. What is searched for can be in any of them.
fn is_own_writing(read: &Material, history: &History) -> bool {
    let Some(tool) = read.of_files() else { return false };
    let mut written = history.material().iter().filter_map(Material::as_written).filter(|(seq, _)| *seq < read.seq()).peekable();
    if tool != "read" || written.peek().is_none() {
        return written.peek().is_some();
    }
    let asked = history.material().iter().filter(|material| material.seq() == read.seq()).find_map(Material::as_asked);
    // Every text of the call but its keys: which of them is the path is the tool's to say.
    let names: Vec<&str> = asked.iter().flat_map(|(_, asked)| asked.lines()).filter_map(|text| text.rsplit('/').next()).collect();
    let is_name = |name: &&str| !name.is_empty() && !PARAMETERS.contains(name);
    written.any(|(_, text)| names.iter().copied().filter(is_name).any(|name| text.contains(name)))
}

impl Read {
    /// Whether the link was read before the model wrote it anywhere, or leads to a host that the owner wrote, or to this machine.
    fn knows(&self, link: &str) -> bool {
        let first = |among: &[(u64, String)]| among.iter().find(|(_, text)| text.contains(link)).map(|(seq, _)| *seq);
        let read = first(&self.texts).is_some_and(|read| first(&self.calls).is_none_or(|asked| read < asked));
        read || authority(link).is_some_and(|authority| self.owners.contains(&authority) || is_here(&authority))
    }
}

/// The host and port that an address leads to; `None` where somebody could take it for another one.
fn authority(link: &str) -> Option<String> {
    let (_, rest) = link.split_once(SEAM)?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let plain = !authority.is_empty() && authority.chars().all(|c| c.is_ascii_alphanumeric() || ".-:[]".contains(c));
    plain.then(|| authority.to_ascii_lowercase())
}

fn is_here(authority: &str) -> bool {
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The hosts of the addresses in a text.
fn hosts(text: &str) -> impl Iterator<Item = String> + '_ {
    text.match_indices(SEAM).filter_map(|(at, _)| {
        let address = text.get(at..)?.split(|c: char| c.is_whitespace() || "\"'<>()".contains(c)).next()?;
        authority(address.trim_end_matches(['.', ',', ';', ':', '!', '?']))
    })
}
