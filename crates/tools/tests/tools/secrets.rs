//! What is secret in the workspace is not read by a model, whatever it is read with.

use krabba_types::Label;
use serde_json::json;

use crate::room::{Came, Room};

const ENV: &str = "PORT=80\nAPI_KEY=tok_0123456789abcdef\nDB_PASSWORD=hunter2hunter2\n";
const HIDDEN: &str = "PORT=80\nAPI_KEY=[secret]\nDB_PASSWORD=[secret]\n";

#[tokio::test]
async fn secret_is_hidden_whatever_reads_it_under_whatever_name() {
    let room = Room::new();
    room.file(".env", ENV);
    room.file("home/.kube/config", "users:\n- user:\n    token: tok_fedcba9876543210\n");
    assert_eq!(
        room.shown("exec", json!({"command": "cat .env; rev home/.kube/config | tail -n 1"})).await,
        format!("{HIDDEN}[secret] :nekot")
    );
    assert_eq!(room.shown("grep", json!({"pattern": "KEY|PASS"})).await, ".env:2:API_KEY=[secret]\n.env:3:DB_PASSWORD=[secret]\n");
    assert_eq!(room.shown("grep", json!({"pattern": "KEY", "path": ".env"})).await, ".env:2:API_KEY=[secret]\n");
    room.shown("exec", json!({"command": "ln -s .env n.txt"})).await;
    assert_eq!(room.shown("read", json!({"path": "n.txt"})).await, HIDDEN);
    assert_eq!(room.shown("read", json!({"path": ".env", "offset": 2, "limit": 1})).await.lines().next(), Some("API_KEY=[secret]"));
}

#[tokio::test]
async fn secret_that_comes_or_goes_around_a_call_is_hidden() {
    let room = Room::new();
    room.file(".env", ENV);
    assert_eq!(room.shown("exec", json!({"command": "cat .env; rm .env"})).await, HIDDEN.trim_end());
    room.file("kept", "MAIL_TOKEN=mail-token-4711\n");
    room.shown("exec", json!({"command": "true"})).await;
    room.file(".env", "API_KEY=tok_of_the_next_day_1\n");
    let text = room.shown("exec", json!({"command": "cat .env; rm .env; cp kept .env; cat .env"})).await;
    assert_eq!(text, "API_KEY=[secret]\nMAIL_TOKEN=[secret]");
    room.file("real", "LINKED_KEY=tok_behind_a_link_2\n");
    std::os::unix::fs::symlink("real", room.root.join("app.env")).unwrap();
    assert_eq!(room.shown("exec", json!({"command": "cat real"})).await, "LINKED_KEY=[secret]");
}

#[tokio::test]
async fn file_tools_hide_what_lies_too_deep_to_be_found() {
    let room = Room::new();
    let deep = format!("{}.env", "d/".repeat(20));
    for path in ["node_modules/x/.env", deep.as_str()] {
        room.file(path, "B_KEY=tok_0123456789\n");
        assert!(room.shown("read", json!({"path": path})).await.contains("B_KEY=[secret]"), "{path}");
    }
    room.file("node_modules/y/.env", "C_KEY=tok_9876543210\n");
    let found = room.shown("grep", json!({"pattern": "C_KEY", "path": "node_modules"})).await;
    assert_eq!(found, "node_modules/y/.env:1:C_KEY=[secret]\n");
}

#[tokio::test]
async fn what_a_model_wrote_makes_no_word_a_secret() {
    let room = Room::new();
    let words = "printf 'A_KEY=workspace\\nB_TOKEN=function\\nC_AUTH=import\\n' > .env.x";
    room.shown("exec", json!({"command": words})).await;
    room.shown("read", json!({"path": ".env.x"})).await;
    assert_eq!(
        room.shown("exec", json!({"command": "echo import the function of the workspace"})).await,
        "import the function of the workspace"
    );
    room.file(".env", ENV);
    room.shown("write", json!({"path": ".env.local", "content": "A_KEY=release-2024\n"})).await;
    room.shown("edit", json!({"path": ".env", "edits": [{"oldText": "PORT=80", "newText": "PORT=80\nB_KEY=version-11.4"}]})).await;
    let text = room.shown("exec", json!({"command": "cat .env .env.local"})).await;
    assert_eq!(text, HIDDEN.replace("PORT=80\n", "PORT=80\nB_KEY=version-11.4\n") + "A_KEY=release-2024");
}

#[tokio::test]
async fn what_a_command_wrote_or_nobody_read_stays_secret_when_a_tool_puts_it_there() {
    let room = Room::new();
    let foreign = Label::untrusted("evil.example");
    let Came::Done(_) = room.call_in(&foreign, "exec", json!({"command": "echo MADE_KEY=tok_0123456789abcdef > .env"})).await else {
        panic!("not done")
    };
    room.agreed(&foreign, "process", json!({"action": "keep"})).await;
    assert_eq!(room.shown("exec", json!({"command": "cat .env"})).await, "MADE_KEY=[secret]");
    room.file("plain", "MOVED_KEY=tok_fedcba9876543210\n");
    let patch = "*** Begin Patch\n*** Update File: plain\n*** Move to: app.env\n*** End Patch";
    room.approved("move plain to app.env", "apply_patch", json!({ "input": patch })).await;
    assert_eq!(room.shown("exec", json!({"command": "cat app.env"})).await, "MOVED_KEY=[secret]");
}
