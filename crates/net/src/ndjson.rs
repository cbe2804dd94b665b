//! One JSON text per line (Ollama), as a pure decoder. What a line holds is not looked at.

use crate::{Frame, FrameError, MAX_EVENT_BYTES};

/// Cuts a byte stream into lines. Blank lines are skipped; a line may end in LF or CRLF; the last one needs no end.
#[derive(Clone, Debug)]
pub struct NdjsonDecoder {
    limit: usize,
    line: Vec<u8>,
    at_start: bool,
}

impl NdjsonDecoder {
    /// With the usual limit, [`MAX_EVENT_BYTES`].
    pub fn new() -> Self {
        Self::with_limit(MAX_EVENT_BYTES)
    }

    /// With a limit of its own for one line, in bytes.
    pub fn with_limit(limit: usize) -> Self {
        Self { limit, line: Vec::new(), at_start: true }
    }

    /// Takes the next bytes, wherever they were cut, and adds the lines that they complete.
    ///
    /// # Errors
    /// [`FrameError::TooLarge`] when a line exceeds the limit. Lines completed before it are in `out`.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<Frame>) -> Result<(), FrameError> {
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let (head, tail) = rest.split_at(end);
            self.extend(head)?;
            self.take_line(out);
            rest = tail.split_first().map_or(&[], |(_, after)| after);
        }
        self.extend(rest)
    }

    /// Takes the end of the stream: an unterminated last line counts as complete.
    pub fn finish(&mut self, out: &mut Vec<Frame>) {
        self.take_line(out);
    }

    fn extend(&mut self, bytes: &[u8]) -> Result<(), FrameError> {
        self.line.extend_from_slice(bytes);
        if self.line.len() > self.limit { Err(FrameError::TooLarge { limit: self.limit }) } else { Ok(()) }
    }

    fn take_line(&mut self, out: &mut Vec<Frame>) {
        let line = self.line.as_slice();
        let line = if std::mem::take(&mut self.at_start) { line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line) } else { line };
        let line = line.trim_ascii();
        if !line.is_empty() {
            out.push(Frame::Event { event: None, data: String::from_utf8_lossy(line).into_owned() });
        }
        self.line.clear();
    }
}

impl Default for NdjsonDecoder {
    fn default() -> Self {
        Self::new()
    }
}
