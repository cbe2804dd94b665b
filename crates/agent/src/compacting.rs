//! Making the prompt of a session smaller: a model notes older turns, piece after piece, and the note takes their place.
//!
//! Nobody waits for it who did not ask for it: a turn that begins stops it at once. What was noted until then is written down
//! with the place that it reaches to, so that nothing is read twice. Where no note comes of it (the model fails, takes too long over one
//! piece or all of them, only thinks, writes as much as it read), a person who asked gets the deterministic cut; otherwise nothing happens, and the next turn cuts
//! for itself if it has to. The raw history stays as it is in any case.
//!
//! Only the model that would answer next is asked, and no other in its place: a note is no reason to go elsewhere with a conversation.

use std::sync::Arc;
use std::time::Duration;

use krabba_context::{Digest, Occasion, Piece, digest, estimate_tokens};
use krabba_route::{Plan, Prepared, Prompt, TooLarge};
use krabba_types::{Calling, DoneReason, Label, ModelRef, ModelRequest, Params, RouteFacts, Thinking, seconds};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::aside::aside;
use crate::history::History;
use crate::inspection::plan;
use crate::prompt::View;
use crate::queue::Place;
use crate::record::CutRecord;
use crate::{AgentError, Lane, OpeningRecord, Waiting};

/// The longest time for one note: what OpenClaw gives one as well.
const NOTE_TIME: Duration = Duration::from_secs(180);

/// The longest time for the notes of all pieces. What was noted until then stays.
const WHOLE_TIME: Duration = Duration::from_secs(600);

/// Work on a smaller prompt. Dropping it stops the work.
#[derive(Debug)]
pub struct Compacting {
    /// What happens. [`CompactEvent::Ended`] is the last; then the channel is closed.
    pub events: mpsc::Receiver<CompactEvent>,
    _stop_on_drop: DropGuard,
}

/// What happens meanwhile.
#[derive(Debug)]
pub enum CompactEvent {
    /// A model reads a piece.
    Noting {
        /// Which, counted from 1.
        piece: usize,
        /// Of how many.
        of: usize,
    },
    /// It is over.
    Ended(Result<Compacted, AgentError>),
}

/// What came of it. The raw history is as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Compacted {
    /// There is no route whose window would be the measure.
    NoModel,
    /// There is room, or the last turn is all there is.
    NothingToCut,
    /// Something else had to be done first.
    Stopped,
    /// Older messages left, and a note stands for them.
    Noted(Sizes),
    /// Older messages left, without a note of all of them.
    Cut(Sizes, String),
    /// There is no note, and nothing left.
    Unnoted(String),
}

impl Compacted {
    /// Whether a person is told of it who did not ask for it.
    pub fn is_news(&self) -> bool {
        match self {
            Self::Noted(_) | Self::Cut(..) => true,
            Self::NoModel | Self::NothingToCut | Self::Stopped | Self::Unnoted(_) => false,
        }
    }
}

/// How much left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Messages.
    pub messages: usize,
    /// About how many tokens the prompt had.
    pub before: u32,
    /// About how many it has now.
    pub after: u32,
}

struct Task {
    lane: Lane,
    occasion: Occasion,
    stop: CancellationToken,
    events: mpsc::Sender<CompactEvent>,
}

impl Lane {
    /// Makes the prompt smaller, on every route. Needs a tokio runtime around it.
    pub fn compact(&self, occasion: Occasion) -> Compacting {
        let stop = self.shared().closing.child_token();
        let (sender, events) = mpsc::channel(4);
        let place = self.state().queue.stand_by(stop.clone());
        let task = Task { lane: self.clone(), occasion, stop: stop.clone(), events: sender };
        // Owned by the agent, whose `close` waits for it; ended by the handle.
        self.shared().tasks.spawn(task.run(place));
        Compacting { events, _stop_on_drop: stop.drop_guard() }
    }
}

impl Task {
    async fn run(self, mut place: Place) {
        let compacted = loop {
            if self.stop.is_cancelled() {
                break Ok(Compacted::Stopped);
            }
            if place.ahead() == 0 {
                break self.work().await;
            }
            tokio::select! {
                () = self.stop.cancelled() => {}
                () = place.moved() => {}
            }
        };
        drop(place);
        // A listener that is gone wants to hear nothing.
        let _ = self.events.send(CompactEvent::Ended(compacted)).await;
    }

