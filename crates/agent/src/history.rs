//! What a session is, worked out from its events: its turns, its settings, its cuts. Pure: the same events give the
//! same history, and the history of a prefix is a valid one, wherever the program was killed.
//!
//! # Order
//! Messages are ordered by turn, turns by their first event. When two processes wrote into one session (a lease that
//! was lost while the machine slept), their events may interleave; grouped by turn, every question still stands before
//! its answer.
//!
//! # Turns without a whole answer
//! A turn that was stopped, failed or was interrupted ends in a fixed assistant line, behind whatever the person saw of
//! its answer. So the prompt keeps its alternation and, more important, never changes afterwards: the next request
//! extends this one.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use krabba_context::{ABORTED_LINE, Entry, TextLimits};
use krabba_route::ResidencyPolicy;
use krabba_store::{Event, EventKind, StoredEvent};
use krabba_types::{CallId, Label, Message, ModelRef, Part, Residency, Role, Structured, Thinking, Timestamp, ToolCall, TurnId};
use serde_json::Value;

use crate::OpeningRecord;
use crate::record::{AssistantRecord, Change, CutRecord, EndRecord, Extent, Maker, Record, ResultRecord, UserRecord};
use crate::scene::Material;

/// A session, worked out from its events.
#[derive(Clone, Debug, Default)]
pub struct History {
    seen: u64,
    turns: Vec<Turn>,
    by_id: HashMap<TurnId, usize>,
    settings: SessionSettings,
    material: Vec<Material>,
    structured: Vec<Structured>,
    opening: Option<Arc<OpeningRecord>>,
    cut_for_all: u64,
    note: Option<Note>,
    cut_by_route: BTreeMap<ModelRef, u64>,
    shortened: BTreeMap<ModelRef, TextLimits>,
    told_for: BTreeMap<ModelRef, u32>,
    unreadable: Vec<u64>,
}

/// What a person chose for this session, and what is remembered about it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SessionSettings {
    /// The model that was chosen with `/model`.
    pub model: Option<ModelRef>,
    /// The key profile that was pinned with it.
    pub profile: Option<String>,
    /// How much to think, chosen with `/think`.
    pub thinking: Option<Thinking>,
    /// Whether reasoning is shown.
    pub shows_reasoning: bool,
    /// Each time the person tightened how far this conversation may go: the farthest places.
    pub tightened: Vec<Vec<Residency>>,
    /// The rule that stopped this conversation for good.
    pub halted: Option<String>,
    /// Whether the person was told that the conversation left their own machines.
    pub left_home: bool,
    /// Who answered last.
    pub last_route: Option<ModelRef>,
}

/// What a model noted of the turns that left the context of every route.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Note {
    pub(crate) text: String,
    /// No cleaner than anything that it was made of.
    pub(crate) label: Label,
}

/// One user message and everything done to answer it.
#[derive(Clone, Debug, Default)]
struct Turn {
    id: Option<TurnId>,
    last_seq: u64,
    at: Option<Timestamp>,
    said: Vec<Entry>,
    progress: TurnProgress,
    end: Option<EndRecord>,
    /// The least clean label in it, when not all of it is the owner's, ours, or made from that.
    foreign: Option<Label>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum TurnProgress {
    #[default]
    Open,
    Answered,
}

impl History {
    /// The history of `events`, which are in order.
    pub fn of(events: &[StoredEvent]) -> Self {
        let mut history = Self::default();
        history.extend(events);
        history
    }

    /// Goes on with later events; those that were seen before are skipped.
    pub fn extend(&mut self, events: &[StoredEvent]) {
        for event in events {
            if event.seq() > self.seen {
                self.seen = event.seq();
                match event {
                    StoredEvent::Readable(event) => self.apply(event),
                    StoredEvent::Unreadable(event) => self.lose(event.seq, event.kind == EventKind::Setting.name()),
                }
            }
        }
    }

    /// The `seq` of the last event.
    pub fn seen(&self) -> u64 {
        self.seen
    }

    /// What the person chose.
    pub fn settings(&self) -> &SessionSettings {
        &self.settings
    }

    /// What the conversation begins with; `None` before its first turn.
    pub fn opening(&self) -> Option<&Arc<OpeningRecord>> {
        self.opening.as_ref()
    }

    /// Turns with a message of a person.
    pub fn turn_count(&self) -> usize {
        self.turns.iter().filter(|turn| !turn.said.is_empty()).count()
    }

    /// How the last finished turn ended.
    pub fn last_end(&self) -> Option<&EndRecord> {
        self.turns.iter().rev().find_map(|turn| turn.end.as_ref())
    }

