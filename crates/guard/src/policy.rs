//! What a policy is made of.

use std::collections::BTreeSet;
use std::time::Duration;

use krabba_types::{Action, Control, ForeignEffect};
use serde::Serialize;

use crate::AddressBook;
use crate::rules::{RULES, TOOL_RULES};

/// What decides: the rules in their order, and the few settings that bear on them.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Policy {
    /// The first whose conditions are met decides; where none is, the answer is no.
    pub rules: &'static [Rule],
    /// What tools refuse by themselves before anything is decided here.
    pub tool_rules: &'static [ToolRule],
    /// Whom the owner wrote down.
    pub people: AddressBook,
    /// How long the owner has to answer.
    pub patience: Duration,
    /// The longest question, in bytes. What is longer cannot be shown whole, and is refused.
    pub longest_question: usize,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            rules: &RULES,
            tool_rules: &TOOL_RULES,
            people: AddressBook::default(),
            patience: Duration::from_secs(600),
            longest_question: 64 * 1024,
        }
    }
}

impl Policy {
    /// The rule that decides.
    pub(crate) fn decide(&self, sink: Sink, met: &BTreeSet<Condition>) -> Option<&'static Rule> {
        self.rules.iter().find(|rule| rule.applies(sink, met))
    }

    /// Tells this policy from every other.
    pub(crate) fn version(&self) -> String {
        crate::canonical::hash(self)
    }
}

/// A line of the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Rule {
    /// Its name, in refusals and in the audit.
    pub id: &'static str,
    /// What it is about; nothing for everything.
    pub about: &'static [Sink],
    /// All of these are met,
    pub when: &'static [Condition],
    /// and none of these.
    pub unless: &'static [Condition],
    /// What is decided.
    pub decision: Decision,
    /// Why, for a person and for the model.
    pub why: &'static str,
}

/// What a tool refuses by itself, whatever else holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ToolRule {
    /// Its name, in refusals.
    pub id: &'static str,
    /// What it keeps, for a person.
    pub why: &'static str,
}

impl Rule {
    fn applies(&self, sink: Sink, met: &BTreeSet<Condition>) -> bool {
        (self.about.is_empty() || self.about.contains(&sink))
            && self.when.iter().all(|condition| met.contains(condition))
            && !self.unless.iter().any(|condition| met.contains(condition))
    }
}

/// What is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decision {
    /// Yes.
    Allow,
    /// Yes, kept apart from the workspace until the owner takes it over.
    AllowApart,
    /// The owner is asked.
    Ask,
    /// The owner is asked, and has to type words.
    AskTyped,
    /// No.
    Deny,
    /// No, and nothing more in this conversation.
    Stop,
}

/// A kind of action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sink {
    /// Looks something up in krabba.
    Consult,
    /// Reads files of the workspace.
    Look,
    /// Changes files of the workspace.
    Change,
    /// Runs a command.
    Run,
    /// Looks at a command in the background, or ends it.
    Observe,
    /// Types into a command in the background.
    Type,
    /// Gets a page.
    Fetch,
    /// Asks a search engine.
    Search,
    /// Calls a tool of an MCP server that only reads.
    CallReading,
    /// Calls a tool of an MCP server whose critical arguments are declared.
    CallDeclared,
    /// Calls a tool of an MCP server that nobody said anything about.
    CallUndeclared,
    /// Has a sub-agent do something.
    Spawn,
}

impl Decision {
    /// For a person.
    pub fn words(self) -> &'static str {
        match self {
            Self::Allow => "done",
            Self::AllowApart => "done, apart from the workspace until you take it over",
            Self::Ask => "you are asked",
            Self::AskTyped => "you are asked, and have to type what is affected",
            Self::Deny => "not done",
            Self::Stop => "not done, and nothing more in this conversation",
        }
    }
}

