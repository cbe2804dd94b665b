use krabba_types::{
    CallChannel, CallId, JsonObject, Message, ModelId, ModelRef, Part, ProviderId, Reasoning, ReasoningOrigin, Role, ToolCall, ToolResult,
};
use proptest::prelude::*;

use crate::repair::turns;
use crate::{ABORTED_LINE, Entry, Violation, check, repair};

fn user(text: &str) -> Message {
    Message::text(Role::User, text)
}

fn assistant(text: &str) -> Message {
    Message::text(Role::Assistant, text)
}

fn call_part(id: &str) -> Part {
    Part::ToolCall(ToolCall { id: CallId::new(id), name: "find".to_owned(), arguments: JsonObject::new(), channel: CallChannel::default() })
}

fn calls(ids: &[&str]) -> Message {
    Message { role: Role::Assistant, parts: ids.iter().map(|id| call_part(id)).collect() }
}

fn result(id: &str, text: &str) -> Message {
    let result = ToolResult { call: CallId::new(id), name: "find".to_owned(), text: text.to_owned(), is_error: false, images: Vec::new() };
    Message { role: Role::Tool, parts: vec![Part::ToolResult(result)] }
}

fn no_result(id: &str) -> Message {
    let text = "no result: the call was interrupted before it returned".to_owned();
    let result = ToolResult { call: CallId::new(id), name: "find".to_owned(), text, is_error: true, images: Vec::new() };
    Message { role: Role::Tool, parts: vec![Part::ToolResult(result)] }
}

#[test]
fn a_valid_list_is_left_alone() {
    let list = vec![
        Message::text(Role::System, "be"),
        user("a"),
        calls(&["1", "2"]),
        result("1", "x"),
        result("2", "y"),
        assistant("b"),
        user("c"),
    ];
    assert_eq!(repair(list.clone()), list);
    assert_eq!(check(&list), Ok(()));
}

#[test]
fn a_call_that_was_interrupted_gets_a_result_and_its_turn_an_end() {
    let repaired = repair(vec![user("a"), calls(&["1", "2"]), result("2", "y"), user("b")]);
    assert_eq!(repaired, [user("a"), calls(&["1", "2"]), no_result("1"), result("2", "y"), assistant(ABORTED_LINE), user("b")]);
}

#[test]
fn the_end_of_an_aborted_turn_never_varies() {
    let request = repair(vec![user("a"), calls(&["1"])]);
    let next = repair(vec![user("a"), calls(&["1"]), user("b")]);
    assert!(next.starts_with(&request), "the next request extends this one");
    let partial = repair(vec![user("a"), assistant("I was"), assistant(ABORTED_LINE), user("b")]);
    let expected = Message { role: Role::Assistant, parts: vec![Part::Text("I was".to_owned()), Part::Text(ABORTED_LINE.to_owned())] };
    assert_eq!(partial, [user("a"), expected, user("b")]);
}

#[test]
fn text_after_calls_joins_them_only_if_their_results_come() {
    let joined = Message { role: Role::Assistant, parts: vec![Part::Text("I look".to_owned()), call_part("1")] };
    assert_eq!(repair(vec![user("a"), calls(&["1"]), assistant("I look"), result("1", "x")]), [user("a"), joined, result("1", "x")]);
    let ended = repair(vec![user("a"), calls(&["1"]), assistant(ABORTED_LINE)]);
    assert_eq!(ended, [user("a"), calls(&["1"]), no_result("1"), assistant(ABORTED_LINE)]);
}

#[test]
fn orphan_results_and_a_beginning_without_question_are_dropped() {
    let repaired = repair(vec![assistant("hi"), result("0", "x"), user("a"), result("9", "x"), assistant("b"), result("8", "x")]);
    assert_eq!(repaired, [user("a"), assistant("b")]);
}

#[test]
fn results_are_put_in_the_order_of_their_calls() {
    let repaired = repair(vec![user("a"), calls(&["1"]), calls(&["2"]), result("2", "y"), result("1", "x"), assistant("b")]);
    assert_eq!(repaired, [user("a"), calls(&["1", "2"]), result("1", "x"), result("2", "y"), assistant("b")]);
}

#[test]
fn blank_and_repeated_ids_are_replaced() {
    let repaired = repair(vec![
        user("a"),
        calls(&["", ""]),
        result("", "x"),
        result("", "y"),
        assistant("b"),
        user("c"),
        calls(&["1"]),
        result("1", "z"),
        calls(&["1"]),
        result("1", "w"),
    ]);
    let expected = [
        user("a"),
        calls(&["call-2-0", "call-2-1"]),
        result("call-2-0", "x"),
        result("call-2-1", "y"),
        assistant("b"),
        user("c"),
        calls(&["1"]),
        result("1", "z"),
        calls(&["call-9-0"]),
        result("call-9-0", "w"),
    ];
    assert_eq!(repaired, expected);
}

