//! Whether a value is what a JSON Schema asks for.
//!
//! A subset, which is what descriptions of tools are made of: types, enumerations, objects, lists, lengths, ranges, combinations
//! and references within the schema. A keyword that is not known (`pattern`, `format`, `if`) holds nothing back, as the standard
//! has it for unknown ones: the tool looks at its arguments itself.

use std::cell::Cell;
use std::fmt;

use krabba_types::JsonObject;
use serde_json::Value;

/// What is wrong with a value, for the model that wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// Where: `files[0].path`; empty for the whole.
    pub at: String,
    /// What: `must be an integer`.
    pub problem: String,
}

impl fmt::Display for Misfit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, problem } = self;
        if at.is_empty() { formatter.write_str(problem) } else { write!(formatter, "\"{at}\" {problem}") }
    }
}

/// Checks `arguments` against the schema of a tool.
///
/// # Errors
/// The first thing that is wrong.
pub fn check(arguments: &JsonObject, schema: &JsonObject) -> Result<(), Misfit> {
    let left = Cell::new(STEPS);
    check_in(arguments, Schema::new(schema, &left))
}

/// The same within what is left of the steps.
pub(crate) fn check_in(arguments: &JsonObject, place: Schema<'_>) -> Result<(), Misfit> {
    let schema = place.root;
    match place.resolve(schema) {
        Asked::Object(schema) => {
            place.object(arguments, schema, "")?;
            place.combined(&Value::Object(arguments.clone()), schema, "")
        }
        Asked::Anything | Asked::Nothing => Ok(()),
    }
}

/// More than any honest schema takes. A short one may ask for more than there are atoms: forms of forms of forms.
pub(crate) const STEPS: u32 = 100_000;

/// Deeper than any schema goes; ends references that go round in circles.
const MAX_DEPTH: u32 = 64;

/// What a schema asks for, references followed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Asked<'schema> {
    Object(&'schema JsonObject),
    Anything,
    Nothing,
}

/// A place in a schema.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Schema<'schema> {
    root: &'schema JsonObject,
    depth: u32,
    left: &'schema Cell<u32>,
}

impl<'schema> Schema<'schema> {
    /// The whole of one, to be looked at in as many steps as are `left`.
    pub(crate) fn new(root: &'schema JsonObject, left: &'schema Cell<u32>) -> Self {
        Self { root, depth: 0, left }
    }

    /// Takes a step; whether there was one left.
    pub(crate) fn step(self) -> bool {
        let left = self.left.get();
        self.left.set(left.saturating_sub(1));
        left > 0
    }

    /// Checks a value that stands at `at`.
    pub(crate) fn value(self, value: &Value, schema: &'schema Value, at: &str) -> Result<(), Misfit> {
        let schema = match self.of(schema) {
            Asked::Object(schema) => schema,
            Asked::Nothing => return misfit(at, "is not wanted"),
            Asked::Anything => return Ok(()),
        };
        if self.depth > MAX_DEPTH {
            return misfit(at, "is nested too deeply");
        }
        if !self.step() {
            return misfit(at, "cannot be checked: the tool's schema has too many forms");
        }
        let inner = Self { depth: self.depth + 1, ..self };
        let types = types(schema);
        if !types.is_empty() && !types.iter().any(|wanted| is_of_type(value, wanted)) {
            return misfit(at, &format!("must be {}, not {}", either(types.iter().map(|name| article(name))), kind(value)));
        }
        if let Some(Value::Array(allowed)) = schema.get("enum")
            && !allowed.iter().any(|one| same(one, value))
        {
            return misfit(at, &format!("must be {}", either(allowed.iter().map(short))));
        }
        if let Some(only) = schema.get("const")
            && !same(only, value)
        {
            return misfit(at, &format!("must be {}", short(only)));
        }
        match value {
            Value::Object(object) => inner.object(object, schema, at)?,
            Value::Array(items) => inner.array(items, schema, at)?,
            Value::String(text) => string(text, schema, at)?,
            Value::Number(_) => number(value, schema, at)?,
            Value::Null | Value::Bool(_) => {}
        }
        inner.combined(value, schema, at)
    }

