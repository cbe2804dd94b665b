//! Turns over a scripted server: written before done, one at a time, stopped at once, continued after anything.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test ends where its set-up fails")]

mod support;

use std::sync::Arc;

use krabba_agent::{Change, Input, Outcome, Status, TurnEvent};
use krabba_context::ABORTED_LINE;
use krabba_store::{EventKind, NewEvent, NewSession, Store, StoredEvent};
use krabba_testkit::Fate;
use krabba_types::{AgentId, DoneReason, FaultKind, Image, Label, Part, Residency, SessionId, Thinking, Timestamp, TurnId};
use serde_json::json;

use support::{
    agent, agent_at, agent_with, end, eventually, listen, listen_until, messages, notices, provider, say, server, settings, text,
};

fn kinds(store: &Store, session: &SessionId) -> Vec<EventKind> {
    store.events(session, 0).unwrap().iter().filter_map(StoredEvent::readable).map(|event| event.kind).collect()
}

fn is_text(event: &TurnEvent) -> bool {
    matches!(event, TurnEvent::Text(_))
}

#[tokio::test]
async fn message_is_answered_and_both_are_stored() {
    let server = server("rules: [{steps: [{reasoning: 'hm'}, {text: 'hello '}, {text: 'you'}, 'end']}]").await;
    let state = tempfile::tempdir().unwrap();
    let agent = agent_at(state.path(), &server);
    let lane = agent.new_session();
    let events = listen(lane.turn(say("hi"))).await;

    assert!(matches!(events.first(), Some(TurnEvent::Status(_))), "{events:?}");
    assert_eq!(text(&events), "hello you");
    let end = end(&events);
    assert_eq!((end.text.as_str(), &end.outcome), ("hello you", &Outcome::Answered(DoneReason::Stop)));
    assert_eq!(end.answered.as_ref().map(ToString::to_string), Some(format!("local/{}", support::MODEL)));
    assert_eq!(end.attempts.len(), 1);

    let store = Store::open(state.path()).unwrap();
    let stored = [EventKind::Opening, EventKind::UserMessage, EventKind::TurnStarted, EventKind::AssistantMessage, EventKind::TurnEnded];
    assert_eq!(kinds(&store, lane.id()), stored);
    let row = store.session(lane.id()).unwrap().unwrap();
    assert_eq!(row.title, Some("hi".to_owned()));
    let usage = store.usage(lane.id()).unwrap();
    assert_eq!(usage.len(), 1);
    assert_eq!(usage[0].tokens, end.usage);
}

#[tokio::test]
async fn words_are_on_disk_before_any_model_is_asked() {
    let server = server("rules: [{steps: ['gate', {text: 'late'}, 'end']}]").await;
    let state = tempfile::tempdir().unwrap();
    let agent = agent_at(state.path(), &server);
    let lane = agent.new_session();
    let handle = lane.turn(say("remember this"));
    eventually(|| !server.generations().is_empty()).await;
    let store = Store::open(state.path()).unwrap();
    assert_eq!(kinds(&store, lane.id()), [EventKind::Opening, EventKind::UserMessage, EventKind::TurnStarted]);
    server.open_gate();
    assert_eq!(text(&listen(handle).await), "late");
}

#[tokio::test]
async fn stopped_answer_lets_the_server_go_and_keeps_what_was_said() {
    let server = server("rules: [{when: {request: 1}, steps: [{text: 'half of it'}, 'stall']}]").await;
    let state = tempfile::tempdir().unwrap();
    let agent = agent_at(state.path(), &server);
    let lane = agent.new_session();
    let mut handle = lane.turn(say("one"));
    listen_until(&mut handle, is_text).await;
    assert_eq!(lane.stop().await.turns, 1);
    let events = listen(handle).await;
    assert_eq!((end(&events).text.as_str(), &end(&events).outcome), ("half of it", &Outcome::Stopped));
    let faults: Vec<_> = end(&events).attempts.iter().map(|attempt| attempt.fault.as_ref().map(|fault| fault.kind.clone())).collect();
    assert_eq!(faults, [Some(FaultKind::Cancelled)]);
    eventually(|| server.in_flight() == 0).await;

    listen(lane.turn(say("two"))).await;
    let sent = messages(&server, 1);
    assert_eq!(sent[2], ("assistant".to_owned(), format!("half of it\n\n{ABORTED_LINE}")));
    assert_eq!(sent[3], ("user".to_owned(), "two".to_owned()));
}

