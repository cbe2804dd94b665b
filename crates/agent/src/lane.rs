//! The lane of a session: one turn at a time, and everything that may be asked about a session between turns.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use krabba_guard::Answer;
use krabba_store::{Session, Store};
use krabba_types::{Label, SessionId, TurnId};
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;

use crate::OpeningRecord;
use crate::agent::Shared;
use crate::deadline::Deadline;
use crate::hands::Arriving;
use crate::helping::Behalf;
use crate::history::{History, SessionSettings};
use crate::queue::Queue;
use crate::record::{Change, CutRecord, EndRecord, Record};
use crate::say::{CHANNEL, Speaker};
use crate::turn::TurnTask;
use crate::{AgentError, Input, Status, TurnEvent};

/// The way into a session. Cheap to clone.
#[derive(Clone)]
pub struct Lane {
    shared: Arc<Shared>,
    state: Arc<LaneState>,
}

/// What all lanes of a session have in common.
#[derive(Debug)]
pub(crate) struct LaneState {
    pub(crate) id: SessionId,
    pub(crate) queue: Queue,
    history: Mutex<Arc<History>>,
    told_of_unreadable: AtomicBool,
}

/// A turn that is on its way. Dropping it stops the turn: the model's server is let go at once, and what was said so
/// far is stored.
#[derive(Debug)]
pub struct TurnHandle {
    /// Its id.
    pub turn: TurnId,
    /// What happens in it. [`TurnEvent::Ended`] is the last; then the channel is closed.
    pub events: mpsc::Receiver<TurnEvent>,
    stop: CancellationToken,
    give_way: CancellationToken,
    _stop_on_drop: DropGuard,
}

impl TurnHandle {
    /// Stops the turn. Its end still comes through `events`.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// Asks the turn to end between two steps, because there is something else to be said ([`crate::Outcome::Steered`]).
    pub fn give_way(&self) {
        self.give_way.cancel();
    }

    /// Whether it was stopped.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// What stops the turn, for somebody else to hold.
    pub fn stopper(&self) -> CancellationToken {
        self.stop.clone()
    }
}

/// What [`Lane::stop`] stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// Turns.
    pub turns: usize,
    /// Commands that went on behind a conversation, as far as they ended at once; with a turn there, its own too.
    pub left_running: usize,
}

/// A session between turns.
#[derive(Clone, Debug)]
pub struct SessionView {
    /// Its row; `None` before its first turn.
    pub session: Option<Session>,
    /// What the person chose.
    pub settings: SessionSettings,
    /// Turns with a message of a person.
    pub turns: usize,
    /// How the last turn ended.
    pub last_end: Option<EndRecord>,
    /// Turns that work or wait here, in this process.
    pub active: Vec<TurnId>,
}

impl Lane {
    pub(crate) fn new(shared: Arc<Shared>, state: Arc<LaneState>) -> Self {
        Self { shared, state }
    }

    /// Which session.
    pub fn id(&self) -> &SessionId {
        &self.state.id
    }

    /// Begins a turn, or queues it behind those that are there. Needs a tokio runtime around it.
    pub fn turn(&self, input: Input) -> TurnHandle {
        self.begin(input, None)
    }

    /// Begins a turn of a sub-agent.
    pub(crate) fn turn_for(&self, input: Input, behalf: Arc<Behalf>) -> TurnHandle {
        self.begin(input, Some(behalf))
    }

    fn begin(&self, input: Input, behalf: Option<Arc<Behalf>>) -> TurnHandle {
        let turn = TurnId::new(Uuid::now_v7().to_string());
        let stop = behalf.as_ref().map_or(&self.shared.closing, |behalf| &behalf.stop).child_token();
        let give_way = behalf.as_ref().map(|behalf| behalf.give_way.clone()).unwrap_or_default();
        let (sender, events) = mpsc::channel(CHANNEL);
        self.state.queue.stop_those_who_stand_by();
        if self.shared.hands.arriving == Arriving::Interrupt {
            self.state.queue.stop_all();
        }
        let place = self.state.queue.enter(turn.clone(), stop.clone());
        let task = TurnTask {
            shared: Arc::clone(&self.shared),
            lane: Arc::clone(&self.state),
            turn: turn.clone(),
            input,
            stop: stop.clone(),
            give_way: give_way.clone(),
            speaker: Speaker::new(sender),
            deadline: Deadline::default(),
            left: behalf.as_ref().map_or(self.shared.hands.limits, |behalf| behalf.limits),
            noes: behalf.as_ref().map(|behalf| Arc::clone(&behalf.noes)).unwrap_or_default(),
            behalf,
        };
        // Owned by the agent, whose `close` waits for it; ended by the handle.
        self.shared.tasks.spawn(task.run(place));
        TurnHandle { turn, events, _stop_on_drop: stop.clone().drop_guard(), stop, give_way }
    }

