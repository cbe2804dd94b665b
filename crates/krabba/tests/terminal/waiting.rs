//! What is typed while an answer comes, and a prompt that is made smaller.

use krabba_testkit::{Script, ScriptedServer, Step, When};

use serde_json::json;

use super::acting::{call, playing, words, workspace};
use super::{Terminal, home_of, is_over, last_words, server_saying, text};

#[tokio::test]
async fn messages_that_wait_are_answered_together_where_the_owner_wants_that() {
    let server = server_saying([text("Some "), Step::Gate, text("words.\n"), Step::End]).await;
    let home = home_of(&[&server]);
    let path = home.path().join(".krabba/krabba.json5");
    let config = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, config.replacen("{ models:", r#"{ messages: { queue: { mode: "collect" } }, models:"#, 1)).unwrap();
    let mut terminal = Terminal::open(home.path(), &[]);
    terminal.wait("/help for commands").await;
    terminal.say("first");
    terminal.wait("Some").await;
    terminal.say("second");
    terminal.say("third");
    terminal.wait("next: third").await;
    server.open_gate();
    terminal.wait("› second\n  third\nSome").await;
    server.open_gate();
    let answered = |screen: &str| screen.matches("Some words.").count() == 2 && is_over(screen);
    terminal.wait_until("one answer to both", answered).await;
    assert_eq!(server.generations().len(), 2);
    assert!(last_words(&server).contains("second") && last_words(&server).contains("third"), "{}", last_words(&server));
}

#[tokio::test]
async fn compacting_shows_what_it_does_and_what_came_of_it() {
    let noting = When { contains: Some("Noted so far".to_owned()), ..When::default() };
    let script =
        Script::llama_cpp().model("m0").window(8192).steps([text("They spoke"), Step::Gate, text(" of crabs."), Step::End]).when(noting);
    let server = ScriptedServer::start(script.reply("yes")).await.unwrap();
    let home = home_of(&[&server]);
    let mut terminal = Terminal::open(home.path(), &[]);
    terminal.wait("/help for commands").await;
    for number in 1..=3 {
        terminal.say(&format!("question {number}"));
        terminal.wait_until("the end of the exchange", |screen| screen.matches("first token").count() == number && is_over(screen)).await;
    }
    terminal.say("/compact");
    terminal.wait("… noting what was said, part 1 of 1").await;
    server.open_gate();
    terminal.wait("a note stands for").await;
    terminal.say("and now?");
    terminal.wait_until("an answer", |screen| screen.contains("› and now?") && is_over(screen)).await;
    let request = server.generations().pop().unwrap().json.unwrap()["messages"].to_string();
    assert!(request.contains("They spoke of crabs.") && !request.contains("question 1"), "{request}");
}

#[tokio::test]
async fn compacting_that_is_asked_for_during_an_answer_comes_after_it() {
    let noting = When { contains: Some("Noted so far".to_owned()), ..When::default() };
    let waiting = When { contains: Some("slowly".to_owned()), ..When::default() };
    let script = Script::llama_cpp().model("m0").window(8192).steps([text("They spoke of crabs."), Step::End]).when(noting);
    let script = script.steps([text("Well "), Step::Gate, text("then.\n"), Step::End]).when(waiting);
    let server = ScriptedServer::start(script.reply("yes")).await.unwrap();
    let home = home_of(&[&server]);
    let mut terminal = Terminal::open(home.path(), &[]);
    terminal.wait("/help for commands").await;
    terminal.say("question");
    terminal.wait_until("the end of the exchange", is_over).await;
    terminal.say("slowly now");
    terminal.wait("Well").await;
    terminal.say("/compact");
    server.open_gate();
    terminal.wait("a note stands for").await;
}

#[tokio::test]
async fn compacting_that_is_stopped_leaves_what_was_said_as_it_was() {
    for keys in ["/stop\r", super::CTRL_C] {
        let noting = When { contains: Some("Noted so far".to_owned()), ..When::default() };
        let script = Script::llama_cpp().model("m0").window(8192).steps([text("They spoke"), Step::Stall]).when(noting);
        let server = ScriptedServer::start(script.reply("yes")).await.unwrap();
        let home = home_of(&[&server]);
        let mut terminal = Terminal::open(home.path(), &[]);
        terminal.wait("/help for commands").await;
        for number in 1..=3 {
            terminal.say(&format!("question {number}"));
            let over = |screen: &str| screen.matches("first token").count() == number && is_over(screen);
            terminal.wait_until("the end of the exchange", over).await;
        }
        terminal.say("/compact");
        terminal.wait("… noting what was said, part 1 of 1").await;
        terminal.press(keys);
        terminal.wait_until("no work any more", |screen| !screen.contains("… noting") && screen.ends_with("\n›")).await;
        server.wait_idle().await;
        terminal.say("and now?");
        terminal.wait_until("an answer", |screen| screen.contains("› and now?") && is_over(screen)).await;
        let request = server.generations().pop().unwrap().json.unwrap()["messages"].to_string();
        assert!(request.contains("question 1") && !request.contains("They spoke"), "{request}");
    }
}

#[tokio::test]
async fn a_message_that_is_typed_while_tools_run_is_heard_before_the_next_step() {
    let command = "echo begun; until [ -e go.txt ]; do sleep 0.05; done; echo over";
    let second = call("exec", &json!({ "command": "touch second.txt" }));
    let answers = [call("exec", &json!({ "command": command })), words("As you wish."), second, words("Never said.")];
    let server = playing(&answers).await;
    let home = home_of(&[&server]);
    let go = workspace(&home, "go.txt");
    let mut terminal = Terminal::open(home.path(), &[]);
    terminal.wait("/help for commands").await;
    terminal.say("do two things");
    terminal.wait("… run `echo begun").await;
    terminal.say("no, leave it");
    terminal.wait("next: no, leave it").await;
    assert_eq!(server.generations().len(), 1);
    std::fs::write(go, "").unwrap();
    let over = |screen: &str| screen.contains("As you wish.") && is_over(screen);
    let screen = terminal.wait_until("the answer to the later message", over).await;
    let rows: Vec<&str> = screen.lines().filter(|row| row.starts_with(['›', '•', '✗']) || row.starts_with("  over")).collect();
    assert_eq!(rows.len(), 5, "{screen}");
    assert!(rows[1].starts_with("• run `echo begun") && rows[2..4] == ["  over", "› no, leave it"], "{screen}");
    // It is answered with what was found out until then.
    let request = server.generations().pop().unwrap().json.unwrap()["messages"].to_string();
    assert!(request.contains("begun\\nover") && last_words(&server).contains("no, leave it"), "{request}");
    assert_eq!(server.generations().len(), 2);
}