    async fn work(&self) -> Result<Compacted, AgentError> {
        let (history, opening) = self.lane.history_and_opening().await?;
        let mut plan = plan(self.lane.shared(), &self.lane, &history, self.waiting());
        plan.candidates.truncate(1);
        let Some(first) = plan.candidates.first() else { return Ok(Compacted::NoModel) };
        let reference = first.reference.clone();
        let Some(told) = self.with_view(&history, &opening, &reference, |view, conversation| {
            view.with_input(conversation, |input| digest(input, self.occasion))
        }) else {
            return Ok(Compacted::NothingToCut);
        };
        let before = self.size(&history, &opening, &reference);
        let told = Arc::new(told);
        let mut note = history.note().map(|note| note.text.clone());
        let deadline = Instant::now() + WHOLE_TIME;
        for (index, piece) in told.pieces.iter().enumerate() {
            // Who does not listen misses a line, and nothing else.
            let _ = self.events.try_send(CompactEvent::Noting { piece: index + 1, of: told.pieces.len() });
            let writing = self.note(&told, index, note.clone(), plan.clone());
            let written = tokio::select! {
                () = self.stop.cancelled() => return Ok(Compacted::Stopped),
                written = tokio::time::timeout_at(deadline.min(Instant::now() + NOTE_TIME), writing) => written,
            };
            let late = |_| {
                if Instant::now() < deadline {
                    return Err(format!("{reference} wrote no note within {}", seconds(NOTE_TIME)));
                }
                let (time, of) = (seconds(WHOLE_TIME), told.pieces.len());
                Err(format!("{reference} noted {index} of {of} pieces within {time}, the limit for all of them"))
            };
            match written.unwrap_or_else(late) {
                Ok(text) => {
                    let label = history.label_before(&reference, piece.keep_from);
                    let cut = CutRecord::for_all(piece.keep_from, Some(text.clone()));
                    let Some(()) = self.lane.cut(cut, label, &self.stop).await? else { return Ok(Compacted::Stopped) };
                    note = Some(text);
                }
                Err(why) if self.occasion == Occasion::NearlyFull => return Ok(Compacted::Unnoted(why)),
                Err(why) => {
                    let cut = CutRecord::for_all(told.keep_from(), None);
                    let Some(()) = self.lane.cut(cut, Label::Owner, &self.stop).await? else { return Ok(Compacted::Stopped) };
                    return Ok(Compacted::Cut(self.sizes(&told, before, &reference).await?, why));
                }
            }
        }
        Ok(Compacted::Noted(self.sizes(&told, before, &reference).await?))
    }

    /// People go before a note that nobody asked for.
    fn waiting(&self) -> Waiting {
        match self.occasion {
            Occasion::NearlyFull => Waiting::Nobody,
            Occasion::Asked => Waiting::Person,
        }
    }

    fn with_view<T>(
        &self,
        history: &History,
        opening: &OpeningRecord,
        reference: &ModelRef,
        work: impl FnOnce(&View<'_>, &[krabba_context::Entry]) -> T,
    ) -> T {
        let shared = self.lane.shared();
        let facts = shared.router.facts(&shared.settings.id, reference);
        work(&View { shared, history, reference, facts: &facts, opening }, &history.conversation(reference, None))
    }

    fn size(&self, history: &History, opening: &OpeningRecord, reference: &ModelRef) -> u32 {
        self.with_view(history, opening, reference, |view, conversation| view.build(conversation).map_or(0, |built| built.estimate.count))
    }

    async fn sizes(&self, told: &Digest, before: u32, reference: &ModelRef) -> Result<Sizes, AgentError> {
        let (history, opening) = self.lane.history_and_opening().await?;
        // A conversation that did not fit any more had no size.
        let before = before.max(told.tokens);
        Ok(Sizes { messages: told.messages, before, after: self.size(&history, &opening, reference) })
    }

    /// Has a model write the note about a piece; the error says why there is none.
    async fn note(&self, told: &Arc<Digest>, index: usize, before: Option<String>, plan: Plan) -> Result<String, String> {
        let Some(piece) = told.pieces.get(index) else { return Err("there is nothing to note".to_owned()) };
        let prompt = NotePrompt { told: Arc::clone(told), index, before };
        let written = aside(&self.lane.shared().router, plan, Arc::new(prompt.clone())).await?;
        if written.reason == DoneReason::Length {
            return Err("the note had no end".to_owned());
        }
        told.note(piece, prompt.before.as_deref(), &written.text)
            .ok_or_else(|| "the note was not shorter than what it was about".to_owned())
    }
}

#[derive(Clone)]
struct NotePrompt {
    told: Arc<Digest>,
    index: usize,
    before: Option<String>,
}

impl NotePrompt {
    fn piece(&self) -> Option<&Piece> {
        self.told.pieces.get(self.index)
    }
}

impl Prompt for NotePrompt {
    fn request(&self, reference: &ModelRef, facts: &RouteFacts) -> Result<Prepared, TooLarge> {
        let messages = self.piece().map(|piece| self.told.request(piece, self.before.as_deref(), facts.family)).unwrap_or_default();
        let estimate = messages.iter().map(|message| estimate_tokens(&message.plain_text())).fold(0, u32::saturating_add);
        let needed = estimate.saturating_add(self.told.longest);
        if needed > facts.window.value {
            return Err(TooLarge { needed, window: facts.window.value });
        }
        let request = ModelRequest {
            model: reference.model.clone(),
            messages,
            tools: Vec::new(),
            calling: Calling::default(),
            max_output_tokens: Some(self.told.longest.saturating_mul(2)),
            thinking: Thinking::Off,
            params: Params::default(),
        };
        Ok(Prepared { request, estimate, cut: None })
    }
}
