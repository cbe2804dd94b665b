use std::time::Duration;

use futures_util::StreamExt;
use krabba_net::Url;
use krabba_redact::Redactor;
use krabba_types::{Dialect, DoneReason, FaultKind, ModelEvent, Phase, Progress, Secret, ServerKind};

use crate::classify_tests::{KEY, request, target};
use crate::test_server::{Connection, TestServer, within};
use crate::{Caller, LINGER, ModelStream, Target, collect};

const EVENTS: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
const CHAT: &str = concat!(
    ": keepalive 5/100\n\n",
    "data: {\"model\":\"qwen3-8b\",\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"grüße 🦀\"}}]}\r\n\r\n",
    "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n",
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":2}}\n\n",
    "data: [DONE]\n\n",
);

fn chat(server: &TestServer) -> Target {
    target(server, ServerKind::Other, Dialect::OpenAiCompletions)
}

fn call(server: &TestServer, target: Target) -> ModelStream {
    Caller::new(server.client(), Redactor::new()).call(target, request())
}

/// The answer to one request whose response is `bytes`, after which the server closes.
async fn answered(target: impl FnOnce(&TestServer) -> Target, bytes: &[u8]) -> Vec<ModelEvent> {
    let server = TestServer::start().await;
    let stream = call(&server, target(&server));
    let serve = async {
        let mut connection = server.accept().await;
        connection.request().await;
        connection.write(bytes).await;
    };
    within(async { tokio::join!(stream.collect::<Vec<_>>(), serve) }).await.0
}

