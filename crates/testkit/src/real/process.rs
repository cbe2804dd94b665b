//! A server process: started, waited for, killed with its owner.

use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How long a server may take until its health URL answers 200.
const START_LIMIT: Duration = Duration::from_secs(120);

/// A child process with its port and log.
#[derive(Debug)]
pub(super) struct ServerProcess {
    child: Child,
    port: u16,
    log: PathBuf,
}

impl ServerProcess {
    /// Starts `command`, output into a log file in the system's temporary directory.
    pub(super) fn start(mut command: Command, name: &str, port: u16) -> io::Result<Self> {
        let log = std::env::temp_dir().join(format!("krabba-{name}-{}-{port}.log", std::process::id()));
        let file = File::create(&log)?;
        let child = command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file).spawn()?;
        Ok(Self { child, port, log })
    }

    /// The loopback port.
    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// The process id.
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until `GET path` answers 200.
    pub(super) async fn wait_for(&mut self, path: &str) -> io::Result<()> {
        self.wait_until(path, |status| status == 200).await
    }

    /// Waits until `GET path` answers at all.
    pub(super) async fn wait_until_it_answers(&mut self, path: &str) -> io::Result<()> {
        self.wait_until(path, |_| true).await
    }

    async fn wait_until(&mut self, path: &str, ready: impl Fn(u16) -> bool) -> io::Result<()> {
        let deadline = tokio::time::Instant::now() + START_LIMIT;
        loop {
            if self.status(path).await.is_some_and(&ready) {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                return Err(self.failure(&format!("ended at its start ({status})")));
            }
            if tokio::time::Instant::now() > deadline {
                return Err(self.failure("did not become ready"));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The HTTP status of `GET path`; `None` while nobody listens.
    pub(super) async fn status(&self, path: &str) -> Option<u16> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        let mut stream = TcpStream::connect(address).await.ok()?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.ok()?;
        String::from_utf8_lossy(&answer).split_whitespace().nth(1)?.parse().ok()
    }

    /// Kills the process and waits for its end: connections are cut where they are.
    pub(super) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    fn failure(&self, what: &str) -> io::Error {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().rev().take(15).collect();
        let tail: Vec<&str> = lines.into_iter().rev().collect();
        io::Error::other(format!("the server on port {} {what}:\n{}", self.port, tail.join("\n")))
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        self.kill();
        let _ = std::fs::remove_file(&self.log);
    }
}

/// A port that was free a moment ago.
pub(super) fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// A file in the cache of `cargo xtask test`, or an error that says how to make it.
pub(super) fn cached(name: &Path) -> io::Result<PathBuf> {
    let cache = if let Some(path) = std::env::var_os("KRABBA_TEST_CACHE") {
        PathBuf::from(path)
    } else if let Some(path) = std::env::var_os("XDG_CACHE_HOME") {
        PathBuf::from(path).join("krabba-test")
    } else {
        PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache/krabba-test")
    };
    let path = cache.join(name);
    if path.exists() {
        return Ok(path);
    }
    Err(io::Error::new(io::ErrorKind::NotFound, format!("{} is missing; `cargo xtask servers` makes it", path.display())))
}