    /// The turns that were begun and not ended, with the time of their beginning. While the session's lease is ours,
    /// these were interrupted.
    pub fn open_turns(&self) -> Vec<(TurnId, Timestamp)> {
        self.turns.iter().filter(|turn| turn.end.is_none()).filter_map(|turn| Some((turn.id.clone()?, turn.at?))).collect()
    }

    /// The calls of a turn that have no result yet.
    pub(crate) fn open_calls(&self, turn: &TurnId) -> Vec<ToolCall> {
        let turn = self.turns.iter().find(|candidate| candidate.id.as_ref() == Some(turn));
        let parts = || turn.into_iter().flat_map(|turn| &turn.said).flat_map(|said| &said.message.parts);
        let answered = |call: &ToolCall| parts().any(|part| matches!(part, Part::ToolResult(result) if result.call == call.id));
        let calls = parts().filter_map(|part| match part {
            Part::ToolCall(call) => Some(call),
            Part::Text(_) | Part::Image(_) | Part::Reasoning(_) | Part::ToolResult(_) => None,
        });
        calls.filter(|call| !answered(call)).cloned().collect()
    }

    /// What was said and brought, with its labels.
    pub(crate) fn material(&self) -> &[Material] {
        &self.material
    }

    /// Texts that neither the owner typed nor the model wrote in this conversation, but for those that tools brought into a prompt
    /// that begins with `opening`: what guests wrote, the task of a sub-agent, notes, foreign results that may have left, and the
    /// files of the workspace.
    pub(crate) fn foreign_words(&self, opening: &OpeningRecord) -> Vec<String> {
        let files = opening.system.fragments().iter().filter_map(|fragment| fragment.foreign_text().map(str::to_owned));
        self.material.iter().filter_map(Material::of_others).chain(files).collect()
    }

    /// What servers gave as data.
    pub(crate) fn structured(&self) -> &[Structured] {
        &self.structured
    }

    /// The `seq` of the first event that `route` still gets to see.
    pub fn cut_for(&self, route: &ModelRef) -> u64 {
        self.cut_by_route.get(route).copied().unwrap_or(0).max(self.cut_for_all)
    }

    /// How much of single texts `route` still gets to see.
    pub(crate) fn shortened_for(&self, route: &ModelRef) -> Option<&TextLimits> {
        self.shortened.get(route)
    }

    /// The smallest window in which `route` was asked since the prompt began as it does; `None` when it was not.
    pub(crate) fn told_for(&self, route: &ModelRef) -> Option<u32> {
        self.told_for.get(route).copied()
    }

    /// What stands for the turns that left the context of every route.
    pub(crate) fn note(&self) -> Option<&Note> {
        self.note.as_ref()
    }

    /// Events that this krabba cannot read, by `seq`.
    pub fn unreadable(&self) -> &[u64] {
        &self.unreadable
    }

    /// The first text that a person said, for a title.
    pub fn first_words(&self) -> Option<String> {
        let said = self.turns.iter().flat_map(|turn| &turn.said).find(|said| said.message.role == Role::User)?;
        Some(said.message.plain_text())
    }

    /// The label of what a model writes that was asked through `route`: no cleaner than the least clean thing that it got to
    /// read. What left the context by a cut has left its label in every answer that was given from it.
    pub fn label_of_answer(&self, route: &ModelRef) -> Label {
        self.label_before(route, u64::MAX)
    }

    /// The label of everything that was ever read in it.
    pub(crate) fn label_of_all(&self) -> Label {
        let foreign = self.turns.iter().filter_map(|turn| turn.foreign.as_ref());
        foreign.cloned().reduce(|one, two| one.join(&two)).unwrap_or(Label::Minted)
    }

    /// The label of what is made of everything that `route` gets to see before the event `end`, the note included.
    pub(crate) fn label_before(&self, route: &ModelRef, end: u64) -> Label {
        let cut = self.cut_for(route);
        let seen = self.turns.iter().filter(|turn| turn.last_seq >= cut && turn.first_seq() < end);
        let noted = self.note.iter().map(|note| &note.label).filter(|label| !label.is_own());
        let foreign = seen.filter_map(|turn| turn.foreign.as_ref()).chain(noted);
        foreign.cloned().reduce(|one, two| one.join(&two)).unwrap_or(Label::Minted)
    }

