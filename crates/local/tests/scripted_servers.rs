//! Every kind of server in its own shapes, asked through the public API.

#![allow(clippy::expect_used, reason = "a test that cannot start its server has failed")]

use std::time::Duration;

use futures_util::StreamExt;
use krabba_local::{
    Countable, Endpoint, LoadEvent, LoadOrder, Loaded, Loader, Observation, ProbeError, Report, ServerState, TokenCounter, Wanted, Watcher,
    probe,
};
use krabba_net::{Egress, HttpClient};
use krabba_testkit::{BootStyle, LoadStyle, Model, Script, ScriptedServer, Strict};
use krabba_types::{ModelId, RouteState, Secret, ServerKind};

const BUDGET: Duration = Duration::from_secs(10);
/// The kinds that can be told by what they answer, on any port.
const TOLD: [ServerKind; 8] = [
    ServerKind::LmStudio,
    ServerKind::LlamaCpp,
    ServerKind::Ollama,
    ServerKind::Vllm,
    ServerKind::Sglang,
    ServerKind::LiteLlm,
    ServerKind::Mlx,
    ServerKind::Jan,
];

fn client() -> HttpClient {
    HttpClient::new(Egress::none())
}

async fn start(script: Script) -> ScriptedServer {
    ScriptedServer::start(script).await.expect("a free port")
}

async fn ask(server: &ScriptedServer, hint: Option<ServerKind>) -> Result<Report, ProbeError> {
    let mut endpoint = Endpoint::new(server.url());
    endpoint.kind_hint = hint;
    probe(&client(), &endpoint, BUDGET).await
}

#[tokio::test]
async fn every_server_is_told_from_the_others_on_any_port() {
    for kind in TOLD {
        let server = start(Script::of(kind).model("qwen3-8b").window(8192)).await;
        for hint in [None, Some(kind)] {
            let report = ask(&server, hint).await.unwrap_or_else(|error| panic!("{kind:?}: {error}"));
            assert_eq!((report.kind, &report.state), (kind, &ServerState::Up), "hint {hint:?}");
            assert_eq!(report.url, server.v1(), "{kind:?}");
            assert!(report.model(&ModelId::new("qwen3-8b")).is_some(), "{kind:?}: {report:?}");
        }
    }
}

#[tokio::test]
async fn no_probe_loads_generates_or_falls_on_an_unknown_path() {
    for kind in TOLD {
        let server = start(Script::of(kind).with_model(Model { loaded: false, ..Model::new("cold") }).model("warm")).await;
        for hint in [None, Some(kind)] {
            let _ = ask(&server, hint).await;
        }
        assert_eq!((server.loads(), server.generations().len(), server.loaded()), (Vec::new(), 0, vec!["warm".to_owned()]), "{kind:?}");
        if kind == ServerKind::LmStudio {
            let paths: Vec<String> = server.requests().iter().map(|request| request.path.clone()).collect();
            assert_eq!(paths, ["/v1/models", "/api/v1/models", "/api/v1/models"], "others print errors in its log");
        }
    }
}

#[tokio::test]
async fn loaded_window_is_read_where_the_server_tells_it() {
    let cases = [
        (ServerKind::LmStudio, Some(4096)),
        (ServerKind::LlamaCpp, Some(4096)),
        (ServerKind::Ollama, Some(4096)),
        (ServerKind::Vllm, Some(4096)),
        (ServerKind::Sglang, Some(4096)),
        (ServerKind::LiteLlm, None),
        (ServerKind::Mlx, None),
    ];
    for (kind, window) in cases {
        let server = start(Script::of(kind).model("m").window(4096).max_window(131_072)).await;
        let report = ask(&server, None).await.expect("a server");
        assert_eq!(report.model(&ModelId::new("m")).and_then(|model| model.window), window, "{kind:?}");
    }
}

#[tokio::test]
async fn cold_and_warm_models_are_told_apart() {
    for kind in [ServerKind::LmStudio, ServerKind::LlamaCpp, ServerKind::Ollama] {
        let server = start(Script::of(kind).model("warm").model("cold").cold()).await;
        let report = ask(&server, None).await.expect("a server");
        let states = ["warm", "cold"].map(|model| report.route_state(&ModelId::new(model)));
        assert_eq!(states, [RouteState::Ready, RouteState::Cold], "{kind:?}");
    }
}

#[tokio::test]
async fn missing_and_wrong_keys_are_told_apart_by_kind() {
    for kind in [ServerKind::LmStudio, ServerKind::LlamaCpp, ServerKind::Vllm, ServerKind::LiteLlm, ServerKind::Jan] {
        let server = start(Script::of(kind).model("m").key("sk-right")).await;
        let mut endpoint = Endpoint::new(server.url());
        endpoint.kind_hint = Some(kind);
        let cases = [(None, ServerState::NeedsKey), (Some("sk-wrong"), ServerState::KeyRefused), (Some("sk-right"), ServerState::Up)];
        for (key, expected) in cases {
            endpoint.key = key.map(Secret::new);
            let report = probe(&client(), &endpoint, BUDGET).await.unwrap_or_else(|error| panic!("{kind:?} with {key:?}: {error}"));
            assert_eq!((report.kind, report.state), (kind, expected), "{key:?}");
        }
    }
}

