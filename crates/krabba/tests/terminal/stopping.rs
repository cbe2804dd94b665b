//! Stopping what goes on, in whatever phase it is: the turn ends, nothing of it runs on, and the next message is answered.

use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::json;

use super::acting::{call, home_with_search, playing, words, workspace};
use super::*;

const STOP: &str = "/stop\r";

/// A duration for `sleep` that no other process on this machine sleeps for, so that those who do are found again.
fn mark() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("{}.{:07}{}", 86_400, std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// The processes of this machine that have `mark` on their command line.
fn marked(mark: &str) -> usize {
    let processes = std::fs::read_dir("/proc").unwrap().filter_map(|entry| std::fs::read(entry.ok()?.path().join("cmdline")).ok());
    processes.filter(|line| String::from_utf8_lossy(line).contains(mark)).count()
}

async fn until(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "it never comes to this: {what}");
        sleep(Duration::from_millis(10)).await;
    }
}

async fn until_gone(mark: &str) {
    until("its processes are gone", || marked(mark) == 0).await;
}

/// Whether the turn was stopped, and the prompt stands below.
fn is_stopped(screen: &str) -> bool {
    screen.ends_with("stopped\n\n›")
}

async fn greeted(home: &TempDir, arguments: &[&str]) -> Terminal {
    let terminal = Terminal::open(home.path(), arguments);
    terminal.wait_until("the prompt", |screen| screen.lines().last() == Some("›")).await;
    terminal
}

async fn goes_on(terminal: &mut Terminal) {
    terminal.say("are you there?");
    terminal.wait_until("the next answer", |screen| screen.contains("Still here.") && is_over(screen)).await;
}

#[tokio::test]
async fn a_command_that_runs_ends_with_everything_that_it_started() {
    for keys in [STOP, CTRL_C] {
        let mark = mark();
        let command = format!("(sleep {mark} &) ; setsid sleep {mark} & echo begun; sleep {mark}");
        let server = playing(&[call("exec", &json!({ "command": command })), words("Still here.")]).await;
        let home = home_of(&[&server]);
        let mut terminal = greeted(&home, &[]).await;
        terminal.say("go");
        terminal.wait("… run `(sleep").await;
        until("all of them sleep", || marked(&mark) >= 3).await;
        terminal.press(keys);
        let screen = terminal.wait_until("the end of the turn", is_stopped).await;
        assert!(screen.contains("✗ run `(sleep"), "{screen}");
        until_gone(&mark).await;
        goes_on(&mut terminal).await;
        assert!(last_words(&server).contains("are you there?"));
    }
}

#[tokio::test]
async fn a_command_in_the_background_ends_with_the_turn_that_is_stopped_and_between_turns() {
    let begin = |mark: &str| call("exec", &json!({ "command": format!("sleep {mark}"), "background": true }));
    let (during, between) = (mark(), mark());
    let server =
        playing(&[begin(&during), "{text: 'Well '}, 'stall'".to_owned(), begin(&between), words("It runs."), words("Still here.")]).await;
    let home = home_of(&[&server]);
    let mut terminal = greeted(&home, &[]).await;
    terminal.say("go");
    terminal.wait("Well").await;
    until("it sleeps", || marked(&during) > 0).await;
    terminal.press(STOP);
    terminal.wait_until("the end of the turn", is_stopped).await;
    until_gone(&during).await;

    terminal.say("once more");
    terminal.wait_until("the end of the exchange", |screen| screen.contains("It runs.") && is_over(screen)).await;
    until("it sleeps", || marked(&between) > 0).await;
    terminal.press(STOP);
    until_gone(&between).await;
    goes_on(&mut terminal).await;
}

