//! A TCP server for tests that does exactly what it is told and nothing that HTTP would have it do.

use std::net::SocketAddr;
use std::time::Duration;

use krabba_net::{Egress, HttpClient, Url};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

pub(crate) struct TestServer {
    listener: TcpListener,
    address: SocketAddr,
}

pub(crate) struct Connection {
    stream: TcpStream,
}

impl TestServer {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        Self { listener, address }
    }

    pub(crate) fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    pub(crate) fn client(&self) -> HttpClient {
        let egress = Egress::none();
        egress.allow(&Url::parse(&self.base_url()).unwrap());
        HttpClient::new(egress)
    }

    pub(crate) async fn accept(&self) -> Connection {
        Connection { stream: self.listener.accept().await.unwrap().0 }
    }
}

impl Connection {
    /// Reads one whole request, head and body, as text.
    pub(crate) async fn request(&mut self) -> String {
        let mut bytes = Vec::new();
        loop {
            let mut buffer = [0u8; 4096];
            let count = self.stream.read(&mut buffer).await.unwrap();
            assert_ne!(count, 0, "the client closed before its request was complete");
            bytes.extend_from_slice(&buffer[..count]);
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            let length =
                head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:").map(|n| n.trim().to_owned()));
            if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                return text;
            }
        }
    }

    pub(crate) async fn write(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    /// Writes without end, until the client closes.
    pub(crate) async fn flood(&mut self) {
        let block = vec![b'x'; 64 * 1024];
        while self.stream.write_all(&block).await.is_ok() {}
    }

    /// Waits until the client has closed its side. A reset counts.
    pub(crate) async fn closed(&mut self) {
        let mut buffer = [0u8; 1024];
        while !matches!(self.stream.read(&mut buffer).await, Ok(0) | Err(_)) {}
    }
}

/// Runs `test` and gives up after a time that no working test needs.
pub(crate) async fn within<T>(test: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), test).await.expect("the test hangs")
}
