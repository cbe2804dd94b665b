//! The kinds of server: their native endpoints, what they say about loaded models, and their words for trouble.

use crate::support::{get, post, user};
use krabba_testkit::{LoadStyle, Model, Overflow, Script, ScriptedServer, Step, Strict, WhenFull};
use serde_json::{Value, json};

const CHAT: &str = "/v1/chat/completions";

async fn start(script: Script) -> ScriptedServer {
    ScriptedServer::start(script).await.unwrap()
}

async fn post_json(server: &ScriptedServer, path: &str, body: &Value) -> (u16, Value) {
    let (status, text) = post(server, path, body).await;
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

#[tokio::test]
async fn lm_studio_answers_unknown_paths_with_200() {
    let server = start(Script::lm_studio().model("m")).await;
    assert_eq!(get(&server, "/props").await, (200, json!({"error": "Unexpected endpoint or method. (GET /props)"})));
    let (status, answer) = post_json(&server, "/chat/completions", &user("m", "hi")).await;
    assert_eq!((status, answer), (200, json!({"error": "Unexpected endpoint or method. (POST /chat/completions)"})));
}

#[tokio::test]
async fn lm_studio_loads_by_request_and_shows_the_loaded_window() {
    let server = start(Script::lm_studio().model("m").window(4096).max_window(196_608).cold().held_loads(LoadStyle::Blocks)).await;
    let instances = async || get(&server, "/api/v1/models").await.1["models"][0]["loaded_instances"].clone();
    assert_eq!(instances().await, json!([]));
    let body = user("m", "hi");
    let (answer, ()) = tokio::join!(post(&server, CHAT, &body), async {
        server.wait_requests(2).await;
        server.release();
    });
    assert_eq!(answer.0, 200);
    assert_eq!(instances().await[0]["config"]["context_length"], 4096);
    assert_eq!(get(&server, "/api/v0/models").await.1["data"][0]["state"], "loaded");
    assert_eq!(server.loads(), ["m"]);
}

#[tokio::test]
async fn lm_studio_can_be_told_to_load_with_another_window() {
    let server = start(Script::lm_studio().model("m").window(4096).max_window(196_608)).await;
    let (_, loaded) = post_json(&server, "/api/v1/models/load", &json!({"model": "m", "context_length": 32_768})).await;
    assert_eq!((&loaded["status"], &loaded["load_config"]["context_length"]), (&json!("loaded"), &json!(32_768)));
    post(&server, "/api/v1/models/unload", &json!({"instance_id": "m"})).await;
    assert!(server.loaded().is_empty());
}

#[tokio::test]
async fn lm_studio_serves_any_name_with_its_only_model() {
    let server = start(Script::lm_studio().model("small").reply("hello")).await;
    let (status, answer) = post_json(&server, CHAT, &user("big", "hi")).await;
    assert_eq!((status, &answer["model"], &answer["choices"][0]["message"]["tool_calls"]), (200, &json!("small"), &json!([])));
}

#[tokio::test]
async fn llama_cpp_tells_window_slots_and_router_states() {
    let single = start(Script::llama_cpp().model("m").window(2048).slots(2, WhenFull::Wait)).await;
    let props = get(&single, "/props").await.1;
    assert_eq!((&props["default_generation_settings"]["n_ctx"], &props["total_slots"]), (&json!(2048), &json!(2)));
    assert_eq!(get(&single, "/v1/models").await.1["data"][0]["meta"]["n_ctx"], 2048);
    assert_eq!(get(&single, "/nothing").await.1, json!({"error": {"code": 404, "message": "File Not Found", "type": "not_found_error"}}));
    let router = start(Script::llama_cpp().model("a").model("b").cold()).await;
    let states: Vec<Value> =
        get(&router, "/models").await.1["data"].as_array().unwrap().iter().map(|m| m["status"]["value"].clone()).collect();
    assert_eq!(states, [json!("loaded"), json!("unloaded")]);
    assert_eq!(get(&router, "/props").await.1["role"], "router");
}

#[tokio::test]
async fn ollama_lists_loads_and_unloads() {
    let server = start(Script::ollama().model("qwen3:8b").window(4096).cold()).await;
    assert_eq!(get(&server, "/").await, (200, json!("Ollama is running")));
    assert_eq!(get(&server, "/api/ps").await.1, json!({"models": []}));
    let (_, loaded) = post_json(&server, "/api/chat", &json!({"model": "qwen3:8b", "messages": []})).await;
    assert_eq!(loaded["done_reason"], "load");
    assert_eq!(get(&server, "/api/ps").await.1["models"][0]["context_length"], 4096);
    let (_, shown) = post_json(&server, "/api/show", &json!({"model": "qwen3:8b"})).await;
    assert_eq!(shown["model_info"]["qwen3.context_length"], 32_768);
    post(&server, "/api/chat", &json!({"model": "qwen3:8b", "messages": [], "keep_alive": 0})).await;
    assert!(server.loaded().is_empty() && server.generations().is_empty());
}

#[tokio::test]
async fn ollama_cuts_the_prompt_unless_asked_not_to() {
    let server = start(Script::ollama().model("m").window(1024).reply("hello")).await;
    let mut body = json!({"model": "m", "stream": false, "messages": [{"role": "user", "content": "x".repeat(20_000)}]});
    assert_eq!(post_json(&server, "/api/chat", &body).await.1["prompt_eval_count"], 1024);
    body["truncate"] = false.into();
    let (status, refused) = post_json(&server, "/api/chat", &body).await;
    assert_eq!(status, 400);
    assert!(refused["error"].as_str().unwrap().starts_with("the prompt is longer than the context length"));
}

#[tokio::test]
async fn each_server_words_an_overflow_in_its_own_way() {
    let long = user("m", &"x".repeat(9_000));
    let cases: [(Script, &str); 6] = [
        (Script::llama_cpp(), r#""type":"exceed_context_size_error","n_prompt_tokens":"#),
        (Script::vllm(), "maximum context length is 1024 tokens. However, your prompt contains"),
        (Script::sglang(), r#"{"object":"error","message":"The input ("#),
        (Script::lm_studio(), r#"{"error":"The number of tokens to keep from the initial prompt is greater"#),
        (Script::litellm(), "litellm.ContextWindowExceededError"),
        (Script::open_router(), r#""error_type":"context_length_exceeded""#),
    ];
    for (script, words) in cases {
        let kind = script.server;
        let server = start(script.model("m").window(1024)).await;
        let (status, text) = post(&server, CHAT, &long).await;
        assert!(status == 400 && text.contains(words), "{kind:?}: {status} {text}");
    }
    let mlx_engine = Model { overflow: Overflow::OtherEngine, window: 1024, ..Model::new("m") };
    let server = start(Script::lm_studio().with_model(mlx_engine)).await;
    assert!(post(&server, CHAT, &long).await.1.contains("Cannot truncate prompt with n_keep ("));
}

#[tokio::test]
async fn vllm_guards_only_its_v1() {
    let server = start(Script::vllm().model("m").key("k")).await;
    assert_eq!(get(&server, "/health").await.0, 200);
    assert_eq!(get(&server, "/v1/models").await, (401, json!({"error": "Unauthorized"})));
}

#[tokio::test]
async fn jan_refuses_foreign_hosts_in_plain_words() {
    let server = start(Script::jan().model("m").strict(Strict::LocalHost)).await;
    let foreign = crate::support::client().get(format!("{}/v1/models", server.url())).header("host", "box.lan:1337").send().await.unwrap();
    assert_eq!((foreign.status().as_u16(), foreign.text().await.unwrap().contains("Invalid host header")), (403, true));
    assert_eq!(get(&server, "/v1/models").await.0, 200);
}

#[tokio::test]
async fn mlx_wants_a_length() {
    let server = start(Script::mlx().model("m").strict(Strict::ContentLength)).await;
    let body = reqwest::Body::wrap_stream(tokio_stream_of(user("m", "hi").to_string()));
    let refused = crate::support::client().post(format!("{}{CHAT}", server.url())).body(body).send().await.unwrap();
    assert_eq!(refused.status(), 411);
    assert_eq!(post(&server, CHAT, &user("m", "hi")).await.0, 200);
}

fn tokio_stream_of(text: String) -> impl futures_core::Stream<Item = Result<String, std::io::Error>> + Send + 'static {
    futures_util::stream::iter([Ok(text)])
}

#[tokio::test]
async fn strict_servers_refuse_in_their_own_words() {
    let tools = json!([{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]);
    let mut with_tools = user("m", "hi");
    with_tools["tools"] = tools;
    let two_systems = json!({"model": "m", "messages": [
        {"role": "system", "content": "a"}, {"role": "user", "content": "b"}, {"role": "system", "content": "c"},
    ]});
    let cases = [
        (Script::ollama().strict(Strict::NoTools), &with_tools, "does not support tools"),
        (Script::vllm().strict(Strict::NoAutoToolChoice), &with_tools, "requires --enable-auto-tool-choice"),
        (Script::llama_cpp().strict(Strict::OneSystem), &two_systems, "Unable to generate parser for this template"),
        (Script::lm_studio().strict(Strict::OneSystem), &two_systems, "Error rendering prompt with jinja template"),
    ];
    for (script, body, words) in cases {
        let server = start(script.model("m")).await;
        let (status, text) = post(&server, CHAT, body).await;
        assert!(status == 400 && text.contains(words), "{status} {text}");
        assert_eq!(post(&server, CHAT, &user("m", "hi")).await.0, 200);
    }
}

#[tokio::test]
async fn another_num_ctx_is_another_load_only_on_the_native_path() {
    let server = start(Script::ollama().model("m").window(4096).reply("hello")).await;
    for path in ["/api/chat", CHAT] {
        let mut body = user("m", "hi");
        body["options"] = json!({"num_ctx": 8192});
        assert_eq!(post(&server, path, &body).await.0, 200);
        let expected = if path == CHAT { 4096 } else { 8192 };
        assert_eq!(get(&server, "/api/ps").await.1["models"][0]["context_length"], expected);
    }
    assert_eq!(server.loads(), ["m", "m"]);
}

#[tokio::test]
async fn full_slots_are_told_in_each_servers_words() {
    let cases = [
        (Script::ollama(), WhenFull::Unavailable, 503, "server busy, please try again.  maximum pending requests exceeded"),
        (Script::sglang(), WhenFull::Unavailable, 503, "The request queue is full."),
        (Script::open_ai(), WhenFull::TooMany, 429, "rate_limit_exceeded"),
    ];
    for (script, when_full, status, words) in cases {
        let steps = [Step::Gate, Step::text("ok"), Step::End];
        let server = start(script.model("m").slots(1, when_full).steps(steps)).await;
        let body = user("m", "hi");
        let (first, second) = tokio::join!(post(&server, CHAT, &body), async {
            server.wait_requests(1).await;
            let second = post(&server, CHAT, &body).await;
            server.open_gate();
            second
        });
        assert_eq!((first.0, second.0), (200, status));
        assert!(second.1.contains(words), "{}", second.1);
    }
}

#[tokio::test]
async fn a_cold_model_is_refused_or_announced_as_scripted() {
    let cold = |style| Script::lm_studio().model("m").cold().held_loads(style).reply("hello");
    let refusing = start(cold(LoadStyle::Refuses)).await;
    let (status, text) = post(&refusing, CHAT, &user("m", "hi")).await;
    assert!(status == 404 && text.contains("No models loaded."), "{status} {text}");
    assert!(refusing.loads().is_empty());

    let unavailable = start(cold(LoadStyle::Unavailable)).await;
    assert_eq!(post(&unavailable, CHAT, &user("m", "hi")).await.0, 503);
    unavailable.release();
    assert_eq!(post(&unavailable, CHAT, &user("m", "hi")).await.0, 200);

    let commenting = start(cold(LoadStyle::Comments)).await;
    let mut body = user("m", "hi");
    body["stream"] = true.into();
    let url = format!("{}{CHAT}", commenting.url());
    let mut response = crate::support::client().post(url).body(body.to_string()).send().await.unwrap();
    assert_eq!(response.chunk().await.unwrap().unwrap(), ": loading\n\n");
    commenting.release();
    let mut rest = String::new();
    while let Some(chunk) = response.chunk().await.unwrap() {
        rest.push_str(&String::from_utf8_lossy(&chunk));
    }
    assert!(rest.contains("hello") && rest.trim_end().ends_with("[DONE]"));
}

#[tokio::test]
async fn reading_a_long_prompt_takes_time_and_is_told() {
    let mut script = Script::llama_cpp().model("m").reply("hello");
    script.machine.read_ms_per_1000 = 20;
    let server = start(script).await;
    let mut body = user("m", &"x".repeat(8_000));
    body["stream"] = true.into();
    body["return_progress"] = true.into();
    let (_, text) = post(&server, CHAT, &body).await;
    let told: Vec<u64> = crate::support::events(&text).iter().filter_map(|event| event["prompt_progress"]["processed"].as_u64()).collect();
    assert!(told.len() == 10 && told.is_sorted() && told.last() > Some(&2000), "{told:?}");
}

#[tokio::test]
async fn a_window_that_shrinks_is_reported_and_enforced() {
    let script = "{server: 'vllm', models: [{id: 'm', window: 8192, later_window: {from: 2, window: 1024}}]}";
    let server = start(script.parse().unwrap()).await;
    let long = user("m", &"x".repeat(9_000));
    assert_eq!(post(&server, CHAT, &long).await.0, 200);
    assert_eq!(post(&server, CHAT, &long).await.0, 400);
    assert_eq!(get(&server, "/v1/models").await.1["data"][0]["max_model_len"], 1024);
}
