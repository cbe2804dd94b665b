//! What is said, in every dialect, streamed and whole.

use crate::support::{body, events, post};
use krabba_testkit::{Script, ScriptedServer, Step, dialect_path};
use krabba_types::Dialect;
use serde_json::{Value, json};

async fn answer(script: Script, dialect: Dialect, stream: bool) -> String {
    let server = ScriptedServer::start(script).await.unwrap();
    let (status, text) = post(&server, dialect_path(dialect), &body(dialect, "m", "hello", stream)).await;
    assert_eq!(status, 200, "{text}");
    text
}

/// The texts of all deltas of a stream.
fn streamed_text(dialect: Dialect, stream: &str) -> String {
    let text = |event: &Value| match dialect {
        Dialect::OpenAiCompletions => event["choices"][0]["delta"]["content"].as_str().map(str::to_owned),
        Dialect::OpenAiResponses if event["type"] == "response.output_text.delta" => event["delta"].as_str().map(str::to_owned),
        Dialect::OpenAiResponses => None,
        Dialect::AnthropicMessages => event["delta"]["text"].as_str().map(str::to_owned),
        Dialect::Ollama => event["message"]["content"].as_str().map(str::to_owned),
    };
    events(stream).iter().filter_map(text).collect()
}

#[tokio::test]
async fn the_same_steps_say_the_same_in_every_stream() {
    for dialect in Dialect::ALL {
        let steps = [Step::reasoning("hm"), Step::text("Hel"), Step::text("lo å"), Step::End];
        let stream = answer(Script::any().steps(steps), dialect, true).await;
        assert_eq!(streamed_text(dialect, &stream), "Hello å", "{dialect}");
    }
}

#[tokio::test]
async fn a_stream_ends_as_its_dialect_says() {
    let last = |stream: &str| stream.trim_end().lines().last().unwrap().to_owned();
    let script = || Script::any().reply("hello");
    let chat = answer(script(), Dialect::OpenAiCompletions, true).await;
    assert_eq!(last(&chat), "data: [DONE]");
    let messages = answer(script(), Dialect::AnthropicMessages, true).await;
    assert_eq!(last(&messages), r#"data: {"type":"message_stop"}"#);
    let responses = answer(script(), Dialect::OpenAiResponses, true).await;
    assert_eq!(events(&responses).last().unwrap()["type"], "response.completed");
    let ollama = answer(script(), Dialect::Ollama, true).await;
    let done = events(&ollama).last().unwrap().clone();
    assert_eq!((&done["done"], &done["done_reason"], &done["eval_count"]), (&json!(true), &json!("stop"), &json!(2)));
}

#[tokio::test]
async fn a_whole_reply_carries_text_reasoning_and_calls() {
    let script = || {
        let call = Step::tool_call("get_weather", json!({"city": "Malmö"}));
        Script::any().steps([Step::reasoning("hm"), Step::text("one moment"), call, Step::End])
    };
    let whole = |text: String| serde_json::from_str::<Value>(&text).unwrap();
    let chat = whole(answer(script(), Dialect::OpenAiCompletions, false).await);
    assert_eq!(
        chat["choices"][0],
        json!({"index": 0, "finish_reason": "tool_calls", "message": {
            "role": "assistant", "content": "one moment", "reasoning_content": "hm",
            "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": "{\"city\":\"Malmö\"}"}}],
        }})
    );
    let messages = whole(answer(script(), Dialect::AnthropicMessages, false).await);
    let kinds: Vec<&str> = messages["content"].as_array().unwrap().iter().filter_map(|block| block["type"].as_str()).collect();
    assert_eq!((kinds.as_slice(), &messages["stop_reason"]), (["thinking", "text", "tool_use"].as_slice(), &json!("tool_use")));
    let responses = whole(answer(script(), Dialect::OpenAiResponses, false).await);
    let kinds: Vec<&str> = responses["output"].as_array().unwrap().iter().filter_map(|item| item["type"].as_str()).collect();
    assert_eq!((kinds.as_slice(), &responses["status"]), (["reasoning", "message", "function_call"].as_slice(), &json!("completed")));
    let ollama = whole(answer(script(), Dialect::Ollama, false).await);
    assert_eq!(
        ollama["message"],
        json!({"role": "assistant", "content": "one moment", "thinking": "hm", "tool_calls": [
            {"function": {"name": "get_weather", "arguments": {"city": "Malmö"}}},
        ]})
    );
}

