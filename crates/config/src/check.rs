//! The tree against its shape: every fault is found, not the first alone.

use std::collections::HashSet;

use krabba_types::Residency;

use crate::draft::{At, Draft};
use crate::shape::{Fields, Kind, Range, Shape, TextRule};
use crate::sources::MAX_DIAGNOSTICS;
use crate::suggest::closest;
use crate::tree::{Node, NodeId, Object, Value};
use crate::variables::Expansion;

/// What the walk found.
#[derive(Default)]
pub(crate) struct Findings {
    pub(crate) drafts: Vec<Draft>,
    /// Values that are left out when the configuration is read.
    pub(crate) broken: HashSet<NodeId>,
    /// Keys of OpenClaw that are kept and not used, dotted, list positions left out.
    pub(crate) unused: Vec<String>,
    /// Texts in secret places that are written out in a file.
    pub(crate) literal_secrets: Vec<NodeId>,
}

/// Walks the whole configuration.
pub(crate) fn check(root: &Node, expansion: &Expansion) -> Findings {
    let mut walk = Walk { expansion, findings: Findings::default(), entries: Vec::new(), keys: Vec::new() };
    walk.value(root, Shape::root());
    walk.findings
}

struct Walk<'t> {
    expansion: &'t Expansion,
    findings: Findings,
    /// The entries that the walk is in.
    entries: Vec<NodeId>,
    /// The keys that the walk is in.
    keys: Vec<&'t str>,
}

impl<'t> Walk<'t> {
    fn value(&mut self, node: &'t Node, shape: &Shape) {
        if shape.entry {
            self.entries.push(node.id);
        }
        if shape.secret {
            self.secret(node, shape);
        } else {
            self.plain(node, shape);
        }
        if shape.entry {
            self.entries.pop();
        }
    }

    fn plain(&mut self, node: &'t Node, shape: &Shape) {
        match (&node.value, &shape.kind) {
            (Value::Null, _) | (_, Kind::Any) | (Value::Bool(_), Kind::Bool) => {}
            (Value::Integer(number), Kind::Number(range)) => self.number(node, *number as f64, range, true),
            (Value::Float(number), Kind::Number(range)) => self.number(node, *number, range, false),
            (Value::Text(text), Kind::Text(rule)) => self.text(node, text, rule),
            (Value::List(items), Kind::List(item)) => items.iter().for_each(|node| self.value(node, item)),
            (Value::Object(object), Kind::Map(value)) => {
                for (key, child) in &object.entries {
                    self.keys.push(key);
                    self.value(child, value);
                    self.keys.pop();
                }
            }
            (Value::Object(object), Kind::Object(fields)) => self.object(node, object, fields),
            (_, Kind::Choice(shapes)) => match shapes.iter().find(|shape| accepts_kind(shape, node)) {
                Some(shape) => self.value(node, shape),
                None => self.wrong_kind(node, &shape.kind),
            },
            (
                Value::Bool(_) | Value::Integer(_) | Value::Float(_) | Value::Text(_) | Value::List(_) | Value::Object(_),
                Kind::Bool | Kind::Number(_) | Kind::Text(_) | Kind::List(_) | Kind::Map(_) | Kind::Object(_),
            ) => self.wrong_kind(node, &shape.kind),
        }
    }

    fn secret(&mut self, node: &'t Node, shape: &Shape) {
        match &node.value {
            Value::Text(text) => {
                let is_reference = self.expansion.used.contains_key(&node.id) || self.expansion.missing.contains_key(&node.id);
                let harmless = self.keys.last().is_some_and(|key| crate::secret_names::is_harmless_header(key));
                // OpenClaw's own examples give local servers, which want no key, their name for one.
                let placeholder = self.keys.iter().any(|key| key == text);
                if !text.is_empty() && !is_reference && !harmless && !placeholder && !text.starts_with('$') {
                    self.findings.literal_secrets.push(node.id);
                }
            }
            Value::Object(_) => self.plain(node, shape),
            Value::Null => {}
            Value::Bool(_) | Value::Integer(_) | Value::Float(_) | Value::List(_) => {
                self.fault(node, format!("this is {}", node.kind()), "a text in quotes, ${VARIABLE}, or {source, provider, id}");
            }
        }
    }

    fn object(&mut self, node: &'t Node, object: &'t Object, fields: &Fields) {
        for (key, child) in &object.entries {
            self.keys.push(key);
            match fields.get(key) {
                Some(shape) => self.value(child, shape),
                None if fields.ignored.contains(key) => self.unused(),
                None if fields.open => {}
                None => self.unknown(key, child, fields),
            }
            self.keys.pop();
        }
        for required in &fields.required {
            if object.get(required).is_none_or(|value| matches!(value.value, Value::Null)) {
                let expected = fields.get(required).map(|shape| shape.kind.words()).unwrap_or_default();
                self.fault(node, format!("`{required}` is missing"), &expected);
            }
        }
    }

