//! From files to a configuration: read, merge, migrate, put in variables, check, judge, make typed.

use std::fmt;
use std::path::{Path, PathBuf};

use krabba_types::AgentId;
use serde_json::Value as Json;

use crate::check::check;
use crate::draft::{At, Draft};
use crate::files::{Disk, Files, MemoryFiles};
use crate::include::Reading;
use crate::key_path::{KeyPath, Step};
use crate::node_reader::Context;
use crate::redact::redact_node;
use crate::secrets::Resolver;
use crate::shape::Shape;
use crate::sources::Sources;
use crate::tree::{Node, NodeId, Value};
use crate::variables::{Expansion, add_env_block};
use crate::{Config, Diagnostics, Env, Place};

/// What a configuration is read with.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// The process environment.
    pub env: Env,
    /// `.env` files in the order in which they count; missing ones are passed over. See [`crate::Where::dot_env_files`].
    pub dot_env: Vec<PathBuf>,
    /// What `~` stands for in names of secret files.
    pub home: Option<PathBuf>,
}

/// A configuration that was read. It may have errors: then the entries they are in are missing from `config`, everything
/// else is there, and it is for the caller to end with 78 or to go on.
pub struct Loaded {
    /// The typed values.
    pub config: Config,
    /// All there is to say about the files.
    pub diagnostics: Diagnostics,
    /// The environment with all that `.env` files and the `env` block add to it.
    pub env: Env,
    root: Node,
    expansion: Expansion,
    sources: Sources,
}

impl fmt::Debug for Loaded {
    /// Without the trees and texts, which hold secrets.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Loaded").field("config", &self.config).field("diagnostics", &self.diagnostics).finish_non_exhaustive()
    }
}

impl Loaded {
    /// Where the value at `key` was written, whichever file that was.
    pub fn place(&self, key: &KeyPath) -> Option<Place> {
        self.sources.place(self.find(key)?.id)
    }

    /// The value at `key` after merging, as it was written before variables were put in, with secrets blanked.
    pub fn get(&self, key: &KeyPath) -> Option<Json> {
        let mut shape = Shape::root();
        for step in key.steps() {
            shape = shape.step(step);
        }
        let node = self.find(key)?;
        // The last key decides for a value that has no shape of its own.
        let name = key.steps().iter().rev().find_map(|step| match step {
            Step::Key(name) => Some(name.as_str()),
            Step::Index(_) => None,
        });
        Some(redact_node(node, shape, name.unwrap_or_default(), &self.expansion.written))
    }

    /// The whole configuration after merging, as it was written, with secrets blanked.
    pub fn redacted(&self) -> Json {
        redact_node(&self.root, Shape::root(), "", &self.expansion.written)
    }

    /// The key under which an agent was written, `agents.entries.<id>` or `agents.list[n]`.
    pub fn agent_key(&self, id: &AgentId) -> Option<KeyPath> {
        let key = |second: &str, last| KeyPath::from_iter([Step::Key("agents".to_owned()), Step::Key(second.to_owned()), last]);
        let agents = self.root.get("agents")?;
        if agents.at(&["entries", id.as_str()]).is_some() {
            return Some(key("entries", Step::Key(id.as_str().to_owned())));
        }
        let list = agents.get("list").and_then(Node::as_list)?;
        let at = list.iter().position(|agent| agent.get("id").and_then(Node::as_text) == Some(id.as_str()))?;
        Some(key("list", Step::Index(at)))
    }

    /// All files that were read, the configuration itself first.
    pub fn files(&self) -> Vec<&Path> {
        self.sources.iter().map(|(_, source)| source.path.as_path()).collect()
    }

    /// The effective value before redaction and typing, to compare an edit with what was asked for.
    pub(crate) fn effective(&self, key: &KeyPath) -> Option<Json> {
        Some(written(self.find(key)?, &self.expansion))
    }

    fn find(&self, key: &KeyPath) -> Option<&Node> {
        key.steps().iter().try_fold(&self.root, |node, step| match step {
            Step::Key(key) => node.get(key),
            Step::Index(at) => node.as_list()?.get(*at),
        })
    }
}

