//! The state machine of one answer: wire events in, model events out, exactly one ending.
//!
//! Pure: it knows neither the network nor time. What it holds is what the ending depends on: whether there was text,
//! reasoning, calls; the finish reason; how much was malformed; and what bounds a stream that never ends.
//!
//! The endings, in the order in which they are decided:
//!
//! | what came | ending |
//! |---|---|
//! | an error, at any time, whatever follows it | the classified fault |
//! | a repetition without end (also in the arguments of a call), too much of anything | `Looping`, `Malformed` |
//! | more than [`MAX_MALFORMED_EVENTS`] broken events, or one inside a tool call | `Malformed` |
//! | neither finish reason nor end marker | `Truncated` (`Malformed` if all that came was broken) |
//! | the content filter | `ContentPolicy` |
//! | a finish, no text and no call | `OnlyReasoning` with reasoning, else `Empty` |
//! | a call that was begun and not completed | `Unparsed`, but `Done(Length)` when the budget ran out |
//! | a finish, and a broken event that looked like a piece of the answer | `Done(Unknown)` |
//! | anything else | `Done` |
//!
//! White space alone is no answer. A call that is not one (arguments that do not fit, no such tool, copied from a foreign text) is
//! given out as broken, and the answer ends as if it were one.
//!
//! A model that writes down the result of a call itself is not listened to any further.
//!
//! Calls that the model wrote into its text are kept until the end: all text may still turn out to be reasoning, and half an
//! answer makes no call. One that the server gave out as well, under its own name, counts once.

use std::collections::VecDeque;
use std::sync::Arc;

use krabba_dialect::{Decoder, ErrorBody, WireEvent, WireFinish};
use krabba_markup::{Envelope, Fitting, OrphanPolicy, ReasoningSplitter, RepetitionGuard, Split, Toolbox, WrittenCall};
use krabba_net::NetError;
use krabba_types::{
    BrokenCall, CallChannel, CallId, DoneReason, Fault, FaultKind, JsonObject, ModelEvent, ModelId, Phase, ToolCall, ToolCallPart, Usage,
};

use crate::message::{self, Budget};
use crate::{Site, Trouble, classify};

/// The most text, reasoning and arguments together that one answer may have, in bytes. A model that writes 100 tokens a
/// second needs two days for it.
pub const MAX_ANSWER_BYTES: usize = 64 * 1024 * 1024;
/// The most bytes of events of one stream, comments and empty deltas included: a server that pings for ever is stopped too.
pub const MAX_STREAM_BYTES: usize = 256 * 1024 * 1024;
/// The most bytes of events that carry nothing to show or do. Some of them are kept until they make sense (a signature in pieces, the
/// beginnings of calls and blocks), so that they are bounded more tightly; a server that pings every second needs a week for it.
pub const MAX_UNSEEN_BYTES: usize = 32 * 1024 * 1024;
/// The most bytes of opaque reasoning (signatures, encrypted thoughts) that are kept to be sent back. Real ones are some
/// hundred kilobytes; each is stored with its session.
pub const MAX_ARTEFACT_BYTES: usize = 8 * 1024 * 1024;
/// The most calls that one answer may hold among its text. Whoever makes calls takes far fewer.
pub const MAX_WRITTEN_CALLS: usize = 1024;
/// So many events may be no valid JSON before the whole stream is no longer believed.
pub const MAX_MALFORMED_EVENTS: u32 = 8;

/// With this the results of calls begin that are told in words, see [`tell`](krabba_markup::tell).
const RESULTS: [&str; 2] = ["[result of ", "[error of "];

/// What the caller knows about the request.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) toolbox: Toolbox,
    pub(crate) orphan: OrphanPolicy,
    pub(crate) ids: fn() -> CallId,
    /// How calls in the text came about.
    pub(crate) channel: CallChannel,
    /// What the words come in, if in anything.
    pub(crate) envelope: Option<Envelope>,
}

/// How the frames ended.
#[derive(Debug)]
pub(crate) enum Ending {
    /// The dialect's end marker.
    Marker,
    /// A clean end of the body.
    EndOfFile,
    /// The connection broke, or a limit was crossed.
    Broken(NetError),
}

pub(crate) struct Answer {
    site: Arc<Site>,
    asked: Asked,
    splitter: ReasoningSplitter,
    written: Vec<WrittenCall>,
    /// Text behind the last of them that may be the beginning of a result.
    behind: String,
    /// The calls of the server.
    given: Vec<Fitting>,
    guards: Guards,
    seen: Seen,
    usage: Usage,
    finish: Option<WireFinish>,
    answered_by: Option<String>,
    bytes: Bytes,
}

