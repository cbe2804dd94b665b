//! What bears on an action, boiled down to the conditions that rules ask for.

use std::collections::BTreeSet;

use krabba_redact::{HIDDEN, Redactor};
use krabba_types::{Action, Control, ExecChanges, FileChanges, ForeignCall, ForeignEffect, WorkspacePath, World};
use serde_json::Value;

use crate::owner_words::OwnerWords;
use crate::policy::Condition;
use crate::provenance::{Provenance, keys, leaves, text_of};
use crate::{ControlFiles, Decoys, Principal, Said, Scene, Source, handles};

/// Tools whose results are public: what they bring cannot be the owner's secret.
const PUBLIC_TOOLS: [&str; 2] = ["web_search", "web_fetch"];

/// Words in the name of a tool that nobody described, after which nothing can be taken back.
const IRREVERSIBLE: [&str; 34] = [
    "delete",
    "remove",
    "destroy",
    "drop",
    "purge",
    "trash",
    "cancel",
    "terminate",
    "reset",
    "erase",
    "wipe",
    "pay",
    "payment",
    "charge",
    "refund",
    "invite",
    "collaborator",
    "transfer",
    "buy",
    "purchase",
    "order",
    "money",
    "transaction",
    "withdraw",
    "password",
    "credential",
    "credentials",
    "share",
    "sharing",
    "permission",
    "permissions",
    "grant",
    "revoke",
    "publish",
];

/// What is known beside the scene.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    pub(crate) secrets: Redactor,
    pub(crate) decoys: Option<Decoys>,
}

pub(crate) fn conditions(action: &Action, scene: &Scene, provenance: &Provenance, known: &Known) -> BTreeSet<Condition> {
    let words = provenance.words();
    let mut met = BTreeSet::new();
    let mut note = |condition: Condition, holds: bool| {
        if holds {
            met.insert(condition);
        }
    };
    note(Condition::Guest, scene.principal != Principal::Owner);
    let made_of_foreign = match action {
        Action::Change(changes) => !changes.label.is_own(),
        // What it can read, it can take along.
        Action::Run(exec) => !exec.hosts.is_empty() && !exec.label.is_own(),
        _ => false,
    };
    note(Condition::Tainted, made_of_foreign || scene.is_tainted());
    note(Condition::Private, scene.said.iter().any(|said| is_private(&said.source) || asks_with_key(said)));
    note(Condition::Profile, scene.said.iter().any(|said| said.source == Source::Profile));
    let texts = texts(action);
    note(Condition::Decoy, known.decoys.as_ref().is_some_and(|decoys| texts.iter().any(|text| decoys.are_in(text))));
    note(Condition::Secret, texts.iter().any(|text| known.secrets.finds(text)));
    match action {
        Action::Consult(_) | Action::Look(_) | Action::Spawn(_) => {}
        Action::Change(changes) => {
            note(Condition::ControlFile, places(changes).any(ControlFiles::holds));
            note(Condition::Memory, places(changes).any(ControlFiles::is_memory));
            note(Condition::NewNote, is_new_note(changes));
            note(Condition::LosesSecret, changes.changes.iter().any(|change| loses_secret(&change.diff)));
            note(Condition::Removes, removes(changes));
            note(Condition::TakesOver, changes.tool == FileChanges::KEEP);
            note(Condition::Vouched, vouched(places(changes).map(WorkspacePath::as_str), words));
        }
        Action::Run(exec) => {
            note(Condition::Network, !exec.hosts.is_empty());
            note(Condition::ThrowAway, exec.changes == ExecChanges::Separable);
            note(Condition::Vouched, exec.hosts.iter().all(|host| words.hold_host(host)));
        }
        Action::Control(Control::Write { text, .. }) => note(Condition::Vouched, words.hold(text)),
        Action::Control(Control::List | Control::Poll { .. } | Control::Log { .. } | Control::Kill { .. } | Control::Discard { .. }) => {}
        Action::Fetch(fetch) => {
            note(Condition::Vouched, words.hold_address(&fetch.url));
            note(Condition::Found, found(&fetch.url, scene));
            note(Condition::Key, fetch.secret.is_some());
        }
        Action::Search(search) => {
            note(Condition::Vouched, search.words().split_whitespace().all(|word| words.hold_word(word)));
            note(Condition::PlainPayload, provenance.is_plain(&search.words()));
        }
        Action::Call(call) => {
            note(Condition::Vouched, call_vouched(call, provenance));
            note(Condition::PlainPayload, call_plain(call, provenance));
            note(Condition::OpenWorld, !in_closed_world(call));
            note(Condition::OwnWords, in_own_words(call, words));
            note(Condition::Irreversible, is_irreversible(&call.tool));
        }
    }
    met
}

