//! Looking at a session's prompt without asking anybody, and making it smaller at the person's word.

use std::sync::Arc;

use krabba_context::{Item, Source, compact};
use krabba_route::{Ask, Plan};
use krabba_store::Store;
use krabba_types::{Fact, Message, ModelRef, Role, RouteFacts};

use crate::agent::Shared;
use crate::history::History;
use crate::prompt::View;
use crate::{AgentError, Lane, OpeningRecord};

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
}

/// What came of making the prompt smaller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Compacted {
    /// There is no route whose window would be the measure.
    NoModel,
    /// The last turn is all there is.
    NothingToCut,
    /// Older messages left. The raw history is as it was.
    Cut {
        /// How many.
        messages: usize,
        /// About how many tokens the prompt had.
        before: u32,
        /// About how many it has now.
        after: u32,
    },
}

impl Lane {
    /// Who would be asked now, in which order, and who not.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn plan(&self) -> Result<Plan, AgentError> {
        let history = self.history().await?;
        Ok(plan(self.shared(), self, &history))
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
        conversation.push(krabba_context::Entry { seq: history.seen().saturating_add(1), message: Message::text(Role::User, "?") });
        let empty = Inspection {
            reference: reference.clone(),
            window: facts.window,
            estimate: 0,
            around: 0,
            items: Vec::new(),
            cut: None,
            problem: None,
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

    /// Leaves older messages out of the prompt from now on, on every route. Whole turns go, oldest first; no model is asked,
    /// and nothing is deleted.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn compact(&self) -> Result<Compacted, AgentError> {
        let (history, opening) = self.history_and_opening().await?;
        let Some((reference, facts)) = first_route(self.shared(), self, &history) else { return Ok(Compacted::NoModel) };
        let view = View { shared: self.shared(), history: &history, reference: &reference, facts: &facts, opening: &opening };
        let conversation = history.conversation(&reference, None);
        let Some(cut) = view.with_input(&conversation, compact) else { return Ok(Compacted::NothingToCut) };
        let before = view.build(&conversation).map_or(cut.tokens, |built| built.estimate.count);
        self.cut(cut.keep_from).await?;
        Ok(Compacted::Cut { messages: cut.dropped, before, after: before.saturating_sub(cut.tokens) })
    }

    /// The history, and what the conversation begins with, or would begin with now.
    async fn history_and_opening(&self) -> Result<(Arc<History>, Arc<OpeningRecord>), AgentError> {
        let (state, shared) = (Arc::clone(self.state()), Arc::clone(self.shared()));
        let read = move |store: &Store| {
            let history = state.refresh(store)?;
            let opening = history.opening().cloned().unwrap_or_else(|| Arc::new(OpeningRecord::now(&shared)));
            Ok((history, opening))
        };
        self.shared().stored(read).await
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

fn plan(shared: &Shared, lane: &Lane, history: &History) -> Plan {
    let settings = history.settings();
    shared.router.plan(&Ask {
        sticky: settings.model.clone(),
        profile: settings.profile.clone(),
        residency: settings.residency(),
        session: Some(lane.id().clone()),
        ..Ask::new(shared.settings.id.clone())
    })
}

fn first_route(shared: &Shared, lane: &Lane, history: &History) -> Option<(ModelRef, RouteFacts)> {
    let reference = plan(shared, lane, history).candidates.into_iter().next()?.reference;
    let facts = shared.router.facts(&shared.settings.id, &reference);
    Some((reference, facts))
}
