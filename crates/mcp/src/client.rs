//! A server through all its connections: opened when it is needed, opened again after a failure, with a pause that grows.

use std::sync::Arc;
use std::time::Duration;

use krabba_net::HttpClient;
use krabba_sandbox::Sandbox;
use krabba_types::JsonObject;
use rmcp::model::CallToolResult;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::link::Link;
use crate::servers::Shelf;
use crate::{Definition, McpError, ServerSettings};

/// The first pause after a failure; each further one in a row doubles it.
const PAUSE: Duration = Duration::from_secs(1);
/// The longest.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// The longest pause that a call waits for.
const WAITED: Duration = Duration::from_secs(2);

/// A server.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) settings: ServerSettings,
    sandbox: Arc<Sandbox>,
    http: HttpClient,
    shelf: Arc<Shelf>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    link: Option<Arc<Link>>,
    /// What the server offers, as it said last.
    offered: std::collections::BTreeMap<String, Definition>,
    failures: u32,
    rests_until: Option<Instant>,
}

impl Client {
    pub(crate) fn new(settings: ServerSettings, sandbox: Arc<Sandbox>, http: HttpClient, shelf: Arc<Shelf>) -> Self {
        Self { settings, sandbox, http, shelf, state: Mutex::default() }
    }

    /// Asks the server what it offers, and puts on the shelf what the owner knows of it.
    pub(crate) async fn look(self: &Arc<Self>) -> Result<(), McpError> {
        let mut state = self.state.lock().await;
        self.link(&mut state).await.map(drop)
    }

    /// Calls a tool that looks exactly like this, and no other.
    pub(crate) async fn call(
        self: &Arc<Self>,
        definition: &Definition,
        arguments: JsonObject,
        cancel: &CancellationToken,
    ) -> Result<CallToolResult, McpError> {
        let open = async {
            let mut state = self.state.lock().await;
            let link = self.link(&mut state).await?;
            let (server, tool) = (self.settings.id.clone(), definition.name.clone());
            match state.offered.get(&definition.name) {
                Some(offered) if offered == definition => Ok(link),
                Some(_) => Err(McpError::Changed { server, tool }),
                None => Err(McpError::Gone { server, tool }),
            }
        };
        let link = tokio::select! {
            biased;
            () = cancel.cancelled() => return Err(McpError::Stopped),
            link = open => link?,
        };
        let called = link.call(&definition.name, arguments, self.settings.clocks.call, cancel).await;
        drop(link);
        let mut state = self.state.lock().await;
        match &called {
            Err(error) if error.is_failure() => self.failed(&mut state).await,
            Ok(_) => state.failures = 0,
            Err(_) => {}
        }
        called
    }

    /// The connection, made anew where there is none.
    async fn link(self: &Arc<Self>, state: &mut State) -> Result<Arc<Link>, McpError> {
        if state.link.as_ref().is_some_and(|link| link.is_closed()) {
            self.failed(state).await;
        }
        if let Some(link) = &state.link {
            let link = Arc::clone(link);
            if link.is_stale() {
                self.take_stock(state, &link).await?;
            }
            return Ok(link);
        }
        let pause = state.rests_until.map_or(Duration::ZERO, |until| until.saturating_duration_since(Instant::now()));
        if pause > WAITED {
            return Err(McpError::Resting { server: self.settings.id.clone(), failures: state.failures, pause });
        }
        sleep(pause).await;
        let opened = async {
            let link = Arc::new(Link::open(&self.settings, &self.sandbox, &self.http).await?);
            self.take_stock(state, &link).await?;
            Ok(link)
        };
        match opened.await {
            Ok(link) => {
                state.link = Some(Arc::clone(&link));
                Ok(link)
            }
            Err(error) => {
                self.failed(state).await;
                Err(error)
            }
        }
    }

    async fn take_stock(self: &Arc<Self>, state: &mut State, link: &Link) -> Result<(), McpError> {
        let (server, limit) = (self.settings.id.clone(), self.settings.clocks.connect);
        state.offered = tokio::time::timeout(limit, link.tools()).await.map_err(|_| McpError::Slow { server, limit })??;
        self.shelf.see(self, &state.offered).await
    }

    async fn failed(&self, state: &mut State) {
        state.failures += 1;
        let pause = PAUSE.saturating_mul(2_u32.saturating_pow(state.failures - 1)).min(LONGEST_PAUSE);
        state.rests_until = Instant::now().checked_add(pause);
        close(state.link.take()).await;
    }

    pub(crate) async fn close(&self) {
        let mut state = self.state.lock().await;
        close(state.link.take()).await;
    }
}

/// Closes a connection, unless a call is still under way on it: that one ends it by being the last to let go.
async fn close(link: Option<Arc<Link>>) {
    if let Some(link) = link.and_then(Arc::into_inner) {
        link.close().await;
    }
}