/// What notices a model that goes in circles.
struct Guards {
    text: RepetitionGuard,
    reasoning: RepetitionGuard,
    /// Watches all that is written, whether or not it is shown: calls, and what stands in their arguments.
    calls: RepetitionGuard,
}

/// What is counted against the limits.
#[derive(Clone, Copy, Debug, Default)]
struct Bytes {
    answer: usize,
    stream: usize,
    unseen: usize,
    artefacts: usize,
}

/// What the ending depends on.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    text: bool,
    reasoning: bool,
    calls_begun: u32,
    calls_whole: u32,
    /// Calls among the text, and those that are none.
    calls_written: u32,
    malformed: u32,
    damaged: bool,
}

impl Answer {
    pub(crate) fn new(site: Arc<Site>, asked: Asked) -> Self {
        Self {
            splitter: ReasoningSplitter::with_calls(asked.orphan, asked.toolbox.names()),
            site,
            asked,
            written: Vec::new(),
            behind: String::new(),
            given: Vec::new(),
            guards: Guards { text: RepetitionGuard::new(), reasoning: RepetitionGuard::new(), calls: RepetitionGuard::patient() },
            seen: Seen::default(),
            usage: Usage::default(),
            finish: None,
            answered_by: None,
            bytes: Bytes::default(),
        }
    }

    /// Counts the size of a frame that became `events`.
    pub(crate) fn count(&mut self, bytes: usize, events: &[WireEvent]) {
        self.bytes.stream = self.bytes.stream.saturating_add(bytes);
        if events.iter().all(|event| matches!(event, WireEvent::Progress(_))) {
            self.bytes.unseen = self.bytes.unseen.saturating_add(bytes);
        }
    }

    /// Whether the server gave its reason for the end; usage and end marker may follow.
    pub(crate) fn has_finish(&self) -> bool {
        self.finish.is_some()
    }

    /// Takes one event. A result is the final event; nothing may be taken after it.
    pub(crate) fn take(&mut self, event: WireEvent, out: &mut VecDeque<ModelEvent>) -> Option<ModelEvent> {
        if let Some(limit) = self.bytes.crossed() {
            return Some(self.fail(FaultKind::Malformed, message::endless(&self.site, limit)));
        }
        match event {
            WireEvent::AnsweredBy(name) => self.answered_by(name, out),
            WireEvent::Text(text) => return self.text(&text, out),
            WireEvent::Reasoning(text) => return self.server_reasoning(text, out),
            WireEvent::ReasoningArtefact { field, artefact } => return self.artefact(field, artefact, out),
            WireEvent::ToolCallPart(part) => return self.part(part, out),
            WireEvent::ToolCall { server_id: _, name, arguments } => self.call(name, arguments, out),
            WireEvent::Progress(progress) => out.push_back(ModelEvent::Progress(progress)),
            WireEvent::Usage(usage) => {
                self.usage.update(&usage);
                out.push_back(ModelEvent::Usage(self.usage.clone()));
            }
            WireEvent::Finish(finish) => self.finish = Some(finish),
            WireEvent::EndMarker => return Some(self.end(&Ending::Marker, out)),
            WireEvent::Error(error) => return Some(self.error(&error)),
            WireEvent::Malformed(text) => return self.malformed(&text),
        }
        None
    }

    /// Takes a complete reply in place of a stream, and gives the final event.
    pub(crate) fn take_whole(&mut self, body: &[u8], out: &mut VecDeque<ModelEvent>) -> ModelEvent {
        for event in Decoder::whole(self.site.dialect, body) {
            if let Some(last) = self.take(event, out) {
                return last;
            }
        }
        if self.seen.is_nothing() && self.finish.is_none() {
            let text = String::from_utf8_lossy(body);
            return ModelEvent::Failed(classify(&Trouble::NotADialect { text: &text }, Phase::FirstToken, &self.site));
        }
        self.end(&Ending::EndOfFile, out)
    }

