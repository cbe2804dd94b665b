use krabba_types::{Message, Part, Reasoning, ReasoningOrigin};
use serde_json::json;

use crate::build_tests::{Session, call, request, result};
use crate::{Built, Cut, Shortened, TextLimits, check};

/// A call, and what it brought.
fn step(session: &mut Session, number: usize, lines: usize) {
    session.say(call(&format!("c{number}"), "x"));
    session.say(result(&format!("c{number}"), &format!("file {number}\n{}", "a line of the file\n".repeat(lines))));
}

fn results(built: &Built) -> Vec<&str> {
    let parts = built.messages.iter().flat_map(|message| &message.parts);
    let texts = parts.filter_map(|part| match part {
        Part::ToolResult(result) => Some(result.text.as_str()),
        Part::Text(_) | Part::Image(_) | Part::Reasoning(_) | Part::ToolCall(_) => None,
    });
    texts.collect()
}

fn is_cut(text: &str) -> bool {
    text.contains("tokens are left out here")
}

#[test]
fn a_long_turn_in_a_small_window_is_shortened_now_and_then() {
    let mut session = Session::new(8_192);
    let question = "what do the files say? ".repeat(60);
    session.user("before");
    session.assistant("yes");
    session.user(&question);
    let mut before: Vec<Message> = request(&mut session).messages;
    let mut cuts = Vec::new();
    for number in 0..20 {
        step(&mut session, number, 200);
        let built = request(&mut session);
        assert_eq!(check(&built.messages), Ok(()));
        assert!(built.messages.iter().any(|message| message.plain_text() == question), "step {number} has lost the question");
        assert!(!is_cut(results(&built).last().unwrap()), "step {number} was not read");
        match &built.cut {
            Some(cut) => {
                cuts.push(number);
                let lines = cut.to_string();
                assert!(lines.ends_with("tokens out of what was done so far in this turn"), "{lines}");
                assert_eq!(lines.contains("messages"), cuts.len() == 1, "{lines}");
            }
            None => assert!(built.messages.starts_with(&before), "step {number} changed what was sent before"),
        }
        let whole: Vec<bool> = results(&built).into_iter().map(|text| !is_cut(text)).collect();
        assert!(whole.is_sorted(), "step {number}: the oldest do not go first: {whole:?}");
        before = built.messages;
    }
    assert!(cuts.len() >= 3 && cuts.windows(2).all(|pair| pair[1] - pair[0] >= 2), "{cuts:?}");

    session.assistant("they say nothing");
    session.user("and now?");
    let next = request(&mut session);
    assert!(next.cut.is_none() && next.messages.starts_with(&before), "it is not so for good");
}

#[test]
fn a_turn_of_very_many_steps_fits() {
    let mut session = Session::new(8_192);
    session.user("look at all of them");
    for number in 0..40 {
        step(&mut session, number, 60);
        let built = request(&mut session);
        assert!(built.estimate.count <= 6_144, "step {number}: {}", built.estimate);
    }
}

#[test]
fn a_long_argument_of_a_call_that_was_made_leaves_room_to_go_on() {
    let mut session = Session::new(8_192);
    session.user("write it down");
    let mut wrote = call("c1", "x");
    let Some(Part::ToolCall(write)) = wrote.parts.first_mut() else { panic!("{wrote:?}") };
    let text = "a line of the file\n".repeat(1_200);
    write.arguments.insert("edits".to_owned(), json!([{ "path": "a.txt", "text": text, "line": 7 }]));
    session.say(wrote);
    session.say(result("c1", "written"));
    let built = request(&mut session);
    assert_eq!((check(&built.messages), results(&built)), (Ok(()), vec!["written"]));
    let calls = built.messages.iter().flat_map(|message| &message.parts).find_map(|part| match part {
        Part::ToolCall(call) => Some(&call.arguments),
        Part::Text(_) | Part::Image(_) | Part::Reasoning(_) | Part::ToolResult(_) => None,
    });
    let arguments = calls.unwrap();
    let told = arguments["edits"][0]["text"].as_str().unwrap();
    assert!(told.starts_with("a line of the file\n") && told.ends_with("a line of the file\n") && is_cut(told), "{told}");
    assert_eq!(arguments["edits"], json!([{ "path": "a.txt", "text": told, "line": 7 }]));
    assert_eq!(session.build().unwrap(), Built { cut: None, ..built });
}

#[test]
fn thoughts_of_earlier_steps_leave_room_to_go_on() {
    let mut session = Session::new(8_192);
    session.user("think hard");
    for number in 0..9 {
        let origin = ReasoningOrigin { route: session.route.clone(), field: "reasoning".to_owned(), artefact: None };
        let mut thinking = call(&format!("c{number}"), "x");
        thinking.parts.insert(0, Part::Reasoning(Reasoning { text: "and yet, perhaps, ".repeat(200), origin }));
        session.say(thinking);
        session.say(result(&format!("c{number}"), "found"));
        assert_eq!(check(&request(&mut session).messages), Ok(()));
    }
}

#[test]
fn a_result_is_readable_beside_a_long_question() {
    let mut session = Session::new(8_192);
    session.user(&"a word of the question ".repeat(700));
    assert_eq!(request(&mut session).cut, None);
    step(&mut session, 0, 500);
    let built = request(&mut session);
    assert!(crate::estimate_tokens(results(&built).last().unwrap()) >= 500, "{built:?}");
    assert_eq!(session.build().unwrap(), Built { cut: None, ..built });
}

#[test]
fn the_line_about_shortened_texts_says_whose_they_are() {
    let line = |dropped, of_question, of_work| {
        let shortened = Some(Shortened { limits: TextLimits::new(), of_question, of_work });
        Cut { keep_from: 1, dropped, of: 9, tokens: 70, shortened }.to_string()
    };
    assert_eq!(line(0, 1_200, 0), "left about 1,200 tokens out of the middle of the last message");
    assert_eq!(line(0, 0, 5_807), "left about 5,807 tokens out of what was done so far in this turn");
    let all = "cut 4 of 9 messages, about 70 tokens; left about 2 tokens out of the middle of the last message; \
               left about 3 tokens out of what was done so far in this turn";
    assert_eq!(line(4, 2, 3), all);
}
