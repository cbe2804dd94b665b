//! What a tool call would do, as data in canonical form: what the reference monitor decides about, what a person reads who is
//! asked, and what the audit keeps. Nothing here acts.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{JsonObject, Label};

/// A single thing that krabba is about to do for a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "action")]
pub enum Action {
    /// Nothing that anybody else could notice: looks something up in what krabba itself holds.
    Consult(Consult),
    /// Looks at files of the workspace.
    Look(Look),
    /// Changes files of the workspace.
    Change(FileChanges),
    /// Runs a command in the sandbox.
    Run(Exec),
    /// Looks at, types into, or ends a command that runs in the background.
    Control(Control),
    /// Gets a page.
    Fetch(Fetch),
    /// Asks a search engine.
    Search(Search),
    /// Calls a tool of an MCP server.
    Call(ForeignCall),
    /// Has a sub-agent do something, with no more authority than who asks for it.
    Spawn(Spawn),
}

impl Action {
    /// What it is in one line, for a person who watches. What a person decides by is made by `guard`, whole and escaped.
    pub fn title(&self) -> String {
        let text = match self {
            Self::Consult(consult) => format!("{} \"{}\"", consult.tool, consult.query),
            Self::Look(look) => format!("{} {}", look.tool, look.path),
            Self::Change(changes) => {
                let paths: Vec<String> = changes.changes.iter().map(|change| change.path.to_string()).collect();
                format!("{} {}", changes.tool, paths.join(", "))
            }
            Self::Run(exec) => format!("run `{}`", exec.command),
            Self::Control(Control::List) => "list what runs in the background".to_owned(),
            Self::Control(Control::Poll { process } | Control::Log { process, .. }) => format!("look at process {process}"),
            Self::Control(Control::Write { process, .. }) => format!("type into process {process}"),
            Self::Control(Control::Kill { process }) => format!("end process {process}"),
            Self::Control(Control::Discard { paths }) => {
                let paths: Vec<String> = paths.iter().map(WorkspacePath::to_string).collect();
                let places = if paths.is_empty() { String::new() } else { format!(": {}", paths.join(", ")) };
                format!("throw away what commands changed apart from the workspace{places}")
            }
            Self::Fetch(fetch) => format!("get {}", fetch.url),
            Self::Search(search) => format!("search the web for \"{}\"", search.query),
            Self::Call(call) => format!("{} at {}", call.tool, call.server),
            Self::Spawn(spawn) => format!("have a sub-agent do \"{}\"", spawn.task),
        };
        one_line(&text)
    }
}

/// The longest title, in characters.
const TITLE: usize = 120;

fn one_line(text: &str) -> String {
    let mut line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(TITLE).collect();
    if line.len() < text.len() {
        line.push('…');
    }
    line
}

/// What is looked up in krabba itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consult {
    /// The tool's name (`tool_search`).
    pub tool: String,
    /// What is looked for.
    pub query: String,
}

/// What a sub-agent is to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spawn {
    /// In the words of the model that asks for it.
    pub task: String,
    /// How long it may take, in seconds; `None` for as long as the turn.
    pub timeout_seconds: Option<u64>,
}

/// A place in the workspace, relative to its root, without `.`, `..`, empty or absolute parts. The root itself is the empty
/// text. That no link leads out of the workspace is not this type's promise but that of the directory handles it is used with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WorkspacePath(String);

/// A text that is no place in the workspace.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// It leads out.
    #[error("\"{path}\" is outside the workspace")]
    Outside {
        /// As it was given.
        path: String,
    },
    /// It holds a character that no path of ours has.
    #[error("a path of the workspace has no control characters")]
    Control,
}

impl WorkspacePath {
    /// Reads a path as a model writes it: relative to the root, or absolute below `root`. `.` and `..` are resolved in the text.
    ///
    /// # Errors
    /// [`PathError`], when it leads out of the workspace.
    pub fn parse(text: &str, root: &str) -> Result<Self, PathError> {
        if text.chars().any(char::is_control) {
            return Err(PathError::Control);
        }
        let outside = || PathError::Outside { path: text.to_owned() };
        let relative = if text.starts_with('/') {
            let below = text.strip_prefix(root.trim_end_matches('/')).ok_or_else(outside)?;
            if !below.is_empty() && !below.starts_with('/') {
                return Err(outside());
            }
            below
        } else {
            text
        };
        let mut parts: Vec<&str> = Vec::new();
        for part in relative.split('/') {
            match part {
                "" | "." => {}
                ".." => {
                    parts.pop().ok_or_else(outside)?;
                }
                part => parts.push(part),
            }
        }
        Ok(Self(parts.join("/")))
    }

