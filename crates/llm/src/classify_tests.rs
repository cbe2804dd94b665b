//! Every file of `tests/data/errors` is one answer of one server, sent over a socket; the whole fault is compared. A file says:
//! `# where it comes from`, then `server`, `dialect`, `status`, `content-type`, `header`s, the expected `fault`,
//! `phase` (by default `headers`, or `firstToken` with status 200), `retry-after-ms` and the words for people (`says`, with `{url}` for
//! where it went), then `---` and the body as it is on the wire.

use std::path::{Path, PathBuf};
use std::time::Duration;

use krabba_markup::OrphanPolicy;
use krabba_net::NetError;
use krabba_redact::Redactor;
use krabba_types::{
    Calling, Dialect, Fault, FaultKind, Message, ModelId, ModelRef, ModelRequest, Params, Phase, ProviderId, Residency, Role, Secret,
    ServerKind, Thinking,
};

use crate::test_server::{TestServer, within};
use crate::{Caller, Shape, Site, Target, Trouble, classify, collect, families, fields};

pub(crate) const KEY: &str = "sk-test-0123456789abcdef";

pub(crate) fn target(server: &TestServer, kind: ServerKind, dialect: Dialect) -> Target {
    let route = ModelRef::new(ProviderId::new("box"), ModelId::new("qwen3-8b"));
    Target {
        route: route.clone(),
        dialect,
        base_url: server.base_url(),
        key: Some(Secret::new(KEY)),
        headers: Vec::new(),
        shape: Shape::new(kind, route),
        connect_timeout: Duration::from_secs(2),
        residency: Residency::Device,
        orphan: OrphanPolicy::Stream,
    }
}

pub(crate) fn request() -> ModelRequest {
    ModelRequest {
        model: ModelId::new("qwen3-8b"),
        messages: vec![Message::text(Role::User, "hi")],
        tools: Vec::new(),
        calling: Calling::default(),
        max_output_tokens: Some(64),
        thinking: Thinking::Unspecified,
        params: Params::default(),
    }
}

#[derive(Debug, PartialEq)]
struct Case {
    server: ServerKind,
    dialect: Dialect,
    status: u16,
    headers: Vec<String>,
    fault: FaultKind,
    phase: Phase,
    retry_after: Option<Duration>,
    says: String,
    body: String,
}

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/errors");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn read(file: &Path) -> Case {
    let text = std::fs::read_to_string(file).unwrap();
    let (head, body) = text.split_once("\n---\n").unwrap();
    let all = |key: &str| -> Vec<String> {
        head.lines().filter_map(|line| Some(line.strip_prefix(key)?.strip_prefix(": ")?.to_owned())).collect()
    };
    let one = |key: &str| all(key).into_iter().next();
    let status = one("status").unwrap().parse().unwrap();
    let mut headers = all("header");
    headers.extend(one("content-type").map(|value| format!("content-type: {value}")));
    Case {
        server: serde_json::from_value(one("server").unwrap().into()).unwrap(),
        dialect: one("dialect").unwrap().parse().unwrap(),
        status,
        headers,
        fault: fault_kind(&one("fault").unwrap()),
        phase: match one("phase") {
            Some(phase) => serde_json::from_value(phase.into()).unwrap(),
            None if status == 200 => Phase::FirstToken,
            None => Phase::Headers,
        },
        retry_after: one("retry-after-ms").map(|value| Duration::from_millis(value.parse().unwrap())),
        says: one("says").unwrap_or_default(),
        body: body.strip_suffix('\n').unwrap().to_owned(),
    }
}

/// `overflow limit=4096 asked=5321`, `unsupported FIELD`, or a name alone.
fn fault_kind(text: &str) -> FaultKind {
    let (name, rest) = text.split_once(' ').unwrap_or((text, ""));
    let number = |key: &str| rest.split(' ').find_map(|word| word.strip_prefix(key)).map(|value| value.parse().unwrap());
    let simple = [
        FaultKind::Loading,
        FaultKind::Busy,
        FaultKind::RateLimited,
        FaultKind::Overloaded,
        FaultKind::Auth,
        FaultKind::Billing,
        FaultKind::NoSuchModel,
        FaultKind::BadRequest,
        FaultKind::ContentPolicy,
        FaultKind::Truncated,
        FaultKind::Malformed,
        FaultKind::Unparsed,
    ];
    match name {
        "overflow" => FaultKind::Overflow { limit: number("limit="), asked: number("asked=") },
        "unsupported" => FaultKind::Unsupported { field: rest.to_owned() },
        name => simple.into_iter().find(|kind| kind.name() == name).unwrap(),
    }
}

