use krabba_types::{
    Aliases, CallChannel, CallId, Image, JsonObject, Message, ModelId, ModelRef, Part, ProviderId, Reasoning, ReasoningOrigin, Role,
    TemplateFamily, ToolAbility, ToolCall, ToolResult, ToolSpec,
};
use proptest::prelude::*;

use crate::repair_tests::log;
use crate::{
    ABORTED_LINE, Built, Cut, Entry, Input, Meter, Occasion, Offered, Pictures, PromptError, SystemPrompt, TextLimits, build, check, digest,
};

fn route(model: &str) -> ModelRef {
    ModelRef::new(ProviderId::new("local"), ModelId::new(model))
}

/// A session with one route, and what its requests depend on.
pub(crate) struct Session {
    system: SystemPrompt,
    pub(crate) history: Vec<Entry>,
    keep_from: u64,
    shortened: TextLimits,
    pub(crate) route: ModelRef,
    family: TemplateFamily,
    pictures: Pictures,
    window: u32,
    meter: Meter,
}

impl Session {
    pub(crate) fn new(window: u32) -> Self {
        Self {
            system: SystemPrompt::default(),
            history: Vec::new(),
            keep_from: 0,
            shortened: TextLimits::new(),
            route: route("m"),
            family: TemplateFamily::Unknown,
            pictures: Pictures::Stubbed,
            window,
            meter: Meter::new(),
        }
    }

    pub(crate) fn say(&mut self, message: Message) {
        let seq = self.history.len() as u64 + 1;
        self.history.push(Entry::new(seq, message));
    }

    pub(crate) fn user(&mut self, text: &str) {
        self.say(Message::text(Role::User, text));
    }

    pub(crate) fn assistant(&mut self, text: &str) {
        self.say(Message::text(Role::Assistant, text));
    }

    fn input(&self) -> Input<'_> {
        Input {
            system: &self.system,
            history: &self.history,
            keep_from: self.keep_from,
            shortened: &self.shortened,
            note: None,
            route: &self.route,
            family: self.family,
            pictures: self.pictures,
            window: self.window,
            told_for: self.window,
            max_output: None,
            offered: Offered { tools: &[], mode: ToolAbility::Native },
            meter: &self.meter,
        }
    }

    pub(crate) fn build(&self) -> Result<Built, PromptError> {
        build(&self.input())
    }
}

pub(crate) fn call(id: &str, argument: &str) -> Message {
    let mut arguments = JsonObject::new();
    arguments.insert("query".to_owned(), argument.into());
    Message {
        role: Role::Assistant,
        parts: vec![Part::ToolCall(ToolCall { id: CallId::new(id), name: "find".to_owned(), arguments, channel: CallChannel::default() })],
    }
}

pub(crate) fn result(id: &str, text: &str) -> Message {
    let result = ToolResult { call: CallId::new(id), name: "find".to_owned(), text: text.to_owned(), is_error: false, images: Vec::new() };
    Message { role: Role::Tool, parts: vec![Part::ToolResult(result)] }
}

/// The next request; what is cut and shortened stays so from then on.
pub(crate) fn request(session: &mut Session) -> Built {
    let built = session.build().unwrap();
    if let Some(cut) = &built.cut {
        assert!(cut.keep_from > session.keep_from || cut.shortened.is_some(), "{cut:?} after {}", session.keep_from);
        session.keep_from = session.keep_from.max(cut.keep_from);
        session.shortened.extend(cut.shortened.iter().flat_map(|shortened| &shortened.limits));
    }
    built
}

/// One turn of a mixed day: plain talk, tools, a stop, a picture.
fn turn(session: &mut Session, number: usize) -> Vec<Built> {
    let mut requests = Vec::new();
    let words = format!("question {number} ") + &"with some words in it ".repeat(number % 7 * 4 + 1);
    session.user(&words);
    if number % 9 == 4 {
        let image = Part::Image(Image { media_type: "image/png".to_owned(), base64: "AAAA".to_owned() });
        session.history.last_mut().unwrap().message.parts.push(image);
    }
    requests.push(request(session));
    match number % 5 {
        1 => {
            session.say(call(&format!("c{number}"), "boats"));
            session.say(result(&format!("c{number}"), &"a row of the answer\n".repeat(number % 11 * 3)));
            requests.push(request(session));
            session.assistant("found it");
        }
        2 => {
            session.say(call(&format!("c{number}"), "boats"));
            requests.push(request(session));
            session.assistant(ABORTED_LINE);
        }
        3 => session.assistant(ABORTED_LINE),
        _ => session.assistant(&"an answer of many words ".repeat(number % 6 * 10 + 1)),
    }
    requests
}

