//! Answers that are none, and steps that lead nowhere: pointed out once, then told to the person as they are.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test ends where its set-up fails")]

mod support;

use krabba_agent::{Outcome, TurnEvent};
use krabba_testkit::ScriptedServer;
use krabba_types::{DoneReason, Fault, FaultKind};

use support::tools::acting_agent;
use support::{end, listen, messages, notices, say, server};

const EMPTY: &str = "[krabba: Your last answer was empty.";
const THINKING: &str = "[krabba: You only thought and did not answer.";
const TOLD: &str = "; told of that, it did no better: say it differently, or try another model with /model";

const ONE: &str = "{tool_call: {name: 'run', arguments: {command: 'one'}}}";
const TWO: &str = "{tool_call: {name: 'run', arguments: {command: 'two'}}}";
const THREE: &str = "{tool_call: {name: 'run', arguments: {command: 'three'}}}";

/// A server that plays the nth steps at the nth request, and the last ones from there on; asked whether it is there, it says so.
async fn playing(answers: &[&str]) -> ScriptedServer {
    let there = "{when: {contains: 'are you there?'}, steps: [{text: 'Yes.'}, 'end']}".to_owned();
    let last = answers.len();
    let when = |number: usize| if number == last { format!("from: {number}") } else { format!("request: {number}") };
    let rules = (1..).zip(answers).map(|(number, steps)| format!("{{when: {{{}}}, steps: [{steps}, 'end']}}", when(number)));
    let rules: Vec<String> = std::iter::once(there).chain(rules).collect();
    server(&format!("rules: [{}]", rules.join(", "))).await
}

fn fault(events: &[TurnEvent]) -> &Fault {
    match &end(events).outcome {
        Outcome::Failed(fault) => fault,
        other => panic!("{other:?}"),
    }
}

/// How often the model was told this, as its last request has it.
fn told(server: &ScriptedServer, words: &str) -> usize {
    let last = messages(server, server.generations().len() - 1);
    last.iter().map(|(_, text)| text.matches(words).count()).sum()
}

#[tokio::test]
async fn answer_that_is_none_is_pointed_out_once_and_then_told_to_the_person() {
    let cases = [
        ("{text: ''}", FaultKind::Empty, EMPTY),
        ("{text: ' \\n'}", FaultKind::Empty, EMPTY),
        ("{reasoning: 'hm'}", FaultKind::OnlyReasoning, THINKING),
    ];
    for (steps, kind, words) in cases {
        let server = playing(&[steps]).await;
        let state = tempfile::tempdir().unwrap();
        let (agent, _) = acting_agent(state.path(), &server, |_| {});
        let lane = agent.new_session();
        let events = listen(lane.turn(say("go"))).await;
        let fault = fault(&events);
        assert_eq!(fault.kind, kind, "{steps}: {fault:?}");
        assert!(fault.message.ends_with(TOLD), "{steps}: {fault:?}");
        assert_eq!((end(&events).text.as_str(), told(&server, words)), ("", 1), "{steps}");
        // Asked, asked without thinking, told what is wrong: and that is all.
        assert_eq!(server.generations().len(), 3, "{steps}");
        assert_eq!(end(&listen(lane.turn(say("are you there?"))).await).text, "Yes.", "{steps}");
    }
}

#[tokio::test]
async fn answer_that_repeats_itself_is_pointed_out_then_wanted_without_tools_and_then_given_up() {
    let round = "{text: 'and so it goes, and so it goes on. '}";
    let looping = vec![round; 400].join(", ");
    let words = "[krabba: Your last answer repeated itself without end";
    for (answers, said, requests) in [
        (vec![looping.as_str(), &looping, "{text: 'Short.'}"], Some("Short."), 3),
        (vec![&looping, &looping, &looping, ONE, "{text: 'At last.'}"], Some("At last."), 5),
        (vec![looping.as_str()], None, 4),
    ] {
        let server = playing(&answers).await;
        let state = tempfile::tempdir().unwrap();
        let (agent, journal) = acting_agent(state.path(), &server, |_| {});
        let events = listen(agent.new_session().turn(say("go"))).await;
        assert_eq!((server.generations().len(), told(&server, words)), (requests, 1), "{:?}", end(&events).outcome);
        assert_eq!(journal.lock().unwrap().len(), 0, "no tools when only an answer is wanted");
        match said {
            Some(said) => assert_eq!((end(&events).text.as_str(), support::text(&events).as_str()), (said, said)),
            None => assert_eq!((&fault(&events).kind, fault(&events).message.ends_with(TOLD)), (&FaultKind::Looping, true)),
        }
        let last = messages(&server, server.generations().len() - 1);
        assert!(!last.iter().any(|(_, text)| text.contains("so it goes")), "a loop is not read again");
    }
}

