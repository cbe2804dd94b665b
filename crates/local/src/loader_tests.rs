use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::StreamExt;
use krabba_types::{ModelId, Progress, ServerKind};
use serde_json::Value;

use crate::test_server::{Asked, Reply, TestServer, client};
use crate::{Endpoint, LoadError, LoadEvent, LoadOrder, LoadStream, Loaded, Loader, UnloadError, Wanted, probe};

async fn order(server: &TestServer, kind: ServerKind, model: &str, wanted: Wanted) -> LoadOrder {
    let mut endpoint = Endpoint::new(server.url());
    endpoint.kind_hint = Some(kind);
    let report = probe(&client(), &endpoint, Duration::from_secs(3)).await.expect("a server");
    server.forget();
    let (model, budget) = (ModelId::new(model), Duration::from_secs(20));
    LoadOrder { endpoint, report: Arc::new(report), model, wanted, keep_alive: None, budget }
}

async fn end(stream: LoadStream) -> Result<Loaded, LoadError> {
    let events: Vec<LoadEvent> = stream.collect().await;
    let ended = events.iter().filter(|event| matches!(event, LoadEvent::Ended(_))).count();
    assert_eq!(ended, 1, "{events:?}");
    match events.into_iter().next_back() {
        Some(LoadEvent::Ended(outcome)) => outcome,
        other => panic!("ended in {other:?}"),
    }
}

/// A loader that may contact `server`, as it may what the configuration names.
fn loader(server: &TestServer) -> Loader {
    let http = client();
    http.egress().allow(&krabba_net::Url::parse(&server.url()).unwrap());
    Loader::new(http)
}

