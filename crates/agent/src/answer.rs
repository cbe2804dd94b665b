//! An answer while it comes: what was said so far, and what of it a listener hears.

use krabba_context::estimate_tokens;
use krabba_redact::{Redactor, Veil};
use krabba_route::AttemptStarted;
use krabba_types::{
    BrokenCall, CallProblem, Fault, FaultKind, JsonObject, ModelEvent, ModelId, ModelRef, Part, Phase, Reasoning, ReasoningOrigin,
    ToolCall, Usage,
};

use crate::links::Links;
use crate::record::{AssistantRecord, Extent};
use crate::say::Speaker;
use crate::{Status, TurnEvent};

/// What the reasoning that came as plain text is filed under; artefacts bring the name of their own field.
const PLAIN_REASONING: &str = "reasoning";

/// A rough measure for the counter that a waiting person sees, no more.
const BYTES_PER_TOKEN: usize = 4;

/// The most calls of one answer that are made.
const MOST_CALLS: usize = 16;

/// Whether the person of this session asked to see reasoning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReasoningShown {
    Yes,
    No,
}

/// The answer so far, of the attempt that is going on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    pub(crate) text: String,
    pub(crate) reasoning: String,
    artefacts: Vec<(String, JsonObject)>,
    pub(crate) usage: Usage,
    /// What the attempt that is going on wrote, in tokens, as far as can be told without the server.
    written: u64,
    /// What attempts wrote that were given up.
    given_up: u64,
    pub(crate) model: Option<ModelId>,
    pub(crate) route: Option<ModelRef>,
    /// The calls that came whole.
    pub(crate) calls: Vec<ToolCall>,
    /// What was meant as a call and is none.
    pub(crate) broken: Vec<BrokenCall>,
    /// Keep secrets out of what is shown and stored.
    text_veil: Veil,
    reasoning_veil: Veil,
    links: Links,
}

impl Answer {
    /// Nothing yet. No secret that is known to `redactor` will be in it, and no link that `links` does not let through.
    pub(crate) fn without(redactor: &Redactor, links: Links) -> Self {
        let veil = || Veil::new(redactor.clone());
        Self { text_veil: veil(), reasoning_veil: veil(), links, ..Self::default() }
    }

    /// Keeps of equal calls the first, and no more of all than one answer may hold. What is left out is told as other calls are that
    /// were not made.
    pub(crate) fn drop_calls_too_many(&mut self) {
        let mut kept: Vec<ToolCall> = Vec::new();
        let (mut again, mut more) = (0_usize, 0_usize);
        for call in std::mem::take(&mut self.calls) {
            if kept.iter().any(|before| before.name == call.name && before.arguments == call.arguments) {
                again += 1;
            } else if kept.len() >= MOST_CALLS {
                more += 1;
            } else {
                kept.push(call);
            }
        }
        self.calls = kept;
        let told = [
            (again, format!("{again} calls that repeat another one of the same answer were not made")),
            (more, format!("{more} more calls were not made: one answer may hold {MOST_CALLS}")),
        ];
        for (_, message) in told.into_iter().filter(|(count, _)| *count > 0) {
            self.broken.push(BrokenCall { name: None, problem: CallProblem::OneTooMany, message, written: String::new() });
        }
    }

    /// Another route is asked, or the same one again.
    pub(crate) fn attempt(&mut self, started: &AttemptStarted) {
        // What was shown and not taken back stays: it is what the person saw.
        let text = std::mem::take(&mut self.text);
        self.restart();
        self.text = text;
        self.route = Some(started.reference.clone());
    }

    /// All of it is void.
    pub(crate) fn restart(&mut self) {
        let before = std::mem::take(self);
        let given_up = before.given_up.saturating_add(before.usage.output_tokens.unwrap_or(before.written));
        let (mut text_veil, mut reasoning_veil, mut links) = (before.text_veil, before.reasoning_veil, before.links);
        text_veil.clear();
        reasoning_veil.clear();
        links.clear();
        *self = Self { route: before.route, given_up, text_veil, reasoning_veil, links, ..Self::default() };
    }

    /// The tokens that were written and stand in no [`Usage`]: those of attempts that were given up, and of this one where its
    /// server does not count.
    pub(crate) fn uncounted_tokens(&self) -> u64 {
        self.given_up.saturating_add(if self.usage.output_tokens.is_some() { 0 } else { self.written })
    }

    /// Nothing more comes: says what was held back.
    pub(crate) fn close(&mut self, shown: ReasoningShown, speaker: &mut Speaker) {
        let (text, reasoning) = (self.text_veil.finish(), self.reasoning_veil.finish());
        self.think(reasoning, shown, speaker);
        let mut text = self.links.push(text);
        text.push_str(&self.links.finish());
        self.speak(text, speaker);
    }

    fn speak(&mut self, text: String, speaker: &mut Speaker) {
        if text.is_empty() {
            return;
        }
        if self.text.is_empty() {
            speaker.say(TurnEvent::Status(Status::Answering));
        }
        self.text.push_str(&text);
        speaker.say(TurnEvent::Text(text));
    }

