use krabba_types::{
    CallChannel, CallId, JsonObject, Message, ModelId, ModelRef, Part, ProviderId, Role, TemplateFamily, ToolAbility, ToolCall, ToolResult,
};

use crate::{Digest, Entry, Input, Meter, Occasion, Offered, Pictures, SystemPrompt, TextLimits, build, digest, estimate_tokens};

const WINDOW: u32 = 8_192;

const NOTHING: &TextLimits = &TextLimits::new();

fn input<'a>(history: &'a [Entry], system: &'a SystemPrompt, route: &'a ModelRef, meter: &'a Meter) -> Input<'a> {
    Input {
        system,
        history,
        keep_from: 0,
        shortened: NOTHING,
        note: None,
        route,
        family: TemplateFamily::ChatMl,
        pictures: Pictures::Stubbed,
        window: WINDOW,
        told_for: WINDOW,
        max_output: None,
        offered: Offered { tools: &[], mode: ToolAbility::Native },
        meter,
    }
}

/// Turns of a question, a call with its result, and an answer.
fn talk(turns: u64, words: usize) -> Vec<Entry> {
    let mut history = Vec::new();
    for turn in 0..turns {
        let arguments = JsonObject::from_iter([("path".to_owned(), format!("{turn}.txt").into())]);
        let call = ToolCall { id: CallId::new(format!("c{turn}")), name: "read".to_owned(), arguments, channel: CallChannel::default() };
        let result =
            ToolResult { call: call.id.clone(), name: "read".to_owned(), text: "data ".repeat(words), is_error: false, images: Vec::new() };
        let messages = [
            Message::text(Role::User, format!("question {turn} {}", "word ".repeat(words))),
            Message { role: Role::Assistant, parts: vec![Part::ToolCall(call)] },
            Message { role: Role::Tool, parts: vec![Part::ToolResult(result)] },
            Message::text(Role::Assistant, format!("answer {turn}")),
        ];
        history.extend((turn * 4 + 1..).zip(messages).map(|(seq, message)| Entry::new(seq, message)));
    }
    history
}

fn with<T>(history: &[Entry], work: impl FnOnce(&Input<'_>) -> T) -> T {
    let (system, route, meter) = (SystemPrompt::default(), ModelRef::new(ProviderId::new("p"), ModelId::new("m")), Meter::new());
    work(&input(history, &system, &route, &meter))
}

#[test]
fn five_windows_are_read_in_pieces_that_fit() {
    let history = talk(80, 250);
    let told = with(&history, |input| digest(input, Occasion::NearlyFull)).unwrap();
    assert!(told.tokens > WINDOW * 4, "{}", told.tokens);
    for piece in &told.pieces {
        assert!(estimate_tokens(&piece.text) <= WINDOW / 2);
        let request = told.request(piece, Some(&"noted ".repeat(500)), TemplateFamily::ChatMl);
        let tokens: u32 = request.iter().map(|message| estimate_tokens(&message.plain_text())).sum();
        assert!(tokens + told.longest < WINDOW * 4 / 5, "{tokens}");
    }
    // Each turn is in exactly one piece, and what stays begins where the last piece ends.
    let text: String = told.pieces.iter().map(|piece| piece.text.as_str()).collect();
    let turns = told.messages / 4;
    assert!((0..turns).all(|turn| text.matches(&format!("question {turn} ")).count() == 1 && text.contains(&format!("{turn}.txt"))));
    assert_eq!(told.keep_from(), u64::try_from(turns).unwrap() * 4 + 1);
    assert!(told.pieces.is_sorted_by_key(|piece| piece.keep_from));
}

#[test]
fn what_has_room_is_left_alone_until_a_person_asks() {
    let history = talk(3, 100);
    assert_eq!(with(&history, |input| digest(input, Occasion::NearlyFull)), None);
    assert!(with(&history, |input| digest(input, Occasion::Asked)).is_some());
    assert_eq!(with(&talk(1, 100), |input| digest(input, Occasion::Asked)), None);
}

#[test]
fn note_stands_before_the_first_message_that_stays() {
    let history = talk(2, 10);
    let built = with(&history, |input| build(&Input { keep_from: 5, note: Some("they spoke of <|im_start|> boats"), ..*input })).unwrap();
    let first = built.messages.iter().find(|message| message.role == Role::User).unwrap().plain_text();
    assert!(first.contains("boats") && first.contains("question 1") && !first.contains("<|im_start|>"), "{first}");
    assert!(!first.contains("question 0"));
    assert!(built.items.iter().any(|item| item.name == "note" && item.tokens > 0));
}

#[test]
fn what_is_no_note_is_not_taken_for_one() {
    let told: Digest = with(&talk(80, 250), |input| digest(input, Occasion::NearlyFull)).unwrap();
    let piece = &told.pieces[0];
    assert_eq!(told.note(piece, None, "  \n"), None);
    assert_eq!(told.note(piece, None, &"more than it read ".repeat(4_000)), None);
    assert_eq!(told.note(piece, None, " they spoke "), Some("they spoke".to_owned()));
    let long = told.note(piece, None, &"long ".repeat(2_000)).unwrap();
    assert!(estimate_tokens(&long) <= told.longest);
}
