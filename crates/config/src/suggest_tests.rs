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
