//! `$include`: other files taken into the tree.
//!
//! As in OpenClaw: a single name stands for that file's value, a list is merged from first to last, and keys beside
//! `$include` are merged over the result. Objects merge key by key, lists are joined, anything else is replaced.
//! Names are relative to the file that includes. A file that cannot be read is one error; the rest is still loaded.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::Severity;
use crate::draft::{At, Draft};
use crate::files::Files;
use crate::sources::Sources;
use crate::tree::{Node, NodeId, Object, Value, parse};

/// Files including files including files.
const MAX_DEPTH: usize = 10;
/// Files in all: ten levels of lists could otherwise name millions.
const MAX_FILES: usize = 256;
const INCLUDE: &str = "$include";

/// Reads a configuration and all that it includes.
pub(crate) struct Reading<'f> {
    files: &'f dyn Files,
    /// Canonical names of the files that are being read, outermost first.
    chain: Vec<PathBuf>,
    /// The bound on files was met, and said once.
    is_full: bool,
    pub(crate) sources: Sources,
    pub(crate) drafts: Vec<Draft>,
}

impl<'f> Reading<'f> {
    pub(crate) fn new(files: &'f dyn Files) -> Self {
        Self { files, chain: Vec::new(), is_full: false, sources: Sources::default(), drafts: Vec::new() }
    }

    /// The merged value of a file, or `None` after saying why there is none.
    pub(crate) fn file(&mut self, path: &Path, included_at: At) -> Option<Node> {
        let content = match self.files.read(path) {
            Ok(content) => content,
            Err(error) => {
                let draft = Draft::error("unreadable-file", included_at, format!("cannot read {}: {}", path.display(), plain(&error)));
                self.drafts.push(draft.help(match included_at {
                    At::Nowhere => "check the name, or run krabba once without it to have a configuration made",
                    At::File(_) | At::Key(_) | At::Value(_) | At::Bytes { .. } => "names are relative to the file that includes",
                }));
                return None;
            }
        };
        let text = match String::from_utf8(content.bytes) {
            Ok(text) => text,
            Err(error) => {
                let line = error.as_bytes().iter().take(error.utf8_error().valid_up_to()).filter(|&&byte| byte == b'\n').count() + 1;
                let message = format!("{} is not UTF-8 text: line {line} holds other bytes", path.display());
                self.drafts.push(Draft::error("not-utf8", included_at, message).help("save the file as UTF-8"));
                return None;
            }
        };
        let file = self.sources.add(path, text, content.mode);
        let mut node = self.parse(file)?;
        if self.sources.get(file).is_some_and(|source| source.text.contains(INCLUDE)) {
            self.chain.push(self.files.canonical(path));
            let directory = path.parent().unwrap_or(Path::new("")).to_owned();
            self.take_in(&mut node, &directory);
            self.chain.pop();
        }
        Some(node)
    }

    fn parse(&mut self, file: u16) -> Option<Node> {
        let source = self.sources.get(file)?;
        match parse(&source.text) {
            Ok(parsed) => {
                let mut node = parsed.root;
                if file != 0 {
                    node.set_file(file);
                }
                self.drafts.extend(parsed.duplicates.into_iter().map(|id| {
                    Draft::warning("duplicate-key", At::Key(NodeId { file, ..id }), "this key is given twice; this later one counts")
                        .help("remove one of them")
                }));
                Some(node)
            }
            Err(error) => {
                self.drafts.push(crate::syntax::explain(&error, file, source));
                None
            }
        }
    }

    /// Replaces every `$include` in `node` by what it names.
    fn take_in(&mut self, node: &mut Node, directory: &Path) {
        let id = node.id;
        match &mut node.value {
            Value::Null | Value::Bool(_) | Value::Integer(_) | Value::Float(_) | Value::Text(_) => {}
            Value::List(items) => items.iter_mut().for_each(|item| self.take_in(item, directory)),
            Value::Object(object) => {
                let include = object.remove(INCLUDE);
                object.entries.iter_mut().for_each(|(_, child)| self.take_in(child, directory));
                if let Some(included) = include.and_then(|include| self.included(&include, directory)) {
                    let beside = std::mem::take(object);
                    self.put_over(node, included, beside, id);
                }
            }
        }
    }

