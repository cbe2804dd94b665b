use std::time::Duration;

use krabba_types::{ModelId, RouteState, Secret, ServerKind};

use crate::asker::Depth;
use crate::probe::probe_again;
use crate::test_server::{Asked, Reply, TestServer, client, nobody};
use crate::{Endpoint, Report, ServerState, Tried, TriedOutcome, probe};

const BUDGET: Duration = Duration::from_secs(3);

async fn ask(endpoint: &Endpoint) -> Report {
    probe(&client(), endpoint, BUDGET).await.expect("a server")
}

fn hinted(url: String, kind: ServerKind) -> Endpoint {
    let mut endpoint = Endpoint::new(url);
    endpoint.kind_hint = Some(kind);
    endpoint
}

fn unexpected(asked: &Asked) -> Reply {
    Reply::json(200, format!("{{\"error\":\"Unexpected endpoint or method. ({})\"}}", asked.line)).header("X-Powered-By", "Express")
}

fn lm_studio(asked: &Asked) -> Reply {
    match asked.line.as_str() {
        "GET /api/v1/models" => Reply::json(
            200,
            r#"{"models":[{"type":"llm","key":"qwen3-8b","max_context_length":40960,"loaded_instances":[{"id":"qwen3-8b","config":{"context_length":8192,"parallel":4}}]}]}"#,
        ),
        "GET /v1/models" => {
            Reply::json(200, r#"{"object":"list","data":[{"id":"qwen3-8b","object":"model","owned_by":"organization_owner"}]}"#)
        }
        _ => unexpected(asked),
    }
}

#[tokio::test]
async fn lm_studio_is_asked_nothing_that_prints_errors_in_its_log() {
    let server = TestServer::start(lm_studio).await;
    let report = ask(&hinted(server.url(), ServerKind::LmStudio)).await;
    assert_eq!(server.asked(), ["GET /api/v1/models"]);
    assert_eq!((report.kind, report.slots, report.url.clone()), (ServerKind::LmStudio, Some(4), format!("{}/v1", server.url())));
    assert_eq!(report.route_state(&ModelId::new("qwen3-8b")), RouteState::Ready);
    assert_eq!(report.tried, [Tried { url: format!("{}/api/v1/models", server.url()), outcome: TriedOutcome::Answered }]);
}

#[tokio::test]
async fn lm_studio_on_another_port_is_found_without_foreign_paths() {
    let server = TestServer::start(lm_studio).await;
    let report = ask(&Endpoint::new(server.url())).await;
    assert_eq!(server.asked(), ["GET /v1/models", "GET /api/v1/models"]);
    assert_eq!((report.kind, report.models[0].window), (ServerKind::LmStudio, Some(8192)));
}

#[tokio::test]
async fn old_lm_studio_answers_200_to_everything_and_is_still_recognised() {
    let server = TestServer::start(|asked| match asked.line.as_str() {
        "GET /api/v0/models" => Reply::json(
            200,
            r#"{"object":"list","data":[{"id":"m","type":"llm","state":"loaded","max_context_length":32768,"loaded_context_length":4096}]}"#,
        ),
        _ => unexpected(asked),
    })
    .await;
    let report = ask(&hinted(server.url(), ServerKind::LmStudio)).await;
    assert_eq!(server.asked(), ["GET /api/v1/models", "GET /api/v0/models"]);
    assert_eq!(report.models[0].window, Some(4096));
    assert_eq!(report.tried[0].outcome, TriedOutcome::NotThis);
}

fn llama_cpp(asked: &Asked) -> Reply {
    let reply = match asked.line.as_str() {
        "GET /v1/models" => Reply::json(
            200,
            r#"{"object":"list","data":[{"id":"m.gguf","owned_by":"llamacpp","meta":{"n_ctx":8192,"n_ctx_train":40960}}]}"#,
        ),
        "GET /health" => Reply::json(200, r#"{"status":"ok"}"#),
        "GET /props" => Reply::json(
            200,
            r#"{"default_generation_settings":{"n_ctx":4096},"total_slots":2,"build_info":"b7000-abc","chat_template":"<|im_start|>","chat_template_caps":{"supports_tools":true},"modalities":{"vision":false,"audio":false},"is_sleeping":false}"#,
        ),
        "GET /slots" => Reply::json(200, r#"[{"id":0,"is_processing":true},{"id":1,"is_processing":true}]"#),
        _ => Reply::json(404, r#"{"error":{"code":404,"message":"File Not Found","type":"not_found_error"}}"#),
    };
    reply.header("Server", "llama.cpp")
}

#[tokio::test]
async fn llama_cpp_tells_the_window_of_a_slot_and_that_all_are_taken() {
    let server = TestServer::start(llama_cpp).await;
    let report = ask(&Endpoint::new(format!("{}/v1/", server.url()))).await;
    assert_eq!(server.asked(), ["GET /v1/models", "GET /health", "GET /props", "GET /slots"]);
    assert_eq!(
        (report.version.as_deref(), report.slots, report.busy, report.models[0].window),
        (Some("b7000-abc"), Some(2), Some(2), Some(4096))
    );
    assert_eq!(report.route_state(&ModelId::new("m.gguf")), RouteState::Busy);
}

#[tokio::test]
async fn quiet_round_leaves_the_idle_timer_of_llama_cpp_alone() {
    let server = TestServer::start(llama_cpp).await;
    let report = probe_again(&client(), &Endpoint::new(server.url()), BUDGET, Depth::Quiet, &[]).await.expect("a server");
    assert_eq!(server.asked(), ["GET /v1/models", "GET /health", "GET /props"]);
    assert_eq!(report.busy, None);
}

#[tokio::test]
async fn loading_llama_cpp_is_not_taken_for_a_broken_server() {
    let server = TestServer::start(|_| {
        Reply::json(503, r#"{"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}"#).header("Server", "llama.cpp")
    })
    .await;
    let report = ask(&Endpoint::new(server.url())).await;
    assert_eq!(server.asked(), ["GET /v1/models"]);
    assert_eq!((report.kind, &report.state), (ServerKind::LlamaCpp, &ServerState::Loading { percent: None }));
    assert_eq!(report.route_state(&ModelId::new("any")), RouteState::Loading);
}

#[tokio::test]
async fn listing_during_the_load_does_not_make_llama_cpp_ready() {
    let server = TestServer::start(|asked| match asked.line.as_str() {
        "GET /v1/models" => Reply::json(200, r#"{"object":"list","data":[{"id":"m","owned_by":"llamacpp","meta":null}]}"#),
        _ => Reply::json(503, r#"{"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}"#),
    })
    .await;
    let report = ask(&Endpoint::new(server.url())).await;
    assert_eq!(report.route_state(&ModelId::new("m")), RouteState::Loading);
    assert_eq!((report.models[0].loaded, report.models[0].loading), (Some(false), true));
}

#[tokio::test]
async fn sleeping_llama_cpp_is_cold_and_its_slots_are_left_alone() {
    let server = TestServer::start(|asked| match asked.line.as_str() {
        "GET /props" => Reply::json(200, r#"{"default_generation_settings":{"n_ctx":4096},"total_slots":1,"is_sleeping":true}"#),
        _ => llama_cpp(asked),
    })
    .await;
    let report = ask(&Endpoint::new(server.url())).await;
    assert_eq!(server.asked(), ["GET /v1/models", "GET /health", "GET /props"]);
    assert!(report.sleeping);
    assert_eq!(report.route_state(&ModelId::new("m.gguf")), RouteState::Cold);
}

#[tokio::test]
async fn router_is_never_asked_in_a_way_that_loads_a_model() {
    let server = TestServer::start(|asked| match asked.line.as_str() {
        "GET /v1/models" | "GET /models" => Reply::json(
            200,
            r#"{"object":"list","data":[{"id":"a b","owned_by":"llamacpp","status":{"value":"loaded"}},{"id":"c","owned_by":"llamacpp","status":{"value":"unloaded"}}]}"#,
        ),
        "GET /props" => Reply::json(200, r#"{"role":"router","default_generation_settings":{"n_ctx":0},"total_slots":0}"#),
        "GET /props?model=a+b&autoload=false" => Reply::json(200, r#"{"default_generation_settings":{"n_ctx":16384},"total_slots":3}"#),
        _ => llama_cpp(asked),
    })
    .await;
    let report = ask(&Endpoint::new(server.url())).await;
    assert_eq!(server.asked(), ["GET /v1/models", "GET /health", "GET /props", "GET /models", "GET /props?model=a+b&autoload=false"]);
    let seen: Vec<_> = report.models.iter().map(|model| (model.loaded, model.window, model.slots)).collect();
    assert_eq!(seen, [(Some(true), Some(16384), Some(3)), (Some(false), None, None)]);
}

fn ollama(asked: &Asked) -> Reply {
    match asked.line.as_str() {
        "GET /api/version" => Reply::json(200, r#"{"version":"0.13.3"}"#),
        "GET /v1/models" => Reply::json(200, r#"{"object":"list","data":null}"#),
        "GET /api/tags" => Reply::json(
            200,
            r#"{"models":[{"name":"qwen3:8b","size":5225388164,"details":{"parameter_size":"8.2B","quantization_level":"Q4_K_M"}}]}"#,
        ),
        "GET /api/ps" => Reply::json(200, r#"{"models":[]}"#),
        "POST /api/show" => {
            assert_eq!(asked.body, r#"{"model":"qwen3:8b"}"#);
            Reply::json(
                200,
                r#"{"capabilities":["completion","tools"],"model_info":{"general.architecture":"qwen3","qwen3.context_length":40960}}"#,
            )
        }
        _ => Reply::page(404, "404 page not found"),
    }
}

#[tokio::test]
async fn ollama_lists_everything_and_loads_nothing() {
    let server = TestServer::start(ollama).await;
    let report = ask(&hinted(server.url(), ServerKind::Ollama)).await;
    assert_eq!(server.asked(), ["GET /api/version", "GET /api/tags", "GET /api/ps", "POST /api/show"]);
    assert_eq!((report.kind, report.version.as_deref()), (ServerKind::Ollama, Some("0.13.3")));
    assert_eq!((report.models[0].loaded, report.models[0].max_window), (Some(false), Some(40960)));
    assert_eq!(report.route_state(&ModelId::new("qwen3:8b")), RouteState::Cold);
}

#[test]
fn ollama_model_without_its_tag_is_the_latest() {
    let mut report = Report::new(ServerKind::Ollama);
    report.models = vec![crate::ServerModel::new("qwen3:8b"), crate::ServerModel::new("qwen3:latest")];
    let found = |report: &Report| report.model(&ModelId::new("qwen3")).map(|model| model.id.as_str().to_owned());
    assert_eq!(found(&report).as_deref(), Some("qwen3:latest"));
    report.kind = ServerKind::LmStudio;
    assert_eq!(found(&report), None);
}

#[tokio::test]
async fn ollama_is_not_asked_again_what_it_said_before() {
    let server = TestServer::start(ollama).await;
    let endpoint = hinted(server.url(), ServerKind::Ollama);
    let first = ask(&endpoint).await;
    server.forget();
    let second = probe_again(&client(), &endpoint, BUDGET, Depth::Quiet, &first.models).await.expect("a server");
    assert_eq!(server.asked(), ["GET /api/version", "GET /api/tags", "GET /api/ps"]);
    assert_eq!(second.models, first.models);
}

#[tokio::test]
async fn empty_ollama_on_another_port_is_still_ollama() {
    let server = TestServer::start(ollama).await;
    assert_eq!(ask(&Endpoint::new(server.url())).await.kind, ServerKind::Ollama);
}

#[tokio::test]
async fn litellm_is_never_asked_for_its_health() {
    let server = TestServer::start(|asked| match asked.line.as_str() {
        "GET /v1/models" if asked.authorization.as_deref() == Some("Bearer sk-1") => {
            Reply::json(200, r#"{"object":"list","data":[{"id":"local","object":"model","owned_by":"openai"}]}"#)
                .header("x-litellm-version", "1.106.2")
        }
        "GET /model/info" => Reply::json(200, r#"{"data":[{"model_name":"local","model_info":{"max_input_tokens":128000}}]}"#),
        _ => Reply::json(500, r#"{"error":{"message":"Authentication Error","code":"500"}}"#).header("x-litellm-version", "1.106.2"),
    })
    .await;
    let mut endpoint = Endpoint::new(server.url());
    let locked = ask(&endpoint).await;
    assert_eq!((locked.kind, &locked.state, locked.hosted), (ServerKind::LiteLlm, &ServerState::NeedsKey, true));
    assert_eq!(server.asked(), ["GET /v1/models"]);
    endpoint.key = Some(Secret::new("sk-1"));
    let report = ask(&endpoint).await;
    assert_eq!((report.models[0].max_window, report.models[0].window, report.version.as_deref()), (Some(128_000), None, Some("1.106.2")));
}

#[tokio::test]
async fn litellm_that_answers_a_bare_500_wants_a_key() {
    let server = TestServer::start(|asked| match asked.line.as_str() {
        "GET /health/readiness" => Reply::json(200, r#"{"status":"healthy","db":"Not connected"}"#),
        _ if asked.authorization.is_none() => Reply::page(500, "Internal Server Error"),
        _ => Reply::json(400, r#"{"error":{"message":"No connected db.","type":"no_db_connection","param":null,"code":"400"}}"#),
    })
    .await;
    let mut endpoint = Endpoint::new(server.url());
    let without = ask(&endpoint).await;
    assert_eq!(server.asked(), ["GET /v1/models", "GET /health/readiness"]);
    endpoint.key = Some(Secret::new("sk-wrong"));
    let with = ask(&endpoint).await;
    assert_eq!((without.kind, without.state, without.hosted), (ServerKind::LiteLlm, ServerState::NeedsKey, true));
    assert_eq!((with.kind, with.state), (ServerKind::LiteLlm, ServerState::KeyRefused));
}

#[tokio::test]
async fn broken_server_is_not_taken_for_litellm() {
    let server = TestServer::start(|_| Reply::page(500, "Internal Server Error")).await;
    let error = probe(&client(), &Endpoint::new(server.url()), BUDGET).await.expect_err("an error");
    let outcomes: Vec<TriedOutcome> = error.tried.into_iter().map(|tried| tried.outcome).collect();
    assert_eq!(outcomes, [TriedOutcome::Status(500), TriedOutcome::Status(500)]);
}

#[tokio::test]
async fn wanted_key_and_refused_key_are_told_apart() {
    let server = TestServer::start(|_| {
        Reply::json(401, r#"{"error":{"code":401,"message":"Invalid API Key","type":"authentication_error"}}"#)
            .header("Server", "llama.cpp")
    })
    .await;
    let mut endpoint = Endpoint::new(server.url());
    let without = ask(&endpoint).await;
    endpoint.key = Some(Secret::new("wrong"));
    let with = ask(&endpoint).await;
    assert_eq!((without.kind, without.state, with.state), (ServerKind::LlamaCpp, ServerState::NeedsKey, ServerState::KeyRefused));
}

#[tokio::test]
async fn other_servers_are_recognised_by_what_they_list() {
    let cases = [
        (r#"{"object":"list","data":[{"id":"m","owned_by":"vllm","max_model_len":32768}]}"#, "uvicorn", ServerKind::Vllm, Some(32768)),
        (r#"{"object":"list","data":[{"id":"m","owned_by":"sglang","max_model_len":32768}]}"#, "uvicorn", ServerKind::Sglang, Some(32768)),
        (
            r#"{"object":"list","data":[{"id":"mlx-community/m","object":"model","created":1}]}"#,
            "BaseHTTP/0.6 Python/3.11",
            ServerKind::Mlx,
            None,
        ),
        (r#"{"object":"list","data":[{"id":"m","object":"model","created":1}]}"#, "x", ServerKind::Other, None),
    ];
    for (listing, server_header, kind, window) in cases {
        let server = TestServer::start(move |asked| match asked.line.as_str() {
            "GET /v1/models" => Reply::json(200, listing).header("Server", server_header),
            _ => Reply::json(404, r#"{"detail":"Not Found"}"#),
        })
        .await;
        let report = ask(&Endpoint::new(server.url())).await;
        assert_eq!((report.kind, report.models[0].window), (kind, window), "{listing}");
    }
}

#[tokio::test]
async fn local_ai_is_told_from_an_unknown_server() {
    let server = TestServer::start(|asked| match asked.line.as_str() {
        "GET /v1/models" => Reply::json(200, r#"{"object":"list","data":[{"id":"m","object":"model"}]}"#),
        "GET /system" => Reply::json(200, r#"{"backends":["llama-cpp"],"loaded_models":[{"id":"m"}]}"#),
        "GET /version" => Reply::json(200, r#"{"version":"v3.1.0"}"#),
        _ => Reply::json(404, "{}"),
    })
    .await;
    let report = ask(&Endpoint::new(server.url())).await;
    assert_eq!((report.kind, report.version.as_deref(), report.models[0].loaded), (ServerKind::LocalAi, Some("v3.1.0"), Some(true)));
}

#[tokio::test]
async fn jan_that_refuses_the_host_name_says_what_to_change() {
    let server = TestServer::start(|_| Reply::page(403, "Invalid host header")).await;
    let report = ask(&Endpoint::new(server.url())).await;
    assert_eq!(report.kind, ServerKind::Jan);
    assert!(matches!(report.state, ServerState::Failing { ref reason } if reason.contains("Trusted hosts")), "{:?}", report.state);
}

#[tokio::test]
async fn web_page_is_not_a_model_server() {
    let server = TestServer::start(|_| Reply::page(200, "<!doctype html><title>router</title>")).await;
    let error = probe(&client(), &Endpoint::new(server.url()), BUDGET).await.expect_err("a page");
    assert_eq!(error.tried, [Tried { url: format!("{}/v1/models", server.url()), outcome: TriedOutcome::NotThis }]);
    assert_eq!(
        error.to_string(),
        format!("no model server at {0} ({0}/v1/models: answered, but not as a model server does)", server.url())
    );
}

#[tokio::test]
async fn refusal_of_something_else_is_not_a_model_server() {
    let server = TestServer::start(|_| Reply::page(403, "").header("Server", "AirTunes/770")).await;
    assert!(probe(&client(), &Endpoint::new(server.url()), BUDGET).await.is_err());
}

#[tokio::test]
async fn base_url_connects_with_and_without_v1_and_slashes() {
    let server = TestServer::start(llama_cpp).await;
    for tail in ["", "/", "/v1", "/v1/", "/v1/models", "/v1/chat/completions"] {
        let report = ask(&Endpoint::new(format!("{}{tail}", server.url()))).await;
        assert_eq!((report.kind, report.url), (ServerKind::LlamaCpp, format!("{}/v1", server.url())), "{tail}");
    }
}

#[tokio::test]
async fn localhost_that_means_one_family_only_connects() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let server = TestServer::start_at(address, llama_cpp).await;
        let report = ask(&Endpoint::new(format!("http://localhost:{}", server.port()))).await;
        assert_eq!(report.kind, ServerKind::LlamaCpp, "{address}");
    }
}

#[tokio::test]
async fn server_below_a_path_of_its_own_is_found_there() {
    let server = TestServer::start(|asked| match asked.line.as_str() {
        "GET /api/paas/v4/models" => Reply::json(200, r#"{"object":"list","data":[{"id":"glm-4.6","created":1}]}"#),
        _ => Reply::json(404, "{}"),
    })
    .await;
    let report = ask(&Endpoint::new(format!("{}/api/paas/v4", server.url()))).await;
    assert_eq!((report.url, report.models[0].id.as_str()), (format!("{}/api/paas/v4", server.url()), "glm-4.6"));
}

#[tokio::test]
async fn nothing_there_is_told_from_no_answer() {
    let error = probe(&client(), &Endpoint::new(nobody()), BUDGET).await.expect_err("nothing");
    assert!(error.nothing_there(), "{error}");
    let silent = TestServer::start(|_| Reply::silence()).await;
    let error = probe(&client(), &Endpoint::new(silent.url()), Duration::from_millis(50)).await.expect_err("silence");
    assert_eq!(error.tried, [Tried { url: format!("{}/v1/models", silent.url()), outcome: TriedOutcome::TimedOut }]);
    let error = probe(&client(), &Endpoint::new("not an address"), BUDGET).await.expect_err("no address");
    assert_eq!(error.to_string(), "\"not an address\" is not an address; write it like http://localhost:1234/v1");
}

#[tokio::test]
async fn garbage_bodies_are_survived() {
    for body in [
        "",
        "[]",
        "null",
        "{\"data\":7}",
        "{\"object\":\"list\",\"data\":[null,7,{\"id\":null},{\"id\":\"\"}]}",
        "{\"models\":{}}",
        "\u{0}\u{1}",
    ] {
        let server = TestServer::start(move |_| Reply::json(200, body)).await;
        for kind in [ServerKind::LmStudio, ServerKind::Ollama, ServerKind::LlamaCpp, ServerKind::LiteLlm, ServerKind::LocalAi] {
            if let Ok(report) = probe(&client(), &hinted(server.url(), kind), BUDGET).await {
                assert_eq!(report.models, [], "{body} as {kind:?}");
            }
        }
    }
}

#[tokio::test]
async fn listing_without_end_or_sense_is_cut_to_what_can_be_ids() {
    let mut ids: Vec<String> = (0..3_000).map(|number| format!("m{number}")).collect();
    ids.insert(0, "x".repeat(10_000));
    ids.insert(0, "steers\u{1b}[2J".to_owned());
    ids.insert(0, String::new());
    let data: Vec<serde_json::Value> = ids.iter().map(|id| serde_json::json!({ "id": id, "object": "model" })).collect();
    let body = serde_json::json!({ "object": "list", "data": data }).to_string();
    let server = TestServer::start(move |asked| match asked.line.as_str() {
        "GET /v1/models" => Reply::json(200, body.clone()),
        _ => Reply::json(404, "{}"),
    })
    .await;
    let report = ask(&Endpoint::new(server.url())).await;
    let first: Vec<&str> = report.models.iter().take(2).map(|model| model.id.as_str()).collect();
    assert_eq!((first.as_slice(), report.models.len()), (["m0", "m1"].as_slice(), 2_000));
}
