use crate::suggest::closest;

#[test]
fn slip_of_the_finger_is_recognised_and_another_word_is_not() {
    let known = ["baseUrl", "apiKey", "models", "api"];
    let cases = [
        ("baseurl", Some("baseUrl")),
        ("basUrl", Some("baseUrl")),
        ("paiKey", Some("apiKey")),
        ("model", Some("models")),
        ("flavour", None),
        ("x", None),
        ("", None),
    ];
    for (given, meant) in cases {
        assert_eq!(closest(given, known), meant, "{given}");
    }
}

#[test]
fn nobody_who_wrote_a_whole_text_meant_a_name() {
    let known = "a".repeat(64);
    let longer = "a".repeat(65);
    assert_eq!(closest(&known, [known.as_str()]), Some(known.as_str()));
    assert_eq!(closest(&longer, [known.as_str()]), None);
}
