//! Changing one value of a file and nothing else: comments, order and blank lines stay.
//!
//! The text is edited by `jsonc-parser`, whose grammar is a little different from JSON5; so the result is parsed again by
//! `json5` and must hold exactly the old values with the one change. Then the whole configuration is read with the new
//! text in place of the file: the change must take effect (an included file can be in the way) and bring no new error.
//! Only then is it written. When one of these fails, nothing is, and the person is told how to do it by hand.

use std::path::{Path, PathBuf};

use jsonc_parser::ParseOptions;
use jsonc_parser::cst::{CstArray, CstContainerNode, CstInputValue, CstLeafNode, CstNode, CstObject, CstObjectProp, CstRootNode};
use serde_json::Value as Json;

use crate::files::{Disk, Files, Overlay};
use crate::key_path::{KeyPath, Step, is_plain};
use crate::{Diagnostics, Location, Ownership, Severity, Surroundings, load};

/// What an edit did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edited {
    /// The file was written; what there is to say about it now.
    Written(Diagnostics),
    /// The file said so already.
    Unchanged,
}

/// Why an edit was not made. Nothing was written then.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// It is OpenClaw's file.
    #[error("{} belongs to OpenClaw and is only read; `krabba config adopt` makes a copy of it that krabba may edit", path.display())]
    Theirs {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Another program wrote the file meanwhile.
    #[error("{} was changed by another program at the same moment; try again", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// There is one already.
    #[error("{} exists already; move it away first", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The key leads nowhere.
    #[error("there is no place for {key}: {why}")]
    NoSuchKey {
        /// The key.
        key: String,
        /// What is in the way.
        why: String,
    },
    /// The text cannot be edited safely.
    #[error("cannot edit {} without damaging it: {why}; change it by hand: {manual}", path.display())]
    NotEditable {
        /// The file.
        path: PathBuf,
        /// What is special about it.
        why: String,
        /// What to write where.
        manual: String,
    },
    /// The change would have no effect.
    #[error("changing {key} in {} has no effect, because {why}", path.display())]
    NoEffect {
        /// The key.
        key: String,
        /// The file.
        path: PathBuf,
        /// What is in the way.
        why: String,
    },
    /// The result would have errors.
    #[error("the configuration would not be valid; nothing was written\n{}", crate::render(diagnostics, crate::Paint::Plain))]
    Invalid {
        /// The errors.
        diagnostics: Diagnostics,
    },
}

/// Sets a value. `text` is JSON5; what is not counts as a text, so that quotes may be left out on a command line.
/// Objects on the way are made. An index one past the end of a list appends.
///
/// # Errors
/// See [`EditError`].
pub fn set(location: &Location, key: &KeyPath, text: &str, surroundings: &Surroundings) -> Result<Edited, EditError> {
    let value: Json = match crate::tree::parse(text) {
        Ok(parsed) => parsed.root.to_json(),
        Err(_) => text.into(),
    };
    Edit::open(location, key)?.make(Some(value), surroundings)
}

/// Removes a value, and the comma after it. Comments stay.
///
/// # Errors
/// See [`EditError`].
pub fn unset(location: &Location, key: &KeyPath, surroundings: &Surroundings) -> Result<Edited, EditError> {
    Edit::open(location, key)?.make(None, surroundings)
}

struct Edit<'k> {
    /// As the person knows it.
    path: PathBuf,
    /// Where it really is: writing over a link would replace the link.
    real: PathBuf,
    text: String,
    key: &'k KeyPath,
}

impl<'k> Edit<'k> {
    fn open(location: &Location, key: &'k KeyPath) -> Result<Self, EditError> {
        let path = location.path.clone();
        match location.ownership {
            Ownership::Theirs => return Err(EditError::Theirs { path }),
            Ownership::Ours => {}
        }
        if key.is_empty() {
            return Err(EditError::NoSuchKey { key: String::new(), why: "no key was given".to_owned() });
        }
        let text = read_text(&path)?;
        Ok(Self { real: Disk.canonical(&path), path, text, key })
    }

    fn make(&self, value: Option<Json>, surroundings: &Surroundings) -> Result<Edited, EditError> {
        let before = self.parse(&self.text)?;
        let mut after = before.clone();
        change(&mut after, self.key.steps(), value.as_ref()).map_err(|why| EditError::NoSuchKey { key: self.key.to_string(), why })?;
        if after == before {
            return Ok(Edited::Unchanged);
        }
        let text = self.edited_text(value.as_ref())?;
        if self.parse(&text).ok().as_ref() != Some(&after) {
            return Err(self.by_hand("the edited text would not mean what was asked for", value.as_ref()));
        }
        let diagnostics = self.validate(&text, value.as_ref(), surroundings)?;
        crate::write::replace(&self.real, &self.text, &text)?;
        Ok(Edited::Written(diagnostics))
    }

