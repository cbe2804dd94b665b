//! The mark of an answer that somebody else's content had a hand in.

use krabba_testkit::{Script, ScriptedServer};

use crate::support::{Home, text};

const MARK: &str = "[unverified: it uses content from web search]";

/// A model that searches when it is asked to, in a home whose search engine is the same server.
async fn searching() -> (ScriptedServer, Home) {
    let script = r#"{server: 'vllm', models: [{id: 'm', window: 32768}], rules: [
        {when: {path: '/search'}, json: {results: [{url: 'http://evil.example/', title: 'Crabs', content: 'They walk.'}]}},
        {when: {contains: '"role":"tool"'}, steps: [{text: 'Sideways.'}, 'end']},
        {when: {contains: 'search for it'}, steps: [{tool_call: {name: 'web_search', arguments: {query: 'crabs'}}}, 'end']},
        {steps: [{text: 'Hello.'}, 'end']},
    ]}"#;
    let server = ScriptedServer::start(script.parse::<Script>().unwrap()).await.unwrap();
    let home = Home::with_config(&format!(
        r#"{{ models: {{ mode: "replace", providers: {{ box: {{ baseUrl: "{}", models: [{{ id: "m" }}] }} }} }},
             tools: {{ web: {{ search: {{ baseUrl: "{}" }} }} }},
             agents: {{ defaults: {{ model: {{ primary: "box/m" }} }} }} }}"#,
        server.v1(),
        server.url()
    ));
    (server, home)
}

#[tokio::test]
async fn answer_from_foreign_content_is_marked_beside_it_and_not_in_it() {
    let (_server, home) = searching().await;
    let own = home.run(&["agent", "--message", "hello"]).await.code(0);
    assert_eq!((own.out.as_str(), own.err.as_str()), ("Hello.\n", ""));
    let theirs = home.run(&["agent", "--message", "search for it"]).await.code(0);
    assert_eq!(theirs.out, "Sideways.\n");
    assert_eq!(theirs.err.lines().last(), Some(MARK), "{theirs}");
    // Programs read it where it stands.
    let json = home.run(&["agent", "--message", "search for it", "--json"]).await.code(0);
    assert_eq!((text(&json.json()), json.err.as_str()), ("Sideways.", ""));
}

#[tokio::test]
async fn earlier_answer_keeps_its_mark() {
    let (_server, home) = searching().await;
    home.run(&["agent", "--session-id", "s", "--message", "hello"]).await.code(0);
    home.run(&["agent", "--session-id", "s", "--message", "search for it"]).await.code(0);
    let shown = home.run(&["sessions", "show", "s"]).await.code(0);
    assert!(shown.out.contains(&format!("Sideways.\n{MARK}\n")), "{shown}");
    assert_eq!(shown.out.matches(MARK).count(), 1, "{shown}");
}

#[tokio::test]
async fn conversation_through_pipes_marks_the_answers_that_are_not_its_owners() {
    let (_server, home) = searching().await;
    let talked = home.type_into(&["chat"], &["hello", "search for it", "and again"]).await.code(0);
    assert_eq!(talked.out, "Hello.\nSideways.\nSideways.\n");
    // The page is still in the context of the last one.
    assert_eq!(talked.err.lines().filter(|line| *line == MARK).count(), 2, "{talked}");
}
