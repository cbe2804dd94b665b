//! The parsed file as a tree whose every value knows where it was written.
//!
//! `json5` decides what is valid and gives no positions. It does visit values in document order, so each value gets
//! its ordinal in that order, and [`Spans`](crate::spans::Spans) finds the place of an ordinal by lexing the text once,
//! when the first diagnostic asks. A tree that was merged from several files therefore keeps the origin of
//! every value for the price of six bytes.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// Objects and lists may be nested this deep; the parser recurses, and a configuration needs about ten.
const MAX_DEPTH: u16 = 100;
/// Up to this many keys, comparing each with each is quicker than hashing them.
const FEW_KEYS: usize = 16;

/// The origin of a value: which file, and the how-manieth value in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct NodeId {
    pub(crate) file: u16,
    pub(crate) ordinal: u32,
}

/// A value and its origin. No `Debug`: there may be secrets in it.
#[derive(Clone)]
pub(crate) struct Node {
    pub(crate) id: NodeId,
    pub(crate) value: Value,
}

/// A JSON5 value. Whole numbers are integers however they were written (`1e5`, `0x10`).
#[derive(Clone)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Integer(i64),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    Object(Object),
}

/// Keys in the order of the file, each once.
#[derive(Clone, Default)]
pub(crate) struct Object {
    pub(crate) entries: Vec<(String, Node)>,
}

impl Object {
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.entries.iter().find(|(name, _)| name == key).map(|(_, node)| node)
    }

    pub(crate) fn get_mut(&mut self, key: &str) -> Option<&mut Node> {
        self.entries.iter_mut().find(|(name, _)| name == key).map(|(_, node)| node)
    }

    pub(crate) fn remove(&mut self, key: &str) -> Option<Node> {
        let index = self.entries.iter().position(|(name, _)| name == key)?;
        Some(self.entries.remove(index).1)
    }

    /// The object under `key`, made when there is none. A value of another kind stays, and there is no object then.
    pub(crate) fn object_or_insert(&mut self, key: &str, id: NodeId) -> Option<&mut Object> {
        if self.get(key).is_none() {
            self.entries.push((key.to_owned(), Node { id, value: Value::Object(Self::default()) }));
        }
        self.get_mut(key)?.as_object_mut()
    }
}

impl Node {
    pub(crate) fn text(id: NodeId, text: impl Into<String>) -> Self {
        Self { id, value: Value::Text(text.into()) }
    }

    pub(crate) fn as_text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            Value::Null | Value::Bool(_) | Value::Integer(_) | Value::Float(_) | Value::List(_) | Value::Object(_) => None,
        }
    }

    pub(crate) fn as_object(&self) -> Option<&Object> {
        match &self.value {
            Value::Object(object) => Some(object),
            Value::Null | Value::Bool(_) | Value::Integer(_) | Value::Float(_) | Value::Text(_) | Value::List(_) => None,
        }
    }

    pub(crate) fn as_object_mut(&mut self) -> Option<&mut Object> {
        match &mut self.value {
            Value::Object(object) => Some(object),
            Value::Null | Value::Bool(_) | Value::Integer(_) | Value::Float(_) | Value::Text(_) | Value::List(_) => None,
        }
    }

    pub(crate) fn as_list(&self) -> Option<&[Self]> {
        match &self.value {
            Value::List(items) => Some(items),
            Value::Null | Value::Bool(_) | Value::Integer(_) | Value::Float(_) | Value::Text(_) | Value::Object(_) => None,
        }
    }

    /// The value under a key of an object.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        self.as_object()?.get(key)
    }

    /// The value at the end of a chain of keys.
    pub(crate) fn at(&self, keys: &[&str]) -> Option<&Self> {
        keys.iter().try_fold(self, |node, key| node.get(key))
    }

    /// Marks this value and all below it as written in `file`.
    pub(crate) fn set_file(&mut self, file: u16) {
        self.id.file = file;
        match &mut self.value {
            Value::List(items) => items.iter_mut().for_each(|item| item.set_file(file)),
            Value::Object(object) => object.entries.iter_mut().for_each(|(_, node)| node.set_file(file)),
            Value::Null | Value::Bool(_) | Value::Integer(_) | Value::Float(_) | Value::Text(_) => {}
        }
    }

    /// The kind of value, as a person would call it.
    pub(crate) fn kind(&self) -> &'static str {
        match &self.value {
            Value::Null => "null",
            Value::Bool(_) => "true or false",
            Value::Integer(_) | Value::Float(_) => "a number",
            Value::Text(_) => "a text",
            Value::List(_) => "a list",
            Value::Object(_) => "an object",
        }
    }

    /// The value without origins. Numbers that JSON cannot hold become null.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        match &self.value {
            Value::Null => serde_json::Value::Null,
            Value::Bool(flag) => (*flag).into(),
            Value::Integer(number) => (*number).into(),
            Value::Float(number) => (*number).into(),
            Value::Text(text) => text.as_str().into(),
            Value::List(items) => items.iter().map(Self::to_json).collect(),
            Value::Object(object) => object.entries.iter().map(|(key, node)| (key.clone(), node.to_json())).collect(),
        }
    }
}

