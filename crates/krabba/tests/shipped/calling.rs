//! How a model calls tools: measured on a real server, remembered, shown, and done so from then on.

use std::fs;

use krabba_testkit::{LlamaServer, ModelFile, Script, ScriptedServer};
use serde_json::Value;

use crate::support::Home;

fn config(server: &LlamaServer) -> String {
    format!(
        r#"{{ models: {{ mode: "replace", providers: {{ box: {{ baseUrl: "{}/v1", models: [{{ id: "m" }}] }} }} }},
             agents: {{ defaults: {{ model: {{ primary: "box/m" }} }} }} }}"#,
        server.url()
    )
}

/// What a scan measures, and what is shown of it later.
async fn measured(home: &Home) -> (Value, Value) {
    let scan = home.run(&["models", "scan", "--probe", "--json"]).await.code(0).json();
    let probes = scan["probes"].as_array().unwrap();
    let probe = probes.iter().find(|probe| probe["ref"] == "box/m").unwrap_or_else(|| panic!("not measured: {scan}"));
    let status = home.run(&["models", "status", "--json"]).await.code(0).json();
    (probe["tools"].clone(), status["tools"]["box/m"].clone())
}

#[tokio::test]
async fn a_model_whose_calls_its_server_reads_is_not_told_of_tools_in_words() {
    let server = LlamaServer::start(ModelFile::ScriptedTask, &["--alias", "m"]).await.unwrap();
    let home = Home::with_config(&config(&server));
    let (probed, status) = measured(&home).await;
    assert_eq!((probed, &status["ability"], &status["source"]), (Value::from("native"), &Value::from("native"), &Value::from("measured")));
}

#[tokio::test]
async fn a_model_that_calls_nothing_by_itself_is_held_to_a_form() {
    held("openai-completions").await;
}

#[tokio::test]
async fn a_model_that_is_asked_in_responses_is_held_to_a_form_as_well() {
    held("openai-responses").await;
}

async fn held(api: &str) {
    let server = LlamaServer::start(ModelFile::ScriptedTextTask, &["--alias", "m"]).await.unwrap();
    let home = Home::with_config(&config(&server).replace("models: [", &format!("api: \"{api}\", models: [")));
    home.write(".krabba/workspace/fruit.txt", "pear\napple\nfig\n");
    let (probed, status) = measured(&home).await;
    let constrained = Value::from("constrained");
    assert_eq!((&probed, &status["ability"], &status["source"]), (&constrained, &constrained, &Value::from("measured")));
    home.run(&["models", "status"]).await.code(0).says(&["tools constrained (measured)"]);
    home.run(&["explain", "route"]).await.code(0).says(&["tools: constrained (measured)"]);

    let done = home.run(&["agent", "--message", "sort the fruit"]).await.code(0);
    assert_eq!(done.out, format!("{}\n", LlamaServer::REPLY));
    assert_eq!(fs::read_to_string(home.path(".krabba/workspace/sorted.txt")).unwrap(), "apricot\nfig\npear\n");
}

#[tokio::test]
async fn a_server_that_refuses_the_form_in_responses_is_not_asked_for_it_again() {
    let script = "{server: 'vllm', models: [{id: 'm'}], strict: ['no-tools', 'known-fields']}";
    let server = ScriptedServer::start(script.parse::<Script>().unwrap()).await.unwrap();
    let model = "{ id: \"m\", compat: { toolCalls: \"constrained\" } }";
    let config = format!(
        r#"{{ models: {{ mode: "replace", providers: {{ box: {{ baseUrl: "{}", api: "openai-responses", models: [{model}] }} }} }},
             agents: {{ defaults: {{ model: {{ primary: "box/m" }} }} }} }}"#,
        server.v1()
    );
    let home = Home::with_config(&config);
    let done = home.run(&["agent", "--message", "hello"]).await.code(0);
    done.warns(&["box/m cannot be held to the form of calls; it is told of tools in words from now on"]);
    let sent = server.generations();
    let fields: Vec<bool> = sent.iter().map(|request| request.json.as_ref().unwrap().get("text").is_some()).collect();
    assert!(fields.first() == Some(&true) && fields.last() == Some(&false), "{fields:?}");
    assert!(sent.last().unwrap().json.as_ref().unwrap().to_string().contains("<tool_call>"), "it is told how to write a call");
}
