use serde_json::json;

use crate::json::parse;

#[test]
fn half_an_emoji_does_not_cost_the_whole_event() {
    assert_eq!(parse(r#"{"a":"x\ud83d","b":"\ude00y"}"#).unwrap(), json!({ "a": "x\u{fffd}", "b": "\u{fffd}y" }));
    assert_eq!(parse(r#"{"a":"\ud83d\ud83d\ude00"}"#).unwrap(), json!({ "a": "\u{fffd}\u{1f600}" }));
    assert_eq!(parse(r#"{"a":"\uD83D"#).unwrap_err().to_string(), parse(r#"{"a":"\ufffd"#).unwrap_err().to_string());
}

#[test]
fn an_escaped_backslash_before_a_u_is_no_escape() {
    assert_eq!(parse(r#"{"a":"\\ud83d"}"#).unwrap(), json!({ "a": "\\ud83d" }));
    assert_eq!(parse(r#"{"a":"\\\ud83d é\\"}"#).unwrap(), json!({ "a": "\\\u{fffd} é\\" }));
    assert!(parse(r#"{"a":"\u12"}"#).is_err());
}
