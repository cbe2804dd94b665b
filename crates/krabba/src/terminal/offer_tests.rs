use super::offer::Answer;

#[test]
fn only_a_yes_is_a_yes() {
    for (text, answer) in [
        ("y", Answer::Yes),
        (" Yes ", Answer::Yes),
        ("", Answer::No),
        ("n", Answer::No),
        ("yesterday", Answer::Neither),
        ("/status", Answer::Neither),
    ] {
        assert_eq!(Answer::of(text), answer, "{text:?}");
    }
}
