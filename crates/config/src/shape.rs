//! The schema in the form in which it is walked along a configuration.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use serde_json::{Map, Value};

use crate::key_path::Step;

/// What a value may be, and what is known about it.
#[derive(Debug, Default)]
pub(crate) struct Shape {
    pub(crate) kind: Kind,
    /// The value is a secret.
    pub(crate) secret: bool,
    /// A fault within leaves out the whole value.
    pub(crate) entry: bool,
    /// A key that OpenClaw does not have.
    pub(crate) ours: bool,
    pub(crate) meaning: String,
    pub(crate) default: Option<String>,
}

/// The kinds of value.
#[derive(Debug, Default)]
pub(crate) enum Kind {
    #[default]
    Any,
    Bool,
    Number(Range),
    Text(TextRule),
    List(Box<Shape>),
    Map(Box<Shape>),
    Object(Fields),
    /// One of these; each is of another JSON kind.
    Choice(Vec<Shape>),
}

/// The numbers that are allowed.
#[derive(Debug, Default)]
pub(crate) struct Range {
    pub(crate) whole: bool,
    pub(crate) at_least: Option<f64>,
    pub(crate) more_than: Option<f64>,
    pub(crate) at_most: Option<f64>,
}

/// The texts that are allowed.
#[derive(Debug, Default)]
pub(crate) struct TextRule {
    pub(crate) choices: Vec<String>,
    pub(crate) not_empty: bool,
    pub(crate) residency: bool,
}

/// The keys of an object.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    /// In the order of the schema.
    pub(crate) fields: Vec<(String, Shape)>,
    index: HashMap<String, usize>,
    pub(crate) required: Vec<String>,
    /// Keys of OpenClaw that are kept and not used.
    pub(crate) ignored: HashSet<String>,
    /// Other keys are fine.
    pub(crate) open: bool,
}

impl Fields {
    pub(crate) fn get(&self, key: &str) -> Option<&Shape> {
        self.index.get(key).and_then(|&at| self.fields.get(at)).map(|(_, shape)| shape)
    }
}

impl Shape {
    /// The shape of the whole configuration.
    pub(crate) fn root() -> &'static Self {
        static ROOT: LazyLock<Shape> = LazyLock::new(|| Shape::of(crate::schema().as_value()));
        &ROOT
    }

    /// The shape one step further in; any value where there is none.
    pub(crate) fn step(&self, step: &Step) -> &Self {
        static ANY: LazyLock<Shape> = LazyLock::new(Shape::default);
        match (&self.kind, step) {
            (Kind::Object(fields), Step::Key(key)) => fields.get(key).unwrap_or(&ANY),
            (Kind::Map(value), Step::Key(_)) => value,
            (Kind::List(item), Step::Index(_)) => item,
            (Kind::Choice(shapes), _) => {
                shapes.iter().map(|shape| shape.step(step)).find(|shape| !matches!(shape.kind, Kind::Any)).unwrap_or(&ANY)
            }
            (Kind::Object(_) | Kind::Map(_), Step::Index(_)) | (Kind::List(_), Step::Key(_)) => &ANY,
            (Kind::Any | Kind::Bool | Kind::Number(_) | Kind::Text(_), _) => &ANY,
        }
    }

    fn of(schema: &Value) -> Self {
        let Value::Object(schema) = schema else { return Self::default() };
        let flag = |name: &str| schema.get(name).and_then(Value::as_bool).unwrap_or(false);
        let text = |name: &str| schema.get(name).and_then(Value::as_str).map(|text| text.replace('\n', " "));
        // A value that may be left out can be wrapped as "this or null"; what is said within holds for the whole.
        let inner = only_branch(schema).map(Self::of).unwrap_or_default();
        Self {
            kind: if only_branch(schema).is_some() { inner.kind } else { kind(schema) },
            secret: flag("x-secret") || inner.secret,
            entry: flag("x-entry") || inner.entry,
            ours: flag("x-krabba") || inner.ours,
            meaning: text("description").unwrap_or(inner.meaning),
            default: text("x-default").or(inner.default),
        }
    }
}

/// The one branch of a choice that is not null.
fn only_branch(schema: &Map<String, Value>) -> Option<&Value> {
    let mut branches = branches(schema)?.iter().filter(|branch| branch.get("type").and_then(Value::as_str) != Some("null"));
    branches.next().filter(|branch| branches.next().is_none() && branch.get("const").is_none())
}

fn branches(schema: &Map<String, Value>) -> Option<&Vec<Value>> {
    schema.get("anyOf").or_else(|| schema.get("oneOf"))?.as_array()
}

