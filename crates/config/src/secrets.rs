//! Secret references: from what is written to the secret, or to what is wanted.
//!
//! A secret place holds a text, `${NAME}`, `$NAME`, or OpenClaw's `{source, provider, id}`. `env` and `file` are followed.
//! `exec` runs a program and `store` is OpenClaw's own database: neither is touched, and the person is told. A provider
//! whose key is missing is still in the configuration, so that the others work and this one can say what it needs.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::Env;
use crate::draft::{At, Draft};
use crate::files::Files;
use crate::include::plain;
use crate::secret_names::is_harmless_header;
use crate::tree::{Node, NodeId};
use crate::variables::Expansion;

/// Follows secret references. Files are read once.
pub(crate) struct Resolver<'t> {
    root: &'t Node,
    env: &'t Env,
    expansion: &'t Expansion,
    files: &'t dyn Files,
    /// What `~` in a file's name stands for.
    home: Option<&'t Path>,
    /// Names of files that are not absolute are relative to this.
    directory: &'t Path,
    contents: RefCell<HashMap<PathBuf, Result<String, String>>>,
    drafts: RefCell<Vec<Draft>>,
}

/// A secret, or what is wanted to have it.
pub(crate) enum Resolved {
    Given { text: String, source: String },
    Missing { wanted: String },
}

impl<'t> Resolver<'t> {
    pub(crate) fn new(
        root: &'t Node,
        env: &'t Env,
        expansion: &'t Expansion,
        files: &'t dyn Files,
        home: Option<&'t Path>,
        directory: &'t Path,
    ) -> Self {
        let (contents, drafts) = (RefCell::default(), RefCell::default());
        Self { root, env, expansion, files, home, directory, contents, drafts }
    }

    pub(crate) fn into_drafts(self) -> Vec<Draft> {
        self.drafts.into_inner()
    }

    /// Follows the value of a secret place that stands under `key`.
    pub(crate) fn resolve(&self, node: &Node, key: &str) -> Resolved {
        match (node.as_text(), node.as_object()) {
            (Some(text), _) => self.text(node, text, key),
            (None, Some(object)) => {
                let part = |name: &str| object.get(name).and_then(Node::as_text).unwrap_or_default();
                self.reference(node.id, part("source"), part("provider"), part("id"))
            }
            (None, None) => Resolved::Missing { wanted: "a text".to_owned() },
        }
    }

    fn text(&self, node: &Node, text: &str, key: &str) -> Resolved {
        if let Some(missing) = self.expansion.missing.get(&node.id) {
            return self.missing_variable(node.id, &missing.join(", "));
        }
        if let Some(used) = self.expansion.used.get(&node.id) {
            return given(text, format!("environment variable {}", used.join(", ")));
        }
        if let Some(name) = text.strip_prefix('$').filter(|name| is_variable(name)) {
            return self.variable(node.id, name);
        }
        if text.starts_with('!') {
            let draft = Draft::warning(
                "command-not-run",
                At::Key(node.id),
                "the value is a command, and krabba runs none to read its configuration",
            );
            self.say(draft.help("put its result into an environment variable and write ${NAME}"));
            return Resolved::Missing { wanted: "the result of a command, which is not run".to_owned() };
        }
        let is_header = !matches!(key, "apiKey");
        match self.env.get(text) {
            Some(value) if is_header && is_variable(text) && !is_harmless_header(key) => {
                given(value, format!("environment variable {text}"))
            }
            _ => {
                if !is_header && is_variable(text) && text.contains('_') {
                    let draft = Draft::warning(
                        "literal-key",
                        At::Value(node.id),
                        "this looks like the name of a variable, and is sent as the key itself",
                    );
                    self.say(draft.help(format!("write \"${{{text}}}\" to use the variable")));
                }
                given(text, "configuration".to_owned())
            }
        }
    }

    fn variable(&self, id: NodeId, name: &str) -> Resolved {
        match self.env.get(name) {
            Some(value) => given(value, format!("environment variable {name}")),
            None => self.missing_variable(id, name),
        }
    }

