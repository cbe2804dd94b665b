//! Pages and search results, from servers of this machine that their owner named.

use std::time::Duration;

use krabba_net::{Egress, HttpClient, Pages, Url};
use krabba_tools::{FetchSettings, PageKey, SearchSettings};
use krabba_types::{Label, Secret};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::room::{Came, Room};

/// A server that answers by path, and the requests that it got, each its first line.
async fn server(answers: &'static [(&'static str, &'static str, &'static str)]) -> (String, tokio::sync::mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = vec![0; 8_192];
            let count = stream.read(&mut head).await.unwrap_or(0);
            let line = String::from_utf8_lossy(&head[..count]).lines().next().unwrap_or_default().to_owned();
            let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
            let _sent = sender.send(path.clone());
            let known = answers.iter().find(|(start, _, _)| path.starts_with(start));
            let (head, body) = known.map_or(("404 Not Found\r\ncontent-type: text/plain", "no"), |(_, head, body)| (*head, *body));
            let answer = format!("HTTP/1.1 {head}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
            let _written = stream.write_all(answer.as_bytes()).await;
        }
    });
    (address, receiver)
}

fn named(address: &str) -> FetchSettings {
    FetchSettings { pages: Pages::new([address.to_owned()]), ..FetchSettings::default() }
}

#[tokio::test]
async fn page_is_read_in_parts_and_is_its_hosts() {
    let (address, mut asked) = server(&[
        ("/long", "200 OK\r\ncontent-type: text/plain", "0123456789"),
        ("/page", "200 OK\r\ncontent-type: text/html", "<h1>Hello</h1>there"),
        ("/on", "302 Found\r\nlocation: /page", ""),
        ("/picture", "200 OK\r\ncontent-type: image/png", "x"),
    ])
    .await;
    let room = Room::with_web(Some(named(&address)), None);
    let url = |path: &str| format!("http://{address}{path}");
    let first = room.outcome("web_fetch", json!({"url": url("/long#part"), "maxChars": 4})).await;
    assert_eq!(first.text, "0123\n[characters 0 to 4 of 10; go on with offset 4]");
    assert_eq!(first.label, Label::untrusted("127.0.0.1"));
    assert_eq!(room.said("web_fetch", json!({"url": url("/long"), "offset": 4})).await, "456789");
    assert_eq!(asked.try_recv().as_deref(), Ok("/long"));
    assert!(asked.try_recv().is_err(), "it was asked twice for one page");
    assert_eq!(room.refused("web_fetch", json!({"url": url("/long"), "offset": 10})).await, "it has only 10 characters");
    assert_eq!(room.said("web_fetch", json!({"url": url("/on")})).await, format!("[sent on to {}]\n## Hello\n\nthere", url("/page")));
    assert_eq!(room.said("web_fetch", json!({"url": url("/page"), "extractMode": "text"})).await, "Hello\n\nthere");
    assert!(room.refused("web_fetch", json!({"url": url("/page"), "extractMode": "html"})).await.contains("`markdown` or `text`"));
    assert_eq!(room.refused("web_fetch", json!({"url": url("/gone")})).await, "127.0.0.1 answered 404");
    let failed = room.outcome("web_fetch", json!({"url": url("/picture")})).await;
    assert_eq!((failed.text.as_str(), failed.label), ("there is no text but image/png", Label::untrusted("127.0.0.1")));
}

#[tokio::test]
async fn what_only_this_machine_reaches_is_not_fetched() {
    let (address, mut asked) = server(&[("/", "200 OK", "secret")]).await;
    let room = Room::with_web(Some(FetchSettings::default()), None);
    let port = address.rsplit_once(':').unwrap().1;
    for url in [
        format!("http://{address}/"),
        format!("http://localhost:{port}/"),
        format!("http://0x7f.1:{port}/"),
        format!("http://[::ffff:7f00:1]:{port}/"),
    ] {
        let why = room.refused("web_fetch", json!({ "url": url })).await;
        assert!(why.contains("rule open-web-only"), "{url}: {why}");
    }
    assert!(room.refused("web_fetch", json!({"url": format!("http://a:b@{address}/")})).await.contains("name or password"));
    assert!(asked.try_recv().is_err());
}

#[tokio::test]
async fn address_that_foreign_text_brought_in_is_asked_about() {
    let (address, mut asked) = server(&[("/", "200 OK\r\ncontent-type: text/plain", "x")]).await;
    let room = Room::with_web(Some(named(&address)), None);
    let foreign = Label::untrusted("evil.example");
    let came = room.call_in(&foreign, "web_fetch", json!({"url": format!("http://{address}/?q=what-was-read")})).await;
    assert!(matches!(came, Came::Asked(_)), "{came:?}");
    assert!(asked.try_recv().is_err());
}

