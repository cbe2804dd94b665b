//! What hostile commands make too much of: layers, depth, other commands.

use krabba_types::Label;
use serde_json::json;

use crate::room::{Came, Room};

#[tokio::test]
async fn changes_of_many_commands_stand_one_above_the_other() {
    let room = Room::new();
    for number in 0..40 {
        let command = format!("echo {number} > last.txt; echo {number} > made-{number}.txt");
        let Came::Done(outcome) = room.call_in(&Label::untrusted("evil.example"), "exec", json!({ "command": command })).await else {
            panic!("not done")
        };
        assert!(!outcome.is_error, "{number}: {}", outcome.text);
    }
    let Came::Done(outcome) =
        room.call_in(&Label::untrusted("evil.example"), "exec", json!({"command": "cat last.txt; ls made-* | wc -l"})).await
    else {
        panic!("not done")
    };
    assert!(outcome.text.contains("39\n40"), "{}", outcome.text);
}

#[tokio::test]
async fn tree_that_is_deeper_than_anybody_looks_is_thrown_away_and_stops_nothing() {
    let room = Room::new();
    // So deep that its paths are longer than any may be.
    let command = "perl -e 'for (1..2500) { mkdir q(d); chdir q(d) or die } open F, q(>x); print F 1' && echo y > found && echo made";
    let Came::Done(outcome) = room.call_in(&Label::untrusted("evil.example"), "exec", json!({ "command": command })).await else {
        panic!("not done")
    };
    assert!(outcome.text.contains("made"), "{}", outcome.text);
    assert!(room.said("process", json!({"action": "list"})).await.contains("wrote found"));
    assert_eq!(room.said("process", json!({"action": "drop", "paths": ["d"]})).await, "thrown away");
    assert!(room.said("process", json!({"action": "list"})).await.contains("wrote found"));
    assert_eq!(room.said("process", json!({"action": "drop"})).await, "thrown away");
    assert!(!room.said("process", json!({"action": "list"})).await.contains("wrote found"));
    let Came::Done(outcome) = room.call_in(&Label::untrusted("evil.example"), "exec", json!({"command": "ls -d d; echo end"})).await else {
        panic!("not done")
    };
    assert!(!outcome.is_error && outcome.text.contains("end") && outcome.text.contains("No such file"), "{}", outcome.text);
}

#[tokio::test]
async fn no_more_commands_run_at_once_than_may() {
    let room = Room::new();
    for _ in 0..8 {
        room.said("exec", json!({"command": "sleep 60", "background": true})).await;
    }
    let outcome = room.outcome("exec", json!({"command": "echo ninth"})).await;
    assert!(outcome.is_error && outcome.text.contains("8 commands run already"), "{}", outcome.text);
    room.said("process", json!({"action": "kill", "sessionId": "p1"})).await;
    assert!(room.said("exec", json!({"command": "echo ninth"})).await.contains("ninth"));
    room.jobs.end(&room.session).await;
}
