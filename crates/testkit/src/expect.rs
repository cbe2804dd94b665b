//! What a client has to make of a quirk.

use std::collections::BTreeMap;

use krabba_types::{Dialect, JsonObject};
use serde::{Deserialize, Serialize};

/// The outcome of a call to a scripted server, for tables of tests.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Expect {
    /// How the call ends.
    pub outcome: Outcome,
    /// The whole text of the answer; for a fault, the text that came before it. Not compared when left out.
    pub text: Option<String>,
    /// The whole reasoning. Not compared when left out.
    pub reasoning: Option<String>,
    /// Why it ended: `stop`, `length`, `tool-calls` or `unknown`. Not compared when left out.
    pub finish: Option<String>,
    /// The tool calls, in order. Not compared when left out.
    pub calls: Vec<ExpectedCall>,
    /// What is wrong with the calls that are none, in order (`arguments`, `unknown-tool`, …). Not compared when left out.
    pub broken: Vec<String>,
    /// The model that says it answered, where it is another.
    pub answered_by: Option<String>,
    /// The window that an overflow gives away.
    pub limit: Option<u32>,
    /// The field that an `unsupported` fault names.
    pub field: Option<String>,
    /// The dialects in which the quirk exists; all that the server speaks when left out.
    pub dialects: Vec<Dialect>,
    /// Other outcomes in some dialects; text, finish and the rest are then not compared.
    pub except: BTreeMap<Dialect, Outcome>,
    /// Only with whole replies (`whole`), only with streams (`stream`), both when left out.
    pub only: Option<String>,
}

impl Expect {
    /// The outcome in one dialect.
    pub fn outcome_in(&self, dialect: Dialect) -> &Outcome {
        self.except.get(&dialect).unwrap_or(&self.outcome)
    }
}

/// A tool call as it has to arrive.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpectedCall {
    /// The function.
    pub name: String,
    /// The arguments.
    pub arguments: JsonObject,
}

/// How a call ends.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Outcome {
    /// With an answer (`complete`).
    #[default]
    Complete,
    /// With a fault; the word is the name of its kind, as in `FaultKind::name` (`fault:truncated`).
    Fault(String),
    /// With any fault (`fault`): which one is open, success is wrong.
    AnyFault,
    /// Not at all; the client's own limits or clocks end it (`endless`).
    Endless,
}

impl TryFrom<String> for Outcome {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match (text.as_str(), text.strip_prefix("fault:")) {
            (_, Some(kind)) => Ok(Self::Fault(kind.to_owned())),
            ("complete", None) => Ok(Self::Complete),
            ("fault", None) => Ok(Self::AnyFault),
            ("endless", None) => Ok(Self::Endless),
            (other, None) => Err(format!("unknown outcome \"{other}\"; use complete, fault, fault:<kind> or endless")),
        }
    }
}

impl From<Outcome> for String {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Complete => "complete".to_owned(),
            Outcome::Fault(kind) => format!("fault:{kind}"),
            Outcome::AnyFault => "fault".to_owned(),
            Outcome::Endless => "endless".to_owned(),
        }
    }
}
