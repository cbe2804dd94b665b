//! Whether something that looks like a call is one.
//!
//! A call is one when it names a tool that was offered, when its arguments fit the tool's schema, and, where the model wrote it
//! as text, when it does not merely repeat what somebody else wrote: a page, a file or a result can hold a call in any
//! notation, and a model that quotes it must not run it.

use krabba_types::{BrokenCall, CallProblem, JsonObject, ModelRequest, Part, ToolSpec};

use crate::calls::{Ending, WrittenCall, mend_object};
use crate::fit::fit;

/// The tools of one request, and the foreign texts in it.
#[derive(Debug, Default)]
pub struct Toolbox {
    tools: Vec<ToolSpec>,
    /// Those that a search finds.
    further: Vec<ToolSpec>,
    foreign: Vec<String>,
}

/// A call that counts: the name of a tool that was offered, and arguments that fit it.
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
        let foreign = request.calling.untrusted.into_iter().chain(results).chain(described).collect();
        Self { foreign, tools: request.tools, further: request.calling.further }
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
        if self.is_copied(&raw) {
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

    /// Whether the call stands in a foreign text, blanks aside.
    fn is_copied(&self, raw: &str) -> bool {
        let call = without_blanks(raw);
        // A word alone stands in many texts.
        call.contains(['{', '(', '<', '[']) && self.foreign.iter().any(|text| without_blanks(text).contains(&call))
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