    /// The root.
    pub fn root() -> Self {
        Self::default()
    }

    /// The text; empty for the root.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last part; empty for the root.
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }

    /// A place below this one.
    ///
    /// # Errors
    /// [`PathError`], when it is not below the root.
    pub fn join(&self, more: &str) -> Result<Self, PathError> {
        Self::parse(format!("{}/{more}", self.0).trim_start_matches('/'), "")
    }
}

impl TryFrom<String> for WorkspacePath {
    type Error = PathError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let path = Self::parse(&text, "")?;
        if path.0 == text { Ok(path) } else { Err(PathError::Outside { path: text }) }
    }
}

impl From<WorkspacePath> for String {
    fn from(path: WorkspacePath) -> Self {
        path.0
    }
}

impl fmt::Display for WorkspacePath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(if self.0.is_empty() { "." } else { &self.0 })
    }
}

/// Files that are to be looked at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Look {
    /// The tool's name (`read`, `ls`, `find`, `grep`, `image`).
    pub tool: String,
    /// Where.
    pub path: WorkspacePath,
    /// The other arguments, already checked.
    pub arguments: JsonObject,
}

/// Changes of files that belong together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FileChanges {
    /// The tool's name (`write`, `edit`, `apply_patch`, or [`Self::KEEP`]).
    pub tool: String,
    /// In this order; none is made when one of them cannot be.
    pub changes: Vec<FileChange>,
    /// Directories that go with their last file, the deepest first. One that is not empty by then stays.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub directories: Vec<WorkspacePath>,
    /// Whose the new content is, where it was made before this conversation had its present label.
    #[serde(default = "own")]
    pub label: Label,
}

fn own() -> Label {
    Label::Minted
}

impl FileChanges {
    /// The name of the tool that takes over what commands wrote.
    pub const KEEP: &str = "process keep";
}

/// How the content of a file is written as text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Encoding {
    /// As it is.
    #[default]
    Plain,
    /// In base64, as it is no text.
    Base64,
}

/// A change of one file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileChange {
    /// Which.
    pub path: WorkspacePath,
    /// BLAKE3 of the content it was worked out from, in hex; `None` when there is no such file. A file that is another one by then is left alone.
    pub before: Option<String>,
    /// The whole new content; `None` removes the file.
    pub after: Option<String>,
    /// How it is written there.
    #[serde(default)]
    pub encoding: Encoding,
    /// What a person reads: a unified diff.
    pub diff: String,
    /// Where it was before, when it moves: a new file may be read and run by those who might the old one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved_from: Option<WorkspacePath>,
    /// Whether it may be run from then on, where that changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<FileMode>,
}

/// Whether a file may be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileMode {
    /// By nobody.
    Plain,
    /// By whoever may read it.
    Executable,
}

/// A command for the sandbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Exec {
    /// What the shell inside the sandbox gets.
    pub command: String,
    /// Where it begins.
    pub directory: WorkspacePath,
    /// Variables on top of the sandbox's own few.
    pub environment: BTreeMap<String, String>,
    /// How it is run.
    pub mode: ExecMode,
    /// Whether it gets a terminal or pipes.
    pub stdio: ExecStdio,
    /// When it is ended, in seconds.
    pub timeout_seconds: u32,
    /// Hosts that it wants to reach; none reaches nothing at all.
    pub hosts: Vec<String>,
    /// What can be done about its changes, where it runs.
    #[serde(default)]
    pub changes: ExecChanges,
    /// Whose the files are that it could take to its hosts.
    #[serde(default = "nobodys")]
    pub label: Label,
}

fn nobodys() -> Label {
    Label::Minted
}

/// What can be done about the changes that a command makes in the workspace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExecChanges {
    /// They can be kept apart until the owner takes them over.
    #[default]
    Separable,
    /// They are made at once, and stay.
    Immediate,
}

