//! The bare client: a socket, a request that was written beforehand, and just enough eyes to see tokens go by in the chunks
//! of this one server. Nobody can be faster; it checks nothing and would survive no real server.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The first argument of the process.
pub(crate) const ROLE: &str = "bare";

/// What stands before the text of a delta that has some.
const DELTA: &[u8] = b"\"content\":\"";
/// The last chunk of a chunked body.
const LAST_CHUNK: &[u8] = b"\r\n0\r\n\r\n";

/// A connection that is kept.
pub(crate) struct Bare {
    stream: TcpStream,
    seen: Vec<u8>,
}

impl Bare {
    /// Connects.
    pub(crate) async fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, seen: Vec::with_capacity(64 * 1024) })
    }

    /// Asks `model`, and gives the time from the beginning to each token.
    pub(crate) async fn ask(&mut self, model: &str) -> Result<Vec<Duration>> {
        let started = Instant::now();
        self.stream.write_all(request(model).as_bytes()).await?;
        self.seen.clear();
        let (mut tokens, mut looked_at) = (Vec::new(), 0);
        loop {
            if self.stream.read_buf(&mut self.seen).await? == 0 {
                bail!("the server closed the connection");
            }
            let now = started.elapsed();
            let (count, upto) = tokens_in(&self.seen, looked_at);
            looked_at = upto;
            tokens.extend(std::iter::repeat_n(now, count));
            if self.seen.ends_with(LAST_CHUNK) {
                return Ok(tokens);
            }
        }
    }
}

/// The role: asks the one-word model once, over a plain socket, and prints what came.
pub(crate) fn ask_once(address: &str) -> Result<()> {
    let mut stream = std::net::TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.write_all(request(crate::server::ONE_WORD).as_bytes())?;
    let (mut seen, mut piece) = (Vec::new(), [0; 4096]);
    while !seen.ends_with(LAST_CHUNK) {
        match stream.read(&mut piece)? {
            0 => bail!("the server closed the connection"),
            read => seen.extend(piece.iter().take(read)),
        }
    }
    println!("{}", tokens_in(&seen, 0).0);
    Ok(())
}

/// A chat completion that asks for what krabba asks for.
fn request(model: &str) -> String {
    let body = format!(
        r#"{{"model":"{model}","messages":[{{"role":"user","content":"hi"}}],"max_tokens":100,"stream":true,"stream_options":{{"include_usage":true}}}}"#
    );
    format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// The tokens from `start` on, and up to where has been looked. Each event comes in one write, so that none is cut.
fn tokens_in(seen: &[u8], start: usize) -> (usize, usize) {
    let new = seen.get(start..).unwrap_or_default();
    let tokens = new.split(|byte| *byte == b'\n').filter(|line| {
        let content = line.windows(DELTA.len()).position(|window| window == DELTA);
        content.is_some_and(|at| line.get(at + DELTA.len()) != Some(&b'"'))
    });
    (tokens.count(), seen.len())
}