/// A file after parsing.
pub(crate) struct Parsed {
    pub(crate) root: Node,
    /// Values whose key had already been given in the same object; they replaced the earlier ones.
    pub(crate) duplicates: Vec<NodeId>,
}

/// Parses a JSON5 text as file 0.
pub(crate) fn parse(text: &str) -> Result<Parsed, json5::Error> {
    json5::from_str(text)
}

impl<'de> Deserialize<'de> for Parsed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let count = Count::default();
        let root = Seed { count: &count, depth: 0 }.deserialize(deserializer)?;
        Ok(Self { root, duplicates: count.duplicates.into_inner() })
    }
}

#[derive(Default)]
struct Count {
    next: Cell<u32>,
    duplicates: RefCell<Vec<NodeId>>,
}

#[derive(Clone, Copy)]
struct Seed<'c> {
    count: &'c Count,
    depth: u16,
}

impl Seed<'_> {
    fn deeper<E: Error>(self) -> Result<Self, E> {
        if self.depth >= MAX_DEPTH {
            return Err(E::custom(format_args!("nested deeper than {MAX_DEPTH} levels")));
        }
        Ok(Self { count: self.count, depth: self.depth + 1 })
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        let ordinal = self.count.next.get();
        self.count.next.set(ordinal.saturating_add(1));
        Ok(Node { id: NodeId { file: 0, ordinal }, value: deserializer.deserialize_any(self)? })
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON5 value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Value, E> {
        Ok(Value::Bool(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Integer(number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Value, E> {
        i64::try_from(number).map(Value::Integer).or_else(|_| self.visit_f64(number as f64))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        // Below 2^53 every whole number has one exact form.
        const EXACT: f64 = 9_007_199_254_740_992.0;
        Ok(if number.fract() == 0.0 && number.abs() < EXACT { Value::Integer(number as i64) } else { Value::Float(number) })
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let seed = self.deeper()?;
        let mut items = Vec::new();
        while let Some(item) = access.next_element_seed(seed)? {
            items.push(item);
        }
        Ok(Value::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let seed = self.deeper()?;
        let mut entries: Vec<(String, Node)> = Vec::new();
        while let Some(key) = access.next_key::<String>()? {
            entries.push((key, access.next_value_seed(seed)?));
        }
        if has_duplicates(&entries) {
            entries = keep_last(entries, &self.count.duplicates);
        }
        Ok(Value::Object(Object { entries }))
    }
}

fn has_duplicates(entries: &[(String, Node)]) -> bool {
    if entries.len() <= FEW_KEYS {
        return entries.iter().enumerate().any(|(index, (key, _))| entries.iter().take(index).any(|(earlier, _)| earlier == key));
    }
    let mut seen = HashSet::with_capacity(entries.len());
    entries.iter().any(|(key, _)| !seen.insert(key.as_str()))
}

/// The later value takes the earlier one's place, as in every JavaScript parser.
fn keep_last(entries: Vec<(String, Node)>, duplicates: &RefCell<Vec<NodeId>>) -> Vec<(String, Node)> {
    let mut index: std::collections::HashMap<String, usize> = std::collections::HashMap::with_capacity(entries.len());
    let mut kept: Vec<(String, Node)> = Vec::with_capacity(entries.len());
    for (key, node) in entries {
        match index.get(&key).and_then(|&at| kept.get_mut(at)) {
            Some((_, earlier)) => {
                duplicates.borrow_mut().push(node.id);
                *earlier = node;
            }
            None => {
                index.insert(key.clone(), kept.len());
                kept.push((key, node));
            }
        }
    }
    kept
}
