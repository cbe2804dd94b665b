//! A server that is not there yet, or has not read its model yet.

use krabba_testkit::{LlamaServer, ModelFile};

use crate::support::{Home, attempts, closed_port, text};

fn config(port: u16) -> String {
    format!(
        r#"{{ models: {{ mode: "replace", providers: {{ box: {{
             baseUrl: "http://127.0.0.1:{port}/v1", api: "openai-completions", models: [{{ id: "tiny" }}] }} }} }},
             agents: {{ defaults: {{ model: {{ primary: "box/tiny" }} }} }} }}"#
    )
}

/// Starts a server and returns while it still answers 503.
async fn loading_on(port: u16) -> LlamaServer {
    let server = LlamaServer::start_on(port, ModelFile::SlowToLoad, &["--alias", "tiny"]).unwrap();
    loop {
        match server.health().await {
            Some(503) => return server,
            Some(status) => panic!("never saw it loading, but {status}"),
            None => tokio::time::sleep(std::time::Duration::from_millis(5)).await,
        }
    }
}

#[tokio::test]
async fn a_server_that_is_loading_is_waited_for() {
    let port = closed_port();
    let home = Home::with_config(&config(port));

    // The look must fall into the load, and a load cannot be held: so loads are begun until one outlasts a look.
    for round in 1.. {
        let server = loading_on(port).await;
        let status = home.run(&["models", "status"]).await.code(0);
        if server.health().await == Some(503) {
            status.says(&["box/tiny (primary): loading"]);
            break;
        }
        assert!(round < 20, "every load was over before a look at it");
    }

    let server = loading_on(port).await;
    let turn = home.run(&["agent", "--message", "hi", "--json"]).await.code(0).json();
    assert_eq!((text(&turn), attempts(&turn)), (LlamaServer::REPLY, vec!["box/tiny answered".to_owned()]));
    assert_eq!(server.health().await, Some(200));
}

#[tokio::test]
async fn a_server_that_starts_later_is_used_as_it_is() {
    let port = closed_port();
    let home = Home::with_config(&config(port));
    home.run(&["agent", "--session-id", "patient", "--message", "hi"]).await.code(1).warns(&[
        "box: cannot connect",
        &port.to_string(),
        "is the server running?",
    ]);
    home.run(&["models", "status", "--probe"]).await.code(1).says(&["does not answer"]);

    let mut server = LlamaServer::start_on(port, ModelFile::Scripted, &["--alias", "tiny"]).unwrap();
    server.ready().await.unwrap();
    home.run(&["agent", "--session-id", "patient", "--message", "hi again"]).await.code(0).says(&[LlamaServer::REPLY]);
    home.run(&["sessions", "show", "patient"]).await.code(0).says(&["› hi\n", "› hi again\n", LlamaServer::REPLY]);
}
