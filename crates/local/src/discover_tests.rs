use std::time::Duration;

use krabba_types::{ModelId, ServerKind};

use crate::discover::{addresses, discover_at};
use crate::test_server::{Reply, TestServer, client, nobody};
use crate::{Container, LmStudioTrace, Surroundings, TriedOutcome};

const BUDGET: Duration = Duration::from_secs(3);

fn listing(owner: &'static str) -> impl Fn(&crate::test_server::Asked) -> Reply {
    move |asked| match asked.line.as_str() {
        "GET /v1/models" => {
            Reply::json(200, format!("{{\"object\":\"list\",\"data\":[{{\"id\":\"m\",\"owned_by\":\"{owner}\",\"max_model_len\":4096}}]}}"))
        }
        _ => Reply::json(404, "{}"),
    }
}

#[tokio::test]
async fn every_server_is_found_once_and_a_closed_port_is_no_error() {
    let vllm = TestServer::start(listing("vllm")).await;
    let sglang = TestServer::start(listing("sglang")).await;
    let closed = nobody();
    let addresses = vec![vllm.url(), sglang.url(), closed, format!("http://localhost:{}", vllm.port())];
    let found = discover_at(&client(), addresses, &Surroundings::plain(), BUDGET).await;
    assert_eq!(found.found.iter().map(|report| report.kind).collect::<Vec<_>>(), [ServerKind::Vllm, ServerKind::Sglang]);
    assert!(found.tried.iter().any(|tried| tried.outcome == TriedOutcome::NothingThere));
    assert_eq!(found.found[0].models[0].id, ModelId::new("m"));
}

#[tokio::test]
async fn silent_port_does_not_hide_the_others() {
    let silent = TestServer::start(|_| Reply::silence()).await;
    let vllm = TestServer::start(listing("vllm")).await;
    let found = discover_at(&client(), vec![silent.url(), vllm.url()], &Surroundings::plain(), Duration::from_millis(500)).await;
    assert_eq!(found.found.len(), 1);
}

#[tokio::test]
async fn lm_studio_with_its_server_off_gets_a_hint() {
    let mut surroundings = Surroundings::plain();
    surroundings.lm_studio = LmStudioTrace::Running;
    let found = discover_at(&client(), Vec::new(), &surroundings, BUDGET).await;
    assert_eq!(
        found.hints,
        ["LM Studio is open, but its server is off: open its Developer tab and switch \"Status\" to Running, or type `lms server start`"]
    );
}

#[test]
fn container_looks_at_its_host_after_loopback() {
    let surroundings = Surroundings {
        container: Container::Inside,
        hosts: vec!["host.docker.internal".to_owned(), "172.17.0.1".to_owned()],
        named: vec!["http://gpubox:9999".to_owned()],
        lm_studio: LmStudioTrace::None,
    };
    assert_eq!(
        addresses(&surroundings, &[1234, 8080]),
        [
            "http://gpubox:9999",
            "http://localhost:1234",
            "http://localhost:8080",
            "http://host.docker.internal:1234",
            "http://host.docker.internal:8080",
            "http://172.17.0.1:1234",
            "http://172.17.0.1:8080",
        ]
    );
}
