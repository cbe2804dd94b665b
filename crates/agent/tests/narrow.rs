//! A turn that is longer than the window of its model.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test ends where its set-up fails")]

mod support;

use krabba_testkit::ScriptedServer;

use support::tools::acting_agent;
use support::{end, listen, notices, say, server};

const QUESTION: &str = "What do all these books say?";
/// What a person is told of texts that were shortened.
const SHORTENED: &str = "tokens out of what was done so far in this turn";

fn look(book: usize) -> String {
    format!("{{tool_call: {{name: 'look', arguments: {{query: 'book {book}'}}}}}}")
}

/// Asks a model that answers this, one request after the other, in a window of 8,192 tokens; gives what it read each time, and the lines
/// for the person.
async fn ask(answers: &[String]) -> (Vec<String>, Vec<String>) {
    let rules = (1..).zip(answers).map(|(number, steps)| format!("{{when: {{request: {number}}}, steps: [{steps}, 'end']}}"));
    let server = server(&format!("rules: [{}]", rules.collect::<Vec<_>>().join(", "))).await;
    let state = tempfile::tempdir().unwrap();
    let (agent, _) = acting_agent(state.path(), &server, |_| {});
    let events = listen(agent.new_session().turn(say(QUESTION))).await;
    assert_eq!(end(&events).text, "Done.", "{events:?}");
    let requests = (0..answers.len()).map(|generation| read(&server, generation)).collect();
    (requests, notices(&events).into_iter().map(str::to_owned).collect())
}

/// What a server reads of a request, in this order, without what closes it.
fn read(server: &ScriptedServer, generation: usize) -> String {
    let body = server.generations()[generation].json.clone().unwrap();
    format!("{} {}", body["tools"], body["messages"]).trim_end_matches(']').to_owned()
}

#[tokio::test]
async fn long_turn_is_read_anew_only_where_the_person_is_told_so() {
    let answers: Vec<String> = (1..=12).map(look).chain(["{text: 'Done.'}".to_owned()]).collect();
    let (requests, lines) = ask(&answers).await;
    let anew = requests.windows(2).filter(|pair| !pair[1].starts_with(&pair[0])).count();
    assert_eq!(lines.iter().filter(|line| line.contains(SHORTENED)).count(), anew, "{lines:?}");
    assert!((2..=6).contains(&anew), "{anew}: {lines:?}");
    for (number, request) in requests.iter().enumerate() {
        assert!(request.contains(QUESTION), "request {number} has lost the question");
        assert!(request.ends_with("\"}") && (number == 0 || request.contains(&format!("End of book {number}."))), "{request}");
    }
}

#[tokio::test]
async fn question_stays_when_an_answer_was_mended_before() {
    let wrong = "{text: '<tool_call>{\"name\": \"fly\", \"arguments\": {}}</tool_call>'}".to_owned();
    let answers: Vec<String> = std::iter::once(wrong).chain((1..=6).map(look)).chain(["{text: 'Done.'}".to_owned()]).collect();
    let (requests, _) = ask(&answers).await;
    assert!(requests[1].contains("[krabba: "), "{}", requests[1]);
    assert!(requests.iter().all(|request| request.contains(QUESTION)));
}

#[tokio::test]
async fn answer_comes_after_a_call_as_long_as_the_window() {
    let long = "so it is written down, ".repeat(900);
    let answers = [format!("{{tool_call: {{name: 'run', arguments: {{command: '{long}'}}}}}}"), "{text: 'Done.'}".to_owned()];
    let (requests, lines) = ask(&answers).await;
    assert!(requests[1].contains(QUESTION) && requests[1].contains("tokens are left out here"), "{}", requests[1]);
    assert_eq!(lines.iter().filter(|line| line.contains(SHORTENED)).count(), 1, "{lines:?}");
}
