//! What is said when an answer begins anew, and what is remembered of servers in trouble.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use krabba_route::{Provider, Settings};
use krabba_store::Store;
use krabba_testkit::{BootStyle, Script, ScriptedServer, ServerError, Step};
use krabba_types::{Dialect, ManualClock, Residency, Timestamp};
use support::{Talk, ask, house, house_at, in_order, provider, run};

async fn server(script: Script) -> ScriptedServer {
    ScriptedServer::start(script).await.unwrap()
}

fn local(id: &str, server: &ScriptedServer) -> Provider {
    provider(id, &server.v1(), Residency::Device, Dialect::OpenAiCompletions, &["m"])
}

fn hosted(id: &str, server: &ScriptedServer) -> Provider {
    provider(id, &server.v1(), Residency::Hosted, Dialect::OpenAiCompletions, &["m"])
}

/// The words about a cut answer of `server`.
fn broke_off(id: &str, server: &ScriptedServer) -> String {
    format!("{id}: the answer of {}/chat/completions broke off", server.v1())
}

#[tokio::test]
async fn an_answer_that_breaks_off_twice_is_told_in_two_lines_that_differ() {
    let one = server(Script::any().model("m").steps([Step::text("half "), Step::Cut])).await;
    let told = run(&house(in_order(vec![local("one", &one)])), &ask(), Talk::new(10)).await;
    let happened = broke_off("one", &one);
    let asked_again = format!("restarted {happened}; asking it once more");
    assert_eq!(told.lines, ["attempt one/m", "text half ", asked_again.as_str(), "attempt one/m", "text half "]);
    assert_eq!(told.end.outcome.unwrap_err().message, format!("{happened}, twice"));
}

#[tokio::test]
async fn an_answer_that_goes_on_elsewhere_is_told_in_one_line() {
    let one = server(Script::any().model("m").steps([Step::text("half "), Step::Cut])).await;
    let two = server(Script::any().model("m").reply("whole")).await;
    let house = house(in_order(vec![local("one", &one), hosted("two", &two)]));
    let instead = format!("restarted {}; asking two/m instead", broke_off("one", &one));
    let leaving = format!("{instead}; the conversation leaves your own machines (hosted)");
    let told = run(&house, &ask(), Talk::new(10)).await;
    assert_eq!(told.lines, ["attempt one/m", "text half ", leaving.as_str(), "attempt two/m", "text whole"]);
    // In the next turn who stands in is no news, and what is taken back is said all the same.
    let told = run(&house, &ask(), Talk::new(10)).await;
    assert_eq!(told.lines, ["attempt one/m", "text half ", instead.as_str(), "attempt two/m", "text whole"]);
}

#[tokio::test]
async fn thinking_without_an_answer_is_asked_for_again_in_one_line() {
    let one = server(Script::any().model("m").steps([Step::reasoning("hm"), Step::End]).only_request(1).reply("hello")).await;
    let told = run(&house(in_order(vec![local("one", &one)])), &ask(), Talk::new(10)).await;
    assert_eq!(told.text(), "hello");
    let lines: Vec<&String> = told.lines.iter().filter(|line| line.contains("only reasoned")).collect();
    assert!(
        matches!(lines[..], [line] if line.starts_with("restarted ") && line.ends_with("; asking it again without thinking")),
        "{lines:?}"
    );
}

#[tokio::test]
async fn a_request_that_a_template_refuses_does_not_hold_the_route() {
    let words = "Conversation roles must alternate user/assistant/user/assistant/...";
    let one = server(Script::any().model("m").fails(ServerError::new(400, words))).await;
    let two = server(Script::any().model("m").reply("hello")).await;
    let house = house(in_order(vec![hosted("one", &one), hosted("two", &two)]));
    for _ in 0..5 {
        let told = run(&house, &ask(), Talk::new(10)).await;
        assert_eq!(told.attempts(), [("one/m".to_owned(), Some("badRequest")), ("two/m".to_owned(), None)]);
    }
    assert_eq!(one.generations().len(), 5);
}

/// A box that loads for as long as the test likes, given a second, and perhaps somebody behind it.
fn slow(booting: &ScriptedServer, behind: Option<&ScriptedServer>) -> Settings {
    let mut one = local("one", booting);
    one.clocks.load = Some(Duration::from_secs(1));
    in_order(std::iter::once(one).chain(behind.map(|two| local("two", two))).collect())
}

#[tokio::test]
async fn a_load_that_never_ends_costs_its_whole_time_once() {
    let one = server(Script::llama_cpp().model("m").booting(BootStyle::default()).reply("at last")).await;
    let two = server(Script::any().model("m").reply("hello")).await;
    let store = Arc::new(Store::open_in_memory().unwrap());
    let clock = Arc::new(ManualClock::at(Timestamp(0)));
    let turn = async |settings: Settings| {
        // A house of its own each time: what is remembered is what another process knows.
        let told = run(&house_at(settings, Arc::clone(&store), clock.clone()), &ask(), Talk::new(10)).await;
        let ends = [
            "; it was waited for 1 s",
            " (in the next 1 min 100 ms at most)",
            "; it was waited for 100 ms only, as its last load did not end",
        ];
        let said: String = told.notices().concat();
        let last = told.end.outcome.as_ref().err().map(|fault| fault.message.clone()).unwrap_or_default();
        (ends.map(|end| said.contains(end) || last.contains(end)), told.text())
    };
    let hello = || "hello".to_owned();
    assert_eq!(turn(slow(&one, Some(&two))).await, ([true, true, false], hello()));
    assert_eq!(turn(slow(&one, Some(&two))).await, ([false, false, true], hello()));
    // Nobody else is there to answer: it gets all its time, and the memory of it lasts longer.
    assert_eq!(turn(slow(&one, None)).await, ([true, false, false], String::new()));
    clock.advance(Duration::from_secs(119));
    assert_eq!(turn(slow(&one, Some(&two))).await, ([false, false, true], hello()));
    clock.advance(Duration::from_secs(1));
    let (said, text) = turn(slow(&one, Some(&two))).await;
    assert_eq!((said[0], said[2], text), (true, false, hello()));
    // It is loaded after all: all is forgotten.
    one.release();
    assert_eq!(turn(slow(&one, Some(&two))).await, ([false; 3], "at last".to_owned()));
    assert!(store.all_facts().unwrap().iter().all(|fact| fact.name != "endlessLoads"));
}
