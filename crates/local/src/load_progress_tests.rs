use std::time::Duration;

use krabba_types::{ModelId, ServerKind};

use crate::test_server::{Reply, TestServer, client};
use crate::{Endpoint, Report, load_percent};

/// What is heard of model `m` when the router sends `body`.
async fn heard(body: &'static str) -> Option<u8> {
    let server = TestServer::start(move |asked| match asked.line.as_str() {
        "GET /models/sse" => Reply::json(200, body).header("Content-Type", "text/event-stream"),
        _ => Reply::json(404, "{}"),
    })
    .await;
    let (http, endpoint) = (client(), Endpoint::new(server.url()));
    http.egress().allow(&krabba_net::Url::parse(&server.url()).unwrap());
    let mut report = Report::new(ServerKind::LlamaCpp);
    report.url = format!("{}/v1", server.url());
    load_percent(&http, &endpoint, &report, &ModelId::new("m"), Duration::from_secs(5)).await
}

#[tokio::test]
async fn load_of_a_router_is_shown_in_percent() {
    let one = r#"data: {"model":"other","event":"status_change","data":{"status":"loading","progress":{"stages":["text_model"],"current":"text_model","value":0.9}}}

data: {"model":"m","event":"model_status","data":{"status":"loading"}}

data: {"model":"m","event":"status_change","data":{"status":"loading","progress":{"stages":["text_model"],"current":"text_model","value":0.25}}}

"#;
    let two = r#"data: {"model":"m","event":"status_change","data":{"status":"loading","progress":{"stages":["text_model","mmproj"],"current":"mmproj","value":0.5}}}

"#;
    let over = r#"data: {"model":"m","event":"status_change","data":{"status":"loaded"}}

"#;
    assert_eq!((heard(one).await, heard(two).await, heard(over).await, heard("").await), (Some(25), Some(75), None, None));
}
