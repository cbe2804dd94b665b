//! serde over the tree: a typed value out of a node, with broken parts left out and secrets resolved.

use std::collections::HashSet;

use serde::de::value::{Error, MapDeserializer, StrDeserializer};
use serde::de::{DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

use crate::credential::{CREDENTIAL, GIVEN, MISSING, SOURCE};
use crate::secrets::{Resolved, Resolver};
use crate::tree::{Node, NodeId, Value};

/// What reading needs besides the tree.
#[derive(Clone, Copy)]
pub(crate) struct Context<'t> {
    /// Values that are passed over as if they were not there.
    pub(crate) broken: &'t HashSet<NodeId>,
    /// Follows secret references.
    pub(crate) secrets: &'t Resolver<'t>,
}

/// A node to be read.
#[derive(Clone, Copy)]
pub(crate) struct NodeReader<'t> {
    node: &'t Node,
    context: Context<'t>,
    /// The key that the node stands under.
    key: &'t str,
}

impl<'t> NodeReader<'t> {
    pub(crate) fn new(node: &'t Node, context: Context<'t>) -> Self {
        Self { node, context, key: "" }
    }

    fn credential<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Error> {
        let pairs: Vec<(&str, String)> = match self.context.secrets.resolve(self.node, self.key) {
            Resolved::Given { text, source } => vec![(GIVEN, text), (SOURCE, source)],
            Resolved::Missing { wanted } => vec![(MISSING, wanted)],
        };
        visitor.visit_map(MapDeserializer::new(pairs.into_iter()))
    }
}

impl<'de> Deserializer<'de> for NodeReader<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.node.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(flag) => visitor.visit_bool(*flag),
            Value::Integer(number) => visitor.visit_i64(*number),
            Value::Float(number) => visitor.visit_f64(*number),
            Value::Text(text) => visitor.visit_borrowed_str(text),
            Value::List(items) => visitor.visit_seq(Items { rest: items.iter(), context: self.context, key: self.key }),
            Value::Object(object) => visitor.visit_map(Members { rest: object.entries.iter(), next: None, context: self.context }),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.node.value {
            Value::Null => visitor.visit_none(),
            Value::Bool(_) | Value::Integer(_) | Value::Float(_) | Value::Text(_) | Value::List(_) | Value::Object(_) => {
                visitor.visit_some(self)
            }
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, Error> {
        if name == CREDENTIAL { self.credential(visitor) } else { visitor.visit_newtype_struct(self) }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let reader: StrDeserializer<'_, Error> = self.node.as_text().unwrap_or_default().into_deserializer();
        reader.deserialize_enum(name, variants, visitor)
    }

    /// Unread values are not walked.
    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct identifier
    }
}

struct Items<'t> {
    rest: std::slice::Iter<'t, Node>,
    context: Context<'t>,
    key: &'t str,
}

impl<'t> SeqAccess<'t> for Items<'t> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'t>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        match self.rest.find(|node| !self.context.broken.contains(&node.id)) {
            Some(node) => seed.deserialize(NodeReader { node, context: self.context, key: self.key }).map(Some),
            None => Ok(None),
        }
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.rest.len())
    }
}

struct Members<'t> {
    rest: std::slice::Iter<'t, (String, Node)>,
    next: Option<(&'t str, &'t Node)>,
    context: Context<'t>,
}

impl<'t> MapAccess<'t> for Members<'t> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'t>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        // A null is a key that was left out; a field that is not optional keeps its default.
        match self.rest.find(|(_, node)| !matches!(node.value, Value::Null) && !self.context.broken.contains(&node.id)) {
            Some((key, node)) => {
                self.next = Some((key, node));
                seed.deserialize(serde::de::value::BorrowedStrDeserializer::new(key)).map(Some)
            }
            None => Ok(None),
        }
    }

    fn next_value_seed<V: DeserializeSeed<'t>>(&mut self, seed: V) -> Result<V::Value, Error> {
        match self.next.take() {
            Some((key, node)) => seed.deserialize(NodeReader { node, context: self.context, key }),
            None => Err(serde::de::Error::custom("a value was asked for before its key")),
        }
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.rest.len())
    }
}
