//! Prompts that do not fit, and servers whose window is not what somebody says it is.

use krabba_testkit::{LlamaServer, Model, ModelFile, Overflow, Script, ScriptedServer};

use crate::support::{Home, attempts, text};

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
