//! The turns of one session, first come, first served; the first of them works, the others wait and know their place.

use std::sync::atomic::{AtomicU64, Ordering};

use krabba_types::TurnId;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// The queue of a session.
#[derive(Debug)]
pub(crate) struct Queue {
    waiting: watch::Sender<Vec<Ticket>>,
    tickets: AtomicU64,
}

#[derive(Clone, Debug)]
struct Ticket {
    number: u64,
    /// `None` for work that gives way to every turn.
    turn: Option<TurnId>,
    stop: CancellationToken,
}

/// A place in the queue; given up when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    number: u64,
    queue: watch::Sender<Vec<Ticket>>,
    seen: watch::Receiver<Vec<Ticket>>,
}

impl Queue {
    pub(crate) fn new() -> Self {
        Self { waiting: watch::Sender::new(Vec::new()), tickets: AtomicU64::new(0) }
    }

    /// Joins the end of the queue. `stop` is what [`Queue::stop_all`] cancels.
    pub(crate) fn enter(&self, turn: TurnId, stop: CancellationToken) -> Place {
        self.join(Some(turn), stop)
    }

    /// Joins the end of the queue with work that the next turn stops.
    pub(crate) fn stand_by(&self, stop: CancellationToken) -> Place {
        self.join(None, stop)
    }

    fn join(&self, turn: Option<TurnId>, stop: CancellationToken) -> Place {
        let number = self.tickets.fetch_add(1, Ordering::Relaxed);
        self.waiting.send_modify(|tickets| tickets.push(Ticket { number, turn, stop }));
        Place { number, queue: self.waiting.clone(), seen: self.waiting.subscribe() }
    }

    /// Stops everything that gives way to turns.
    pub(crate) fn stop_those_who_stand_by(&self) {
        self.waiting.borrow().iter().filter(|ticket| ticket.turn.is_none()).for_each(|ticket| ticket.stop.cancel());
    }

    /// Stops the turn that works and those that wait; gives their number.
    pub(crate) fn stop_all(&self) -> usize {
        let tickets = self.waiting.borrow();
        tickets.iter().for_each(|ticket| ticket.stop.cancel());
        tickets.len()
    }

    /// The turns that are there, the one that works first.
    pub(crate) fn turns(&self) -> Vec<TurnId> {
        self.waiting.borrow().iter().filter_map(|ticket| ticket.turn.clone()).collect()
    }
}

impl Place {
    /// How many turns are before this one; 0 means that it is its turn.
    pub(crate) fn ahead(&mut self) -> usize {
        let tickets = self.seen.borrow_and_update();
        tickets.iter().position(|ticket| ticket.number == self.number).unwrap_or(0)
    }

    /// How many turns wait behind this one.
    pub(crate) fn behind(&self) -> usize {
        let tickets = self.queue.borrow();
        tickets.iter().rev().take_while(|ticket| ticket.number != self.number).filter(|ticket| ticket.turn.is_some()).count()
    }

    /// Waits until the queue changed.
    pub(crate) async fn moved(&mut self) {
        if self.seen.changed().await.is_err() {
            // Cannot happen while we hold a sender; then there is nothing to wait for.
            std::future::pending().await
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.queue.send_modify(|tickets| tickets.retain(|ticket| ticket.number != self.number));
    }
}
