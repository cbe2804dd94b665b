//! One turn, from the person's words to the stored answer.
//!
//! ```text
//! queue ─► lease ─► write down ─► ask ──────────► write down ─► say that it ended
//!   │        │      words, start  ▲ │  events       answer, end
//!   └─ stop ─┘                    │ ├ calls: written down, decided, done one by one, results written down
//!     nothing was written         └─┘
//!                                   └ stop: the run or the tool is dropped at once, what was said is kept as a part of an answer
//! ```
//!
//! This file is the frame: the queue, the lease, the beginning. `steps` is the loop, `asking` one answer of a model, `acting` one
//! call, `course` decides whether there is another step, `ending` writes the end.
//!
//! What was written down before the program dies is enough to go on: the next turn finds a start without an end, writes
//! the end, says what became of calls that had begun, and goes on. What the turn deliberately does not do: choose a model, retry,
//! or know a clock of a model (all that is the router's), know a tool, or decide what may be done (the monitor does).

use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use krabba_store::{EffectState, Lease, Leasing, Renewal};
use krabba_types::{Label, Timestamp, TurnId};
use tokio::time::{Interval, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use crate::account::title;
use crate::acting::halted_words;
use crate::agent::Shared;
use crate::course::Course;
use crate::deadline::Deadline;
use crate::ending::{Closing, close_interrupted};
use crate::hands::Limits;
use crate::helping::Behalf;
use crate::history::History;
use crate::lane::{LaneState, first_status};
use crate::listening::Asked;
use crate::queue::Place;
use crate::record::{Outcome, Record, StartRecord, UserRecord};
use crate::say::Speaker;
use crate::{AgentError, Input, OpeningRecord, TurnEnd, TurnEvent};

/// How long a lease lasts without being renewed: longer than a machine under load may sleep, shorter than a person's patience.
pub(crate) const LEASE: Duration = Duration::from_secs(30);

/// How often it is renewed.
const RENEWAL: Duration = Duration::from_secs(10);

/// How often we look whether another process has given the session free.
const LEASE_POLL: Duration = Duration::from_millis(200);

/// The right to work on the session, renewed while the turn lasts.
pub(crate) struct Keeper {
    lease: Lease,
    renewal: Interval,
}

impl Keeper {
    fn new(lease: Lease) -> Self {
        let mut renewal = tokio::time::interval_at(tokio::time::Instant::now() + RENEWAL, RENEWAL);
        renewal.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { lease, renewal }
    }

    /// Waits until it is time to renew, and renews. A lease that was lost (the machine slept) does not stop the turn: events of
    /// two processes in one session are sorted out by turn.
    pub(crate) async fn keep(&mut self, shared: &Shared) {
        self.renewal.tick().await;
        let (current, until) = (self.lease.clone(), shared.clock.now().plus(LEASE));
        match shared.stored(move |store| Ok(store.renew_lease(&current, until)?)).await {
            Ok(Renewal::Renewed(renewed)) => self.lease = renewed,
            Ok(Renewal::Lost) | Err(_) => {}
        }
    }
}

/// A turn before it runs.
pub(crate) struct TurnTask {
    pub(crate) shared: Arc<Shared>,
    pub(crate) lane: Arc<LaneState>,
    pub(crate) turn: TurnId,
    pub(crate) input: Input,
    pub(crate) stop: CancellationToken,
    pub(crate) give_way: CancellationToken,
    pub(crate) speaker: Speaker,
    pub(crate) deadline: Deadline,
    /// What is left of the limits of the turn.
    pub(crate) left: Limits,
    /// How often the owner said no in it.
    pub(crate) noes: Arc<AtomicU32>,
    /// For whom a sub-agent works.
    pub(crate) behalf: Option<Arc<Behalf>>,
}

impl TurnTask {
    /// Runs the turn to its end. `place` is given up before the end is said, so that whoever hears it may go on at once.
    pub(crate) async fn run(mut self, place: Place) {
        let began = self.shared.clock.now();
        let end = match self.in_turn(place, began).await {
            Ok(end) => end,
            Err(error) => self.end_without_answer(Outcome::Broken(error.to_string())),
        };
        if end.outcome == Outcome::Stopped {
            self.shared.hands.stop(&self.lane.id).await;
        }
        self.speaker.say(TurnEvent::Ended(Box::new(end)));
        tokio::select! {
            () = self.speaker.finish() => {}
            // A listener that does not listen does not keep the program from ending.
            () = patience(&self.shared.closing) => {}
        }
    }

    async fn in_turn(&mut self, mut place: Place, began: Timestamp) -> Result<TurnEnd, AgentError> {
        if let Some(asker) = self.lane.id.asker().filter(|_| self.behalf.is_none()) {
            return Ok(self.end_without_answer(Outcome::Broken(format!("that is the conversation of a sub-agent; go on with {asker}"))));
        }
        let Some(()) = self.wait_for_place(&mut place).await else { return Ok(self.end_without_answer(Outcome::Stopped)) };
        let Some(lease) = self.wait_for_lease().await? else { return Ok(self.end_without_answer(Outcome::Stopped)) };
        let mut keeper = Keeper::new(lease);
        let end = self.with_lease(&place, &mut keeper, began).await;
        let lease = keeper.lease;
        let released = self.stored_unless_stopped(move |store| Ok(store.release_lease(&lease)?)).await;
        let end = end?;
        // The answer is stored and will be said; a lease that could not be given back ends by itself.
        if let Err(error) = released {
            self.speaker.say(TurnEvent::Notice(error.to_string()));
        }
        drop(place);
        Ok(end)
    }

    /// `None` when the turn was stopped before.
    async fn wait_for_place(&mut self, place: &mut Place) -> Option<()> {
        loop {
            let ahead = place.ahead();
            self.speaker.say(TurnEvent::Status(first_status(ahead)));
            if self.stop.is_cancelled() {
                return None;
            }
            if ahead == 0 {
                return Some(());
            }
            tokio::select! {
                () = self.stop.cancelled() => return None,
                () = place.moved() => {}
                () = self.speaker.catch_up() => {}
            }
        }
    }

    /// `None` when the turn was stopped before.
    async fn wait_for_lease(&mut self) -> Result<Option<Lease>, AgentError> {
        let mut told = false;
        loop {
            let (id, owner, now) = (self.lane.id.clone(), self.shared.owner.clone(), self.shared.clock.now());
            let leasing = self.stored_unless_stopped(move |store| Ok(store.take_lease(&id, &owner, now, now.plus(LEASE))?)).await?;
            let by = match leasing {
                Leasing::Taken(lease) => return Ok(Some(lease)),
                Leasing::Held { by, .. } => by,
            };
            if !told {
                told = true;
                let line = format!("another krabba (process {}) is answering in this session; waiting for it", by.pid);
                self.speaker.say(TurnEvent::Notice(line));
                self.speaker.say(TurnEvent::Status(first_status(1)));
            }
            tokio::select! {
                () = self.stop.cancelled() => return Ok(None),
                () = tokio::time::sleep(LEASE_POLL) => {}
            }
        }
    }

    async fn with_lease(&mut self, place: &Place, keeper: &mut Keeper, began: Timestamp) -> Result<TurnEnd, AgentError> {
        let Some(history) = self.begin(keeper).await? else { return Ok(self.end_without_answer(Outcome::Stopped)) };
        if let Some(rule) = &history.settings().halted {
            let outcome = Outcome::Broken(halted_words(rule));
            return Ok(self.finish(Asked::nothing(outcome), Course::new(self.left), Vec::new(), &history, began).await);
        }
        self.deadline = self.behalf.as_ref().map_or_else(|| Deadline::begin(self.left.seconds), |behalf| behalf.deadline);
        self.steps(history, place, keeper, began).await
    }

    /// Writes down the person's words and that the turn begins, and closes what a dead process left open. `None` when the turn was
    /// stopped before: what a conversation begins with is looked for on a disk that may be slow.
    async fn begin(&mut self, keeper: &mut Keeper) -> Result<Option<Arc<History>>, AgentError> {
        let (lane, turn, now) = (Arc::clone(&self.lane), self.turn.clone(), self.shared.clock.now());
        let Input { parts, circumstances, pasted, .. } = self.input.clone();
        let user = UserRecord { parts, circumstances: circumstances.map(|circumstances| circumstances.to_string()), pasted };
        let started = StartRecord { model: self.input.model.clone(), thinking: self.input.thinking.unwrap_or_default() };
        let monitor = Arc::clone(&self.shared.hands.monitor);
        let state = Arc::clone(&lane);
        let opened = self.stored_unless_stopped(move |store| Ok(state.refresh(store)?.opening().is_some())).await?;
        let opening = if opened {
            None
        } else {
            let shared = Arc::clone(&self.shared);
            match self.meanwhile(keeper, OpeningRecord::now(&shared)).await {
                Some(opening) => Some(opening?),
                None => return Ok(None),
            }
        };
        // The asker of a sub-agent has said so.
        let left_out = opening.iter().filter(|_| self.behalf.is_none()).flat_map(|opening| opening.system.left_out().to_vec());
        let left_out: Vec<String> = left_out.collect();
        let (label, row) = (self.input.label.clone(), self.shared.new_session_row(&self.lane.id, title(&user.parts)));
        let (history, lines) = self
            .stored_unless_stopped(move |store| {
                let before = lane.refresh(store)?;
                // A task goes on where the person only added to it.
                if before.last_end().is_none_or(|end| end.outcome != Outcome::Steered) {
                    monitor.take_back_grants(&lane.id)?;
                }
                store.get_or_create_session(&row)?;
                let Closing { mut events, mut lines, begun } = close_interrupted(store, &lane.id, &before, now)?;
                if let Some(opening) = opening.filter(|_| before.opening().is_none()) {
                    events.push(Record::Opened(Box::new(opening)).event(None, Label::System, now)?);
                }
                events.push(Record::User(user).event(Some(&turn), label, now)?);
                events.push(Record::Started(started).event(Some(&turn), Label::System, now)?);
                store.append_all(&lane.id, &events)?;
                for id in begun {
                    store.end_effect(&lane.id, &id, EffectState::Unknown, now)?;
                }
                lines.extend(unreadable(&before).filter(|_| lane.first_to_tell_of_unreadable()));
                Ok((lane.refresh(store)?, lines))
            })
            .await?;
        lines.into_iter().chain(left_out).for_each(|line| self.speaker.say(TurnEvent::Notice(line)));
        Ok(Some(history))
    }
}

/// How long a listener gets to hear the rest once the program is ending.
const PARTING: Duration = Duration::from_secs(1);

async fn patience(closing: &CancellationToken) {
    closing.cancelled().await;
    tokio::time::sleep(PARTING).await;
}

fn unreadable(history: &History) -> Option<String> {
    match history.unreadable().len() {
        0 => None,
        1 => Some("1 event of this session cannot be read by this krabba (a newer one wrote it?) and is left out of the prompt".to_owned()),
        count => Some(format!(
            "{count} events of this session cannot be read by this krabba (a newer one wrote them?) and are left out of the prompt"
        )),
    }
}