#[tokio::test]
async fn responses_of_llama_cpp_have_no_numbers_and_those_of_others_do() {
    let numbered = |stream: &str| events(stream).iter().filter(|event| event.get("sequence_number").is_some()).count();
    let lean = answer(Script::llama_cpp().model("m").reply("hi"), Dialect::OpenAiResponses, true).await;
    assert_eq!(numbered(&lean), 0);
    let full = answer(Script::any().reply("hi"), Dialect::OpenAiResponses, true).await;
    assert_eq!(numbered(&full), events(&full).len());
}

#[tokio::test]
async fn chat_usage_comes_only_when_asked_for() {
    let script = || Script::any().reply("hello");
    let unasked = answer(script(), Dialect::OpenAiCompletions, true).await;
    assert!(!unasked.contains("prompt_tokens"));
    let server = ScriptedServer::start(script()).await.unwrap();
    let mut asked = body(Dialect::OpenAiCompletions, "m", "hello", true);
    asked["stream_options"] = json!({"include_usage": true});
    let (_, text) = post(&server, "/v1/chat/completions", &asked).await;
    let usage = events(&text).into_iter().find_map(|event| event.get("usage").cloned()).unwrap();
    assert_eq!(usage["completion_tokens"], 2);
}

#[tokio::test]
async fn each_server_fails_a_stream_in_its_own_way() {
    let steps = || [Step::text("He"), Step::error("boom")];
    let tail = |stream: &str| stream.trim_end().lines().filter(|line| !line.is_empty()).skip(2).map(str::to_owned).collect::<Vec<_>>();
    let llama_cpp = answer(Script::llama_cpp().model("m").steps(steps()), Dialect::OpenAiCompletions, true).await;
    assert_eq!(tail(&llama_cpp), [r#"data: {"error":{"code":500,"message":"boom","type":"server_error"}}"#]);
    let vllm = answer(Script::vllm().model("m").steps(steps()), Dialect::OpenAiCompletions, true).await;
    let error = r#"data: {"error":{"message":"boom","type":"InternalServerError","param":null,"code":500}}"#;
    assert_eq!(tail(&vllm), [error, "data: [DONE]"]);
    let ollama_v1 = answer(Script::ollama().model("m").steps(steps()), Dialect::OpenAiCompletions, true).await;
    assert!(!ollama_v1.contains("boom"));
    let ollama = answer(Script::ollama().model("m").steps(steps()), Dialect::Ollama, true).await;
    assert_eq!(ollama.lines().last().unwrap(), r#"{"error":"boom"}"#);
}

#[tokio::test]
async fn cached_tokens_grow_with_a_stable_prompt_and_fall_with_an_unstable_one() {
    let server = ScriptedServer::start(Script::llama_cpp().model("m").reply("an answer")).await.unwrap();
    let cached = async |messages: Value| {
        let (_, text) = post(&server, "/v1/chat/completions", &json!({"model": "m", "messages": messages})).await;
        serde_json::from_str::<Value>(&text).unwrap()["usage"]["prompt_tokens_details"]["cached_tokens"].as_u64().unwrap()
    };
    let system = json!({"role": "system", "content": "You are helpful. ".repeat(20)});
    let user = json!({"role": "user", "content": "hello"});
    let assistant = json!({"role": "assistant", "content": "an answer"});
    let first = cached(json!([system, user])).await;
    let second = cached(json!([system, user, assistant, {"role": "user", "content": "more"}])).await;
    let unstable = cached(json!([{"role": "system", "content": "It is 12:01. "}, user])).await;
    assert_eq!((first, second > 85, unstable < 5), (0, true, true), "{first} {second} {unstable}");
}
