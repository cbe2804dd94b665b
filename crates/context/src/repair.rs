//! A history as it was stored becomes a message list that every template takes.
//!
//! A log can end anywhere: after a call and before its result, in the middle of a turn that was stopped, with a result whose
//! call was never written. Repair never changes what is stored; it is done anew for every request, and it looks at one
//! turn at a time, so that what it makes of a turn does not change when another follows.

use std::collections::{HashMap, HashSet, VecDeque};

use krabba_types::{CallId, Message, Part, Role, ToolCall, ToolResult};

use crate::build::Entry;

/// The assistant line that ends a turn which was stopped, failed or was interrupted. It never varies, so that the prompt
/// after it does not either.
pub const ABORTED_LINE: &str = "[stopped before the answer was complete]";

/// What stands for a result that never came.
const NO_RESULT: &str = "no result: the call was interrupted before it returned";
/// What stands for a result without text.
const EMPTY_RESULT: &str = "(no output)";
/// What stands for a user message with nothing in it.
const EMPTY_MESSAGE: &str = "(empty message)";

/// Makes a message list valid as [`crate::check`] defines it. A system message is kept if it is the first message;
/// later ones become user text. What stands before the first user message is dropped. A list without any user message
/// comes back with its system message alone, or empty.
pub fn repair(messages: Vec<Message>) -> Vec<Message> {
    let mut messages = messages.into_iter().peekable();
    let instructions = messages.next_if(|message| message.role == Role::System).map(|message| message.plain_text());
    let system = instructions.filter(|text| !text.trim().is_empty()).map(|text| Message::text(Role::System, text));
    let turns = turns((1_u64..).zip(messages).map(|(seq, message)| Entry::new(seq, message)));
    system.into_iter().chain(turns.into_iter().flat_map(|turn| turn.messages)).collect()
}

/// One question and everything that followed, repaired.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Turn {
    /// Where it begins.
    pub(crate) first_seq: u64,
    /// How many stored messages it was made of.
    pub(crate) stored: usize,
    /// A user message, then what answers it.
    pub(crate) messages: Vec<Message>,
}

/// Splits a stored history into turns and repairs each. The last one may be waiting for its answer; all others have one. What stands
/// inside a turn before the first question is dropped.
pub(crate) fn turns(history: impl IntoIterator<Item = Entry>) -> Vec<Turn> {
    let mut drafts: Vec<Draft> = Vec::new();
    for entry in history {
        let asks = entry.asks();
        let Entry { seq, message, standing: _ } = entry;
        match (message.role, drafts.last_mut()) {
            (Role::User | Role::System, Some(draft)) if !draft.is_answered() => draft.ask(message),
            (Role::User | Role::System, _) if asks => drafts.push(Draft::new(seq, message)),
            (Role::User | Role::System | Role::Assistant | Role::Tool, Some(draft)) => draft.follow_up(seq, message),
            (Role::User | Role::System | Role::Assistant | Role::Tool, None) => {}
        }
    }
    let mut ids = Ids::default();
    let last = drafts.len().saturating_sub(1);
    drafts
        .into_iter()
        .enumerate()
        .map(|(index, draft)| draft.finish(if index == last { Ending::Open } else { Ending::Closed }, &mut ids))
        .collect()
}

/// Whether a turn may still be waiting for its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Open,
    Closed,
}

/// A turn on its way: its question, and what followed as it was stored.
struct Draft {
    first_seq: u64,
    stored: usize,
    question: Vec<Part>,
    answers: Vec<(u64, Message)>,
}

impl Draft {
    fn new(first_seq: u64, message: Message) -> Self {
        let mut draft = Self { first_seq, stored: 0, question: Vec::new(), answers: Vec::new() };
        draft.ask(message);
        draft
    }

    fn is_answered(&self) -> bool {
        self.answers.iter().any(|(_, message)| message.role == Role::Assistant)
    }

    fn ask(&mut self, message: Message) {
        self.stored += 1;
        self.question.extend(words(message));
    }

    fn follow_up(&mut self, seq: u64, message: Message) {
        self.stored += 1;
        self.answers.push((seq, message));
    }

    fn finish(self, ending: Ending, ids: &mut Ids) -> Turn {
        let mut question = self.question;
        if !question.iter().any(has_content) {
            question = vec![Part::Text(EMPTY_MESSAGE.to_owned())];
        }
        let mut messages = vec![Message { role: Role::User, parts: question }];
        for step in steps(self.answers, ids) {
            messages.extend(step.finish());
        }
        let unanswered = messages.last().is_some_and(|message| message.role != Role::Assistant);
        if unanswered && ending == Ending::Closed {
            messages.push(Message::text(Role::Assistant, ABORTED_LINE));
        }
        Turn { first_seq: self.first_seq, stored: self.stored, messages }
    }
}

/// One assistant message, the results of its calls, and what we said about it in the person's place.
#[derive(Default)]
struct Step {
    parts: Vec<Part>,
    /// Per call: the id that it has in the history, and the repaired call.
    calls: Vec<(CallId, ToolCall)>,
    results: HashMap<CallId, VecDeque<ToolResult>>,
    remark: Vec<Part>,
}

