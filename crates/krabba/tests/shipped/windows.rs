//! Prompts that do not fit, and servers whose window is not what somebody says it is.

use krabba_testkit::{LlamaServer, Model, ModelFile, Overflow, Script, ScriptedServer};
use serde_json::json;

use crate::support::{Ended, Home, attempts, text};

fn config(base_url: &str, more: &str) -> String {
    format!(
        r#"{{ models: {{ mode: "replace", providers: {{ box: {{
             baseUrl: "{base_url}", api: "openai-completions", {more} models: [{{ id: "tiny", contextWindow: 8192 }}] }} }} }},
             agents: {{ defaults: {{ model: {{ primary: "box/tiny" }} }} }} }}"#
    )
}

/// More than 1,024 tokens, and less than 8,192, for the tokenizer of the tiny models and by any estimate.
fn long_message() -> String {
    format!("First. {} Last.", "word ".repeat(1_500))
}

#[tokio::test]
async fn a_prompt_larger_than_the_window_is_cut_and_the_person_told() {
    let server = LlamaServer::start(ModelFile::ScriptedSmall, &["--alias", "tiny"]).await.unwrap();
    let home = Home::with_config(&config(&format!("{}/v1", server.url()), ""));

    let ended = home.run(&["agent", "--message", &long_message()]).await.code(0);
    assert_eq!(ended.out, format!("{}\n", LlamaServer::REPLY));
    ended.warns(&["tokens out of the middle of the last message"]);

    // The server's own word goes before the larger number in the file, and the file's reader is told.
    let turn = home.run(&["agent", "--message", &long_message(), "--json"]).await.code(0).json();
    assert_eq!((attempts(&turn), turn["context"]["window"].as_u64()), (vec!["box/tiny answered".to_owned()], Some(1024)));
    home.run(&["models", "status"])
        .await
        .code(0)
        .says(&["window 1,024 tokens (loaded instance)", "configured with a window of 8,192 tokens"]);

    // A conversation that outgrows it goes on.
    for turn in 1..=8 {
        let message = format!("Turn {turn}: {}", "more words ".repeat(60));
        home.run(&["agent", "--session-id", "grows", "--message", &message]).await.code(0).says(&[LlamaServer::REPLY]);
    }
    home.run(&["sessions", "show", "grows"]).await.code(0).says(&["Turn 1: more words", "Turn 8: more words", "[cut "]);
}

#[tokio::test]
async fn a_real_overflow_is_learned_from_and_not_repeated() {
    let server = LlamaServer::start(ModelFile::ScriptedSmall, &["--alias", "tiny"]).await.unwrap();
    let home = Home::with_config(&config(&format!("{}/v1", server.url()), "probe: false,"));

    home.run(&["models", "status"]).await.code(0).says(&["window 8,192 tokens (configured)"]);
    let turn = home.run(&["agent", "--message", &long_message(), "--json"]).await.code(0).json();
    assert_eq!(text(&turn), LlamaServer::REPLY);
    assert_eq!((&turn["context"]["window"], &turn["context"]["windowSource"]), (&1024.into(), &"learned-from-overflow".into()), "{turn}");

    // Another process knows it, from the state directory.
    home.run(&["models", "status"]).await.code(0).says(&["window 1,024 tokens (learned from an overflow)"]);
    home.run(&["explain", "context"]).await.code(0).says(&["of 1,024 tokens (learned from an overflow)"]);
    let turn = home.run(&["agent", "--message", &long_message(), "--json"]).await.code(0).json();
    assert_eq!(attempts(&turn), ["box/tiny answered"], "the known limit was run into again");
}

#[tokio::test]
async fn a_window_that_the_server_itself_lies_about_is_learned() {
    let script = Script::vllm().model("tiny").window(8192).true_window(1024).reply("fits now");
    let server = ScriptedServer::start(script).await.unwrap();
    let home = Home::with_config(&config(&server.v1(), ""));
    let long = "word ".repeat(1_500);

    home.run(&["agent", "--message", &long]).await.code(0).says(&["fits now"]);
    assert_eq!(server.generations().len(), 2, "one that overflowed, one that fitted");
    home.run(&["models", "status"]).await.code(0).says(&["window 1,024 tokens (learned from an overflow)"]);
    home.run(&["agent", "--message", &long]).await.code(0).says(&["fits now"]);
    assert_eq!(server.generations().len(), 3, "the known limit was run into again");
}

