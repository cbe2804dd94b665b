//! Killed at every durable step of a turn that writes a file and runs a command, or with a disk that fails from there on: the next
//! turn goes on, and nothing with consequences happens twice.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use krabba_testkit::{Script, ScriptedServer};
use serde_json::Value;

use crate::support::{Ended, Home};

/// What a turn does: a file, a command that must not run twice, an answer. Whoever says "go on" is answered at once.
const SCRIPT: &str = r"{server: 'vllm', models: [{id: 'm'}], strict: ['alternation', 'one-system'], rules: [
    {when: {contains: 'go on'}, steps: [{text: 'Gone on.'}, 'end']},
    {when: {request: 1}, steps: [{text: 'A file first.'}, {tool_call: {name: 'write', arguments: {path: 'note.txt', content: 'hello\n'}}}, 'end']},
    {when: {request: 2}, steps: [{tool_call: {name: 'exec', arguments: {command: 'echo once >> log.txt'}}}, 'end']},
    {steps: [{text: 'All done.'}, 'end']}]}";

async fn server() -> ScriptedServer {
    ScriptedServer::start(SCRIPT.parse::<Script>().unwrap()).await.unwrap()
}

fn home(server: &ScriptedServer, library: &Path, step: usize) -> Home {
    let config = format!(
        r#"{{ models: {{ mode: "replace", providers: {{ box: {{ baseUrl: "{}", models: [{{ id: "m" }}] }} }} }},
             agents: {{ defaults: {{ model: {{ primary: "box/m" }} }} }} }}"#,
        server.v1()
    );
    let home = Home::with_config(&config).variable("LD_PRELOAD", library.to_str().unwrap()).variable("KILL_AT", &step.to_string());
    let count = home.path("steps");
    home.variable("KILL_COUNT", count.to_str().unwrap())
}

#[allow(clippy::disallowed_methods, reason = "a compiler is a program")]
fn killer(directory: &Path) -> std::path::PathBuf {
    let (source, library) = (directory.join("kill_at.c"), directory.join("kill_at.so"));
    fs::write(&source, include_str!("../data/kill_at.c")).unwrap();
    let built = Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(&source).arg("-ldl").status().unwrap();
    assert!(built.success());
    library
}

async fn ask(home: &Home, message: &str) -> Ended {
    home.run(&["agent", "--session-id", "s", "--message", message]).await
}

/// Every call in the request has its result, and each result its call.
fn check_pairs(messages: &[Value], at: usize) {
    let calls: Vec<&str> = messages
        .iter()
        .flat_map(|message| message["tool_calls"].as_array().into_iter().flatten())
        .filter_map(|call| call["id"].as_str())
        .collect();
    let results: Vec<&str> = messages.iter().filter_map(|message| message["tool_call_id"].as_str()).collect();
    assert_eq!(calls, results, "killed at step {at}: a call without its result");
}

#[tokio::test]
async fn turn_that_is_killed_at_any_durable_step_goes_on_and_does_nothing_twice() {
    let tools = tempfile::tempdir().unwrap();
    let library = killer(tools.path());
    let whole = server().await;
    let undisturbed = home(&whole, &library, 0);
    let answered = ask(&undisturbed, "write a note and a line").await.code(0);
    assert_eq!(answered.out, "All done.\n", "{answered}");
    let steps: usize = fs::read_to_string(undisturbed.path("steps")).unwrap().trim().parse().unwrap();
    assert!(steps > 20, "{steps} steps are too few for what was stored");

    let mut seen = BTreeSet::new();
    for step in 1..=steps {
        let server = server().await;
        let home = home(&server, &library, step);
        let killed = ask(&home, "write a note and a line").await;
        // It may have had one step less to do than the run that was counted.
        assert!(killed.code.is_none() || step + 4 > steps, "it was not killed at step {step}: {killed}");
        let asked = server.generations().len();
        let home = home.variable("KILL_AT", "0");
        let next = ask(&home, "go on").await.code(0);
        assert_eq!(next.out, "Gone on.\n", "killed at step {step}: {next}");

        let lines = fs::read_to_string(home.path(".krabba/workspace/log.txt")).unwrap_or_default();
        assert!(lines.is_empty() || lines == "once\n", "killed at step {step}: the command ran twice: {lines}");
        let request = server.generations()[asked].json.clone().unwrap();
        let messages = request["messages"].as_array().unwrap();
        check_pairs(messages, step);
        let told =
            messages.iter().filter(|message| message["role"] == "tool").filter_map(|message| message["content"].as_str()).next_back();
        if lines == "once\n" {
            // Whatever became of the answer, the model knows of the command.
            let told = told.unwrap_or_else(|| panic!("killed at step {step}: the command ran and nobody is told"));
            let unknown = told.contains("nobody knows whether it happened");
            assert!(!told.contains("not done"), "killed at step {step}: the model believes that it did not run");
            assert_eq!(unknown, next.err.contains("nobody knows whether it happened"), "killed at step {step}: {next}");
            seen.insert(if unknown { "unknown" } else { "done" });
        } else {
            seen.insert("not begun");
        }
        home.run(&["sessions", "show", "s"]).await.code(0);
    }
    println!("killed at each of {steps} durable steps");
    assert_eq!(seen, BTreeSet::from(["done", "not begun", "unknown"]), "no step lies between the command and its result");
}