    fn put_over(&mut self, node: &mut Node, included: Node, beside: Object, id: NodeId) {
        if beside.entries.is_empty() {
            *node = included;
        } else if matches!(included.value, Value::Object(_)) {
            *node = merge(included, Node { id, value: Value::Object(beside) });
        } else {
            let message = format!("the included value is {}, which cannot be merged with the keys beside $include", included.kind());
            self.drafts.push(Draft::error("bad-include", At::Value(id), message).expected("a file that holds an object"));
            node.value = Value::Object(beside);
        }
    }

    /// The merged value of what an `$include` names.
    fn included(&mut self, include: &Node, directory: &Path) -> Option<Node> {
        let names: Vec<&Node> = match &include.value {
            Value::Text(_) => vec![include],
            Value::List(items) => items.iter().collect(),
            Value::Null | Value::Bool(_) | Value::Integer(_) | Value::Float(_) | Value::Object(_) => {
                self.drafts.push(bad_name(include));
                return None;
            }
        };
        let mut merged: Option<Node> = None;
        for name in names {
            let Some(text) = name.as_text() else {
                self.drafts.push(bad_name(name));
                continue;
            };
            if let Some(next) = self.one(&directory.join(text), At::Value(name.id)) {
                merged = Some(match merged {
                    Some(earlier) => merge(earlier, next),
                    None => next,
                });
            }
        }
        merged
    }

    fn one(&mut self, path: &Path, at: At) -> Option<Node> {
        let canonical = self.files.canonical(path);
        let refusal = if self.chain.contains(&canonical) {
            let circle: Vec<String> = self.chain.iter().chain([&canonical]).map(|path| path.display().to_string()).collect();
            Some(format!("this file includes itself: {}", circle.join(" includes ")))
        } else if self.chain.len() > MAX_DEPTH {
            Some(format!("files are included more than {MAX_DEPTH} levels deep"))
        } else if self.is_full {
            return None;
        } else if self.sources.len() >= MAX_FILES {
            self.is_full = true;
            Some(format!("more than {MAX_FILES} files are included"))
        } else {
            None
        };
        match refusal {
            Some(message) => {
                self.drafts.push(Draft::error("bad-include", at, message).help("remove this $include"));
                None
            }
            None => self.file(path, at),
        }
    }
}

fn bad_name(node: &Node) -> Draft {
    Draft::new(Severity::Error, "bad-include", At::Value(node.id), format!("$include is {}", node.kind()))
        .expected("the name of a file, or a list of names")
}

/// `over` put on top of `base`.
pub(crate) fn merge(base: Node, over: Node) -> Node {
    let id = over.id;
    let value = match (base.value, over.value) {
        (Value::Object(base), Value::Object(over)) => Value::Object(merge_objects(base, over)),
        (Value::List(mut base), Value::List(over)) => {
            base.extend(over);
            Value::List(base)
        }
        (_, over) => over,
    };
    Node { id, value }
}

fn merge_objects(base: Object, over: Object) -> Object {
    let index: HashMap<String, usize> = base.entries.iter().enumerate().map(|(at, (key, _))| (key.clone(), at)).collect();
    let mut entries: Vec<(String, Option<Node>)> = base.entries.into_iter().map(|(key, node)| (key, Some(node))).collect();
    for (key, node) in over.entries {
        match index.get(&key).and_then(|&at| entries.get_mut(at)) {
            Some((_, slot)) => {
                *slot = Some(match slot.take() {
                    Some(earlier) => merge(earlier, node),
                    None => node,
                });
            }
            None => entries.push((key, Some(node))),
        }
    }
    Object { entries: entries.into_iter().filter_map(|(key, node)| Some((key, node?))).collect() }
}

/// The operating system's words without its number.
pub(crate) fn plain(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
        std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    }
}