#[tokio::test]
async fn a_prompt_that_is_swallowed_without_a_word_is_explained() {
    let model = Model { window: 8192, true_window: Some(1024), overflow: Overflow::EmptyStream, ..Model::new("tiny") };
    let server = ScriptedServer::start(Script::lm_studio().with_model(model).reply("fits")).await.unwrap();
    let home = Home::with_config(&config(&server.v1(), ""));
    let message = format!("First. {} Last.", "word ".repeat(3_000));
    home.run(&["agent", "--message", &message]).await.code(1).warns(&["sent nothing; it does that to a prompt larger than its window"]);
}

/// A model with a window of `window` tokens by its server's own word, which in each turn adds a line to a file and then answers with a
/// few hundred bytes; and a home whose owner asks for all usual tools.
async fn working(window: u32, turns: usize) -> (ScriptedServer, Home) {
    let turn = |number: usize| {
        let call = json!({ "command": format!("echo line {number} >> log.txt; wc -l < log.txt") });
        let answer = format!("Answer {number}. {}", "so it is done ".repeat(20));
        [format!("[{{tool_call: {{name: 'exec', arguments: {call}}}}}, 'end']"), format!("[{{text: '{answer}'}}, 'end']")]
    };
    let steps = (1..=turns).flat_map(turn).collect::<Vec<_>>();
    let rules: Vec<String> = (1..).zip(steps).map(|(number, steps)| format!("{{when: {{request: {number}}}, steps: {steps}}}")).collect();
    let script = format!("{{server: 'vllm', models: [{{id: 'tiny', window: {window}}}], rules: [{}]}}", rules.join(", "));
    let server = ScriptedServer::start(script.parse::<Script>().unwrap()).await.unwrap();
    let config = json!({
        "models": { "mode": "replace", "providers": { "box": { "baseUrl": server.v1(), "models": [{ "id": "tiny" }] } } },
        "agents": { "defaults": { "model": "box/tiny" } },
        "tools": { "web": { "search": { "baseUrl": server.url() } } },
    });
    (server, Home::with_config(&config.to_string()))
}

/// Twenty turns of a kilobyte each, each with a command that is really run, none of which the server refuses for its length.
async fn twenty_turns(window: u32) -> (ScriptedServer, Home, Vec<Ended>) {
    let (server, home) = working(window, 20).await;
    home.write(".krabba/workspace/AGENTS.md", &format!("# How to work\n\n{}", "Say what was done, and where it was done. ".repeat(200)));
    let mut ended = Vec::new();
    for number in 1..=20 {
        let message = format!("Task {number}: {}", "write down what there is to be written. ".repeat(25));
        assert!((1_000..1_100).contains(&message.len()));
        let turn = home.run(&["agent", "--session-id", "long", "--message", &message]).await.code(0);
        ended.push(turn.says(&[&format!("Answer {number}. so it is done")]));
    }
    let sent = server.generations();
    assert_eq!(sent.len(), 40, "something was asked again");
    for (index, request) in sent.iter().enumerate() {
        let body = request.json.as_ref().unwrap();
        let messages = body["messages"].to_string();
        assert!(messages.contains(&format!("Task {}: write", index / 2 + 1)), "request {index} is not about the last message");
        assert!(body["tools"].to_string().contains("\"exec\""), "request {index} has no tools");
    }
    let log: Vec<String> = (1..=20).map(|number| format!("line {number}\n")).collect();
    assert_eq!(std::fs::read_to_string(home.path(".krabba/workspace/log.txt")).unwrap(), log.concat());
    home.run(&["sessions", "show", "long"]).await.code(0).says(&["Task 1: write", "Task 20: write", "Answer 20."]);
    (server, home, ended)
}

fn first_request(server: &ScriptedServer) -> usize {
    let first = server.generations()[0].json.clone().unwrap();
    first["tools"].to_string().len() + first["messages"].to_string().len() - 1_100
}

#[tokio::test]
async fn twenty_turns_with_tools_work_in_a_window_of_8k() {
    let (server, _home, _) = twenty_turns(8_192).await;
    let bytes = first_request(&server);
    assert!(bytes <= 4_800, "{bytes} bytes before anything was said");
}

#[tokio::test]
async fn window_of_4k_works_and_says_what_is_off() {
    let (server, home, ended) = twenty_turns(4_096).await;
    let bytes = first_request(&server);
    assert!(bytes <= 4_800, "{bytes} bytes before anything was said");
    let off = "a window of 4,096 tokens is small: ";
    let line = ended[0].err.lines().find(|line| line.contains(off)).unwrap_or_else(|| panic!("nothing is said to be off: {}", ended[0]));
    println!("{line}");
    assert!(line.contains("found by searching only: ") && line.contains("AGENTS.md is cut to "), "{line}");
    assert!(ended[1..].iter().all(|turn| !turn.err.contains(off)), "it is said more than once");
    home.run(&["explain", "context"]).await.code(0).says(&["AGENTS.md"]);
}
