//! The line grammar of server-sent events, as a pure decoder.
//!
//! It accepts what servers really send: a byte order mark, lines that end in CR, LF or CRLF (also when a chunk
//! ends between the two), fields without a space after the colon, and a last event without its blank line. One thing
//! beyond the standard: a line that is a bare JSON object counts as an event, since some servers put
//! `{"error":"…"}` on a line of its own into a running stream, and the standard would have it ignored.
//!
//! State across chunks is the unfinished line and the unfinished event; both together are bounded. `id` and `retry` are
//! ignored: a generation is never resumed by reconnecting.

use crate::{Frame, FrameError, MAX_EVENT_BYTES};

/// Cuts a byte stream into [`Frame`]s.
#[derive(Clone, Debug)]
pub struct SseDecoder {
    limit: usize,
    line: Vec<u8>,
    event: Option<String>,
    data: Option<String>,
    at_start: bool,
    after_carriage_return: bool,
}

impl SseDecoder {
    /// With the usual limit, [`MAX_EVENT_BYTES`].
    pub fn new() -> Self {
        Self::with_limit(MAX_EVENT_BYTES)
    }

    /// With a limit of its own for one event, in bytes.
    pub fn with_limit(limit: usize) -> Self {
        Self { limit, line: Vec::new(), event: None, data: None, at_start: true, after_carriage_return: false }
    }

    /// Takes the next bytes, wherever they were cut, and adds the frames that they complete.
    ///
    /// # Errors
    /// [`FrameError::TooLarge`] when one event or line exceeds the limit. Frames completed before it are in `out`.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<Frame>) -> Result<(), FrameError> {
        let mut rest = bytes;
        while let Some((&first, after_first)) = rest.split_first() {
            if std::mem::take(&mut self.after_carriage_return) && first == b'\n' {
                rest = after_first;
                continue;
            }
            let Some(end) = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')) else {
                self.line.extend_from_slice(rest);
                return self.check();
            };
            let (head, tail) = rest.split_at(end);
            self.line.extend_from_slice(head);
            self.check()?;
            if let Some((terminator, after)) = tail.split_first() {
                self.after_carriage_return = *terminator == b'\r';
                rest = after;
            }
            let line = std::mem::take(&mut self.line);
            self.take_line(&line, out);
            self.line = line;
            self.line.clear();
        }
        Ok(())
    }

    /// Takes the end of the stream: an unterminated last line and event count as complete.
    pub fn finish(&mut self, out: &mut Vec<Frame>) {
        let line = std::mem::take(&mut self.line);
        if !line.is_empty() {
            self.take_line(&line, out);
        }
        self.dispatch(out);
    }

    fn check(&self) -> Result<(), FrameError> {
        let size = self.line.len().saturating_add(self.data.as_ref().map_or(0, String::len));
        if size > self.limit { Err(FrameError::TooLarge { limit: self.limit }) } else { Ok(()) }
    }

    fn take_line(&mut self, line: &[u8], out: &mut Vec<Frame>) {
        let line = if std::mem::take(&mut self.at_start) { line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line) } else { line };
        if line.is_empty() {
            return self.dispatch(out);
        }
        // A line end never falls inside a character, so each line can be decoded by itself.
        let line = String::from_utf8_lossy(line);
        if line.starts_with('{') && line.ends_with('}') {
            self.dispatch(out);
            out.push(Frame::Event { event: None, data: line.into_owned() });
            return;
        }
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "" => out.push(Frame::Comment(value.to_owned())),
            "data" => match &mut self.data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                None => self.data = Some(value.to_owned()),
            },
            "event" => self.event = Some(value.to_owned()),
            _ => {}
        }
    }

    /// An event without data is no event; one with a name and nothing else, or with empty data, is a sign of life.
    fn dispatch(&mut self, out: &mut Vec<Frame>) {
        let event = self.event.take().filter(|name| !name.is_empty());
        match self.data.take() {
            Some(data) if !data.is_empty() => out.push(Frame::Event { event, data }),
            Some(_) => out.push(Frame::Comment(event.unwrap_or_default())),
            None => {
                if let Some(name) = event {
                    out.push(Frame::Comment(name));
                }
            }
        }
    }
}

impl Default for SseDecoder {
    fn default() -> Self {
        Self::new()
    }
}
