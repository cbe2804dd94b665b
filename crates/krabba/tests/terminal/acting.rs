//! A model that acts: what a person at the terminal sees of it, and what they have a say in.

use std::path::PathBuf;

use krabba_testkit::{LlamaServer, ModelFile};
use serde_json::{Value, json};

use super::*;

/// A server whose model answers its nth request with the nth of these steps, and which is a search engine besides.
pub(crate) async fn playing(answers: &[String]) -> ScriptedServer {
    let found = r#"{when: {path: '/search'}, json: {results: [{url: 'http://evil.example/', title: 'Crabs', content: 'They walk.'}]}}"#;
    let rules = (1..).zip(answers).map(|(number, steps)| format!("{{when: {{request: {number}}}, steps: [{steps}]}}"));
    let rules: Vec<String> = std::iter::once(found.to_owned()).chain(rules).collect();
    let script = format!("{{server: 'llama-cpp', models: [{{id: 'm0', window: 32768}}], rules: [{}]}}", rules.join(", "));
    ScriptedServer::start(script.parse::<Script>().unwrap()).await.unwrap()
}

/// An answer that is one call.
pub(crate) fn call(tool: &str, arguments: &Value) -> String {
    format!("{{tool_call: {{name: '{tool}', arguments: {arguments}}}}}, 'end'")
}

/// An answer in words.
pub(crate) fn words(text: &str) -> String {
    format!("{{text: '{text}'}}, 'end'")
}

/// A home that names the server's model, and the server as its search engine.
pub(crate) fn home_with_search(server: &ScriptedServer) -> TempDir {
    let home = home_of(&[server]);
    let path = home.path().join(".krabba/krabba.json5");
    let config = std::fs::read_to_string(&path).unwrap();
    let search = format!(r#"{{ tools: {{ web: {{ search: {{ baseUrl: "{}" }} }} }}, models:"#, server.url());
    std::fs::write(&path, config.replacen("{ models:", &search, 1)).unwrap();
    home
}

/// A place in the workspace.
pub(crate) fn workspace(home: &TempDir, name: &str) -> PathBuf {
    let workspace = home.path().join(".krabba/workspace");
    std::fs::create_dir_all(&workspace).unwrap();
    workspace.join(name)
}

#[tokio::test]
async fn an_answer_from_foreign_content_is_marked_on_the_screen() {
    let search = call("web_search", &json!({ "query": "crabs" }));
    let server = playing(&[words("Hello."), search, words("They walk sideways.")]).await;
    let home = home_with_search(&server);
    let mut terminal = Terminal::open(home.path(), &[]);
    terminal.wait("/help for commands").await;
    terminal.say("hi");
    let screen = terminal.wait_until("the end of the exchange", is_over).await;
    assert!(!screen.contains("unverified"), "{screen}");
    terminal.say("what do crabs do?");
    let over = |screen: &str| screen.contains("They walk sideways.") && is_over(screen);
    let screen = terminal.wait_until("the end of the exchange", over).await;
    let rows: Vec<&str> = screen.lines().skip_while(|row| *row != "They walk sideways.").collect();
    assert_eq!(rows[1], "unverified: it uses content from web search", "{screen}");
    assert!(rows[2].starts_with("m0 · "), "{screen}");
}

#[tokio::test]
async fn a_task_is_done_with_files_and_commands_on_a_real_server() {
    let server = LlamaServer::start(ModelFile::ScriptedTask, &["--alias", "m0"]).await.unwrap();
    let home = tempfile::tempdir().unwrap();
    write_config(
        home.path(),
        &format!(
            r#"{{ models: {{ mode: "replace", providers: {{ box: {{ baseUrl: "{}/v1", models: [{{ id: "m0" }}] }} }} }},
                 agents: {{ defaults: {{ model: {{ primary: "box/m0" }} }} }} }}"#,
            server.url()
        ),
    );
    std::fs::write(workspace(&home, "fruit.txt"), "pear\napple\nfig\n").unwrap();
    let mut terminal = Terminal::open(home.path(), &[]);
    terminal.wait("/help for commands").await;
    terminal.say("sort the fruit");
    let done = |screen: &str| screen.contains(LlamaServer::REPLY) && is_over(screen);
    let screen = terminal.wait_until("the end of the task", done).await;
    let rows: Vec<&str> = screen.lines().skip_while(|row| *row != "› sort the fruit").collect();
    let steps: Vec<&str> = rows.iter().copied().filter(|row| row.starts_with(['•', '✗'])).collect();
    assert_eq!(steps, ["• read fruit.txt", "• run `sort fruit.txt > sorted.txt && wc -l < sorted.txt`", "• edit sorted.txt"], "{screen}");
    let after = |step: &str| rows[rows.iter().position(|row| *row == step).unwrap() + 1..].join("\n");
    assert!(after(steps[0]).starts_with("  pear\n  apple\n  fig\n"), "what was read is shown: {screen}");
    assert!(after(steps[1]).starts_with("  3\n"), "what the command said is shown: {screen}");
    assert!(after(steps[2]).contains("-apple") && after(steps[2]).contains("+apricot"), "what was changed is shown: {screen}");
    assert!(!screen.contains("unverified"), "all of it is the owner's: {screen}");
    assert_eq!(std::fs::read_to_string(workspace(&home, "sorted.txt")).unwrap(), "apricot\nfig\npear\n");
}

#[tokio::test]
async fn a_single_turn_at_a_terminal_is_marked_below_its_answer() {
    let server = playing(&[call("web_search", &json!({ "query": "crabs" })), words("They walk sideways.")]).await;
    let home = home_with_search(&server);
    let mut terminal = Terminal::open(home.path(), &["agent", "--message", "what do crabs do?"]);
    assert_eq!(terminal.end().await, 0);
    let screen = terminal.screen();
    assert!(screen.ends_with("They walk sideways.\n[unverified: it uses content from web search]"), "{screen}");
}