    /// The final event, when no error ended the answer before.
    pub(crate) fn end(&mut self, ending: &Ending, out: &mut VecDeque<ModelEvent>) -> ModelEvent {
        let mut splits = Vec::new();
        // What was kept back is the answer of a model that came to its end, and its thoughts when it was cut off.
        match (&self.finish, ending) {
            (Some(WireFinish::Length | WireFinish::ContextWindow | WireFinish::Error), _)
            | (None, Ending::EndOfFile | Ending::Broken(_)) => self.splitter.finish_cut(&mut splits),
            (Some(WireFinish::Stop | WireFinish::ToolCalls | WireFinish::ContentFilter | WireFinish::Unknown(_)), _)
            | (None, Ending::Marker) => self.splitter.finish(&mut splits),
        }
        let last = self.splits(splits, out);
        let kept = self.asked.envelope.as_mut().map(Envelope::finish);
        if let Some(last) = last.or_else(|| self.words(kept?, out)) {
            return last;
        }
        match (ending, &self.finish) {
            (Ending::Broken(error @ NetError::TooLarge { .. }), _) | (Ending::Broken(error), None) => {
                ModelEvent::Failed(classify(&Trouble::Network(error), self.phase(), &self.site))
            }
            (Ending::EndOfFile, None) if self.seen.is_only_malformed() => {
                self.fail(FaultKind::Malformed, message::malformed(&self.site, "every event was broken"))
            }
            (Ending::EndOfFile, None) => self.fail(FaultKind::Truncated, message::truncated(&self.site, self.phase())),
            (Ending::Marker, None) => self.complete(&WireFinish::Unknown(String::new()), out),
            // After a finish reason a broken connection costs nothing but the counters.
            (Ending::Marker | Ending::EndOfFile | Ending::Broken(_), Some(finish)) => self.complete(&finish.clone(), out),
        }
    }

    /// The ending of an answer that the server calls finished.
    fn complete(&mut self, finish: &WireFinish, out: &mut VecDeque<ModelEvent>) -> ModelEvent {
        match finish {
            WireFinish::ContentFilter => return self.fail(FaultKind::ContentPolicy, message::filtered(&self.site)),
            WireFinish::Error => return self.fail(FaultKind::Overloaded, message::gave_up(&self.site)),
            WireFinish::Stop | WireFinish::Length | WireFinish::ToolCalls | WireFinish::ContextWindow | WireFinish::Unknown(_) => {
                self.give_written(out)
            }
        }
        let Seen { text, reasoning, calls_begun, calls_whole, calls_written, malformed: _, damaged } = self.seen;
        match finish {
            WireFinish::ContextWindow if !text && calls_whole + calls_written == 0 => {
                return self.fail(FaultKind::Overflow { limit: None, asked: None }, message::window_full(&self.site));
            }
            WireFinish::Stop
            | WireFinish::Length
            | WireFinish::ToolCalls
            | WireFinish::ContextWindow
            | WireFinish::Unknown(_)
            | WireFinish::ContentFilter
            | WireFinish::Error => {}
        }
        let ran_out = matches!(finish, WireFinish::Length | WireFinish::ContextWindow);
        if calls_begun > calls_whole && !ran_out {
            return self.fail(FaultKind::Unparsed, message::incomplete_call(&self.site));
        }
        if !text && calls_begun == 0 && calls_whole + calls_written == 0 {
            if !reasoning {
                return self.fail(FaultKind::Empty, message::empty(&self.site));
            }
            let budget = if ran_out { Budget::UsedUp } else { Budget::Left };
            return self.fail(FaultKind::OnlyReasoning, message::only_reasoning(&self.site, budget));
        }
        let calls = calls_whole + calls_written > 0;
        ModelEvent::Done(match finish {
            WireFinish::Length | WireFinish::ContextWindow => DoneReason::Length,
            WireFinish::Stop | WireFinish::ToolCalls | WireFinish::Unknown(_) if calls => DoneReason::ToolCalls,
            // An event that began as one and could not be read may have held a piece of the answer.
            WireFinish::Stop | WireFinish::ToolCalls if damaged => DoneReason::Unknown,
            WireFinish::Stop => DoneReason::Stop,
            // Tools were announced and none came (vLLM and mlx_lm do that): the text stands, but whether it was all is not known.
            WireFinish::ToolCalls if !self.asked.toolbox.is_empty() => DoneReason::Unknown,
            WireFinish::ToolCalls => DoneReason::Stop,
            WireFinish::Unknown(_) | WireFinish::ContentFilter | WireFinish::Error => DoneReason::Unknown,
        })
    }

    fn answered_by(&mut self, name: String, out: &mut VecDeque<ModelEvent>) {
        let is_other = differs(self.site.model().as_str(), &name) && self.answered_by.as_ref() != Some(&name);
        if is_other {
            // A server can put anything here, the key that it was sent included.
            out.push_back(ModelEvent::AnsweredBy(ModelId::new(message::quoted(&name, &self.site))));
            self.answered_by = Some(name);
        }
    }

