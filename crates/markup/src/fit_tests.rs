use krabba_types::{Aliases, JsonObject, ToolSpec};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{check, fit};

fn object(value: Value) -> JsonObject {
    match value {
        Value::Object(object) => object,
        other => panic!("{other} is no object"),
    }
}

fn tool(parameters: JsonObject) -> ToolSpec {
    ToolSpec { name: "do".to_owned(), description: String::new(), parameters, aliases: Aliases::default() }
}

/// What becomes of `arguments`: themselves, or what is wrong.
fn fitted(arguments: Value, schema: Value) -> Value {
    let mut arguments = object(arguments);
    match fit(&mut arguments, &tool(object(schema))) {
        Ok(()) => Value::Object(arguments),
        Err(misfit) => Value::String(misfit.to_string()),
    }
}

/// The same for one property `a`.
fn one(value: Value, schema: Value) -> Value {
    match fitted(json!({"a": value}), json!({"type": "object", "properties": {"a": schema}, "required": ["a"]})) {
        Value::Object(mut object) => object.remove("a").unwrap_or_default(),
        wrong => wrong,
    }
}

#[test]
fn a_value_of_the_wrong_type_is_read_as_what_it_can_only_mean() {
    assert_eq!(one(json!("3"), json!({"type": "integer"})), json!(3));
    assert_eq!(one(json!(" -2.5 "), json!({"type": "number"})), json!(-2.5));
    assert_eq!(one(json!("3.0"), json!({"type": "integer"})), json!(3));
    assert_eq!(one(json!("True"), json!({"type": "boolean"})), json!(true));
    assert_eq!(one(json!(7), json!({"type": "string"})), json!("7"));
    assert_eq!(one(json!("x"), json!({"type": "array", "items": {"type": "string"}})), json!(["x"]));
    assert_eq!(one(json!("[1, '2',]"), json!({"type": "array", "items": {"type": "integer"}})), json!([1, 2]));
    assert_eq!(one(json!("{'b': \"1\"}"), json!({"type": "object", "properties": {"b": {"type": "integer"}}})), json!({"b": 1}));
    assert_eq!(one(json!("Fast "), json!({"enum": ["fast", "slow"]})), json!("fast"));
    assert_eq!(one(json!("2"), json!({"anyOf": [{"type": "integer"}, {"type": "null"}]})), json!(2));
    assert_eq!(one(json!("null"), json!({"type": ["integer", "null"]})), json!(null));
}

#[test]
fn what_fits_is_not_touched() {
    for (value, schema) in [
        (json!("3"), json!({"type": "string"})),
        (json!("[1]"), json!({"type": "string"})),
        (json!("3"), json!({})),
        (json!("3"), json!({"anyOf": [{"type": "integer"}, {"type": "string"}]})),
        (json!("true"), json!({"type": ["boolean", "string"]})),
        (json!([{"b": "1"}]), json!({"type": "array"})),
    ] {
        assert_eq!(one(value.clone(), schema), value);
    }
}

#[test]
fn nothing_is_invented() {
    let number = json!({"type": "integer"});
    assert_eq!(one(json!("three"), number.clone()), json!("\"a\" must be an integer, not a string"));
    assert_eq!(one(json!("3.5"), number.clone()), json!("\"a\" must be an integer, not a string"));
    assert_eq!(one(json!(""), number.clone()), json!("\"a\" must be an integer, not a string"));
    assert_eq!(one(json!({}), number), json!("\"a\" must be an integer, not an object"));
    assert_eq!(one(json!("yes"), json!({"type": "boolean"})), json!("\"a\" must be true or false, not a string"));
    assert_eq!(one(json!("fas"), json!({"enum": ["fast", "slow"]})), json!("\"a\" must be \"fast\" or \"slow\""));
    assert_eq!(one(json!("FAST"), json!({"enum": ["fast", "Fast"]})), json!("\"a\" must be \"fast\" or \"Fast\""));
}

