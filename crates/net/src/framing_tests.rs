use proptest::prelude::*;

use crate::{Frame, FrameError, NdjsonDecoder, SseDecoder};

fn event(data: &str) -> Frame {
    Frame::Event { event: None, data: data.to_owned() }
}

fn named(name: &str, data: &str) -> Frame {
    Frame::Event { event: Some(name.to_owned()), data: data.to_owned() }
}

fn comment(text: &str) -> Frame {
    Frame::Comment(text.to_owned())
}

fn sse(chunks: &[&[u8]]) -> Vec<Frame> {
    let (mut decoder, mut out) = (SseDecoder::new(), Vec::new());
    for chunk in chunks {
        decoder.push(chunk, &mut out).unwrap();
    }
    decoder.finish(&mut out);
    out
}

fn ndjson(chunks: &[&[u8]]) -> Vec<Frame> {
    let (mut decoder, mut out) = (NdjsonDecoder::new(), Vec::new());
    for chunk in chunks {
        decoder.push(chunk, &mut out).unwrap();
    }
    decoder.finish(&mut out);
    out
}

/// Decodes `bytes` cut at every place, and byte by byte, and expects the same each time.
fn everywhere(decode: fn(&[&[u8]]) -> Vec<Frame>, bytes: &[u8], expected: &[Frame]) {
    for cut in 0..=bytes.len() {
        let (head, tail) = bytes.split_at(cut);
        assert_eq!(decode(&[head, tail]), expected, "cut at {cut} of {:?}", String::from_utf8_lossy(bytes));
    }
    let single: Vec<&[u8]> = bytes.chunks(1).collect();
    assert_eq!(decode(&single), expected, "byte by byte: {:?}", String::from_utf8_lossy(bytes));
}

#[test]
fn every_line_end_at_every_cut_gives_the_same_events() {
    let text = "event: delta\ndata: {\"a\":1}\n\n: keepalive 5/100\ndata: one\ndata: two\n\ndata:[DONE]\n\n";
    let expected = [named("delta", "{\"a\":1}"), comment("keepalive 5/100"), event("one\ntwo"), event("[DONE]")];
    for line_end in ["\n", "\r\n", "\r"] {
        everywhere(sse, text.replace('\n', line_end).as_bytes(), &expected);
    }
}

#[test]
fn a_byte_order_mark_is_not_part_of_the_first_field() {
    everywhere(sse, b"\xEF\xBB\xBFdata: x\n\n", &[event("x")]);
    everywhere(ndjson, b"\xEF\xBB\xBF{\"a\":1}\n", &[event("{\"a\":1}")]);
}

#[test]
fn a_split_character_arrives_whole() {
    everywhere(sse, "data: grüße 🦀 中\n\n".as_bytes(), &[event("grüße 🦀 中")]);
    everywhere(ndjson, "{\"t\":\"🦀\"}\r\n".as_bytes(), &[event("{\"t\":\"🦀\"}")]);
}

#[test]
fn an_invalid_byte_costs_one_character_and_not_the_stream() {
    everywhere(sse, b"data: a\xFFb\n\ndata: c\n\n", &[event("a\u{FFFD}b"), event("c")]);
    everywhere(ndjson, b"a\xFFb\nc\n", &[event("a\u{FFFD}b"), event("c")]);
}

#[test]
fn the_last_event_needs_no_blank_line() {
    everywhere(sse, b"data: one\n\ndata: two\n", &[event("one"), event("two")]);
    everywhere(sse, b"data: one\n\ndata: [DONE]", &[event("one"), event("[DONE]")]);
    everywhere(ndjson, b"{}\n{\"done\":true}", &[event("{}"), event("{\"done\":true}")]);
}

#[test]
fn a_bare_json_line_in_an_event_stream_is_an_event() {
    everywhere(sse, b"data: a\n{\"error\":\"gone\"}\n\ndata: b\n\n", &[event("a"), event("{\"error\":\"gone\"}"), event("b")]);
}

#[test]
fn ids_retries_and_unknown_fields_make_no_event() {
    everywhere(sse, b"id: 7\nretry: 10\nerror: no\nfoo\n\ndata: x\n\n", &[event("x")]);
}

#[test]
fn an_event_without_data_is_a_sign_of_life() {
    everywhere(sse, b"event: ping\n\ndata:\n\n:\n\ndata: \n\n", &[comment("ping"), comment(""), comment(""), comment("")]);
}

#[test]
fn only_one_space_belongs_to_the_colon() {
    everywhere(sse, b"data:  x\n\ndata:\ty\n\n", &[event(" x"), event("\ty")]);
}

#[test]
fn an_event_name_does_not_reach_the_next_event() {
    everywhere(sse, b"event: a\ndata: 1\n\ndata: 2\n\n", &[named("a", "1"), event("2")]);
}

#[test]
fn blank_lines_between_json_lines_are_skipped() {
    everywhere(ndjson, b"\n\r\n{\"a\":1}\n\n  {\"b\":2}  \r\n", &[event("{\"a\":1}"), event("{\"b\":2}")]);
}

#[test]
fn an_endless_event_is_stopped_at_its_limit() {
    for text in ["data: 0123456789\n", "data: 01\ndata: 23\ndata: 45\ndata: 67\ndata: 89\n", ": 0123456789abcdef"] {
        let mut decoder = SseDecoder::with_limit(12);
        let mut out = Vec::new();
        let pushed: Result<Vec<()>, FrameError> = text.as_bytes().chunks(1).map(|byte| decoder.push(byte, &mut out)).collect();
        assert_eq!(pushed, Err(FrameError::TooLarge { limit: 12 }), "{text:?}");
    }
    let mut decoder = NdjsonDecoder::with_limit(12);
    let mut out = Vec::new();
    assert_eq!(decoder.push(b"{}\n0123456789abc", &mut out), Err(FrameError::TooLarge { limit: 12 }));
    assert_eq!(out, [event("{}")]);
}

#[test]
fn many_small_events_are_no_large_one() {
    let mut decoder = SseDecoder::with_limit(12);
    let mut out = Vec::new();
    decoder.push("data: abc\n\n".repeat(100).as_bytes(), &mut out).unwrap();
    assert_eq!(out, vec![event("abc"); 100]);
}

proptest! {
    #[test]
    fn frames_do_not_depend_on_the_chunks(
        lines in prop::collection::vec("(data: ?|event: |: |id: )?[a-z{}é🦀: ]{0,12}(\n|\r|\r\n)", 0..20),
        cuts in prop::collection::vec(0usize..200, 0..8),
    ) {
        let bytes = lines.concat().into_bytes();
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).chain([0, bytes.len()]).collect();
        cuts.sort_unstable();
        let chunks: Vec<&[u8]> = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
        prop_assert_eq!(sse(&chunks), sse(&[&bytes]));
        prop_assert_eq!(ndjson(&chunks), ndjson(&[&bytes]));
    }

    #[test]
    fn no_bytes_make_a_decoder_fail_below_its_limit(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        sse(&[&bytes]);
        ndjson(&[&bytes]);
    }
}
