//! Which tools a model is told about up front, and how it finds the others.
//!
//! The list is chosen once, for a session on a route, and stored with it: a list that grew on the way would change the
//! prompt from its first byte. What is found later is called through [`CALL_TOOL`] and never joins the list.

use krabba_types::{Aliases, CALL_TOOL, JsonObject, ToolAbility, ToolSpec};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::brief::{Detail, told};
use crate::build::Offered;
use crate::fragment::SystemPrompt;
use crate::measure::tools_bytes;
use crate::profile::{Profile, tools_share};

/// The tool that finds further ones. The agent answers it with [`Toolset::find`] and [`Toolset::describe`].
pub const FIND_TOOLS: &str = "find_tools";

const FIND_TOOLS_DESCRIPTION: &str = include_str!("../prompts/find_tools.md");
const CALL_TOOL_DESCRIPTION: &str = include_str!("../prompts/call_tool.md");

/// How many tools one search brings.
const MOST_FOUND: usize = 5;
/// How long the list of names is that [`FIND_TOOLS`] carries, in bytes.
const NAMES_BYTES: usize = 240;
/// How much a name weighs against a word of the description.
const NAME_WEIGHT: usize = 4;

/// The tools of a session on a route.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Toolset {
    sent: Vec<ToolSpec>,
    further: Vec<ToolSpec>,
    /// The tools that were to be described up front and had no room there.
    crowded_out: Vec<String>,
}

impl Toolset {
    /// Chooses for a window of so many tokens and a way of offering them. `up_front` is what a model should know from the start, the most important
    /// first; `further` is what it may search for. Descriptions get shorter until those of `up_front` fit into their share
    /// of the budget; when even the shortest do not, the last ones are found by searching. In a window that cannot hold the
    /// search either, the set is empty.
    pub fn choose(system: &SystemPrompt, window: u32, mode: ToolAbility, up_front: &[ToolSpec], further: &[ToolSpec]) -> Self {
        let allowed = tools_share(window, system.budget(window), mode);
        let bytes = |set: &Self| tools_bytes(Offered { tools: &set.sent, mode });
        let details = match Profile::for_window(window) {
            Profile::Full => Detail::ALL.as_slice(),
            Profile::Reduced => &[Detail::Short, Detail::Bare],
        };
        for detail in details {
            let set = Self::of(up_front, &[], further, *detail);
            if bytes(&set) <= allowed {
                return set;
            }
        }
        for count in (0..up_front.len()).rev() {
            let (kept, crowded_out) = up_front.split_at(count);
            let set = Self::of(kept, crowded_out, further, Detail::Bare);
            if bytes(&set) <= allowed {
                return set;
            }
        }
        let crowded_out = up_front.iter().chain(further).map(|tool| tool.name.clone()).collect();
        Self { crowded_out, ..Self::default() }
    }

    fn of(up_front: &[ToolSpec], crowded_out: &[ToolSpec], further: &[ToolSpec], detail: Detail) -> Self {
        let further: Vec<ToolSpec> = crowded_out.iter().chain(further).cloned().collect();
        let mut sent: Vec<ToolSpec> = up_front.iter().map(|tool| told(tool, detail)).collect();
        if !further.is_empty() {
            sent.extend([find_tools(&further), call_tool()]);
        }
        let crowded_out = crowded_out.iter().map(|tool| tool.name.clone()).collect();
        Self { sent, further, crowded_out }
    }

    /// None up front, and these to be searched for.
    pub fn all(tools: Vec<ToolSpec>) -> Self {
        Self { further: tools, ..Self::default() }
    }

    /// What goes with every request: [`crate::Input::tools`].
    pub fn specs(&self) -> &[ToolSpec] {
        &self.sent
    }

    /// A tool that is not described up front and may be called through [`CALL_TOOL`], in full.
    pub fn further(&self, name: &str) -> Option<&ToolSpec> {
        self.further.iter().find(|tool| tool.name == name)
    }

    /// The further tools that match `query` best, at most five.
    pub fn find(&self, query: &str) -> Vec<&ToolSpec> {
        let words = words(query);
        let mut found: Vec<(usize, &ToolSpec)> =
            self.further.iter().map(|tool| (score(tool, &words), tool)).filter(|(score, _)| *score > 0).collect();
        // Stable: tools that match alike stay in the order in which they were offered.
        found.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
        found.into_iter().take(MOST_FOUND).map(|(_, tool)| tool).collect()
    }

    /// What the model reads of tools that were found: one JSON object a line; or the names that there are, when none was.
    pub fn describe(&self, found: &[&ToolSpec]) -> String {
        if found.is_empty() {
            return format!("no tool matches. There are: {}", names(&self.further));
        }
        let lines: Vec<String> = found
            .iter()
            .map(|tool| {
                let tool = told(tool, Detail::Short);
                json!({ "name": tool.name, "description": tool.description, "parameters": tool.parameters }).to_string()
            })
            .collect();
        lines.join("\n")
    }

    /// The tools that were to be described up front and had no room there.
    pub fn crowded_out(&self) -> &[String] {
        &self.crowded_out
    }
}

fn find_tools(further: &[ToolSpec]) -> ToolSpec {
    let description = format!("{} {}", FIND_TOOLS_DESCRIPTION.trim_end(), names(further));
    spec(FIND_TOOLS, description, json!({ "query": { "type": "string" } }))
}

fn call_tool() -> ToolSpec {
    let parameters = json!({ "name": { "type": "string" }, "arguments": { "type": "object" } });
    spec(CALL_TOOL, CALL_TOOL_DESCRIPTION.trim_end().to_owned(), parameters)
}

/// A tool all of whose parameters are required.
fn spec(name: &str, description: String, properties: Value) -> ToolSpec {
    let required: Vec<&String> = properties.as_object().into_iter().flat_map(JsonObject::keys).collect();
    let mut parameters = JsonObject::new();
    parameters.insert("type".to_owned(), "object".into());
    parameters.insert("required".to_owned(), json!(required));
    parameters.insert("properties".to_owned(), properties);
    ToolSpec { name: name.to_owned(), description, parameters, aliases: Aliases::default() }
}

/// The names of tools, as many as fit into one line. Those of a server's are its words, which no conversation begins with: of them it is
/// told whose they are, by the name that the owner gave it.
fn names(tools: &[ToolSpec]) -> String {
    let mut names: Vec<String> = Vec::new();
    for tool in tools {
        let name = match tool.name.split_once("__") {
            Some((server, _)) => format!("those of {server}"),
            None => tool.name.clone(),
        };
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let mut line = String::new();
    for (index, name) in names.iter().enumerate() {
        let separator = if index == 0 { "" } else { ", " };
        if line.len() + separator.len() + name.len() > NAMES_BYTES {
            return format!("{line} and {} more", names.len() - index);
        }
        line.push_str(separator);
        line.push_str(name);
    }
    line
}

fn words(text: &str) -> Vec<String> {
    let words = text.split(|character: char| !character.is_alphanumeric()).filter(|word| word.chars().count() > 1);
    words.map(str::to_lowercase).collect()
}

/// How well a tool matches: words may be parts of its words, since people ask for "mail" where a tool says "emails".
fn score(tool: &ToolSpec, wanted: &[String]) -> usize {
    let (name, description) = (tool.name.to_lowercase(), tool.description.to_lowercase());
    wanted
        .iter()
        .map(|word| usize::from(name.contains(word.as_str())) * NAME_WEIGHT + usize::from(description.contains(word.as_str())))
        .sum()
}