#[tokio::test]
async fn results_are_listed_with_addresses_that_can_be_fetched() {
    let results = r#"{"results": [
        {"title": "One\n two", "url": "https://example.com/a b#c", "content": "About   it"},
        {"title": "No address", "url": "javascript:alert(1)"},
        {"url": "https://example.org"}, {"title": "Third", "url": "https://third.example/"}]}"#;
    let (address, mut asked) = server(Box::leak(Box::new([
        ("/searx/search", "200 OK\r\ncontent-type: application/json", results),
        ("/html", "403 Forbidden", ""),
    ])))
    .await;
    let settings = |path: &str| {
        let endpoint = Url::parse(&format!("http://{address}{path}")).unwrap();
        let egress = Egress::none();
        egress.allow(&endpoint);
        SearchSettings { http: HttpClient::new(egress), endpoint, count: None, timeout: Duration::from_secs(20) }
    };
    let room = Room::with_web(None, Some(settings("/searx/")));
    let outcome = room.outcome("web_search", json!({"query": " crabs & shells ", "count": 2})).await;
    assert_eq!(outcome.text, "1. One two\nhttps://example.com/a%20b\nAbout it\n\n2. \nhttps://example.org/\n");
    assert_eq!(outcome.label, Label::untrusted("web search"));
    assert_eq!(asked.try_recv().as_deref(), Ok("/searx/search?q=crabs+%26+shells&format=json"));
    for (asked_for, sent) in [
        (json!({"freshness": "pw", "search_lang": "de", "country": "AT"}), "&language=de-AT&time_range=week"),
        (json!({"freshness": "year", "language": "pt-br", "country": "ALL"}), "&language=pt-BR&time_range=year"),
        (json!({"freshness": "", "language": "en"}), "&language=en"),
    ] {
        let mut arguments = asked_for;
        arguments["query"] = json!("x");
        room.said("web_search", arguments).await;
        assert_eq!(asked.try_recv().unwrap(), format!("/searx/search?q=x&format=json{sent}"));
    }
    for (argument, value, why) in [
        ("freshness", "2024-01-01to2024-02-01", "freshness is day, week, month or year"),
        ("language", "German", "write language as de or de-AT"),
        ("country", "US", "country goes with language"),
    ] {
        let said = room.refused("web_search", json!({ "query": "x", argument: value })).await;
        assert!(said.contains(why), "{said}");
    }
    assert!(asked.try_recv().is_err());
    // To the engine it is one more word that somebody chose.
    let question =
        room.question(&Label::untrusted("evil.example"), "web_search", json!({"query": "x", "language": "de", "freshness": "pd"})).await;
    assert!(question.lines.ends_with(&["  in the language de".to_owned(), "  of the last day".to_owned()]), "{:?}", question.lines);
    let room = Room::with_web(None, Some(settings("/html")));
    assert!(room.refused("web_search", json!({"query": "x"})).await.contains("search.formats"));
    let without = Room::new();
    assert!(without.tools.get("web_search").is_none());
}

/// A server that says what key it was asked with, or sends on to another one.
async fn echo(sends_on: Option<String>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = vec![0; 8_192];
            let count = stream.read(&mut head).await.unwrap_or(0);
            let head = String::from_utf8_lossy(&head[..count]).to_lowercase();
            let said = head.lines().find(|line| line.starts_with("authorization:")).unwrap_or("no key").to_owned();
            let answer = match &sends_on {
                Some(to) => format!("HTTP/1.1 302 Found\r\nlocation: http://{to}/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"),
                None => format!(
                    "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{said}",
                    said.len()
                ),
            };
            let _written = stream.write_all(answer.as_bytes()).await;
        }
    });
    address
}

#[tokio::test]
async fn key_is_filled_in_for_its_host_and_goes_nowhere_else() {
    let plain = echo(None).await;
    let leading = echo(Some(plain.replace("127.0.0.1", "localhost"))).await;
    let key = PageKey { hosts: vec!["127.0.0.1".to_owned()], header: "Authorization".to_owned(), value: Secret::new("Bearer sesame") };
    let near = [plain.clone(), leading.clone(), plain.replace("127.0.0.1", "localhost")];
    let keys = [("BOX".to_owned(), key)].into();
    let room = Room::with_web(Some(FetchSettings { pages: Pages::new(near), keys, ..FetchSettings::default() }), None);
    let spec = room.tools.specs().into_iter().find(|spec| spec.name == "web_fetch").unwrap();
    assert!(spec.description.contains("BOX for 127.0.0.1") && !format!("{spec:?}").contains("sesame"), "{spec:?}");

    let url = format!("http://{plain}/");
    assert_eq!(room.said("web_fetch", json!({"url": url, "secret": "BOX"})).await, "authorization: bearer sesame");
    // What came with a key is not what comes without.
    assert_eq!(room.said("web_fetch", json!({ "url": url })).await, "no key");
    let elsewhere = format!("http://{}/", plain.replace("127.0.0.1", "localhost"));
    assert!(room.refused("web_fetch", json!({"url": elsewhere, "secret": "BOX"})).await.contains("rule bound-keys"));
    assert!(room.refused("web_fetch", json!({"url": "http://1.1.1.1/", "secret": "BOX"})).await.contains("rule bound-keys"));
    assert_eq!(room.refused("web_fetch", json!({"url": url, "secret": "OTHER"})).await, "there is no key \"OTHER\"");
    let sent_on = room.outcome("web_fetch", json!({"url": format!("http://{leading}/"), "secret": "BOX"})).await;
    assert!(!sent_on.text.contains("sesame"), "{sent_on:?}");
    // Where others have a say, the owner decides.
    let tainted = Label::untrusted("evil.example");
    match room.call_in(&tainted, "web_fetch", json!({"url": url, "secret": "BOX"})).await {
        Came::Asked(action) => assert!(format!("{action:?}").contains("BOX") && !format!("{action:?}").contains("sesame")),
        other => panic!("{other:?}"),
    }
}
