use crate::overflow::{Numbers, pause_ms, read};

#[test]
fn numbers_are_found_inside_other_words() {
    let text = "APIError: request (1 tokens) is odd; request (9001 tokens) exceeds the available context size (8192 tokens), sorry";
    assert_eq!(read(text), Numbers { prompt: Some(9_001), window: Some(8_192) });
}

#[test]
fn ordinary_errors_give_no_window() {
    let texts = ["no such model: qwen3 8192 16384", "the context length is fine", "invalid api key 4096", "maximum context length is", ""];
    assert_eq!(texts.map(read), [Numbers::default(); 5]);
}

#[test]
fn a_guess_needs_exactly_two_numbers() {
    assert_eq!(read("context window exceeded: 9000 8192 4096"), Numbers::default());
    assert_eq!(read("input too long for context window: 9,000 over 8,192."), Numbers { prompt: Some(9_000), window: Some(8_192) });
}

#[test]
fn a_rate_limit_is_not_taken_for_a_window() {
    assert_eq!(read("too many tokens per minute: 12000 is greater than 10000"), Numbers::default());
}

#[test]
fn numbers_beyond_any_window_are_no_numbers() {
    assert_eq!(read("prompt is too long: 99999999999999 tokens > 200000 maximum"), Numbers::default());
}

#[test]
fn a_pause_is_read_in_every_unit() {
    let texts = [
        "Please try again in 1.2s.",
        "try again in 350ms",
        "Retry after 20 seconds",
        "try again in 2m",
        "try again in 6m0s",
        "try again in a moment",
        "try again",
    ];
    assert_eq!(texts.map(pause_ms), [Some(1_200), Some(350), Some(20_000), Some(120_000), Some(360_000), None, None]);
}
