//! A schema reduced to what every grammar engine can hold a model to: types, fields, lengths, ranges and choices. What is left out
//! (`pattern`, `format`, `not`, `multipleOf`, `uniqueItems`, fields that a schema allows without naming them) only narrows what can be
//! written or is looked at afterwards by [`check`](crate::check); references are followed, combinations are multiplied out.

use std::cell::Cell;

use krabba_types::{JsonObject, ModelRequest, Wanted};
use serde_json::{Value, json};

use crate::callable::callable;
use crate::grammar::MOST_REPEATED;
use crate::schema::{Asked, Schema, required, types};

/// Deeper than this a value may be anything.
const MAX_DEPTH: u32 = 12;
/// So many values of one schema are described; what is beyond may be anything.
const NODES: usize = 2_000;
/// The most items of a list whose schema does not say, and the most entries of an object without fields.
const ITEMS: u64 = 64;

/// The schema of one object that calls a tool of `request`, or that holds an answer in words where that is wanted too.
pub fn call_schema(request: &ModelRequest) -> JsonObject {
    let object = |properties: Value, required: [&str; 2]| json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false });
    let call = |(name, arguments): (&str, Mould)| {
        object(json!({ "name": { "enum": [name] }, "arguments": arguments.schema() }), ["name", "arguments"])
    };
    let words = (request.calling.wanted == Wanted::AnswerOrCall).then(
        || json!({ "type": "object", "properties": { "reply": { "type": "string" } }, "required": ["reply"], "additionalProperties": false }),
    );
    let choices: Vec<Value> = words.into_iter().chain(callable(request).into_iter().map(call)).collect();
    [("anyOf".to_owned(), choices.into())].into_iter().collect()
}

/// What a value must be.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Mould {
    Object(Vec<Field>),
    /// An object with any names.
    Map {
        value: Box<Mould>,
        least: u64,
    },
    List {
        item: Box<Mould>,
        least: u64,
        most: u64,
    },
    /// Lengths in characters.
    Text {
        least: u64,
        most: Option<u64>,
    },
    Number(Range),
    /// One of these, as they are.
    Values(Vec<Value>),
    Either(Vec<Mould>),
    Anything,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) required: bool,
    pub(crate) mould: Mould,
}

/// Which numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Range {
    pub(crate) whole: bool,
    pub(crate) least: Option<Bound>,
    pub(crate) most: Option<Bound>,
}

/// A limit that itself is in the range, or is not.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Bound {
    pub(crate) value: f64,
    pub(crate) excluded: bool,
}

impl Mould {
    /// Of the arguments of a tool.
    pub(crate) fn of(parameters: &JsonObject) -> Self {
        // Nothing is checked here.
        let steps = Cell::new(0);
        let mut maker = Maker { root: Schema::new(parameters, &steps), left: NODES };
        match maker.value(&Value::Object(parameters.clone()), 0) {
            Self::Anything => Self::Map { value: Box::new(Self::Anything), least: 0 },
            mould => mould,
        }
    }

    fn either(mut choices: Vec<Self>) -> Self {
        match choices.len() {
            0 => Self::Anything,
            1 => choices.remove(0),
            _ => Self::Either(choices),
        }
    }

    /// How often something is written down for an engine that writes down each repetition of it.
    pub(crate) fn repetitions(&self) -> u64 {
        match self {
            Self::Object(fields) => fields.iter().map(|field| field.mould.repetitions()).sum(),
            Self::Map { value, least: _ } => ITEMS + value.repetitions(),
            Self::List { item, least: _, most } => most + item.repetitions(),
            Self::Text { least, most } => most.unwrap_or(*least).min(MOST_REPEATED),
            Self::Either(choices) => choices.iter().map(Self::repetitions).sum(),
            Self::Number(_) | Self::Values(_) | Self::Anything => 0,
        }
    }