#[tokio::test]
async fn a_call_of_a_server_that_hangs_is_given_up() {
    let server = playing(&[call("call_tool", &json!({ "name": "puppet__hang", "arguments": {} })), words("Still here.")]).await;
    let home = home_of(&[&server]);
    let puppet = home.path().join("puppet");
    std::fs::create_dir_all(&puppet).unwrap();
    std::fs::write(puppet.join("puppet.js"), include_str!("../../../mcp/tests/data/puppet.js")).unwrap();
    let hints = json!({ "readOnlyHint": true, "openWorldHint": false });
    let tools = json!([{ "name": "hang", "description": "Hangs.", "inputSchema": { "type": "object" }, "annotations": hints }]);
    std::fs::write(puppet.join("tools.json"), tools.to_string()).unwrap();
    let path = home.path().join(".krabba/krabba.json5");
    let servers = json!({ "puppet": { "command": "node", "args": [puppet.join("puppet.js")], "cwd": puppet } });
    let config = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, config.replacen("{ models:", &format!("{{ mcp: {{ servers: {servers} }}, models:"), 1)).unwrap();
    let programs = std::env::var("PATH").unwrap();
    let mut terminal = Terminal::open_with(home.path(), &[], &[("PATH", programs.as_str())]);
    terminal.wait_until("the prompt", |screen| screen.lines().last() == Some("›")).await;
    terminal.say("go");
    terminal.wait("… hang at puppet").await;
    terminal.press(STOP);
    terminal.wait_until("the end of the turn", is_stopped).await;
    goes_on(&mut terminal).await;
}

#[tokio::test]
async fn a_question_that_waits_is_given_up_and_never_done() {
    let write = call("write", &json!({ "path": "AGENTS.md", "content": "Be kind.\n" }));
    let server = playing(&[write, words("Still here.")]).await;
    let home = home_of(&[&server]);
    let mut terminal = greeted(&home, &[]).await;
    terminal.say("go");
    terminal.wait("n to refuse").await;
    terminal.press(STOP);
    terminal.wait_until("the end of the turn", is_stopped).await;
    // The question is gone with its turn: this is a message.
    terminal.say("y");
    terminal.wait_until("the next answer", |screen| screen.contains("Still here.") && is_over(screen)).await;
    assert!(!workspace(&home, "AGENTS.md").exists());
}

#[tokio::test]
async fn waiting_for_another_krabba_is_given_up_and_that_one_is_left_alone() {
    let server = playing(&["{text: 'Slowly '}, 'gate', {text: 'done.'}, 'end'".to_owned(), words("Still here.")]).await;
    let home = home_of(&[&server]);
    let mut first = greeted(&home, &["chat", "--session-id", "shared"]).await;
    first.say("one");
    first.wait("Slowly").await;
    let mut second = Terminal::open(home.path(), &["chat", "--session-id", "shared"]);
    second.wait_until("the prompt", |screen| screen.lines().last() == Some("›")).await;
    second.say("two");
    second.wait("is answering in this session; waiting for it").await;
    second.press(STOP);
    second.wait_until("the end of the turn", is_stopped).await;
    server.open_gate();
    first.wait_until("the end of the exchange", |screen| screen.contains("Slowly done.") && is_over(screen)).await;
    goes_on(&mut second).await;
    assert_eq!(server.generations().len(), 2, "what was stopped was sent");
}

#[tokio::test]
async fn a_search_that_hangs_is_given_up() {
    let search = call("web_search", &json!({ "query": "crabs" }));
    let server = playing(&[search, words("Still here.")]).await;
    let silent = ScriptedServer::start("{rules: [{when: {path: '/search'}, steps: ['stall']}]}".parse::<Script>().unwrap()).await.unwrap();
    let home = home_with_search(&server);
    let path = home.path().join(".krabba/krabba.json5");
    let config = std::fs::read_to_string(&path).unwrap();
    let elsewhere = format!("search: {{ baseUrl: \"{}\" }}", silent.url());
    std::fs::write(&path, config.replacen(&format!("search: {{ baseUrl: \"{}\" }}", server.url()), &elsewhere, 1)).unwrap();
    let mut terminal = greeted(&home, &[]).await;
    terminal.say("go");
    terminal.wait("… search the web for \"crabs\"").await;
    until("it was asked", || !silent.requests().is_empty()).await;
    terminal.press(STOP);
    terminal.wait_until("the end of the turn", is_stopped).await;
    silent.wait_idle().await;
    goes_on(&mut terminal).await;
}
