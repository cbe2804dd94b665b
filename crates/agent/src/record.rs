//! What the events of a session hold: the typed form of each event's body, and the way to and from the store.
//!
//! A field that is added later has a default, so that a new krabba reads an old history. What an older krabba cannot
//! read it leaves out of the prompt and says so; the raw event stays.

use krabba_context::TextLimits;
use krabba_store::{Event, EventKind, NewEvent};
use krabba_types::{DoneReason, FactSource, Thinking};
use krabba_types::{Fault, Label, ModelId, ModelRef, Part, Residency, Structured, Timestamp, ToolCall, ToolResult, TurnId, Usage};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::OpeningRecord;
use crate::quoted::Words;

/// The content of an event.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    /// What the conversation begins with, from here on.
    Opened(Box<OpeningRecord>),
    /// A person said something.
    User(UserRecord),
    /// Work on a turn began.
    Started(StartRecord),
    /// The model answered, perhaps in part only.
    Assistant(AssistantRecord),
    /// The model made a call.
    Call(ToolCall),
    /// A call brought something.
    Result(ResultRecord),
    /// Work on a turn is over.
    Ended(EndRecord),
    /// A setting of the session changed.
    Changed(Change),
    /// Older messages left the context.
    Cut(CutRecord),
    /// A line for the person that no model reads.
    Notice(NoticeRecord),
}

/// What a person said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UserRecord {
    /// Text and pictures, in the person's order.
    pub parts: Vec<Part>,
    /// What the model is told with it and the person did not write (the time of day). Stored with the message, so that
    /// the prompt of the next turn repeats it unchanged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub circumstances: Option<String>,
    /// Pieces of the text that they did not write: they were pasted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pasted: Vec<String>,
}

impl UserRecord {
    /// What the person says in it, and what they show.
    pub(crate) fn words(&self) -> Words {
        let texts = self.parts.iter().filter_map(|part| match part {
            Part::Text(text) => Some(text.as_str()),
            Part::Image(_) | Part::Reasoning(_) | Part::ToolCall(_) | Part::ToolResult(_) => None,
        });
        Words::of(&texts.collect::<Vec<_>>().join("\n"), &self.pasted)
    }

    /// Whose the content is that a person only shows; `None` where they show none.
    pub(crate) fn shown_label(&self) -> Option<Label> {
        let picture = self.parts.iter().any(|part| matches!(part, Part::Image(_)));
        let picture = picture.then(|| Label::untrusted("a picture"));
        let text = (!self.words().shown.is_empty()).then(|| Label::untrusted(SHOWN));
        text.into_iter().chain(picture).reduce(|one, two| one.join(&two))
    }
}

/// Where text comes from that a person pasted or quoted.
pub(crate) const SHOWN: &str = "text that you pasted or quoted";

/// The beginning of a turn.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct StartRecord {
    /// The model that this turn alone was to use.
    pub model: Option<ModelRef>,
    /// How much this turn was to think.
    pub thinking: Thinking,
}

/// What a model wrote.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AssistantRecord {
    /// Text and, as parts of their own, reasoning.
    pub parts: Vec<Part>,
    /// Who wrote it.
    pub route: ModelRef,
    /// The model that the server named, when it is another one than was asked for.
    #[serde(default)]
    pub model: Option<ModelId>,
    /// What the server counted.
    #[serde(default)]
    pub usage: Usage,
    /// Whether this is all of it.
    pub extent: Extent,
}

/// How much of an answer there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Extent {
    /// All of it.
    Whole,
    /// All of it, and calls follow, or what we said about it: the turn goes on.
    Step,
    /// It was stopped or broke off; the person saw this much.
    Aborted,
}

/// What a call brought.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ResultRecord {
    /// What the model reads.
    #[serde(flatten)]
    pub result: ToolResult,
    /// What the server gave as data, for the monitor alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub structured: Option<Structured>,
    /// Whose tool it was, whichever way the model called it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maker: Option<Maker>,
}