/// Whatever a model put into an action.
fn texts(action: &Action) -> Vec<String> {
    match action {
        Action::Consult(consult) => vec![consult.query.clone()],
        Action::Spawn(spawn) => vec![spawn.task.clone()],
        Action::Look(look) => vec![look.path.to_string(), Value::Object(look.arguments.clone()).to_string()],
        Action::Change(changes) => {
            places(changes).map(WorkspacePath::to_string).chain(changes.changes.iter().map(|change| added(&change.diff))).collect()
        }
        Action::Run(exec) => {
            let environment = exec.environment.iter().map(|(name, value)| format!("{name}={value}"));
            environment.chain(exec.hosts.iter().cloned()).chain([exec.command.clone()]).collect()
        }
        Action::Control(Control::Write { text, .. }) => vec![text.clone()],
        Action::Control(Control::List | Control::Poll { .. } | Control::Log { .. } | Control::Kill { .. } | Control::Discard { .. }) => {
            Vec::new()
        }
        Action::Fetch(fetch) => vec![fetch.url.clone()],
        Action::Search(search) => vec![search.words()],
        Action::Call(call) => {
            let written = call.arguments.iter().flat_map(|(name, value)| [name.clone(), value.to_string()]);
            written.chain(call.arguments.values().flat_map(leaves).map(text_of)).collect()
        }
    }
}

/// The lines that a change adds.
fn added(diff: &str) -> String {
    lines(diff, '+').collect::<Vec<_>>().join("\n")
}

/// Whether the mark of a hidden secret comes in where something else went out.
fn loses_secret(diff: &str) -> bool {
    let marks = |sign: char| lines(diff, sign).map(|line| line.matches(HIDDEN).count()).sum::<usize>();
    marks('+') > marks('-')
}

/// The lines behind a sign. Only the two at the top, behind those of the mode, are the names of the file: a line of its own may look
/// like those.
fn lines(diff: &str, sign: char) -> impl Iterator<Item = &str> {
    let is_of_mode = |line: &&str| ["old mode ", "new mode ", "new file mode "].iter().any(|start| line.starts_with(start));
    let mut lines = diff.lines().skip_while(is_of_mode).peekable();
    let names = if lines.peek().is_some_and(|line| line.starts_with("--- ")) { 2 } else { 0 };
    lines.skip(names).filter_map(move |line| line.strip_prefix(sign))
}

/// Everything that a change is about.
fn places(changes: &FileChanges) -> impl Iterator<Item = &WorkspacePath> {
    changes.changes.iter().map(|change| &change.path).chain(&changes.directories)
}

/// Whether anything is gone after it.
pub(crate) fn removes(changes: &FileChanges) -> bool {
    !changes.directories.is_empty() || changes.changes.iter().any(|change| change.after.is_none())
}

fn vouched<'a>(mut values: impl Iterator<Item = &'a str>, words: &OwnerWords) -> bool {
    values.all(|value| words.hold(value))
}

fn is_private(source: &Source) -> bool {
    match source {
        Source::Typed | Source::Model | Source::Task | Source::Asked { .. } => false,
        Source::Tool { name, .. } => !PUBLIC_TOOLS.contains(&name.as_str()),
        Source::Summary => true,
        // A condition of its own.
        Source::Profile => false,
    }
}

