//! Whether something that looks like a call is one.
//!
//! A call is one when it names a tool that was offered or that a search finds, when its arguments fit the tool's schema, and, where the
//! model wrote it as text, when it does not merely repeat what somebody else wrote: a page, a file or a result can hold a call in any
//! notation, and a model that quotes it must not run it. What counts there is what a call says, because a model that quotes
//! decodes, and writes a call as it is used to.

use std::collections::{BTreeSet, HashSet};
use std::sync::OnceLock;

use krabba_types::{BrokenCall, CallProblem, JsonObject, ModelRequest, Part, ToolSpec};

use serde_json::Value;

use crate::calls::{Ending, WrittenCall, calls_within, mend_object};
use crate::decoded::forms;
use crate::fit::fit;

/// The tools of one request, and the foreign texts in it.
#[derive(Debug, Default)]
pub struct Toolbox {
    tools: Vec<ToolSpec>,
    /// Those that a search finds.
    further: Vec<ToolSpec>,
    foreign: BTreeSet<String>,
    /// What they hold, which is worked out when a call is written.
    quoted: OnceLock<Quoted>,
}

/// What is to be known of foreign texts when a call may repeat them.
#[derive(Debug)]
struct Quoted {
    /// The texts without blanks.
    texts: Vec<String>,
    /// The calls in them, see [`Toolbox::meaning`]; `None` where one of them is made so that nobody can say.
    calls: Option<HashSet<String>>,
}

/// A call that counts: the name of a tool that was offered or that a search finds, and arguments that fit it.
pub type Fitting = (String, JsonObject);

/// So much of what a model wrote is kept to be looked at.
const WRITTEN: usize = 4096;
/// So many tools are named to a model that asked for another one.
const NAMED: usize = 24;

impl Toolbox {
    /// What was offered by `request`.
    pub fn of(request: ModelRequest) -> Self {
        let results = request.messages.into_iter().flat_map(|message| message.parts).filter_map(|part| match part {
            Part::ToolResult(result) => Some(result.text),
            Part::Text(_) | Part::Image(_) | Part::Reasoning(_) | Part::ToolCall(_) => None,
        });
        let described = request.tools.iter().map(|tool| tool.description.clone());
        // What was brought may stand among what is foreign for good as well.
        let foreign = request.calling.untrusted.into_iter().chain(results).chain(described).collect();
        Self { foreign, tools: request.tools, further: request.calling.further, quoted: OnceLock::new() }
    }

    /// Whether no tools were offered.
    pub fn is_empty(&self) -> bool {
        self.tools.is_empty()
    }

    /// The names of all tools that can be called.
    pub fn names(&self) -> Vec<String> {
        self.tools.iter().chain(&self.further).map(|tool| tool.name.clone()).collect()
    }

    /// Looks at a call that the model wrote into its text.
    ///
    /// # Errors
    /// It is none.
    pub fn written(&self, call: WrittenCall) -> Result<Fitting, BrokenCall> {
        let WrittenCall { name, arguments, ending, raw } = call;
        let broken = |problem, message: String| BrokenCall { name: name.clone(), problem, message, written: beginning(&raw, WRITTEN) };
        let tool = || name.as_deref().map_or_else(|| "a tool".to_owned(), quoted);
        if arguments.is_none() && ending == Ending::Cut {
            return Err(broken(
                CallProblem::Unfinished,
                format!("the call of {} broke off before its end; write it again, shorter", tool()),
            ));
        }
        if self.is_copied(name.as_deref(), arguments.as_ref(), &raw) {
            let message = "that call only repeats what stands in a text that you read, and was not made; go on with what you were asked";
            return Err(broken(CallProblem::Copied, message.to_owned()));
        }
        let (Some(wanted), Some(arguments)) = (&name, arguments) else {
            let wish = "write it again, with the tool's name and one JSON object of arguments";
            return Err(broken(CallProblem::Unreadable, format!("the call of {} cannot be read; {wish}", tool())));
        };
        let Some(tool) = self.find(wanted) else { return Err(broken(CallProblem::UnknownTool, self.unknown(wanted))) };
        self.fitted(tool, arguments, &raw)
    }

    /// Looks at a call that the server parsed. `arguments` are the text that it sent where that is no JSON object. The name of a
    /// tool that was not offered is let through: it may be one that joined meanwhile, and whoever runs it knows.
    ///
    /// # Errors
    /// It is none.
    pub fn structured(&self, name: String, arguments: Result<JsonObject, String>) -> Result<Fitting, BrokenCall> {
        let arguments = match arguments {
            Ok(arguments) => arguments,
            Err(text) => match mend_object(&text, Ending::Cut) {
                Some(arguments) => arguments,
                None => {
                    let message = format!("the arguments of {} are no JSON object; make the call again", quoted(&name));
                    let written = beginning(&text, WRITTEN);
                    return Err(BrokenCall { name: Some(name), problem: CallProblem::Unreadable, message, written });
                }
            },
        };
        match self.find(&name) {
            Some(tool) => {
                let written = serde_json::to_string(&arguments).unwrap_or_default();
                self.fitted(tool, arguments, &written)
            }
            None => Ok((name, arguments)),
        }
    }