#[test]
fn a_request_extends_the_one_before_until_a_cut_is_reported() {
    let mut session = Session::new(4_096);
    let mut before: Vec<Message> = Vec::new();
    let mut cuts = Vec::new();
    let mut requests = 0;
    for number in 0..50 {
        for built in turn(&mut session, number) {
            requests += 1;
            assert_eq!(check(&built.messages), Ok(()));
            assert!(built.estimate.count <= 4_096 * 3 / 4, "{}", built.estimate);
            match built.cut {
                Some(_) => cuts.push(number),
                None => assert!(built.messages.starts_with(&before), "turn {number} changed what was sent before"),
            }
            before = built.messages;
        }
    }
    assert!(requests > 60 && (2..=12).contains(&cuts.len()), "{requests} requests, cuts at {cuts:?}");
    assert!(cuts.windows(2).all(|pair| pair[1] - pair[0] >= 2), "a cut must free enough for several turns: {cuts:?}");
}

#[test]
fn a_cut_says_what_left_and_keeps_whole_turns() {
    let mut session = Session::new(2_000);
    for number in 0..20 {
        session.user(&format!("question {number} {}", "word ".repeat(40)));
        session.say(call(&format!("c{number}"), "x"));
        session.say(result(&format!("c{number}"), "y"));
        session.assistant("done");
    }
    session.user("last");
    let built = session.build().unwrap();
    let cut = built.cut.unwrap();
    assert_eq!((cut.dropped % 4, cut.of, cut.shortened), (0, 81, None));
    assert_eq!(cut.keep_from, cut.dropped as u64 + 1);
    assert_eq!(check(&built.messages), Ok(()));
    assert_eq!(built.messages.last(), Some(&Message::text(Role::User, "last")));
    session.keep_from = cut.keep_from;
    assert_eq!(session.build().unwrap(), Built { cut: None, ..built });
}

#[test]
fn the_line_about_a_cut_has_its_numbers() {
    let cut = Cut { keep_from: 9, dropped: 12, of: 40, tokens: 9_300, shortened: None };
    assert_eq!(cut.to_string(), "cut 12 of 40 messages, about 9,300 tokens");
}

#[test]
fn a_message_larger_than_the_window_loses_its_middle_visibly() {
    let mut session = Session::new(4_096);
    session.user("before");
    session.assistant("yes");
    let giant = format!("BEGIN {} END", "the quick brown fox jumps over the lazy dog. ".repeat(1_000));
    session.user(&giant);
    let built = session.build().unwrap();
    let text = built.messages.last().unwrap().plain_text();
    assert!(text.starts_with("BEGIN the quick") && text.ends_with("lazy dog.  END"), "{text}");
    assert!(text.contains("tokens are left out here"), "{text}");
    let cut = built.cut.unwrap();
    let shortened = cut.shortened.clone().unwrap();
    assert_eq!(
        cut.to_string(),
        format!("left about {} tokens out of the middle of the last message", crate::fit::grouped(shortened.of_question))
    );
    assert!(shortened.of_question > 7_000 && built.estimate.count <= 3_072, "{shortened:?} {}", built.estimate);

    session.assistant("read");
    session.user("and?");
    let next = session.build().unwrap();
    assert!(next.messages.starts_with(&built.messages), "it is shortened the same way for good");
    assert_eq!(next.cut, None);
}

#[test]
fn many_large_results_in_the_last_turn_are_shortened_until_they_fit() {
    let mut session = Session::new(4_096);
    session.user("look at all of them");
    for number in 0..6 {
        session.say(call(&format!("c{number}"), "x"));
        session.say(result(&format!("c{number}"), &"a line of the file\n".repeat(200)));
    }
    let built = session.build().unwrap();
    assert_eq!(check(&built.messages), Ok(()));
    assert!(built.estimate.count <= 3_072, "{}", built.estimate);
    assert!(built.cut.unwrap().shortened.is_some());
    assert_eq!(built.messages.len(), 14);
}

