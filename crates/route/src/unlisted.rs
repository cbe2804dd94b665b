//! A model that its own running server does not list.
//!
//! Nothing is refused for that: it may be downloaded later, a proxy may take any name.
//! But some servers answer such a name with another model, so that it is said before anything is asked.

use std::fmt;

use krabba_local::{Report, ServerState};
use krabba_types::{ModelId, ModelRef, ServerKind};
use serde::Serialize;

use crate::closest::{closest, did_you_mean};

/// How many models of a server are named where none is similar.
const NAMED: usize = 6;

/// What its server lists instead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Unlisted {
    /// The server, for a person.
    pub server: String,
    /// The model that it does not list.
    #[serde(rename = "ref")]
    pub reference: ModelRef,
    /// llama.cpp with one model: whatever it is called, that one answers.
    pub takes_any_name: bool,
    /// References of models that it lists, with a similar name.
    pub closest: Vec<String>,
    /// Ids that it lists, the first few.
    pub listed: Vec<String>,
}

impl Unlisted {
    /// `None` where the server lists it, lists nothing, or cannot say.
    pub(crate) fn of(reference: &ModelRef, report: &Report) -> Option<Self> {
        if report.state != ServerState::Up || report.models.is_empty() || report.model(&reference.model).is_some() {
            return None;
        }
        let names = report.models.iter().map(|model| ModelRef::new(reference.provider.clone(), model.id.clone()).to_string());
        Some(Self {
            server: format!("{} at {}", report.kind.name(), report.url),
            takes_any_name: report.kind == ServerKind::LlamaCpp && report.models.len() == 1,
            closest: closest(&reference.to_string(), names),
            listed: report.models.iter().map(|model| model.id.to_string()).take(NAMED).collect(),
            reference: reference.clone(),
        })
    }

    /// A hosted model that the catalogue does not have is usually just newer; one with a similar name there may be a slip.
    pub fn in_catalogue(reference: &ModelRef) -> Option<Self> {
        let row = crate::catalogue::find(&reference.provider)?;
        if row.models.iter().any(|model| model.id == reference.model.as_str()) {
            return None;
        }
        let names = row.models.iter().map(|model| ModelRef::new(reference.provider.clone(), ModelId::new(model.id)).to_string());
        Some(Self {
            server: "the built-in catalogue".to_owned(),
            reference: reference.clone(),
            takes_any_name: false,
            closest: closest(&reference.to_string(), names),
            listed: row.models.iter().map(|model| model.id.to_owned()).take(NAMED).collect(),
        })
        .filter(|unlisted| !unlisted.closest.is_empty())
    }

    /// What is wrong.
    pub fn what(&self) -> String {
        format!("{} does not list the model \"{}\"", self.server, self.reference.model)
    }

    /// What could be meant.
    pub fn hint(&self) -> String {
        match self.closest.as_slice() {
            [] => format!("it lists {}", self.listed.join(", ")),
            some => did_you_mean(some),
        }
    }
}

impl fmt::Display for Unlisted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}; {}", self.what(), self.hint())
    }
}
