//! Whose an argument is, as far as the conversation tells: the owner's, or anybody's.

use std::collections::BTreeSet;

use krabba_types::{ForeignCall, Label};
use serde_json::Value;

use crate::address_book::Alone;
use crate::handles::{self, Handles};
use crate::owner_words::{OwnerWords, squeeze};
use crate::payload;
use crate::spelling::is_hidden;
use crate::{AddressBook, Principal, Scene, Source};

/// The longest number that is a name only together with what it numbers: "5 hours" does not vouch for file 5.
const SHORT_NUMBER: usize = 4;

/// What the owner wrote, and what may not be taken for theirs.
#[derive(Debug)]
pub(crate) struct Provenance {
    people: AddressBook,
    alone: Alone,
    words: OwnerWords,
    handles: Handles,
    /// Identifiers that the owner did not write, squeezed.
    identifiers: BTreeSet<String>,
}

impl Provenance {
    pub(crate) fn of(scene: &Scene, people: &AddressBook) -> Self {
        let words = OwnerWords::of(scene);
        let mut identifiers = BTreeSet::new();
        for said in &scene.said {
            match said.source {
                Source::Typed if said.label == Label::Owner => {}
                // Its words are in what it wrote and in what was brought.
                Source::Asked { .. } => {}
                // What the model wrote, a sub-agent's task as well, may repeat what has left the context.
                Source::Typed | Source::Model | Source::Task | Source::Tool { .. } | Source::Summary | Source::Profile => {
                    identifiers.append(&mut payload::identifiers(&said.text));
                }
            }
        }
        for text in scene.structured.iter().flat_map(|structured| leaves(&structured.value)).map(text_of) {
            identifiers.append(&mut payload::identifiers(&text));
        }
        identifiers.retain(|identifier| !words.spell_out(identifier));
        let alone = if scene.principal == Principal::Owner && !scene.is_tainted() { Alone::Yes } else { Alone::No };
        Self { people: people.clone(), alone, words, handles: Handles::of(&scene.structured), identifiers }
    }

    /// What the owner wrote.
    pub(crate) fn words(&self) -> &OwnerWords {
        &self.words
    }

    /// Whether this part of an argument of a call is the owner's.
    pub(crate) fn owns(&self, value: &Value, argument: &str, call: &ForeignCall) -> bool {
        match value {
            // "The 3 most important" names no event.
            Value::Number(number) if !number.is_f64() && handles::means_one(argument, &call.tool) => {
                self.owns_handle(&number.to_string(), argument, call) || self.words.sets(&handles::words(argument), number)
            }
            Value::Number(number) if handles::is_id(argument) => self.owns_handle(&number.to_string(), argument, call),
            Value::Number(number) => self.words.count(number),
            Value::String(text) if is_hidden(text) => false,
            Value::String(text) => {
                let text = text.trim();
                if text.is_empty() {
                    return true;
                }
                if handles::is_id(argument) || is_short_number(text) {
                    return self.owns_handle(text, argument, call);
                }
                self.words.hold(text) || self.tied(text, argument, call) || self.knows(text)
            }
            // Nobody's words: a yes that was meant for something else is everywhere.
            Value::Bool(_) => false,
            Value::Null => true,
            Value::Array(items) => items.iter().all(|item| self.owns(item, argument, call)),
            Value::Object(members) => {
                members.iter().all(|(key, member)| self.owns_key(key, argument, call) && self.owns(member, argument, call))
            }
        }
    }

    /// Whether the key is the server's own, or the owner's. Any other can be whom it is about.
    pub(crate) fn owns_key(&self, key: &str, argument: &str, call: &ForeignCall) -> bool {
        call.fields.contains(key) || self.owns(&Value::from(key), argument, call)
    }

    /// Whether it is the address of somebody whom the owner means.
    pub(crate) fn knows(&self, address: &str) -> bool {
        self.people.vouches(address, &self.words, self.alone)
    }

    fn owns_handle(&self, handle: &str, argument: &str, call: &ForeignCall) -> bool {
        if self.tied(handle, argument, call) || self.knows(handle) {
            return true;
        }
        if !is_short_number(handle) {
            return self.words.hold(handle);
        }
        let names = handles::words(argument).into_iter().collect();
        self.words.number(&names, handle)
    }

    fn tied(&self, handle: &str, argument: &str, call: &ForeignCall) -> bool {
        self.handles.tie(handle, argument, &call.server, &call.tool, &self.words)
    }

    /// Whether nothing rides along in a text that the owner did not write: no hidden character, no link, no address, no identifier.
    pub(crate) fn is_plain(&self, text: &str) -> bool {
        if is_hidden(text) || payload::links(text).iter().any(|link| !self.words.hold_address(link)) {
            return false;
        }
        if !payload::mail_addresses(text).iter().all(|address| self.words.hold(address) || self.knows(address)) {
            return false;
        }
        let squeezed = squeeze(text);
        !self.identifiers.iter().any(|identifier| squeezed.contains(identifier))
    }
}

fn is_short_number(text: &str) -> bool {
    text.chars().count() <= SHORT_NUMBER && text.chars().all(char::is_numeric)
}

/// The scalars in a value.
pub(crate) fn leaves(value: &Value) -> Vec<&Value> {
    match value {
        Value::Null => Vec::new(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => vec![value],
        Value::Array(items) => items.iter().flat_map(leaves).collect(),
        Value::Object(members) => members.values().flat_map(leaves).collect(),
    }
}

/// The keys in a value, at any depth.
pub(crate) fn keys(value: &Value) -> Vec<&str> {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
        Value::Array(items) => items.iter().flat_map(keys).collect(),
        Value::Object(members) => members.iter().flat_map(|(key, member)| std::iter::once(key.as_str()).chain(keys(member))).collect(),
    }
}

/// A scalar as it is written.
pub(crate) fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
