//! The stream of one call: a state machine that is polled, without a task of its own.
//!
//! ```text
//! Sending ──head──► Opening ──┬─ frames ─► Reading ──┬─► Ended
//!    │                        ├─ whole reply ────────┤
//!    └─ network error ────────┴─ refusal ────────────┘
//! ```
//!
//! Every way leads through one final event to `Ended`, where the connection is gone. Dropping the stream in any state drops what
//! that state holds, and with it the connection.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::Stream;
use krabba_dialect::{Decoder, WireEvent, WireFraming};
use krabba_net::{Frame, Frames, HttpResponse, NetError};
use krabba_types::{Fault, ModelEvent, Phase, Progress};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::answer::{Answer, Ending};
use crate::opening::{self, Opened};
use crate::{Site, Trouble, classify};

/// How long an answer that has given its finish reason is read on for usage and end marker. Some servers keep the connection
/// open without either; the answer is complete all the same.
pub const LINGER: Duration = Duration::from_secs(3);

/// The events of one call. The last one, and no other, is final; after it the stream is over. Dropping it closes the connection at
/// once, in every phase.
pub struct ModelStream {
    ready: VecDeque<ModelEvent>,
    state: State,
}

/// What a call needs beyond its request.
pub(crate) struct Call {
    pub(crate) site: Arc<Site>,
    pub(crate) answer: Answer,
    pub(crate) framing: WireFraming,
}

type Sending = Pin<Box<dyn Future<Output = Result<HttpResponse, NetError>> + Send>>;
type Opening = Pin<Box<dyn Future<Output = Opened> + Send>>;

enum State {
    Sending(Sending, Box<Call>),
    Opening(Opening, Box<Call>),
    Reading(Box<Reading>),
    Ended,
}

struct Reading {
    call: Box<Call>,
    frames: Frames,
    decoder: Decoder,
    events: Vec<WireEvent>,
    linger: Option<Pin<Box<Sleep>>>,
}

impl ModelStream {
    pub(crate) fn start(sending: Sending, call: Call) -> Self {
        Self { ready: VecDeque::from([ModelEvent::Progress(Progress::Waiting)]), state: State::Sending(sending, Box::new(call)) }
    }

    pub(crate) fn failed(fault: Fault) -> Self {
        Self { ready: VecDeque::from([ModelEvent::Failed(fault)]), state: State::Ended }
    }

    fn end(&mut self, event: ModelEvent) {
        self.ready.push_back(event);
        self.state = State::Ended;
    }

    /// Moves on by one step; `Pending` when the network has nothing.
    fn step(&mut self, context: &mut Context<'_>) -> Poll<()> {
        match std::mem::replace(&mut self.state, State::Ended) {
            State::Sending(mut sending, call) => match sending.as_mut().poll(context) {
                Poll::Pending => {
                    self.state = State::Sending(sending, call);
                    return Poll::Pending;
                }
                Poll::Ready(Ok(response)) => {
                    self.ready.push_back(ModelEvent::Progress(Progress::Accepted));
                    let (site, framing) = (Arc::clone(&call.site), call.framing);
                    self.state = State::Opening(Box::pin(async move { opening::open(response, framing, &site).await }), call);
                }
                Poll::Ready(Err(error)) => {
                    let phase = if error.is_connect() { Phase::Connect } else { Phase::Headers };
                    self.end(ModelEvent::Failed(classify(&Trouble::Network(&error), phase, &call.site)));
                }
            },
            State::Opening(mut opening, call) => match opening.as_mut().poll(context) {
                Poll::Pending => {
                    self.state = State::Opening(opening, call);
                    return Poll::Pending;
                }
                Poll::Ready(Opened::Failed(fault)) => self.end(ModelEvent::Failed(fault)),
                Poll::Ready(Opened::Whole(body)) => {
                    let mut call = call;
                    let last = call.answer.take_whole(&body, &mut self.ready);
                    self.end(last);
                }
                Poll::Ready(Opened::Frames(frames)) => {
                    let decoder = Decoder::new(call.site.dialect);
                    self.state = State::Reading(Box::new(Reading { call, frames, decoder, events: Vec::new(), linger: None }));
                }
            },
            State::Reading(mut reading) => match reading.step(context, &mut self.ready) {
                Poll::Pending => {
                    self.state = State::Reading(reading);
                    return Poll::Pending;
                }
                Poll::Ready(Some(last)) => self.end(last),
                Poll::Ready(None) => self.state = State::Reading(reading),
            },
            State::Ended => {}
        }
        Poll::Ready(())
    }
}

impl Reading {
    /// Takes one frame; gives the final event when there is one.
    fn step(&mut self, context: &mut Context<'_>, out: &mut VecDeque<ModelEvent>) -> Poll<Option<ModelEvent>> {
        let frame = match Pin::new(&mut self.frames).poll_next(context) {
            Poll::Ready(frame) => frame,
            Poll::Pending => return self.wait(context, out).map(Some),
        };
        let ending = match frame {
            Some(Ok(frame)) => {
                self.decode(&frame);
                None
            }
            Some(Err(error)) => {
                self.decoder.finish(&mut self.events);
                Some(Ending::Broken(error))
            }
            None => {
                self.decoder.finish(&mut self.events);
                Some(Ending::EndOfFile)
            }
        };
        for event in self.events.drain(..) {
            if let Some(last) = self.call.answer.take(event, out) {
                return Poll::Ready(Some(last));
            }
        }
        Poll::Ready(ending.map(|ending| self.call.answer.end(&ending, out)))
    }

    fn decode(&mut self, frame: &Frame) {
        match frame {
            Frame::Event { event, data } => {
                self.decoder.event(event.as_deref(), data, &mut self.events);
                self.call.answer.count(data.len(), &self.events);
            }
            Frame::Comment(text) => {
                self.decoder.comment(text, &mut self.events);
                self.call.answer.count(text.len(), &self.events);
            }
        }
        // Whatever comes is a sign of life, even what no dialect knows.
        if self.events.is_empty() {
            self.events.push(WireEvent::Progress(Progress::Alive));
        }
    }

    /// Nothing is there. After a finish reason that is borne for [`LINGER`] only.
    fn wait(&mut self, context: &mut Context<'_>, out: &mut VecDeque<ModelEvent>) -> Poll<ModelEvent> {
        if !self.call.answer.has_finish() {
            return Poll::Pending;
        }
        let linger = self.linger.get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + LINGER)));
        linger.as_mut().poll(context).map(|()| self.call.answer.end(&Ending::EndOfFile, out))
    }
}

impl Stream for ModelStream {
    type Item = ModelEvent;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<ModelEvent>> {
        let this = self.get_mut();
        loop {
            if let Some(event) = this.ready.pop_front() {
                return Poll::Ready(Some(event));
            }
            if matches!(this.state, State::Ended) {
                return Poll::Ready(None);
            }
            if this.step(context).is_pending() {
                return Poll::Pending;
            }
        }
    }
}

impl std::fmt::Debug for ModelStream {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = match &self.state {
            State::Sending(..) => "sending",
            State::Opening(..) => "opening",
            State::Reading(_) => "reading",
            State::Ended => "ended",
        };
        formatter.debug_struct("ModelStream").field("state", &state).field("ready", &self.ready.len()).finish()
    }
}
