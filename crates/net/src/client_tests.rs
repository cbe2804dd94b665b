use std::time::Duration;

use bytes::Bytes;
use futures_util::{FutureExt, StreamExt};
use krabba_types::Secret;
use url::Url;

use crate::client::Transport;
use crate::test_server::{TestServer, within};
use crate::{ConnectFailure, Egress, Frame, Framing, HttpClient, HttpRequest, NetError, Reuse};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";

fn post(url: Url) -> HttpRequest {
    HttpRequest::post_json(url, Bytes::from_static(b"{\"a\":1}"))
}

#[tokio::test]
async fn a_body_is_sent_with_its_length_and_never_in_chunks() {
    let server = TestServer::start().await;
    let sending = tokio::spawn({
        let (client, url) = (server.client(), server.url("/v1/x"));
        async move { client.send(post(url).header("x-api-key", Secret::new("k"))).await.unwrap().status }
    });
    let mut connection = server.accept().await;
    let request = within(connection.request()).await;
    connection.write("HTTP/1.1 204 No Content\r\n\r\n").await;

    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    let mut lines: Vec<&str> = head.lines().collect();
    lines[1..].sort_unstable();
    let host = format!("host: {}", server.address);
    let agent = concat!("user-agent: krabba/", env!("CARGO_PKG_VERSION"));
    let expected = [
        "POST /v1/x HTTP/1.1",
        "accept-encoding: identity",
        "accept: */*",
        "content-length: 7",
        "content-type: application/json",
        &host,
        agent,
        "x-api-key: k",
    ];
    assert_eq!((lines.as_slice(), body), (expected.as_slice(), "{\"a\":1}"));
    assert_eq!(within(sending).await.unwrap(), 204);
}

#[tokio::test]
async fn dropping_the_body_closes_the_connection() {
    let server = TestServer::start().await;
    let client = server.client();
    let (response, mut connection) = tokio::join!(client.send(post(server.url("/"))), async {
        let mut connection = server.accept().await;
        connection.request().await;
        connection.write(format!("{OK}b\r\ndata: one\n\n\r\n")).await;
        connection
    });
    let mut frames = response.unwrap().frames(Framing::Sse);
    let first = within(frames.next()).await.unwrap().unwrap();
    assert_eq!(first, Frame::Event { event: None, data: "one".to_owned() });
    drop(frames);
    within(connection.closed()).await;
}

#[tokio::test]
async fn dropping_a_request_without_answer_closes_the_connection() {
    let server = TestServer::start().await;
    let client = server.client();
    let mut sending = Box::pin(client.send(post(server.url("/"))));
    let mut connection = tokio::select! {
        _ = &mut sending => panic!("nobody answered"),
        connection = async {
            let mut connection = server.accept().await;
            connection.request().await;
            connection
        } => connection,
    };
    drop(sending);
    within(connection.closed()).await;
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let server = TestServer::start().await;
    let client = server.client();
    let (response, _connection) = tokio::join!(client.send(post(server.url("/"))), async {
        let mut connection = server.accept().await;
        connection.request().await;
        connection.write("HTTP/1.1 307 Temporary Redirect\r\nlocation: http://127.0.0.1:9/\r\ncontent-length: 0\r\n\r\n").await;
        connection
    });
    let response = response.unwrap();
    assert_eq!((response.status, response.header("location")), (307, Some("http://127.0.0.1:9/")));
}

#[tokio::test]
async fn a_place_outside_of_the_configuration_is_not_contacted() {
    let server = TestServer::start().await;
    let client = HttpClient::new(Egress::none());
    let error = client.send(post(server.url("/v1?key=abc"))).await.unwrap_err();
    let text = format!("http://{}/v1 was not contacted: it is not an endpoint of the configuration", server.address);
    assert_eq!(error.to_string(), text);
    assert!(matches!(error, NetError::Refused { .. }));
}

