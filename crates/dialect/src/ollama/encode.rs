//! Writing an Ollama chat request.

use krabba_types::{ModelRequest, TemplateFamily, Thinking};
use serde_json::Value;

use crate::body::{Body, object};
use crate::history::{Answered, Content, History, Turn};
use crate::{Shape, schema, thinking};

/// The body. `truncate` and `shift` are off: Ollama would otherwise drop the oldest messages without a word. The window
/// is always named where it is known, and the same in every request, since another one reloads the model; it stands
/// with the other options behind the messages.
pub(crate) fn encode(request: &ModelRequest, history: &History<'_>, shape: &Shape) -> Body {
    let mut body = Body::default();
    body.put("model", request.model.as_str());
    body.put("stream", shape.stream);
    body.put("truncate", false);
    body.put("shift", false);
    body.put_some("keep_alive", shape.keep_alive.as_deref().map(keep_alive));
    body.put_list("tools", tools(request, shape));
    body.put("messages", messages(history));
    body.put_some("think", think(request.thinking, shape));
    body.put("options", options(request, shape).into_object());
    body.put_object("chat_template_kwargs", request.params.chat_template_kwargs.clone());
    body
}

fn options(request: &ModelRequest, shape: &Shape) -> Body {
    let params = &request.params;
    let mut options = Body::default();
    options.put_some("num_ctx", shape.num_ctx);
    options.put_some("num_predict", request.max_output_tokens);
    if shape.compat.request.supports_temperature != Some(false) {
        options.put_some("temperature", params.temperature);
    }
    options.put_some("top_p", params.top_p);
    options.put_some("top_k", params.top_k);
    options.put_some("min_p", params.min_p);
    options.put_some("seed", params.seed);
    options.put_list("stop", params.stop.iter().map(|stop| stop.as_str().into()).collect());
    options
}

/// A bare number is seconds (`-1`: for ever) and must be a number on the wire; `"10m"` is a text.
fn keep_alive(text: &str) -> Value {
    text.trim().parse::<i64>().map_or_else(|_| text.into(), Value::from)
}

/// Levels exist for gpt-oss only, which knows no "off"; other models are refused with a word and take a yes or no.
fn think(level: Thinking, shape: &Shape) -> Option<Value> {
    if !thinking::is_asked(level, shape) {
        return None;
    }
    if shape.family == TemplateFamily::Harmony {
        return thinking::effort(level, shape).map(Value::from);
    }
    Some((level != Thinking::Off).into())
}

fn tools(request: &ModelRequest, shape: &Shape) -> Vec<Value> {
    let tools = schema::tools(request, shape).into_iter();
    tools
        .map(|(tool, parameters)| {
            let function = object([
                ("name", tool.name.as_str().into()),
                ("description", tool.description.as_str().into()),
                ("parameters", parameters.into()),
            ]);
            object([("type", "function".into()), ("function", function)])
        })
        .collect()
}

fn messages(history: &History<'_>) -> Vec<Value> {
    let system = history.system.iter().map(|text| object([("role", "system".into()), ("content", text.as_str().into())]));
    system.chain(history.turns.iter().map(message)).collect()
}

fn message(turn: &Turn<'_>) -> Value {
    match turn {
        Turn::User(contents) => user(contents),
        Turn::Assistant(answered) => assistant(answered),
        Turn::Result(brought) => object([
            ("role", "tool".into()),
            ("tool_name", brought.name.into()),
            ("tool_call_id", brought.id.as_str().into()),
            ("content", brought.told().into()),
        ]),
    }
}

/// Pictures stand beside the text, as bare base64.
fn user(contents: &[Content<'_>]) -> Value {
    let mut text = String::new();
    let mut images: Vec<Value> = Vec::new();
    for content in contents {
        match content {
            Content::Text(piece) => {
                if !text.is_empty() {
                    text.push_str("\n\n");
                }
                text.push_str(piece);
            }
            Content::Image(image) => images.push(image.base64.as_str().into()),
        }
    }
    let mut message = Body::default();
    message.put("role", "user");
    message.put("content", text);
    message.put_list("images", images);
    message.into_object().into()
}

fn assistant(answered: &Answered<'_>) -> Value {
    let mut message = Body::default();
    message.put("role", "assistant");
    message.put("content", answered.text.as_str());
    message.put_some("thinking", Some(answered.thoughts()).filter(|text| !text.is_empty()));
    let calls = answered.calls.iter().map(|call| {
        let function = object([("name", call.name.into()), ("arguments", call.arguments.clone().into())]);
        object([("id", call.id.as_str().into()), ("function", function)])
    });
    message.put_list("tool_calls", calls.collect());
    message.into_object().into()
}
