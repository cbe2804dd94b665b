//! Whatever a model writes, what is taken as a call is one: of a tool that was offered, with arguments that are valid. Whatever a tool's
//! schema is, what a server is to hold the model to is made of it in bounded time. And wherever words in an object are cut, they are the
//! same words.
#![no_main]

use krabba_markup::{Envelope, OrphanPolicy, ReasoningSplitter, Split, Toolbox, call_grammar, call_schema, check, fit};
use krabba_types::{Aliases, CALL_TOOL, Calling, JsonObject, ModelId, ModelRequest, Params, Thinking, ToolSpec, Wanted};
use libfuzzer_sys::fuzz_target;

const READ: &str = r##"{"type": "object", "properties": {"path": {"type": "string"}, "lines": {"type": "array", "items": {"type": "integer"}},
    "mode": {"enum": ["text", "bytes"]}, "deep": {"$ref": "#/properties/nested"}, "nested": {"type": "object", "additionalProperties": {"type": "number"}}}, "required": ["path"]}"##;
const WEATHER: &str = r#"{"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": false}"#;

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    made(&text);
    held(&text);
    words(&text);
});

fn tools() -> Vec<ToolSpec> {
    let tool = |name: &str, schema: &str| ToolSpec {
        name: name.to_owned(),
        description: String::new(),
        parameters: serde_json::from_str(schema).expect("a schema"),
        aliases: Aliases::default(),
    };
    vec![tool("read", READ), tool("get_weather", WEATHER)]
}

fn request(tools: Vec<ToolSpec>, calling: Calling) -> ModelRequest {
    ModelRequest {
        model: ModelId::new("m"),
        messages: Vec::new(),
        tools,
        calling,
        max_output_tokens: Some(1_000),
        thinking: Thinking::Unspecified,
        params: Params::default(),
    }
}

fn made(text: &str) {
    let tools = tools();
    let toolbox = Toolbox::of(request(tools.clone(), Calling::default()));
    let mut splitter = ReasoningSplitter::with_calls(OrphanPolicy::Stream, toolbox.names());
    let mut splits = Vec::new();
    splitter.push(text, &mut splits);
    splitter.finish(&mut splits);
    let written = splits.into_iter().filter_map(|split| if let Split::Call(call) = split { Some(toolbox.written(call)) } else { None });
    for (name, arguments) in written.chain([toolbox.structured("read".to_owned(), Err(text.to_owned()))]).flatten() {
        let tool = tools.iter().find(|tool| tool.name == name).expect("a tool that was offered");
        assert_eq!(check(&arguments, &tool.parameters), Ok(()), "{arguments:?}");
    }
}

/// A text that is an object is a schema, and arguments too.
fn held(text: &str) {
    let Ok(parameters) = serde_json::from_str::<JsonObject>(text) else { return };
    let mut arguments = parameters.clone();
    let tool = ToolSpec { name: "do".to_owned(), description: String::new(), parameters, aliases: Aliases::default() };
    if fit(&mut arguments, &tool).is_ok() {
        let before = arguments.clone();
        assert_eq!(fit(&mut arguments, &tool), Ok(()));
        assert_eq!(arguments, before);
    }
    let call_tool = ToolSpec { name: CALL_TOOL.to_owned(), ..tool.clone() };
    for wanted in [Wanted::AnswerOrCall, Wanted::Call] {
        let further = vec![ToolSpec { name: "further".to_owned(), ..tool.clone() }];
        let request = request(vec![tool.clone(), call_tool.clone()], Calling { wanted, further, ..Calling::default() });
        assert!(call_grammar(&request).len() < (1 << 21) + 2_000 * text.len());
        let _ = call_schema(&request);
    }
}

fn words(text: &str) {
    for text in [text, &format!("{{\"reply\": \"{text}")] {
        let mut envelope = Envelope::default();
        let whole = [envelope.push(text), envelope.finish()].concat();
        let mut envelope = Envelope::default();
        let mut each: String = text.chars().map(|character| envelope.push(character.encode_utf8(&mut [0; 4]))).collect();
        each.push_str(&envelope.finish());
        assert_eq!(whole, each);
    }
}
