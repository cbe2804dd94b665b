//! Handles: numbers and names that a server gives to things, and that no person writes.
//!
//! "Cancel Lunch" names no `event_id: 7`. The handle counts as the owner's when an earlier result of the same server held an object
//! whose own it is, with a name that the owner wrote; when that is the only thing of its kind with that name; and when it is of the
//! kind that the call is about, so that an event's number does not vouch for a file's. What an object says beside its name, a message
//! say, is anybody's words and names nothing; and whose numbers else stand in it (who wrote the message) are not its own.
//!
//! Objects count only where a server gave them as such. A result's text is never read as data: a file that holds
//! `[{"id": 13, "name": "Lunch"}]` would else tie anything to anything.

use std::collections::{BTreeMap, BTreeSet};

use krabba_types::{JsonObject, Structured};
use serde_json::Value;

use crate::owner_words::OwnerWords;
use crate::spelling::fold;

/// What a key ends in that holds a handle.
const ID_WORDS: [&str; 8] = ["id", "uid", "uuid", "guid", "ids", "uids", "uuids", "guids"];

/// What a key ends in that holds what a thing is called.
const NAME_WORDS: [&str; 6] = ["name", "title", "subject", "filename", "label", "summary"];

/// Words in names of tools and arguments that say nothing about the kind of thing.
const NO_KIND: [&str; 33] = [
    "id", "uid", "uuid", "guid", "ids", "uids", "uuids", "guids", "get", "list", "search", "find", "read", "fetch", "by", "with", "from",
    "to", "in", "of", "create", "make", "add", "new", "update", "set", "edit", "change", "delete", "remove", "send", "all", "most",
];
const NO_KIND_EITHER: [&str; 3] = ["recent", "the", "for"];

/// Whom a thing may be from, or for: their handles are not its own.
const PEOPLE: [&str; 15] = [
    "user",
    "sender",
    "author",
    "owner",
    "member",
    "contact",
    "channel",
    "recipient",
    "creator",
    "person",
    "customer",
    "account",
    "assignee",
    "parent",
    "reply",
];

/// The longest handle and the longest name, in characters.
const LONGEST_HANDLE: usize = 128;
const LONGEST_NAME: usize = 200;

/// Things that servers told of.
#[derive(Debug, Default)]
pub(crate) struct Handles {
    /// What is called by a name at a server.
    named: BTreeMap<(String, String), BTreeSet<Known>>,
}

/// A thing that has handles, and where it stands.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Known {
    /// Each with its key.
    handles: BTreeMap<String, String>,
    /// The tool that told of it.
    tool: String,
}

impl Handles {
    pub(crate) fn of(brought: &[Structured]) -> Self {
        let mut handles = Self::default();
        for result in brought {
            handles.collect(&result.value, result);
        }
        handles
    }

    /// Whether an earlier result ties the handle to a name that the owner wrote.
    pub(crate) fn tie(&self, handle: &str, argument: &str, server: &str, tool: &str, owner: &OwnerWords) -> bool {
        if !is_handle(handle) {
            return false;
        }
        let mut kind = nouns(argument);
        if kind.is_empty() {
            kind = nouns(tool);
        }
        self.named.iter().filter(|((of, _), _)| of == server).any(|((_, name), found)| {
            let same = |known: &Known| {
                let of_keys = known.handles.values().flat_map(|key| nouns(key));
                let of: BTreeSet<String> = of_keys.collect();
                let of = if of.is_empty() { nouns(&known.tool) } else { of };
                !of.is_disjoint(&kind)
            };
            let mut alike = found.iter().filter(|known| same(known)).peekable();
            alike.peek().is_some() && alike.all(|known| known.handles.contains_key(handle)) && owner.hold(name)
        })
    }

    fn collect(&mut self, value: &Value, result: &Structured) {
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
            Value::Array(items) => items.iter().for_each(|item| self.collect(item, result)),
            Value::Object(members) => {
                let names = members.iter().filter(|(key, _)| ends_in(key, &NAME_WORDS)).filter_map(|(_, name)| name.as_str());
                let names: Vec<String> = names.filter(|name| is_name(name)).map(fold).collect();
                let own = own_handles(members, &result.tool);
                for name in names.iter().filter(|_| !own.is_empty()) {
                    let known = Known { handles: own.clone(), tool: result.tool.clone() };
                    self.named.entry((result.server.clone(), name.clone())).or_default().insert(known);
                }
                members.values().for_each(|member| self.collect(member, result));
            }
        }
    }
}

