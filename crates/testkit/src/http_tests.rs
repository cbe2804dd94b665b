use proptest::prelude::*;
use tokio::io::AsyncWriteExt;

use crate::http::{Request, read_request};

/// Reads all requests of `bytes`, which arrive in pieces of `size`.
fn read_all(bytes: &[u8], size: usize) -> Vec<Request> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let (mut client, mut server) = tokio::io::duplex(16);
        let pieces: Vec<Vec<u8>> = bytes.chunks(size).map(<[u8]>::to_vec).collect();
        let send = async move {
            for piece in pieces {
                client.write_all(&piece).await.unwrap();
            }
        };
        let receive = async move {
            let (mut buffer, mut requests) = (Vec::new(), Vec::new());
            while let Ok(Some(request)) = read_request(&mut server, &mut buffer).await {
                requests.push(request);
            }
            requests
        };
        tokio::join!(send, receive).1
    })
}

#[test]
fn two_requests_on_one_connection_are_not_mixed() {
    let bytes = b"POST /v1/x?a=1&b=2 HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}GET /health HTTP/1.0\r\n\r\n";
    for size in 1..=bytes.len() {
        let requests = read_all(bytes, size);
        let seen: Vec<(&str, &str, &str, &[u8], bool)> = requests
            .iter()
            .map(|request| (request.method.as_str(), request.path.as_str(), request.query.as_str(), request.body.as_slice(), request.close))
            .collect();
        assert_eq!(seen, [("POST", "/v1/x", "a=1&b=2", b"{}".as_slice(), false), ("GET", "/health", "", b"".as_slice(), true)]);
        assert_eq!(requests[0].parameter("b"), Some("2"));
    }
}

#[test]
fn a_chunked_body_is_read_whole_at_any_packet_size() {
    let bytes = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3;ext=1\r\nabc\r\nA\r\n0123456789\r\n0\r\nTrailer: t\r\n\r\n";
    for size in 1..=bytes.len() {
        let bodies: Vec<Vec<u8>> = read_all(bytes, size).into_iter().map(|request| request.body).collect();
        assert_eq!(bodies, [b"abc0123456789".to_vec()]);
    }
}

#[test]
fn a_request_that_breaks_off_is_no_request() {
    let bytes = b"POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc";
    assert!(read_all(bytes, 7).is_empty());
}

proptest! {
    #[test]
    fn garbage_does_not_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400), size in 1_usize..40) {
        read_all(&bytes, size);
    }
}
