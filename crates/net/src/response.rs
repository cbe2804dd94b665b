//! What comes back: the head at once, the body as it arrives.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, SystemTime};

use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use futures_util::StreamExt;
use http::HeaderMap;
use url::Url;

use crate::error::display_url;
use crate::{Frames, Framing, NetError, retry_after};

/// The most header lines that are accepted. Their bytes are limited too, to about 400 kB by the HTTP library.
pub const MAX_HEADERS: usize = 256;

/// The head of an answer, with its body still on the way. Dropping it closes the connection.
#[derive(Debug)]
pub struct HttpResponse {
    /// The status, 3xx included: redirects are not followed.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    url: String,
    peeked: Option<Bytes>,
    body: reqwest::Response,
}

impl HttpResponse {
    pub(crate) fn new(url: &Url, mut response: reqwest::Response) -> Self {
        Self {
            status: response.status().as_u16(),
            headers: std::mem::take(response.headers_mut()),
            url: display_url(url),
            peeked: None,
            body: response,
        }
    }

    /// Who answered, without credentials or query.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Whether the status is 2xx.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// A header as text, when it is there and is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The media type without parameters, as the server wrote it (compare without regard to case).
    pub fn content_type(&self) -> Option<&str> {
        let value = self.header("content-type")?;
        Some(value.split(';').next().unwrap_or(value).trim()).filter(|value| !value.is_empty())
    }

    /// How long the server asks us to stay away: `retry-after-ms`, `retry-after` in seconds or as a date, or the
    /// reset time of a rate limit that is used up (OpenAI, OpenRouter, Anthropic). At most one day.
    pub fn retry_after(&self) -> Option<Duration> {
        retry_after::of(&self.headers, SystemTime::now())
    }

    /// The first bytes of the body, which stay in it; empty when there is no body. Waits for them. For servers whose
    /// `content-type` does not say what they send.
    ///
    /// # Errors
    /// [`NetError::Cut`] when the connection ends before the first byte.
    pub async fn peek(&mut self) -> Result<Bytes, NetError> {
        if let Some(peeked) = &self.peeked {
            return Ok(peeked.clone());
        }
        let first = loop {
            match self.body.chunk().await.map_err(|error| NetError::of_body(self.url.clone(), error))? {
                Some(chunk) if chunk.is_empty() => {}
                Some(chunk) => break chunk,
                None => break Bytes::new(),
            }
        };
        self.peeked = Some(first.clone());
        Ok(first)
    }

    /// The whole body.
    ///
    /// # Errors
    /// [`NetError::TooLarge`] beyond `limit` bytes after decompression, [`NetError::Cut`] when it breaks off.
    pub async fn bytes(self, limit: usize) -> Result<Bytes, NetError> {
        let url = self.url.clone();
        let mut chunks = self.chunks();
        let mut whole = BytesMut::new();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk?;
            if whole.len().saturating_add(chunk.len()) > limit {
                return Err(NetError::TooLarge { url, limit });
            }
            whole.extend_from_slice(&chunk);
        }
        Ok(whole.freeze())
    }

    /// The start of the body: at most `limit` bytes, the rest left unread. A body that breaks off gives what came before.
    /// For error bodies, where a part says enough.
    pub async fn beginning(self, limit: usize) -> Bytes {
        let mut chunks = self.chunks();
        let mut start = BytesMut::new();
        while let Some(Ok(chunk)) = chunks.next().await {
            let room = limit.saturating_sub(start.len());
            start.extend_from_slice(chunk.get(..room.min(chunk.len())).unwrap_or_default());
            if start.len() >= limit {
                break;
            }
        }
        start.freeze()
    }

    /// The body cut into frames.
    pub fn frames(self, framing: Framing) -> Frames {
        let url = self.url.clone();
        Frames::new(url, self.chunks(), framing)
    }

    /// The body as it arrives, decompressed.
    pub fn chunks(self) -> Chunks {
        let peeked = futures_util::stream::iter(self.peeked.filter(|chunk| !chunk.is_empty()).map(Ok));
        Chunks { url: self.url, stream: Box::pin(peeked.chain(self.body.bytes_stream())) }
    }
}

/// The chunks of a body. Ends after the first error. Dropping it closes the connection.
pub struct Chunks {
    url: String,
    stream: Pin<Box<dyn Stream<Item = reqwest::Result<Bytes>> + Send>>,
}

impl std::fmt::Debug for Chunks {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Chunks").field("url", &self.url).finish_non_exhaustive()
    }
}

impl Stream for Chunks {
    type Item = Result<Bytes, NetError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let item = ready!(self.stream.as_mut().poll_next(context));
        Poll::Ready(item.map(|chunk| chunk.map_err(|error| NetError::of_body(self.url.clone(), error))))
    }
}