/// The handles of an object itself: what stands there as `id`; where nothing does, what is the id of what was asked for, or the only one
/// that is nobody's. A person's is its own only where people were asked for: in a list of somebody's messages it says who wrote.
fn own_handles(members: &JsonObject, tool: &str) -> BTreeMap<String, String> {
    let all: BTreeMap<String, String> = members.iter().filter_map(|(key, member)| Some((handle_in(key, member)?, key.clone()))).collect();
    let which = |own: &dyn Fn(&str) -> bool| -> BTreeMap<String, String> {
        all.iter().filter(|(_, key)| own(key)).map(|(handle, key)| (handle.clone(), key.clone())).collect()
    };
    let bare = which(&|key| nouns(key).is_empty());
    if !bare.is_empty() {
        return bare;
    }
    let asked_for = which(&|key| is_about(key, tool) && (names_nobody(key) || is_about(key, &head(tool))));
    if !asked_for.is_empty() {
        return asked_for;
    }
    if all.len() == 1 { which(&names_nobody) } else { BTreeMap::new() }
}

fn names_nobody(key: &str) -> bool {
    nouns(key).iter().all(|noun| !PEOPLE.contains(&noun.as_str()))
}

/// What a tool gets: `messages` of `read_user_messages`, `users` of `get_users_in_channel`.
fn head(tool: &str) -> String {
    let is_noun = |word: &String| !nouns(word).is_empty();
    let said = words(tool).into_iter().skip_while(|word| !is_noun(word));
    said.take_while(is_noun).last().unwrap_or_default()
}

/// Whether the name of a key or an argument says that a handle is in it.
pub(crate) fn is_id(name: &str) -> bool {
    ends_in(name, &ID_WORDS)
}

fn ends_in(name: &str, among: &[&str]) -> bool {
    words(name).last().is_some_and(|last| among.contains(&last.as_str()))
}

/// Whether the name of a key or an argument says that it is about a thing of the kind that the tool is about.
fn is_about(name: &str, tool: &str) -> bool {
    !nouns(name).is_disjoint(&nouns(tool))
}

/// The same of an argument that is one thing, or several: `event`, but not `event_length`.
pub(crate) fn means_one(argument: &str, tool: &str) -> bool {
    words(argument).last().is_some_and(|last| is_about(last, tool))
}

/// The words of a name: `file_id`, `fileId`.
pub(crate) fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut small = false;
    for character in name.chars() {
        if !character.is_alphanumeric() || (small && character.is_uppercase()) {
            words.push(String::new());
        }
        if character.is_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.extend(character.to_lowercase());
        }
        small = character.is_lowercase();
    }
    words.retain(|word| !word.is_empty());
    words
}

fn nouns(name: &str) -> BTreeSet<String> {
    let single = |word: String| match word.strip_suffix('s') {
        Some(one) if word.chars().count() > 3 => one.to_owned(),
        _ => word,
    };
    let said = |word: &String| !NO_KIND.contains(&word.as_str()) && !NO_KIND_EITHER.contains(&word.as_str());
    words(name).into_iter().map(single).filter(said).collect()
}

fn handle_in(key: &str, value: &Value) -> Option<String> {
    match value {
        _ if !is_id(key) => None,
        Value::String(text) => Some(text.clone()),
        Value::Number(number) if !number.is_f64() => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Addresses and paths are none: they say whom they mean.
fn is_handle(text: &str) -> bool {
    text.len() <= LONGEST_HANDLE
        && text.chars().all(|character| character.is_ascii_alphanumeric() || matches!(character, '-' | '_'))
        && text.chars().any(|character| character.is_ascii_digit())
}

/// People and their addresses are no names of things: a subject that the owner named does not vouch for a sender.
fn is_name(text: &str) -> bool {
    (3..=LONGEST_NAME).contains(&text.chars().count()) && text.chars().any(char::is_alphabetic) && !text.contains('@')
}