    /// The conversation as `route` gets to see it, oldest first. Every turn but the one that is going on has an ending, and
    /// the one that is going on comes last, even if another process began one after it.
    pub fn conversation(&self, route: &ModelRef, going_on: Option<&TurnId>) -> Vec<Entry> {
        let cut = self.cut_for(route);
        let goes_on = |turn: &&Turn| turn.id.is_some() && turn.id.as_ref() == going_on;
        let (current, others): (Vec<&Turn>, Vec<&Turn>) = self.turns.iter().partition(goes_on);
        let mut conversation = Vec::new();
        for turn in others.into_iter().filter(|turn| turn.last_seq >= cut && !turn.said.is_empty()) {
            conversation.extend(turn.said.iter().cloned());
            if turn.progress == TurnProgress::Open {
                end_in_fixed_line(&mut conversation, turn.last_seq);
            }
        }
        conversation.extend(current.into_iter().flat_map(|turn| turn.said.iter().cloned()));
        conversation
    }

    /// An event that cannot be read. A setting may have been the person's word that this conversation stays at home, so
    /// from then on it does.
    fn lose(&mut self, seq: u64, is_setting: bool) {
        self.unreadable.push(seq);
        if is_setting {
            self.settings.tightened.push(vec![Residency::Lan]);
        }
    }

    fn apply(&mut self, event: &Event) {
        let record = match Record::of(event) {
            Ok(record) => record,
            Err(unreadable) => {
                self.lose(unreadable.seq, event.kind == EventKind::Setting);
                return;
            }
        };
        match record {
            Record::Opened(opening) => self.opening = Some(Arc::from(opening)),
            Record::User(user) => {
                self.material.extend(Material::of_user(event.seq, &event.label, &user));
                let shown = user.shown_label().filter(|_| event.label == Label::Owner);
                let turn = self.turn(event);
                turn.say(event, user_message(user));
                shown.iter().for_each(|label| turn.taint(label));
            }
            Record::Assistant(assistant) => {
                self.material.extend(Material::of_assistant(event.seq, &event.label, &assistant));
                self.settings.last_route = Some(assistant.route.clone());
                self.turn(event).answer(event, assistant);
            }
            Record::Call(call) => {
                self.turn(event).say(event, Message { role: Role::Assistant, parts: vec![Part::ToolCall(call)] });
            }
            Record::Result(ResultRecord { result, structured, maker }) => {
                self.structured.extend(structured);
                let maker = maker.unwrap_or_else(|| Maker { tool: result.name.clone(), server: None });
                let asked = self.turn(event).arguments(&result.call);
                self.material.extend(asked.and_then(|asked| Material::of_call(event.seq, asked, &maker)));
                self.material.extend(Material::of_result(event.seq, &event.label, &result, maker));
                self.turn(event).say(event, Message { role: Role::Tool, parts: vec![Part::ToolResult(result)] });
            }
            Record::Started(_) => self.turn(event).at = Some(event.at),
            Record::Ended(end) => {
                self.told(&end);
                self.turn(event).end = Some(end);
            }
            Record::Changed(change) => self.settings.change(change),
            Record::Cut(cut) => {
                if let Some(text) = &cut.note {
                    self.material.extend(Material::of_note(event.seq, &event.label, text));
                    self.note = Some(Note { text: text.clone(), label: event.label.clone() });
                }
                self.cut(cut);
            }
            Record::Notice(_) => {}
        }
    }

    /// The turn of an event. One that names none belongs to the turn before it.
    fn turn(&mut self, event: &Event) -> &mut Turn {
        let next = self.turns.len();
        let index = match &event.turn {
            Some(id) => *self.by_id.entry(id.clone()).or_insert(next),
            None => next.saturating_sub(1),
        };
        if index == next {
            self.turns.push(Turn { id: event.turn.clone(), ..Turn::default() });
        }
        // Either the last turn, or one whose index was noted when it was pushed.
        let turn = &mut self.turns[index];
        turn.last_seq = event.seq;
        turn
    }

    /// In which window the model that answered was asked.
    fn told(&mut self, end: &EndRecord) {
        let answered = end.attempts.iter().rev().find(|attempt| attempt.fault.is_none());
        if let (Some(attempt), Some(window)) = (answered, end.context.and_then(|context| context.window)) {
            let smallest = self.told_for.entry(attempt.reference.clone()).or_insert(window);
            *smallest = window.min(*smallest);
        }
    }

