//! Within a session on one route, each request extends the one before, byte for byte: a server's prompt cache depends
//! on it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod conversation;

use conversation::{call, reasoning, request, result, route};
use krabba_dialect::{Shape, encode};
use krabba_types::{Dialect, Message, Part, Role, ServerKind, TemplateFamily, Thinking};
use proptest::prelude::*;
use serde_json::{Value, json, value::RawValue};

const SERVERS: [ServerKind; 13] = [
    ServerKind::LmStudio,
    ServerKind::LlamaCpp,
    ServerKind::Ollama,
    ServerKind::Vllm,
    ServerKind::Sglang,
    ServerKind::LiteLlm,
    ServerKind::Mlx,
    ServerKind::LocalAi,
    ServerKind::Jan,
    ServerKind::OpenAi,
    ServerKind::Anthropic,
    ServerKind::OpenRouter,
    ServerKind::Other,
];

/// What a turn of the agent adds before its next request.
#[derive(Clone, Debug)]
enum Step {
    /// The model answered and the person spoke again.
    Talk,
    /// The model made this many calls.
    Calls(usize),
}

fn grow(messages: &mut Vec<Message>, number: usize, step: &Step) {
    let thought =
        || reasoning("reasoning", &format!("thought {number}"), Some(json!({"type": "thinking", "thinking": "t", "signature": "s"})));
    match step {
        Step::Talk => {
            messages.push(Message { role: Role::Assistant, parts: vec![thought(), Part::Text(format!("answer {number}"))] });
            messages.push(Message::text(Role::User, format!("question {number} \"quoted\" \u{1f980}")));
        }
        Step::Calls(count) => {
            let ids: Vec<String> = (0..*count).map(|call| format!("{number}-{call}")).collect();
            let calls = ids.iter().map(|id| call(id, json!({"path": id})));
            messages.push(Message { role: Role::Assistant, parts: std::iter::once(thought()).chain(calls).collect() });
            messages.extend(ids.iter().map(|id| result(id, "something", number.is_multiple_of(2))));
        }
    }
}

/// The body up to the end of the last message, and the conversation's own text.
fn up_to_last_message(body: &[u8]) -> (String, String) {
    let text = String::from_utf8(body.to_vec()).unwrap();
    let fields: std::collections::BTreeMap<String, Box<RawValue>> = serde_json::from_str(&text).unwrap();
    let list = fields.get("messages").or_else(|| fields.get("input")).unwrap().get().to_owned();
    let open_list = list.strip_suffix(']').unwrap().to_owned();
    let (before, _) = text.split_once(&list).unwrap();
    (format!("{before}{open_list}"), open_list)
}

fn check(dialect: Dialect, shape: &Shape, steps: &[Step]) {
    let levels = [Thinking::Medium, Thinking::Off, Thinking::Unspecified, Thinking::High];
    let mut messages = vec![Message::text(Role::System, "Be brief."), Message::text(Role::User, "question")];
    let mut last: Option<String> = None;
    for (number, step) in steps.iter().enumerate() {
        let mut request = request(messages.clone());
        // The level of thinking, the budget and the temperature may differ from turn to turn.
        request.thinking = levels[number % levels.len()];
        request.max_output_tokens = Some(4_000 - u32::try_from(number).unwrap());
        request.params.temperature = (number % 3 != 0).then_some(0.5);
        let encoded = encode(dialect, &request, shape);
        let (found, _) = up_to_last_message(&encoded.body);
        if let Some(last) = &last {
            assert!(found.starts_with(last.as_str()), "{dialect} for {}:\n{last}\nis not the beginning of\n{found}", shape.server.name());
            assert!(found.len() > last.len());
        }
        assert_eq!(encode(dialect, &request, shape), encoded, "the same request gave other bytes");
        last = Some(found);
        grow(&mut messages, number, step);
    }
}

#[test]
fn a_longer_conversation_extends_the_bytes_of_a_shorter_one() {
    let steps =
        [Step::Talk, Step::Calls(1), Step::Calls(2), Step::Talk, Step::Talk, Step::Calls(3), Step::Talk, Step::Calls(1), Step::Talk];
    for dialect in Dialect::ALL {
        for server in SERVERS {
            check(dialect, &Shape { reasoning: true, ..Shape::new(server, route()) }, &steps);
        }
    }
}

#[test]
fn tools_stand_before_the_conversation() {
    for dialect in Dialect::ALL {
        let request = request(vec![Message::text(Role::User, "Hi")]);
        let encoded = encode(dialect, &request, &Shape::new(ServerKind::Other, route()));
        let body: Value = serde_json::from_slice(&encoded.body).unwrap();
        let keys: Vec<&String> = body.as_object().unwrap().keys().collect();
        let place = |wanted: &[&str]| keys.iter().position(|key| wanted.contains(&key.as_str())).unwrap();
        assert!(place(&["tools"]) < place(&["messages", "input"]), "{dialect}: {keys:?}");
    }
}

proptest! {
    #[test]
    fn any_course_of_a_conversation_keeps_its_prefix(
        steps in prop::collection::vec(prop_oneof![Just(Step::Talk), (1..4_usize).prop_map(Step::Calls)], 2..8),
        dialect in prop::sample::select(Dialect::ALL.to_vec()),
        server in prop::sample::select(SERVERS.to_vec()),
        family in prop::sample::select(vec![TemplateFamily::ChatMl, TemplateFamily::Harmony, TemplateFamily::Mistral, TemplateFamily::Unknown]),
        vision: bool,
        supports_tools in prop::option::of(Just(true)),
    ) {
        let mut shape = Shape { reasoning: true, vision, family, ..Shape::new(server, route()) };
        shape.compat.tools.supports_tools = supports_tools;
        check(dialect, &shape, &steps);
    }
}