fn written(node: &Node, expansion: &Expansion) -> Json {
    match (&node.value, expansion.written.get(&node.id)) {
        (Value::Text(_), Some(text)) => text.as_str().into(),
        (Value::List(items), _) => items.iter().map(|item| written(item, expansion)).collect(),
        (Value::Object(object), _) => object.entries.iter().map(|(key, child)| (key.clone(), written(child, expansion))).collect(),
        (Value::Null | Value::Bool(_) | Value::Integer(_) | Value::Float(_) | Value::Text(_), _) => node.to_json(),
    }
}

/// Reads the configuration at `path`.
///
/// # Errors
/// When nothing at all can be read: the file is missing, is not JSON5, or is no object.
pub fn load(path: &Path, files: &dyn Files, surroundings: &Surroundings) -> Result<Loaded, Diagnostics> {
    let mut reading = Reading::new(files);
    let root = reading.file(path, At::Nowhere);
    let Reading { sources, mut drafts, .. } = reading;
    let Some(mut root) = root else { return Err(sources.finish(drafts, None)) };
    if root.as_object().is_none() {
        drafts.push(Draft::error("wrong-type", At::Value(root.id), format!("the configuration is {}", root.kind())).expected("an object"));
        return Err(sources.finish(drafts, None));
    }
    drafts.extend(crate::legacy::migrate(&mut root));

    let mut env = surroundings.env.clone();
    for file in &surroundings.dot_env {
        if let Ok(content) = files.read(file) {
            env.add_dot_env(&String::from_utf8_lossy(&content.bytes), &file.display().to_string());
        }
    }
    add_env_block(&root, &mut env);
    let mut expansion = Expansion::default();
    if sources.iter().any(|(_, source)| source.text.contains("${")) {
        expansion.expand(&mut root, &env);
    }

    let mut findings = check(&root, &expansion);
    crate::rules::judge(&root, &mut findings.drafts, |id| {
        findings.broken.insert(id);
    });
    let directory = path.parent().unwrap_or(Path::new("")).to_owned();
    let resolver = Resolver::new(&root, &env, &expansion, files, surroundings.home.as_deref(), &directory);
    let config = crate::read::read(&root, Context { broken: &findings.broken, secrets: &resolver }, &mut drafts);
    drafts.extend(resolver.into_drafts());
    drafts.extend(findings.drafts);
    drafts.extend(permissions(&sources, &findings.literal_secrets));
    drafts.extend(unused(&findings.unused));
    let diagnostics = sources.finish(drafts, Some(&root));
    Ok(Loaded { config, diagnostics, env, root, expansion, sources })
}

/// Reads a configuration from disk.
///
/// # Errors
/// As [`load`].
pub fn load_file(path: &Path, surroundings: &Surroundings) -> Result<Loaded, Diagnostics> {
    load(path, &Disk, surroundings)
}

/// Reads a configuration that is a text and nothing else; there are no files to include. For tests and fuzzing.
///
/// # Errors
/// As [`load`].
pub fn parse_text(text: &str, env: &Env) -> Result<Loaded, Diagnostics> {
    let path = Path::new("krabba.json5");
    load(path, &MemoryFiles::default().with(path, text), &Surroundings { env: env.clone(), ..Surroundings::default() })
}

/// Files that others can read and that hold a secret, and files that others can write.
fn permissions(sources: &Sources, secrets: &[NodeId]) -> Vec<Draft> {
    let mut drafts = Vec::new();
    for (file, source) in sources.iter() {
        let Some(mode) = source.mode else { continue };
        let help = format!("chmod 600 {}", source.path.display());
        if mode & 0o022 != 0 {
            let message = "others may write this file, and so decide where conversations go";
            drafts.push(Draft::warning("writable-by-others", At::File(file), message).help(help));
        } else if mode & 0o044 != 0 && secrets.iter().any(|id| id.file == file) {
            let message = "this file holds a secret and others may read it";
            drafts.push(Draft::warning("readable-by-others", At::File(file), message).help(help));
        }
    }
    drafts
}

/// One line for all keys that are kept and not used.
fn unused(keys: &[String]) -> Option<Draft> {
    const SHOWN: usize = 12;
    let (last, rest) = (keys.last()?, keys.len().saturating_sub(SHOWN));
    let names = match keys.len() {
        1 => last.clone(),
        _ => keys.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", "),
    };
    let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
    Some(Draft::notice("unused-keys", At::Nowhere, format!("kept and not used yet: {names}{more}")))
}
