#![allow(clippy::string_slice, reason = "spans are cut out to see what stands there")]

use proptest::prelude::*;

use crate::spans::Spans;
use crate::tree::{Node, Value, parse};
use crate::{Env, Paint, parse_text, render};

/// JSON5 in which everything that the lexer could stumble over stands between the values.
fn document() -> impl Strategy<Value = String> {
    let scalar = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("-0x1F".to_owned()),
        Just("+.5e3".to_owned()),
        Just("Infinity".to_owned()),
        Just("'a \\' \" // no comment'".to_owned()),
        Just("\"{[,:]} \\\r\n /* */ \\\\\"".to_owned()),
        Just("'\u{2028}ö\u{1f980}'".to_owned()),
        any::<i32>().prop_map(|number| number.to_string()),
    ];
    let blank = prop::sample::select(vec!["", " ", "\n", "\r\n", "\t", "\u{a0}", "/* { \" ' */", "// [ } '\n", "/***/", "\u{feff}"]);
    let key = prop::sample::select(vec!["a", "$b_c", "'d e'", "\"{f\"", "\\u0061b", "ö"]);
    scalar.prop_recursive(4, 40, 5, move |inner| {
        let item = (blank.clone(), inner, blank.clone()).prop_map(|(before, value, after)| format!("{before}{value}{after}"));
        let member = (blank.clone(), key.clone(), blank.clone(), item.clone())
            .prop_map(|(before, key, after, item)| format!("{before}{key}{after}:{item}"));
        let end = prop::sample::select(vec!["", ","]);
        prop_oneof![
            (prop::collection::vec(item, 1..5), end.clone()).prop_map(|(items, end)| format!("[{}{end}]", items.join(","))),
            (prop::collection::vec(member, 1..5), end).prop_map(|(members, end)| format!("{{{}{end}}}", members.join(","))),
            Just("[ ]".to_owned()),
            Just("{/* , */}".to_owned()),
        ]
    })
}

fn agrees(node: &Node, key: Option<&str>, text: &str, spans: &Spans) {
    let span = spans.get(node.id.ordinal).unwrap();
    let written = parse(&text[span.start..span.end]).unwrap().root;
    // The origin is right when what stands there is the value. Infinity is null in JSON, which is enough here.
    assert_eq!(written.to_json(), node.to_json());
    if let Some(key) = key {
        let (start, end) = span.key.unwrap();
        let object = parse(&format!("{{{}: 1}}", &text[start..end])).unwrap().root;
        assert_eq!(object.as_object().unwrap().entries[0].0, key);
    }
    match &node.value {
        Value::List(items) => items.iter().for_each(|item| agrees(item, None, text, spans)),
        Value::Object(object) => object.entries.iter().for_each(|(key, child)| agrees(child, Some(key), text, spans)),
        Value::Null | Value::Bool(_) | Value::Integer(_) | Value::Float(_) | Value::Text(_) => {}
    }
}

proptest! {
    #[test]
    fn value_is_found_where_it_was_written(text in document()) {
        let parsed = parse(&text).unwrap();
        agrees(&parsed.root, None, &text, &Spans::of(&text));
    }

    #[test]
    fn no_text_makes_the_loader_fall_over(text in "[{}\\[\\]a-c:,'\"/*$ \n\r\\\\0-9.\u{e9}\u{2028}]{0,60}") {
        let diagnostics = match parse_text(&text, &Env::default()) {
            Ok(loaded) => loaded.diagnostics,
            Err(diagnostics) => diagnostics,
        };
        render(&diagnostics, Paint::Plain);
    }

    #[test]
    fn damaged_configuration_is_explained(cut in 0usize..900, insert in "[{}\\[\\],:'\"/x0]{0,2}") {
        let whole = include_str!("../tests/data/openclaw/lmstudio-first.json5");
        let cut = cut.min(whole.len());
        let text = format!("{}{insert}{}", &whole[..cut], &whole[cut..]);
        match parse_text(&text, &Env::default()) {
            Ok(_) => {}
            Err(diagnostics) => prop_assert!(diagnostics.iter().all(|diagnostic| diagnostic.place.is_some())),
        }
    }
}

#[test]
fn whole_numbers_are_integers_however_they_are_written() {
    let json = parse("[1e5, 0x10, 2.0, .5, -3, 9007199254740993, 1e300]").unwrap().root.to_json();
    assert_eq!(json, serde_json::json!([100_000, 16, 2, 0.5, -3, 9_007_199_254_740_993_i64, 1e300]));
}

#[test]
fn last_of_two_equal_keys_counts_in_small_and_large_objects() {
    let large: String = (0..40).map(|number| format!("k{number}: {number},")).collect();
    for text in ["{ k1: 0, x: 2, k1: 9 }".to_owned(), format!("{{ {large} k1: 9 }}")] {
        let parsed = parse(&text).unwrap();
        assert_eq!(parsed.root.get("k1").unwrap().to_json(), 9);
        assert_eq!(parsed.duplicates.len(), 1);
    }
}
