//! Which tools the owner left on.

use krabba_types::ModelRef;
use serde::{Deserialize, Serialize};

/// Stands in a list for every tool that krabba does not bring itself.
const PLUGINS: &str = "group:plugins";

/// The owner's choice of tools: a chain of steps, each of which only narrows what the ones before it left. An empty one leaves all on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Selection {
    /// In their order.
    pub steps: Vec<Step>,
    /// The names of krabba's own tools.
    pub own: Vec<String>,
}

/// A step of a choice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Where the owner wrote it, for people and models (`tools.deny`).
    pub place: String,
    /// The provider, or `provider/model`, that it holds for; `None` for all.
    pub route: Option<String>,
    /// Names in lower case, with `*` for any letters; and `group:plugins`.
    pub names: Vec<String>,
    /// What becomes of them.
    pub keeps: Keeps,
}

/// What a step leaves on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Keeps {
    /// The names alone.
    These,
    /// All but the names.
    Others,
}

impl Selection {
    /// Where it was written that this tool is off for everybody.
    pub fn off(&self, tool: &str) -> Option<&str> {
        self.first(tool, |step| step.route.is_none())
    }

    /// Where it was written that this tool is off for models of this route.
    pub fn off_for(&self, tool: &str, route: &ModelRef) -> Option<&str> {
        let whole = route.to_string();
        self.first(tool, |step| {
            let named = step.route.as_deref();
            named.is_none_or(|named| named.eq_ignore_ascii_case(route.provider.as_str()) || named.eq_ignore_ascii_case(&whole))
        })
    }

    fn first(&self, tool: &str, holds: impl Fn(&Step) -> bool) -> Option<&str> {
        let tool = tool.to_lowercase();
        let foreign = !self.own.contains(&tool);
        let named = |step: &Step| step.names.iter().any(|name| if name == PLUGINS { foreign } else { matches(name, &tool) });
        let off = |step: &&Step| holds(step) && named(step) == (step.keeps == Keeps::Others);
        self.steps.iter().find(off).map(|step| step.place.as_str())
    }
}

/// Whether `name` is `pattern`, where each `*` stands for any letters.
fn matches(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = name.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        let Some((_, after)) = rest.split_once(part) else { return false };
        rest = after;
    }
    rest.ends_with(last)
}
