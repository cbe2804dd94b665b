//! llama.cpp's own server, warm.

use krabba_testkit::{LlamaServer, ModelFile};
use serde_json::Value;

use crate::support::{Home, attempts, text};

/// The same server under three names, one for each of the dialects that it speaks.
fn three_dialects(server: &LlamaServer) -> String {
    let provider =
        |name: &str, api: &str, base: &str| format!(r#"{name}: {{ baseUrl: "{base}", api: "{api}", models: [{{ id: "tiny" }}] }},"#);
    let (url, v1) = (server.url(), format!("{}/v1", server.url()));
    format!(
        r#"{{ models: {{ mode: "replace", providers: {{ {} {} {} }} }},
             agents: {{ defaults: {{ model: {{ primary: "chat/tiny" }} }} }} }}"#,
        provider("chat", "openai-completions", &v1),
        provider("responses", "openai-responses", &format!("{v1}/")),
        provider("messages", "anthropic-messages", &url),
    )
}

#[tokio::test]
async fn no_dialect_loses_or_adds_a_character() {
    let server = LlamaServer::start(ModelFile::Scripted, &["--alias", "tiny"]).await.unwrap();
    let home = Home::with_config(&three_dialects(&server));
    for name in ["chat", "responses", "messages"] {
        let reference = format!("{name}/tiny");
        let plain = home.run(&["agent", "--message", "hi", "--model", &reference]).await.code(0);
        assert_eq!((plain.out.as_str(), plain.err.as_str()), (format!("{}\n", LlamaServer::REPLY).as_str(), ""), "{reference}");
        let turn = home.run(&["agent", "--message", "hi", "--model", &reference, "--json"]).await.code(0).json();
        assert_eq!((text(&turn), attempts(&turn)), (LlamaServer::REPLY, vec![format!("{reference} answered")]));
        assert_eq!(turn["attempts"][0]["residency"], "device");
        assert_eq!((&turn["context"]["window"], &turn["context"]["windowSource"]), (&Value::from(8192), &Value::from("loaded-instance")));
        let agent_meta = &turn["result"]["meta"]["agentMeta"];
        assert_eq!((&agent_meta["provider"], &agent_meta["model"]), (&Value::from(name), &Value::from("tiny")));
        assert!(agent_meta["usage"]["input"].as_u64() > Some(0) && agent_meta["usage"]["output"].as_u64() > Some(0), "{turn}");
    }
    let status = home.run(&["models", "status", "--probe", "--json"]).await.code(0).json();
    let probe = &status["auth"]["probes"][0];
    assert_eq!((&probe["ref"], &probe["status"]), (&Value::from("chat/tiny"), &Value::from("ok")));
    assert!(probe["firstTokenMs"].is_u64() && probe["tokensPerSecond"].is_f64(), "{probe}");
}

#[tokio::test]
async fn a_server_is_found_without_a_configuration() {
    let server = LlamaServer::start(ModelFile::Scripted, &["--alias", "found-by-itself"]).await.unwrap();
    let home = Home::new().variable("LLAMA_ARG_PORT", &server.port().to_string());

    let scan = home.run(&["models", "scan", "--json"]).await.code(0).json();
    let servers = scan["servers"].as_array().unwrap();
    let ours = servers.iter().find(|found| found["url"].as_str().unwrap().contains(&server.port().to_string())).unwrap();
    assert_eq!((&ours["server"], &ours["models"][0]["id"]), (&Value::from("llama.cpp"), &Value::from("found-by-itself")));
    assert_eq!((&ours["models"][0]["contextWindow"], &ours["hosted"]), (&Value::from(8192), &Value::Bool(false)));
    // Somebody who runs these tests may have servers of their own, and a better model on one of them.
    if servers.len() == 1 {
        home.run(&["agent", "--message", "hi"]).await.code(0).says(&[LlamaServer::REPLY]);
        home.type_into(&["chat"], &["hi", "/status", "again"]).await.code(0).says(&[LlamaServer::REPLY, "found-by-itself"]);
    }
    assert!(!home.path(".krabba/krabba.json5").exists(), "nobody asked for a configuration to be written");

    home.run(&["onboard", &server.url()]).await.code(0).says(&["Wrote ~/.krabba/krabba.json5"]);
    let written = std::fs::read_to_string(home.path(".krabba/krabba.json5")).unwrap();
    assert!(written.contains("llama-cpp/found-by-itself"), "{written}");
    let home = home.variable("LLAMA_ARG_PORT", "1");
    let status = home.run(&["models", "status", "--probe"]).await.code(0);
    status.says(&["llama-cpp/found-by-itself", "ok, first token after"]);
}

#[tokio::test]
async fn the_prompt_is_read_again_only_where_it_is_new() {
    let server = LlamaServer::start(ModelFile::ScriptedLong, &["--alias", "tiny", "-np", "1"]).await.unwrap();
    let home = Home::with_config(&three_dialects(&server));
    let mut before = 0;
    for turn in 1..=6 {
        let message = format!("Turn {turn}. {}", "Some words that are worth remembering. ".repeat(8));
        let turn_json = home.run(&["agent", "--session-id", "cached", "--message", &message, "--json"]).await.code(0).json();
        let (prompt, cached) =
            (turn_json["context"]["promptTokens"].as_u64().unwrap(), turn_json["context"]["cachedTokens"].as_u64().unwrap_or(0));
        assert!(cached * 100 >= before * 95, "turn {turn}: {cached} of {before} tokens were in the cache\n{turn_json}");
        assert!(prompt > before, "turn {turn}: the prompt did not grow\n{turn_json}");
        before = prompt;
    }
}