/// Who made a result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Maker {
    /// The tool, whichever way it was called.
    pub tool: String,
    /// The MCP server that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
}

impl From<ToolResult> for ResultRecord {
    fn from(result: ToolResult) -> Self {
        Self { result, structured: None, maker: None }
    }
}

/// The end of a turn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EndRecord {
    /// How it ended.
    pub outcome: Outcome,
    /// Who was asked, in order.
    #[serde(default)]
    pub attempts: Vec<AttemptRecord>,
    /// Where the time went.
    #[serde(default)]
    pub timing: TimingRecord,
    /// How full the window was.
    #[serde(default)]
    pub context: Option<ContextRecord>,
    /// What the server counted.
    #[serde(default)]
    pub usage: Usage,
}

impl EndRecord {
    /// An end of which nothing else is known.
    pub fn bare(outcome: Outcome) -> Self {
        Self { outcome, attempts: Vec::new(), timing: TimingRecord::default(), context: None, usage: Usage::default() }
    }
}

/// How a turn ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "outcome", content = "why")]
pub enum Outcome {
    /// With an answer.
    Answered(DoneReason),
    /// Without one, or with a part of one.
    Failed(Fault),
    /// The person stopped it.
    Stopped,
    /// The person said something else meanwhile, which is answered with everything that was found out until then.
    Steered,
    /// The program ended before the turn did. Written when the next turn of the session begins.
    Interrupted,
    /// We could not do our own part (the history could not be written); the words say what and what to do.
    Broken(String),
}

impl Outcome {
    /// Whether the person got a whole answer.
    pub fn is_answer(&self) -> bool {
        match self {
            Self::Answered(_) => true,
            Self::Failed(_) | Self::Stopped | Self::Steered | Self::Interrupted | Self::Broken(_) => false,
        }
    }
}

/// One model that was asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AttemptRecord {
    /// Which.
    #[serde(rename = "ref")]
    pub reference: ModelRef,
    /// At which address.
    pub endpoint: String,
    /// Where that is.
    pub residency: Residency,
    /// Why it did not answer; `None` when it did.
    pub fault: Option<Fault>,
    /// How long it took.
    pub ms: u64,
}

/// Where the time of a turn went, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TimingRecord {
    /// Waiting for the box.
    pub queued_ms: u64,
    /// From the beginning of the answering attempt to its first output.
    pub first_token_ms: Option<u64>,
    /// All of the turn.
    pub total_ms: u64,
}

/// How full the window of the answering route was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContextRecord {
    /// Tokens of prompt and answer together.
    pub window: Option<u32>,
    /// Who says so.
    pub window_source: Option<FactSource>,
    /// Tokens of the prompt.
    pub prompt_tokens: Option<u64>,
    /// Whether the server counted them or we estimated.
    pub counted: Counted,
    /// Tokens that came out of the server's cache, when it says.
    pub cached_tokens: Option<u64>,
}

/// Who counted tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Counted {
    /// The server.
    Measured,
    /// We, from the text's length.
    Estimated,
}

/// A change of a session's settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "setting")]
pub enum Change {
    /// The model of this session; `None` for the configured one.
    Model {
        /// Which.
        reference: Option<ModelRef>,
        /// The key profile that was pinned with it.
        #[serde(default)]
        profile: Option<String>,
    },
    /// How much to think; `None` for what is configured.
    Thinking {
        /// How much.
        level: Option<Thinking>,
    },
    /// Whether the person wants to see reasoning.
    Reasoning {
        /// Whether.
        shown: bool,
    },
    /// The conversation goes no farther than any of these places from now on. Only ever tightens.
    Residency {
        /// The farthest places.
        places: Vec<Residency>,
    },
    /// Nothing more is done in this conversation.
    Halted {
        /// The rule that stopped it.
        rule: String,
    },
    /// The person was told that this conversation leaves their own machines.
    LeftHome {
        /// To whom.
        reference: ModelRef,
    },
}