async fn answer(case: &Case) -> (Fault, String) {
    let server = TestServer::start().await;
    let target = target(&server, case.server, case.dialect);
    let url = krabba_dialect::endpoint_url(case.dialect, &target.base_url);
    let stream = Caller::new(server.client(), Redactor::new()).call(target, request());
    let serve = async {
        let mut connection = server.accept().await;
        connection.request().await;
        let headers: String = case.headers.iter().map(|line| format!("{line}\r\n")).collect();
        let length = case.body.len();
        connection.write(format!("HTTP/1.1 {} X\r\n{headers}content-length: {length}\r\n\r\n{}", case.status, case.body)).await;
        connection
    };
    let (collected, _connection) = within(async { tokio::join!(collect(stream), serve) }).await;
    (collected.end.unwrap_err(), url)
}

#[tokio::test]
async fn every_error_text_of_every_server_is_understood() {
    let mut wrong = Vec::new();
    for file in files() {
        let case = read(&file);
        let (fault, url) = answer(&case).await;
        let status = (case.status != 200).then_some(case.status);
        let expected = Fault { kind: case.fault, phase: case.phase, status, message: case.says, retry_after: case.retry_after };
        let shown = Fault { message: fault.message.replace(&url, "{url}"), ..fault };
        if shown != expected {
            wrong.push(format!("{}\n  expected {expected:?}\n  came     {shown:?}", file.display()));
        }
    }
    assert!(wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_pattern_is_a_regular_expression() {
    assert_eq!(fields::broken_patterns(), Vec::<&str>::new());
}

#[tokio::test]
async fn a_key_in_an_error_body_never_comes_out() {
    let quoted = [
        format!("{{\"error\":{{\"message\":\"invalid key {KEY} given\"}}}}"),
        format!("{{\"error\":\"Bearer {KEY}\"}}"),
        format!("{}{KEY}", "x".repeat(290)),
        format!("{{\"error\":{{\"message\":\"unknown parameter: '{KEY}'\"}}}}"),
        "<html>".to_owned() + KEY,
    ];
    for status in [200, 400, 401, 500] {
        for content_type in ["application/json", "text/plain", "text/html"] {
            for body in &quoted {
                let case = Case {
                    server: ServerKind::Other,
                    dialect: Dialect::OpenAiCompletions,
                    status,
                    headers: vec![format!("content-type: {content_type}"), format!("location: http://u:{KEY}@box/{KEY}?key={KEY}")],
                    fault: FaultKind::Malformed,
                    phase: Phase::Headers,
                    retry_after: None,
                    says: String::new(),
                    body: body.clone(),
                };
                let (fault, _) = answer(&case).await;
                assert!(!fault.message.contains("0123456789abcdef"), "{status} {content_type}: {fault:?}");
            }
        }
    }
}

#[tokio::test]
async fn an_error_cannot_steer_the_terminal_or_turn_a_line_around() {
    let evil = "\u{1b}]0;x\u{7}\u{202e}live\u{2066}\u{9b}31m\u{61c}\u{200f}!";
    let bodies = [
        serde_json::json!({ "error": { "message": evil, "code": evil } }),
        serde_json::json!({ "error": { "message": "unknown parameter", "param": evil, "code": "unknown_parameter" } }),
    ];
    for body in bodies {
        let case = Case {
            server: ServerKind::Other,
            dialect: Dialect::OpenAiCompletions,
            status: 400,
            headers: vec!["content-type: application/json".to_owned()],
            fault: FaultKind::Malformed,
            phase: Phase::Headers,
            retry_after: None,
            says: String::new(),
            body: body.to_string(),
        };
        let (fault, _) = answer(&case).await;
        assert!(fault.message.contains("]0;x live 31m !"), "{fault:?}");
    }
}

#[test]
fn what_the_network_does_has_a_fault_of_its_own() {
    let route = ModelRef::new(ProviderId::new("box"), ModelId::new("m"));
    let site = Site {
        server: ServerKind::LmStudio,
        route,
        dialect: Dialect::OpenAiResponses,
        url: "http://box/v1".to_owned(),
        redactor: Redactor::new(),
    };
    let url = || "http://box/v1/responses".to_owned();
    let cases = [
        (NetError::Refused { url: url() }, FaultKind::Unreachable),
        (NetError::BadRequest { url: url(), reason: "x".to_owned() }, FaultKind::Auth),
        (NetError::Tls { url: url(), reason: "x".to_owned() }, FaultKind::Unreachable),
        (NetError::ConnectTimeout { url: url(), timeout: Duration::from_secs(2) }, FaultKind::Unreachable),
        (NetError::TooLarge { url: url(), limit: 7 }, FaultKind::Malformed),
    ];
    for (error, kind) in cases {
        let fault = classify(&Trouble::Network(&error), Phase::Connect, &site);
        assert_eq!(fault, Fault::new(kind, Phase::Connect, format!("box: {error}")));
    }
}

#[test]
fn tables_are_written_in_lower_case() {
    assert_eq!(families::not_lower_case(), Vec::<&str>::new());
}