    /// A cut only ever moves on, and a text only ever gets shorter.
    fn cut(&mut self, cut: CutRecord) {
        match cut.route {
            Some(route) => {
                let limits = self.shortened.entry(route.clone()).or_default();
                for (seq, tokens) in cut.shortened {
                    let limit = limits.entry(seq).or_insert(tokens);
                    *limit = tokens.min(*limit);
                }
                let before = self.cut_by_route.entry(route).or_default();
                *before = cut.keep_from.max(*before);
            }
            None => {
                self.cut_for_all = cut.keep_from.max(self.cut_for_all);
                // The prompt changes from its beginning anyway.
                self.told_for.clear();
            }
        }
    }
}

/// The texts in a value, keys too.
fn leaves(value: &Value, texts: &mut Vec<String>) {
    match value {
        Value::Null => {}
        Value::Bool(_) | Value::Number(_) => texts.push(value.to_string()),
        Value::String(text) => texts.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| leaves(item, texts)),
        Value::Object(members) => members.iter().for_each(|(key, member)| {
            texts.push(key.clone());
            leaves(member, texts);
        }),
    }
}

impl Turn {
    /// What the model wrote into a call, as it was meant: each text by itself, without the marks of JSON.
    fn arguments(&self, id: &CallId) -> Option<String> {
        let mut parts = self.said.iter().rev().flat_map(|said| &said.message.parts);
        let call = parts.find_map(|part| match part {
            Part::ToolCall(call) if call.id == *id => Some(call),
            _ => None,
        })?;
        let mut texts = Vec::new();
        leaves(&Value::Object(call.arguments.clone()), &mut texts);
        Some(texts.join("\n"))
    }

    fn first_seq(&self) -> u64 {
        self.said.first().map_or(self.last_seq, |said| said.seq)
    }

    fn say(&mut self, event: &Event, message: Message) {
        // A turn has one question. Further user messages are ours, about an answer that cannot be used.
        let goes_on = message.role == Role::User && self.said.iter().any(|said| said.message.role == Role::User);
        let entry = if goes_on { Entry::inside } else { Entry::new };
        self.said.push(entry(event.seq, message));
        if !event.label.is_own() {
            self.taint(&event.label);
        }
    }

    fn taint(&mut self, label: &Label) {
        self.foreign = Some(self.foreign.take().map_or_else(|| label.clone(), |before| before.join(label)));
    }

    fn answer(&mut self, event: &Event, assistant: AssistantRecord) {
        if assistant.extent == Extent::Whole {
            self.progress = TurnProgress::Answered;
        }
        self.say(event, Message { role: Role::Assistant, parts: assistant.parts });
    }
}

impl SessionSettings {
    /// How far this conversation may go, where it is stricter than the configuration.
    pub fn residency(&self) -> Option<ResidencyPolicy> {
        self.tightened
            .iter()
            .map(|places| ResidencyPolicy::up_to(places.iter().cloned()))
            .reduce(|before, stricter| before.tightened_by(&stricter))
    }

    /// The changes that give a fresh session the same choices. What was announced in this one is announced again in that.
    pub fn for_successor(&self) -> Vec<Change> {
        let mut changes = Vec::new();
        if self.model.is_some() {
            changes.push(Change::Model { reference: self.model.clone(), profile: self.profile.clone() });
        }
        if self.thinking.is_some() {
            changes.push(Change::Thinking { level: self.thinking });
        }
        if self.shows_reasoning {
            changes.push(Change::Reasoning { shown: true });
        }
        changes.extend(self.tightened.iter().map(|places| Change::Residency { places: places.clone() }));
        changes
    }

    fn change(&mut self, change: Change) {
        match change {
            Change::Model { reference, profile } => {
                self.model = reference;
                self.profile = profile;
            }
            Change::Thinking { level } => self.thinking = level,
            Change::Reasoning { shown } => self.shows_reasoning = shown,
            Change::Residency { places } => self.tightened.push(places),
            Change::Halted { rule } => self.halted = Some(rule),
            Change::LeftHome { .. } => self.left_home = true,
        }
    }
}

/// Puts the fixed line behind what the person saw of the answer, or in the place of an answer that never came.
fn end_in_fixed_line(conversation: &mut Vec<Entry>, seq: u64) {
    if let Some(last) = conversation.last_mut()
        && last.message.role == Role::Assistant
        && let Some(Part::Text(text)) = last.message.parts.last_mut()
    {
        text.push_str("\n\n");
        text.push_str(ABORTED_LINE);
        return;
    }
    conversation.push(Entry::new(seq, Message::text(Role::Assistant, ABORTED_LINE)));
}

fn user_message(user: UserRecord) -> Message {
    let circumstances = user.circumstances.map(Part::Text);
    Message { role: Role::User, parts: circumstances.into_iter().chain(user.parts).collect() }
}