    fn unused(&mut self) {
        // These do have an effect, only not as settings of their own; or nobody expects one of them.
        if matches!(self.keys.as_slice(), ["env" | "secrets" | "meta" | "$schema"]) {
            return;
        }
        let key = self.keys.join(".");
        if !self.findings.unused.contains(&key) {
            self.findings.unused.push(key);
        }
    }

    fn unknown(&mut self, key: &str, node: &Node, fields: &Fields) {
        let draft = Draft::warning("unknown-key", At::Key(node.id), "there is no such key; it has no effect");
        // All that was found before comes first, so that this one is counted and not shown.
        if self.findings.drafts.len() >= MAX_DIAGNOSTICS {
            self.findings.drafts.push(draft);
            return;
        }
        let known = fields.fields.iter().map(|(key, _)| key.as_str());
        self.findings.drafts.push(match closest(key, known.clone().chain(fields.ignored.iter().map(String::as_str))) {
            Some(meant) => draft.help(format!("did you mean `{meant}`?")),
            None => draft.expected(format!("one of {}", known.collect::<Vec<_>>().join(", "))).help("remove it, or check where it belongs"),
        });
    }

    fn number(&mut self, node: &Node, number: f64, range: &Range, is_whole: bool) {
        if !range.holds(number, is_whole) {
            self.fault(node, format!("{number} is not allowed here"), &range.words());
        }
    }

    fn text(&mut self, node: &Node, text: &str, rule: &TextRule) {
        if let Some(missing) = self.expansion.missing.get(&node.id) {
            let draft =
                Draft::error("missing-variable", At::Value(node.id), format!("environment variable {} is not set", missing.join(", ")));
            self.broken(node.id);
            let help =
                format!("set it in the environment, in ~/.krabba/.env or under env.vars; $${{{}}} is the text itself", missing.join("…"));
            self.findings.drafts.push(draft.help(help));
        } else if rule.not_empty && text.trim().is_empty() {
            self.fault(node, "this is empty".to_owned(), "a text that is not empty");
        } else if rule.residency && text.parse::<Residency>().is_err() {
            self.fault(node, format!("\"{text}\" is no residency"), "device, lan, region:<code> or hosted");
        } else if !rule.choices.is_empty() && !rule.choices.iter().any(|choice| choice == text) {
            self.no_choice(node, text, rule);
        }
    }

    fn no_choice(&mut self, node: &Node, text: &str, rule: &TextRule) {
        let is_api = self.keys.last() == Some(&"api");
        if is_api && OTHER_APIS.contains(&text) {
            // A file that OpenClaw takes is no broken file: its other providers go on working.
            let message = format!("krabba does not speak the api \"{text}\" yet; what has it is left out");
            let help = "if the server also has an OpenAI-style /v1, use openai-completions";
            self.broken(node.id);
            self.findings.drafts.push(Draft::warning("unspoken-api", At::Value(node.id), message).expected(rule.words()).help(help));
            return;
        }
        let (code, message) = if is_api { ("unknown-api", "unknown api") } else { ("wrong-value", "there is no") };
        let draft = Draft::error(code, At::Value(node.id), format!("{message} \"{text}\"")).expected(rule.words());
        self.broken(node.id);
        self.findings.drafts.push(match closest(text, rule.choices.iter().map(String::as_str)) {
            Some(meant) => draft.help(format!("did you mean \"{meant}\"?")),
            None => draft,
        });
    }

    fn wrong_kind(&mut self, node: &Node, kind: &Kind) {
        self.fault(node, format!("this is {}", node.kind()), &kind.words());
    }

    fn fault(&mut self, node: &Node, message: String, expected: &str) {
        self.broken(node.id);
        self.findings.drafts.push(Draft::error("wrong-type", At::Key(node.id), message).expected(expected));
    }

    /// Leaves out the innermost entry around a fault; outside of entries, the faulty value alone.
    fn broken(&mut self, id: NodeId) {
        self.findings.broken.insert(self.entries.last().copied().unwrap_or(id));
    }
}

/// Wire formats that OpenClaw knows and krabba does not.
const OTHER_APIS: [&str; 11] = [
    "google-generative-ai",
    "bedrock-converse-stream",
    "github-copilot",
    "openai-codex-responses",
    "openai-chatgpt-responses",
    "azure-openai-responses",
    "google-gemini-cli",
    "google-vertex",
    "pi-messages",
    "mistral-conversations",
    "cohere-chat",
];

fn accepts_kind(shape: &Shape, node: &Node) -> bool {
    match &shape.kind {
        Kind::Any => true,
        Kind::Bool => matches!(node.value, Value::Bool(_)),
        Kind::Number(_) => matches!(node.value, Value::Integer(_) | Value::Float(_)),
        Kind::Text(_) => matches!(node.value, Value::Text(_)),
        Kind::List(_) => matches!(node.value, Value::List(_)),
        Kind::Map(_) | Kind::Object(_) => matches!(node.value, Value::Object(_)),
        Kind::Choice(shapes) => shapes.iter().any(|shape| accepts_kind(shape, node)),
    }
}