#[tokio::test]
async fn llama_cpp_that_loads_at_its_start_becomes_ready() {
    let server = start(Script::llama_cpp().model("m").booting(BootStyle::Unavailable)).await;
    let watcher = Watcher::with_interval(client(), Duration::from_secs(3600));
    watcher.watch(Endpoint::new(server.url()));
    watcher.refresh_now(&server.url()).await;
    assert_eq!(watcher.state(&server.url(), &ModelId::new("m")), RouteState::Loading);
    server.release();
    watcher.refresh_now(&server.url()).await;
    assert_eq!(watcher.state(&server.url(), &ModelId::new("m")), RouteState::Ready);
    watcher.shutdown().await;
}

#[tokio::test]
async fn server_that_resets_connections_is_down_and_not_unknown() {
    let server = start(Script::vllm().model("m").booting(BootStyle::Resets)).await;
    let watcher = Watcher::with_interval(client(), Duration::from_secs(3600));
    watcher.watch(Endpoint::new(server.url()));
    assert!(matches!(watcher.refresh_now(&server.url()).await, Observation::Down { .. }));
}

#[tokio::test]
async fn jan_behind_a_strange_host_name_is_explained() {
    let server = start(Script::jan().model("m").strict(Strict::LocalHost)).await;
    let mut endpoint = Endpoint::new(server.url());
    endpoint.headers = vec![("host".to_owned(), Secret::new("gpubox:1337"))];
    let report = probe(&client(), &endpoint, BUDGET).await.expect("a server");
    assert!(matches!(report.state, ServerState::Failing { ref reason } if reason.contains("Trusted hosts")), "{report:?}");
}

#[tokio::test]
async fn ipv6_only_localhost_is_reached() {
    let server = ScriptedServer::start_ipv6(Script::vllm().model("m")).await.expect("IPv6 loopback");
    let endpoint = Endpoint::new(format!("localhost:{}", server.port()));
    let report = probe(&client(), &endpoint, BUDGET).await.expect("a server");
    assert_eq!(report.kind, ServerKind::Vllm);
}

async fn load(server: &ScriptedServer, model: &str, wanted: Wanted) -> (Loader, Result<Loaded, krabba_local::LoadError>) {
    let (http, endpoint) = (client(), Endpoint::new(server.url()));
    let report = probe(&http, &endpoint, BUDGET).await.expect("a server");
    let loader = Loader::new(http);
    let order = LoadOrder { endpoint, report: report.into(), model: ModelId::new(model), wanted, keep_alive: None, budget: BUDGET };
    let last = loader.load(order).collect::<Vec<_>>().await.pop();
    match last {
        Some(LoadEvent::Ended(outcome)) => (loader, outcome),
        other => panic!("ended in {other:?}"),
    }
}

#[tokio::test]
async fn each_server_loads_in_its_own_way() {
    let cases = [
        (ServerKind::LmStudio, Wanted::Window(16_384), Some(16_384)),
        (ServerKind::Ollama, Wanted::Window(16_384), Some(16_384)),
        (ServerKind::LlamaCpp, Wanted::Usual, Some(8192)),
    ];
    for (kind, wanted, window) in cases {
        let server = start(Script::of(kind).model("warm").model("cold").cold().load_ms(20)).await;
        let (_loader, outcome) = load(&server, "cold", wanted).await;
        assert_eq!(outcome, Ok(Loaded::Now { model: ModelId::new("cold"), window, note: None }), "{kind:?}");
        assert_eq!(server.loads(), ["cold"], "{kind:?}");
    }
}

#[tokio::test]
async fn held_load_keeps_its_followers_waiting_until_it_ends() {
    let server = start(Script::ollama().model("cold").cold().held_loads(LoadStyle::Blocks)).await;
    let (http, endpoint) = (client(), Endpoint::new(server.url()));
    let report = std::sync::Arc::new(probe(&http, &endpoint, BUDGET).await.expect("a server"));
    let loader = Loader::new(http);
    let model = ModelId::new("cold");
    let order = LoadOrder { endpoint, report, model: model.clone(), wanted: Wanted::Usual, keep_alive: None, budget: BUDGET };
    let (one, other) = (loader.load(order.clone()), loader.load(order));
    let begun = server.requests().len() + 1;
    let end_the_load = async {
        server.wait_requests(begun).await;
        server.release();
    };
    let (one, other, ()) = tokio::join!(one.collect::<Vec<_>>(), other.collect::<Vec<_>>(), end_the_load);
    assert_eq!(one.last(), other.last());
    assert!(matches!(one.last(), Some(LoadEvent::Ended(Ok(Loaded::Now { .. })))), "{one:?}");
    assert_eq!(server.loads(), ["cold"]);
}

#[tokio::test]
async fn servers_that_can_count_do() {
    for kind in [ServerKind::LlamaCpp, ServerKind::Vllm] {
        let server = start(Script::of(kind).model("m")).await;
        let (http, endpoint) = (client(), Endpoint::new(server.url()));
        let report = probe(&http, &endpoint, BUDGET).await.expect("a server");
        let counter = TokenCounter { http: &http, endpoint: &endpoint, report: &report, budget: BUDGET };
        let count = async |text| counter.count(&ModelId::new("m"), Countable::Text(text)).await;
        let (short, long) =
            (count("one two three").await.expect("a count"), count("one two three four five six seven").await.expect("a count"));
        assert!(0 < short && short < long, "{kind:?}: {short} and {long}");
    }
}
