//! Commands that want out: nowhere by themselves, and to a named host after the owner's yes.

use krabba_testkit::{Script, ScriptedServer};
use serde_json::{Value, json};

use crate::support::Home;

/// A model that runs a command which asks `host` for its list of models, and then says that it is done.
async fn model(host: &str, hosts: Option<&[&str]>) -> (ScriptedServer, Home) {
    let way = if hosts.is_some() { "127.0.0.1/3128".to_owned() } else { host.replace("localhost:", "127.0.0.1/") };
    model_of(&ask(host, &way), hosts).await
}

/// A command that asks for the list of models and prints it.
fn ask(host: &str, way: &str) -> String {
    format!("exec 3<>/dev/tcp/{way} || exit 7; printf 'GET http://{host}/v1/models HTTP/1.1\\r\\nHost: {host}\\r\\n\\r\\n' >&3; cat <&3")
}

/// A model that runs this command.
async fn model_of(command: &str, hosts: Option<&[&str]>) -> (ScriptedServer, Home) {
    let mut arguments = json!({ "command": command });
    if let Some(hosts) = hosts {
        arguments["hosts"] = json!(hosts);
    }
    let call = format!("{{when: {{request: 1}}, steps: [{{tool_call: {{name: 'exec', arguments: {arguments}}}}}, 'end']}}");
    let script = format!("{{server: 'vllm', models: [{{id: 'm'}}], rules: [{call}, {{steps: [{{text: 'Done.'}}, 'end']}}]}}");
    let server = ScriptedServer::start(script.parse::<Script>().unwrap()).await.unwrap();
    let config = json!({
        "models": { "mode": "replace", "providers": { "box": { "baseUrl": server.v1(), "models": [{ "id": "m" }] } } },
        "agents": { "defaults": { "model": { "primary": "box/m" } } },
    });
    (server, Home::with_config(&config.to_string()))
}

async fn outside() -> (ScriptedServer, String) {
    let script = "{server: 'vllm', models: [{id: 'far-away'}]}".parse::<Script>().unwrap();
    let server = ScriptedServer::start(script).await.unwrap();
    let host = server.url().replace("http://", "").replace("127.0.0.1", "localhost").trim_end_matches('/').to_owned();
    (server, host)
}

/// What the model was told of its command.
fn told(server: &ScriptedServer) -> String {
    let sent = server.generations();
    let messages = &sent.last().unwrap().json.as_ref().unwrap()["messages"];
    messages.as_array().unwrap().last().unwrap()["content"].to_string()
}

/// The question that waits, as soon as there is one.
async fn question(home: &Home) -> Value {
    let asking = async {
        loop {
            let open = home.run(&["approvals", "list", "--json"]).await.code(0).json();
            if open["count"] == 1 {
                return open["approvals"][0].clone();
            }
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), asking).await.unwrap()
}

#[tokio::test]
async fn command_reaches_a_host_after_a_yes_and_not_after_a_no() {
    let (outside, host) = outside().await;
    for (word, reached) in [("deny", 0), ("approve", 1)] {
        let (server, home) = model(&host, Some(&[&host])).await;
        let turn = home.start(&["agent", "--message", "what is there?"]);
        let asked = question(&home).await;
        assert!(asked.to_string().contains(&format!("it may reach {host}")), "{asked}");
        assert!(outside.requests().is_empty(), "it did not wait");
        home.run(&["approvals", word, asked["id"].as_str().unwrap()]).await.code(0);
        turn.end().await.code(0).says(&["Done."]);
        assert_eq!((outside.requests().len(), told(&server).contains("far-away")), (reached, reached == 1), "{}", told(&server));
    }
}

#[tokio::test]
async fn command_that_names_no_host_reaches_none() {
    let (outside, host) = outside().await;
    let (server, home) = model(&host, None).await;
    home.run(&["agent", "--message", &format!("what is at http://{host}?")]).await.code(0).says(&["Done."]);
    assert!(told(&server).contains("exit code 7"), "{}", told(&server));
    assert!(outside.requests().is_empty(), "something got out");
}

#[tokio::test]
async fn what_a_command_brought_is_no_memory() {
    let (_outside, host) = outside().await;
    let keep = "> MEMORY.md && mkdir -p memory && cp MEMORY.md memory/$(date +%F).md";
    let (server, home) = model_of(&format!("{} {keep}", ask(&host, "127.0.0.1/3128")), Some(&[&host])).await;
    home.write(".krabba/workspace/memory/README.md", "Notes of each day.\n");
    home.run(&["agent", "--message", &format!("keep what http://{host} says")]).await.code(0).says(&["Done."]);
    assert!(std::fs::read_to_string(home.path(".krabba/workspace/MEMORY.md")).unwrap().contains("far-away"));
    home.run(&["agent", "--message", "hello"]).await.code(0);
    let last = server.generations().last().unwrap().json.clone().unwrap();
    let system = last["messages"][0]["content"].to_string();
    assert!(!system.contains("far-away") && !system.contains("MEMORY.md"), "{system}");
}