    fn text(&mut self, text: &str, out: &mut VecDeque<ModelEvent>) -> Option<ModelEvent> {
        if let Some(last) = self.weigh(text.len()).or_else(|| self.circles(text)) {
            return Some(last);
        }
        let mut splits = Vec::new();
        self.splitter.push(text, &mut splits);
        self.splits(splits, out)
    }

    fn splits(&mut self, splits: Vec<Split>, out: &mut VecDeque<ModelEvent>) -> Option<ModelEvent> {
        for split in splits {
            let last = match split {
                Split::Text(text) => self.answer_text(text, out),
                Split::Reasoning(text) => self.reasoning(text, out),
                Split::Call(call) => {
                    self.written.push(call);
                    let endless = self.written.len() > MAX_WRITTEN_CALLS;
                    endless.then(|| self.fail(FaultKind::Looping, message::looping(&self.site)))
                }
                Split::Calling => {
                    out.push_back(ModelEvent::ToolCallPart(ToolCallPart {
                        index: self.seen.calls_begun,
                        name: None,
                        arguments: String::new(),
                    }));
                    None
                }
                Split::Retract => {
                    self.written.clear();
                    self.behind.clear();
                    self.asked.envelope = self.asked.envelope.as_ref().map(|_| Envelope::default());
                    self.seen.reasoning |= self.seen.text;
                    self.seen.text = false;
                    out.push_back(ModelEvent::Retracted);
                    None
                }
            };
            if last.is_some() {
                return last;
            }
        }
        None
    }

    fn answer_text(&mut self, text: String, out: &mut VecDeque<ModelEvent>) -> Option<ModelEvent> {
        match &mut self.asked.envelope {
            Some(envelope) => {
                let words = envelope.push(&text);
                self.words(words, out)
            }
            None => self.words(text, out),
        }
    }

    fn words(&mut self, text: String, out: &mut VecDeque<ModelEvent>) -> Option<ModelEvent> {
        self.behind.push_str(&text);
        let text = std::mem::take(&mut self.behind);
        if text.is_empty() {
            return None;
        }
        if !self.written.is_empty() {
            let begins = text.trim_start();
            if RESULTS.iter().any(|mark| begins.starts_with(mark)) {
                return Some(self.complete(&WireFinish::Stop, out));
            }
            if RESULTS.iter().any(|mark| mark.starts_with(begins)) {
                self.behind = text;
                return None;
            }
        }
        if self.guards.text.push(&text).is_some() {
            return Some(self.fail(FaultKind::Looping, message::looping(&self.site)));
        }
        // Blank lines alone are no answer.
        self.seen.text |= !text.trim().is_empty();
        out.push_back(ModelEvent::Text(text));
        None
    }

    /// Reasoning under a field of its own. A server that separates it does not leave an orphan tag in the text, so nothing
    /// of the text needs to be kept back any more.
    fn server_reasoning(&mut self, text: String, out: &mut VecDeque<ModelEvent>) -> Option<ModelEvent> {
        if let Some(last) = self.weigh(text.len()) {
            return Some(last);
        }
        // It has been weighed already: nothing came before it.
        if self.bytes.answer == text.len() {
            self.splitter = ReasoningSplitter::with_calls(OrphanPolicy::Stream, self.asked.toolbox.names());
        }
        self.reasoning(text, out)
    }

    fn reasoning(&mut self, text: String, out: &mut VecDeque<ModelEvent>) -> Option<ModelEvent> {
        if self.guards.reasoning.push(&text).is_some() {
            return Some(self.fail(FaultKind::Looping, message::looping(&self.site)));
        }
        if !text.is_empty() {
            self.seen.reasoning = true;
            out.push_back(ModelEvent::Reasoning(text));
        }
        None
    }

    fn artefact(&mut self, field: String, artefact: JsonObject, out: &mut VecDeque<ModelEvent>) -> Option<ModelEvent> {
        let size = serde_json::to_string(&artefact).map_or(0, |text| text.len());
        self.bytes.artefacts = self.bytes.artefacts.saturating_add(size);
        if self.bytes.artefacts > MAX_ARTEFACT_BYTES {
            return Some(self.fail(FaultKind::Malformed, message::endless(&self.site, MAX_ARTEFACT_BYTES)));
        }
        out.push_back(ModelEvent::ReasoningArtefact { field, artefact });
        None
    }

