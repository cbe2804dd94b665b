//! Links in an answer that foreign content had a say in. One that stands nowhere in what was read was made up by the model, and what
//! follows it could carry something away; it is told in a way that nothing follows.

use krabba_guard::{Principal, Said, Scene, Source, defang};
use krabba_types::Label;

/// The longest piece without a blank that is held back.
const LONGEST: usize = 4_096;

/// Passes an answer on word by word.
#[derive(Clone, Debug, Default)]
pub(crate) struct Links {
    /// What was read; `None` where every link is as good as another.
    read: Option<Vec<Said>>,
    kept: String,
}

impl Links {
    /// For an answer that is given in this scene.
    pub(crate) fn of(scene: Scene) -> Self {
        let foreign = !scene.label.is_own() && scene.principal == Principal::Owner;
        Self { read: foreign.then_some(scene.said), kept: String::new() }
    }

    /// The part of the answer that may be told now.
    pub(crate) fn push(&mut self, text: String) -> String {
        let Some(read) = &self.read else { return text };
        self.kept.push_str(&text);
        let end = self.kept.rfind(char::is_whitespace).or_else(|| (self.kept.len() > LONGEST).then_some(self.kept.len()));
        let rest = self.kept.split_off(end.unwrap_or(0));
        let told = std::mem::replace(&mut self.kept, rest);
        defang(&told, |link| is_known(link, read))
    }

    /// Nothing more comes.
    pub(crate) fn finish(&mut self) -> String {
        let told = std::mem::take(&mut self.kept);
        match &self.read {
            Some(read) => defang(&told, |link| is_known(link, read)),
            None => told,
        }
    }

    /// The answer begins anew.
    pub(crate) fn clear(&mut self) {
        self.kept.clear();
    }
}

/// Whether the link stands in what was read, leads to a host that the owner wrote, or to this machine.
fn is_known(link: &str, read: &[Said]) -> bool {
    let rest = link.split_once("://").map_or(link, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default().to_ascii_lowercase();
    let host = authority.split(':').next().unwrap_or_default();
    let here = host == "localhost" || host.parse::<std::net::Ipv4Addr>().is_ok_and(|address| address.is_loopback());
    let owners = |said: &Said| {
        let typed = said.source == Source::Typed && said.label == Label::Owner;
        typed && said.text.to_ascii_lowercase().contains(&format!("//{authority}"))
    };
    here || read.iter().any(|said| (said.source != Source::Model && said.text.contains(link)) || owners(said))
}