/// Groups what followed a question. Calls may be stored one by one, and text before or after them; a message belongs to the
/// step before it as long as that one has no results and no remark. But text after calls whose results never come is a step of its own:
/// it ended the turn after the calls were interrupted.
fn steps(answers: Vec<(u64, Message)>, ids: &mut Ids) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut rest = answers.into_iter();
    while let Some((seq, message)) = rest.next() {
        match (message.role, steps.last_mut()) {
            (Role::Tool, Some(step)) => step.result(message),
            (Role::Tool, None) => {}
            (Role::User | Role::System, Some(step)) => step.remark.extend(words(message)),
            // Before the first answer it is a part of the question.
            (Role::User | Role::System, None) => {}
            (Role::Assistant, Some(step)) if step.goes_on_with(&message, rest.as_slice()) => step.say(seq, message, ids),
            (Role::Assistant, _) => {
                let mut step = Step::default();
                step.say(seq, message, ids);
                steps.push(step);
            }
        }
    }
    steps
}

impl Step {
    fn goes_on_with(&self, message: &Message, later: &[(u64, Message)]) -> bool {
        let text = message.parts.iter().any(|part| matches!(part, Part::Text(text) if !text.is_empty()));
        let interrupted = !self.calls.is_empty() && !later.iter().flat_map(|(_, message)| results(message)).any(|result| self.made(result));
        self.results.is_empty() && !self.has_remark() && !(text && interrupted)
    }

    fn made(&self, result: &ToolResult) -> bool {
        self.calls.iter().any(|(stored, _)| *stored == result.call)
    }

    fn say(&mut self, seq: u64, message: Message, ids: &mut Ids) {
        for part in message.parts {
            match part {
                Part::Text(text) if text.is_empty() => {}
                Part::Text(text) => self.parts.push(Part::Text(text)),
                Part::ToolCall(call) => {
                    let repaired = ToolCall { id: ids.unique(&call.id, seq), ..call.clone() };
                    self.calls.push((call.id, repaired));
                }
                Part::Reasoning(reasoning) => self.parts.push(Part::Reasoning(reasoning)),
                Part::Image(_) | Part::ToolResult(_) => {}
            }
        }
    }

    fn result(&mut self, message: Message) {
        for part in message.parts {
            if let Part::ToolResult(result) = part
                && self.made(&result)
            {
                self.results.entry(result.call.clone()).or_default().push_back(result);
            }
        }
    }

    fn has_text(&self) -> bool {
        self.parts.iter().any(has_content)
    }

    fn has_remark(&self) -> bool {
        self.remark.iter().any(has_content)
    }

    fn finish(mut self) -> Vec<Message> {
        if self.calls.is_empty() && !self.has_text() {
            self.parts.push(Part::Text(ABORTED_LINE.to_owned()));
        }
        let remark = self.has_remark().then_some(Message { role: Role::User, parts: self.remark });
        let mut results = Vec::new();
        for (stored, call) in self.calls {
            let came = self.results.get_mut(&stored).and_then(VecDeque::pop_front);
            let mut result = came.unwrap_or_else(|| ToolResult {
                call: call.id.clone(),
                name: call.name.clone(),
                text: NO_RESULT.to_owned(),
                is_error: true,
                images: Vec::new(),
            });
            result.call = call.id.clone();
            if result.text.is_empty() {
                EMPTY_RESULT.clone_into(&mut result.text);
            }
            self.parts.push(Part::ToolCall(call));
            results.push(Message { role: Role::Tool, parts: vec![Part::ToolResult(result)] });
        }
        // A user message goes behind an answer only.
        let ending = (remark.is_some() && !results.is_empty()).then(|| Message::text(Role::Assistant, ABORTED_LINE));
        let answer = Message { role: Role::Assistant, parts: self.parts };
        std::iter::once(answer).chain(results).chain(ending).chain(remark).collect()
    }
}

/// What a person can say.
fn words(message: Message) -> impl Iterator<Item = Part> {
    message.parts.into_iter().filter(|part| match part {
        Part::Text(text) => !text.is_empty(),
        Part::Image(_) => true,
        Part::Reasoning(_) | Part::ToolCall(_) | Part::ToolResult(_) => false,
    })
}

fn results(message: &Message) -> impl Iterator<Item = &ToolResult> {
    message.parts.iter().filter_map(|part| match part {
        Part::ToolResult(result) => Some(result),
        Part::Text(_) | Part::Image(_) | Part::Reasoning(_) | Part::ToolCall(_) => None,
    })
}

/// The call ids of a request.
#[derive(Default)]
struct Ids(HashSet<CallId>);

impl Ids {
    /// `id`, or where it is blank or taken a name made from the event that it stands in.
    fn unique(&mut self, id: &CallId, seq: u64) -> CallId {
        if !id.as_str().trim().is_empty() && self.0.insert(id.clone()) {
            return id.clone();
        }
        let mut number = 0_u32;
        loop {
            let made = CallId::new(format!("call-{seq}-{number}"));
            if self.0.insert(made.clone()) {
                return made;
            }
            number += 1;
        }
    }
}

fn has_content(part: &Part) -> bool {
    match part {
        Part::Text(text) => !text.trim().is_empty(),
        Part::Image(_) | Part::ToolCall(_) => true,
        Part::Reasoning(_) | Part::ToolResult(_) => false,
    }
}