    /// Stops the turn that works here, those that wait, and what earlier ones left running. It happens at once, whether or not
    /// somebody waits for the answer.
    pub fn stop(&self) -> impl Future<Output = Stopped> + use<> {
        let (shared, id) = (Arc::clone(&self.shared), self.state.id.clone());
        let ending = self.shared.tasks.spawn(async move { shared.hands.stop(&id).await });
        let turns = self.state.queue.stop_all();
        async move { Stopped { turns, left_running: ending.await.unwrap_or_default() } }
    }

    /// Answers a question of [`TurnEvent::Asked`]. `by` names the surface, for the audit.
    ///
    /// # Errors
    /// When there is no such question, it was answered or has run out, or words are missing that have to be typed.
    pub async fn answer(&self, question: String, answer: Answer, by: &'static str) -> Result<(), AgentError> {
        let monitor = Arc::clone(&self.shared.hands.monitor);
        self.shared.stored(move |_| Ok(monitor.settle(&question, &answer, by)?)).await
    }

    /// The session as it is now.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn view(&self) -> Result<SessionView, AgentError> {
        let state = Arc::clone(&self.state);
        self.shared
            .stored(move |store| {
                let history = state.refresh(store)?;
                Ok(SessionView {
                    session: store.session(&state.id)?,
                    settings: history.settings().clone(),
                    turns: history.turn_count(),
                    last_end: history.last_end().cloned(),
                    active: state.queue.turns(),
                })
            })
            .await
    }

    /// Changes a setting, from the next turn on.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn change(&self, change: Change) -> Result<(), AgentError> {
        self.change_all(vec![change]).await
    }

    pub(crate) async fn change_all(&self, changes: Vec<Change>) -> Result<(), AgentError> {
        self.write(changes.into_iter().map(|change| (Record::Changed(change), Label::Owner)).collect()).await
    }

    /// Takes older messages out of the context. The prompt changes from its beginning, so that what it begins with may do so too.
    /// `label` is that of the note. `None` when it was stopped before, and nothing was written.
    pub(crate) async fn cut(&self, cut: CutRecord, label: Label, stop: &CancellationToken) -> Result<Option<()>, AgentError> {
        let opening = tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(None),
            opening = OpeningRecord::now(&self.shared) => opening?,
        };
        self.write(vec![(Record::Cut(cut), label), (Record::Opened(Box::new(opening)), Label::System)]).await.map(Some)
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    pub(crate) fn state(&self) -> &Arc<LaneState> {
        &self.state
    }

    async fn write(&self, records: Vec<(Record, Label)>) -> Result<(), AgentError> {
        if records.is_empty() {
            return Ok(());
        }
        let state = Arc::clone(&self.state);
        let row = self.shared.new_session_row(&state.id, None);
        self.shared
            .stored(move |store| {
                store.get_or_create_session(&row)?;
                let events =
                    records.iter().map(|(record, label)| record.event(None, label.clone(), row.at)).collect::<Result<Vec<_>, _>>()?;
                store.append_all(&state.id, &events)?;
                state.refresh(store)?;
                Ok(())
            })
            .await
    }
}

impl LaneState {
    pub(crate) fn new(id: SessionId) -> Self {
        Self { id, queue: Queue::new(), history: Mutex::default(), told_of_unreadable: AtomicBool::new(false) }
    }

    /// Whether nobody was told yet, in the life of this lane, that some events cannot be read. True once.
    pub(crate) fn first_to_tell_of_unreadable(&self) -> bool {
        !self.told_of_unreadable.swap(true, Ordering::Relaxed)
    }

    /// The history with everything that any process wrote until now.
    pub(crate) fn refresh(&self, store: &Store) -> Result<Arc<History>, AgentError> {
        // Held over a read of the disk, never over an await; a turn and a question at the same time wait for each other.
        let mut history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
        let later = store.events(&self.id, history.seen())?;
        if !later.is_empty() {
            Arc::make_mut(&mut history).extend(&later);
        }
        Ok(Arc::clone(&history))
    }
}

pub(crate) fn first_status(ahead: usize) -> Status {
    match u32::try_from(ahead) {
        Ok(0) => Status::Waiting,
        Ok(ahead) => Status::Queued { position: ahead },
        Err(_) => Status::Queued { position: u32::MAX },
    }
}
