use std::time::Duration;

use krabba_types::{ModelId, ServerKind};
use serde_json::{Value, json};

use crate::test_server::{Asked, Reply, TestServer, client};
use crate::{CountError, Countable, Endpoint, Report, TokenCounter};

async fn count(server: &TestServer, kind: ServerKind, countable: Countable<'_>) -> Result<u32, CountError> {
    let (http, endpoint) = (client(), Endpoint::new(server.url()));
    let url = krabba_net::Url::parse(&server.url()).unwrap();
    http.egress().allow(&url);
    let mut report = Report::new(kind);
    report.url = format!("{}/v1", server.url());
    let counter = TokenCounter { http: &http, endpoint: &endpoint, report: &report, budget: Duration::from_secs(2) };
    counter.count(&ModelId::new("m"), countable).await
}

fn chat() -> krabba_types::JsonObject {
    json!({"model": "other", "messages": [{"role": "user", "content": "hi"}], "stream": true}).as_object().unwrap().clone()
}

fn body(asked: &Asked) -> Value {
    serde_json::from_str(&asked.body).unwrap()
}

#[tokio::test]
async fn new_llama_cpp_counts_in_one_question() {
    let server = TestServer::start(|asked| {
        assert_eq!(body(asked), json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]}));
        Reply::json(200, r#"{"object":"response.input_tokens","input_tokens":9}"#)
    })
    .await;
    assert_eq!(count(&server, ServerKind::LlamaCpp, Countable::Chat(&chat())).await, Ok(9));
    assert_eq!(server.asked(), ["POST /v1/chat/completions/input_tokens"]);
}

#[tokio::test]
async fn older_llama_cpp_counts_what_it_rendered() {
    let server = TestServer::start(|asked| match asked.line.as_str() {
        "POST /apply-template" => Reply::json(200, r#"{"prompt":"<|im_start|>user\nhi"}"#),
        "POST /tokenize" => {
            assert_eq!(body(asked)["content"], "<|im_start|>user\nhi");
            Reply::json(200, r#"{"tokens":[1,2,3]}"#)
        }
        _ => Reply::json(404, r#"{"error":{"code":404,"message":"File Not Found"}}"#),
    })
    .await;
    assert_eq!(count(&server, ServerKind::LlamaCpp, Countable::Chat(&chat())).await, Ok(3));
}

#[tokio::test]
async fn vllm_counts_with_its_template() {
    let server = TestServer::start(|asked| {
        assert_eq!(body(asked), json!({"model": "m", "add_generation_prompt": true, "messages": [{"role": "user", "content": "hi"}]}));
        Reply::json(200, r#"{"count":12,"max_model_len":4096,"tokens":[]}"#)
    })
    .await;
    assert_eq!(count(&server, ServerKind::Vllm, Countable::Chat(&chat())).await, Ok(12));
    assert_eq!(server.asked(), ["POST /tokenize"]);
}

#[tokio::test]
async fn server_that_cannot_count_is_not_asked() {
    let server = TestServer::start(|_| Reply::json(200, "{}")).await;
    let refused = count(&server, ServerKind::LmStudio, Countable::Text("hi")).await;
    assert_eq!(refused, Err(CountError::NotOffered { server: "LM Studio" }));
    assert_eq!(server.asked(), Vec::<String>::new());
}

#[tokio::test]
async fn answer_without_a_count_is_no_count() {
    let server = TestServer::start(|_| Reply::json(200, r#"{"max_model_len":4096}"#)).await;
    let failed = count(&server, ServerKind::Sglang, Countable::Text("hi")).await;
    assert_eq!(
        failed,
        Err(CountError::Failed { url: format!("{}/tokenize", server.url()), reason: "there is no count in its answer".to_owned() })
    );
}