fn plain(content_type: &str, body: &str) -> Vec<u8> {
    let header = if content_type.is_empty() { String::new() } else { format!("content-type: {content_type}\r\n") };
    format!("HTTP/1.1 200 OK\r\n{header}content-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

fn said(events: &[ModelEvent]) -> (String, Option<DoneReason>) {
    let text = events.iter().filter_map(|event| if let ModelEvent::Text(text) = event { Some(text.as_str()) } else { None }).collect();
    let done = if let Some(ModelEvent::Done(reason)) = events.last() { Some(*reason) } else { None };
    (text, done)
}

fn chunk(text: &str) -> String {
    format!("{:x}\r\n{text}\r\n", text.len())
}

async fn served(server: &TestServer) -> (Connection, String) {
    let mut connection = server.accept().await;
    let request = connection.request().await;
    (connection, request)
}

#[tokio::test]
async fn the_key_goes_out_under_the_header_of_the_dialect() {
    let cases = [
        (Dialect::OpenAiCompletions, ServerKind::Other, "POST /v1/chat/completions", format!("authorization: Bearer {KEY}")),
        (Dialect::OpenAiResponses, ServerKind::LmStudio, "POST /v1/responses", format!("authorization: Bearer {KEY}")),
        (Dialect::AnthropicMessages, ServerKind::Anthropic, "POST /v1/messages", format!("x-api-key: {KEY}")),
        (Dialect::Ollama, ServerKind::Ollama, "POST /api/chat", format!("authorization: Bearer {KEY}")),
    ];
    for (dialect, kind, path, header) in cases {
        let server = TestServer::start().await;
        let stream = call(&server, target(&server, kind, dialect));
        let (_, (_connection, request)) = within(async {
            tokio::join!(collect(stream), async {
                let (mut connection, request) = served(&server).await;
                connection.write("HTTP/1.1 500 X\r\ncontent-length: 0\r\n\r\n").await;
                (connection, request)
            })
        })
        .await;
        assert!(request.starts_with(path), "{request}");
        assert!(request.lines().any(|line| line == header), "{request}");
    }
}

#[tokio::test]
async fn a_configured_header_replaces_our_own() {
    let server = TestServer::start().await;
    let mut target = chat(&server);
    target.headers = vec![("Authorization".to_owned(), Secret::new("Token abcdefghijklmnop")), ("X-Extra".to_owned(), Secret::new("1"))];
    let stream = call(&server, target);
    let (collected, request) = within(async {
        tokio::join!(collect(stream), async {
            let (mut connection, request) = served(&server).await;
            let body = "{\"error\":\"abcdefghijklmnop is wrong\"}";
            connection.write(format!("HTTP/1.1 401 X\r\ncontent-length: {}\r\n\r\n{body}", body.len())).await;
            request
        })
    })
    .await;
    let headers: Vec<&str> = request.lines().filter(|line| line.starts_with("authorization") || line.starts_with("x-extra")).collect();
    assert_eq!(headers, ["authorization: Token abcdefghijklmnop", "x-extra: 1"]);
    assert!(collected.end.unwrap_err().message.contains("\"[secret] is wrong\""));
}

#[tokio::test]
async fn events_come_in_order_with_one_ending() {
    let events = answered(chat, &[EVENTS.as_bytes(), chunk(CHAT).as_bytes(), b"0\r\n\r\n"].concat()).await;
    let kinds: Vec<ModelEvent> = events.into_iter().filter(|event| !matches!(event, ModelEvent::Progress(Progress::Alive))).collect();
    let usage = krabba_types::Usage { prompt_tokens: Some(7), output_tokens: Some(2), ..Default::default() };
    assert_eq!(
        kinds,
        [
            ModelEvent::Progress(Progress::Waiting),
            ModelEvent::Progress(Progress::Accepted),
            ModelEvent::Progress(Progress::Reading { done: 5, total: 100 }),
            ModelEvent::Text("grüße 🦀".to_owned()),
            ModelEvent::Usage(usage),
            ModelEvent::Done(DoneReason::Stop),
        ]
    );
}

#[tokio::test]
async fn a_stream_may_come_byte_by_byte() {
    let bytes: Vec<u8> = CHAT.bytes().flat_map(|byte| [b"1\r\n".as_slice(), &[byte], b"\r\n"].concat()).collect();
    let events = answered(chat, &[EVENTS.as_bytes(), &bytes, b"0\r\n\r\n"].concat()).await;
    assert_eq!(said(&events), ("grüße 🦀".to_owned(), Some(DoneReason::Stop)));
}

#[tokio::test]
async fn the_content_type_decides_and_where_it_is_silent_the_first_bytes() {
    let whole = "{\"choices\":[{\"message\":{\"content\":\"hi\"},\"finish_reason\":\"stop\"}]}";
    let stream = "data: {\"choices\":[{\"delta\":{\"content\":\"hi\"},\"finish_reason\":\"stop\"}]}\n\n";
    let cases = [
        ("application/json", whole),
        ("application/json; charset=utf-8", whole),
        ("", whole),
        ("text/plain", whole),
        ("text/event-stream", stream),
        ("text/event-stream; charset=utf-8", stream),
        ("", stream),
        ("text/plain", stream),
        ("application/octet-stream", stream),
        ("application/json", stream),
    ];
    for (content_type, body) in cases {
        let events = answered(chat, &plain(content_type, body)).await;
        assert_eq!(said(&events), ("hi".to_owned(), Some(DoneReason::Stop)), "{content_type}: {body}");
    }
}

#[tokio::test]
async fn lines_of_ollama_are_read_under_any_name() {
    let lines =
        "{\"message\":{\"content\":\"h\"},\"done\":false}\n{\"message\":{\"content\":\"i\"},\"done\":true,\"done_reason\":\"stop\"}";
    for content_type in ["application/x-ndjson", "application/json", "text/plain", ""] {
        let events = answered(|server| target(server, ServerKind::Ollama, Dialect::Ollama), &plain(content_type, lines)).await;
        assert_eq!(said(&events), ("hi".to_owned(), Some(DoneReason::Stop)), "{content_type}");
    }
}

#[tokio::test]
async fn a_connection_that_breaks_off_is_truncated() {
    let half = chunk("data: {\"choices\":[{\"delta\":{\"content\":\"hal\"}}]}\n\ndata: {\"choi");
    let cut = answered(chat, &[EVENTS.as_bytes(), half.as_bytes()].concat()).await;
    let clean = answered(chat, &[EVENTS.as_bytes(), half.as_bytes(), b"0\r\n\r\n"].concat()).await;
    for events in [cut, clean] {
        let Some(ModelEvent::Failed(fault)) = events.last() else { panic!("{events:?}") };
        assert_eq!((&fault.kind, fault.phase), (&FaultKind::Truncated, Phase::Streaming));
    }
}

#[tokio::test]
async fn an_empty_stream_is_truncated() {
    for content_type in ["text/event-stream", "", "text/plain"] {
        let events = answered(chat, &plain(content_type, "")).await;
        let Some(ModelEvent::Failed(fault)) = events.last() else { panic!("{events:?}") };
        assert_eq!((&fault.kind, fault.phase), (&FaultKind::Truncated, Phase::FirstToken), "{content_type:?}");
    }
}

#[tokio::test]
async fn one_event_beyond_all_bounds_is_malformed() {
    let server = TestServer::start().await;
    let stream = call(&server, chat(&server));
    let serve = async {
        let (mut connection, _) = served(&server).await;
        connection.write("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: ").await;
        connection.flood().await;
    };
    let (collected, ()) = within(async { tokio::join!(collect(stream), serve) }).await;
    assert_eq!(collected.end.unwrap_err().kind, FaultKind::Malformed);
}

#[tokio::test]
async fn dropping_closes_the_connection_while_the_prompt_is_read() {
    let server = TestServer::start().await;
    let mut stream = call(&server, chat(&server));
    assert_eq!(stream.next().await, Some(ModelEvent::Progress(Progress::Waiting)));
    let mut connection = tokio::select! {
        event = stream.next() => panic!("{event:?}"),
        (connection, _) = served(&server) => connection,
    };
    drop(stream);
    within(connection.closed()).await;
}

#[tokio::test]
async fn dropping_closes_the_connection_before_the_first_token() {
    for head in [EVENTS, "HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{"] {
        let server = TestServer::start().await;
        let mut stream = call(&server, chat(&server));
        let serve = async {
            let (mut connection, _) = served(&server).await;
            connection.write(head).await;
            connection
        };
        let accepted = async { while stream.next().await != Some(ModelEvent::Progress(Progress::Accepted)) {} };
        let (mut connection, ()) = within(async { tokio::join!(serve, accepted) }).await;
        drop(stream);
        within(connection.closed()).await;
    }
}

#[tokio::test]
async fn dropping_closes_the_connection_in_the_middle_of_the_answer() {
    let server = TestServer::start().await;
    let mut stream = call(&server, chat(&server));
    let serve = async {
        let (mut connection, _) = served(&server).await;
        connection.write([EVENTS.to_owned(), chunk("data: {\"choices\":[{\"delta\":{\"content\":\"hi\"}}]}\n\n")].concat()).await;
        connection
    };
    let first = async { while stream.next().await != Some(ModelEvent::Text("hi".to_owned())) {} };
    let (mut connection, ()) = within(async { tokio::join!(serve, first) }).await;
    drop(stream);
    within(connection.closed()).await;
}

#[tokio::test]
async fn a_failed_stream_has_closed_its_connection() {
    let server = TestServer::start().await;
    let mut stream = call(&server, chat(&server));
    let serve = async {
        let (mut connection, _) = served(&server).await;
        connection.write([EVENTS.to_owned(), chunk("data: {\"error\":{\"message\":\"cuda error\"}}\n\n")].concat()).await;
        connection.closed().await;
    };
    let failed = async { while !stream.next().await.is_some_and(|event| event.is_final()) {} };
    within(async { tokio::join!(serve, failed) }).await;
    assert_eq!(stream.next().await, None);
}

#[tokio::test]
async fn a_server_that_keeps_the_connection_after_the_finish_does_not_keep_the_answer() {
    let server = TestServer::start().await;
    let mut stream = call(&server, chat(&server));
    let serve = async {
        let (mut connection, _) = served(&server).await;
        let finish = "data: {\"choices\":[{\"delta\":{\"content\":\"hi\"},\"finish_reason\":\"stop\"}]}\n\n";
        connection.write([EVENTS.to_owned(), chunk(finish)].concat()).await;
        connection
    };
    let first = async { while stream.next().await != Some(ModelEvent::Text("hi".to_owned())) {} };
    let (_connection, ()) = within(async { tokio::join!(serve, first) }).await;
    tokio::time::pause();
    let before = tokio::time::Instant::now();
    assert_eq!(stream.next().await, Some(ModelEvent::Done(DoneReason::Stop)));
    assert_eq!(before.elapsed().as_secs(), LINGER.as_secs());
}

#[tokio::test]
async fn nobody_there_is_unreachable_and_says_where() {
    let server = TestServer::start().await;
    let target = chat(&server);
    let (stream, address) = (call(&server, target), server.base_url());
    drop(server);
    let fault = within(collect(stream)).await.end.unwrap_err();
    let message =
        format!("box: cannot connect to {address}/chat/completions: connection refused, nothing listens there; is the server running?");
    assert_eq!((fault.kind, fault.phase, fault.message), (FaultKind::Unreachable, Phase::Connect, message));
}

#[tokio::test]
async fn a_base_url_that_is_none_is_told_without_a_call() {
    let server = TestServer::start().await;
    let stream = call(&server, Target { base_url: "box:port/v1".to_owned(), ..chat(&server) });
    let events: Vec<ModelEvent> = within(stream.collect()).await;
    assert!(matches!(events.as_slice(), [ModelEvent::Failed(fault)] if fault.kind == FaultKind::Unreachable), "{events:?}");
}

#[tokio::test]
async fn an_endpoint_outside_of_the_configuration_is_unreachable() {
    let server = TestServer::start().await;
    let elsewhere = Url::parse("http://127.0.0.1:9/v1").unwrap();
    let stream = call(&server, Target { base_url: elsewhere.to_string(), connect_timeout: Duration::from_secs(1), ..chat(&server) });
    let fault = within(collect(stream)).await.end.unwrap_err();
    assert_eq!(fault.message, "box: http://127.0.0.1:9/v1/chat/completions was not contacted: it is not an endpoint of the configuration");
}

#[tokio::test]
async fn a_finished_answer_leaves_its_connection_for_the_next() {
    let server = TestServer::start().await;
    let caller = Caller::new(server.client(), Redactor::new());
    let answer = [EVENTS.as_bytes(), chunk(CHAT).as_bytes(), b"0\r\n\r\n"].concat();
    let serve = async {
        let (mut connection, _) = served(&server).await;
        connection.write(&answer).await;
        connection.request().await;
        connection.write(&answer).await;
    };
    let ask_twice = async {
        for _ in 0..2 {
            let collected = collect(caller.call(chat(&server), request())).await;
            assert_eq!(collected.end, Ok(DoneReason::Stop));
        }
    };
    within(async { tokio::join!(serve, ask_twice) }).await;
}

#[test]
fn a_stream_can_be_sent_to_another_thread() {
    fn is_send<T: Send + Unpin>() {}
    is_send::<ModelStream>();
}
