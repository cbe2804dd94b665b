//! The environment as a value. It is read once, by the binary, and handed in.

use std::collections::BTreeMap;
use std::fmt;

/// Variables by name. `Debug` shows names only: values are often keys.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Env {
    variables: BTreeMap<String, Variable>,
}

#[derive(Clone, PartialEq, Eq)]
struct Variable {
    text: String,
    origin: String,
}

impl Env {
    /// An environment of these variables, said to come from the process.
    pub fn new(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut env = Self::default();
        for (name, text) in variables {
            env.add_missing(&name, &text, "environment");
        }
        env
    }

    /// The value of a variable. An empty one counts as not set, as in OpenClaw.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(|variable| variable.text.as_str()).filter(|text| !text.is_empty())
    }

    /// Where a variable comes from: `environment`, the path of an `.env` file, or `env` of the configuration.
    pub fn origin(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(|variable| variable.origin.as_str())
    }

    /// Takes a variable unless there is one of that name with a value.
    pub(crate) fn add_missing(&mut self, name: &str, text: &str, origin: &str) {
        if self.get(name).is_none() {
            self.variables.insert(name.to_owned(), Variable { text: text.to_owned(), origin: origin.to_owned() });
        }
    }

    /// Takes the variables of an `.env` file that are not set yet. Lines that are no assignment are passed over.
    pub(crate) fn add_dot_env(&mut self, text: &str, origin: &str) {
        for line in text.trim_start_matches('\u{feff}').lines() {
            if let Some((name, value)) = assignment(line) {
                self.add_missing(name, &value, origin);
            }
        }
    }
}

impl fmt::Debug for Env {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.variables.keys()).finish()
    }
}

/// `NAME=value`, with `export`, quotes and trailing comments as the dotenv files of Node.js have them.
fn assignment(line: &str) -> Option<(&str, String)> {
    let line = line.trim();
    let line = line.strip_prefix("export ").unwrap_or(line);
    let (name, value) = line.split_once('=')?;
    let name = name.trim();
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.' || c == '-') {
        return None;
    }
    let value = value.trim();
    for quote in ['"', '\'', '`'] {
        if let Some((inner, _)) = value.strip_prefix(quote).and_then(|rest| rest.split_once(quote)) {
            return Some((name, if quote == '"' { inner.replace("\\n", "\n") } else { inner.to_owned() }));
        }
    }
    let bare = value.split_once('#').map_or(value, |(before, _)| before);
    Some((name, bare.trim_end().to_owned()))
}
