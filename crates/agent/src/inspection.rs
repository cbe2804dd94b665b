//! Looking at a session's prompt without asking anybody.

use std::sync::Arc;

use krabba_context::{Item, Source};
use krabba_route::{Ask, Plan};
use krabba_types::{Fact, Message, ModelRef, Role, RouteFacts};

use crate::agent::Shared;
use crate::history::History;
use crate::prompt::View;
use crate::{AgentError, Lane, OpeningRecord, Waiting};

/// What `krabba_context` calls the question at the end of a prompt.
const PLACEHOLDER: &str = "last message";

/// The prompt that would be sent now, but for the person's next words.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// To whom.
    pub reference: ModelRef,
    /// Tokens of prompt and answer together, and who says so.
    pub window: Fact<u32>,
    /// Tokens of the prompt, estimated: those of all items, and what goes around them.
    pub estimate: u32,
    /// What goes around the items, in tokens: the frame of the system message, and the error of rounding each by itself. Negative
    /// where that error is the larger one.
    pub around: i64,
    /// What contributes how much, in the order of the prompt.
    pub items: Vec<Item>,
    /// What would be left out, beyond earlier cuts.
    pub cut: Option<String>,
    /// Why there can be no prompt.
    pub problem: Option<String>,
    /// Files that are not told, and why.
    pub left_out: Vec<String>,
    /// Tools that the owner turned off for this model, and where.
    pub off: Vec<(String, String)>,
}

impl Lane {
    /// Who would be asked now, in which order, and who not.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn plan(&self) -> Result<Plan, AgentError> {
        let history = self.history().await?;
        Ok(plan(self.shared(), self, &history, Waiting::Person))
    }

    /// The prompt that would be sent now; `None` when no model can be asked.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn inspect(&self) -> Result<Option<Inspection>, AgentError> {
        let (history, opening) = self.history_and_opening().await?;
        match first_route(self.shared(), self, &history) {
            Some((reference, _)) => Ok(Some(self.inspection(&history, &opening, reference))),
            None => Ok(None),
        }
    }

    /// The prompt that would be sent to this model.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn inspect_for(&self, reference: &ModelRef) -> Result<Inspection, AgentError> {
        let (history, opening) = self.history_and_opening().await?;
        Ok(self.inspection(&history, &opening, reference.clone()))
    }

    fn inspection(&self, history: &History, opening: &OpeningRecord, reference: ModelRef) -> Inspection {
        let facts = self.shared().router.facts(&self.shared().settings.id, &reference);
        let view = View { shared: self.shared(), history, reference: &reference, facts: &facts, opening };
        let mut conversation = history.conversation(&reference, None);
        // A prompt ends in a question. The next one is not there yet, and stands here as a single character.
        conversation.push(krabba_context::Entry::new(history.seen().saturating_add(1), Message::text(Role::User, "?")));
        let empty = Inspection {
            reference: reference.clone(),
            window: facts.window,
            estimate: 0,
            around: 0,
            items: Vec::new(),
            cut: None,
            problem: None,
            left_out: opening.system.left_out().to_vec(),
            off: self.shared().hands.off(&reference),
        };
        match view.build(&conversation) {
            Ok(built) => {
                let (placeholder, items): (Vec<Item>, Vec<Item>) = built.items.into_iter().partition(is_placeholder);
                let estimate = built.estimate.count.saturating_sub(tokens(&placeholder));
                let around = i64::from(estimate) - i64::from(tokens(&items));
                Inspection { estimate, around, items, cut: built.cut.map(|cut| cut.to_string()), ..empty }
            }
            Err(error) => Inspection { problem: Some(error.to_string()), ..empty },
        }
    }

    /// The history, and what the conversation begins with, or would begin with now.
    pub(crate) async fn history_and_opening(&self) -> Result<(Arc<History>, Arc<OpeningRecord>), AgentError> {
        let history = self.history().await?;
        let opening = match history.opening() {
            Some(opening) => Arc::clone(opening),
            None => Arc::new(OpeningRecord::now(self.shared()).await?),
        };
        Ok((history, opening))
    }

    async fn history(&self) -> Result<Arc<History>, AgentError> {
        let state = Arc::clone(self.state());
        self.shared().stored(move |store| state.refresh(store)).await
    }
}

fn is_placeholder(item: &Item) -> bool {
    item.source == Source::Conversation && item.name == PLACEHOLDER
}

fn tokens(items: &[Item]) -> u32 {
    items.iter().map(|item| item.tokens).fold(0, u32::saturating_add)
}

pub(crate) fn plan(shared: &Shared, lane: &Lane, history: &History, waiting: Waiting) -> Plan {
    let settings = history.settings();
    shared.router.plan(&Ask {
        sticky: settings.model.clone(),
        profile: settings.profile.clone(),
        residency: settings.residency(),
        session: Some(lane.id().clone()),
        background: waiting == Waiting::Nobody,
        ..Ask::new(shared.settings.id.clone())
    })
}

fn first_route(shared: &Shared, lane: &Lane, history: &History) -> Option<(ModelRef, RouteFacts)> {
    let reference = plan(shared, lane, history, Waiting::Person).candidates.into_iter().next()?.reference;
    let facts = shared.router.facts(&shared.settings.id, &reference);
    Some((reference, facts))
}