#[test]
fn user_messages_in_a_row_are_one_question_and_empty_ones_are_named() {
    let merged = Message { role: Role::User, parts: vec![Part::Text("a".to_owned()), Part::Text("b".to_owned())] };
    assert_eq!(repair(vec![user("a"), user(""), user("b")]), [merged]);
    assert_eq!(repair(vec![user("  ")]), [user("(empty message)")]);
}

#[test]
fn what_is_said_in_the_persons_place_stays_in_its_turn() {
    let ours = |seq| Entry::inside(seq, user("[krabba: again]"));
    let history = [
        ours(1),
        Entry::new(2, user("a")),
        Entry::new(3, assistant("?")),
        ours(4),
        Entry::new(5, calls(&["1"])),
        Entry::new(6, result("1", "x")),
        ours(7),
    ];
    let turns = turns(history);
    let [turn] = turns.as_slice() else { panic!("{turns:?}") };
    let again = || user("[krabba: again]");
    let expected = [user("a"), assistant("?"), again(), calls(&["1"]), result("1", "x"), assistant(ABORTED_LINE), again()];
    assert_eq!((turn.first_seq, turn.stored, turn.messages.as_slice()), (2, 6, expected.as_slice()));
    assert_eq!(check(&turn.messages), Ok(()));
}

#[test]
fn later_system_messages_become_questions() {
    let repaired = repair(vec![Message::text(Role::System, "be"), user("a"), assistant("b"), Message::text(Role::System, "now this")]);
    assert_eq!(repaired, [Message::text(Role::System, "be"), user("a"), assistant("b"), user("now this")]);
}

#[test]
fn the_check_finds_what_templates_refuse() {
    let system = || Message::text(Role::System, "be");
    let cases = [
        (vec![user("a"), system()], Violation::SystemNotFirst { at: 1 }),
        (vec![assistant("a")], Violation::OutOfTurn { at: 0 }),
        (vec![user("a"), user("b")], Violation::OutOfTurn { at: 1 }),
        (vec![user("a"), result("1", "x")], Violation::OutOfTurn { at: 1 }),
        (vec![user("a"), assistant(" ")], Violation::Empty { at: 1 }),
        (vec![user("a"), calls(&[""])], Violation::BadId { at: 1 }),
        (vec![user("a"), calls(&["1"])], Violation::Unpaired { at: 2 }),
        (vec![user("a"), calls(&["1"]), result("2", "x")], Violation::Unpaired { at: 2 }),
        (vec![user("a"), calls(&["1"]), user("b")], Violation::Unpaired { at: 2 }),
        (vec![user("a"), calls(&["1"]), result("1", "x"), user("b")], Violation::OutOfTurn { at: 3 }),
        (vec![Message { role: Role::User, parts: vec![call_part("1")] }], Violation::WrongPart { at: 0 }),
        (vec![system()], Violation::NoUser),
    ];
    for (list, violation) in cases {
        assert_eq!(check(&list), Err(violation), "{list:?}");
    }
}

fn part() -> impl Strategy<Value = Part> {
    let id = prop_oneof![Just(""), Just("1"), Just("2"), Just("3"), Just("call-2-0")];
    let text = prop_oneof![Just(""), Just(" "), Just("words"), Just(ABORTED_LINE)];
    prop_oneof![
        3 => text.prop_map(|text| Part::Text(text.to_owned())),
        2 => id.clone().prop_map(call_part),
        2 => id.prop_map(|id| result(id, "").parts.remove(0)),
        1 => Just(Part::Reasoning(Reasoning {
            text: "hm".to_owned(),
            origin: ReasoningOrigin { route: ModelRef::new(ProviderId::new("p"), ModelId::new("m")), field: "reasoning".to_owned(), artefact: None },
        })),
    ]
}

/// Any log at all, messages that make no sense included.
pub(crate) fn log() -> impl Strategy<Value = Vec<Message>> {
    let role = prop_oneof![3 => Just(Role::User), 4 => Just(Role::Assistant), 3 => Just(Role::Tool), 1 => Just(Role::System)];
    let message = (role, proptest::collection::vec(part(), 0..4)).prop_map(|(role, parts)| Message { role, parts });
    proptest::collection::vec(message, 0..16)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_prefix_of_any_log_is_valid_for_the_strictest_template(log in log()) {
        for end in 0..=log.len() {
            let prefix = log.get(..end).unwrap().to_vec();
            let asked = prefix.iter().skip(1).any(|message| matches!(message.role, Role::User | Role::System)) || prefix.first().is_some_and(|message| message.role == Role::User);
            let repaired = repair(prefix);
            match check(&repaired) {
                Ok(()) => {}
                Err(Violation::NoUser) => prop_assert!(repaired.len() <= 1),
                Err(violation) => prop_assert!(false, "{violation}: {repaired:?}"),
            }
            prop_assert!(asked || repaired.iter().all(|message| message.role != Role::Assistant));
            prop_assert_eq!(repair(repaired.clone()), repaired);
        }
    }
}
