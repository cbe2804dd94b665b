//! One queue per box.
//!
//! A box is a machine with a limited number of slots. Whoever wants to use one of its models stands in its line: people
//! before background work, otherwise in the order in which they came. The line holds within this process by itself, and
//! across our processes by lock files ([`crate::slots`]), where a directory for them is configured.
//!
//! A place in the line is a value: dropping it leaves the line, dropping the permit frees the slot, and a process that is
//! killed loses both at once, because the kernel releases its locks. Nothing here counts time; waiting for a slot
//! runs no clock of the model.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use krabba_types::{BoxId, Residency, ServerKind};
use tokio::sync::Notify;

use crate::plan::Class;
use crate::slots::{SlotFiles, SlotLock, Turn};

/// How often a slot that another process holds is tried.
const POLL: Duration = Duration::from_millis(50);

/// Slots of a box whose server does not report them: 1 where one GPU serves one request, many where a server batches,
/// no limit for hosted services.
pub(crate) fn default_slots(kind: ServerKind, place: &Residency) -> Option<u32> {
    if place.leaves_home() {
        return None;
    }
    match kind {
        ServerKind::Vllm | ServerKind::Sglang | ServerKind::LiteLlm => Some(32),
        ServerKind::LmStudio
        | ServerKind::LlamaCpp
        | ServerKind::Ollama
        | ServerKind::Mlx
        | ServerKind::LocalAi
        | ServerKind::Jan
        | ServerKind::Other => Some(1),
        // A service's own wire format on a machine at home: some proxy, which may or may not stand before one GPU.
        ServerKind::OpenAi | ServerKind::Anthropic | ServerKind::OpenRouter => Some(1),
    }
}

/// The lines of all boxes.
#[derive(Debug)]
pub(crate) struct Queue {
    lines: Mutex<HashMap<BoxId, Arc<Line>>>,
    directory: Option<PathBuf>,
}

impl Queue {
    /// With `directory`, lines are shared with our other processes.
    pub(crate) fn new(directory: Option<PathBuf>) -> Self {
        Self { lines: Mutex::default(), directory }
    }

    /// Joins the line of a box that has `slots`; `None` is a box without limit.
    pub(crate) fn join(&self, box_id: &BoxId, class: Class, slots: Option<u32>) -> Place {
        let line = Arc::clone(locked(&self.lines).entry(box_id.clone()).or_insert_with(|| {
            let files = self.directory.as_ref().map(|directory| SlotFiles::of(directory, box_id));
            Arc::new(Line { state: Mutex::default(), changed: Notify::new(), files })
        }));
        let ticket = {
            let mut state = locked(&line.state);
            state.next_ticket += 1;
            let ticket = state.next_ticket;
            state.waiting.push((class, ticket));
            state.waiting.sort_unstable();
            ticket
        };
        // A newcomer may stand before someone who was told a place already.
        line.changed.notify_waiters();
        Place { line, class, ticket, slots, told: None, turn: None }
    }

    /// How many requests of this process use the box, and how many wait for it.
    pub(crate) fn load(&self, box_id: &BoxId) -> (u32, u32) {
        let line = locked(&self.lines).get(box_id).cloned();
        line.map_or((0, 0), |line| {
            let state = locked(&line.state);
            (state.running, u32::try_from(state.waiting.len()).unwrap_or(u32::MAX))
        })
    }
}

#[derive(Debug)]
struct Line {
    state: Mutex<LineState>,
    changed: Notify,
    files: Option<SlotFiles>,
}

#[derive(Debug, Default)]
struct LineState {
    running: u32,
    next_ticket: u64,
    /// Sorted: people first, then by ticket.
    waiting: Vec<(Class, u64)>,
}

/// A place in a line.
#[derive(Debug)]
pub(crate) struct Place {
    line: Arc<Line>,
    class: Class,
    ticket: u64,
    slots: Option<u32>,
    told: Option<u32>,
    turn: Option<Turn>,
}

/// What happened to a place.
#[derive(Debug)]
pub(crate) enum Step {
    /// It moved; 1 is next.
    Position(u32),
    /// A slot is free, and taken.
    Granted(Permit),
}

impl Place {
    /// Waits until the place changes or the slot is there. May be dropped and called again without losing the place.
    pub(crate) async fn next(&mut self) -> Step {
        loop {
            let line = Arc::clone(&self.line);
            let changed = line.changed.notified();
            let mut changed = std::pin::pin!(changed);
            changed.as_mut().enable();
            let (position, free) = self.position();
            if position == 1
                && free
                && let Some(permit) = self.take()
            {
                return Step::Granted(permit);
            }
            let position_here = position;
            let position = position + self.turn.as_ref().map_or(0, Turn::ahead);
            if self.told != Some(position) {
                self.told = Some(position);
                return Step::Position(position);
            }
            if line.files.is_some() && free && position_here == 1 {
                tokio::select! {
                    () = changed => {}
                    () = tokio::time::sleep(POLL) => {}
                }
            } else {
                changed.await;
            }
        }
    }

    fn position(&self) -> (u32, bool) {
        let state = locked(&self.line.state);
        let before = state.waiting.iter().take_while(|waiting| **waiting != (self.class, self.ticket)).count();
        (u32::try_from(before).unwrap_or(u32::MAX).saturating_add(1), self.slots.is_none_or(|slots| state.running < slots.max(1)))
    }

    fn take(&mut self) -> Option<Permit> {
        let mut lock = None;
        if let (Some(files), Some(slots)) = (&self.line.files, self.slots) {
            match files.take(&mut self.turn, self.class, slots.max(1)) {
                Ok(Some(taken)) => lock = Some(taken),
                Ok(None) => return None,
                // A directory that cannot be used must not stop a conversation; the line of this process still holds.
                Err(_) => {}
            }
        }
        let mut state = locked(&self.line.state);
        let (class, ticket) = (self.class, self.ticket);
        state.waiting.retain(|waiting| *waiting != (class, ticket));
        state.running += 1;
        drop(state);
        self.turn = None;
        self.line.changed.notify_waiters();
        Some(Permit { line: Arc::clone(&self.line), _lock: lock })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let (class, ticket) = (self.class, self.ticket);
        locked(&self.line.state).waiting.retain(|waiting| *waiting != (class, ticket));
        self.line.changed.notify_waiters();
    }
}

/// A slot in use; dropping it frees the slot.
#[derive(Debug)]
pub(crate) struct Permit {
    line: Arc<Line>,
    _lock: Option<SlotLock>,
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut state = locked(&self.line.state);
        state.running = state.running.saturating_sub(1);
        drop(state);
        self.line.changed.notify_waiters();
    }
}

/// The state behind a lock. A panic elsewhere leaves these counters consistent, so that its poison is no reason to stop.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
