//! What a run tells its consumer: everything that the model said, everything that happened to it on the way, one end.

use krabba_types::{DoneReason, FactSource, Fault, ModelEvent, ModelRef, Residency, Usage};
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

/// An event of a run. [`RouteEvent::End`] comes exactly once, last.
#[derive(Clone, Debug, PartialEq)]
pub enum RouteEvent {
    /// A route is asked.
    Attempt(AttemptStarted),
    /// What the model says and does. Never a final event: those become [`RouteEvent::End`] or another attempt.
    Model(ModelEvent),
    /// Everything shown of this answer is void; it begins again, here or on another route.
    Restarted {
        /// For a person, one line: what happened, and what is done about it.
        why: String,
    },
    /// One line for the person.
    Notice(String),
    /// The end.
    End(Box<RunEnd>),
}

/// A route is asked.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AttemptStarted {
    /// Counted from 1.
    pub number: u32,
    /// `provider/id`.
    #[serde(rename = "ref")]
    pub reference: ModelRef,
    /// Its base URL.
    pub endpoint: String,
    /// How far the conversation travels.
    pub residency: Residency,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AttemptOutcome {
    /// The answer is whole.
    Answered,
    /// It failed before anything was shown.
    Failed,
    /// It failed in the middle of its answer.
    BrokeOff,
    /// The prompt did not fit, so that nothing was sent.
    TooSmall,
}

/// One request, or what kept it from being made.
#[derive(Clone, Debug, PartialEq)]
pub struct Attempt {
    /// `provider/id`.
    pub reference: ModelRef,
    /// Its base URL.
    pub endpoint: String,
    /// How far the conversation travelled.
    pub residency: Residency,
    /// How it ended.
    pub outcome: AttemptOutcome,
    /// Why, when it did not answer.
    pub fault: Option<Fault>,
    /// From the request to the end, waiting in the queue not included, in milliseconds.
    pub ms: u64,
}

impl Serialize for Attempt {
    /// `ref`, `endpoint`, `residency`, `outcome`, `fault` (one word), `message`, `status`, `ms`.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let fault = self.fault.as_ref();
        let mut fields = serializer.serialize_struct("Attempt", 8)?;
        fields.serialize_field("ref", &self.reference)?;
        fields.serialize_field("endpoint", &self.endpoint)?;
        fields.serialize_field("residency", &self.residency)?;
        fields.serialize_field("outcome", &self.outcome)?;
        fields.serialize_field("fault", &fault.map(|fault| fault.kind.name()))?;
        fields.serialize_field("message", &fault.map(|fault| fault.message.as_str()))?;
        fields.serialize_field("status", &fault.and_then(|fault| fault.status))?;
        fields.serialize_field("ms", &self.ms)?;
        fields.end()
    }
}

/// The end of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct RunEnd {
    /// Whether there is an answer.
    pub outcome: Result<DoneReason, Fault>,
    /// Who gave it.
    pub answered: Option<ModelRef>,
    /// Every route that was asked, in order.
    pub attempts: Vec<Attempt>,
    /// What the last attempt cost.
    pub usage: Usage,
    /// How long what took.
    pub timing: Timing,
    /// How full the window is.
    pub context: ContextMeter,
}

/// How long what took, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Timing {
    /// In queues.
    pub queued_ms: u64,
    /// From the last attempt's request to its first output.
    pub first_token_ms: Option<u64>,
    /// From the beginning of the run to its end.
    pub total_ms: u64,
}

/// How full the window is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ContextMeter {
    /// Tokens of prompt and answer together.
    pub window: Option<u32>,
    /// Who says so.
    pub window_source: Option<FactSource>,
    /// Tokens of the prompt, as the server counted, else as we estimate.
    pub prompt_tokens: Option<u64>,
    /// Those that came out of the server's cache.
    pub cached_tokens: Option<u64>,
}

/// What the place that shows the answer can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Surface {
    /// Whether text that was shown can be taken back. If not, an answer that breaks off ends with its fault.
    pub can_retract: bool,
}
