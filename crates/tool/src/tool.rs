//! The trait.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use krabba_guard::Authorized;
use krabba_types::{Action, Image, JsonObject, Label, ModelRef, Residency, SessionId, ToolSpec};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::Outcome;

/// Something that a model may ask for.
pub trait Tool: Send + Sync {
    /// What the model sees.
    fn spec(&self) -> &ToolSpec;

    /// Whose words that is.
    fn spec_label(&self) -> Label {
        Label::System
    }

    /// What a call would do. Looks at whatever it needs to say so exactly, and changes nothing.
    fn plan<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Result<Action, Refusal>>;

    /// Does what was authorised. Ends soon after `run.cancel` is cancelled, with what there is by then; dropping the future
    /// ends everything that it started.
    fn run<'a>(&'a self, action: Authorized<Action>, run: Run) -> BoxFuture<'a, Outcome>;

    /// Ends what earlier calls of a conversation left running, waits for that, and says how many those were. They are told to end
    /// before anything is waited for, because nobody who stops waits for long: dropping the future leaves them ending.
    fn stop<'a>(&'a self, _session: &'a SessionId) -> BoxFuture<'a, usize> {
        Box::pin(std::future::ready(0))
    }

    /// What happens after a crash in the middle of it.
    fn repeat(&self) -> Repeat;
}

/// A call whose arguments are valid for the tool's schema.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// The conversation.
    pub session: &'a SessionId,
    /// The arguments.
    pub arguments: &'a JsonObject,
}

/// What a tool is given to do its work.
#[derive(Clone, Debug)]
pub struct Run {
    /// The conversation.
    pub session: SessionId,
    /// Ends it early.
    pub cancel: CancellationToken,
    /// The longest text that it may give back, in bytes. What is cut says so, and how to get the rest.
    pub budget: usize,
    /// Lines for a person who watches; never read by a model. Nothing is waited for: what does not fit is dropped.
    pub progress: mpsc::Sender<String>,
    /// A model that sees, where one may be asked.
    pub eyes: Option<Arc<dyn Eyes>>,
    /// A sub-agent, where there may be one.
    pub helper: Option<Arc<dyn Helper>>,
}

/// A model that sees pictures, asked within the limits of the conversation.
pub trait Eyes: std::fmt::Debug + Send + Sync {
    /// What it says of a picture, and who it was; the error is one line for the model that asked.
    fn look<'a>(&'a self, image: Image, question: String) -> BoxFuture<'a, Result<Seen, String>>;
}

/// What a model saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Who looked.
    pub by: ModelRef,
    /// How far the picture travelled.
    pub residency: Residency,
    /// What it says.
    pub text: String,
}

/// A sub-agent: a conversation of its own that may do no more than the one that begins it.
pub trait Helper: std::fmt::Debug + Send + Sync {
    /// What came of a task, within this time where there is one; while the owner is asked something, it stands. `stop` ends the work
    /// sooner, and dropping the future at once.
    fn work(&self, task: String, limit: Option<Duration>, stop: CancellationToken) -> BoxFuture<'_, Worked>;
}

/// What a sub-agent brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Worked {
    /// Its answer, or why there is none.
    pub text: String,
    /// Whether there is none.
    pub is_error: bool,
    /// No cleaner than anything that it read.
    pub label: Label,
}

/// Who finds the secrets that a tool may come upon, so that they are known before its result is read.
pub trait SecretScanner: std::fmt::Debug + Send + Sync {
    /// Looks for those that are new since the last time.
    fn scan(&self) -> BoxFuture<'_, ()>;
}

/// Whether work whose end is unknown may be done again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// Doing it twice is like doing it once.
    Harmless,
    /// It might have happened; the owner and the model are told.
    Never,
}

/// Why there is no action for a call.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct Refusal {
    /// One line for the model.
    pub why: String,
    /// Whose that is: the words are ours, but what they say of a file is whoever's the file is.
    pub label: Label,
}

impl Refusal {
    /// One that tells nothing but what the model wrote itself.
    pub fn new(why: impl Into<String>) -> Self {
        Self { why: why.into(), label: Label::System }
    }

    /// The same, which says something of what has this label.
    #[must_use]
    pub fn about(self, label: &Label) -> Self {
        Self { label: self.label.join(label), ..self }
    }
}
