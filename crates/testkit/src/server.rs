//! The scripted server itself: its port, its connections, and what a test can ask and tell it.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;

use crate::body_writer::{Finale, Persistence};
use crate::http::{MAX_HEAD, read_request};
use crate::journal::{Fate, Recorded};
use crate::shared::Shared;
use crate::{Model, Script};

/// A running scripted server. Dropping it closes its port and all its connections.
///
/// One task accepts connections and owns one task for each of them.
pub struct ScriptedServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: JoinHandle<()>,
}

impl ScriptedServer {
    /// Starts on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// No port can be bound.
    pub async fn start(script: Script) -> io::Result<Self> {
        Self::start_at(script, SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await
    }

    /// Starts on a given port of 127.0.0.1; 0 means a free one.
    ///
    /// # Errors
    /// The port is taken.
    pub async fn start_on(script: Script, port: u16) -> io::Result<Self> {
        Self::start_at(script, SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await
    }

    /// Starts on a free port of `[::1]` only.
    ///
    /// # Errors
    /// The machine has no IPv6 loopback.
    pub async fn start_ipv6(script: Script) -> io::Result<Self> {
        Self::start_at(script, SocketAddr::from((Ipv6Addr::LOCALHOST, 0))).await
    }

    async fn start_at(script: Script, address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::new(script));
        let acceptor = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self { address, shared, acceptor })
    }

    /// The origin, without a path and without a slash at the end: `http://127.0.0.1:4711`.
    pub fn url(&self) -> String {
        match self.address.ip() {
            IpAddr::V4(address) => format!("http://{address}:{}", self.port()),
            IpAddr::V6(address) => format!("http://[{address}]:{}", self.port()),
        }
    }

    /// The base URL of OpenAI-style servers: the origin with `/v1`.
    pub fn v1(&self) -> String {
        format!("{}/v1", self.url())
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Every request so far, in the order in which they were complete.
    pub fn requests(&self) -> Vec<Recorded> {
        self.shared.journal.requests()
    }

    /// The requests so far that asked for an answer of a model.
    pub fn generations(&self) -> Vec<Recorded> {
        self.requests().into_iter().filter(|request| request.generation).collect()
    }

    /// How far the answer to request `number` (from 1) has come; `None` when there is no such request yet.
    pub fn fate(&self, number: usize) -> Option<Fate> {
        self.shared.journal.fate(number)
    }

    /// Connections accepted so far.
    pub fn connections(&self) -> u64 {
        self.shared.journal.connections()
    }

    /// Generation requests that are unanswered now, queued ones included.
    pub fn in_flight(&self) -> usize {
        self.shared.journal.in_flight()
    }

    /// The most generation requests that were ever unanswered at once.
    pub fn max_in_flight(&self) -> usize {
        self.shared.journal.max_in_flight()
    }

    /// The most requests that ever held a slot at once.
    pub fn max_working(&self) -> usize {
        self.shared.machine.max_working()
    }

    /// Every load of a model so far, in order.
    pub fn loads(&self) -> Vec<String> {
        self.shared.machine.loads()
    }

    /// The ids of the models that are in memory now.
    pub fn loaded(&self) -> Vec<String> {
        let models = self.shared.machine.models();
        models.into_iter().filter(|now| now.loaded).map(|now| now.model.id).collect()
    }

    /// The models of the script.
    pub fn models(&self) -> Vec<Model> {
        self.shared.script.models.clone()
    }

    /// Ends the server's start and every load that is `held`.
    pub fn release(&self) {
        self.shared.machine.release();
    }

    /// Lets one `gate` step pass, now or when it is reached.
    pub fn open_gate(&self) {
        self.shared.gate.add_permits(1);
    }

    /// Waits until so many requests have come.
    pub async fn wait_requests(&self, count: usize) {
        self.shared.journal.wait_requests(count).await;
    }

    /// Waits until the connection of request `number` (from 1) is closed, by whomever.
    pub async fn wait_closed(&self, number: usize) {
        self.shared.journal.wait_closed(number).await;
    }

    /// Waits until request `number` (from 1) is answered or abandoned, and says which.
    pub async fn wait_ended(&self, number: usize) -> Fate {
        self.shared.journal.wait_ended(number).await
    }

    /// Waits until no generation request is unanswered.
    pub async fn wait_idle(&self) {
        self.shared.journal.wait_idle().await;
    }
}

impl Drop for ScriptedServer {
    fn drop(&mut self) {
        // The connections' tasks belong to the acceptor's task and end with it.
        self.acceptor.abort();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                // A failed accept is a client that has already left.
                if let Ok((stream, _)) = accepted {
                    connections.spawn(serve(stream, Arc::clone(&shared)));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// One connection, request after request.
async fn serve(mut stream: TcpStream, shared: Arc<Shared>) {
    let connection = shared.journal.connected();
    // Without it, small packets wait for each other.
    let _ = stream.set_nodelay(true);
    let finale = converse(&mut stream, connection, &shared).await;
    if finale == Finale::Reset {
        let _ = stream.set_zero_linger();
    }
    drop(stream);
    shared.journal.closed(connection);
}

async fn converse(stream: &mut TcpStream, connection: u64, shared: &Shared) -> Finale {
    let mut buffer = Vec::new();
    // Borrowed halves: the owned ones would send a FIN before a reset.
    let (mut reader, mut writer) = stream.split();
    loop {
        let Ok(Some(request)) = read_request(&mut reader, &mut buffer).await else { return Finale::Close };
        let number = shared.journal.record(connection, &request, shared.is_generation(&request));
        let answer = shared.answer(&request, &mut writer);
        tokio::pin!(answer);
        let finale = tokio::select! {
            biased;
            finale = &mut answer => finale,
            () = client_leaves(&mut reader, &mut buffer) => {
                shared.journal.ended(number, Fate::Abandoned { at: Instant::now() });
                shared.journal.closed(connection);
                if shared.persistence() == Persistence::Deaf {
                    answer.await;
                }
                return Finale::Close;
            }
        };
        shared.journal.ended(number, Fate::Answered);
        if finale != Finale::KeepAlive || request.close {
            return finale;
        }
    }
}

/// Returns when the client has closed its side; keeps what it sends ahead.
async fn client_leaves(reader: &mut (impl tokio::io::AsyncRead + Unpin), buffer: &mut Vec<u8>) {
    use tokio::io::AsyncReadExt;
    loop {
        if buffer.len() > MAX_HEAD {
            return std::future::pending().await;
        }
        match reader.read_buf(buffer).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
    }
}
