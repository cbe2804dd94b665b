//! What an action would happen in.

use krabba_types::{AgentId, Label, SessionId, Structured, TurnId};

/// The turn that wants an action, and everything in its context that bears on it.
#[derive(Clone, Debug)]
pub struct Scene {
    /// Whose conversation.
    pub agent: AgentId,
    /// Which conversation.
    pub session: SessionId,
    /// Which turn.
    pub turn: TurnId,
    /// For whom the turn works.
    pub principal: Principal,
    /// The join of all labels in the context.
    pub label: Label,
    /// What stands in the context, in order.
    pub said: Vec<Said>,
    /// What MCP servers gave as data in this conversation, in order, also what has left the context.
    pub structured: Vec<Structured>,
}

impl Scene {
    /// Whether foreign content has a say in the context.
    pub(crate) fn is_tainted(&self) -> bool {
        !self.label.is_own() || self.said.iter().any(|said| !said.label.is_own())
    }
}

/// For whom a turn works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// The owner.
    Owner,
    /// Another person who may talk here.
    Guest {
        /// Who, as the channel names them.
        person: String,
    },
}

/// A piece of the context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// How it came in.
    pub source: Source,
    /// Whose it is.
    pub label: Label,
    /// Its text.
    pub text: String,
}

/// How a piece of the context came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A person typed it.
    Typed,
    /// The model wrote it.
    Model,
    /// The task of a sub-agent, which the model wrote that has it done.
    Task,
    /// A tool brought it.
    Tool {
        /// Which.
        name: String,
        /// The MCP server whose tool it is.
        server: Option<String>,
    },
    /// It stands in the owner's files that the conversation begins with.
    Profile,
    /// The model wrote it into a call.
    Asked {
        /// Of which tool.
        name: String,
        /// The MCP server whose tool it is.
        server: Option<String>,
    },
    /// A summary of what stood here before.
    Summary,
}