    fn missing_variable(&self, id: NodeId, names: &str) -> Resolved {
        let draft = Draft::warning("missing-key", At::Key(id), format!("environment variable {names} is not set, so this key is missing"));
        self.say(draft.help("set it in the environment, in ~/.krabba/.env or under env.vars; everything else works without it"));
        Resolved::Missing { wanted: format!("environment variable {names}") }
    }

    fn reference(&self, id: NodeId, source: &str, provider: &str, name: &str) -> Resolved {
        match source {
            "env" => self.variable(id, name),
            "file" => match self.file(provider, name) {
                Ok((text, path)) => given(&text, format!("file {}", path.display())),
                Err(why) => self.not_found(id, "missing-key", why, "correct the reference; everything else works without it"),
            },
            "exec" => {
                let why = format!("secret provider \"{provider}\" is a program, and krabba runs none to read its configuration");
                self.not_found(id, "unsupported-secret", why, "use {source: \"env\"} or {source: \"file\"}")
            }
            _ => {
                let why = "the secret is in OpenClaw's own store, which krabba does not read".to_owned();
                self.not_found(id, "unsupported-secret", why, "use {source: \"env\"} or {source: \"file\"}")
            }
        }
    }

    fn not_found(&self, id: NodeId, code: &'static str, why: String, help: &str) -> Resolved {
        self.say(Draft::warning(code, At::Key(id), why.clone()).help(help));
        Resolved::Missing { wanted: why }
    }

    /// `secrets.providers.<name>` says which file; `mode` is `json` (the id is a JSON pointer) or `singleValue` (the id is `value`).
    fn file(&self, provider: &str, id: &str) -> Result<(String, PathBuf), String> {
        let entry = self.root.at(&["secrets", "providers", provider]).ok_or(format!("there is no secrets.providers.{provider}"))?;
        let named = entry.get("path").and_then(Node::as_text).ok_or(format!("secrets.providers.{provider}.path is missing"))?;
        let path = match (named.strip_prefix("~/"), self.home) {
            (Some(rest), Some(home)) => home.join(rest),
            (Some(_), None) | (None, _) => self.directory.join(named),
        };
        let content = self.contents.borrow_mut().entry(path.clone()).or_insert_with(|| self.read(&path)).clone()?;
        if entry.get("mode").and_then(Node::as_text) == Some("singleValue") || id == "value" {
            return Ok((content.trim_end_matches(['\r', '\n']).to_owned(), path));
        }
        let json: serde_json::Value = serde_json::from_str(&content).map_err(|_| format!("{} is not JSON", path.display()))?;
        match json.pointer(id) {
            Some(serde_json::Value::String(text)) => Ok((text.clone(), path)),
            Some(_) => Err(format!("{id} in {} is not a text", path.display())),
            None => Err(format!("there is no {id} in {}", path.display())),
        }
    }

    fn read(&self, path: &Path) -> Result<String, String> {
        let content = self.files.read(path).map_err(|error| format!("cannot read {}: {}", path.display(), plain(&error)))?;
        if content.mode.is_some_and(|mode| mode & 0o077 != 0) {
            let message = format!("{} holds secrets and can be read by others", path.display());
            self.say(Draft::warning("readable-by-others", At::Nowhere, message).help(format!("chmod 600 {}", path.display())));
        }
        String::from_utf8(content.bytes).map_err(|_| format!("{} is not UTF-8 text", path.display()))
    }

    fn say(&self, draft: Draft) {
        self.drafts.borrow_mut().push(draft);
    }
}

fn given(text: &str, source: String) -> Resolved {
    Resolved::Given { text: text.to_owned(), source }
}

/// Names of variables as OpenClaw accepts them in references.
fn is_variable(name: &str) -> bool {
    name.len() <= 128
        && name.starts_with(|c: char| c.is_ascii_uppercase() || c == '_')
        && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}
