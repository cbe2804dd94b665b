//! What fuzz targets share: several texts out of one input; and, for the four dialects, from bytes to events by way of the real framing, and the promises that
//! a decoder keeps whatever a server sends.

use krabba_dialect::{Decoder, WireEvent, parse_error};
use krabba_net::{Frame, FrameError, NdjsonDecoder, SseDecoder};
use krabba_types::Dialect;

/// The largest frame, in bytes: small, so that the limit is reached too.
const FRAME_LIMIT: usize = 1 << 16;

/// The texts of an input, between its zero bytes; those that are not there are empty, and the last one holds the rest.
pub fn texts<const N: usize>(data: &[u8]) -> [String; N] {
    let mut parts = data.splitn(N, |byte| *byte == 0);
    std::array::from_fn(|_| String::from_utf8_lossy(parts.next().unwrap_or_default()).into_owned())
}

/// Runs `data` through a decoder as a stream and as a whole body, and checks every promise.
pub fn decode(dialect: Dialect, data: &[u8]) {
    let body = one_event_per_line(dialect, data);
    let frames = frames(dialect, [body.as_slice()]);
    // Where the network cuts the bytes is no business of the answer.
    let bytewise = self::frames(dialect, body.chunks(1));
    if let (Ok(frames), Ok(bytewise)) = (&frames, &bytewise) {
        assert_eq!(events(dialect, frames), events(dialect, bytewise));
    }
    if let Ok(frames) = &frames {
        check(&events(dialect, frames));
        // A stream that breaks off anywhere keeps the promises as well.
        for end in 0..frames.len() {
            check(&events(dialect, frames.get(..end).unwrap_or_default()));
        }
    }
    check(&Decoder::whole(dialect, data));
    if let Some(error) = parse_error(data) {
        assert!(!error.message.is_empty());
    }
}

/// SSE with a blank line behind every line. So the transcripts of the tests, which have one event per line, are seeds; events of
/// several lines belong to the target `sse`.
fn one_event_per_line(dialect: Dialect, data: &[u8]) -> Vec<u8> {
    let mut body = Vec::with_capacity(data.len() + data.len() / 16);
    for line in data.split_inclusive(|byte| *byte == b'\n') {
        body.extend_from_slice(line);
        let is_name = line.starts_with(b"event:");
        if dialect != Dialect::Ollama && !is_name {
            body.push(b'\n');
        }
    }
    body
}

fn frames<'a>(dialect: Dialect, chunks: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<Frame>, FrameError> {
    let mut frames = Vec::new();
    if dialect == Dialect::Ollama {
        let mut decoder = NdjsonDecoder::with_limit(FRAME_LIMIT);
        chunks.into_iter().try_for_each(|chunk| decoder.push(chunk, &mut frames))?;
        decoder.finish(&mut frames);
    } else {
        let mut decoder = SseDecoder::with_limit(FRAME_LIMIT);
        chunks.into_iter().try_for_each(|chunk| decoder.push(chunk, &mut frames))?;
        decoder.finish(&mut frames);
    }
    Ok(frames)
}

fn events(dialect: Dialect, frames: &[Frame]) -> Vec<WireEvent> {
    let mut decoder = Decoder::new(dialect);
    let mut events = Vec::new();
    for frame in frames {
        match frame {
            Frame::Event { event, data } => decoder.event(event.as_deref(), data, &mut events),
            Frame::Comment(text) => decoder.comment(text, &mut events),
        }
    }
    decoder.finish(&mut events);
    events
}

/// At most one reason for the end, at most one end mark with nothing behind it, no empty text, no call after an error.
fn check(events: &[WireEvent]) {
    let finishes = events.iter().filter(|event| matches!(event, WireEvent::Finish(_))).count();
    assert!(finishes <= 1, "{finishes} endings in {events:?}");
    if let Some(end) = events.iter().position(|event| matches!(event, WireEvent::EndMarker)) {
        assert_eq!(end, events.len() - 1, "something follows the end mark in {events:?}");
    }
    let names = events.iter().filter(|event| matches!(event, WireEvent::AnsweredBy(_))).count();
    assert!(names <= 1, "{names} names in {events:?}");
    let mut failed = false;
    for event in events {
        match event {
            WireEvent::Text(text) | WireEvent::Reasoning(text) | WireEvent::AnsweredBy(text) => {
                assert!(!text.is_empty(), "an empty text in {events:?}")
            }
            WireEvent::ToolCall { server_id, name, arguments: _ } => {
                assert!(!failed, "a call after an error in {events:?}");
                assert!(!name.is_empty(), "a call of nothing in {events:?}");
                assert!(server_id.as_ref().is_none_or(|id| !id.trim().is_empty()), "a blank id in {events:?}");
            }
            WireEvent::Error(error) => {
                failed = true;
                assert!(!error.message.is_empty(), "an error without words in {events:?}");
            }
            WireEvent::ReasoningArtefact { .. }
            | WireEvent::ToolCallPart(_)
            | WireEvent::Progress(_)
            | WireEvent::Usage(_)
            | WireEvent::Finish(_)
            | WireEvent::EndMarker
            | WireEvent::Malformed(_) => {}
        }
    }
}