impl Sink {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Consult,
        Self::Look,
        Self::Change,
        Self::Run,
        Self::Observe,
        Self::Type,
        Self::Fetch,
        Self::Search,
        Self::CallReading,
        Self::CallDeclared,
        Self::CallUndeclared,
        Self::Spawn,
    ];

    /// For a person.
    pub fn words(self) -> &'static str {
        match self {
            Self::Consult => "Looking something up in krabba",
            Self::Look => "Reading files of the workspace",
            Self::Change => "Changing files of the workspace",
            Self::Run => "Running a command in the sandbox",
            Self::Observe => "Looking at a command in the background, or ending it",
            Self::Type => "Typing into a command in the background",
            Self::Fetch => "Getting a page of the web",
            Self::Search => "Asking a search engine",
            Self::CallReading => "Calling a tool of an MCP server that only reads",
            Self::CallDeclared => "Calling a tool of an MCP server whose critical arguments are declared",
            Self::CallUndeclared => "Calling any other tool of an MCP server",
            Self::Spawn => "Having a sub-agent do something",
        }
    }

    /// The kind of an action.
    pub fn of(action: &Action) -> Self {
        match action {
            Action::Consult(_) => Self::Consult,
            Action::Spawn(_) => Self::Spawn,
            Action::Look(_) => Self::Look,
            Action::Change(_) => Self::Change,
            Action::Run(_) => Self::Run,
            Action::Control(Control::Write { .. }) => Self::Type,
            Action::Control(
                Control::List | Control::Poll { .. } | Control::Log { .. } | Control::Kill { .. } | Control::Discard { .. },
            ) => Self::Observe,
            Action::Fetch(_) => Self::Fetch,
            Action::Search(_) => Self::Search,
            Action::Call(call) => match call.effect {
                ForeignEffect::ReadOnly { .. } => Self::CallReading,
                ForeignEffect::Declared { .. } => Self::CallDeclared,
                ForeignEffect::Undeclared => Self::CallUndeclared,
            },
        }
    }

    /// The name, as the rules print it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Consult => "consult",
            Self::Look => "look",
            Self::Change => "change",
            Self::Run => "run",
            Self::Observe => "observe",
            Self::Type => "type",
            Self::Fetch => "fetch",
            Self::Search => "search",
            Self::CallReading => "call-reading",
            Self::CallDeclared => "call-declared",
            Self::CallUndeclared => "call-undeclared",
            Self::Spawn => "spawn",
        }
    }
}

/// Something about an action and its scene that a rule may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Condition {
    /// The turn works for somebody else than the owner.
    Guest,
    /// Foreign content has a say in the context.
    Tainted,
    /// Something was read in this context that the owner may not want to leave: a file, a command's output, a tool's result.
    Private,
    /// Files of the owner's stand at the beginning of the context.
    Profile,
    /// Every argument that decides who or what is affected is the owner's own word, or stands in their address book.
    Vouched,
    /// The rest of it holds no hidden character, and no link and no identifier that the owner did not write.
    PlainPayload,
    /// It looks beyond the server's own data, and so tells others what it looks for.
    OpenWorld,
    /// Every word in the rest of it is the owner's.
    OwnWords,
    /// The address stands word for word in a search result.
    Found,
    /// A file that steers the agent, or that other programs run.
    ControlFile,
    /// The memory that every conversation begins with.
    Memory,
    /// A new note that comes back as data.
    NewNote,
    /// A file is removed.
    Removes,
    /// What a command wrote apart from the workspace is taken over, which nobody has seen.
    TakesOver,
    /// Its name says that it cannot be undone.
    Irreversible,
    /// It is asked with a key of the owner's.
    Key,
    /// It wants to reach the network.
    Network,
    /// It can be kept apart from the workspace.
    ThrowAway,
    /// A decoy is in it.
    Decoy,
    /// A secret of the owner's is in it, in whatever dress.
    Secret,
    /// It would write the mark of a hidden secret over the secret.
    LosesSecret,
}

impl Condition {
    /// For a person; what has to be true.
    pub fn words(self) -> &'static str {
        match self {
            Self::Guest => "the turn works for somebody else than you",
            Self::Tainted => "somebody else's content is in the conversation",
            Self::Private => "something of yours was read in the conversation",
            Self::Profile => "files of yours stand at the beginning of the conversation",
            Self::Vouched => "you wrote, or named, whoever or whatever it is about, or it stands in your address book",
            Self::PlainPayload => "nothing rides along that you did not write: no link, no identifier, no hidden character",
            Self::OpenWorld => "it looks beyond the server's own data, and so tells others what it looks for",
            Self::OwnWords => "every word that rides along is yours",
            Self::Found => "the address stands in a search result",
            Self::ControlFile => "the file steers the agent, or other programs run it",
            Self::Memory => "the file is the memory that every conversation begins with",
            Self::NewNote => "it is a new file below memory/",
            Self::Removes => "a file would be gone",
            Self::TakesOver => "what a command kept apart is taken over",
            Self::Irreversible => "its name says that it cannot be undone",
            Self::Key => "it is asked with a key of yours",
            Self::Network => "it wants to reach the network",
            Self::ThrowAway => "it can be kept apart from the workspace",
            Self::Decoy => "a decoy is in it",
            Self::Secret => "one of your secrets is in it, in whatever dress",
            Self::LosesSecret => "it would write [secret] over a secret",
        }
    }
}