fn kind(schema: &Map<String, Value>) -> Kind {
    if let Some(branches) = branches(schema) {
        return choice(branches);
    }
    if let Some(Value::Array(_)) = schema.get("enum") {
        return Kind::Text(TextRule { choices: texts(schema.get("enum")), ..TextRule::default() });
    }
    let name = match schema.get("type") {
        Some(Value::String(name)) => name.as_str(),
        // `null` is how a schema says that a key may be left out; here it always may.
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).find(|name| *name != "null").unwrap_or(""),
        _ => "",
    };
    match name {
        "boolean" => Kind::Bool,
        "integer" | "number" => Kind::Number(range(schema, name == "integer")),
        "string" => Kind::Text(TextRule {
            choices: Vec::new(),
            not_empty: schema.get("minLength").is_some(),
            residency: schema.get("x-form").and_then(Value::as_str) == Some("residency"),
        }),
        "array" => Kind::List(Box::new(schema.get("items").map(Shape::of).unwrap_or_default())),
        "object" => object(schema),
        _ => Kind::Any,
    }
}

fn choice(branches: &[Value]) -> Kind {
    // An enum with documented variants is a list of constants.
    let constants: Vec<String> = branches.iter().filter_map(|branch| Some(branch.get("const")?.as_str()?.to_owned())).collect();
    if !constants.is_empty() {
        return Kind::Text(TextRule { choices: constants, ..TextRule::default() });
    }
    Kind::Choice(branches.iter().filter(|branch| branch.get("type").and_then(Value::as_str) != Some("null")).map(Shape::of).collect())
}

fn object(schema: &Map<String, Value>) -> Kind {
    let additional = schema.get("additionalProperties");
    let Some(Value::Object(properties)) = schema.get("properties") else {
        return match additional {
            Some(values @ Value::Object(_)) => Kind::Map(Box::new(Shape::of(values))),
            _ => Kind::Map(Box::default()),
        };
    };
    let fields: Vec<(String, Shape)> = properties.iter().map(|(key, schema)| (key.clone(), Shape::of(schema))).collect();
    Kind::Object(Fields {
        index: fields.iter().enumerate().map(|(at, (key, _))| (key.clone(), at)).collect(),
        fields,
        required: texts(schema.get("required")),
        ignored: texts(schema.get("x-ignored")).into_iter().collect(),
        open: additional.and_then(Value::as_bool).unwrap_or(false),
    })
}

fn range(schema: &Map<String, Value>, whole: bool) -> Range {
    let number = |name: &str| schema.get(name).and_then(Value::as_f64);
    let widest = (schema.get("format").and_then(Value::as_str) == Some("uint32")).then_some(f64::from(u32::MAX));
    Range { whole, at_least: number("minimum"), more_than: number("exclusiveMinimum"), at_most: number("maximum").or(widest) }
}

fn texts(value: Option<&Value>) -> Vec<String> {
    value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

impl Kind {
    /// What may be written, in words.
    pub(crate) fn words(&self) -> String {
        match self {
            Self::Any => "any value".to_owned(),
            Self::Bool => "true or false".to_owned(),
            Self::Number(range) => range.words(),
            Self::Text(rule) => rule.words(),
            Self::List(item) => format!("a list, each {}", item.kind.words()),
            Self::Map(_) | Self::Object(_) => "an object".to_owned(),
            Self::Choice(shapes) => shapes.iter().map(|shape| shape.kind.words()).collect::<Vec<_>>().join(", or "),
        }
    }
}

impl Range {
    pub(crate) fn words(&self) -> String {
        let mut words = if self.whole { "a whole number".to_owned() } else { "a number".to_owned() };
        match (self.at_least, self.more_than) {
            (Some(least), _) => words.push_str(&format!(", {least} or more")),
            (None, Some(more)) => words.push_str(&format!(" greater than {more}")),
            (None, None) => {}
        }
        // Nobody needs to hear that a window cannot have four thousand million tokens.
        if let Some(most) = self.at_most.filter(|&most| most < f64::from(u32::MAX)) {
            words.push_str(&format!(", at most {most}"));
        }
        words
    }

    /// Whether a number is allowed. `NaN` and infinities never are.
    pub(crate) fn holds(&self, number: f64, is_whole: bool) -> bool {
        number.is_finite()
            && (is_whole || !self.whole)
            && self.at_least.is_none_or(|least| number >= least)
            && self.more_than.is_none_or(|more| number > more)
            && self.at_most.is_none_or(|most| number <= most)
    }
}

impl TextRule {
    pub(crate) fn words(&self) -> String {
        if self.residency {
            "device, lan, region:<code> or hosted".to_owned()
        } else if !self.choices.is_empty() {
            format!("one of {}", self.choices.join(", "))
        } else if self.not_empty {
            "a text that is not empty".to_owned()
        } else {
            "a text".to_owned()
        }
    }
}