#[tokio::test]
async fn dropped_handle_stops_the_servers_work() {
    let server = server("rules: [{steps: [{text: 'endless'}, 'stall']}]").await;
    let state = tempfile::tempdir().unwrap();
    let agent = agent_at(state.path(), &server);
    let lane = agent.new_session();
    let mut handle = lane.turn(say("one"));
    listen_until(&mut handle, is_text).await;
    drop(handle);
    let number = server.generations()[0].number;
    eventually(|| matches!(server.fate(number), Some(Fate::Abandoned { .. }))).await;
    agent.close().await;
    let store = Store::open(state.path()).unwrap();
    assert_eq!(kinds(&store, lane.id()).last(), Some(&EventKind::TurnEnded));
}

#[tokio::test]
async fn turn_that_waits_knows_its_place_and_can_be_stopped_unsent() {
    let server = server("rules: [{steps: ['gate', {text: 'ok'}, 'end']}]").await;
    let state = tempfile::tempdir().unwrap();
    let agent = agent_at(state.path(), &server);
    let lane = agent.new_session();
    let first = lane.turn(say("one"));
    let second = lane.turn(say("two"));
    let third = lane.turn(say("three"));
    eventually(|| !server.generations().is_empty()).await;
    second.stop();
    let events = listen(second).await;
    assert_eq!(events.first(), Some(&TurnEvent::Status(Status::Queued { position: 1 })));
    assert_eq!(end(&events).outcome, Outcome::Stopped);

    server.open_gate();
    assert_eq!(text(&listen(first).await), "ok");
    eventually(|| server.generations().len() == 2).await;
    server.open_gate();
    assert_eq!(text(&listen(third).await), "ok");
    let said: Vec<String> = messages(&server, 1).into_iter().skip(1).map(|(_, text)| text).collect();
    assert_eq!(said, ["one", "ok", "three"]);
    assert_eq!(server.max_in_flight(), 1);
}

#[tokio::test]
async fn session_of_a_killed_process_goes_on() {
    let server = server("").await;
    let state = tempfile::tempdir().unwrap();
    let id = SessionId::new("s");
    {
        // What kill -9 in the middle of an answer leaves: the words and the start of the turn.
        let store = Store::open(state.path()).unwrap();
        store.create_session(&NewSession { id: id.clone(), agent: AgentId::new("main"), title: None, at: Timestamp(1) }).unwrap();
        let event = |kind, body| NewEvent { turn: Some(TurnId::new("t")), kind, body, label: Label::Owner, at: Timestamp(1) };
        let words = event(EventKind::UserMessage, json!({ "parts": [{ "type": "text", "value": "lost?" }] }));
        store.append_all(&id, &[words, event(EventKind::TurnStarted, json!({}))]).unwrap();
    }
    let agent = agent_at(state.path(), &server);
    let events = listen(agent.session(id.clone()).turn(say("go on"))).await;
    assert!(matches!(end(&events).outcome, Outcome::Answered(_)));
    assert_eq!(notices(&events).len(), 1, "{events:?}");
    assert!(notices(&events)[0].starts_with("krabba was ended in the middle of the previous answer"));
    let said: Vec<String> = messages(&server, 0).into_iter().skip(1).map(|(_, text)| text).collect();
    assert_eq!(said, ["lost?", ABORTED_LINE, "go on"]);

    let events = listen(agent.session(id).turn(say("again"))).await;
    assert_eq!(notices(&events), Vec::<&str>::new(), "told once");
}