#[tokio::test]
async fn each_thing_that_can_be_wrong_with_an_answer_is_pointed_out_once() {
    let broken = "{text: '<tool_call>{\"name\": \"fly\", \"arguments\": {}}</tool_call>'}";
    let (empty, thinking) = ("{text: ''}", "{reasoning: 'hm'}");
    // Each of the first two is asked for once more without thinking before it is pointed out.
    let server = playing(&[empty, empty, thinking, broken, empty, thinking]).await;
    let state = tempfile::tempdir().unwrap();
    let (agent, journal) = acting_agent(state.path(), &server, |_| {});
    let events = listen(agent.new_session().turn(say("go"))).await;
    assert!(matches!(fault(&events).kind, FaultKind::Empty | FaultKind::OnlyReasoning), "{:?}", fault(&events));
    assert!(fault(&events).message.ends_with(TOLD), "{:?}", fault(&events));
    assert_eq!([EMPTY, THINKING, "there is no tool \"fly\""].map(|words| told(&server, words)), [1, 1, 1]);
    assert_eq!(*journal.lock().unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn empty_answer_after_tools_is_mended_without_doing_them_again() {
    let server = playing(&[ONE, "{text: ''}", "{text: ''}", "{text: 'It is done.'}"]).await;
    let state = tempfile::tempdir().unwrap();
    let (agent, journal) = acting_agent(state.path(), &server, |_| {});
    let events = listen(agent.new_session().turn(say("go"))).await;
    assert_eq!((end(&events).text.as_str(), &end(&events).outcome), ("It is done.", &Outcome::Answered(DoneReason::Stop)));
    assert_eq!(*journal.lock().unwrap(), ["run `one`"]);
    assert_eq!(told(&server, EMPTY), 1);
}

/// What comes of a model that makes these calls one after the other and begins anew after the last, as long as it may.
async fn round_and_round(cycle: &[&str]) -> (Vec<TurnEvent>, Vec<String>, ScriptedServer) {
    let calls: Vec<&str> = cycle.iter().copied().cycle().take(40).collect();
    let server = playing(&calls).await;
    let state = tempfile::tempdir().unwrap();
    let (agent, journal) = acting_agent(state.path(), &server, |_| {});
    let lane = agent.new_session();
    let events = listen(lane.turn(say("go"))).await;
    let done = journal.lock().unwrap().clone();
    (events, done, server)
}

#[tokio::test]
async fn cycle_of_calls_is_reminded_of_once_then_asked_to_answer_then_ended() {
    for cycle in [&[ONE][..], &[ONE, TWO], &[ONE, TWO, THREE], &[ONE, ONE, TWO, THREE]] {
        let (events, done, server) = round_and_round(cycle).await;
        let fault = fault(&events);
        assert_eq!(fault.kind, FaultKind::Looping, "{cycle:?}: {fault:?}");
        assert_eq!(told(&server, "this was done before"), 1, "{cycle:?}");
        assert_eq!(told(&server, "no more tools in this turn. Answer now"), 1, "{cycle:?}");
        assert_eq!(notices(&events).iter().filter(|line| line.contains("repeats itself")).count(), 1, "{cycle:?}");
        // Two rounds until the reminder, one step more, one call that is refused, and one too many.
        assert!(done.len() <= cycle.len() * 2 + 1, "{cycle:?}: {done:?}");
        assert_eq!(server.generations().len(), done.len() + 2, "{cycle:?}");
    }
}

#[tokio::test]
async fn cycle_that_is_left_at_the_reminder_or_when_asked_to_answer_ends_well() {
    for calls in [4, 5] {
        let calls: Vec<&str> = [ONE, TWO].into_iter().cycle().take(calls).chain(["{text: 'Neither.'}"]).collect();
        let server = playing(&calls).await;
        let state = tempfile::tempdir().unwrap();
        let (agent, journal) = acting_agent(state.path(), &server, |_| {});
        let events = listen(agent.new_session().turn(say("go"))).await;
        assert_eq!((end(&events).text.as_str(), &end(&events).outcome), ("Neither.", &Outcome::Answered(DoneReason::Stop)));
        assert_eq!(journal.lock().unwrap().len(), calls.len() - 1);
    }
}

#[tokio::test]
async fn results_that_differ_in_names_and_times_alone_are_the_same() {
    let (events, done, server) = round_and_round(&["{tool_call: {name: 'count', arguments: {}}}"]).await;
    assert_eq!((&fault(&events).kind, done.len()), (&FaultKind::Looping, 3));
    assert_eq!(told(&server, "this was done before"), 1);
}

#[tokio::test]
async fn calls_that_can_never_be_made_are_pointed_out_then_an_answer_is_wanted() {
    let unknown = |number: usize| format!("{{tool_call: {{name: 'fly{number}', arguments: {{}}}}}}");
    let misfit =
        |number: usize| format!("{{tool_call: {{name: 'call_tool', arguments: {{name: 'run', arguments: {{query: [[{number}]]}}}}}}}}");
    for call in [&unknown as &dyn Fn(usize) -> String, &misfit] {
        let calls: Vec<String> = (0..10).map(call).collect();
        let calls: Vec<&str> = calls.iter().map(String::as_str).collect();
        let server = playing(&calls).await;
        let state = tempfile::tempdir().unwrap();
        let (agent, journal) = acting_agent(state.path(), &server, |_| {});
        let events = listen(agent.new_session().turn(say("go"))).await;
        assert_eq!(fault(&events).kind, FaultKind::Looping);
        assert_eq!([told(&server, "again no call that can be made"), told(&server, "no more tools in this turn. Answer now")], [1, 1]);
        assert!(notices(&events).iter().any(|line| line.contains("calls that are none")), "{events:?}");
        assert_eq!((server.generations().len(), journal.lock().unwrap().len()), (5, 0));
    }
}

#[tokio::test]
async fn call_that_cannot_be_read_is_forgiven_after_one_that_could() {
    let broken = "{text: '<tool_call>{\"name\": \"fly\", \"arguments\": {}}</tool_call>'}";
    let server = playing(&[broken, ONE, broken, TWO, "{text: 'Both.'}"]).await;
    let state = tempfile::tempdir().unwrap();
    let (agent, journal) = acting_agent(state.path(), &server, |_| {});
    let events = listen(agent.new_session().turn(say("go"))).await;
    assert_eq!((end(&events).text.as_str(), journal.lock().unwrap().len()), ("Both.", 2));
    let server = playing(&[broken, broken, "{text: 'In words, then.'}"]).await;
    let state = tempfile::tempdir().unwrap();
    let (agent, _) = acting_agent(state.path(), &server, |_| {});
    assert_eq!(end(&listen(agent.new_session().turn(say("go"))).await).text, "In words, then.");
    let server = playing(&[broken]).await;
    let state = tempfile::tempdir().unwrap();
    let (agent, _) = acting_agent(state.path(), &server, |_| {});
    assert_eq!(fault(&listen(agent.new_session().turn(say("go"))).await).kind, FaultKind::Malformed);
    assert_eq!(server.generations().len(), 3);
}

#[tokio::test]
async fn equal_calls_of_one_answer_are_made_once_and_of_many_the_first() {
    let many: Vec<String> =
        (0..40).map(|number| format!("{{tool_call: {{name: 'run', arguments: {{command: 'step {number}'}}}}}}")).collect();
    let server = playing(&[&[ONE; 30].join(", "), &many.join(", "), "{text: 'Done.'}"]).await;
    let state = tempfile::tempdir().unwrap();
    let (agent, journal) = acting_agent(state.path(), &server, |_| {});
    let events = listen(agent.new_session().turn(say("go"))).await;
    assert_eq!(end(&events).text, "Done.");
    let done = journal.lock().unwrap().clone();
    assert_eq!((done.len(), done[0].as_str(), done[16].as_str()), (17, "run `one`", "run `step 15`"));
    assert_eq!(told(&server, "29 calls that repeat another one of the same answer were not made"), 1);
    assert_eq!(told(&server, "24 more calls were not made: one answer may hold 16"), 1);
}
