//! The conversation as a request, made for each route that is asked.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use krabba_context::{Built, Cut, Entry, Input, Meter, Offered, Pictures, PromptError, TextLimits, Toolset, build, what_is_off};
use krabba_route::{Prepared, Prompt, TooLarge};
use krabba_types::{Calling, ModelRef, ModelRequest, Params, RouteFacts, Thinking, ToolAbility, ToolSpec, TurnId};

use crate::agent::Shared;
use crate::history::History;
use crate::record::CutRecord;
use crate::{Hands, OpeningRecord};

/// The conversation of one turn.
pub(crate) struct SessionPrompt {
    shared: Arc<Shared>,
    history: Arc<History>,
    turn: TurnId,
    thinking: Thinking,
    made: Mutex<BTreeMap<ModelRef, Made>>,
}

/// What is remembered of the last request that was made for a route.
#[derive(Clone, Debug)]
struct Made {
    /// Its size before correction.
    uncorrected: u32,
    /// What it left out beyond the request before.
    cut: Option<Cut>,
    /// What the model was not told for want of room.
    off: Option<String>,
}

impl SessionPrompt {
    pub(crate) fn new(shared: Arc<Shared>, history: Arc<History>, turn: TurnId, thinking: Thinking) -> Self {
        Self { shared, history, turn, thinking, made: Mutex::default() }
    }

    /// The cuts that were made on the way, to be remembered, so that the next request begins at the same place.
    pub(crate) fn cuts(&self) -> Vec<CutRecord> {
        let made = self.made();
        let cuts = made.iter().filter_map(|(route, made)| {
            let Cut { keep_from, shortened, .. } = made.cut.clone()?;
            let shortened = shortened.map(|shortened| shortened.limits).unwrap_or_default();
            Some(CutRecord { keep_from, route: Some(route.clone()), note: None, shortened })
        });
        cuts.collect()
    }

    /// The server of `route` counted `reported` tokens in the prompt.
    pub(crate) fn learn(&self, route: &ModelRef, reported: u64) {
        if let Some(made) = self.made().get(route) {
            self.shared.meters.observe(route, made.uncorrected, reported);
        }
    }

    /// The size of the request for `route`, where one was made.
    pub(crate) fn estimate(&self, route: &ModelRef) -> Option<u32> {
        Some(self.made().get(route)?.uncorrected)
    }

    /// What the model of `route` was not told for want of room, for the person.
    pub(crate) fn off(&self, route: &ModelRef) -> Option<String> {
        self.made().get(route)?.off.clone()
    }

    fn made(&self) -> MutexGuard<'_, BTreeMap<ModelRef, Made>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Prompt for SessionPrompt {
    fn request(&self, reference: &ModelRef, facts: &RouteFacts) -> Result<Prepared, TooLarge> {
        let conversation = self.history.conversation(reference, Some(&self.turn));
        let nothing = OpeningRecord::default();
        let opening = self.history.opening().map_or(&nothing, Arc::as_ref);
        let view = View { shared: &self.shared, history: &self.history, reference, facts, opening };
        let tools = view.toolset();
        let built = view.build(&conversation).map_err(|error| too_large(&error, facts.window.value))?;
        // A window that turned out smaller makes a second request for the same route; its cut is the one that counts.
        let off = what_is_off(facts.window.value, &tools, &built.items);
        let cannot_act = facts.tools.filter(|tools| tools.value == ToolAbility::None && !opening.is_bare());
        let off = cannot_act.map(|tools| format!("{reference} calls no tools ({}): it answers without them", tools.source)).or(off);
        let cut = built.cut.as_ref().map(ToString::to_string);
        self.made().insert(reference.clone(), Made { uncorrected: built.uncorrected, cut: built.cut, off });
        Ok(Prepared {
            // The router compares this with what the server counts and keeps a correction of its own; ours on top would
            // make every second count look like a prompt that the server cut.
            estimate: built.uncorrected,
            cut,
            request: ModelRequest {
                model: reference.model.clone(),
                messages: built.messages,
                tools: tools.specs().to_vec(),
                calling: Calling {
                    mode: facts.tool_mode(),
                    untrusted: self.history.foreign_words(opening),
                    further: view.further(&tools),
                    ..Calling::default()
                },
                max_output_tokens: Some(built.room),
                thinking: self.thinking,
                params: Params::default(),
            },
        })
    }
}

/// A session as one route gets to see it.
pub(crate) struct View<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) history: &'a History,
    pub(crate) reference: &'a ModelRef,
    pub(crate) facts: &'a RouteFacts,
    pub(crate) opening: &'a OpeningRecord,
}

impl View<'_> {
    /// The tools that are offered on this route.
    pub(crate) fn toolset(&self) -> Toolset {
        let mode = self.facts.tool_mode();
        match mode {
            ToolAbility::Native | ToolAbility::Text | ToolAbility::Constrained => {
                self.opening.toolset(self.reference, self.told_for(), mode)
            }
            ToolAbility::None => Toolset::default(),
        }
    }

    /// What can be called beside them: what a search finds there now, tools that joined after the conversation began included.
    fn further(&self, listed: &Toolset) -> Vec<ToolSpec> {
        if listed.specs().is_empty() {
            return Vec::new();
        }
        let Hands { tools, selection, .. } = &self.shared.hands;
        let mut further = tools.specs();
        further.retain(|spec| {
            let is_listed = listed.specs().iter().any(|listed| listed.name == spec.name);
            !is_listed && selection.off_for(&spec.name, self.reference).is_none()
        });
        further
    }

    /// A window that proves to be larger than it seemed at first is no reason to read everything again.
    fn told_for(&self) -> u32 {
        let now = self.facts.window.value;
        self.history.told_for(self.reference).map_or(now, |before| before.min(now))
    }

    pub(crate) fn build(&self, conversation: &[Entry]) -> Result<Built, PromptError> {
        self.with_input(conversation, build)
    }

    /// Hands `work` everything that a prompt depends on.
    pub(crate) fn with_input<T>(&self, conversation: &[Entry], work: impl FnOnce(&Input<'_>) -> T) -> T {
        let meter: Meter = self.shared.meters.of(self.reference);
        let tools = self.toolset();
        let nothing = TextLimits::new();
        work(&Input {
            system: &self.opening.system,
            history: conversation,
            keep_from: self.history.cut_for(self.reference),
            shortened: self.history.shortened_for(self.reference).unwrap_or(&nothing),
            note: self.history.note().map(|note| note.text.as_str()),
            route: self.reference,
            family: self.facts.family,
            pictures: if sees(self.facts) { Pictures::Shown } else { Pictures::Stubbed },
            window: self.facts.window.value,
            told_for: self.told_for(),
            max_output: self.facts.max_output.map(|limit| limit.value),
            offered: Offered { tools: tools.specs(), mode: self.facts.tool_mode() },
            meter: &meter,
        })
    }
}

/// Whether a route is known to see pictures. One that is not gets a line of text in their place, never an error.
pub(crate) fn sees(facts: &RouteFacts) -> bool {
    facts.vision.is_some_and(|vision| vision.value)
}

fn too_large(error: &PromptError, window: u32) -> TooLarge {
    match error {
        PromptError::TooLarge(error) => TooLarge { needed: error.window.saturating_add(error.by_tokens), window: error.window },
        // The message to answer was written down before anybody is asked.
        PromptError::NoUserMessage => TooLarge { needed: 0, window },
    }
}
