//! Whatever a server sends, a decoder keeps its promises: it does not panic, it gives at most one ending and one end
//! mark, nothing after the end mark, no empty texts, no call after an error.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::fs;
use std::path::Path;

use krabba_dialect::{Decoder, WireEvent, parse_error};
use krabba_types::Dialect;
use proptest::prelude::*;
use serde_json::{Map, Value};

/// Words that decoders look for; anything else would hardly ever get past the first look.
const WORDS: [&str; 64] = [
    "choices",
    "delta",
    "message",
    "content",
    "reasoning",
    "reasoning_content",
    "reasoning_details",
    "thinking",
    "tool_calls",
    "function",
    "name",
    "arguments",
    "index",
    "id",
    "finish_reason",
    "usage",
    "timings",
    "prompt_n",
    "cache_n",
    "prompt_tokens",
    "completion_tokens",
    "error",
    "type",
    "response",
    "output",
    "item",
    "call_id",
    "item_id",
    "output_index",
    "status",
    "incomplete_details",
    "reason",
    "content_block",
    "partial_json",
    "signature",
    "text",
    "summary",
    "stop_reason",
    "done",
    "done_reason",
    "model",
    "eval_count",
    "eval_duration",
    "refusal",
    "prompt_progress",
    "processed",
    "total",
    "function_call",
    "input",
    "data",
    "encrypted_content",
    "detail",
    "metadata",
    "stop",
    "length",
    "completed",
    "reasoning_text",
    "tool_use",
    "message_stop",
    "progress",
    "object",
    "code",
    "part",
    "function_call_arguments",
];

const KINDS: [&str; 24] = [
    "error",
    "message_start",
    "content_block_start",
    "content_block_delta",
    "content_block_stop",
    "message_delta",
    "message_stop",
    "message",
    "ping",
    "response.created",
    "response.output_text.delta",
    "response.output_text.done",
    "response.refusal.delta",
    "response.reasoning_text.delta",
    "response.reasoning_summary_text.delta",
    "response.reasoning_summary_part.added",
    "response.output_item.added",
    "response.output_item.done",
    "response.function_call_arguments.delta",
    "response.function_call_arguments.done",
    "response.completed",
    "response.incomplete",
    "response.failed",
    "model_load.progress",
];

fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => prop::sample::select(WORDS.to_vec()).prop_map(str::to_owned),
        3 => prop::sample::select(KINDS.to_vec()).prop_map(str::to_owned),
        1 => any::<String>(),
        1 => Just("{\"a\":1}".to_owned()),
        1 => Just(String::new()),
    ]
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (0..3_u64).prop_map(Value::from),
        word().prop_map(Value::String),
    ];
    leaf.prop_recursive(5, 48, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::vec((word(), inner), 0..6).prop_map(|fields| Value::Object(fields.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// An event with a kind that some dialect knows, around arbitrary fields.
fn event() -> impl Strategy<Value = (Option<String>, String)> {
    let typed = (prop::sample::select(KINDS.to_vec()), prop::collection::vec((word(), json()), 0..6)).prop_map(|(kind, fields)| {
        let mut object: Map<String, Value> = fields.into_iter().collect();
        object.insert("type".to_owned(), kind.into());
        Value::Object(object).to_string()
    });
    let chunk = json().prop_map(|inner| serde_json::json!({"choices": [{"delta": inner, "message": inner}], "message": inner}).to_string());
    let data = prop_oneof![4 => typed, 3 => chunk, 2 => json().prop_map(|value| value.to_string()), 1 => any::<String>(), 1 => Just("[DONE]".to_owned())];
    (prop::option::weighted(0.3, prop::sample::select(KINDS.to_vec()).prop_map(str::to_owned)), data)
}

fn check(events: &[WireEvent]) -> Result<(), TestCaseError> {
    let finishes = events.iter().filter(|event| matches!(event, WireEvent::Finish(_))).count();
    prop_assert!(finishes <= 1, "{finishes} endings in {events:?}");
    if let Some(end) = events.iter().position(|event| matches!(event, WireEvent::EndMarker)) {
        // Comments and unreadable frames are no events of the answer, yet they too stay out.
        prop_assert_eq!(end, events.len() - 1, "something follows the end mark");
    }
    let names = events.iter().filter(|event| matches!(event, WireEvent::AnsweredBy(_))).count();
    prop_assert!(names <= 1);
    let mut failed = false;
    for event in events {
        match event {
            WireEvent::Text(text) | WireEvent::Reasoning(text) | WireEvent::AnsweredBy(text) => prop_assert!(!text.is_empty()),
            WireEvent::ToolCall { name, server_id, .. } => {
                prop_assert!(!failed, "a call after an error");
                prop_assert!(!name.is_empty());
                prop_assert!(server_id.as_ref().is_none_or(|id| !id.trim().is_empty()));
            }
            WireEvent::Error(error) => {
                failed = true;
                prop_assert!(!error.message.is_empty());
                prop_assert!(error.message.chars().count() <= 2_001 && error.raw.chars().count() <= 4_001);
            }
            _ => {}
        }
    }
    Ok(())
}

fn run(dialect: Dialect, events: &[(Option<String>, String)]) -> Vec<WireEvent> {
    let mut decoder = Decoder::new(dialect);
    let mut out = Vec::new();
    for (event, data) in events {
        decoder.event(event.as_deref(), data, &mut out);
    }
    decoder.finish(&mut out);
    out
}

/// All events of the dialect's transcripts.
fn corpus(folder: &str) -> Vec<(Option<String>, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(folder);
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    paths.sort();
    let mut events = Vec::new();
    for path in paths {
        let mut name = None;
        for line in fs::read_to_string(path).unwrap().lines().skip(1).filter(|line| !line.is_empty()) {
            match line.split_once(": ") {
                Some(("event", event)) => name = Some(event.to_owned()),
                Some(("data", data)) => events.push((name.take(), data.to_owned())),
                _ => events.push((None, line.to_owned())),
            }
        }
    }
    events
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn arbitrary_events_break_no_promise(events in prop::collection::vec(event(), 0..12)) {
        for dialect in Dialect::ALL {
            check(&run(dialect, &events))?;
        }
    }

    #[test]
    fn real_events_in_any_order_break_no_promise(picks in prop::collection::vec((any::<prop::sample::Index>(), 0..40_usize), 1..24)) {
        for (dialect, folder) in Dialect::ALL.into_iter().zip(["responses", "chat", "anthropic", "ollama"]) {
            let corpus = corpus(folder);
            let events: Vec<_> = picks.iter().map(|(pick, cut)| {
                let (event, data) = pick.get(&corpus).clone();
                // One in forty is cut short.
                let data = if *cut == 0 { data.chars().take(data.chars().count() / 2).collect() } else { data };
                (event, data)
            }).collect();
            check(&run(dialect, &events))?;
        }
    }

    #[test]
    fn arbitrary_bodies_break_no_promise(value in json(), garbage in prop::collection::vec(any::<u8>(), 0..200), text in any::<String>()) {
        for dialect in Dialect::ALL {
            for body in [value.to_string().as_bytes(), &garbage, text.as_bytes(), format!("data: {value}\n\ndata: [DONE]\n").as_bytes()] {
                check(&Decoder::whole(dialect, body))?;
            }
        }
        for body in [value.to_string().as_bytes(), &garbage, text.as_bytes()] {
            if let Some(error) = parse_error(body) {
                prop_assert!(!error.message.is_empty());
            }
        }
    }

    #[test]
    fn arguments_cut_anywhere_are_the_same_call(cuts in prop::collection::btree_set(0..60_usize, 0..8), repeat_name: bool, repeat_id: bool) {
        let arguments = r#"{"path":"a \"{}\" b","deep":{"list":[1,{"x":"}"}]},"n":2}"#;
        let mut pieces = vec![String::new()];
        for (place, character) in arguments.chars().enumerate() {
            if cuts.contains(&place) {
                pieces.push(String::new());
            }
            pieces.last_mut().unwrap().push(character);
        }
        let events: Vec<_> = pieces.iter().enumerate().map(|(number, piece)| {
            let first = number == 0;
            let id = if first || repeat_id { "call_1" } else { "" };
            let name = if first || repeat_name { "read" } else { "" };
            let call = serde_json::json!({"index": 0, "id": id, "function": {"name": name, "arguments": piece}});
            (None, serde_json::json!({"choices": [{"delta": {"tool_calls": [call]}}]}).to_string())
        }).chain([(None, r#"{"choices":[{"delta":{},"finish_reason":"tool_calls"}]}"#.to_owned())]).collect();
        let calls: Vec<_> = run(Dialect::OpenAiCompletions, &events).into_iter().filter(|event| matches!(event, WireEvent::ToolCall { .. })).collect();
        let expected = WireEvent::ToolCall {
            server_id: Some("call_1".to_owned()),
            name: "read".to_owned(),
            arguments: Ok(serde_json::from_str(arguments).unwrap()),
        };
        prop_assert_eq!(calls, vec![expected]);
    }
}
