//! The connection: how it breaks, who leaves, and what the journal says.

use std::time::Duration;

use crate::support::{client, get, post, user};
use krabba_testkit::{BootStyle, Delivery, FakeHosted, Fate, Script, ScriptedServer, Step, Transfer, WhenFull};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const CHAT: &str = "/v1/chat/completions";

fn streaming(text: &str) -> Value {
    let mut body = user("m", text);
    body["stream"] = true.into();
    body
}

/// Everything that the server sends, byte for byte, until it closes or resets.
async fn raw_exchange(server: &ScriptedServer, request: &str) -> (Vec<u8>, Option<std::io::ErrorKind>) {
    let mut stream = TcpStream::connect(("127.0.0.1", server.port())).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    let error = stream.read_to_end(&mut bytes).await.err().map(|error| error.kind());
    (bytes, error)
}

fn raw_request(body: &Value) -> String {
    let body = body.to_string();
    format!("POST {CHAT} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

#[tokio::test]
async fn a_reset_is_a_reset_and_not_an_end() {
    let server = ScriptedServer::start(Script::any().steps([Step::Reset])).await.unwrap();
    let (bytes, error) = raw_exchange(&server, &raw_request(&streaming("hi"))).await;
    assert_eq!((bytes.len(), error), (0, Some(std::io::ErrorKind::ConnectionReset)));
}

#[tokio::test]
async fn a_cut_body_lacks_its_last_chunk() {
    let server = ScriptedServer::start(Script::any().steps([Step::text("half"), Step::Cut])).await.unwrap();
    let (bytes, error) = raw_exchange(&server, &raw_request(&streaming("hi"))).await;
    assert!(String::from_utf8_lossy(&bytes).contains("half") && !bytes.ends_with(b"0\r\n\r\n") && error.is_none());
    let response = client().post(format!("{}{CHAT}", server.url())).body(streaming("hi").to_string()).send().await.unwrap();
    assert!(response.bytes().await.is_err());
}

#[tokio::test]
async fn the_connection_closes_after_so_many_bytes() {
    let delivery = Delivery { cut_after_bytes: Some(10), transfer: Transfer::Close, ..Delivery::default() };
    let server = ScriptedServer::start(Script::any().reply("hello").delivery(delivery)).await.unwrap();
    let (bytes, _) = raw_exchange(&server, &raw_request(&streaming("hi"))).await;
    let text = String::from_utf8(bytes).unwrap();
    assert_eq!(text.split_once("\r\n\r\n").unwrap().1, "data: {\"id");
}

#[tokio::test]
async fn one_byte_per_packet_is_one_byte_per_chunk() {
    let delivery = Delivery { packet_bytes: Some(1), ..Delivery::default() };
    let server = ScriptedServer::start(Script::any().reply("hello").delivery(delivery)).await.unwrap();
    let (bytes, _) = raw_exchange(&server, &raw_request(&streaming("hi")).replace("localhost", "localhost\r\nconnection: close")).await;
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.split_once("\r\n\r\n").unwrap().1.starts_with("1\r\nd\r\n1\r\na\r\n1\r\nt\r\n"));
}

#[tokio::test]
async fn a_connection_is_kept_for_the_next_request() {
    let server = ScriptedServer::start(Script::any().reply("hello")).await.unwrap();
    let client = client();
    for _ in 0..3 {
        let response = client.post(format!("{}{CHAT}", server.url())).body(user("m", "hi").to_string()).send().await.unwrap();
        response.bytes().await.unwrap();
    }
    assert_eq!((server.requests().len(), server.connections()), (3, 1));
}

#[tokio::test]
async fn a_client_that_leaves_is_noticed_in_every_phase() {
    let scripts = [
        Script::any().steps([Step::Stall]),
        Script::any().steps([Step::Head, Step::Stall]),
        Script::any().steps([Step::text("a"), Step::Stall]),
        Script::any().steps([Step::Endless("x".to_owned())]),
        Script::any().steps([Step::HeadersEndless]),
        Script::any().model("m").cold().held_loads(krabba_testkit::LoadStyle::Blocks),
    ];
    for script in scripts {
        let server = ScriptedServer::start(script).await.unwrap();
        let mut stream = TcpStream::connect(("127.0.0.1", server.port())).await.unwrap();
        stream.write_all(raw_request(&streaming("hi")).as_bytes()).await.unwrap();
        server.wait_requests(1).await;
        assert_eq!((server.in_flight(), server.fate(1)), (1, Some(Fate::Open)));
        drop(stream);
        server.wait_closed(1).await;
        assert!(matches!(server.wait_ended(1).await, Fate::Abandoned { .. } | Fate::Answered));
        server.wait_idle().await;
    }
}

#[tokio::test]
async fn a_deaf_server_keeps_the_slot_after_the_client_has_left() {
    let script = Script::any().model("m").slots(1, WhenFull::Wait).deaf().steps([Step::Gate, Step::text("late"), Step::End]);
    let server = ScriptedServer::start(script).await.unwrap();
    let mut stream = TcpStream::connect(("127.0.0.1", server.port())).await.unwrap();
    stream.write_all(raw_request(&streaming("hi")).as_bytes()).await.unwrap();
    server.wait_requests(1).await;
    drop(stream);
    server.wait_closed(1).await;
    let body = user("m", "second");
    let second = post(&server, CHAT, &body);
    tokio::pin!(second);
    tokio::select! {
        _ = &mut second => panic!("answered although the slot is taken"),
        () = tokio::time::sleep(Duration::from_millis(50)) => {}
    }
    server.open_gate();
    server.open_gate();
    assert!(second.await.1.contains("late"));
    assert_eq!(server.max_working(), 1);
}

#[tokio::test]
async fn requests_in_flight_are_counted() {
    let server = ScriptedServer::start(Script::any().steps([Step::Gate, Step::text("ok"), Step::End])).await.unwrap();
    let body = user("m", "hi");
    let calls = three_at_once(&server, &body);
    let watch = async {
        server.wait_requests(3).await;
        assert_eq!(server.in_flight(), 3);
        for _ in 0..3 {
            server.open_gate();
        }
    };
    tokio::join!(calls, watch);
    assert_eq!((server.in_flight(), server.max_in_flight()), (0, 3));
}

async fn three_at_once(server: &ScriptedServer, body: &Value) {
    tokio::join!(post(server, CHAT, body), post(server, CHAT, body), post(server, CHAT, body));
}

#[tokio::test]
async fn what_was_sent_is_recorded() {
    let server = ScriptedServer::start(Script::any().reply("hello")).await.unwrap();
    post(&server, CHAT, &user("m", "hi")).await;
    get(&server, "/v1/models?all=1").await;
    let requests = server.requests();
    assert_eq!(requests[0].json, Some(user("m", "hi")));
    assert_eq!((requests[0].model(), requests[0].header("Content-Type")), (Some("m"), Some("application/json")));
    assert_eq!((requests[1].path.as_str(), requests[1].query.as_str(), requests[1].generation), ("/v1/models", "all=1", false));
    assert_eq!(server.generations().len(), 1);
}

#[tokio::test]
async fn a_dropped_server_is_gone() {
    let server = ScriptedServer::start(Script::any().steps([Step::text("a"), Step::Stall])).await.unwrap();
    let port = server.port();
    let mut open = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    open.write_all(raw_request(&streaming("hi")).as_bytes()).await.unwrap();
    server.wait_requests(1).await;
    drop(server);
    let mut bytes = Vec::new();
    let _ = open.read_to_end(&mut bytes).await;
    assert!(TcpStream::connect(("127.0.0.1", port)).await.is_err());
}

#[tokio::test]
async fn a_starting_server_answers_nothing_until_it_is_released() {
    let server = ScriptedServer::start(Script::llama_cpp().model("m").booting(BootStyle::Unavailable).reply("hello")).await.unwrap();
    let loading = serde_json::json!({"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}});
    assert_eq!(get(&server, "/health").await, (503, loading));
    server.release();
    assert_eq!(get(&server, "/health").await, (200, serde_json::json!({"status": "ok"})));
    assert_eq!(post(&server, CHAT, &user("m", "hi")).await.0, 200);
}

#[tokio::test]
async fn a_hosted_server_wants_its_key() {
    let hosted = FakeHosted::start("from far away").await.unwrap();
    let ask = |key: &'static str| {
        let body = serde_json::json!({"model": FakeHosted::MODEL, "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]});
        client().post(format!("{}/v1/messages", hosted.url())).header("x-api-key", key).body(body.to_string()).send()
    };
    let refused = ask("wrong").await.unwrap();
    assert_eq!(refused.status(), 401);
    assert!(refused.text().await.unwrap().contains("authentication_error"));
    assert!(ask(FakeHosted::KEY).await.unwrap().text().await.unwrap().contains("from far away"));
}

#[tokio::test]
async fn a_server_on_ipv6_only_has_a_url_that_works() {
    // A machine without IPv6 has nothing to test here.
    let Ok(server) = ScriptedServer::start_ipv6(Script::any().reply("hello")).await else { return };
    assert!(server.url().starts_with("http://[::1]:"));
    assert_eq!(post(&server, CHAT, &user("m", "hi")).await.0, 200);
}

#[tokio::test]
async fn rules_answer_the_request_they_are_for() {
    let script = Script::any().reply("first").only_request(1).reply("for b").only_model("b").reply("else");
    let server = ScriptedServer::start(script).await.unwrap();
    for (model, expected) in [("a", "first"), ("b", "for b"), ("a", "else")] {
        assert!(post(&server, CHAT, &user(model, "hi")).await.1.contains(expected));
    }
}
