use crate::{RawBytes, Script, Step};

#[test]
fn raw_text_keeps_single_bytes_and_wide_characters() {
    let script: Script = r#"{rules: [{steps: [{raw: "\xEF\xBB\xBFa\xF0å日"}]}]}"#.parse().unwrap();
    let expected = b"\xEF\xBB\xBFa\xF0\xE5\xE6\x97\xA5".to_vec();
    assert_eq!(script.rules[0].steps, [Step::Raw(RawBytes(expected))]);
}

#[test]
fn a_misspelt_step_is_refused_with_its_place() {
    let error = "{\n  rules: [{steps: [{txet: \"a\"}]}],\n}".parse::<Script>().unwrap_err();
    assert!(error.to_string().contains("txet") && error.to_string().contains("line 2"), "{error}");
}