    fn parse(&self, text: &str) -> Result<Json, EditError> {
        crate::tree::parse(text).map(|parsed| parsed.root.to_json()).map_err(|error| EditError::NotEditable {
            path: self.path.clone(),
            why: format!("it is not JSON5 ({error})"),
            manual: "mend it first; `krabba config validate` shows where".to_owned(),
        })
    }

    fn edited_text(&self, value: Option<&Json>) -> Result<String, EditError> {
        // The mark at the start of a file is white space in JSON5 and an error in this parser.
        let (mark, body) = match self.text.strip_prefix('\u{feff}') {
            Some(body) => ("\u{feff}", body),
            None => ("", self.text.as_str()),
        };
        let options = ParseOptions { allow_missing_commas: false, ..ParseOptions::default() };
        let root = CstRootNode::parse(body, &options).map_err(|error| self.by_hand(&error.to_string(), value))?;
        let object = root.object_value().ok_or_else(|| self.by_hand("it holds no object", value))?;
        let quotes = if object.properties().first().and_then(|property| property.name()?.as_word_lit()).is_some() {
            Quotes::Needed
        } else {
            Quotes::Always
        };
        match value {
            Some(value) => put(CstNode::from(CstContainerNode::from(object)), self.key.steps(), value, quotes),
            None => take(CstNode::from(CstContainerNode::from(object)), self.key.steps()),
        }
        .ok_or_else(|| self.by_hand("there is something unusual on the way to this key", value))?;
        Ok(format!("{mark}{root}"))
    }

    fn validate(&self, text: &str, value: Option<&Json>, surroundings: &Surroundings) -> Result<Diagnostics, EditError> {
        let old = load(&self.path, &Disk, surroundings);
        let old = match &old {
            Ok(loaded) => &loaded.diagnostics,
            Err(diagnostics) => diagnostics,
        };
        let overlay = Overlay { path: self.real.clone(), text };
        let loaded = load(&self.path, &overlay, surroundings).map_err(|diagnostics| EditError::Invalid { diagnostics })?;
        let known =
            |new: &crate::Diagnostic| old.iter().any(|old| (old.code, &old.key, &old.message) == (new.code, &new.key, &new.message));
        let new_errors: Vec<_> = loaded.diagnostics.iter().filter(|new| new.severity == Severity::Error && !known(new)).cloned().collect();
        if !new_errors.is_empty() {
            return Err(EditError::Invalid { diagnostics: Diagnostics::new(new_errors) });
        }
        if loaded.effective(self.key).as_ref() != value {
            let why = match loaded.place(self.key) {
                Some(place) => format!("{place} is merged with it"),
                None => "this key is an old one that is read as another".to_owned(),
            };
            return Err(EditError::NoEffect { key: self.key.to_string(), path: self.path.clone(), why });
        }
        Ok(loaded.diagnostics)
    }

    /// A value given on the command line may be a secret: it is not repeated.
    fn by_hand(&self, why: &str, value: Option<&Json>) -> EditError {
        let manual = match value {
            Some(_) => format!("give {} its new value", self.key),
            None => format!("remove {}", self.key),
        };
        EditError::NotEditable { path: self.path.clone(), why: why.to_owned(), manual }
    }
}

pub(crate) fn read_text(path: &Path) -> Result<String, EditError> {
    let fail = |source| EditError::Unreadable { path: path.to_owned(), source };
    let content = Disk.read(path).map_err(fail)?;
    String::from_utf8(content.bytes).map_err(|_| fail(std::io::Error::new(std::io::ErrorKind::InvalidData, "it is not UTF-8 text")))
}

/// The same change on values, to compare with.
fn change(root: &mut Json, steps: &[Step], value: Option<&Json>) -> Result<(), String> {
    let Some((step, rest)) = steps.split_first() else { return Ok(()) };
    match (step, &mut *root) {
        (Step::Key(key), Json::Object(object)) => match (rest.is_empty(), value) {
            (true, Some(value)) => {
                object.insert(key.clone(), value.clone());
                Ok(())
            }
            (true, None) => {
                object.shift_remove(key);
                Ok(())
            }
            (false, None) => object.get_mut(key).map_or(Ok(()), |child| change(child, rest, None)),
            (false, Some(_)) => change(object.entry(key).or_insert_with(|| Json::Object(serde_json::Map::new())), rest, value),
        },
        (Step::Index(at), Json::Array(items)) => match (rest.is_empty(), value) {
            (true, Some(value)) if *at == items.len() => {
                items.push(value.clone());
                Ok(())
            }
            (true, None) if *at < items.len() => {
                items.remove(*at);
                Ok(())
            }
            (last, _) => match (items.get_mut(*at), value) {
                (Some(slot), Some(value)) if last => {
                    *slot = value.clone();
                    Ok(())
                }
                (Some(child), _) => change(child, rest, value),
                (None, _) => Err(format!("the list has no entry {at}")),
            },
        },
        (Step::Key(key), _) => Err(format!("what should hold `{key}` is no object")),
        (Step::Index(at), _) => Err(format!("what should hold entry {at} is no list")),
    }
}