    fn part(&mut self, part: ToolCallPart, out: &mut VecDeque<ModelEvent>) -> Option<ModelEvent> {
        self.seen.calls_begun = self.seen.calls_begun.max(part.index.saturating_add(1));
        let size = part.arguments.len().saturating_add(part.name.as_ref().map_or(0, String::len));
        let last = self.weigh(size).or_else(|| self.circles(&part.arguments));
        out.push_back(ModelEvent::ToolCallPart(part));
        let endless = usize::try_from(self.seen.calls_begun).is_ok_and(|calls| calls > MAX_WRITTEN_CALLS);
        last.or_else(|| endless.then(|| self.fail(FaultKind::Looping, message::looping(&self.site))))
    }

    fn circles(&mut self, piece: &str) -> Option<ModelEvent> {
        self.guards.calls.push(piece)?;
        Some(self.fail(FaultKind::Looping, message::looping(&self.site)))
    }

    fn call(&mut self, name: String, arguments: Result<JsonObject, String>, out: &mut VecDeque<ModelEvent>) {
        self.seen.calls_whole = self.seen.calls_whole.saturating_add(1);
        let looked_at = self.asked.toolbox.structured(name, arguments);
        self.given.extend(looked_at.as_ref().ok().cloned());
        self.give(looked_at, CallChannel::Structured, out);
    }

    /// Gives out the calls that stood in the text.
    fn give_written(&mut self, out: &mut VecDeque<ModelEvent>) {
        for call in std::mem::take(&mut self.written) {
            let looked_at = self.asked.toolbox.written(call);
            if looked_at.as_ref().is_ok_and(|call| self.given.contains(call)) {
                continue;
            }
            self.seen.calls_written = self.seen.calls_written.saturating_add(1);
            self.give(looked_at, self.asked.channel, out);
        }
    }

    fn give(&self, call: Result<Fitting, BrokenCall>, channel: CallChannel, out: &mut VecDeque<ModelEvent>) {
        out.push_back(match call {
            Ok((name, arguments)) => ModelEvent::ToolCall(ToolCall { id: (self.asked.ids)(), name, arguments, channel }),
            Err(broken) => ModelEvent::BrokenCall(broken),
        });
    }

    fn error(&self, error: &ErrorBody) -> ModelEvent {
        ModelEvent::Failed(classify(&Trouble::InStream(error), self.phase(), &self.site))
    }

    fn malformed(&mut self, text: &str) -> Option<ModelEvent> {
        self.seen.malformed = self.seen.malformed.saturating_add(1);
        // Log lines and the like of a proxy are no part of an answer; broken JSON is.
        self.seen.damaged |= text.starts_with('{');
        let in_call = self.seen.calls_begun > self.seen.calls_whole;
        (in_call || self.seen.malformed > MAX_MALFORMED_EVENTS)
            .then(|| self.fail(FaultKind::Malformed, message::malformed(&self.site, text)))
    }

    fn weigh(&mut self, bytes: usize) -> Option<ModelEvent> {
        self.bytes.answer = self.bytes.answer.saturating_add(bytes);
        (self.bytes.answer > MAX_ANSWER_BYTES).then(|| self.fail(FaultKind::Malformed, message::endless(&self.site, MAX_ANSWER_BYTES)))
    }

    fn phase(&self) -> Phase {
        if self.seen.is_nothing() { Phase::FirstToken } else { Phase::Streaming }
    }

    fn fail(&self, kind: FaultKind, message: String) -> ModelEvent {
        ModelEvent::Failed(Fault::new(kind, self.phase(), message))
    }
}

impl Bytes {
    /// The limit of a frame's bytes that was crossed.
    fn crossed(self) -> Option<usize> {
        if self.unseen > MAX_UNSEEN_BYTES {
            return Some(MAX_UNSEEN_BYTES);
        }
        (self.stream > MAX_STREAM_BYTES).then_some(MAX_STREAM_BYTES)
    }
}

impl Seen {
    /// No output of the model at all.
    fn is_nothing(self) -> bool {
        !self.text && !self.reasoning && self.calls_begun == 0 && self.calls_whole == 0
    }

    fn is_only_malformed(self) -> bool {
        self.malformed > 0 && self.is_nothing()
    }
}

/// Whether another model answers than was asked. Providers add dates (`gpt-4o-2024-08-06`), servers drop vendors
/// (`qwen/qwen3-8b` is `qwen3-8b`) or add tags (`llama3:latest`): one name inside the other is the same model.
fn differs(asked: &str, answered: &str) -> bool {
    let (asked, answered) = (asked.trim().to_lowercase(), answered.trim().to_lowercase());
    !answered.is_empty() && !asked.contains(&answered) && !answered.contains(&asked)
}