/// Older messages left the context, or texts lost their middle. Nothing is deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CutRecord {
    /// The `seq` of the first event that stays.
    pub keep_from: u64,
    /// The route whose window was too small; `None` when the person asked for it and it holds for all.
    #[serde(default)]
    pub route: Option<ModelRef>,
    /// What a model noted of them. It replaces the note before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// How many tokens each text of an event may have on that route from now on, by the event's `seq`.
    #[serde(default, skip_serializing_if = "TextLimits::is_empty")]
    pub shortened: TextLimits,
}

impl CutRecord {
    /// What stands before an event leaves on all routes, and a note may take its place.
    pub fn for_all(keep_from: u64, note: Option<String>) -> Self {
        Self { keep_from, route: None, note, shortened: TextLimits::new() }
    }
}

/// A line for the person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoticeRecord {
    /// The line.
    pub text: String,
}

/// An event whose body this krabba does not understand.
#[derive(Debug, thiserror::Error)]
#[error("event {seq} of session {session} cannot be read: {source}")]
pub struct UnreadableRecord {
    /// Where.
    pub session: krabba_types::SessionId,
    /// Which.
    pub seq: u64,
    /// Why.
    pub source: serde_json::Error,
}

impl Record {
    /// Reads the body of an event.
    ///
    /// # Errors
    /// When the body is not what its kind holds.
    pub fn of(event: &Event) -> Result<Self, UnreadableRecord> {
        let body = event.body.clone();
        let read = match event.kind {
            EventKind::Opening => serde_json::from_value(body).map(|opening| Self::Opened(Box::new(opening))),
            EventKind::UserMessage => serde_json::from_value(body).map(Self::User),
            EventKind::TurnStarted => serde_json::from_value(body).map(Self::Started),
            EventKind::AssistantMessage => serde_json::from_value(body).map(Self::Assistant),
            EventKind::ToolCall => serde_json::from_value(body).map(Self::Call),
            EventKind::ToolResult => serde_json::from_value(body).map(Self::Result),
            EventKind::TurnEnded => serde_json::from_value(body).map(Self::Ended),
            EventKind::Setting => serde_json::from_value(body).map(Self::Changed),
            EventKind::Compaction => serde_json::from_value(body).map(Self::Cut),
            EventKind::Notice => serde_json::from_value(body).map(Self::Notice),
        };
        read.map_err(|source| UnreadableRecord { session: event.session.clone(), seq: event.seq, source })
    }

    /// Makes an event of it.
    ///
    /// # Errors
    /// When a value has no JSON form (a speed that is not a number).
    pub fn event(&self, turn: Option<&TurnId>, label: Label, at: Timestamp) -> Result<NewEvent, serde_json::Error> {
        Ok(NewEvent { turn: turn.cloned(), kind: self.kind(), body: self.body()?, label, at })
    }

    fn kind(&self) -> EventKind {
        match self {
            Self::Opened(_) => EventKind::Opening,
            Self::User(_) => EventKind::UserMessage,
            Self::Started(_) => EventKind::TurnStarted,
            Self::Assistant(_) => EventKind::AssistantMessage,
            Self::Call(_) => EventKind::ToolCall,
            Self::Result(_) => EventKind::ToolResult,
            Self::Ended(_) => EventKind::TurnEnded,
            Self::Changed(_) => EventKind::Setting,
            Self::Cut(_) => EventKind::Compaction,
            Self::Notice(_) => EventKind::Notice,
        }
    }

    fn body(&self) -> Result<Value, serde_json::Error> {
        match self {
            Self::Opened(record) => serde_json::to_value(record),
            Self::User(record) => serde_json::to_value(record),
            Self::Started(record) => serde_json::to_value(record),
            Self::Assistant(record) => serde_json::to_value(record),
            Self::Call(call) => serde_json::to_value(call),
            Self::Result(result) => serde_json::to_value(result),
            Self::Ended(record) => serde_json::to_value(record),
            Self::Changed(change) => serde_json::to_value(change),
            Self::Cut(record) => serde_json::to_value(record),
            Self::Notice(record) => serde_json::to_value(record),
        }
    }
}
