//! The only way out of a sandbox: a proxy for the hosts that were named, and no other.
//!
//! The port is inside, the one who listens is outside: the inside opens the socket in its empty network and hands it to krabba,
//! which accepts there and connects here. It takes `CONNECT host:port` and absolute `http://` URLs, resolves the name itself,
//! connects to an address that it has looked at, and counts every byte. An address that is not of the open internet is refused,
//! unless the host was granted as that address or as `localhost`; no name of somebody else's can lead to this machine.
//!
//! What goes out in plain HTTP is looked through for decoys, and ends its command where one is in it. What goes through a tunnel is
//! between the two ends.

mod alarm;
mod granted;
mod request;

#[cfg(test)]
mod alarm_tests;
#[cfg(test)]
mod granted_tests;
#[cfg(test)]
mod request_tests;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;

pub(crate) use alarm::Alarm;
use alarm::Watch;
pub(crate) use granted::Granted;
pub use granted::host;
use request::{Head, Request};

/// The port inside.
pub(crate) const PORT: u16 = 3128;

/// The longest head of a request, in bytes.
const LONGEST_HEAD: usize = 16 * 1024;

/// Connections at the same time.
const CONNECTIONS: usize = 64;

/// So many refused hosts are remembered.
const REMEMBERED: usize = 8;

const PATIENCE: Duration = Duration::from_secs(15);

/// Ends with what it serves.
#[derive(Debug)]
pub(crate) struct Broker {
    task: JoinHandle<()>,
    traffic: Arc<Traffic>,
}

impl Broker {
    /// Serves `listener` until dropped.
    pub(crate) fn start(listener: TcpListener, granted: Vec<Granted>, most: u64, alarm: Option<Alarm>) -> Self {
        let traffic = Arc::new(Traffic { bytes: AtomicU64::new(0), most, refused: Mutex::default(), alarm });
        let task = tokio::spawn(serve(listener, granted.into(), traffic.clone()));
        Self { task, traffic }
    }

    /// Bytes that went through so far, both ways.
    pub(crate) fn bytes(&self) -> u64 {
        self.traffic.bytes.load(Ordering::Relaxed)
    }

    /// Whether a decoy was about to leave.
    pub(crate) fn alarmed(&self) -> bool {
        self.traffic.alarm.as_ref().is_some_and(Alarm::rang)
    }

    /// Where somebody wanted to go who was not let.
    pub(crate) fn refused(&self) -> Vec<String> {
        self.traffic.refused.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Debug)]
struct Traffic {
    bytes: AtomicU64,
    most: u64,
    refused: Mutex<BTreeSet<String>>,
    alarm: Option<Alarm>,
}

impl Traffic {
    /// Counts; false when it is too much.
    fn add(&self, bytes: usize) -> bool {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.bytes.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes) <= self.most
    }

    fn refuse(&self, place: &str) {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        if refused.len() < REMEMBERED {
            refused.insert(place.to_owned());
        }
    }
}

async fn serve(listener: TcpListener, granted: Arc<[Granted]>, traffic: Arc<Traffic>) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    while let Ok(permit) = room.clone().acquire_owned().await {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((client, _)) = accepted else { return };
                let (granted, traffic) = (granted.clone(), traffic.clone());
                connections.spawn(async move {
                    connection(client, &granted, &traffic).await;
                    drop(permit);
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(mut client: TcpStream, granted: &[Granted], traffic: &Traffic) {
    let Ok(Some((head, rest))) = timeout(PATIENCE, head(&mut client)).await else { return };
    let answer = match open(&head, granted, traffic).await {
        Ok((server, request)) => return relay(client, server, &request, &rest, traffic).await,
        Err(refusal) => refusal,
    };
    let body = format!("krabba: {}\n", answer.1);
    let text =
        format!("HTTP/1.1 {}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", answer.0, body.len());
    let _ = client.write_all(text.as_bytes()).await;
    let _ = client.shutdown().await;
}

/// Reads until the empty line; what came after it goes on as it is.
async fn head(client: &mut TcpStream) -> Option<(Vec<u8>, Vec<u8>)> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let rest = bytes.split_off(end + 4);
            return Some((bytes, rest));
        }
        if bytes.len() > LONGEST_HEAD || client.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}

/// A status line's end, and what is told.
type Refusal = (&'static str, String);

async fn open(head: &[u8], granted: &[Granted], traffic: &Traffic) -> Result<(TcpStream, Request), Refusal> {
    let request = Head::parse(head).and_then(Head::understand).map_err(|why| ("400 Bad Request", why.to_owned()))?;
    let (host, port) = (&request.host, request.port);
    let Some(grant) = granted.iter().find(|granted| granted.allows(host, port)) else {
        traffic.refuse(&if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") });
        return Err(("403 Forbidden", format!("{host}:{port} is not one of the hosts that this command may reach")));
    };
    let unreachable = |why: String| ("502 Bad Gateway", format!("{host}:{port}: {why}"));
    let found = timeout(PATIENCE, tokio::net::lookup_host((host.as_str(), port))).await;
    let found =
        found.map_err(|_| unreachable("its name was not resolved in time".to_owned()))?.map_err(|error| unreachable(error.to_string()))?;
    let addresses: Vec<SocketAddr> = found.filter(|address| grant.permits(address.ip())).collect();
    if addresses.is_empty() {
        return Err(("403 Forbidden", format!("{host} has no address on the open internet")));
    }
    let server = timeout(PATIENCE, TcpStream::connect(addresses.as_slice())).await;
    let server = server.map_err(|_| unreachable("it does not answer".to_owned()))?.map_err(|error| unreachable(error.to_string()))?;
    Ok((server, request))
}

async fn relay(mut client: TcpStream, mut server: TcpStream, request: &Request, rest: &[u8], traffic: &Traffic) {
    let mut watch = request.forward.as_ref().and(traffic.alarm.as_ref()).map(Watch::new);
    let mut passes = |bytes: &[u8]| watch.as_mut().is_none_or(|watch| watch.passes(bytes));
    if !request.forward.iter().all(|head| passes(head.as_bytes())) || !passes(rest) {
        return;
    }
    let begun = match &request.forward {
        Some(head) => server.write_all(head.as_bytes()).await,
        None => client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await,
    };
    if begun.is_err() || !traffic.add(rest.len() + request.forward.as_ref().map_or(0, String::len)) || server.write_all(rest).await.is_err()
    {
        return;
    }
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = server.split();
    // A side that is done closes its half; whoever passes the limit ends both.
    let up = copy(&mut from_client, &mut to_server, |bytes| passes(bytes) && traffic.add(bytes.len()));
    let down = copy(&mut from_server, &mut to_client, |bytes| traffic.add(bytes.len()));
    let _ = tokio::try_join!(up, down);
}

async fn copy(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    mut passes: impl FnMut(&[u8]) -> bool,
) -> Result<(), ()> {
    let mut chunk = vec![0; 16 * 1024];
    loop {
        let read = from.read(&mut chunk).await.map_err(|_| ())?;
        if read == 0 {
            return to.shutdown().await.map_err(|_| ());
        }
        let bytes = chunk.get(..read).unwrap_or_default();
        if !passes(bytes) {
            return Err(());
        }
        to.write_all(bytes).await.map_err(|_| ())?;
    }
}