    /// The schema that says the same.
    pub(crate) fn schema(&self) -> Value {
        match self {
            Self::Object(fields) => {
                let properties: JsonObject = fields.iter().map(|field| (field.name.clone(), field.mould.schema())).collect();
                let required: Vec<&String> = fields.iter().filter(|field| field.required).map(|field| &field.name).collect();
                json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
            }
            Self::Map { value, least: _ } => json!({ "type": "object", "additionalProperties": value.schema() }),
            Self::List { item, least, most } => json!({ "type": "array", "items": item.schema(), "minItems": least, "maxItems": most }),
            Self::Text { least: 0, most: None } => json!({ "type": "string" }),
            Self::Text { least, most: None } => json!({ "type": "string", "minLength": least }),
            Self::Text { least, most: Some(most) } => json!({ "type": "string", "minLength": least, "maxLength": most }),
            Self::Number(range) => range.schema(),
            Self::Values(values) => json!({ "enum": values }),
            Self::Either(choices) => json!({ "anyOf": choices.iter().map(Self::schema).collect::<Vec<_>>() }),
            Self::Anything => json!({}),
        }
    }
}

/// Goes through a schema.
struct Maker<'schema> {
    root: Schema<'schema>,
    /// Values that may still be described.
    left: usize,
}

impl Maker<'_> {
    fn value(&mut self, schema: &Value, depth: u32) -> Mould {
        self.left = self.left.saturating_sub(1);
        let root = self.root;
        match root.of(schema) {
            Asked::Object(schema) if depth < MAX_DEPTH && self.left > 0 => self.resolved(schema, depth),
            Asked::Object(_) | Asked::Anything | Asked::Nothing => Mould::Anything,
        }
    }

    fn resolved(&mut self, schema: &JsonObject, depth: u32) -> Mould {
        let allowed = schema.get("enum").and_then(Value::as_array).cloned();
        if let Some(values) = schema.get("const").map(|only| vec![only.clone()]).or(allowed) {
            let whole = Value::Object(schema.clone());
            let fitting: Vec<Value> = values.iter().filter(|value| self.root.value(value, &whole, "").is_ok()).cloned().collect();
            if values.is_empty() {
                return Mould::Anything;
            }
            return Mould::Values(if fitting.is_empty() { values } else { fitting });
        }
        if let Some(parts) = schema.get("allOf").and_then(Value::as_array) {
            let base = without(schema, "allOf");
            let merged = parts
                .iter()
                .fold(base, |merged, part| if let Asked::Object(part) = self.root.of(part) { join(merged, part) } else { merged });
            return self.value(&Value::Object(merged), depth + 1);
        }
        for keyword in ["anyOf", "oneOf"] {
            if let Some(choices) = schema.get(keyword).and_then(Value::as_array) {
                let base = without(schema, keyword);
                let each = choices.iter().filter_map(|choice| match self.root.of(choice) {
                    Asked::Object(choice) => Some(self.value(&Value::Object(join(base.clone(), choice)), depth + 1)),
                    Asked::Anything => Some(self.value(&Value::Object(base.clone()), depth + 1)),
                    Asked::Nothing => None,
                });
                return Mould::either(each.collect());
            }
        }
        let named = types(schema);
        match named.as_slice() {
            [] if schema.contains_key("properties") => self.object(schema, depth),
            [] if schema.contains_key("items") => self.list(schema, depth),
            [] => Mould::Anything,
            names => Mould::either(names.iter().map(|name| self.of_type(name, schema, depth)).collect()),
        }
    }

    fn of_type(&mut self, name: &str, schema: &JsonObject, depth: u32) -> Mould {
        let count = |keyword: &str| schema.get(keyword).and_then(Value::as_u64);
        match name {
            "object" => self.object(schema, depth),
            "array" => self.list(schema, depth),
            "string" => Mould::Text { least: count("minLength").unwrap_or(0), most: count("maxLength") },
            "integer" => Mould::Number(Range::of(schema, true)),
            "number" => Mould::Number(Range::of(schema, false)),
            "boolean" => Mould::Values(vec![true.into(), false.into()]),
            "null" => Mould::Values(vec![Value::Null]),
            _ => Mould::Anything,
        }
    }

    fn object(&mut self, schema: &JsonObject, depth: u32) -> Mould {
        let properties = schema.get("properties").and_then(Value::as_object);
        let mut fields: Vec<Field> = Vec::new();
        for (name, described) in properties.into_iter().flatten() {
            let is_required = required(schema).any(|required| required == name);
            // What may be left out and has no value that fits is left out.
            if matches!(self.root.of(described), Asked::Nothing) && !is_required {
                continue;
            }
            fields.push(Field { name: name.clone(), required: is_required, mould: self.value(described, depth + 1) });
        }
        for name in required(schema) {
            if !fields.iter().any(|field| field.name == name) {
                fields.push(Field { name: name.to_owned(), required: true, mould: Mould::Anything });
            }
        }
        if fields.is_empty() && schema.get("additionalProperties") != Some(&Value::Bool(false)) {
            let value = schema.get("additionalProperties").map_or(Mould::Anything, |described| self.value(described, depth + 1));
            let least = schema.get("minProperties").and_then(Value::as_u64).unwrap_or(0);
            return Mould::Map { value: Box::new(value), least };
        }
        Mould::Object(fields)
    }

    fn list(&mut self, schema: &JsonObject, depth: u32) -> Mould {
        let count = |keyword: &str| schema.get(keyword).and_then(Value::as_u64);
        let item = schema.get("items").map_or(Mould::Anything, |described| self.value(described, depth + 1));
        let least = count("minItems").unwrap_or(0).min(ITEMS);
        Mould::List { item: Box::new(item), least, most: count("maxItems").unwrap_or(ITEMS).clamp(least, ITEMS) }
    }
}

