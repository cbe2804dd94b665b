//! A client for the tests of this crate, and a few ways to look at what it got.

use krabba_testkit::ScriptedServer;
use krabba_types::Dialect;
use serde_json::{Value, json};

/// A plain client; not krabba's own, so that the two do not agree on the same mistake.
#[allow(clippy::disallowed_methods, reason = "the crate under test is below krabba_net, which therefore cannot be its client")]
pub(crate) fn client() -> reqwest::Client {
    // The second test of a process finds the provider installed.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().unwrap()
}

pub(crate) fn user(model: &str, text: &str) -> Value {
    json!({"model": model, "messages": [{"role": "user", "content": text}]})
}

pub(crate) fn body(dialect: Dialect, model: &str, text: &str, stream: bool) -> Value {
    match dialect {
        Dialect::OpenAiResponses => json!({"model": model, "input": text, "stream": stream}),
        Dialect::OpenAiCompletions | Dialect::AnthropicMessages | Dialect::Ollama => {
            json!({"model": model, "messages": [{"role": "user", "content": text}], "stream": stream})
        }
    }
}

pub(crate) async fn post(server: &ScriptedServer, path: &str, body: &Value) -> (u16, String) {
    let url = format!("{}{path}", server.url());
    let response = client().post(url).header("content-type", "application/json").body(body.to_string()).send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

pub(crate) async fn get(server: &ScriptedServer, path: &str) -> (u16, Value) {
    let response = client().get(format!("{}{path}", server.url())).send().await.unwrap();
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

/// The `data:` values of an SSE body, or the lines of an NDJSON body.
pub(crate) fn events(body: &str) -> Vec<Value> {
    let values = body.lines().map(|line| line.strip_prefix("data: ").unwrap_or(line));
    values.filter_map(|text| serde_json::from_str(text).ok()).collect()
}
