//! The witness that an action was allowed.

use krabba_types::{Action, Exec, Label};
use serde::{Deserialize, Serialize};

/// An action that the reference monitor allowed, with the terms on which it did. There is no way to make one outside this crate,
/// none to change one, and using it uses it up.
#[derive(Debug, PartialEq)]
pub struct Authorized<A> {
    action: A,
    terms: Terms,
}

/// The terms on which something is allowed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// How the workspace looks to a command.
    pub view: View,
    /// The hosts that may be reached, each exactly; none reaches nothing.
    pub hosts: Vec<String>,
    /// The least that has to stand on whatever comes back: the join of what the action was made of.
    pub label: Label,
}

/// How the workspace looks to a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum View {
    /// As it is; changes stay.
    Direct,
    /// As it is; changes are kept apart until the owner takes them over, or are thrown away.
    Discardable,
}

impl<A> Authorized<A> {
    pub(crate) fn new(action: A, terms: Terms) -> Self {
        Self { action, terms }
    }

    /// What is allowed.
    pub fn action(&self) -> &A {
        &self.action
    }

    /// On which terms.
    pub fn terms(&self) -> &Terms {
        &self.terms
    }
}

impl Authorized<Action> {
    /// The command in it, on the same terms.
    ///
    /// # Errors
    /// The whole of it, when it is something else.
    pub fn into_exec(self) -> Result<Authorized<Exec>, Box<Self>> {
        match self.action {
            Action::Run(exec) => Ok(Authorized { action: exec, terms: self.terms }),
            action => Err(Box::new(Self { action, terms: self.terms })),
        }
    }
}