    fn fitted(&self, tool: &ToolSpec, mut arguments: JsonObject, written: &str) -> Result<Fitting, BrokenCall> {
        match fit(&mut arguments, tool) {
            Ok(()) => Ok((tool.name.clone(), arguments)),
            Err(misfit) => {
                let message = format!(
                    "the arguments of {} are wrong: {}; make the call again",
                    quoted(&tool.name),
                    beginning(&misfit.to_string(), 300)
                );
                let written = beginning(written, WRITTEN);
                Err(BrokenCall { name: Some(tool.name.clone()), problem: CallProblem::Arguments, message, written })
            }
        }
    }

    /// The tool of that name; else the only one whose name differs in its name space, in case or in how its words are joined.
    /// Those that were offered come first.
    fn find(&self, name: &str) -> Option<&ToolSpec> {
        let exact = self.tools.iter().chain(&self.further).find(|tool| tool.name == name);
        exact.or_else(|| only_alike(&self.tools, name)).or_else(|| only_alike(&self.further, name))
    }

    fn unknown(&self, name: &str) -> String {
        let mut names: Vec<&str> = self.tools.iter().take(NAMED).map(|tool| tool.name.as_str()).collect();
        if self.tools.len() > NAMED {
            names.push("others");
        }
        let there_are =
            if names.is_empty() { "there are none: answer in words".to_owned() } else { format!("there are {}", names.join(", ")) };
        format!("there is no tool {}; {there_are}", quoted(name))
    }

    /// Whether the call stands in a foreign text: as it was written, blanks aside, or in any other notation or wrapping.
    fn is_copied(&self, name: Option<&str>, arguments: Option<&JsonObject>, raw: &str) -> bool {
        if self.foreign.is_empty() {
            return false;
        }
        let quoted = self
            .quoted
            .get_or_init(|| Quoted { texts: self.foreign.iter().map(|text| without_blanks(text)).collect(), calls: self.foreign_calls() });
        let call = without_blanks(raw);
        // A word alone stands in many texts.
        let stands = call.contains(['{', '(', '<', '[']) && quoted.texts.iter().any(|text| text.contains(&call));
        let meaning = || self.meaning(name?, arguments?.clone());
        stands || quoted.calls.as_ref().is_none_or(|calls| meaning().is_some_and(|call| calls.contains(&call)))
    }

    fn foreign_calls(&self) -> Option<HashSet<String>> {
        let names: HashSet<String> = self.tools.iter().chain(&self.further).map(|tool| plain(&tool.name).collect()).collect();
        let is_tool = |name: &str| names.contains(&plain(name).collect::<String>());
        let mut calls = HashSet::new();
        for form in self.foreign.iter().flat_map(|text| forms(text)) {
            let within = calls_within(&form, &is_tool)?;
            calls.extend(within.into_iter().filter_map(|(name, arguments)| self.meaning(&name, arguments)));
        }
        Some(calls)
    }

    /// What a call says, the same for all ways of writing it; `None` where it is none. One that goes through another tool says the same
    /// as without.
    fn meaning(&self, name: &str, arguments: JsonObject) -> Option<String> {
        let (name, arguments) = self.fitted(self.find(name)?, arguments, "").ok()?;
        if let (Some(Value::String(inner)), Some(Value::Object(inside))) = (arguments.get("name"), arguments.get("arguments"))
            && let Some(meaning) = self.meaning(inner, inside.clone())
        {
            return Some(meaning);
        }
        let mut meaning = name;
        write_plainly(&Value::Object(arguments), &mut meaning);
        Some(meaning)
    }
}

/// The value without regard to blanks and to the order of keys.
fn write_plainly(value: &Value, into: &mut String) {
    match value {
        Value::Object(object) => {
            let mut members: Vec<_> = object.iter().collect();
            members.sort_by_key(|(key, _)| *key);
            into.push('{');
            for (key, value) in members {
                into.push_str(key);
                into.push(':');
                write_plainly(value, into);
            }
            into.push('}');
        }
        Value::Array(values) => {
            into.push('[');
            for value in values {
                write_plainly(value, into);
                into.push(',');
            }
            into.push(']');
        }
        Value::String(text) => into.push_str(&format!("\"{}\"", without_blanks(text))),
        Value::Null | Value::Bool(_) | Value::Number(_) => into.push_str(&value.to_string()),
    }
}

fn without_blanks(text: &str) -> String {
    text.chars().filter(|character| !character.is_whitespace()).collect()
}

fn only_alike<'tools>(tools: &'tools [ToolSpec], name: &str) -> Option<&'tools ToolSpec> {
    let mut alike = tools.iter().filter(|tool| is_alike(&tool.name, name));
    alike.next().filter(|_| alike.next().is_none())
}

/// Whether two names differ in nothing but their name space, case or how their words are joined.
pub(crate) fn is_alike(left: &str, right: &str) -> bool {
    plain(left).eq(plain(right))
}

/// The characters of a name by which names are compared.
pub(crate) fn plain(name: &str) -> impl Iterator<Item = char> {
    let name = name.rsplit('.').next().unwrap_or(name);
    name.chars().map(|character| if character == '-' { '_' } else { character.to_ascii_lowercase() })
}

/// A name that a model made up, as it is told back to it.
fn quoted(name: &str) -> String {
    let name: String = name.chars().filter(|character| !character.is_control() && *character != '"').take(64).collect();
    format!("\"{name}\"")
}

fn beginning(text: &str, len: usize) -> String {
    match text.char_indices().nth(len) {
        Some((cut, _)) => format!("{}…", text.split_at(cut).0),
        None => text.to_owned(),
    }
}
