//! `${NAME}` in texts.

use std::collections::HashMap;

use crate::Env;
use crate::tree::{Node, NodeId, Value};

/// What was done to the texts of a configuration.
#[derive(Default)]
pub(crate) struct Expansion {
    /// Texts that held variables, as they were written.
    pub(crate) written: HashMap<NodeId, String>,
    /// The variables that were put into a text.
    pub(crate) used: HashMap<NodeId, Vec<String>>,
    /// The variables of a text that are not set. Such a text is left as it was written.
    pub(crate) missing: HashMap<NodeId, Vec<String>>,
}

impl Expansion {
    /// Puts variables into all texts of `node`.
    pub(crate) fn expand(&mut self, node: &mut Node, env: &Env) {
        match &mut node.value {
            Value::Text(text) if text.contains("${") => {
                let expanded = expand_text(text, env);
                if expanded.missing.is_empty() {
                    self.written.insert(node.id, std::mem::replace(text, expanded.text));
                    if !expanded.used.is_empty() {
                        self.used.insert(node.id, expanded.used);
                    }
                } else {
                    self.missing.insert(node.id, expanded.missing);
                }
            }
            Value::Text(_) | Value::Null | Value::Bool(_) | Value::Integer(_) | Value::Float(_) => {}
            Value::List(items) => items.iter_mut().for_each(|item| self.expand(item, env)),
            Value::Object(object) => object.entries.iter_mut().for_each(|(_, child)| self.expand(child, env)),
        }
    }
}

pub(crate) struct Expanded {
    pub(crate) text: String,
    pub(crate) used: Vec<String>,
    pub(crate) missing: Vec<String>,
}

/// Puts variables into one text. `$${NAME}` is the way to write `${NAME}`; names are `[A-Z_][A-Z0-9_]*`, and anything
/// else in braces is left alone.
pub(crate) fn expand_text(text: &str, env: &Env) -> Expanded {
    let mut result = Expanded { text: String::with_capacity(text.len()), used: Vec::new(), missing: Vec::new() };
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let length = after.find(|c: char| !(c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')).unwrap_or(after.len());
        let (name, tail) = after.split_at(length);
        let tail = tail.strip_prefix('}').filter(|_| !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit()));
        let Some(tail) = tail else {
            result.text.push_str(before);
            result.text.push_str("${");
            rest = after;
            continue;
        };
        match before.strip_suffix('$') {
            Some(before) => result.text.extend([before, "${", name, "}"]),
            None => {
                result.text.push_str(before);
                match env.get(name) {
                    Some(value) => {
                        result.text.push_str(value);
                        result.used.push(name.to_owned());
                    }
                    None => result.missing.push(name.to_owned()),
                }
            }
        }
        rest = tail;
    }
    result.text.push_str(rest);
    result
}

/// Takes the variables of the configuration's `env` block that are not set elsewhere: `env.vars.NAME` and, as OpenClaw
/// also has it, `env.NAME`.
pub(crate) fn add_env_block(root: &Node, env: &mut Env) {
    let Some(block) = root.get("env").and_then(Node::as_object) else { return };
    let vars = block.get("vars").and_then(Node::as_object);
    let direct = block.entries.iter().filter(|(name, _)| name != "vars" && name != "shellEnv");
    for (name, node) in vars.into_iter().flat_map(|vars| &vars.entries).chain(direct) {
        if let Some(text) = node.as_text() {
            let expanded = expand_text(text, env);
            if expanded.missing.is_empty() {
                env.add_missing(name, &expanded.text, "env of the configuration");
            }
        }
    }
}
