//! From the turn to whoever listens: a bounded channel that a slow listener cannot make grow, and that cannot hold up
//! the model either.
//!
//! A turn holds a slot of the box. If a listener that reads slowly (a terminal over a bad line) made it wait, everybody
//! behind it in the queue would wait too. So what does not fit into the channel is kept here and merged: text joins
//! text, a newer status replaces an older one, and taking an answer back takes back what was not yet said of it. What is
//! kept is never more than the answer itself, which the turn holds anyway until it is stored.

use std::collections::VecDeque;

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use crate::TurnEvent;

/// How many events a listener may be behind before they are merged.
pub(crate) const CHANNEL: usize = 64;

/// The speaking end.
#[derive(Debug)]
pub(crate) struct Speaker {
    sender: mpsc::Sender<TurnEvent>,
    kept: VecDeque<TurnEvent>,
}

impl Speaker {
    pub(crate) fn new(sender: mpsc::Sender<TurnEvent>) -> Self {
        Self { sender, kept: VecDeque::new() }
    }

    /// Says it now if there is room, else as soon as there is.
    pub(crate) fn say(&mut self, event: TurnEvent) {
        self.keep(event);
        while let Some(first) = self.kept.pop_front() {
            match self.sender.try_send(first) {
                Ok(()) => {}
                Err(TrySendError::Full(first)) => {
                    self.kept.push_front(first);
                    return;
                }
                // Nobody listens any more. The turn goes on until its handle is dropped.
                Err(TrySendError::Closed(_)) => self.kept.clear(),
            }
        }
    }

    /// Waits until there is room for something that was kept, and says it. Pends for ever when nothing was kept.
    pub(crate) async fn catch_up(&mut self) {
        if self.kept.is_empty() {
            return std::future::pending().await;
        }
        match self.sender.reserve().await {
            Ok(permit) => {
                if let Some(first) = self.kept.pop_front() {
                    permit.send(first);
                }
            }
            Err(_) => self.kept.clear(),
        }
    }

    /// Says everything that was kept, however long the listener takes, or until it is gone.
    pub(crate) async fn finish(mut self) {
        while !self.kept.is_empty() {
            self.catch_up().await;
        }
    }

    fn keep(&mut self, event: TurnEvent) {
        match event {
            TurnEvent::Text(more) => match self.kept.back_mut() {
                Some(TurnEvent::Text(text)) => text.push_str(&more),
                Some(_) | None => self.kept.push_back(TurnEvent::Text(more)),
            },
            TurnEvent::Reasoning(more) => match self.kept.back_mut() {
                Some(TurnEvent::Reasoning(text)) => text.push_str(&more),
                Some(_) | None => self.kept.push_back(TurnEvent::Reasoning(more)),
            },
            TurnEvent::Status(status) => {
                self.kept.retain(|kept| !matches!(kept, TurnEvent::Status(_)));
                self.kept.push_back(TurnEvent::Status(status));
            }
            TurnEvent::Restarted { why } => {
                self.kept.retain(|kept| !matches!(kept, TurnEvent::Text(_) | TurnEvent::Reasoning(_)));
                self.kept.push_back(TurnEvent::Restarted { why });
            }
            TurnEvent::Output(_) => {
                // A person who is that far behind sees the end of it.
                let lines = self.kept.iter().filter(|kept| matches!(kept, TurnEvent::Output(_))).count();
                if lines >= CHANNEL
                    && let Some(first) = self.kept.iter().position(|kept| matches!(kept, TurnEvent::Output(_)))
                {
                    self.kept.remove(first);
                }
                self.kept.push_back(event);
            }
            TurnEvent::Notice(_) | TurnEvent::Acted(_) | TurnEvent::Asked(_) | TurnEvent::Ended(_) => self.kept.push_back(event),
        }
    }
}
