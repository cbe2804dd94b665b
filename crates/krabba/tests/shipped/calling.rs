//! How a model calls tools: measured on a real server, remembered, shown, and done so from then on.

use std::fs;

use krabba_testkit::{LlamaServer, ModelFile};
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
    let server = LlamaServer::start(ModelFile::ScriptedTextTask, &["--alias", "m"]).await.unwrap();
    let home = Home::with_config(&config(&server));
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