impl Range {
    fn of(schema: &JsonObject, whole: bool) -> Self {
        let limit = |inclusive: &str, exclusive: &str| {
            // Before draft 6 the second was a flag beside the first.
            let flag = schema.get(exclusive) == Some(&Value::Bool(true));
            let bound = |keyword: &str, excluded| Some(Bound { value: schema.get(keyword)?.as_f64()?, excluded });
            bound(exclusive, true).or_else(|| bound(inclusive, flag))
        };
        Self { whole, least: limit("minimum", "exclusiveMinimum"), most: limit("maximum", "exclusiveMaximum") }
    }

    fn schema(self) -> Value {
        let mut schema = JsonObject::new();
        schema.insert("type".to_owned(), if self.whole { "integer" } else { "number" }.into());
        for (bound, keywords) in [(self.least, ["minimum", "exclusiveMinimum"]), (self.most, ["maximum", "exclusiveMaximum"])] {
            if let Some(bound) = bound {
                let number = if bound.value.fract() == 0.0 {
                    serde_json::from_str(&format!("{:.0}", bound.value)).unwrap_or_default()
                } else {
                    json!(bound.value)
                };
                schema.insert(keywords[usize::from(bound.excluded)].to_owned(), number);
            }
        }
        Value::Object(schema)
    }
}

fn without(schema: &JsonObject, keyword: &str) -> JsonObject {
    schema.iter().filter(|(key, _)| *key != keyword).map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// Both at once: fields and demands of both, of everything else what `part` says.
fn join(mut base: JsonObject, part: &JsonObject) -> JsonObject {
    for (key, value) in part {
        match (base.get_mut(key), value) {
            (Some(Value::Object(known)), Value::Object(more)) if key == "properties" => known.extend(more.clone()),
            (Some(Value::Array(known)), Value::Array(more)) if key == "required" => known.extend(more.iter().cloned()),
            _ => {
                base.insert(key.clone(), value.clone());
            }
        }
    }
    base
}
