//! The way to a value: `models.providers.lmstudio.models[0].contextWindow`, `agents.defaults.models["lmstudio/qwen3"].alias`.

use std::fmt;
use std::str::FromStr;

/// As deep as a file may be nested.
const MAX_STEPS: usize = 100;

/// One step of the way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// Into an object.
    Key(String),
    /// Into a list; counts from 0.
    Index(usize),
}

/// Steps from the root of the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct KeyPath(Vec<Step>);

impl KeyPath {
    /// The steps.
    pub fn steps(&self) -> &[Step] {
        &self.0
    }

    /// Whether this is the root.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes one step further.
    pub fn push(&mut self, step: Step) {
        self.0.push(step);
    }

    /// Takes the last step back.
    pub fn pop(&mut self) -> Option<Step> {
        self.0.pop()
    }
}

impl FromIterator<Step> for KeyPath {
    fn from_iter<I: IntoIterator<Item = Step>>(steps: I) -> Self {
        Self(steps.into_iter().collect())
    }
}

impl fmt::Display for KeyPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, step) in self.0.iter().enumerate() {
            match step {
                Step::Index(at) => write!(formatter, "[{at}]")?,
                Step::Key(key) if is_plain(key) => write!(formatter, "{}{key}", if index == 0 { "" } else { "." })?,
                Step::Key(key) => write!(formatter, "[{}]", serde_json::Value::from(key.as_str()))?,
            }
        }
        Ok(())
    }
}

/// Names that need no quotes, here and as a key of JSON5.
pub(crate) fn is_plain(key: &str) -> bool {
    let starts_well = key.chars().next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_' || c == '$');
    starts_well && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '$')
}

/// A text that is no key path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{text}\" is not a key: {why}; write it like models.providers.lmstudio.baseUrl or agents.defaults.models[\"lmstudio/qwen3\"].alias"
)]
pub struct KeyPathError {
    /// What was given.
    pub text: String,
    /// What is wrong with it.
    pub why: &'static str,
}

impl FromStr for KeyPath {
    type Err = KeyPathError;

    /// Dots separate keys, brackets hold a list index or a quoted key. A key between dots may hold anything but dots and
    /// brackets, so `models.providers.my-box` needs no quotes.
    fn from_str(text: &str) -> Result<Self, KeyPathError> {
        let fail = |why| KeyPathError { text: text.to_owned(), why };
        let mut steps = Vec::new();
        let mut rest = text.trim();
        if rest.is_empty() {
            return Err(fail("it is empty"));
        }
        let mut after_dot = true;
        while !rest.is_empty() {
            if steps.len() >= MAX_STEPS {
                return Err(fail("it has more than 100 steps"));
            }
            if let Some(inner) = rest.strip_prefix('[') {
                let (step, tail) = bracket(inner).map_err(fail)?;
                steps.push(step);
                rest = tail;
            } else if after_dot {
                let length = rest.find(['.', '[']).unwrap_or(rest.len());
                let (key, tail) = rest.split_at(length);
                if key.is_empty() {
                    return Err(fail("there is nothing between two dots"));
                }
                steps.push(Step::Key(key.to_owned()));
                rest = tail;
            } else {
                return Err(fail("a dot is missing after a bracket"));
            }
            after_dot = false;
            if let Some(tail) = rest.strip_prefix('.') {
                if tail.is_empty() {
                    return Err(fail("it ends with a dot"));
                }
                rest = tail;
                after_dot = true;
            }
        }
        Ok(Self(steps))
    }
}

/// What stands in brackets, and what follows them.
fn bracket(inner: &str) -> Result<(Step, &str), &'static str> {
    let Some(quote) = inner.chars().next().filter(|c| matches!(c, '"' | '\'')) else {
        let (digits, tail) = inner.split_once(']').ok_or("a bracket is not closed")?;
        let index = digits.trim().parse().map_err(|_| "brackets hold a number or a quoted key")?;
        return Ok((Step::Index(index), tail));
    };
    let mut escaped = false;
    for (at, c) in inner.char_indices().skip(1) {
        if escaped {
            escaped = false;
        } else if c == '\\' {
            escaped = true;
        } else if c == quote {
            let (literal, tail) = inner.split_at(at + c.len_utf8());
            let key: String = json5::from_str(literal).map_err(|_| "the quoted key is not a valid text")?;
            return Ok((Step::Key(key), tail.strip_prefix(']').ok_or("a bracket is not closed")?));
        }
    }
    Err("a quote is not closed")
}
