//! Wherever the bytes are cut, the frames are the same.
#![no_main]

use krabba_net::SseDecoder;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut whole = Vec::new();
    let mut decoder = SseDecoder::with_limit(1 << 16);
    let all = decoder.push(data, &mut whole);
    decoder.finish(&mut whole);

    let mut bytewise = Vec::new();
    let mut decoder = SseDecoder::with_limit(1 << 16);
    let each = data.chunks(1).try_for_each(|byte| decoder.push(byte, &mut bytewise));
    decoder.finish(&mut bytewise);
    if all.is_ok() && each.is_ok() {
        assert_eq!(whole, bytewise);
    }
});
