//! Sends the head and the body of a response as a script wants the bytes to travel.

use tokio::io::{AsyncWrite, AsyncWriteExt};

use crate::http::{Answer, reason};
use crate::rule::{Delivery, Transfer};

/// What becomes of the connection after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Finale {
    /// It takes the next request.
    KeepAlive,
    /// It is closed in order.
    Close,
    /// It is reset.
    Reset,
}

/// Why sending stopped early.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The script says that the connection closes (or is reset) here.
    Scripted(Finale),
    /// The client is gone.
    Gone,
}

/// The head of a response; the body's length is told by [`Length`].
#[derive(Clone, Debug)]
pub(crate) struct Head {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
}

/// How the client knows where the body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Length {
    Known(usize),
    Chunked,
    Close,
}

/// What goes on when the client has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Persistence {
    /// Sending fails.
    Stops,
    /// Sending pretends to work, as on a server that computes on.
    Deaf,
}

pub(crate) struct BodyWriter<'a, W> {
    socket: &'a mut W,
    head: Option<Head>,
    length: Length,
    packet_bytes: Option<usize>,
    cut_after: Option<u64>,
    sent: u64,
    persistence: Persistence,
    gone: bool,
}

impl<'a, W: AsyncWrite + Unpin> BodyWriter<'a, W> {
    pub(crate) fn new(socket: &'a mut W, head: Head, length: Length, delivery: &Delivery, persistence: Persistence) -> Self {
        let length = if delivery.transfer == Transfer::Close { Length::Close } else { length };
        let packet_bytes = delivery.packet_bytes.filter(|bytes| *bytes > 0);
        let cut_after = delivery.cut_after_bytes;
        Self { socket, head: Some(head), length, packet_bytes, cut_after, sent: 0, persistence, gone: false }
    }

    /// Whether the client was found gone (only a deaf writer lives to tell).
    pub(crate) fn is_gone(&self) -> bool {
        self.gone
    }

    /// Answers something else than was intended; once the head is sent, only the body can be another.
    pub(crate) fn replace(&mut self, answer: &Answer) {
        if let Some(head) = self.head.as_mut() {
            *head = Head { status: answer.status, headers: answer.headers.clone() };
            self.announce(Length::Known(answer.body.len()));
        }
    }

    /// Tells the length of the body, unless the script says that the end of the connection does.
    pub(crate) fn announce(&mut self, length: Length) {
        if self.head.is_some() && self.length != Length::Close {
            self.length = length;
        }
    }

    /// Adds a header, as long as the head is not sent.
    pub(crate) fn header(&mut self, name: &str, value: &str) {
        if let Some(head) = self.head.as_mut() {
            head.headers.push((name.to_owned(), value.to_owned()));
        }
    }

    /// The rest of the body, and its end.
    pub(crate) async fn end_with(&mut self, bytes: &[u8]) -> Result<Finale, Stop> {
        self.body(bytes).await?;
        self.end().await
    }

    /// Sends the head if it is not sent yet.
    pub(crate) async fn send_head(&mut self) -> Result<(), Stop> {
        let head = self.take_head();
        self.write(&head).await
    }

    /// Sends header lines until the client leaves.
    pub(crate) async fn endless_headers(&mut self) -> Result<(), Stop> {
        let head = self.take_head();
        let open = head.strip_suffix(b"\r\n").unwrap_or(&head).to_vec();
        self.write(&open).await?;
        let line = format!("x-filler: {}\r\n", "x".repeat(1000)).into_bytes();
        while !self.gone {
            self.write(&line).await?;
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    /// Sends a piece of the body; the head goes with the first one, in the same packet.
    pub(crate) async fn body(&mut self, bytes: &[u8]) -> Result<(), Stop> {
        let left = self.cut_after.map_or(usize::MAX, |cut| usize::try_from(cut.saturating_sub(self.sent)).unwrap_or(usize::MAX));
        let is_cut = bytes.len() >= left && self.cut_after.is_some();
        let bytes = bytes.get(..left.min(bytes.len())).unwrap_or_default();
        match self.packet_bytes {
            None => self.packet(bytes).await?,
            Some(size) => {
                for packet in bytes.chunks(size) {
                    self.packet(packet).await?;
                    tokio::task::yield_now().await;
                }
            }
        }
        if is_cut { Err(Stop::Scripted(Finale::Close)) } else { Ok(()) }
    }

    async fn packet(&mut self, bytes: &[u8]) -> Result<(), Stop> {
        let mut out = self.take_head();
        self.sent += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if self.length == Length::Chunked {
            if !bytes.is_empty() {
                out.extend_from_slice(format!("{:x}\r\n", bytes.len()).as_bytes());
                out.extend_from_slice(bytes);
                out.extend_from_slice(b"\r\n");
            }
        } else {
            out.extend_from_slice(bytes);
        }
        self.write(&out).await
    }

    /// Bytes outside of the body's transfer coding.
    pub(crate) async fn wire(&mut self, bytes: &[u8]) -> Result<(), Stop> {
        let mut out = self.take_head();
        out.extend_from_slice(bytes);
        self.write(&out).await
    }

    /// Ends the body in order.
    pub(crate) async fn end(&mut self) -> Result<Finale, Stop> {
        let mut out = self.take_head();
        if self.length == Length::Chunked {
            out.extend_from_slice(b"0\r\n\r\n");
        }
        self.write(&out).await?;
        Ok(if self.length == Length::Close || self.gone { Finale::Close } else { Finale::KeepAlive })
    }

    fn take_head(&mut self) -> Vec<u8> {
        let Some(head) = self.head.take() else { return Vec::new() };
        let mut text = format!("HTTP/1.1 {} {}\r\n", head.status, reason(head.status));
        for (name, value) in &head.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        match self.length {
            Length::Known(bytes) => text.push_str(&format!("content-length: {bytes}\r\n")),
            Length::Chunked => text.push_str("transfer-encoding: chunked\r\n"),
            Length::Close => text.push_str("connection: close\r\n"),
        }
        text.push_str("\r\n");
        text.into_bytes()
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), Stop> {
        if self.gone || bytes.is_empty() {
            return Ok(());
        }
        let written = match self.socket.write_all(bytes).await {
            Ok(()) => self.socket.flush().await,
            Err(error) => Err(error),
        };
        match (written, self.persistence) {
            (Ok(()), _) => Ok(()),
            (Err(_), Persistence::Deaf) => {
                self.gone = true;
                Ok(())
            }
            (Err(_), Persistence::Stops) => Err(Stop::Gone),
        }
    }
}
