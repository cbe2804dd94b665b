use serde_json::{Value, json};

use crate::schema::simplified;

fn object(value: Value) -> krabba_types::JsonObject {
    value.as_object().cloned().unwrap()
}

#[test]
fn a_property_called_like_a_keyword_survives() {
    let schema = object(json!({
        "type": "object",
        "properties": {
            "pattern": {"type": "string", "pattern": "^a"},
            "list": {"type": "array", "items": {"type": "string", "format": "uri"}},
            "either": {"anyOf": [{"type": "string", "pattern": "b"}, {"type": "null"}]},
            "kind": {"enum": [{"pattern": "kept"}], "default": {"format": "kept"}}
        },
        "required": ["pattern"],
        "additionalProperties": false
    }));
    let expected = object(json!({
        "type": "object",
        "properties": {
            "pattern": {"type": "string"},
            "list": {"type": "array", "items": {"type": "string"}},
            "either": {"anyOf": [{"type": "string"}, {"type": "null"}]},
            "kind": {"enum": [{"pattern": "kept"}], "default": {"format": "kept"}}
        },
        "required": ["pattern"],
        "additionalProperties": false
    }));
    assert_eq!(simplified(&schema, &["pattern", "format"]), expected);
    assert_eq!(simplified(&schema, &[]), schema);
}
