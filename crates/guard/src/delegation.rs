//! What the owner lets somebody else decide: for calls of named tools, a number of times and for a while, what comes from there counts
//! as if the owner had written it.
//!
//! It is given by the owner's own hand, never by answering a question, so that no hostile text can ask for it at a good moment. It never
//! covers what cannot be undone, and never what anybody else has written: a letter that quotes a page is the page's as well.

use std::time::Duration;

use krabba_store::{Permit, Store};
use krabba_types::{Action, ForeignCall, Label, SessionId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::owner_words::squeeze;
use crate::{GuardError, Scene, Source, canonical};

/// Who may decide about what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Delegation {
    /// Where the words come from, as labels name it: `MCP server mail`, `docs.example.org`.
    pub from: String,
    /// Tools of MCP servers: `calendar__create_event`, or `calendar__*` for all of a server's.
    pub tools: Vec<String>,
}

/// One that holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Delegated {
    /// Its name.
    pub id: String,
    /// What it is.
    #[serde(flatten)]
    pub delegation: Delegation,
    /// How often it may still be used.
    pub uses_left: u32,
    /// When it ends.
    pub expires: Timestamp,
}

/// What stands in a permit.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    delegation: Delegation,
}

impl Delegation {
    pub(crate) fn give(&self, store: &Store, id: &str, uses: u32, now: Timestamp, lasts: Duration) -> Result<(), GuardError> {
        store.permit(&Permit {
            id: id.to_owned(),
            session: None,
            body: canonical::text(&Body { delegation: self.clone() }),
            uses_left: uses,
            given_at: now,
            expires: now.plus(lasts),
        })?;
        Ok(())
    }

    /// Whether it is about this action.
    pub(crate) fn covers(&self, action: &Action) -> bool {
        let Action::Call(ForeignCall { server, tool, .. }) = action else { return false };
        let name = format!("{server}__{tool}");
        self.tools.iter().any(|pattern| match pattern.strip_suffix('*') {
            Some(beginning) => name.starts_with(beginning),
            None => name == *pattern,
        })
    }

    /// The scene in which what comes from there was typed by the owner.
    pub(crate) fn scene(&self, scene: &Scene) -> Scene {
        let mut scene = scene.clone();
        for said in &mut scene.said {
            let origins = said.label.origins();
            let theirs = !said.label.is_own() && origins.iter().all(|origin| *origin == self.from) && !origins.is_empty();
            // What another tool made of it, or the model with that tool, is not their word.
            let made = match &said.source {
                Source::Tool { name, server } => self.made(name, server.as_deref()),
                Source::Typed | Source::Model | Source::Task | Source::Summary | Source::Profile | Source::Asked { .. } => false,
            };
            if theirs && made {
                (said.source, said.label) = (Source::Typed, Label::Owner);
            }
        }
        scene
    }
}

impl Delegation {
    fn made(&self, tool: &str, server: Option<&str>) -> bool {
        match server {
            Some(server) => self.from == format!("MCP server {server}"),
            None => tool == "web_fetch",
        }
    }

    /// Whether the model put these words into the delegate's mouth: it asked with them, and was answered with them.
    pub(crate) fn echoes(&self, words: &str, scene: &Scene) -> bool {
        let words = squeeze(words);
        let asked = scene.said.iter().filter_map(|said| match &said.source {
            Source::Asked { name, server } if self.made(name, server.as_deref()) => Some(squeeze(&percent_decoded(&said.text))),
            _ => None,
        });
        !words.is_empty() && asked.into_iter().any(|asked| asked.contains(&words))
    }
}

/// The text with each `%40` as what it stands for in an address.
fn percent_decoded(text: &str) -> String {
    let mut pieces = text.split('%');
    let mut decoded = pieces.next().unwrap_or_default().as_bytes().to_vec();
    for piece in pieces {
        match piece.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => decoded.extend(std::iter::once(byte).chain(piece.bytes().skip(2))),
            None => decoded.extend(std::iter::once(b'%').chain(piece.bytes())),
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// All that hold now.
pub(crate) fn all(store: &Store, now: Timestamp) -> Result<Vec<Delegated>, GuardError> {
    let of = |permit: Permit| {
        let Body { delegation } = serde_json::from_str(&permit.body).ok()?;
        Some(Delegated { id: permit.id, delegation, uses_left: permit.uses_left, expires: permit.expires })
    };
    Ok(store.permits(now)?.into_iter().filter_map(of).collect())
}

/// Where there is no conversation.
pub(crate) fn nowhere() -> SessionId {
    SessionId::new("-")
}
