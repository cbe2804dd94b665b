use url::Url;

use crate::pages::{Leads, addresses};
use crate::test_server::TestServer;
use crate::{PageError, PageExtent, Pages};

const LIMIT: usize = 1_000;

fn check(pages: &Pages, url: &str) -> Result<(), PageError> {
    pages.check(&Url::parse(url).unwrap())
}

#[test]
fn no_spelling_of_a_near_place_is_fetched() {
    for url in [
        "http://127.0.0.1/",
        "http://127.1/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0x7f.0.0.1:80/",
        "http://0177.0.0.1/",
        "http://0/",
        "http://localhost/",
        "http://LOCALHOST./",
        "http://a.localhost/",
        "http://[::1]/",
        "http://[::]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:a9fe:a9fe]/",
        "http://[64:ff9b::7f00:1]/",
        "http://[fe80::1]/",
        "http://[fd00::1]/",
        "http://169.254.169.254/latest/meta-data/",
        "http://192.168.0.1/",
        "http://10.0.0.1/",
        "http://100.100.100.200/",
        "http://１２７.０.０.１/",
        "http://127。0。0。1/",
        "http://router/",
        "http://nas.lan/",
        "http://metadata.google.internal/",
    ] {
        assert!(matches!(check(&Pages::default(), url), Err(PageError::Near { .. })), "{url}");
    }
    for url in ["file:///etc/passwd", "ftp://example.com/", "gopher://example.com/", "data:text/plain,x", "unix:/run/x"] {
        assert!(matches!(check(&Pages::default(), url), Err(PageError::Scheme)), "{url}");
    }
    for url in ["http://a@example.com/", "https://:b@example.com/", "http://example.com:80@127.0.0.1/"] {
        assert!(matches!(check(&Pages::default(), url), Err(PageError::Credentials)), "{url}");
    }
    for url in ["https://example.com/", "http://8.8.8.8/", "http://[2606:4700::1111]/", "https://example.com:8443/a?b#c"] {
        assert!(check(&Pages::default(), url).is_ok(), "{url}");
    }
}

#[test]
fn exception_is_for_the_host_and_port_that_were_named() {
    let pages = Pages::new(["NAS.lan".to_owned(), "127.0.0.1:8080".to_owned()]);
    for (url, fetched) in [
        ("http://nas.lan/", true),
        ("https://nas.lan:9/", true),
        ("http://127.0.0.1:8080/", true),
        ("http://0x7f.1:8080/", true),
        ("http://127.0.0.1/", false),
        ("http://localhost:8080/", false),
        ("http://a.nas.lan/", false),
        ("http://nas.lan.local/", false),
    ] {
        assert_eq!(check(&pages, url).is_ok(), fetched, "{url}");
    }
}

#[tokio::test]
async fn name_that_leads_home_is_not_connected_to() {
    let server = TestServer::start().await;
    // Names of this machine's hosts file and resolver, whatever they lead to, lead to nothing of the open internet.
    let host = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
    for name in ["ip6-localhost.", "localhost.localdomain.", host.trim()] {
        let url = format!("http://{name}:{}/", server.address.port());
        let Ok(url) = Url::parse(&url) else { continue };
        assert!(Pages::default().get(&url, None, LIMIT).await.is_err(), "{name}");
    }
    assert!(addresses("localhost", Leads::Out).await.is_err());
}

#[tokio::test]
async fn exception_for_a_port_is_none_for_another_one_when_the_name_is_resolved() {
    // A name that looks as if it led out, and leads home for those who ask at home.
    let pages = Pages::new(["nas.example.com:8080".to_owned(), "nas.example.org".to_owned()]);
    for (url, leads) in [
        ("http://nas.example.com:8080/", Leads::Anywhere),
        ("http://NAS.example.com.:8080/", Leads::Anywhere),
        ("http://nas.example.com:22/", Leads::Out),
        ("http://nas.example.com/", Leads::Out),
        ("http://nas.example.org:22/", Leads::Anywhere),
        ("http://example.com/", Leads::Out),
    ] {
        assert!(check(&pages, url).is_ok(), "{url}");
        assert_eq!(pages.leads(&Url::parse(url).unwrap()), leads, "{url}");
    }
    assert!(addresses("localhost", Leads::Anywhere).await.is_ok());
}

#[tokio::test]
async fn page_is_got_to_its_limit_and_redirects_are_judged() {
    let (server, other) = (TestServer::start().await, TestServer::start().await);
    let named = |server: &TestServer| format!("127.0.0.1:{}", server.address.port());
    let pages = Pages::new([named(&server), named(&other)]);
    let answers = async |answer: String, path: &str| {
        let url = server.url(path);
        let serve = async {
            let mut connection = server.accept().await;
            let request = connection.request().await;
            connection.try_write(&answer).await;
            drop(connection);
            request
        };
        tokio::join!(pages.get(&url, None, LIMIT), serve)
    };
    let (page, request) =
        answers("HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 2000\r\n\r\n".to_owned() + &"x".repeat(2_000), "/long")
            .await;
    let page = page.unwrap();
    assert_eq!(
        (page.body.len(), page.extent, page.status, page.content_type.as_deref()),
        (LIMIT, PageExtent::Beginning, 200, Some("text/plain"))
    );
    assert!(!request.to_lowercase().contains("cookie") && !request.to_lowercase().contains("referer"), "{request}");
    // To another place that the owner named, to this machine by another name, and out of the web.
    for location in
        [other.url("/").to_string(), "http://localhost/".to_owned(), "file:///etc/passwd".to_owned(), "http://a:b@127.0.0.1/".to_owned()]
    {
        let (page, _) = answers(format!("HTTP/1.1 302 Found\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n"), "/").await;
        let error = page.unwrap_err();
        assert!(matches!(error, PageError::Near { .. } | PageError::Scheme | PageError::Credentials), "{location}: {error}");
    }
}
