//! From the stored history to the messages of one request.

use krabba_types::{Message, ModelRef, Part, Role, TemplateFamily, ToolAbility, ToolSpec};

use crate::budget::Budget;
use crate::conversation::{Conversation, TextLimits};
use crate::cut::{Cut, Fitted, Room, TooLarge, fit};
use crate::digest::digested;
use crate::estimate::estimate_tokens;
use crate::fragment::SystemPrompt;
use crate::item::{Item, Source};
use crate::measure::{ABOUT_TOOLS, message_tokens, tool_tokens, tools_bytes};
use crate::meter::{Meter, Tokens};

/// A stored message and its place in the log.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Grows along the history.
    pub seq: u64,
    /// The message as it was stored.
    pub message: Message,
    /// Where it stands in its turn.
    pub standing: Standing,
}

/// Where a stored message stands in its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Standing {
    /// As its role says: a user message asks something and begins a turn, and any other goes on with it.
    ByRole,
    /// In the turn that it was said in. It is no question, but what we said to the model in the person's place.
    Inside,
}

impl Entry {
    /// A message whose role says where it stands.
    pub fn new(seq: u64, message: Message) -> Self {
        Self { seq, message, standing: Standing::ByRole }
    }

    /// A message inside a turn, whatever its role.
    pub fn inside(seq: u64, message: Message) -> Self {
        Self { seq, message, standing: Standing::Inside }
    }

    /// Whether it is a question, or a part of one.
    pub(crate) fn asks(&self) -> bool {
        matches!(self.message.role, Role::User | Role::System) && self.standing == Standing::ByRole
    }
}

/// Whether the model sees pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pictures {
    /// They are sent.
    Shown,
    /// A line of text stands for each.
    Stubbed,
}

/// The tools that go with a request.
#[derive(Clone, Copy, Debug)]
pub struct Offered<'session> {
    /// [`crate::Toolset::specs`], the same ones in every request of a session on a route.
    pub tools: &'session [ToolSpec],
    /// How they are offered, which decides how long they are.
    pub mode: ToolAbility,
}

/// Everything that a prompt depends on.
#[derive(Clone, Copy, Debug)]
pub struct Input<'session> {
    /// The instructions.
    pub system: &'session SystemPrompt,
    /// The conversation, oldest first, up to and including the message to answer. A turn that was stopped should end in
    /// [`crate::ABORTED_LINE`]; two user messages in a row are taken for one question. What was said in the person's place stays in
    /// its turn ([`Standing::Inside`]).
    pub history: &'session [Entry],
    /// The first `seq` that an earlier cut on this route kept; 0 when there was none. The last question and all of its
    /// turn are always kept.
    pub keep_from: u64,
    /// What earlier requests on this route left of single texts ([`crate::Shortened::limits`]).
    pub shortened: &'session TextLimits,
    /// What a model noted of the turns before [`Input::keep_from`].
    pub note: Option<&'session str>,
    /// Who will read it.
    pub route: &'session ModelRef,
    /// The family of that model's template.
    pub family: TemplateFamily,
    /// Whether that model sees pictures.
    pub pictures: Pictures,
    /// Tokens of prompt and answer together.
    pub window: u32,
    /// The window for which tools and instructions were chosen: that of the first request on the route, where it seemed to be
    /// smaller then. They stay what they were, so that the prefix does.
    pub told_for: u32,
    /// The longest answer, where it is known.
    pub max_output: Option<u32>,
    /// The tools that go with the request.
    pub offered: Offered<'session>,
    /// What is known about the route's tokenizer.
    pub meter: &'session Meter,
}

/// A prompt.
#[derive(Clone, Debug, PartialEq)]
pub struct Built {
    /// The messages: system first, then user and assistant in turns.
    pub messages: Vec<Message>,
    /// Their size, tools included, corrected by the meter.
    pub estimate: Tokens,
    /// The same before the correction: what [`Meter::observe`] compares with the server's report.
    pub uncorrected: u32,
    /// What is left of the window for the answer, in tokens; not more than the longest answer.
    pub room: u32,
    /// What contributes how much: each fragment, each tool, what was said.
    pub items: Vec<Item>,
    /// What was left out beyond [`Input::keep_from`] and [`Input::shortened`].
    pub cut: Option<Cut>,
}

/// Why there is no prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PromptError {
    /// The history holds no user message.
    #[error("there is no message to answer")]
    NoUserMessage,
    /// Even the last message alone does not fit.
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
}

/// Makes the prompt for a route.
///
/// # Errors
/// When there is no user message, or when instructions, tools and a shortened last message do not fit into the window.
pub fn build(input: &Input<'_>) -> Result<Built, PromptError> {
    let budget = Budget::new(input.window, input.max_output, input.meter);
    let conversation = Conversation::of(input, budget);
    let (system, mut items) = instructions(input);
    items.extend(input.offered.tools.iter().map(Item::of_tool));
    let note = input.note.map(|note| digested(note, input.family));
    let noted = note.as_deref().map_or(0, estimate_tokens);
    let instructions = instruction_tokens(input.offered.tools, system.as_ref());
    let room = Room { fixed: instructions.saturating_add(noted), budget, meter: input.meter };
    let Fitted { turns, cut } = fit(input, conversation, room)?;
    if turns.is_empty() {
        return Err(PromptError::NoUserMessage);
    }

    let mut conversation: Vec<Message> = turns.into_iter().flat_map(|turn| turn.messages).collect();
    items.extend(note.as_ref().map(|note| Item::of(Source::Conversation, "note".to_owned(), note)));
    let uncorrected = conversation.iter().map(message_tokens).fold(instructions + noted, u32::saturating_add);
    if let Some((last, before)) = conversation.split_last() {
        items.push(Item::of_messages("history", before.iter()));
        items.push(Item::of_messages("last message", std::iter::once(last)));
    }
    for item in &mut items {
        item.tokens = input.meter.correct(item.tokens);
    }
    let estimate = Tokens::estimated(input.meter.correct(uncorrected));
    let room = input.window.saturating_sub(estimate.count).min(input.max_output.unwrap_or(u32::MAX));
    if let (Some(note), Some(first)) = (note, conversation.first_mut()) {
        first.parts.insert(0, Part::Text(note));
    }
    let messages = system.into_iter().chain(conversation).collect();
    Ok(Built { messages, estimate, uncorrected, room, items, cut })
}

/// The system message, and what its pieces contribute.
pub(crate) fn instructions(input: &Input<'_>) -> (Option<Message>, Vec<Item>) {
    let (system, items) = input.system.render(input.family, input.told_for.min(input.window), tools_bytes(input.offered));
    ((!system.is_empty()).then(|| Message::text(Role::System, system)), items)
}

/// The uncorrected tokens of system prompt and tools.
pub(crate) fn instruction_tokens(tools: &[ToolSpec], system: Option<&Message>) -> u32 {
    let about_tools = if tools.is_empty() { 0 } else { ABOUT_TOOLS };
    tools.iter().map(tool_tokens).fold(system.map_or(0, message_tokens) + about_tools, u32::saturating_add)
}

/// Where the history begins: at `keep_from`, but never after the last question.
pub(crate) fn first_kept(history: &[Entry], keep_from: u64) -> usize {
    let asked = |index: usize| history.get(index).is_some_and(Entry::asks);
    let from = history.iter().position(|entry| entry.seq >= keep_from).unwrap_or(history.len());
    let mut question = (0..history.len()).rev().find(|index| asked(*index)).unwrap_or(from);
    while question > 0 && asked(question - 1) {
        question -= 1;
    }
    from.min(question)
}
