use krabba_types::{Aliases, Calling, JsonObject, ModelId, ModelRequest, Params, Thinking, ToolSpec, Wanted};
use serde_json::{Value, json};

use crate::{call_grammar, call_schema};

/// A request with one tool.
fn request(parameters: &Value, wanted: Wanted) -> ModelRequest {
    let parameters = parameters.as_object().unwrap().clone();
    ModelRequest {
        model: ModelId::new("m"),
        messages: Vec::new(),
        tools: vec![ToolSpec { name: "do".to_owned(), description: String::new(), parameters, aliases: Aliases::default() }],
        calling: Calling { wanted, ..Calling::default() },
        max_output_tokens: Some(1_000),
        thinking: Thinking::Unspecified,
        params: Params::default(),
    }
}

/// What a tool's arguments are held to.
fn arguments(parameters: &Value) -> Value {
    let schema = Value::Object(call_schema(&request(parameters, Wanted::Call)));
    schema.pointer("/anyOf/0/properties/arguments").unwrap().clone()
}

fn field(described: &Value) -> Value {
    arguments(&json!({ "properties": { "f": described } })).pointer("/properties/f").unwrap().clone()
}

#[test]
fn each_step_is_a_reply_or_one_of_the_tools() {
    let schema = call_schema(&request(&json!({ "type": "object", "properties": {} }), Wanted::AnswerOrCall));
    let closed = |properties: Value, required: Value| json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false });
    let expected = json!({ "anyOf": [
        closed(json!({ "reply": { "type": "string" } }), json!(["reply"])),
        closed(json!({ "name": { "enum": ["do"] }, "arguments": { "type": "object", "additionalProperties": {} } }), json!(["name", "arguments"])),
    ] });
    assert_eq!(Value::Object(schema), expected);
}

#[test]
fn keywords_that_engines_trip_over_are_left_out() {
    assert_eq!(
        field(&json!({ "type": "string", "pattern": "^a", "format": "uri", "not": {}, "maxLength": 9 })),
        json!({ "type": "string", "minLength": 0, "maxLength": 9 })
    );
    assert_eq!(
        field(&json!({ "type": "array", "uniqueItems": true })),
        json!({ "type": "array", "items": {}, "minItems": 0, "maxItems": 64 })
    );
    assert_eq!(
        field(&json!({ "type": "integer", "minimum": 1, "maximum": 5, "multipleOf": 2 })),
        json!({ "type": "integer", "minimum": 1, "maximum": 5 })
    );
    assert_eq!(field(&json!({ "type": ["string", "null"] })), json!({ "anyOf": [{ "type": "string" }, { "enum": [null] }] }));
    assert_eq!(field(&json!({ "const": 3 })), json!({ "enum": [3] }));
    assert_eq!(field(&json!(true)), json!({}));
}

#[test]
fn combinations_are_multiplied_out() {
    let either = json!({
        "type": "object", "properties": { "a": { "type": "boolean" }, "b": { "type": "boolean" } },
        "anyOf": [{ "required": ["a"] }, { "allOf": [{ "required": ["b"] }] }],
    });
    let object = |required: &str| {
        let flag = json!({ "enum": [true, false] });
        json!({ "type": "object", "properties": { "a": flag, "b": flag }, "required": [required], "additionalProperties": false })
    };
    assert_eq!(arguments(&either), json!({ "anyOf": [object("a"), object("b")] }));
}

#[test]
fn a_schema_that_goes_round_in_circles_comes_to_an_end() {
    let node = json!({ "type": "object", "properties": { "left": { "$ref": "#" }, "right": { "$ref": "#" }, "more": { "type": "array", "items": { "$ref": "#" } } } });
    let endless: JsonObject = json!({ "allOf": [{ "$ref": "#" }] }).as_object().unwrap().clone();
    for parameters in [node, Value::Object(endless)] {
        let request = request(&parameters, Wanted::AnswerOrCall);
        assert!(call_grammar(&request).len() < 2_000_000);
        assert!(Value::Object(call_schema(&request)).to_string().len() < 2_000_000);
    }
}
