//! Answers that break off: the person stops them, the server dies, or we do.

use krabba_testkit::{LlamaServer, ModelFile, Script, ScriptedServer};
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::support::{Home, Running, attempts, text, until};

/// A server that writes noise for longer than any of these tests, and a healthy one behind it.
fn config(noise: &LlamaServer, healthy: &str) -> String {
    let provider = |url: &str| format!(r#"{{ baseUrl: "{url}", api: "openai-completions", models: [{{ id: "tiny" }}] }}"#);
    format!(
        r#"{{ models: {{ mode: "replace", providers: {{ noise: {}, healthy: {} }} }},
             agents: {{ defaults: {{ model: {{ primary: "noise/tiny", fallbacks: ["healthy/tiny"] }} }} }} }}"#,
        provider(&format!("{}/v1", noise.url())),
        provider(healthy)
    )
}

async fn noise() -> LlamaServer {
    LlamaServer::start(ModelFile::Random, &["--alias", "tiny", "-np", "1"]).await.unwrap()
}

fn is_writing(slots: &Value) -> bool {
    slots[0]["is_processing"] == true && slots[0]["next_token"][0]["n_decoded"].as_u64() > Some(20)
}

async fn answering(home: &Home, noise: &LlamaServer, arguments: &[&str]) -> Running {
    let running = home.start(arguments);
    until(noise.port(), "/slots", is_writing).await;
    running
}

#[tokio::test]
async fn the_fallbacks_answer_is_whole_when_the_primary_dies_in_the_middle() {
    let mut noise = noise().await;
    let healthy = LlamaServer::start(ModelFile::Scripted, &["--alias", "tiny"]).await.unwrap();
    let home = Home::with_config(&config(&noise, &format!("{}/v1", healthy.url())));
    let running = answering(&home, &noise, &["agent", "--session-id", "survivor", "--message", "hi", "--json"]).await;
    noise.kill();
    let turn = running.end().await.code(0).json();
    assert_eq!((text(&turn), &turn["status"]), (LlamaServer::REPLY, &"ok".into()));
    assert_eq!(attempts(&turn), ["noise/tiny broke-off truncated", "healthy/tiny answered"]);
    let provider = &turn["result"]["meta"]["agentMeta"]["provider"];
    assert_eq!(provider, "healthy");

    // On the next turn the dead server costs nothing but a line, and what is stored holds no half answer.
    let ended = home.run(&["agent", "--session-id", "survivor", "--message", "again"]).await.code(0);
    assert_eq!(ended.out, format!("{}\n", LlamaServer::REPLY));
    ended.warns(&["[noise: cannot connect", "asking healthy/tiny instead]"]);
    let shown = home.run(&["sessions", "show", "survivor"]).await.code(0);
    assert_eq!(shown.out.matches(LlamaServer::REPLY).count(), 2, "{shown}");
    assert!(!shown.out.contains("[broke off here]"), "{shown}");
}

#[tokio::test]
async fn a_stopped_answer_frees_the_servers_slot() {
    let noise = noise().await;
    let home = Home::with_config(&config(&noise, "http://127.0.0.1:9/v1"));
    let running = answering(&home, &noise, &["agent", "--session-id", "stopped", "--message", "hi"]).await;
    running.signal(Signal::SIGINT);
    let ended = running.end().await.code(1);
    ended.warns(&["stopped"]);
    // Left alone, it would write until its window of 8,192 tokens is full.
    let slots = until(noise.port(), "/slots", |slots| slots[0]["is_processing"] == false).await;
    assert!(slots[0]["n_prompt_tokens"].as_u64().unwrap() < 8_000, "it was computed to the end: {slots}");
    home.run(&["sessions", "show", "stopped"]).await.code(0).says(&["› hi\n", "[broke off here]", "[stopped]"]);
}

#[tokio::test]
async fn a_killed_krabba_leaves_a_session_that_goes_on() {
    let noise = noise().await;
    let healthy = ScriptedServer::start(Script::any().model("tiny").reply("here we are")).await.unwrap();
    let home = Home::with_config(&config(&noise, &healthy.v1()));
    let ask = |message: &'static str, model: &'static str| ["agent", "--session-id", "killed", "--model", model, "--message", message];
    home.run(&ask("the first question", "healthy/tiny")).await.code(0).says(&["here we are"]);

    let running = answering(&home, &noise, &ask("the second question", "noise/tiny")).await;
    running.signal(Signal::SIGKILL);
    assert_eq!(running.end().await.code, None);

    home.run(&ask("the third question", "healthy/tiny")).await.code(0).says(&["here we are"]);
    let sent = String::from_utf8(healthy.generations().last().unwrap().body.clone()).unwrap();
    for remembered in ["the first question", "here we are", "the second question", "the third question"] {
        assert!(sent.contains(remembered), "\"{remembered}\" was lost: {sent}");
    }
    let shown = home.run(&["sessions", "show", "killed"]).await.code(0);
    shown.says(&["› the second question\n", "[interrupted: krabba ended before the answer did]", "› the third question\n"]);
    // Its slot does not stay taken either.
    until(noise.port(), "/slots", |slots| slots[0]["is_processing"] == false).await;
}
