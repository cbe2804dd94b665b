//! The owner's word, asked for and given at the terminal.

use serde_json::json;

use super::acting::{call, home_with_search, playing, words, workspace};
use super::*;

/// How a question says that it may be answered: once, for there are none to come that would be the same.
const ONCE: &str = "y to have it done this once, n to refuse";

fn kind() -> String {
    call("write", &json!({ "path": "AGENTS.md", "content": "Be kind.\n" }))
}

/// The rows below the one that the person's words stand in.
fn below<'a>(screen: &'a str, said: &str) -> Vec<&'a str> {
    screen.lines().skip_while(|row| *row != format!("› {said}")).skip(1).collect()
}

#[tokio::test]
async fn what_is_refused_is_not_done_and_the_same_is_done_at_the_next_yes() {
    let server = playing(&[kind(), words("Very well."), kind(), words("It is written.")]).await;
    let home = home_of(&[&server]);
    let steering = workspace(&home, "AGENTS.md");
    let mut terminal = Terminal::open(home.path(), &[]);
    terminal.wait("/help for commands").await;

    terminal.say("first");
    let asked = terminal.wait(ONCE).await;
    let question = below(&asked, "first");
    assert_eq!(question[0], "! create AGENTS.md", "{asked}");
    assert!(question[1..].iter().any(|row| row.starts_with("! ") && row.ends_with("+Be kind.")), "{asked}");
    assert!(question.contains(&"… waiting for your word"), "{asked}");
    assert!(!steering.exists(), "it was done before the owner said a word");
    terminal.say("n");
    let refused = terminal.wait_until("the end of the exchange", |screen| screen.contains("Very well.") && is_over(screen)).await;
    let rows = below(&refused, "n");
    assert_eq!(rows[0], "✗ write AGENTS.md", "{refused}");
    assert!(rows[1].contains("the owner said no"), "{refused}");
    assert!(!steering.exists(), "what was refused was done");

    terminal.say("second");
    terminal.wait_until("the question again", |screen| screen.matches(ONCE).count() == 2).await;
    // What was not offered is no answer, and the question stays.
    terminal.say("t");
    terminal.wait("this once, not for the rest of the task").await;
    assert!(!steering.exists());
    terminal.say("y");
    let done = terminal.wait_until("the end of the exchange", |screen| screen.contains("It is written.") && is_over(screen)).await;
    assert_eq!(below(&done, "y")[0], "• write AGENTS.md", "{done}");
    assert_eq!(std::fs::read_to_string(steering).unwrap(), "Be kind.\n");
}

#[tokio::test]
async fn a_bare_yes_removes_nothing_while_foreign_content_has_a_say() {
    let search = call("web_search", &json!({ "query": "crabs" }));
    let patch = "*** Begin Patch\n*** Delete File: notes.md\n*** End Patch\n";
    let remove = call("call_tool", &json!({ "name": "apply_patch", "arguments": { "input": patch } }));
    let server = playing(&[search, remove, words("It is gone.")]).await;
    let home = home_with_search(&server);
    let notes = workspace(&home, "notes.md");
    std::fs::write(&notes, "mine\n").unwrap();
    let mut terminal = Terminal::open(home.path(), &[]);
    terminal.wait("/help for commands").await;
    terminal.say("tidy up");
    let asked = terminal.wait("type \"remove notes.md\" to have it done, n to refuse").await;
    assert!(asked.contains("! remove notes.md") && asked.contains("-mine"), "{asked}");
    for (number, short) in ["y", "yes"].into_iter().enumerate() {
        terminal.say(short);
        let told = |screen: &str| screen.matches("type exactly: remove notes.md").count() == number + 1;
        terminal.wait_until("what has to be typed", told).await;
        assert!(notes.exists(), "a bare yes was enough");
    }
    terminal.say("remove notes.md");
    let done = terminal.wait_until("the end of the exchange", |screen| screen.contains("It is gone.") && is_over(screen)).await;
    assert_eq!(below(&done, "remove notes.md")[0], "• apply_patch notes.md", "{done}");
    assert!(!notes.exists());
}