/// Who waits for a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExecMode {
    /// The turn.
    Foreground,
    /// The turn for so long; then nobody.
    Yield {
        /// How long.
        milliseconds: u32,
    },
    /// Nobody; `process` looks after it.
    Background,
}

/// What a command talks to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExecStdio {
    /// Pipes.
    Pipes,
    /// A terminal.
    Terminal,
}

/// What is done with a command in the background. It was authorised when it was started, and runs in its own sandbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "verb")]
pub enum Control {
    /// Lists all of this session.
    List,
    /// Reads new output.
    Poll {
        /// Which.
        process: String,
    },
    /// Reads what it has written so far.
    Log {
        /// Which.
        process: String,
        /// The first line, counted from 1.
        offset: Option<usize>,
        /// How many lines.
        limit: Option<usize>,
    },
    /// Types.
    Write {
        /// Into which.
        process: String,
        /// What that is.
        command: String,
        /// What it may reach.
        hosts: Vec<String>,
        /// What.
        text: String,
    },
    /// Ends.
    Kill {
        /// Which.
        process: String,
    },
    /// Throws away what commands changed apart from the workspace.
    Discard {
        /// Only at these places and below; nothing for all of it.
        paths: Vec<WorkspacePath>,
    },
}

/// A page that is to be got.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Fetch {
    /// Normalised.
    pub url: String,
    /// The longest text that is given back, in characters.
    pub max_chars: u32,
    /// Characters that are left out before it.
    #[serde(default)]
    pub offset: u32,
    /// The name of a key of the owner's that it is asked with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// How its text is written.
    #[serde(default)]
    pub extract: ExtractMode,
}

/// How the text of a page is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExtractMode {
    /// As Markdown.
    #[default]
    Markdown,
    /// As bare text.
    Text,
}

/// A question for a search engine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Search {
    /// The engine's address, from the configuration.
    pub endpoint: String,
    /// The question.
    pub query: String,
    /// How many results.
    pub count: u32,
    /// Their language, as `de` or `de-AT`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// How old they are at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_range: Option<TimeRange>,
}

impl Search {
    /// All words of it that a model chose.
    pub fn words(&self) -> String {
        self.language.iter().fold(self.query.clone(), |words, language| format!("{words} {language}"))
    }
}

/// A time that ends now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TimeRange {
    /// A day.
    Day,
    /// A week.
    Week,
    /// A month.
    Month,
    /// A year.
    Year,
}

impl TimeRange {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Year => "year",
        }
    }
}

/// A call of a tool that an MCP server offers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ForeignCall {
    /// The server's key in the configuration.
    pub server: String,
    /// The tool's name at the server.
    pub tool: String,
    /// The arguments, valid for the tool's schema.
    pub arguments: JsonObject,
    /// Arguments whose value is the default of the tool's schema: as good as not given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub usual: Vec<String>,
    /// Keys that the tool's schema names, at any depth. Any other key is a value: it may be whom the call is about.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub fields: BTreeSet<String>,
    /// What it does there.
    pub effect: ForeignEffect,
}

/// What a tool of an MCP server does, as the owner declared it or the pinned description says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum ForeignEffect {
    /// Nothing but giving information.
    ReadOnly {
        /// Arguments that decide who learns of it all the same (a URL).
        critical: Vec<String>,
        /// Who may learn of the other arguments.
        world: World,
    },
    /// Something happens. These arguments decide who or what is affected; none where it does not matter.
    Declared {
        /// Their names.
        critical: Vec<String>,
    },
    /// Something may happen, and nobody said which argument matters: all do.
    Undeclared,
}

/// How far a tool of an MCP server reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum World {
    /// It may pass on what it is asked (a search engine).
    #[default]
    Open,
    /// It looks into the server's own data only (MCP: `openWorldHint: false`), and the server has no way out of this machine.
    Closed,
}

/// What a tool of an MCP server gave as data (MCP: `structuredContent`), beside the text that a model reads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Structured {
    /// The server's key in the configuration.
    pub server: String,
    /// The tool's name at the server.
    pub tool: String,
    /// What it gave.
    pub value: serde_json::Value,
}
