use regex::Regex;
use serde_json::{Value, json};

use crate::digits::{Plain, numbers};
use crate::mould::Mould;

/// The expression as a regular one: literals lose their quotation marks, and blanks mean nothing.
fn regex(schema: &Value) -> Regex {
    let parameters = json!({ "properties": { "f": schema } });
    let Mould::Object(fields) = Mould::of(parameters.as_object().unwrap()) else { panic!("no object") };
    let Mould::Number(range) = &fields[0].mould else { panic!("no number: {schema}") };
    let expression = numbers(&Plain::of(range)).replace("\".\"", "\\.").replace(['"', ' '], "");
    Regex::new(&format!("^(?:{expression})$")).unwrap()
}

#[test]
fn whole_numbers_are_those_of_the_range_and_no_others() {
    for (least, most) in [(0, 0), (1, 9), (3, 999), (-5, 5), (-1000, -7), (99, 101), (-12, 1234), (0, 1999), (57, 58)] {
        let regex = regex(&json!({ "type": "integer", "minimum": least, "maximum": most }));
        for number in -2_100..2_100 {
            assert_eq!(regex.is_match(&number.to_string()), (least..=most).contains(&number), "{number} in {least} to {most}: {regex}");
        }
        assert!(!regex.is_match("007") && !regex.is_match("-0") && !regex.is_match(""), "{regex}");
    }
    let half_open = regex(&json!({ "type": "integer", "exclusiveMinimum": 7 }));
    assert!(half_open.is_match("8") && half_open.is_match("999999999999999") && !half_open.is_match("7") && !half_open.is_match("-8"));
}

#[test]
fn numbers_with_a_part_stay_between_their_limits() {
    for (least, most) in [(-250, 250), (0, 100), (10, 200), (-90, -15), (5, 95), (-1, 1), (149, 1600)] {
        let limits = json!({ "type": "number", "minimum": f64::from(least) / 100.0, "exclusiveMaximum": f64::from(most) / 100.0 });
        let regex = regex(&limits);
        for number in -2_000..2_000_i32 {
            let sign = if number < 0 { "-" } else { "" };
            let text = format!("{sign}{}.{:02}", number.abs() / 100, number.abs() % 100);
            assert_eq!(regex.is_match(&text), (least..most).contains(&number), "{text} in {limits}: {regex}");
            let whole = number.to_string();
            assert_eq!(regex.is_match(&whole), (least..most).contains(&(number * 100)), "{whole} in {limits}: {regex}");
        }
    }
}

#[test]
fn a_number_without_limits_has_an_end() {
    let regex = regex(&json!({ "type": "number" }));
    assert!(["0", "-1", "3.25", "123456789012345"].iter().all(|text| regex.is_match(text)), "{regex}");
    assert!(["00", "1.", ".5", "1234567890123456", "1e5"].iter().all(|text| !regex.is_match(text)), "{regex}");
}
