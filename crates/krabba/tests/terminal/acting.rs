//! A model that acts: what a person at the terminal sees of it, and what they have a say in.

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
