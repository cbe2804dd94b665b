//! What bears on an action, boiled down to the conditions that rules ask for.

use std::collections::BTreeSet;

use krabba_types::{Action, Control, FileChanges, ForeignCall, ForeignEffect};
use serde_json::Value;

use crate::owner_words::OwnerWords;
use crate::policy::Condition;
use crate::{ControlFiles, Policy, Principal, Scene, Source, ThrowAway};

/// Tools whose results are public: what they bring cannot be the owner's secret.
const PUBLIC_TOOLS: [&str; 2] = ["web_search", "web_fetch"];

/// Words in the name of a tool that nobody described, after which nothing can be taken back.
const IRREVERSIBLE: [&str; 16] = [
    "delete",
    "remove",
    "destroy",
    "drop",
    "purge",
    "erase",
    "wipe",
    "pay",
    "payment",
    "transfer",
    "buy",
    "purchase",
    "order",
    "send_money",
    "withdraw",
    "password",
];

pub(crate) fn conditions(action: &Action, scene: &Scene, policy: &Policy, words: &OwnerWords) -> BTreeSet<Condition> {
    let mut met = BTreeSet::new();
    let mut note = |condition: Condition, holds: bool| {
        if holds {
            met.insert(condition);
        }
    };
    note(Condition::Guest, scene.principal != Principal::Owner);
    note(Condition::Tainted, !scene.label.is_own() || scene.said.iter().any(|said| !said.label.is_own()));
    note(Condition::Private, scene.said.iter().any(|said| is_private(&said.source)));
    match action {
        Action::Consult(_) | Action::Look(_) => {}
        Action::Change(changes) => {
            note(Condition::ControlFile, changes.changes.iter().any(|change| ControlFiles::holds(&change.path)));
            note(Condition::Memory, changes.changes.iter().any(|change| ControlFiles::is_memory(&change.path)));
            note(Condition::NewNote, is_new_note(changes));
            note(Condition::Removes, changes.changes.iter().any(|change| change.after.is_none()));
            note(Condition::ThrowAway, policy.throw_away == ThrowAway::CommandsAndFiles);
            note(Condition::Vouched, vouched(changes.changes.iter().map(|change| change.path.as_str()), words));
        }
        Action::Run(exec) => {
            note(Condition::Network, !exec.hosts.is_empty());
            note(Condition::ThrowAway, policy.throw_away != ThrowAway::Nothing);
            note(Condition::Vouched, vouched(exec.hosts.iter().map(String::as_str), words));
        }
        Action::Control(Control::Write { text, .. }) => note(Condition::Vouched, words.hold(text)),
        Action::Control(Control::List | Control::Poll { .. } | Control::Kill { .. }) => {}
        Action::Fetch(fetch) => {
            note(Condition::Vouched, words.hold(&fetch.url));
            note(Condition::Found, found(&fetch.url, scene));
        }
        Action::Search(search) => note(Condition::Vouched, vouched(search.query.split_whitespace(), words)),
        Action::Call(call) => {
            let (critical, rest) = arguments(call);
            note(Condition::Vouched, call_vouched(call, &critical, words));
            note(Condition::PlainPayload, rest.iter().all(|text| !holds_foreign_link(text, words)));
            note(Condition::Irreversible, is_irreversible(&call.tool));
        }
    }
    met
}

fn vouched<'a>(mut values: impl Iterator<Item = &'a str>, words: &OwnerWords) -> bool {
    values.all(|value| words.hold(value))
}

fn is_private(source: &Source) -> bool {
    match source {
        Source::Typed | Source::Model => false,
        Source::Tool { name } => !PUBLIC_TOOLS.contains(&name.as_str()),
        Source::Summary => true,
    }
}

fn is_new_note(changes: &FileChanges) -> bool {
    changes.changes.iter().all(|change| ControlFiles::is_note(&change.path) && change.before.is_none() && change.after.is_some())
}

fn found(url: &str, scene: &Scene) -> bool {
    scene.said.iter().any(|said| {
        let search = matches!(&said.source, Source::Tool { name } if name == "web_search");
        search && said.text.split(|character: char| character.is_whitespace() || "<>()[]\"'".contains(character)).any(|word| word == url)
    })
}

fn call_vouched(call: &ForeignCall, critical: &[String], words: &OwnerWords) -> bool {
    let all = critical.iter().all(|value| words.hold(value));
    match call.effect {
        ForeignEffect::ReadOnly { .. } => all,
        // Something happens, and nothing in the call says to whom: the owner cannot have named it.
        ForeignEffect::Declared { .. } | ForeignEffect::Undeclared => all && !critical.is_empty(),
    }
}

/// The texts in critical arguments, and in the others.
fn arguments(call: &ForeignCall) -> (Vec<String>, Vec<String>) {
    let mut critical = Vec::new();
    let mut rest = Vec::new();
    for (name, value) in &call.arguments {
        let decides = match &call.effect {
            ForeignEffect::ReadOnly { critical } | ForeignEffect::Declared { critical } => critical.contains(name),
            ForeignEffect::Undeclared => true,
        };
        collect(value, if decides { &mut critical } else { &mut rest });
    }
    (critical, rest)
}

fn collect(value: &Value, texts: &mut Vec<String>) {
    match value {
        Value::Null => {}
        Value::Bool(truth) => texts.push(truth.to_string()),
        Value::Number(number) => texts.push(number.to_string()),
        Value::String(text) => texts.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| collect(item, texts)),
        Value::Object(entries) => entries.values().for_each(|value| collect(value, texts)),
    }
}

fn holds_foreign_link(text: &str, words: &OwnerWords) -> bool {
    text.split_whitespace().any(|word| {
        let lower = word.to_lowercase();
        (lower.contains("://") || lower.contains("www.")) && !words.hold(word.trim_end_matches(['.', ',']))
    })
}

fn is_irreversible(tool: &str) -> bool {
    let name = tool.to_lowercase();
    name.split(|character: char| !character.is_alphanumeric()).any(|word| IRREVERSIBLE.contains(&word))
}