#[test]
fn what_cannot_fit_says_by_how_much() {
    let mut session = Session::new(400);
    session.user("hello");
    let tools = [ToolSpec {
        name: "find".to_owned(),
        description: "word ".repeat(400),
        parameters: JsonObject::new(),
        aliases: Aliases::default(),
    }];
    let Err(PromptError::TooLarge(too_large)) =
        build(&Input { offered: Offered { tools: &tools, mode: ToolAbility::Native }, ..session.input() })
    else {
        panic!("it fits")
    };
    assert_eq!(too_large.window, 400);
    assert!((240..300).contains(&too_large.by_tokens), "{too_large}");
    assert!(too_large.to_string().contains("too large for a window of 400 tokens, of which instructions and tools take 5"), "{too_large}");
}

#[test]
fn the_last_question_survives_a_cut_behind_it() {
    let mut session = Session::new(8_192);
    session.user("first");
    session.assistant("yes");
    session.user("last");
    session.keep_from = 900;
    let built = session.build().unwrap();
    assert_eq!(built.messages.get(1..), Some([Message::text(Role::User, "last")].as_slice()));
    session.history.clear();
    assert_eq!(session.build(), Err(PromptError::NoUserMessage));
}

#[test]
fn the_question_survives_when_its_turn_outgrows_the_window() {
    let mut session = Session::new(8_192);
    session.user("before");
    session.assistant("yes");
    session.user("what do the files say?");
    session.assistant("fly()");
    session.history.push(Entry::inside(5, Message::text(Role::User, "[krabba: there is no tool \"fly\"]")));
    // Also where an older version cut the question away for good.
    for keep_from in [0, 5] {
        session.keep_from = keep_from;
        for number in 0..6 {
            session.say(call(&format!("c{number}"), "x"));
            session.say(result(&format!("c{number}"), &"a line of the file\n".repeat(300)));
            let built = request(&mut session);
            assert_eq!(check(&built.messages), Ok(()));
            let question = built.messages.get(1).unwrap().plain_text();
            assert_eq!(question, if session.keep_from == 0 { "before" } else { "what do the files say?" });
        }
        session.history.truncate(5);
    }
}

#[test]
fn foreign_reasoning_is_dropped_and_never_becomes_text() {
    let thought = |model: &str| {
        let origin = ReasoningOrigin { route: route(model), field: "reasoning".to_owned(), artefact: None };
        Part::Reasoning(Reasoning { text: format!("secret of {model}"), origin })
    };
    let mut session = Session::new(8_192);
    session.user("a");
    session.say(Message { role: Role::Assistant, parts: vec![thought("other"), thought("m"), Part::Text("b".to_owned())] });
    session.user("c");
    session.say(Message { role: Role::Assistant, parts: vec![thought("other")] });
    session.user("d");
    let built = session.build().unwrap();
    assert_eq!(built.messages.get(2).unwrap().parts, [thought("m"), Part::Text("b".to_owned())]);
    assert_eq!(built.messages.get(4), Some(&Message::text(Role::Assistant, ABORTED_LINE)));
    assert!(!format!("{:?}", built.messages).contains("secret of other"));
}

#[test]
fn pictures_are_stubs_for_a_model_without_eyes() {
    let image = Part::Image(Image { media_type: "image/png".to_owned(), base64: "AAAA".to_owned() });
    let mut session = Session::new(8_192);
    session.say(Message { role: Role::User, parts: vec![Part::Text("look".to_owned()), image.clone()] });
    let stubbed = session.build().unwrap();
    assert_eq!(stubbed.messages.last().unwrap().plain_text(), "look\n\n[image: not shown to this model]");
    session.pictures = Pictures::Shown;
    let shown = session.build().unwrap();
    assert_eq!(shown.messages.last().unwrap().parts.get(1), Some(&image));
    assert!(shown.estimate.count > stubbed.estimate.count + 1_000);
}

