use krabba_types::{JsonObject, Params};
use serde_json::json;

use crate::{Sampling, sampling};

fn object(value: serde_json::Value) -> JsonObject {
    match value {
        serde_json::Value::Object(object) => object,
        other => panic!("{other}"),
    }
}

#[test]
fn later_layer_wins_key_by_key_in_either_spelling() {
    let below = object(
        json!({ "temperature": 1, "topP": 0.5, "stop": "a", "extra_body": { "x": 1, "y": 1 }, "maxTokens": 100, "cacheRetention": "short" }),
    );
    let above =
        object(json!({ "top_p": 0.9, "stop": ["b", "c"], "extraBody": { "y": 2 }, "chat_template_kwargs": { "enable_thinking": false } }));
    let params = Params {
        temperature: Some(1.0),
        top_p: Some(0.9),
        stop: vec!["b".to_owned(), "c".to_owned()],
        chat_template_kwargs: object(json!({ "enable_thinking": false })),
        extra_body: object(json!({ "x": 1, "y": 2 })),
        ..Params::default()
    };
    assert_eq!(sampling([&below, &above]), Sampling { params, max_tokens: Some(100) });
}