/// Whether a page was asked for with a key of the owner's: what it brings is not everybody's.
fn asks_with_key(said: &Said) -> bool {
    let fetch = matches!(&said.source, Source::Asked { name, server: None } if name == "web_fetch");
    // Each argument is a line, and what it says the next.
    let mut lines = said.text.lines().skip_while(|line| *line != "secret").skip(1);
    fetch && lines.next().is_some_and(|name| !name.trim().is_empty())
}

fn is_new_note(changes: &FileChanges) -> bool {
    !removes(changes) && changes.changes.iter().all(|change| ControlFiles::is_note(&change.path) && change.before.is_none())
}

fn found(url: &str, scene: &Scene) -> bool {
    scene.said.iter().any(|said| {
        let search = matches!(&said.source, Source::Tool { name, .. } if name == "web_search");
        search && said.text.split(|character: char| character.is_whitespace() || "<>()[]\"'".contains(character)).any(|word| word == url)
    })
}

/// The critical arguments of a call.
pub(crate) fn critical(call: &ForeignCall) -> Vec<(&str, &Value)> {
    let decides = |name: &String| match &call.effect {
        ForeignEffect::ReadOnly { critical, .. } | ForeignEffect::Declared { critical } => critical.contains(name),
        ForeignEffect::Undeclared => true,
    };
    let decides = |name: &String| decides(name) && !call.usual.contains(name);
    call.arguments.iter().filter(|(name, _)| decides(name)).map(|(name, value)| (name.as_str(), value)).collect()
}

fn call_vouched(call: &ForeignCall, provenance: &Provenance) -> bool {
    let critical = critical(call);
    let all = critical.iter().all(|(name, value)| provenance.owns(value, name, call));
    // A server may take an argument that is empty for everything there is.
    let telling = |value: &Value| leaves(value).iter().any(|leaf| !text_of(leaf).trim().is_empty());
    match &call.effect {
        ForeignEffect::ReadOnly { .. } => all,
        // The owner said that nothing about it needs their word.
        ForeignEffect::Declared { critical } if critical.is_empty() => true,
        // Something happens, and nothing in the call says to whom: the owner cannot have named it.
        ForeignEffect::Declared { .. } => all && !critical.is_empty() && critical.iter().all(|(_, value)| telling(value)),
        ForeignEffect::Undeclared => {
            let named = call.arguments.keys().filter(|name| !call.fields.contains(*name)).all(|name| provenance.owns_key(name, name, call));
            all && named && !critical.is_empty() && critical.iter().all(|(_, value)| telling(value))
        }
    }
}

fn call_plain(call: &ForeignCall, provenance: &Provenance) -> bool {
    if in_closed_world(call) {
        return true;
    }
    let own = |key: &str| call.fields.contains(key) || provenance.is_plain(key);
    let whole = |(name, value): (&String, &Value)| {
        own(name) && keys(value).into_iter().all(own) && leaves(value).into_iter().all(|leaf| provenance.is_plain(&text_of(leaf)))
    };
    rest(call).all(whole)
}

/// Whether it looks into the server's own data alone.
fn in_closed_world(call: &ForeignCall) -> bool {
    matches!(&call.effect, ForeignEffect::ReadOnly { world: World::Closed, .. })
}

/// The arguments that are not critical.
fn rest(call: &ForeignCall) -> impl Iterator<Item = (&String, &Value)> {
    let critical = critical(call);
    call.arguments.iter().filter(move |(name, _)| critical.iter().all(|(decides, _)| decides != name))
}

/// Whether what is not critical is made of the owner's words. A number or a switch tells nobody much.
fn in_own_words(call: &ForeignCall, words: &OwnerWords) -> bool {
    let own = |text: &str| text.split_whitespace().all(|word| words.hold_word(word));
    let key = |key: &str| call.fields.contains(key) || own(key);
    rest(call).all(|(name, value)| {
        key(name) && keys(value).into_iter().all(key) && leaves(value).into_iter().all(|leaf| leaf.as_str().is_none_or(own))
    })
}

fn is_irreversible(tool: &str) -> bool {
    handles::words(tool).iter().any(|word| IRREVERSIBLE.contains(&word.as_str()))
}
