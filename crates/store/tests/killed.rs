//! A process that is killed with SIGKILL in the middle of writing: what it was told is written, is there.
//!
//! The test starts this very test binary as the process to be killed; `child_that_writes_until_killed` does nothing
//! unless it was started that way.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test ends where its set-up fails")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use krabba_store::{EventKind, LeaseOwner, Leasing, NewEvent, NewSession, Store};
use krabba_types::{AgentId, Label, SessionId, Timestamp};
use serde_json::json;

const STATE: &str = "KRABBA_STORE_TEST_STATE";

fn session() -> SessionId {
    SessionId::new("s")
}

fn pair(number: u64) -> [NewEvent; 2] {
    [EventKind::UserMessage, EventKind::TurnStarted].map(|kind| NewEvent {
        turn: None,
        kind,
        body: json!(number),
        label: Label::Owner,
        at: Timestamp(1),
    })
}

fn open(state: &Path) -> Store {
    let store = Store::open(state).unwrap();
    store.get_or_create_session(&NewSession { id: session(), agent: AgentId::new("main"), title: None, at: Timestamp(1) }).unwrap();
    store
}

#[test]
fn child_that_writes_until_killed() {
    let Some(state) = std::env::var_os(STATE) else { return };
    let store = open(Path::new(&state));
    let leasing = store.take_lease(&session(), &LeaseOwner::new(), Timestamp(1), Timestamp(i64::MAX)).unwrap();
    assert!(matches!(leasing, Leasing::Taken(_)));
    for number in 1.. {
        store.append_all(&session(), &pair(number)).unwrap();
        println!("\nwritten {number}");
        std::io::stdout().flush().unwrap();
        // Leaves the others a moment in which the file is free.
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
}

#[allow(clippy::disallowed_methods, reason = "this process exists to be killed")]
fn start_child(state: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_that_writes_until_killed", "--nocapture"])
        .env(STATE, state)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Kills the child (SIGKILL) once it said that it wrote `number`, and gives the last number that it said.
fn kill_after(mut child: Child, number: u64) -> u64 {
    let mut last = 0;
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        if let Some(written) = line.unwrap().strip_prefix("written ") {
            last = written.parse().unwrap();
        }
        if last == number {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    last
}

#[test]
fn what_was_written_before_sigkill_is_there_and_nothing_is_there_by_half() {
    let directory = tempfile::tempdir().unwrap();
    let mut expected_at_least = 0;
    for round in 1..=4 {
        expected_at_least += kill_after(start_child(directory.path()), round * 3);
        let events = open(directory.path()).events(&session(), 0).unwrap();
        assert!(events.len() as u64 >= 2 * expected_at_least, "{} events, {expected_at_least} pairs were promised", events.len());
        assert!(events.len().is_multiple_of(2), "half a step was kept");
        assert!(events.iter().zip(1..).all(|(event, seq)| event.seq() == seq), "a gap in the numbers");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn session_of_a_killed_process_is_free_at_once() {
    let directory = tempfile::tempdir().unwrap();
    kill_after(start_child(directory.path()), 1);
    let leasing = open(directory.path()).take_lease(&session(), &LeaseOwner::new(), Timestamp(2), Timestamp(3)).unwrap();
    assert!(matches!(leasing, Leasing::Taken(_)), "{leasing:?}");
}

#[test]
fn session_of_a_living_process_is_held() {
    let directory = tempfile::tempdir().unwrap();
    let mut child = start_child(directory.path());
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    while !lines.next().unwrap().unwrap().starts_with("written") {}
    let store = open(directory.path());
    let leasing = store.take_lease(&session(), &LeaseOwner::new(), Timestamp(2), Timestamp(3)).unwrap();
    store.append_all(&session(), &pair(0)).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(matches!(leasing, Leasing::Held { .. }), "{leasing:?}");
}
