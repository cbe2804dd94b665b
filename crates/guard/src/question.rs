//! What the owner reads before they answer: made from the action itself, every character visible, nothing left out.

use std::collections::BTreeSet;

use krabba_types::{Action, Control, Exec, FileChanges, ForeignCall};
use serde_json::Value;

use crate::provenance::{Provenance, leaves, text_of};
use crate::{Scene, Terms, View};

/// Where a value comes from that the owner wrote, or named by another name.
const OWNERS: &str = "your words";

/// And one that they wrote down once.
const KNOWN: &str = "your address book";

/// Where a value comes from that nobody wrote before.
const MODELS: &str = "the model's words";

/// The lines of a question.
pub(crate) fn lines(action: &Action, terms: &Terms, scene: &Scene, provenance: &Provenance) -> Vec<String> {
    let mut lines = Vec::new();
    let origin = |value: &str| origin(value, scene, provenance);
    match action {
        Action::Consult(consult) => lines.push(format!("look up with {}: {}", visible(&consult.tool), visible(&consult.query))),
        Action::Look(look) => lines.push(format!("{} {}", visible(&look.tool), visible(&look.path.to_string()))),
        Action::Change(changes) => changed(changes, &mut lines),
        Action::Run(exec) => command(exec, terms, &mut lines),
        Action::Control(Control::List) => lines.push("list the commands in the background".to_owned()),
        Action::Control(Control::Poll { process } | Control::Log { process, .. }) => {
            lines.push(format!("read the output of {}", visible(process)))
        }
        Action::Control(Control::Kill { process }) => lines.push(format!("end {}", visible(process))),
        Action::Control(Control::Discard { paths }) => {
            let what = "throw away what commands changed apart from the workspace";
            lines.push(if paths.is_empty() { what.to_owned() } else { format!("{what}, at these places and below:") });
            lines.extend(paths.iter().map(|path| format!("  {}", visible(&path.to_string()))));
        }
        Action::Control(Control::Write { process, command, hosts, text }) => {
            lines.push(format!("type into the command {}", visible(process)));
            shell(command, &mut lines);
            reach(hosts, &mut lines);
            lines.push("this:".to_owned());
            lines.extend(text.lines().map(|line| format!("  {}", visible(line))));
        }
        Action::Fetch(fetch) => {
            lines.push("get a page from the web".to_owned());
            lines.push(format!("  address ({}): {}", origin(&fetch.url), visible(&fetch.url)));
            lines.extend(fetch.secret.iter().map(|name| format!("  with your key {}", visible(name))));
        }
        Action::Search(search) => {
            lines.push(format!("ask the search engine {}", visible(&search.endpoint)));
            lines.push(format!("  question ({}): {}", origin(&search.query), visible(&search.query)));
            lines.extend(search.language.iter().map(|language| format!("  in the language {}", visible(language))));
            lines.extend(search.time_range.iter().map(|range| format!("  of the last {}", range.as_str())));
        }
        Action::Call(call) => foreign(call, scene, provenance, &mut lines),
        Action::Spawn(spawn) => {
            lines.push("have a sub-agent do:".to_owned());
            lines.extend(spawn.task.lines().map(|line| format!("  {}", visible(line))));
        }
    }
    lines
}

fn changed(changes: &FileChanges, lines: &mut Vec<String>) {
    for change in &changes.changes {
        let verb = match (&change.before, &change.after) {
            (_, None) => "remove",
            (None, Some(_)) => "create",
            (Some(_), Some(_)) => "change",
        };
        lines.push(format!("{verb} {}", visible(&change.path.to_string())));
        lines.extend(change.diff.lines().map(|line| format!("  {}", visible(line))));
    }
    lines.extend(changes.directories.iter().map(|path| format!("remove the directory {}", visible(path.as_str()))));
}

fn command(exec: &Exec, terms: &Terms, lines: &mut Vec<String>) {
    lines.push(format!("run a command in the sandbox, in {}", visible(&exec.directory.to_string())));
    shell(&exec.command, lines);
    for (name, value) in &exec.environment {
        lines.push(format!("  with {}={}", visible(name), visible(value)));
    }
    lines.push(match terms.view {
        View::Direct => "  what it changes in the workspace stays".to_owned(),
        View::Discardable => "  what it changes in the workspace is kept apart until you take it over".to_owned(),
    });
    reach(&exec.hosts, lines);
}

fn shell(command: &str, lines: &mut Vec<String>) {
    lines.extend(command.lines().map(|line| format!("  $ {}", visible(line))));
}

fn reach(hosts: &[String], lines: &mut Vec<String>) {
    if hosts.is_empty() {
        lines.push("  without a network".to_owned());
    }
    lines.extend(hosts.iter().map(|host| format!("  it may reach {}, and send there whatever it can read", visible(host))));
}

fn foreign(call: &ForeignCall, scene: &Scene, provenance: &Provenance, lines: &mut Vec<String>) {
    lines.push(format!("call {} of the server {}", visible(&call.tool), visible(&call.server)));
    for (name, value) in &call.arguments {
        let text = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let mut parts = text.lines();
        let origin = if provenance.owns(value, name, call) { owners(value, provenance).to_owned() } else { foreign_origins(value, scene) };
        // Before the value, and each further line behind a mark: no value can look like another argument, or bring an origin of its own.
        lines.push(format!("  {} ({origin}): {}", visible(name), visible(parts.next().unwrap_or_default())));
        lines.extend(parts.map(|line| format!("    | {}", visible(line))));
    }
}

/// Where a value comes from, as far as the context tells.
fn origin(value: &str, scene: &Scene, provenance: &Provenance) -> String {
    if provenance.words().hold(value) {
        return OWNERS.to_owned();
    }
    if provenance.knows(value) {
        return KNOWN.to_owned();
    }
    foreign_origin(value, scene)
}

/// Whose word an argument is that counts as the owner's.
fn owners(value: &Value, provenance: &Provenance) -> &'static str {
    let known = |leaf: &&Value| leaf.as_str().is_some_and(|text| !provenance.words().hold(text) && provenance.knows(text));
    if leaves(value).iter().any(known) { KNOWN } else { OWNERS }
}

/// Where the parts of a value come from that is not the owner's, as far as others wrote them.
fn foreign_origins(value: &Value, scene: &Scene) -> String {
    let parts: BTreeSet<String> = leaves(value).into_iter().map(|leaf| foreign_origin(&text_of(leaf), scene)).collect();
    let foreign: Vec<&str> = parts.iter().map(String::as_str).filter(|origin| *origin != MODELS).collect();
    if foreign.is_empty() { MODELS.to_owned() } else { foreign.join(", ") }
}

/// Where a value comes from that is not the owner's.
fn foreign_origin(value: &str, scene: &Scene) -> String {
    let source = scene.said.iter().rev().find(|said| !value.trim().is_empty() && !said.label.is_own() && said.text.contains(value.trim()));
    match source {
        Some(said) => format!("from {}", visible(&said.label.to_string())),
        None => MODELS.to_owned(),
    }
}

/// Every character visible: those that move the cursor, turn the direction or show nothing are written as their number.
pub(crate) fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if is_hidden(character) {
            shown.extend(character.escape_unicode());
        } else {
            shown.push(character);
        }
    }
    shown
}

fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{00AD}' | '\u{034F}' | '\u{061C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}' | '\u{180B}'..='\u{180F}'
            | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}'
            | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFB}' | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}')
}
