use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use krabba_types::{ModelId, RouteState};

use crate::test_server::{Reply, TestServer, client, nobody};
use crate::{Endpoint, Observation, Watcher};

const SOON: Duration = Duration::from_millis(20);
const NEVER: Duration = Duration::from_secs(3600);

fn listing() -> Reply {
    Reply::json(200, r#"{"object":"list","data":[{"id":"m","owned_by":"vllm","max_model_len":4096}]}"#)
}

#[tokio::test]
async fn server_that_starts_later_becomes_usable() {
    let address = nobody();
    let watcher = Watcher::with_interval(client(), SOON);
    watcher.watch(Endpoint::new(address.clone()));
    assert!(matches!(watcher.refresh_now(&address).await, Observation::Down { .. }));
    assert_eq!(watcher.state(&address, &ModelId::new("m")), RouteState::Unknown);
    let mut changed = watcher.changed();
    changed.mark_unchanged();
    let _server = TestServer::start_at(address.trim_start_matches("http://"), |_| listing()).await;
    changed.changed().await.expect("a watcher");
    assert_eq!(watcher.state(&address, &ModelId::new("m")), RouteState::Ready);
    watcher.shutdown().await;
}

#[tokio::test]
async fn server_that_stops_is_not_ready_any_more() {
    let server = TestServer::start(|_| listing()).await;
    let address = server.url();
    let watcher = Watcher::with_interval(client(), NEVER);
    watcher.watch(Endpoint::new(address.clone()));
    watcher.refresh_now(&address).await;
    assert!(watcher.latest(&address).is_some());
    drop(server);
    // Its last connection may still be served; a new client has none.
    let later = Watcher::with_interval(client(), NEVER);
    later.watch(Endpoint::new(address.clone()));
    assert!(matches!(later.refresh_now(&address).await, Observation::Down { .. }));
}

#[tokio::test]
async fn endpoint_not_to_be_probed_is_asked_on_demand_only() {
    let server = TestServer::start(|_| listing()).await;
    let mut endpoint = Endpoint::new(server.url());
    endpoint.probe = false;
    let watcher = Watcher::with_interval(client(), SOON);
    watcher.watch(endpoint);
    tokio::time::sleep(SOON * 5).await;
    assert_eq!((server.asked(), watcher.observation(&server.url())), (Vec::new(), Observation::NotYet));
    assert!(matches!(watcher.refresh_now(&server.url()).await, Observation::Up(_)));
}

#[tokio::test]
async fn unchanged_server_is_no_news() {
    let cold = Arc::new(AtomicBool::new(false));
    let state = Arc::clone(&cold);
    let server = TestServer::start(move |_| {
        let state = if state.load(Ordering::SeqCst) { "[]" } else { r#"[{"id":"m","config":{"context_length":4096}}]"# };
        Reply::json(200, format!(r#"{{"models":[{{"key":"m","type":"llm","loaded_instances":{state}}}]}}"#))
    })
    .await;
    let mut endpoint = Endpoint::new(server.url());
    endpoint.kind_hint = Some(krabba_types::ServerKind::LmStudio);
    let watcher = Watcher::with_interval(client(), NEVER);
    watcher.watch(endpoint);
    watcher.refresh_now(&server.url()).await;
    let mut changed = watcher.changed();
    changed.mark_unchanged();
    watcher.refresh_now(&server.url()).await;
    assert!(!changed.has_changed().expect("a watcher"));
    cold.store(true, Ordering::SeqCst);
    watcher.refresh_now(&server.url()).await;
    assert!(changed.has_changed().expect("a watcher"));
    assert_eq!(watcher.state(&server.url(), &ModelId::new("m")), RouteState::Cold);
}

#[tokio::test]
async fn shutdown_ends_every_task() {
    let server = TestServer::start(|_| listing()).await;
    let watcher = Watcher::with_interval(client(), SOON);
    watcher.watch(Endpoint::new(server.url()));
    watcher.refresh_now(&server.url()).await;
    watcher.shutdown().await;
    server.forget();
    tokio::time::sleep(SOON * 5).await;
    assert_eq!(server.asked(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn mute_server_does_not_hold_up_the_end() {
    let mute = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let watcher = Watcher::with_interval(client(), SOON);
    watcher.watch(Endpoint::new(format!("http://{}", mute.local_addr().expect("its address"))));
    let (connection, _) = mute.accept().await.expect("the question");
    let before = tokio::time::Instant::now();
    watcher.shutdown().await;
    assert_eq!(before.elapsed(), Duration::ZERO);
    drop(connection);
}