    /// What a schema asks for. A reference that leads nowhere asks for nothing in particular.
    pub(crate) fn of(self, schema: &'schema Value) -> Asked<'schema> {
        match schema {
            Value::Object(schema) => self.resolve(schema),
            Value::Bool(false) => Asked::Nothing,
            _ => Asked::Anything,
        }
    }

    fn resolve(self, schema: &'schema JsonObject) -> Asked<'schema> {
        let mut found = schema;
        for _ in 0..MAX_DEPTH {
            let Some(Value::String(reference)) = found.get("$ref") else { return Asked::Object(found) };
            let Some(pointer) = reference.strip_prefix('#') else { return Asked::Anything };
            let mut parts = pointer.split('/').skip(1).map(|part| part.replace("~1", "/").replace("~0", "~"));
            let Some(first) = parts.next() else {
                found = self.root;
                continue;
            };
            let inside = parts.try_fold(self.root.get(&first), |value, part| match value? {
                Value::Array(list) => Some(list.get(part.parse::<usize>().ok()?)),
                other => Some(other.get(&part)),
            });
            match inside.flatten() {
                Some(Value::Object(next)) => found = next,
                Some(Value::Bool(false)) => return Asked::Nothing,
                Some(_) | None => return Asked::Anything,
            }
        }
        Asked::Anything
    }

    fn object(self, object: &JsonObject, schema: &'schema JsonObject, at: &str) -> Result<(), Misfit> {
        let properties = schema.get("properties").and_then(Value::as_object);
        let missing = required(schema).find(|name| !object.contains_key(*name));
        if let Some(name) = missing {
            return misfit(&inside(at, name), "is missing");
        }
        for (name, value) in object {
            if let Some(described) = properties.and_then(|properties| properties.get(name)) {
                self.value(value, described, &inside(at, name))?;
            } else if !schema.contains_key("patternProperties") {
                match schema.get("additionalProperties") {
                    Some(Value::Bool(false)) => {
                        let known: Vec<&str> = properties.into_iter().flatten().map(|(name, _)| name.as_str()).collect();
                        let known = if known.is_empty() { "nothing".to_owned() } else { known.join(", ") };
                        return misfit(&inside(at, name), &format!("does not exist; there is {known}"));
                    }
                    Some(described) => self.value(value, described, &inside(at, name))?,
                    None => {}
                }
            }
        }
        range(object.len(), schema, ["minProperties", "maxProperties"], at, "entries")
    }

    fn array(self, items: &[Value], schema: &'schema JsonObject, at: &str) -> Result<(), Misfit> {
        range(items.len(), schema, ["minItems", "maxItems"], at, "items")?;
        if schema.get("uniqueItems") == Some(&Value::Bool(true)) {
            let again = items.iter().enumerate().any(|(index, item)| items.iter().take(index).any(|other| same(other, item)));
            if again {
                return misfit(at, "must not have an item twice");
            }
        }
        let first = schema.get("prefixItems").and_then(Value::as_array);
        for (index, item) in items.iter().enumerate() {
            let described = first.and_then(|first| first.get(index)).or_else(|| schema.get("items"));
            if let Some(described) = described {
                self.value(item, described, &format!("{at}[{index}]"))?;
            }
        }
        Ok(())
    }

    fn combined(self, value: &Value, schema: &'schema JsonObject, at: &str) -> Result<(), Misfit> {
        let list = |keyword: &str| schema.get(keyword).and_then(Value::as_array);
        for part in list("allOf").into_iter().flatten() {
            self.value(value, part, at)?;
        }
        if let Some(choices) = list("anyOf") {
            self.choice(value, choices, at)?;
        }
        if let Some(choices) = list("oneOf") {
            self.choice(value, choices, at)?;
            if choices.iter().filter(|choice| self.value(value, choice, at).is_ok()).count() > 1 {
                return misfit(at, "fits more than one of its forms");
            }
        }
        match schema.get("not") {
            Some(unwanted) if self.value(value, unwanted, at).is_ok() => misfit(at, "is what it must not be"),
            Some(_) | None => Ok(()),
        }
    }

    /// One of `choices` must fit; the misfit of the last one stands for all.
    fn choice(self, value: &Value, choices: &'schema [Value], at: &str) -> Result<(), Misfit> {
        let mut last = Ok(());
        for choice in choices {
            last = self.value(value, choice, at);
            if last.is_ok() {
                break;
            }
        }
        last
    }
}

/// The types that a schema allows; none when it does not say.
pub(crate) fn types(schema: &JsonObject) -> Vec<&str> {
    match schema.get("type") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
        Some(_) | None => Vec::new(),
    }
}

pub(crate) fn required(schema: &JsonObject) -> impl Iterator<Item = &str> {
    schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

pub(crate) fn is_of_type(value: &Value, wanted: &str) -> bool {
    match wanted {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|number| number.fract() == 0.0),
        // A type that JSON does not have.
        _ => true,
    }
}

/// Equal values; numbers by what they are, not by how they are written.
pub(crate) fn same(left: &Value, right: &Value) -> bool {
    match (left.as_f64(), right.as_f64()) {
        (Some(left), Some(right)) => left.to_bits() == right.to_bits() || (left - right).abs() == 0.0,
        _ => left == right,
    }
}

fn string(text: &str, schema: &JsonObject, at: &str) -> Result<(), Misfit> {
    range(text.chars().count(), schema, ["minLength", "maxLength"], at, "characters")
}

fn number(value: &Value, schema: &JsonObject, at: &str) -> Result<(), Misfit> {
    let Some(number) = value.as_f64() else { return Ok(()) };
    let limit = |keyword: &str| schema.get(keyword).and_then(Value::as_f64);
    // Before draft 6 these were flags beside the limit.
    let excludes = |keyword: &str| schema.get(keyword) == Some(&Value::Bool(true));
    if let Some(least) = limit("minimum")
        && (number < least || (excludes("exclusiveMinimum") && number <= least))
    {
        return misfit(at, &format!("must be at least {least}"));
    }
    if let Some(most) = limit("maximum")
        && (number > most || (excludes("exclusiveMaximum") && number >= most))
    {
        return misfit(at, &format!("must be at most {most}"));
    }
    if let Some(least) = limit("exclusiveMinimum").filter(|least| number <= *least) {
        return misfit(at, &format!("must be more than {least}"));
    }
    if let Some(most) = limit("exclusiveMaximum").filter(|most| number >= *most) {
        return misfit(at, &format!("must be less than {most}"));
    }
    match limit("multipleOf").filter(|step| *step > 0.0 && (number / step).fract() != 0.0) {
        Some(step) => misfit(at, &format!("must be a multiple of {step}")),
        None => Ok(()),
    }
}

fn range(len: usize, schema: &JsonObject, [least, most]: [&str; 2], at: &str, what: &str) -> Result<(), Misfit> {
    let limit = |keyword: &str| schema.get(keyword).and_then(Value::as_u64);
    let len = u64::try_from(len).unwrap_or(u64::MAX);
    if let Some(least) = limit(least).filter(|least| len < *least) {
        return misfit(at, &format!("must have at least {least} {what}"));
    }
    match limit(most).filter(|most| len > *most) {
        Some(most) => misfit(at, &format!("must have at most {most} {what}")),
        None => Ok(()),
    }
}

fn misfit(at: &str, problem: &str) -> Result<(), Misfit> {
    Err(Misfit { at: at.to_owned(), problem: problem.to_owned() })
}

fn inside(at: &str, name: &str) -> String {
    if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") }
}

/// At most so many of the values of an enumeration are told.
const TOLD: usize = 12;

fn either(words: impl ExactSizeIterator<Item = String>) -> String {
    let more = words.len().saturating_sub(TOLD);
    let mut told: Vec<String> = words.take(TOLD).collect();
    if more > 0 {
        told.push(format!("{more} others"));
    }
    match told.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, before)) => format!("{} or {last}", before.join(", ")),
        None => "nothing".to_owned(),
    }
}

/// A value on a few characters.
fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(40) {
        Some((cut, _)) => format!("{}…", text.split_at(cut).0),
        None => text,
    }
}

fn article(name: &str) -> String {
    match name {
        "null" => "null".to_owned(),
        "string" => "a string".to_owned(),
        "boolean" => "true or false".to_owned(),
        "object" | "array" | "integer" => format!("an {name}"),
        other => format!("a {other}"),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
