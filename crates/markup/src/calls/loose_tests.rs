use serde_json::{Value, json};

use super::{Ending, mend_object};

fn mended(text: &str) -> Option<Value> {
    mend_object(text, Ending::Regular).map(Value::Object)
}

#[test]
fn slips_with_one_meaning_are_mended() {
    let cases = [
        (r#"{"a": 1,}"#, json!({"a": 1})),
        (r#"{"a": [1, 2,], }"#, json!({"a": [1, 2]})),
        (r#"{'a': 'it is "so"'}"#, json!({"a": "it is \"so\""})),
        (r#"{'a': 'it\'s'}"#, json!({"a": "it's"})),
        ("{\"a\": \"one\ntwo\tthree\"}", json!({"a": "one\ntwo\tthree"})),
        (r#"{a: True, b_c: None, "d": False}"#, json!({"a": true, "b_c": null, "d": false})),
        (r#"{"a": "C:\data\d+"}"#, json!({"a": "C:\\data\\d+"})),
        (r#"{"a": "\ud83d\ude00 \ud83d"}"#, json!({"a": "😀 \u{fffd}"})),
        (r#""{\"a\": 1}""#, json!({"a": 1})),
        (r#" {"a": 1}}} "#, json!({"a": 1})),
        (r#"{"a": {"b": [1"#, json!({"a": {"b": [1]}})),
        ("{}", json!({})),
    ];
    for (text, expected) in cases {
        assert_eq!(mended(text), Some(expected), "{text}");
    }
}

#[test]
fn what_could_mean_two_things_is_not() {
    let unclear = [
        r#"{"a": "say "hi" now"}"#,
        r#"{"a": "half"#,
        r#"{"a": 1,"#,
        r#"{"a":"#,
        r#"{"a""#,
        "{",
        r#"{"a": 1} {"b": 2}"#,
        r#"{"a": 1} and so on"#,
        r#"{"a": nothing}"#,
        r#"{"a": 1 "b": 2}"#,
        r#"{"a" 1}"#,
        "[1]",
        "1",
        "",
        r#"{"a": +1}"#,
    ];
    for text in unclear {
        assert_eq!(mended(text), None, "{text}");
    }
}

#[test]
fn depth_is_bounded() {
    let deep = format!("{{\"a\": {}1,{}}}", "[".repeat(5_000), "]".repeat(5_000));
    assert_eq!(mended(&deep), None);
}