#[tokio::test]
async fn two_processes_take_turns_in_one_session() {
    let server = server("rules: [{steps: ['gate', {text: 'ok'}, 'end']}]").await;
    let state = tempfile::tempdir().unwrap();
    let (one, two) = (agent_at(state.path(), &server), agent_at(state.path(), &server));
    let id = SessionId::new("s");
    let first = one.session(id.clone()).turn(say("one"));
    eventually(|| !server.generations().is_empty()).await;
    let mut second = two.session(id.clone()).turn(say("two"));
    let waiting = listen_until(&mut second, |event| matches!(event, TurnEvent::Notice(_))).await;
    assert!(notices(&waiting)[0].contains("is answering in this session"), "{waiting:?}");
    assert_eq!(server.generations().len(), 1);
    server.open_gate();
    listen(first).await;
    eventually(|| server.generations().len() == 2).await;
    server.open_gate();
    assert_eq!(text(&listen(second).await), "ok");
    let said: Vec<String> = messages(&server, 1).into_iter().skip(1).map(|(_, text)| text).collect();
    assert_eq!(said, ["one", "ok", "two"]);
}

#[tokio::test]
async fn each_request_extends_the_one_before() {
    let server = server("rules: [{when: {request: 2}, steps: [{text: 'par'}, 'cut']}]").await;
    let state = tempfile::tempdir().unwrap();
    let agent = agent_at(state.path(), &server);
    let lane = agent.new_session();
    for words in ["one", "two", "three", "four"] {
        listen(lane.turn(say(words))).await;
    }
    let count = server.generations().len();
    for number in 1..count {
        let (before, after) = (messages(&server, number - 1), messages(&server, number));
        assert_eq!(after[..before.len()], before[..], "request {number} does not extend the one before");
    }
}

#[tokio::test]
async fn reasoning_is_heard_only_where_it_was_asked_for() {
    let server = server("rules: [{steps: [{reasoning: 'secret thoughts'}, {text: 'answer'}, 'end']}]").await;
    let state = tempfile::tempdir().unwrap();
    let agent = agent_at(state.path(), &server);
    let lane = agent.new_session();
    let reasoned = |events: &[TurnEvent]| -> String {
        events.iter().filter_map(|event| if let TurnEvent::Reasoning(text) = event { Some(text.as_str()) } else { None }).collect()
    };
    let events = listen(lane.turn(say("one"))).await;
    assert_eq!((text(&events).as_str(), reasoned(&events).as_str()), ("answer", ""));
    assert!(events.iter().any(|event| matches!(event, TurnEvent::Status(Status::Thinking { tokens: 1.. }))), "{events:?}");

    lane.change(Change::Reasoning { shown: true }).await.unwrap();
    let events = listen(lane.turn(say("two"))).await;
    assert_eq!((text(&events).as_str(), reasoned(&events).as_str()), ("answer", "secret thoughts"));
}

#[tokio::test]
async fn answer_that_ran_out_of_room_says_so() {
    let server = server("rules: [{steps: [{text: 'and then'}, {finish: 'length'}, 'done_marker']}]").await;
    let state = tempfile::tempdir().unwrap();
    let events = listen(agent_at(state.path(), &server).new_session().turn(say("tell"))).await;
    assert_eq!(end(&events).outcome, Outcome::Answered(DoneReason::Length));
    assert!(notices(&events).iter().any(|line| line.starts_with("the answer is cut off")), "{events:?}");
}

#[tokio::test]
async fn listener_that_does_not_listen_holds_up_neither_model_nor_memory() {
    let server = server("rules: [{steps: [{repeat: {text: 'crab ', times: 5}}, {text: 'x'}, 'end']}]").await;
    let state = tempfile::tempdir().unwrap();
    let agent = agent_at(state.path(), &server);
    let lane = agent.new_session();
    let handle = lane.turn(say("go"));
    let store = Store::open(state.path()).unwrap();
    let stored = || kinds(&store, lane.id()).last() == Some(&EventKind::TurnEnded);
    eventually(stored).await;
    assert_eq!(text(&listen(handle).await), "crab crab crab crab crab x");
}