/// LM Studio with one model; `granted` is what it really loads.
fn lm_studio(granted: u32) -> impl Fn(&Asked) -> Reply {
    let loaded: Mutex<Option<u32>> = Mutex::default();
    move |asked| {
        let mut loaded = loaded.lock().unwrap();
        match asked.line.as_str() {
            "GET /api/v1/models" => {
                let instances = loaded.map(|window| format!(r#"{{"id":"m","config":{{"context_length":{window}}}}}"#)).unwrap_or_default();
                Reply::json(
                    200,
                    format!(r#"{{"models":[{{"key":"m","type":"llm","max_context_length":131072,"loaded_instances":[{instances}]}}]}}"#),
                )
            }
            "POST /api/v1/models/load" => {
                let body: Value = serde_json::from_str(&asked.body).unwrap();
                assert_eq!(body["model"], "m");
                *loaded = Some(granted.min(u32::try_from(body["context_length"].as_u64().unwrap()).unwrap()));
                Reply::json(200, r#"{"type":"llm","instance_id":"m","load_time_seconds":1.5,"status":"loaded"}"#)
            }
            "POST /api/v1/models/unload" => {
                *loaded = None;
                Reply::json(200, r#"{"instance_id":"m"}"#)
            }
            _ => Reply::json(200, r#"{"error":"Unexpected endpoint or method."}"#),
        }
    }
}

#[tokio::test]
async fn window_that_lm_studio_really_loaded_counts() {
    let server = TestServer::start(lm_studio(16_384)).await;
    let order = order(&server, ServerKind::LmStudio, "m", Wanted::Window(32_768)).await;
    let loader = loader(&server);
    assert_eq!(
        end(loader.load(order)).await,
        Ok(Loaded::Now {
            model: ModelId::new("m"),
            window: Some(16_384),
            note: Some("LM Studio loaded m with a window of 16,384 tokens instead of the 32,768 that were asked for".to_owned()),
        })
    );
    assert_eq!(server.asked(), ["POST /api/v1/models/load", "GET /api/v1/models"]);
}

#[tokio::test]
async fn lm_studio_is_not_asked_to_load_without_the_persons_word() {
    let server = TestServer::start(lm_studio(16_384)).await;
    let order = order(&server, ServerKind::LmStudio, "m", Wanted::Usual).await;
    assert_eq!(end(loader(&server).load(order)).await, Ok(Loaded::ByRequest));
    assert_eq!(server.asked(), Vec::<String>::new());
}

#[tokio::test]
async fn what_we_did_not_load_is_never_unloaded() {
    let server = TestServer::start(lm_studio(16_384)).await;
    let order = order(&server, ServerKind::LmStudio, "m", Wanted::Window(8192)).await;
    let loader = loader(&server);
    let unload = async || loader.unload(&order.endpoint, &order.report, &order.model).await;
    assert_eq!(unload().await, Err(UnloadError::NotOurs { model: ModelId::new("m") }));
    assert_eq!(server.asked(), Vec::<String>::new());
    end(loader.load(order.clone())).await.expect("loaded");
    assert!(loader.is_ours(&order.endpoint.box_id, &order.model));
    assert_eq!(unload().await, Ok(()));
    assert_eq!(unload().await, Err(UnloadError::NotOurs { model: ModelId::new("m") }));
}

#[tokio::test]
async fn larger_window_replaces_what_we_loaded_and_nothing_else() {
    let server = TestServer::start(lm_studio(131_072)).await;
    let small = order(&server, ServerKind::LmStudio, "m", Wanted::Window(4096)).await;
    let loader = loader(&server);
    end(loader.load(small)).await.expect("loaded");
    let large = order(&server, ServerKind::LmStudio, "m", Wanted::Window(32_768)).await;
    end(loader.load(large.clone())).await.expect("loaded");
    assert_eq!(server.asked(), ["POST /api/v1/models/unload", "POST /api/v1/models/load", "GET /api/v1/models"]);
    assert!(loader.is_ours(&large.endpoint.box_id, &large.model));
}

#[tokio::test]
async fn larger_window_never_unloads_what_somebody_else_loaded() {
    let server = TestServer::start(lm_studio(131_072)).await;
    let small = order(&server, ServerKind::LmStudio, "m", Wanted::Window(4096)).await;
    end(loader(&server).load(small)).await.expect("loaded, by another krabba as it were");
    let large = order(&server, ServerKind::LmStudio, "m", Wanted::Window(32_768)).await;
    end(loader(&server).load(large)).await.expect("loaded");
    assert_eq!(server.asked(), ["POST /api/v1/models/load", "GET /api/v1/models"]);
}

#[tokio::test]
async fn many_who_need_a_cold_model_share_one_load() {
    let loads = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&loads);
    let server = TestServer::start(move |asked| match asked.line.as_str() {
        "GET /api/version" => Reply::json(200, r#"{"version":"0.13.3"}"#),
        "GET /api/tags" => Reply::json(200, r#"{"models":[{"name":"m","size":1}]}"#),
        "GET /api/ps" if counted.load(Ordering::SeqCst) > 0 => Reply::json(200, r#"{"models":[{"name":"m","context_length":16384}]}"#),
        "GET /api/ps" => Reply::json(200, r#"{"models":[]}"#),
        "POST /api/chat" => {
            counted.fetch_add(1, Ordering::SeqCst);
            assert_eq!(asked.body, r#"{"model":"m","messages":[],"stream":false,"keep_alive":-1,"options":{"num_ctx":16384}}"#);
            Reply::json(200, r#"{"model":"m","done":true,"done_reason":"load"}"#)
        }
        _ => Reply::json(404, "{}"),
    })
    .await;
    let mut order = order(&server, ServerKind::Ollama, "m", Wanted::Window(16_384)).await;
    order.keep_alive = Some("-1".to_owned());
    let loader = loader(&server);
    let waiting: Vec<_> = (0..8).map(|_| end(loader.load(order.clone()))).collect();
    let outcomes = futures_util::future::join_all(waiting).await;
    let loaded = Ok(Loaded::Now { model: ModelId::new("m"), window: Some(16_384), note: None });
    assert_eq!((outcomes, loads.load(Ordering::SeqCst)), (vec![loaded; 8], 1));
}

#[tokio::test]
async fn follower_that_leaves_does_not_stop_the_load() {
    let server = TestServer::start(lm_studio(8192)).await;
    let order = order(&server, ServerKind::LmStudio, "m", Wanted::Window(8192)).await;
    let loader = loader(&server);
    let mut first = loader.load(order.clone());
    assert_eq!(first.next().await, Some(LoadEvent::Progress(Progress::Loading { percent: None })));
    drop(first);
    end(loader.load(order)).await.expect("loaded");
    assert_eq!(server.asked().iter().filter(|line| line.ends_with("/load")).count(), 1);
}

fn router(states: &'static [&'static str]) -> impl Fn(&Asked) -> Reply {
    let looks = AtomicUsize::new(0);
    let ordered = Mutex::new(false);
    move |asked| match asked.line.as_str() {
        "GET /v1/models" | "GET /models" => {
            let state = if *ordered.lock().unwrap() {
                let look = looks.fetch_add(1, Ordering::SeqCst).min(states.len() - 1);
                states[look]
            } else {
                r#"{"value":"unloaded"}"#
            };
            Reply::json(200, format!(r#"{{"object":"list","data":[{{"id":"m","owned_by":"llamacpp","status":{state}}}]}}"#))
        }
        "GET /props" => Reply::json(200, r#"{"role":"router"}"#),
        "GET /props?model=m&autoload=false" => Reply::json(200, r#"{"default_generation_settings":{"n_ctx":2048},"total_slots":1}"#),
        "GET /health" => Reply::json(200, r#"{"status":"ok"}"#),
        "POST /models/load" => {
            *ordered.lock().unwrap() = true;
            Reply::json(200, r#"{"success":true}"#)
        }
        _ => Reply::json(404, "{}"),
    }
}

#[tokio::test]
async fn llama_cpp_router_is_waited_for_until_it_says_loaded() {
    let server = TestServer::start(router(&[r#"{"value":"loading"}"#, r#"{"value":"loaded"}"#])).await;
    let order = order(&server, ServerKind::LlamaCpp, "m", Wanted::Usual).await;
    let loaded = end(loader(&server).load(order)).await;
    assert_eq!(loaded, Ok(Loaded::Now { model: ModelId::new("m"), window: Some(2048), note: None }));
}

#[tokio::test]
async fn llama_cpp_whose_model_process_died_is_not_waited_for() {
    let server = TestServer::start(router(&[r#"{"value":"unloaded","failed":true,"exit_code":137}"#])).await;
    let order = order(&server, ServerKind::LlamaCpp, "m", Wanted::Usual).await;
    let error = end(loader(&server).load(order)).await.expect_err("died");
    assert_eq!(error, LoadError::Ended { server: "llama.cpp", model: ModelId::new("m"), exit_code: Some(137) });
    assert_eq!(error.to_string(), "llama.cpp tried to load m, and its process ended with exit code 137; look into the server's log");
}

#[tokio::test]
async fn load_has_a_budget_of_its_own() {
    let server = TestServer::start(router(&[r#"{"value":"loading"}"#])).await;
    let mut order = order(&server, ServerKind::LlamaCpp, "m", Wanted::Usual).await;
    order.budget = Duration::from_millis(300);
    let error = end(loader(&server).load(order)).await.expect_err("never ready");
    assert_eq!(error, LoadError::TimedOut { model: ModelId::new("m"), budget: Duration::from_millis(300) });
}

#[tokio::test]
async fn refusal_to_load_is_given_in_the_servers_words() {
    let server = TestServer::start(|asked| match asked.line.as_str() {
        "POST /api/v1/models/load" => {
            Reply::json(500, r#"{"error":{"type":"model_load_failed","message":"insufficient system resources"}}"#)
        }
        _ => lm_studio(1)(asked),
    })
    .await;
    let order = order(&server, ServerKind::LmStudio, "m", Wanted::Window(8192)).await;
    let loader = loader(&server);
    let error = end(loader.load(order.clone())).await.expect_err("refused");
    assert_eq!(error.to_string(), "LM Studio cannot load m: insufficient system resources");
    assert!(!loader.is_ours(&order.endpoint.box_id, &order.model));
}

#[tokio::test]
async fn shutdown_tells_those_who_wait() {
    let server = TestServer::start(router(&[r#"{"value":"loading"}"#])).await;
    let order = order(&server, ServerKind::LlamaCpp, "m", Wanted::Usual).await;
    let loader = loader(&server);
    let stream = loader.load(order);
    loader.shutdown().await;
    assert_eq!(end(stream).await, Err(LoadError::Abandoned { model: ModelId::new("m") }));
}