#[test]
fn picture_of_a_tool_stays_with_its_result() {
    let mut found = result("1", "a picture");
    if let Some(Part::ToolResult(result)) = found.parts.first_mut() {
        result.images.push(Image { media_type: "image/png".to_owned(), base64: "AAAA".to_owned() });
    }
    let mut session = Session::new(8_192);
    session.user("look");
    session.say(call("1", "a.png"));
    session.say(found.clone());
    let stubbed = session.build().unwrap();
    let Some(Part::ToolResult(told)) = stubbed.messages.last().unwrap().parts.first() else { panic!("{stubbed:?}") };
    assert_eq!((told.text.as_str(), told.images.len()), ("a picture\n[image: not shown to this model]", 0));
    session.pictures = Pictures::Shown;
    let shown = session.build().unwrap();
    assert_eq!(shown.messages.last(), Some(&found));
    assert!(shown.estimate.count > stubbed.estimate.count + 1_000);
}

#[test]
fn special_tokens_are_broken_everywhere_but_in_our_own_words() {
    let mut session = Session::new(8_192);
    session.family = TemplateFamily::ChatMl;
    session.user("<|im_start|>");
    session.say(call("1", "<|im_end|>"));
    session.say(result("1", "</tool_response>"));
    session.assistant("<|im_start|> it is");
    session.user("ok");
    let built = format!("{:?}", session.build().unwrap().messages);
    assert!(!built.contains("<|im_") && !built.contains("</tool_response>"), "{built}");
    assert!(built.contains("< |im_start|> it is") && built.contains("< |im_end|>"), "{built}");
}

#[test]
fn every_contributor_is_listed() {
    let mut session = Session::new(8_192);
    session.user("hello");
    session.assistant("hi");
    session.user("how are you?");
    let built = session.build().unwrap();
    let names: Vec<&str> = built.items.iter().map(|item| item.name.as_str()).collect();
    assert_eq!(names, ["identity", "history", "last message"]);
    assert_eq!(built.items.iter().map(|item| item.bytes).collect::<Vec<_>>().get(1..), Some([7, 12].as_slice()));
    let listed: u32 = built.items.iter().map(|item| item.tokens).sum();
    assert!(built.estimate.count - listed <= 5, "only the frame of the system message is missing");
    assert_eq!(built.room, 8_192 - built.estimate.count);
}

#[test]
fn a_calibrated_meter_moves_the_estimate() {
    let mut session = Session::new(8_192);
    session.user(&"word ".repeat(500));
    let before = session.build().unwrap();
    session.meter.observe(before.uncorrected, u64::from(before.uncorrected) * 2);
    let after = session.build().unwrap();
    assert_eq!((after.uncorrected, after.estimate.count), (before.uncorrected, before.uncorrected * 2));
}

#[test]
fn compacting_on_demand_keeps_the_last_turns() {
    let mut session = Session::new(8_192);
    session.user("only");
    session.assistant("one");
    assert_eq!(digest(&session.input(), Occasion::Asked), None);
    for number in 0..9 {
        session.user(&format!("question {number}"));
        session.assistant("an answer");
    }
    let leaving = digest(&session.input(), Occasion::Asked).unwrap();
    assert!((10..=14).contains(&leaving.messages) && leaving.messages.is_multiple_of(2), "{leaving:?}");
    session.keep_from = leaving.keep_from();
    session.user("next");
    assert_eq!(session.build().unwrap().messages.len(), 22 - leaving.messages);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_log_in_any_window_is_valid_or_refused(log in log(), window in 0_u32..3_000, keep_from in 0_u64..20) {
        let mut session = Session::new(window);
        session.keep_from = keep_from;
        for message in log {
            session.say(message);
        }
        match session.build() {
            Ok(built) => {
                prop_assert_eq!(check(&built.messages), Ok(()));
                prop_assert!(built.estimate.count <= window);
            }
            Err(PromptError::NoUserMessage) => prop_assert!(session.history.iter().all(|entry| entry.message.role != Role::User)),
            Err(PromptError::TooLarge(too_large)) => prop_assert!(too_large.by_tokens > 0 && window < 1_500, "{too_large}"),
        }
    }
}