#[tokio::test]
async fn leaving_home_is_announced_once_in_the_life_of_a_session() {
    let server = server("").await;
    let state = tempfile::tempdir().unwrap();
    let hosted = || settings(vec![provider("cloud", server.v1(), Residency::Hosted)]);
    let id = SessionId::new("s");
    let events = listen(agent(state.path(), hosted()).session(id.clone()).turn(say("one"))).await;
    let told = notices(&events).iter().filter(|line| line.contains("leaves your own machines")).count();
    assert_eq!(told, 1, "{events:?}");
    // Another process, which has only the store to know it from.
    let events = listen(agent(state.path(), hosted()).session(id).turn(say("two"))).await;
    assert_eq!(notices(&events), Vec::<&str>::new());
}

#[tokio::test]
async fn private_session_never_reaches_a_hosted_model() {
    let server = server("").await;
    let state = tempfile::tempdir().unwrap();
    let agent = agent(state.path(), settings(vec![provider("cloud", server.v1(), Residency::Hosted)]));
    let lane = agent.new_session();
    lane.change(Change::Residency { places: vec![Residency::Device] }).await.unwrap();
    let events = listen(lane.turn(say("between us"))).await;
    assert!(!end(&events).outcome.is_answer(), "{events:?}");
    assert_eq!(server.generations().len(), 0);

    let successor = agent.succeed(&lane).await.unwrap();
    listen(successor.turn(say("still between us"))).await;
    assert_eq!(server.generations().len(), 0);
}

#[tokio::test]
async fn nobody_there_is_a_failed_turn_and_the_words_are_kept() {
    let server = server("").await;
    let dead = settings(vec![provider("local", server.v1(), Residency::Device)]);
    drop(server);
    let state = tempfile::tempdir().unwrap();
    let store = Arc::new(Store::open(state.path()).unwrap());
    let agent = agent_with(Arc::clone(&store), state.path(), dead);
    let lane = agent.new_session();
    let events = listen(lane.turn(say("anybody?"))).await;
    let Outcome::Failed(fault) = &end(&events).outcome else { panic!("{events:?}") };
    assert_eq!(fault.kind, FaultKind::Unreachable);
    assert_eq!(kinds(&store, lane.id()).get(1), Some(&EventKind::UserMessage));
    assert_eq!(kinds(&store, lane.id()).last(), Some(&EventKind::TurnEnded));
}

#[tokio::test]
async fn tool_call_nobody_offered_is_not_a_silent_success() {
    let server =
        server("rules: [{steps: [{tool_call: {name: 'rm', arguments: {path: '/'}}}, {finish: 'tool_calls'}, 'done_marker']}]").await;
    let state = tempfile::tempdir().unwrap();
    let events = listen(agent_at(state.path(), &server).new_session().turn(say("go"))).await;
    assert!(!end(&events).outcome.is_answer(), "{events:?}");
}

#[tokio::test]
async fn closed_agent_refuses_new_turns_and_leaves_no_task() {
    let server = server("rules: [{steps: ['stall']}]").await;
    let state = tempfile::tempdir().unwrap();
    let agent = agent_at(state.path(), &server);
    let lane = agent.new_session();
    let handle = lane.turn(say("one"));
    eventually(|| !server.generations().is_empty()).await;
    agent.close().await;
    assert_eq!(end(&listen(handle).await).outcome, Outcome::Stopped);
    assert_eq!(end(&listen(lane.turn(say("two"))).await).outcome, Outcome::Stopped);
    assert_eq!(server.generations().len(), 1);
}