/// How a new key is written.
#[derive(Clone, Copy)]
enum Quotes {
    /// Where it cannot do without.
    Needed,
    Always,
}

fn put(node: CstNode, steps: &[Step], value: &Json, quotes: Quotes) -> Option<()> {
    let (step, rest) = steps.split_first()?;
    match step {
        Step::Key(key) => put_key(&node.as_object()?, key, rest, value, quotes),
        Step::Index(at) => put_index(&node.as_array()?, *at, rest, value, quotes),
    }
}

fn put_key(object: &CstObject, key: &str, rest: &[Step], value: &Json, quotes: Quotes) -> Option<()> {
    match (object.get(key), rest.is_empty()) {
        (Some(property), true) => {
            property.set_value(input(value));
            unquote(&property.value()?, quotes);
        }
        (Some(property), false) => return put(property.value()?, rest, value, quotes),
        (None, last) => {
            let new = if last { input(value) } else { CstInputValue::Object(Vec::new()) };
            let property = object.append(key, new);
            unquote_name(&property, quotes);
            unquote(&property.value()?, quotes);
            if !last {
                return put(property.value()?, rest, value, quotes);
            }
        }
    }
    Some(())
}

fn put_index(array: &CstArray, at: usize, rest: &[Step], value: &Json, quotes: Quotes) -> Option<()> {
    match array.elements().into_iter().nth(at) {
        None if rest.is_empty() => {
            unquote(&array.append(input(value)), quotes);
            Some(())
        }
        None => None,
        Some(element) if rest.is_empty() => {
            unquote(&replace(element, input(value))?, quotes);
            Some(())
        }
        Some(element) => put(element, rest, value, quotes),
    }
}

/// New keys are made with quotes; takes off those that the file's style does without.
fn unquote(node: &CstNode, quotes: Quotes) {
    for property in node.as_object().iter().flat_map(CstObject::properties) {
        unquote_name(&property, quotes);
        property.value().iter().for_each(|value| unquote(value, quotes));
    }
    node.as_array().iter().flat_map(CstArray::elements).for_each(|element| unquote(&element, quotes));
}

fn unquote_name(property: &CstObjectProp, quotes: Quotes) {
    let literal = property.name().and_then(|name| name.as_string_lit());
    match (quotes, literal, property.decoded_name()) {
        (Quotes::Needed, Some(literal), Some(name)) if is_plain(&name) => literal.set_raw_value(name),
        (Quotes::Needed | Quotes::Always, _, _) => {}
    }
}

fn replace(node: CstNode, value: CstInputValue) -> Option<CstNode> {
    match node {
        CstNode::Container(CstContainerNode::Object(node)) => node.replace_with(value),
        CstNode::Container(CstContainerNode::Array(node)) => node.replace_with(value),
        CstNode::Leaf(CstLeafNode::StringLit(node)) => node.replace_with(value),
        CstNode::Leaf(CstLeafNode::NumberLit(node)) => node.replace_with(value),
        CstNode::Leaf(CstLeafNode::BooleanLit(node)) => node.replace_with(value),
        CstNode::Leaf(CstLeafNode::NullKeyword(node)) => node.replace_with(value),
        CstNode::Leaf(CstLeafNode::WordLit(node)) => node.replace_with(value),
        CstNode::Container(_) | CstNode::Leaf(_) => None,
    }
}

fn take(node: CstNode, steps: &[Step]) -> Option<()> {
    let (step, rest) = steps.split_first()?;
    match (step, rest.is_empty()) {
        (Step::Key(key), true) => node.as_object()?.get(key)?.remove(),
        (Step::Key(key), false) => return take(node.as_object()?.get(key)?.value()?, rest),
        (Step::Index(at), true) => node.as_array()?.elements().into_iter().nth(*at)?.remove(),
        (Step::Index(at), false) => return take(node.as_array()?.elements().into_iter().nth(*at)?, rest),
    }
    Some(())
}

fn input(value: &Json) -> CstInputValue {
    match value {
        Json::Null => CstInputValue::Null,
        Json::Bool(flag) => CstInputValue::Bool(*flag),
        Json::Number(number) => CstInputValue::Number(number.to_string()),
        Json::String(text) => CstInputValue::String(text.clone()),
        Json::Array(items) => CstInputValue::Array(items.iter().map(input).collect()),
        Json::Object(object) => CstInputValue::Object(object.iter().map(|(key, value)| (key.clone(), input(value))).collect()),
    }
}
