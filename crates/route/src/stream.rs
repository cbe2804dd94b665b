//! A run as a stream: the work and its events in one value, without a task of its own.
//!
//! The work is polled only while its consumer polls the stream, and dropped with it: connection, place in the queue, lease
//! and locks go in the same instant.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use tokio::sync::mpsc;

use crate::event::RouteEvent;

/// Events that may wait for a consumer that is slower than the model.
const AHEAD: usize = 32;

/// The events of a run; [`RouteEvent::End`] is the last. Dropping it cancels everything at once.
pub struct RunStream {
    events: mpsc::Receiver<RouteEvent>,
    work: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

/// Where the work puts its events.
#[derive(Clone)]
pub(crate) struct Emitter(mpsc::Sender<RouteEvent>);

impl Emitter {
    /// Hands an event over. The receiver lives as long as the work itself, so that there is always somebody.
    pub(crate) async fn emit(&self, event: RouteEvent) {
        drop(self.0.send(event).await);
    }
}

impl RunStream {
    /// A stream of what `work` emits.
    pub(crate) fn of<Work>(work: impl FnOnce(Emitter) -> Work) -> Self
    where
        Work: Future<Output = ()> + Send + 'static,
    {
        let (sender, events) = mpsc::channel(AHEAD);
        Self { events, work: Some(Box::pin(work(Emitter(sender)))) }
    }
}

impl Stream for RunStream {
    type Item = RouteEvent;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<RouteEvent>> {
        let this = self.get_mut();
        if let Poll::Ready(event) = this.events.poll_recv(context) {
            return Poll::Ready(event);
        }
        if let Some(work) = &mut this.work
            && work.as_mut().poll(context).is_ready()
        {
            // The sender goes with it, so that the channel ends after its last event.
            this.work = None;
        }
        this.events.poll_recv(context)
    }
}

impl fmt::Debug for RunStream {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("RunStream").field("ended", &self.work.is_none()).finish()
    }
}
