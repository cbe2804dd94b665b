use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::body::Body;

fn body(value: &Value) -> Body {
    let mut body = Body::default();
    for (key, value) in value.as_object().unwrap() {
        body.put(key, value.clone());
    }
    body
}

fn dropped(value: Value, paths: &[&str]) -> Value {
    let mut body = body(&value);
    body.drop_fields(&paths.iter().map(|path| (*path).to_owned()).collect::<BTreeSet<_>>());
    body.into_object().into()
}

#[test]
fn a_refused_field_is_found_however_the_server_spells_its_path() {
    let tools = json!({"model": "m", "tools": [{"function": {"name": "a", "strict": false}}, {"function": {"name": "b", "strict": true}}]});
    let without = json!({"model": "m", "tools": [{"function": {"name": "a"}}, {"function": {"name": "b"}}]});
    for path in ["tools.function.strict", "tools[0].function.strict", "tools.0.function.strict"] {
        assert_eq!(dropped(tools.clone(), &[path]), without, "{path}");
    }
}

#[test]
fn an_option_object_without_options_goes_too() {
    let reasoning = json!({"model": "m", "reasoning": {"effort": "low"}});
    assert_eq!(dropped(reasoning, &["reasoning.effort"]), json!({"model": "m"}));
}

#[test]
fn the_conversation_cannot_be_dropped() {
    let conversation = json!({"model": "m", "messages": [{"role": "user", "content": "hi", "name": "x"}], "stream": true});
    let paths = ["model", "messages", "stream", "messages[0].role", "messages.content", "messages.0.name", "", ".", "absent.field"];
    assert_eq!(dropped(conversation, &paths), json!({"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": true}));
}

#[test]
fn who_may_see_the_conversation_cannot_be_dropped() {
    let routing = json!({"model": "m", "provider": {"only": ["a"], "zdr": true}});
    assert_eq!(dropped(routing.clone(), &["provider", "provider.only", "provider.zdr", "provider[0].only"]), routing);
}

#[test]
fn the_users_own_fields_do_not_replace_the_request() {
    let mut body = body(&json!({"model": "m", "input": [], "options": {"num_ctx": 1, "seed": 2}}));
    let extra = json!({"model": "x", "input": [1], "stream": false, "options": {"seed": 3, "mirostat": 1}, "tier": "flex"});
    body.merge(extra.as_object().unwrap());
    let expected = json!({"model": "m", "input": [], "options": {"num_ctx": 1, "seed": 3, "mirostat": 1}, "tier": "flex"});
    assert_eq!(String::from_utf8(body.into_bytes()).unwrap(), expected.to_string());
}
