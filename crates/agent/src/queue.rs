//! The turns of one session, first come, first served; the first of them works, the others wait and know their place.

use krabba_types::TurnId;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// The queue of a session.
#[derive(Debug)]
pub(crate) struct Queue {
    waiting: watch::Sender<Vec<Ticket>>,
}

#[derive(Clone, Debug)]
struct Ticket {
    turn: TurnId,
    stop: CancellationToken,
}

/// A place in the queue; given up when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    turn: TurnId,
    queue: watch::Sender<Vec<Ticket>>,
    seen: watch::Receiver<Vec<Ticket>>,
}

impl Queue {
    pub(crate) fn new() -> Self {
        Self { waiting: watch::Sender::new(Vec::new()) }
    }

    /// Joins the end of the queue. `stop` is what [`Queue::stop_all`] cancels.
    pub(crate) fn enter(&self, turn: TurnId, stop: CancellationToken) -> Place {
        self.waiting.send_modify(|tickets| tickets.push(Ticket { turn: turn.clone(), stop }));
        Place { turn, queue: self.waiting.clone(), seen: self.waiting.subscribe() }
    }

    /// Stops the turn that works and those that wait; gives their number.
    pub(crate) fn stop_all(&self) -> usize {
        let tickets = self.waiting.borrow();
        tickets.iter().for_each(|ticket| ticket.stop.cancel());
        tickets.len()
    }

    /// The turns that are there, the one that works first.
    pub(crate) fn turns(&self) -> Vec<TurnId> {
        self.waiting.borrow().iter().map(|ticket| ticket.turn.clone()).collect()
    }
}

impl Place {
    /// How many turns are before this one; 0 means that it is its turn.
    pub(crate) fn ahead(&mut self) -> usize {
        let tickets = self.seen.borrow_and_update();
        tickets.iter().position(|ticket| ticket.turn == self.turn).unwrap_or(0)
    }

    /// How many turns wait behind this one.
    pub(crate) fn behind(&self) -> usize {
        let tickets = self.queue.borrow();
        tickets.iter().rev().take_while(|ticket| ticket.turn != self.turn).count()
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
        self.queue.send_modify(|tickets| tickets.retain(|ticket| ticket.turn != self.turn));
    }
}
