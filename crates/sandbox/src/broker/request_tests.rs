use super::request::{Head, Request};

fn understand(text: &str) -> Result<Request, &'static str> {
    Head::parse(text.as_bytes()).and_then(Head::understand)
}

#[test]
fn the_server_gets_the_host_that_was_looked_at() {
    let request =
        understand("GET http://A.example:8080/x?y HTTP/1.1\r\nHost: other.example\r\nProxy-Authorization: x\r\nAccept: */*\r\n\r\n");
    assert_eq!(
        request,
        Ok(Request {
            host: "a.example".to_owned(),
            port: 8080,
            forward: Some("GET /x?y HTTP/1.1\r\nHost: A.example:8080\r\nAccept: */*\r\nConnection: close\r\n\r\n".to_owned()),
        })
    );
    assert_eq!(
        understand("CONNECT a.example.:443 HTTP/1.1\r\nHost: b.example\r\n\r\n"),
        Ok(Request { host: "a.example".to_owned(), port: 443, forward: None })
    );
    assert_eq!(understand("GET http://a.example HTTP/1.1\r\n\r\n").map(|request| request.port), Ok(80));
}

#[test]
fn a_request_that_two_programs_read_differently_is_refused() {
    for text in [
        "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n",
        "GET https://a.example/ HTTP/1.1\r\n\r\n",
        "GET http://user@a.example/ HTTP/1.1\r\n\r\n",
        "GET http://a.example\\@b.example/ HTTP/1.1\r\n\r\n",
        "GET http://a.example HTTP/1.1 x\r\n\r\n",
        "CONNECT a.example HTTP/1.1\r\n\r\n",
        "CONNECT a.example:443@b.example:443 HTTP/1.1\r\n\r\n",
        "CONNECT a.example:443 HTTP/2\r\n\r\n",
        "GET http://a.example/ HTTP/1.1\r\nA: b\r\n c\r\n\r\n",
        "GET http://a.example/ HTTP/1.1\r\nA: b\nHost: c\r\n\r\n",
        "GET http://a.example/ HTTP/1.1\r\nno field\r\n\r\n",
        "\r\n\r\n",
    ] {
        assert!(understand(text).is_err(), "{text}");
    }
}