#[tokio::test]
async fn choices_of_a_session_hold_for_its_turns_and_its_successor() {
    let server = server("").await;
    let state = tempfile::tempdir().unwrap();
    let agent = agent_at(state.path(), &server);
    let lane = agent.new_session();
    lane.change(Change::Thinking { level: Some(Thinking::High) }).await.unwrap();
    listen(lane.turn(say("one"))).await;
    let successor = agent.succeed(&lane).await.unwrap();
    let view = successor.view().await.unwrap();
    assert_eq!((view.settings.thinking, view.turns), (Some(Thinking::High), 0));
    assert_ne!(successor.id(), lane.id());
}

#[tokio::test]
async fn answer_that_begins_anew_leaves_nothing_of_the_first_attempt() {
    let (one, two) =
        (server("rules: [{steps: [{text: 'wrong half'}, 'reset']}]").await, server("rules: [{steps: [{text: 'right'}, 'end']}]").await);
    let state = tempfile::tempdir().unwrap();
    let providers = vec![provider("one", one.v1(), Residency::Device), provider("two", two.v1(), Residency::Lan)];
    let agent = agent(state.path(), settings(providers));
    let lane = agent.new_session();
    let events = listen(lane.turn(say("go"))).await;
    assert_eq!((text(&events).as_str(), end(&events).text.as_str()), ("right", "right"));
    assert_eq!(end(&events).answered.as_ref().map(|route| route.provider.to_string()), Some("two".to_owned()));
    let store = Store::open(state.path()).unwrap();
    let stored = store.events(lane.id(), 0).unwrap();
    let answers: Vec<_> =
        stored.iter().filter_map(StoredEvent::readable).filter(|event| event.kind == EventKind::AssistantMessage).collect();
    assert_eq!(answers.len(), 1);
    assert!(!answers[0].body.to_string().contains("wrong half"));
    assert_eq!(store.usage(lane.id()).unwrap().len(), end(&events).attempts.len());
}

#[tokio::test]
async fn cut_is_remembered_so_that_the_prefix_holds_behind_it() {
    let server = server("").await;
    let state = tempfile::tempdir().unwrap();
    let agent = agent_at(state.path(), &server);
    let lane = agent.new_session();
    // About a quarter of the window each, so that the fourth does not fit any more.
    for number in 1..=5 {
        listen(lane.turn(say(&format!("{number} {}", "crab ".repeat(1_800))))).await;
    }
    let store = Store::open(state.path()).unwrap();
    assert!(kinds(&store, lane.id()).contains(&EventKind::Compaction));
    let first_words = |generation: usize| -> Vec<char> {
        messages(&server, generation)
            .iter()
            .skip(1)
            .filter(|(role, _)| role == "user")
            .filter_map(|(_, text)| text.chars().next())
            .collect()
    };
    let begins: Vec<Option<char>> = (0..5).map(|generation| first_words(generation).first().copied()).collect();
    assert_eq!(begins.first(), Some(&Some('1')));
    assert_ne!(begins.last(), Some(&Some('1')), "{begins:?}");
    let cuts = begins.windows(2).filter(|pair| pair[0] != pair[1]).count();
    assert!(cuts <= 2, "the beginning moves with every turn: {begins:?}");
}

#[tokio::test]
async fn picture_for_a_blind_model_is_not_passed_over_in_silence() {
    let server = server("").await;
    let state = tempfile::tempdir().unwrap();
    let image = Image { media_type: "image/png".to_owned(), base64: "iVBORw0KGgo=".to_owned() };
    let input = Input::parts(vec![Part::Text("what is it?".to_owned()), Part::Image(image)]);
    let events = listen(agent_at(state.path(), &server).new_session().turn(input)).await;
    assert!(end(&events).outcome.is_answer(), "{events:?}");
    assert!(notices(&events).iter().any(|line| line.contains("is not known to see pictures")), "{events:?}");
    let sent = messages(&server, 0);
    assert!(sent.last().unwrap().1.starts_with("what is it?"));
    assert!(!String::from_utf8_lossy(&server.generations()[0].body).contains("iVBORw0KGgo"));
}
