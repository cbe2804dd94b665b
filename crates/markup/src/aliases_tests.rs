use krabba_types::{Aliases, ToolSpec};
use serde_json::{Value, json};

use crate::fit;

/// Has two names for one thing at each depth, a list that may be left out around its only item, and a choice.
fn tool() -> ToolSpec {
    let text = json!({"type": "string"});
    let item = json!({"type": "object", "properties": {"oldText": text, "newText": text}, "required": ["oldText", "newText"]});
    let properties = json!({"path": text, "edits": {"type": "array", "items": item}, "mode": {"enum": ["kill"]}, "cwd": text});
    let schema = json!({"type": "object", "properties": properties, "required": ["path", "edits"]});
    let names = [("file_path", "path"), ("old_string", "oldText"), ("new_string", "newText"), ("clear", "kill"), ("cwd", "path")];
    let names = names.map(|(other, name)| (other.to_owned(), name.to_owned())).into();
    let aliases = Aliases { names, flat: Some("edits".to_owned()) };
    ToolSpec { name: "edit".to_owned(), description: String::new(), parameters: schema.as_object().unwrap().clone(), aliases }
}

fn fitted(arguments: &Value) -> Value {
    let mut arguments = arguments.as_object().unwrap().clone();
    match fit(&mut arguments, &tool()) {
        Ok(()) => Value::Object(arguments),
        Err(misfit) => Value::String(misfit.to_string()),
    }
}

#[test]
fn a_call_by_other_names_is_the_call_that_is_meant() {
    let meant = json!({"path": "a", "edits": [{"oldText": "x", "newText": "y"}]});
    for written in [
        json!({"path": "a", "oldText": "x", "newText": "y"}),
        json!({"file_path": "a", "old_string": "x", "new_string": "y"}),
        json!({"path": "a", "edits": [{"old_string": "x", "newText": "y"}]}),
        json!({"path": "a", "edits": [], "oldText": "x", "newText": "y"}),
        json!({"path": "a", "edits": null, "oldText": "x", "newText": "y"}),
    ] {
        assert_eq!(fitted(&written), meant, "{written}");
        assert_eq!(fitted(&fitted(&written)), meant, "{written}");
    }
    let both = fitted(&json!({"path": "a", "edits": [{"oldText": "1", "newText": "2"}], "oldText": "x", "newText": "y"}));
    assert_eq!(both["edits"], json!([{"oldText": "1", "newText": "2"}, {"oldText": "x", "newText": "y"}]));
    assert_eq!(fitted(&json!({"path": "a", "edits": [], "mode": "clear"}))["mode"], json!("kill"));
}

#[test]
fn what_has_its_right_name_stays_what_it_is() {
    for arguments in [
        json!({"path": "a", "file_path": "b", "edits": [{"oldText": "x", "newText": "y", "old_string": "z"}]}),
        // The tool's own parameter is no other name for anything, and half an item is none.
        json!({"path": "a", "edits": [], "cwd": "b", "old_string": "x", "more": 1}),
    ] {
        assert_eq!(fitted(&arguments), arguments);
    }
    assert_eq!(fitted(&json!({"cwd": "a", "edits": []})), json!("\"path\" is missing"));
    assert_eq!(fitted(&json!({"path": "a", "old_string": "x"})), json!("\"edits\" is missing"));
}
