use crate::Envelope;

/// The words of `text`, cut in two at every place.
fn words(text: &str) -> String {
    let cut = |at: usize| {
        let (mut envelope, (first, second)) = (Envelope::default(), text.split_at(at));
        [envelope.push(first), envelope.push(second), envelope.finish()].concat()
    };
    let whole = cut(0);
    for at in (0..=text.len()).filter(|at| text.is_char_boundary(*at)) {
        assert_eq!(cut(at), whole, "cut at {at}");
    }
    let (mut envelope, mut each) = (Envelope::default(), String::new());
    for character in text.chars() {
        each.push_str(&envelope.push(character.encode_utf8(&mut [0; 4])));
    }
    each.push_str(&envelope.finish());
    assert_eq!(each, whole);
    whole
}

#[test]
fn words_in_an_object_come_out_as_they_were_meant() {
    assert_eq!(words(r#"{"reply": "a \"b\" \\ \n\u00fc \ud83e\udd80 ü"} "#), "a \"b\" \\ \nü 🦀 ü");
    assert_eq!(words(" {\n \"reply\" :\t\"x\", \"more\": 1}"), "x");
    assert_eq!(words(r#"{"reply": ""}"#), "");
}

#[test]
fn damaged_escapes_lose_themselves_and_nothing_else() {
    assert_eq!(words(r#"{"reply": "a\ud83e b\u12 c\q d"}"#), "a\u{fffd} b\u{fffd}12 cq d");
    assert_eq!(words(r#"{"reply": "cut \u00"#), "cut ");
    assert_eq!(words(r#"{"reply": "cut \ud83e\"#), "cut ");
}

#[test]
fn what_is_no_such_object_passes() {
    for text in ["plain", "{\"name\": \"read\"}", "{\"rep", "", "{ \"reply\": 3}", "<tool_call>"] {
        assert_eq!(words(text), text);
    }
}
