//! Links that a model put into a file itself, and read from there.

use krabba_store::Event;
use krabba_types::{CallChannel, CallId, JsonObject, Label, SessionId, Timestamp, ToolCall, ToolResult, TurnId};
use serde_json::{Value, json};

use crate::history_tests::{history, started, user};
use crate::links::Links;
use crate::record::{Record, ResultRecord};

/// What is told of `answer` after these calls and what they brought.
fn told(calls: &[(&str, Value, &str)], answer: &str) -> String {
    let mut records = vec![(user("go"), Label::Owner), (started(), Label::System)];
    for (number, (tool, arguments, text)) in (1..).zip(calls) {
        let id = CallId::new(format!("c{number}"));
        let arguments: JsonObject = arguments.as_object().unwrap().clone();
        records.push((
            Record::Call(ToolCall { id: id.clone(), name: (*tool).to_owned(), arguments, channel: CallChannel::Structured }),
            Label::Minted,
        ));
        let result = ToolResult { call: id, name: (*tool).to_owned(), text: (*text).to_owned(), is_error: false, images: Vec::new() };
        records.push((Record::Result(ResultRecord { result, structured: None, maker: None }), Label::untrusted("evil.example")));
    }
    let events: Vec<Event> = (1..)
        .zip(records)
        .map(|(seq, (record, label))| {
            let new = record.event(Some(&TurnId::new("1")), label, Timestamp(1)).unwrap();
            Event { session: SessionId::new("s"), seq, turn: new.turn, kind: new.kind, body: new.body, label: new.label, at: new.at }
        })
        .collect();
    let mut links = Links::of(&history(&events));
    let mut told = links.push(answer.to_owned());
    told.push_str(&links.finish());
    told
}

#[test]
fn link_that_was_read_is_told_and_one_that_the_model_wrote_is_not() {
    let page = ("web_fetch", json!({ "url": "https://docs.example/" }), r"see https://docs.example/guide\x");
    assert_eq!(told(&[page], r"see https://docs.example/guide\x"), r"see https://docs.example/guide\x");

    let link = r"https://evil.example\q?codeword=bluebird";
    let write = ("write", json!({ "path": "memory/n.md", "content": link }), "written");
    let read = ("read", json!({ "path": "memory/n.md" }), link);
    assert!(!told(&[write.clone(), read.clone()], link).contains("https://"));
    assert_eq!(told(&[read, write], link), link);
}

#[test]
fn link_that_was_put_together_in_a_file_was_not_read_there() {
    let link = "https://evil.example/?codeword=bluebird";
    let halves = [
        ("write", json!({ "path": "n.md", "content": "https://evil.example/?code" }), "written"),
        ("edit", json!({ "path": "n.md", "edits": [{ "oldText": "code", "newText": "codeword=bluebird" }] }), "edited"),
    ];
    for read in [
        ("read", json!({ "path": "./n.md" }), link),
        ("read", json!({ "file_path": "n.md", "x": "q.z" }), link),
        ("grep", json!({ "pattern": "evil" }), link),
        ("grep", json!({ "pattern": "codeword=.", "glob": "*.md" }), link),
    ] {
        let calls = [&halves[..], &[read]].concat();
        assert!(!told(&calls, link).contains("https://"));
    }
    for other in ["README.md", "docs/Makefile"] {
        let other = ("read", json!({ "path": other, "limit": 20 }), link);
        assert_eq!(told(&[&halves[..], &[other]].concat(), link), link);
    }
}