#[tokio::test]
async fn an_idle_connection_that_the_server_closed_does_not_fail_the_next_request() {
    let server = TestServer::start().await;
    let client = server.client();
    for round in 0..4 {
        let (response, connection) = tokio::join!(client.send(post(server.url("/"))), async {
            let mut connection = within(server.accept()).await;
            connection.request().await;
            connection.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
            connection
        });
        let body = response.unwrap_or_else(|error| panic!("round {round}: {error}")).bytes(10).await.unwrap();
        assert_eq!(body, "ok");
        // The client has pooled the connection; the server closes it. Sleeping lets the client's side see that.
        drop(connection);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Whether the second request was read, nothing tells.
async fn answer_one_and_end_under_the_next(server: &TestServer) {
    let mut kept = server.accept().await;
    kept.request().await;
    kept.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi").await;
    kept.request().await;
}

#[tokio::test]
async fn a_kept_connection_that_ends_under_a_request_is_no_failure_of_it() {
    let server = TestServer::start().await;
    let client = server.client();
    let serve = async {
        answer_one_and_end_under_the_next(&server).await;
        let mut second = server.accept().await;
        second.request().await;
        second.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nho").await;
    };
    let ask = async {
        let one = client.send(post(server.url("/"))).await.unwrap().bytes(10).await.unwrap();
        let two = client.send(post(server.url("/")).repeatable()).await.unwrap().bytes(10).await.unwrap();
        (one, two)
    };
    let (_, (one, two)) = tokio::join!(serve, ask);
    assert_eq!((&one[..], &two[..]), (&b"hi"[..], &b"ho"[..]));
}

#[tokio::test]
async fn what_may_have_done_something_is_not_sent_twice() {
    let server = TestServer::start().await;
    let client = server.client();
    let serve = async {
        answer_one_and_end_under_the_next(&server).await;
        tokio::time::timeout(std::time::Duration::from_millis(200), server.accept()).await.is_err()
    };
    let ask = async {
        client.send(post(server.url("/"))).await.unwrap().bytes(10).await.unwrap();
        client.send(post(server.url("/"))).await
    };
    let (alone, asked) = tokio::join!(serve, ask);
    assert!(matches!(asked, Err(NetError::Reset { .. })), "{asked:?}");
    assert!(alone, "it was sent again");
}

#[tokio::test]
async fn a_new_connection_that_ends_under_a_request_is_reported_and_nothing_is_sent_twice() {
    let server = TestServer::start().await;
    let client = server.client();
    let serve = async {
        server.accept().await.request().await;
        tokio::time::timeout(std::time::Duration::from_millis(200), server.accept()).await.is_err()
    };
    let (alone, asked) = tokio::join!(serve, client.send(post(server.url("/"))));
    assert!(matches!(asked, Err(NetError::Reset { .. })), "{asked:?}");
    assert!(alone, "it was sent again");
}

#[tokio::test]
async fn an_idle_connection_is_used_again_and_a_fresh_one_is_not() {
    let server = TestServer::start().await;
    let client = server.client();
    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    let (response, mut connection) = tokio::join!(client.send(post(server.url("/"))), async {
        let mut connection = server.accept().await;
        connection.request().await;
        connection.write(answer).await;
        connection
    });
    response.unwrap().bytes(10).await.unwrap();

    let again = async { client.send(post(server.url("/"))).await.unwrap().bytes(10).await.unwrap() };
    let (body, ()) = within(async {
        tokio::join!(again, async {
            connection.request().await;
            connection.write(answer).await;
        })
    })
    .await;
    assert_eq!(body, "ok");

    let fresh = async { client.send(post(server.url("/")).reuse(Reuse::Fresh)).await.unwrap().bytes(10).await.unwrap() };
    let (body, mut own) = within(async {
        tokio::join!(fresh, async {
            let mut connection = server.accept().await;
            connection.request().await;
            connection.write(answer).await;
            connection
        })
    })
    .await;
    assert_eq!(body, "ok");
    within(own.closed()).await;
}

#[tokio::test]
async fn a_hang_up_before_the_answer_is_a_reset_and_is_sent_once() {
    for hang_up in ["FIN", "RST"] {
        let server = TestServer::start().await;
        let client = server.client();
        let (response, ()) = within(async {
            tokio::join!(client.send(post(server.url("/"))), async {
                let mut connection = server.accept().await;
                connection.request().await;
                match hang_up {
                    "FIN" => drop(connection),
                    _ => connection.reset(),
                }
            })
        })
        .await;
        let error = response.unwrap_err();
        assert!(matches!(error, NetError::Reset { .. }), "{hang_up}: {error:?}");
        assert!(error.before_headers() && !error.is_connect());
        // A repetition would have been waited for: its connection would be here already.
        tokio::task::yield_now().await;
        assert!(server.accept().now_or_never().is_none(), "the request was repeated");
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_is_cut() {
    let server = TestServer::start().await;
    let client = server.client();
    let (response, ()) = tokio::join!(client.send(post(server.url("/"))), async {
        let mut connection = server.accept().await;
        connection.request().await;
        connection.write(format!("{OK}10\r\ndata: one\n\ndata: \r\n")).await;
    });
    let frames: Vec<_> = within(response.unwrap().frames(Framing::Sse).collect()).await;
    assert_eq!(frames.len(), 2);
    assert_eq!(frames[0].as_ref().unwrap(), &Frame::Event { event: None, data: "one".to_owned() });
    assert!(matches!(frames[1], Err(NetError::Cut { .. })));
}

#[tokio::test]
async fn nobody_listening_is_refused() {
    let server = TestServer::start().await;
    let (client, url) = (server.client(), server.url("/"));
    drop(server);
    let error = client.send(post(url)).await.unwrap_err();
    assert!(matches!(error, NetError::Connect { failure: ConnectFailure::Refused, .. }), "{error:?}");
    assert!(error.is_connect() && error.before_headers());
}

#[tokio::test]
async fn a_name_without_address_is_a_dns_failure() {
    let url = Url::parse("http://nobody.invalid:1234/v1").unwrap();
    let egress = Egress::none();
    egress.allow(&url);
    let error = within(HttpClient::new(egress).send(post(url))).await.unwrap_err();
    assert!(matches!(&error, NetError::Dns { host, .. } if host == "nobody.invalid"), "{error:?}");
}

#[tokio::test]
async fn localhost_finds_a_server_on_either_loopback_address() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        // A machine without IPv6 has nothing to find there.
        let Ok(server) = TestServer::at(address).await else { continue };
        let url = Url::parse(&format!("http://localhost:{}/", server.address.port())).unwrap();
        let client = server.client();
        let (response, _connection) = within(async {
            tokio::join!(client.send(HttpRequest::get(url)), async {
                let mut connection = server.accept().await;
                connection.request().await;
                connection.write("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
                connection
            })
        })
        .await;
        assert_eq!(response.unwrap().status, 200, "{address}");
    }
}

#[tokio::test]
async fn https_to_a_plain_server_says_so() {
    let server = TestServer::start().await;
    let url = Url::parse(&format!("https://{}/", server.address)).unwrap();
    let client = server.client();
    client.egress().allow(&url);
    let (response, ()) = within(async {
        tokio::join!(client.send(post(url)), async {
            let mut connection = server.accept().await;
            connection.write("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").await;
            connection.closed().await;
        })
    })
    .await;
    let expected =
        format!("no secure connection to https://{}/: the server does not speak TLS there; is it http instead of https?", server.address);
    assert_eq!(response.unwrap_err().to_string(), expected);
}

#[tokio::test]
async fn a_peer_that_never_finishes_the_handshake_is_a_connect_timeout() {
    let server = TestServer::start().await;
    let url = Url::parse(&format!("https://{}/", server.address)).unwrap();
    let client = server.client();
    client.egress().allow(&url);
    let request = post(url).connect_timeout(Duration::from_millis(50));
    let (response, _connection) = within(async { tokio::join!(client.send(request), server.accept()) }).await;
    assert!(matches!(response.unwrap_err(), NetError::ConnectTimeout { .. }));
}

#[tokio::test]
async fn something_that_is_not_http_is_named() {
    let server = TestServer::start().await;
    let client = server.client();
    let (response, _connection) = tokio::join!(client.send(post(server.url("/"))), async {
        let mut connection = server.accept().await;
        connection.request().await;
        connection.write("SSH-2.0-OpenSSH_9.9\r\n\r\n").await;
        connection
    });
    let error = response.unwrap_err();
    assert!(matches!(error, NetError::NotHttp { .. }), "{error:?}");
}

#[tokio::test]
async fn endless_headers_are_bounded() {
    let many = format!("HTTP/1.1 200 OK\r\n{}", "x: y\r\n".repeat(1000));
    let long = format!("HTTP/1.1 200 OK\r\nx: {}", "y".repeat(2_000_000));
    for head in [many, long] {
        let server = TestServer::start().await;
        let client = server.client();
        let send = client.send(post(server.url("/")));
        let serve = async {
            let mut connection = server.accept().await;
            connection.request().await;
            connection.try_write(&head).await;
            connection.closed().await;
        };
        let (response, ()) = within(async { tokio::join!(send, serve) }).await;
        let error = response.unwrap_err();
        assert!(matches!(error, NetError::TooLarge { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn a_body_beyond_its_limit_is_refused_and_read_no_further() {
    let server = TestServer::start().await;
    let client = server.client();
    let (response, mut connection) = tokio::join!(client.send(HttpRequest::get(server.url("/"))), async {
        let mut connection = server.accept().await;
        connection.request().await;
        connection.write("HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n0123456789").await;
        connection
    });
    let error = response.unwrap().bytes(9).await.unwrap_err();
    assert!(matches!(error, NetError::TooLarge { limit: 9, .. }), "{error:?}");
    within(connection.closed()).await;
}

#[tokio::test]
async fn a_compressed_bomb_is_measured_after_decompression() {
    // 100,000 zero bytes, compressed by gzip to 133.
    let bomb = gzip_of_zeros();
    let server = TestServer::start().await;
    let client = server.client();
    let (response, _connection) = tokio::join!(client.send(HttpRequest::get(server.url("/"))), async {
        let mut connection = server.accept().await;
        connection.request().await;
        connection.write(format!("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n", bomb.len())).await;
        connection.write(&bomb).await;
        connection
    });
    let error = response.unwrap().bytes(99_999).await.unwrap_err();
    assert!(matches!(error, NetError::TooLarge { limit: 99_999, .. }), "{error:?}");
}

#[tokio::test]
async fn a_secret_with_a_line_break_is_refused_without_being_shown() {
    let server = TestServer::start().await;
    let request = post(server.url("/")).header("authorization", Secret::new("Bearer abc\ndef"));
    let error = server.client().send(request).await.unwrap_err();
    let expected = format!(
        "the request to http://{}/ cannot be sent: the value of header authorization has a line break or another character that HTTP does not allow",
        server.address
    );
    assert_eq!(error.to_string(), expected);
}

#[test]
fn a_request_does_not_show_its_secrets() {
    let url = Url::parse("http://user:hunter2@box:1/v1?key=hunter3").unwrap();
    let shown = format!("{:?}", post(url).header("authorization", Secret::new("hunter4")));
    assert!(!shown.contains("hunter"), "{shown}");
}

#[test]
fn the_system_proxy_is_for_hosted_services_alone() {
    let cases = [
        ("http://localhost:1234", Transport::Plain),
        ("http://api.example.com", Transport::Plain),
        ("https://localhost", Transport::Tls),
        ("https://192.168.1.5", Transport::Tls),
        ("https://gpubox.local", Transport::Tls),
        ("https://api.example.com", Transport::TlsByProxy),
    ];
    for (url, transport) in cases {
        assert_eq!(Transport::of(&Url::parse(url).unwrap()), transport, "{url}");
    }
}

#[tokio::test]
async fn what_was_peeked_at_stays_in_the_body() {
    let server = TestServer::start().await;
    let client = server.client();
    let (response, _connection) = tokio::join!(client.send(HttpRequest::get(server.url("/"))), async {
        let mut connection = server.accept().await;
        connection.request().await;
        connection.write("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nbody").await;
        connection
    });
    let mut response = response.unwrap();
    assert!(!response.peek().await.unwrap().is_empty());
    assert_eq!(response.bytes(10).await.unwrap(), "body");
}

fn gzip_of_zeros() -> Vec<u8> {
    // A stored header, then fixed-Huffman deflate: one literal zero and repeats of 258 at distance 1, written bit by bit.
    let mut bits = Bits::default();
    bits.put(1, 1);
    bits.put(1, 2);
    bits.put_reversed(0x30, 8);
    for _ in 0..388 {
        bits.put_reversed(0b1100_0101, 8);
        bits.put_reversed(0, 5);
    }
    bits.put_reversed(0, 7);
    let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    out.extend(bits.bytes);
    out.extend([0; 8]);
    out
}

#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    used: u32,
}

impl Bits {
    fn put(&mut self, value: u32, count: u32) {
        for bit in 0..count {
            if self.used.is_multiple_of(8) {
                self.bytes.push(0);
            }
            *self.bytes.last_mut().unwrap() |= u8::try_from((value >> bit) & 1).unwrap() << (self.used % 8);
            self.used += 1;
        }
    }

    fn put_reversed(&mut self, value: u32, count: u32) {
        for bit in (0..count).rev() {
            self.put((value >> bit) & 1, 1);
        }
    }
}