/// Error numbers of Linux: a full disk, one that can only be read, and one that is broken.
const FAILURES: [i32; 3] = [28, 30, 5];

#[tokio::test]
async fn disk_that_fails_in_the_middle_of_a_turn_is_named_and_nothing_is_lost_or_done_twice() {
    let tools = tempfile::tempdir().unwrap();
    let library = killer(tools.path());
    let whole = server().await;
    let undisturbed = home(&whole, &library, 0);
    ask(&undisturbed, "write a note and a line").await.code(0);
    let steps: usize = fs::read_to_string(undisturbed.path("steps")).unwrap().trim().parse().unwrap();
    let mut named = 0;
    for (index, step) in (1..=steps).enumerate() {
        let error = FAILURES[index % FAILURES.len()];
        let server = server().await;
        let home = home(&server, &library, step).variable("FAIL_WITH", &error.to_string());
        let failed = ask(&home, "write a note and a line").await;
        // What fails at the very end, when all is stored, nobody needs to know.
        if failed.code == Some(0) {
            assert_eq!(failed.out, "All done.\n", "error {error} from step {step} on: {failed}");
        } else {
            assert!(failed.code == Some(1) && failed.err.contains("the disk that holds "), "error {error} from step {step} on: {failed}");
            assert!(!failed.err.contains("panicked"), "{failed}");
            named += 1;
        }
        let asked = server.generations().len();
        let home = home.variable("KILL_AT", "0");
        let next = ask(&home, "go on").await.code(0);
        assert_eq!(next.out, "Gone on.\n", "error {error} from step {step} on: {next}");
        let lines = fs::read_to_string(home.path(".krabba/workspace/log.txt")).unwrap_or_default();
        assert!(lines.is_empty() || lines == "once\n", "error {error} from step {step} on: the command ran twice: {lines}");
        let request = server.generations()[asked].json.clone().unwrap();
        check_pairs(request["messages"].as_array().unwrap(), step);
        home.run(&["sessions", "show", "s"]).await.code(0);
    }
    println!("the disk failed from each of {steps} durable steps on; {named} turns said so");
    assert!(named * 2 > steps, "{named} of {steps}");
}

#[tokio::test]
async fn database_that_somebody_keeps_is_named_and_the_next_turn_is_stored() {
    let server = server().await;
    let tools = tempfile::tempdir().unwrap();
    let library = killer(tools.path());
    let home = home(&server, &library, 0);
    ask(&home, "go on").await.code(0);
    let other = rusqlite::Connection::open(home.path(".krabba/krabba.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let locked = ask(&home, "go on, please").await;
    assert!(locked.code == Some(1) && locked.err.contains("is in use by another program"), "{locked}");
    other.execute_batch("ROLLBACK").unwrap();
    drop(other);
    ask(&home, "go on, then").await.code(0);
    let shown = home.run(&["sessions", "show", "s"]).await.code(0);
    assert!(shown.out.contains("go on, then"), "{shown}");
}

#[tokio::test]
async fn what_was_done_while_somebody_kept_the_database_is_written_down_later() {
    let waits = "touch began; until [ -e go ]; do sleep 0.1; done; echo once >> log.txt";
    let script = SCRIPT.replace("echo once >> log.txt", waits);
    let server = ScriptedServer::start(script.parse::<Script>().unwrap()).await.unwrap();
    let tools = tempfile::tempdir().unwrap();
    let home = home(&server, &killer(tools.path()), 0);
    let running = home.start(&["agent", "--session-id", "s", "--message", "write a note and a line"]);
    let workspace = home.path(".krabba/workspace");
    while !workspace.join("began").exists() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let other = rusqlite::Connection::open(home.path(".krabba/krabba.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    fs::write(workspace.join("go"), "").unwrap();
    // Longer than the attempts wait that are made first, one after the other.
    tokio::time::sleep(Duration::from_secs(14)).await;
    other.execute_batch("ROLLBACK").unwrap();
    drop(other);
    let ended = running.end().await.code(0);
    assert_eq!(ended.out, "All done.\n", "{ended}");
    ended.warns(&["waiting until what was done can be written down"]);
    assert_eq!(fs::read_to_string(workspace.join("log.txt")).unwrap(), "once\n");
    let request = server.generations().pop().unwrap().json.unwrap();
    check_pairs(request["messages"].as_array().unwrap(), 0);
}
