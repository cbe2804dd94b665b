//! What a conversation begins with: the system prompt and the tools. It is written down with the conversation's first turn and again
//! when older messages leave the context, and never looked up in between, so that every request extends the one before it,
//! whatever happens to the files and servers that it was made of.

use std::fmt;
use std::sync::Arc;

use krabba_context::{SystemPrompt, Toolset};
use krabba_tool::Selection;
use krabba_types::{ModelRef, ToolAbility, ToolSpec};
use serde::{Deserialize, Serialize};

use crate::AgentError;
use crate::agent::Shared;
use crate::doing::hide_in;

/// Makes the system prompt of a conversation that begins.
#[derive(Clone)]
pub struct Briefing(Arc<dyn Fn() -> SystemPrompt + Send + Sync>);

impl Briefing {
    /// One that is looked up each time; it may wait for the disk.
    pub fn new(system: impl Fn() -> SystemPrompt + Send + Sync + 'static) -> Self {
        Self(Arc::new(system))
    }

    /// The same for all conversations.
    pub fn fixed(system: SystemPrompt) -> Self {
        Self::new(move || system.clone())
    }
}

impl fmt::Debug for Briefing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Briefing")
    }
}

/// What a conversation begins with.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct OpeningRecord {
    /// The system prompt.
    pub system: SystemPrompt,
    /// The tools that a model is told about, where there is room, the most important first.
    pub tools: Vec<ToolSpec>,
    /// Those that it may search for.
    pub further: Vec<ToolSpec>,
    /// Which of them the models of single routes are told about. What is off by now is refused, and stays in the list.
    pub selection: Selection,
}

impl OpeningRecord {
    /// What a conversation that begins now would begin with. A secret that stands in the owner's files, or that a server put into
    /// the description of a tool, is none of it.
    ///
    /// # Errors
    /// When the runtime is on its way out.
    pub(crate) async fn now(shared: &Arc<Shared>) -> Result<Self, AgentError> {
        shared.hands.scan().await;
        let hands = &shared.hands;
        let hidden = |mut tools: Vec<ToolSpec>| {
            for tool in &mut tools {
                tool.description = hands.redactor.hide(&tool.description).into_owned();
                tool.parameters.values_mut().for_each(|value| hide_in(value, &hands.redactor));
            }
            tools
        };
        let (tools, further) = hands.specs();
        let briefing = shared.settings.briefing.clone();
        let system = shared.stored(move |_| Ok((briefing.0)())).await?;
        Ok(Self { system, tools: hidden(tools), further: hidden(further), selection: hands.selection.clone() })
    }

    /// Whether there are no tools at all.
    pub(crate) fn is_bare(&self) -> bool {
        self.tools.is_empty() && self.further.is_empty()
    }

    /// The tools for a route with a window of so many tokens, where they are offered in this way.
    pub(crate) fn toolset(&self, route: &ModelRef, window: u32, mode: ToolAbility) -> Toolset {
        let on = |tools: &[ToolSpec]| -> Vec<ToolSpec> {
            tools.iter().filter(|tool| self.selection.off_for(&tool.name, route).is_none()).cloned().collect()
        };
        let (tools, further) = (on(&self.tools), on(&self.further));
        if tools.is_empty() && further.is_empty() {
            return Toolset::default();
        }
        Toolset::choose(&self.system, window, mode, &tools, &further)
    }
}