#[test]
fn nothing_said_for_what_may_be_left_out_is_left_out() {
    let schema = json!({"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "string"}}});
    assert_eq!(fitted(json!({"a": null, "b": ""}), schema.clone()), json!({"b": ""}));
    assert_eq!(fitted(json!({"a": "", "b": null}), schema), json!({}));
}

#[test]
fn what_does_not_fit_is_named_with_its_place() {
    let schema = json!({
        "type": "object",
        "properties": {
            "files": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/file"}},
            "count": {"type": "integer", "minimum": 1, "maximum": 9},
        },
        "required": ["files"],
        "additionalProperties": false,
        "$defs": {"file": {"type": "object", "properties": {"path": {"type": "string", "maxLength": 3}}, "required": ["path"]}},
    });
    let wrong = |arguments: Value| fitted(arguments, schema.clone()).as_str().unwrap().to_owned();
    assert_eq!(wrong(json!({})), "\"files\" is missing");
    assert_eq!(wrong(json!({"files": []})), "\"files\" must have at least 1 items");
    assert_eq!(wrong(json!({"files": [{"path": "a"}, {}]})), "\"files[1].path\" is missing");
    assert_eq!(wrong(json!({"files": [{"path": "abcd"}]})), "\"files[0].path\" must have at most 3 characters");
    assert_eq!(wrong(json!({"files": [{"path": "a"}], "count": 10})), "\"count\" must be at most 9");
    assert_eq!(wrong(json!({"files": [{"path": "a"}], "more": 1})), "\"more\" does not exist; there is files, count");
}

#[test]
fn every_keyword_that_is_known_holds_something_back() {
    for (schema, good, bad) in [
        (json!({"const": 1}), json!(1.0), json!(2)),
        (json!({"exclusiveMinimum": 0}), json!(0.1), json!(0)),
        (json!({"minimum": 0, "exclusiveMinimum": true}), json!(1), json!(0)),
        (json!({"exclusiveMaximum": 5}), json!(4), json!(5)),
        (json!({"multipleOf": 5}), json!(10), json!(11)),
        (json!({"minLength": 2}), json!("åb"), json!("å")),
        (json!({"maxItems": 1}), json!([1]), json!([1, 2])),
        (json!({"uniqueItems": true}), json!([1, 2]), json!([1, 1.0])),
        (json!({"prefixItems": [{"type": "string"}], "items": {"type": "integer"}}), json!(["a", 1]), json!([[], 1])),
        (json!({"allOf": [{"minimum": 1}, {"maximum": 2}]}), json!(2), json!(3)),
        (json!({"oneOf": [{"type": "integer"}, {"minimum": 2}]}), json!(1), json!(2)),
        (json!({"not": {"type": "null"}}), json!(1), json!(null)),
        (json!({"maxProperties": 1}), json!({"a": 1}), json!({"a": 1, "b": 2})),
        (json!({"additionalProperties": {"type": "integer"}}), json!({"a": 1}), json!({"a": []})),
        (json!({"anyOf": [{"required": ["a"]}, {"required": ["b"]}]}), json!({"b": 1}), json!({"c": 1})),
        (json!(true), json!(1), Value::String("none".to_owned())),
        (json!({"$ref": "#"}), json!({"a": {"a": {}}}), json!({"a": 1})),
    ] {
        let whole = object(json!({"type": "object", "properties": {"a": schema}}));
        assert_eq!(check(&object(json!({"a": good})), &whole), Ok(()), "{schema}");
        if schema != json!(true) {
            assert!(check(&object(json!({"a": bad})), &whole).is_err(), "{schema} takes {bad}");
        }
    }
    assert!(check(&object(json!({"a": 1})), &object(json!({"properties": {"a": false}}))).is_err());
}

#[test]
fn a_schema_that_goes_round_in_circles_ends() {
    let schema = object(json!({"properties": {"a": {"$ref": "#/$defs/b"}}, "$defs": {"b": {"$ref": "#/$defs/b"}}}));
    assert_eq!(check(&object(json!({"a": 1})), &schema), Ok(()));
    let schema = object(json!({"properties": {"a": {"$ref": "#/$defs/b"}}, "$defs": {"b": {"allOf": [{"$ref": "#/$defs/b"}]}}}));
    assert!(check(&object(json!({"a": 1})), &schema).is_err());
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        any::<f32>().prop_map(Value::from),
        "[a-z0-9\\[\\]{}\", ]{0,6}".prop_map(Value::from),
        prop::sample::select(vec!["string", "integer", "object", "array", "#/properties/a", "a"]).prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let key = prop::sample::select(vec![
            "a",
            "type",
            "properties",
            "items",
            "enum",
            "anyOf",
            "$ref",
            "required",
            "not",
            "minimum",
            "additionalProperties",
        ]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::vec((key.prop_map(str::to_owned), inner), 0..4)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn what_was_brought_into_form_fits(arguments in any_json(), schema in any_json()) {
        let (Value::Object(before), Value::Object(schema)) = (json!({"a": arguments}), json!({"properties": {"a": schema}})) else { unreachable!() };
        let mut after = before.clone();
        if fit(&mut after, &tool(schema.clone())).is_ok() {
            prop_assert_eq!(check(&after, &schema), Ok(()));
        }
        if check(&before, &schema).is_ok() {
            prop_assert_eq!(after, before);
        }
    }
}

#[test]
fn schema_of_endless_forms_ends() {
    let mut definitions = json!({ "d40": { "type": "integer" } });
    for number in 0..40 {
        let next = json!({ "$ref": format!("#/$defs/d{}", number + 1) });
        definitions[format!("d{number}")] = json!({ "anyOf": [next.clone(), next] });
    }
    let parameters = json!({ "type": "object", "properties": { "a": { "$ref": "#/$defs/d0" } }, "$defs": definitions });
    let tool = ToolSpec {
        name: "t".to_owned(),
        description: String::new(),
        parameters: parameters.as_object().unwrap().clone(),
        aliases: Aliases::default(),
    };
    let mut arguments = json!({ "a": "x" }).as_object().unwrap().clone();
    assert!(fit(&mut arguments, &tool).is_err());
}
