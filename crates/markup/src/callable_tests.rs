use krabba_types::{Aliases, CALL_TOOL, Calling, Message, ModelId, ModelRequest, Params, Role, Thinking, ToolSpec, Wanted};
use serde_json::{Value, json};

use crate::{call_grammar, call_schema};

fn tool(name: &str, parameters: &Value) -> ToolSpec {
    ToolSpec {
        name: name.to_owned(),
        description: String::new(),
        parameters: parameters.as_object().unwrap().clone(),
        aliases: Aliases::default(),
    }
}

fn request(said: &str, further: Vec<ToolSpec>) -> ModelRequest {
    let free = json!({ "type": "object", "properties": { "name": { "type": "string" }, "arguments": { "type": "object" } } });
    ModelRequest {
        model: ModelId::new("m"),
        messages: vec![Message::text(Role::User, said)],
        tools: vec![tool("read", &json!({ "type": "object", "additionalProperties": false })), tool(CALL_TOOL, &free)],
        calling: Calling { wanted: Wanted::Call, further, ..Calling::default() },
        max_output_tokens: Some(1_000),
        thinking: Thinking::Unspecified,
        params: Params::default(),
    }
}

/// The names of the tools that can be called through another one.
fn through(request: &ModelRequest) -> Vec<String> {
    let schema = Value::Object(call_schema(request));
    let choices = schema.pointer("/anyOf/1/properties/arguments/anyOf").and_then(Value::as_array).cloned().unwrap_or_default();
    let name = |choice: &Value| choice.pointer("/properties/name/enum/0").and_then(Value::as_str).unwrap().to_owned();
    choices.iter().map(name).collect()
}

#[test]
fn a_tool_that_was_found_is_not_called_with_whatever_a_model_makes_up() {
    let parameters = json!({ "type": "object", "properties": { "city": { "type": "string" } }, "required": ["city"] });
    let request = request("hello", vec![tool("weather", &parameters)]);
    let closed = |properties: Value, required: Value| json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false });
    let weather = closed(json!({ "city": { "type": "string" } }), json!(["city"]));
    let inner = closed(json!({ "name": { "enum": ["weather"] }, "arguments": weather }), json!(["name", "arguments"]));
    let outer = closed(json!({ "name": { "enum": [CALL_TOOL] }, "arguments": { "anyOf": [inner] } }), json!(["name", "arguments"]));
    assert_eq!(call_schema(&request)["anyOf"][1], outer);
    let grammar = call_grammar(&request);
    assert!(grammar.contains(r#""\"weather\"""#) && grammar.contains(r#""\"city\":""#), "{grammar}");
}

#[test]
fn where_nothing_can_be_found_nothing_is_called_through_another_tool() {
    let request = request("hello", Vec::new());
    assert_eq!(call_schema(&request)["anyOf"].as_array().unwrap().len(), 1);
    assert!(!call_grammar(&request).contains(CALL_TOOL));
}

#[test]
fn hundreds_of_tools_do_not_make_a_form_that_no_server_takes_and_what_was_found_is_in_it() {
    let parameters = json!({ "type": "object", "properties": { "text": { "type": "string", "maxLength": 900 } }, "required": ["text"] });
    let many: Vec<ToolSpec> = (0..900).map(|number| tool(&format!("tool_{number:03}"), &parameters)).collect();
    let unnamed = through(&request("hello", many.clone()));
    assert!((20..100).contains(&unnamed.len()) && !unnamed.contains(&"tool_777".to_owned()), "{unnamed:?}");
    let asked = request("found: {\"name\":\"tool_777\"}", many);
    let named = through(&asked);
    assert!(named.len() == unnamed.len() && named.contains(&"tool_777".to_owned()), "{named:?}");
    assert!(call_grammar(&asked).len() < 100_000 && Value::Object(call_schema(&asked)).to_string().len() < 100_000);
}

#[test]
fn a_tool_with_endless_parameters_keeps_no_other_from_being_called() {
    let fields: serde_json::Map<String, Value> =
        (0..1_500).map(|number| (format!("field_number_{number}"), json!({ "type": "string" }))).collect();
    let endless = tool("a_endless", &json!({ "type": "object", "properties": fields }));
    let request = request("hello", vec![endless, tool("weather", &json!({ "type": "object" }))]);
    assert_eq!(through(&request), ["weather"]);
}
