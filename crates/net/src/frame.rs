//! From chunks of a body to frames.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;

use crate::response::Chunks;
use crate::{NdjsonDecoder, NetError, SseDecoder};

/// The largest event or line that is accepted, in bytes. A whole generated picture as base64 fits; nothing that a
/// text model says comes near.
pub const MAX_EVENT_BYTES: usize = 8 * 1024 * 1024;

/// How a body is cut into frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Framing {
    /// Server-sent events (`text/event-stream`).
    Sse,
    /// One JSON text per line (`application/x-ndjson`).
    Ndjson,
}

/// One frame of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// An event or a line. Invalid UTF-8 has become U+FFFD.
    Event {
        /// The event's name, where the server gave one.
        event: Option<String>,
        /// The data; lines of one event are joined with `\n`.
        data: String,
    },
    /// A comment of an SSE stream, without its colon and one leading space. Says that the peer is alive; mlx_lm
    /// counts the tokens it has read here (`keepalive 5/100`).
    Comment(String),
}

/// A stream that cannot be cut into frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// One event or line exceeds the limit.
    #[error("one event is larger than {}", crate::error::size(*limit))]
    TooLarge {
        /// In bytes.
        limit: usize,
    },
}

/// The frames of a response. Ends after the first error. Dropping it closes the connection.
#[derive(Debug)]
pub struct Frames {
    url: String,
    body: Option<Chunks>,
    decoder: Decoder,
    scratch: Vec<Frame>,
    ready: VecDeque<Frame>,
}

#[derive(Debug)]
enum Decoder {
    Sse(SseDecoder),
    Ndjson(NdjsonDecoder),
}

impl Frames {
    pub(crate) fn new(url: String, body: Chunks, framing: Framing) -> Self {
        let decoder = match framing {
            Framing::Sse => Decoder::Sse(SseDecoder::new()),
            Framing::Ndjson => Decoder::Ndjson(NdjsonDecoder::new()),
        };
        Self { url, body: Some(body), decoder, scratch: Vec::new(), ready: VecDeque::new() }
    }

    fn take_chunk(&mut self, chunk: &[u8]) -> Result<(), FrameError> {
        let taken = match &mut self.decoder {
            Decoder::Sse(decoder) => decoder.push(chunk, &mut self.scratch),
            Decoder::Ndjson(decoder) => decoder.push(chunk, &mut self.scratch),
        };
        self.ready.extend(self.scratch.drain(..));
        taken
    }

    fn take_end(&mut self) {
        match &mut self.decoder {
            Decoder::Sse(decoder) => decoder.finish(&mut self.scratch),
            Decoder::Ndjson(decoder) => decoder.finish(&mut self.scratch),
        }
        self.ready.extend(self.scratch.drain(..));
    }
}

impl Stream for Frames {
    type Item = Result<Frame, NetError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            if let Some(frame) = this.ready.pop_front() {
                return Poll::Ready(Some(Ok(frame)));
            }
            let Some(body) = &mut this.body else { return Poll::Ready(None) };
            match ready!(Pin::new(body).poll_next(context)) {
                Some(Ok(chunk)) => {
                    if let Err(FrameError::TooLarge { limit }) = this.take_chunk(&chunk) {
                        this.body = None;
                        this.ready.clear();
                        return Poll::Ready(Some(Err(NetError::TooLarge { url: this.url.clone(), limit })));
                    }
                }
                // What was complete before the cut has been delivered; the unfinished rest says nothing reliable.
                Some(Err(error)) => {
                    this.body = None;
                    return Poll::Ready(Some(Err(error)));
                }
                None => {
                    this.body = None;
                    this.take_end();
                }
            }
        }
    }
}