    fn think(&mut self, text: String, shown: ReasoningShown, speaker: &mut Speaker) {
        if text.is_empty() {
            return;
        }
        self.reasoning.push_str(&text);
        match shown {
            ReasoningShown::Yes => speaker.say(TurnEvent::Reasoning(text)),
            ReasoningShown::No => {}
        }
    }

    /// Takes an event of the model and says what is to be heard of it.
    pub(crate) fn take(&mut self, event: ModelEvent, shown: ReasoningShown, speaker: &mut Speaker) {
        self.written = self.written.saturating_add(tokens_of(&event));
        match event {
            ModelEvent::Text(text) => {
                let text = self.links.push(self.text_veil.push(&text));
                self.speak(text, speaker);
            }
            ModelEvent::Reasoning(text) => {
                let tokens = (self.reasoning.len() + text.len()).div_ceil(BYTES_PER_TOKEN);
                speaker.say(TurnEvent::Status(Status::Thinking { tokens: u64::try_from(tokens).unwrap_or(u64::MAX) }));
                let text = self.reasoning_veil.push(&text);
                self.think(text, shown, speaker);
            }
            ModelEvent::ReasoningArtefact { field, artefact } => self.artefacts.push((field, artefact)),
            ModelEvent::ToolCall(call) => self.calls.push(call),
            ModelEvent::BrokenCall(broken) => self.broken.push(broken),
            ModelEvent::Progress(progress) => {
                if let Some(status) = Status::of_progress(&progress) {
                    speaker.say(TurnEvent::Status(status));
                }
            }
            ModelEvent::AnsweredBy(model) => self.model = Some(model),
            ModelEvent::Usage(usage) => self.usage.update(&usage),
            ModelEvent::Retracted => {
                self.text.clear();
                self.text_veil.clear();
                self.links.clear();
                speaker.say(TurnEvent::Restarted { why: "the model was only thinking aloud; its answer begins now".to_owned() });
            }
            // The parts of a call are for display and there is nothing to display; the router turns final events into its own end.
            ModelEvent::ToolCallPart(_) | ModelEvent::Done(_) | ModelEvent::Failed(_) => {}
        }
    }

    /// What is to be stored; `None` when nothing was said.
    pub(crate) fn record(&self, route: &ModelRef, extent: Extent) -> Option<AssistantRecord> {
        let mut parts = self.reasoning_parts(route);
        if !self.text.is_empty() {
            parts.push(Part::Text(self.text.clone()));
        }
        (!parts.is_empty()).then(|| AssistantRecord {
            parts,
            route: route.clone(),
            model: self.model.clone(),
            usage: self.usage.clone(),
            extent,
        })
    }

    /// No success is silent: an end without a word is a failure, and says what came instead.
    pub(crate) fn nothing_said(&self) -> Fault {
        let message = match self.calls.first() {
            Some(call) => {
                format!("the model wanted to use a tool (\"{}\") that it does not have, and said nothing else", as_name(&call.name))
            }
            None => "the model ended its answer without a word".to_owned(),
        };
        Fault::new(FaultKind::Empty, Phase::Streaming, message)
    }

    fn reasoning_parts(&self, route: &ModelRef) -> Vec<Part> {
        let part = |text: &str, field: &str, artefact| {
            let origin = ReasoningOrigin { route: route.clone(), field: field.to_owned(), artefact };
            Part::Reasoning(Reasoning { text: text.to_owned(), origin })
        };
        let plain = (!self.reasoning.is_empty()).then(|| part(&self.reasoning, PLAIN_REASONING, None));
        let artefacts = self.artefacts.iter().map(|(field, artefact)| part("", field, Some(artefact.clone())));
        plain.into_iter().chain(artefacts).collect()
    }
}

/// About how many tokens a model wrote for an event. What was taken back was written all the same; the parts of a call come again as
/// the call.
fn tokens_of(event: &ModelEvent) -> u64 {
    let tokens = match event {
        ModelEvent::Text(text) | ModelEvent::Reasoning(text) => estimate_tokens(text),
        ModelEvent::ToolCall(call) => {
            let arguments = serde_json::to_string(&call.arguments).unwrap_or_default();
            estimate_tokens(&call.name).saturating_add(estimate_tokens(&arguments))
        }
        ModelEvent::BrokenCall(broken) => estimate_tokens(&broken.written),
        ModelEvent::ReasoningArtefact { .. }
        | ModelEvent::ToolCallPart(_)
        | ModelEvent::Progress(_)
        | ModelEvent::AnsweredBy(_)
        | ModelEvent::Usage(_)
        | ModelEvent::Retracted
        | ModelEvent::Done(_)
        | ModelEvent::Failed(_) => 0,
    };
    u64::from(tokens)
}

/// A name that a model made up, as a person may see it. Names of tools are letters, digits and a few signs.
fn as_name(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_graphic()).take(64).collect()
}
