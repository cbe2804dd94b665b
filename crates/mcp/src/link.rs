//! A connection to a server that has said what it offers.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use krabba_net::HttpClient;
use krabba_sandbox::Sandbox;
use krabba_types::JsonObject;
use rmcp::model::{
    CallToolRequest, CallToolRequestParams, CallToolResult, ClientCapabilities, ClientConfig, ClientRequest, Implementation,
    PaginatedRequestParams, ServerResult,
};
use rmcp::service::{ClientInitializeError, NotificationContext, PeerRequestOptions, RunningService, ServiceError};
use rmcp::transport::streamable_http_client::{StreamableHttpClientTransport, StreamableHttpClientTransportConfig};
use rmcp::{ClientHandler, RoleClient, serve_client};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::http::Wire;
use crate::stdio::Program;
use crate::{Definition, McpError, ServerSettings, Transport};

/// The most tools of one server.
const MOST_TOOLS: usize = 512;

/// How long a server may take to say good-bye.
const GOODBYE: Duration = Duration::from_millis(500);

/// A connection. Dropping it ends the server, where that is a program.
#[derive(Debug)]
pub(crate) struct Link {
    server: String,
    service: RunningService<RoleClient, Listener>,
    program: Option<Program>,
}

/// What is heard of a server between its answers. Whatever it asks for is declined.
#[derive(Debug, Default)]
pub(crate) struct Listener {
    stale: AtomicBool,
}

impl ClientHandler for Listener {
    fn get_info(&self) -> ClientConfig {
        ClientConfig::new(ClientCapabilities::default(), Implementation::new("krabba", env!("CARGO_PKG_VERSION")))
    }

    async fn on_tool_list_changed(&self, _context: NotificationContext<RoleClient>) {
        self.stale.store(true, Ordering::Release);
    }
}

impl Link {
    /// Starts or reaches the server.
    pub(crate) async fn open(settings: &ServerSettings, sandbox: &Sandbox, http: &HttpClient) -> Result<Self, McpError> {
        let server = settings.id.clone();
        let (program, begun) = match &settings.transport {
            Transport::Program(command) => {
                let started = Program::start(sandbox, command).await;
                let (program, streams) = started.map_err(|source| McpError::Start { server: server.clone(), source })?;
                (Some(program), timeout(settings.clocks.connect, serve_client(Listener::default(), streams)).await)
            }
            Transport::Http { url, headers } => {
                let config = StreamableHttpClientTransportConfig::with_uri(url.as_str());
                let transport = StreamableHttpClientTransport::with_client(Wire::new(http.clone(), headers), config);
                (None, timeout(settings.clocks.connect, serve_client(Listener::default(), transport)).await)
            }
        };
        let complaint = || program.as_ref().map(Program::complaint).unwrap_or_default();
        let failed = |why, said: String| McpError::Handshake { server: server.clone(), why, said };
        match begun {
            Ok(Ok(service)) => Ok(Self { server, service, program }),
            Ok(Err(error)) => {
                let said = if program.is_some() { complaint() } else { beginning(&error) };
                Err(failed(if program.is_some() { "ended, or does not speak MCP" } else { "does not answer as one" }, said))
            }
            Err(_) => Err(failed("did not begin in time", complaint())),
        }
    }

    /// What the server offers now.
    pub(crate) async fn tools(&self) -> Result<BTreeMap<String, Definition>, McpError> {
        self.service.service().stale.store(false, Ordering::Release);
        let mut tools = BTreeMap::new();
        let mut cursor = None;
        loop {
            let params = PaginatedRequestParams::default().with_cursor(cursor.take());
            let page = self.service.list_tools(Some(params)).await.map_err(|error| self.broken(&error))?;
            let definitions = page.tools.iter().filter_map(Definition::of);
            tools.extend(definitions.map(|definition| (definition.name.clone(), definition)));
            cursor = page.next_cursor;
            if cursor.is_none() || tools.len() >= MOST_TOOLS {
                return Ok(tools);
            }
        }
    }

    /// Whether what the server offers has to be asked for again.
    pub(crate) fn is_stale(&self) -> bool {
        self.service.service().stale.load(Ordering::Acquire)
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.service.is_closed() || self.service.is_transport_closed()
    }

    pub(crate) async fn call(
        &self,
        tool: &str,
        arguments: JsonObject,
        limit: Duration,
        cancel: &CancellationToken,
    ) -> Result<CallToolResult, McpError> {
        let params = CallToolRequestParams::new(tool.to_owned()).with_arguments(arguments);
        let request = ClientRequest::CallToolRequest(CallToolRequest::new(params));
        let sent = self.service.send_cancellable_request(request, PeerRequestOptions::no_options()).await;
        let mut handle = sent.map_err(|error| self.broken(&error))?;
        let why = tokio::select! {
            biased;
            answer = &mut handle.rx => {
                return match answer {
                    Ok(Ok(ServerResult::CallToolResult(result))) => Ok(result),
                    Ok(Ok(ServerResult::InputRequiredResult(_))) => Err(self.odd("it wants to ask something first")),
                    Ok(Ok(_)) => Err(self.odd("no result of a call")),
                    Ok(Err(error)) => Err(self.broken(&error)),
                    Err(_) => Err(self.broken(&ServiceError::TransportClosed)),
                };
            }
            () = cancel.cancelled() => McpError::Stopped,
            () = sleep(limit) => McpError::Slow { server: self.server.clone(), limit },
        };
        // Told, not waited for: whoever hangs does not hang this too.
        let _told = timeout(GOODBYE, handle.cancel(Some(why.to_string()))).await;
        Err(why)
    }

    /// Ends the connection and the server, and waits for that.
    pub(crate) async fn close(mut self) {
        let _late = self.service.close_with_timeout(GOODBYE).await;
        if let Some(program) = self.program {
            program.end().await;
        }
    }

    fn odd(&self, what: &'static str) -> McpError {
        McpError::Odd { server: self.server.clone(), what }
    }

    fn broken(&self, error: &ServiceError) -> McpError {
        let server = self.server.clone();
        match error {
            ServiceError::McpError(error) => McpError::Refused { server, said: error.message.to_string() },
            error => {
                let said = self.program.as_ref().map_or_else(|| sending(error), Program::complaint);
                McpError::Broken { server, said }
            }
        }
    }
}

/// What was wrong with a first exchange. The library's own words name its types.
fn beginning(error: &ClientInitializeError) -> String {
    match error {
        ClientInitializeError::TransportError { error, .. } => cause(&*error.error),
        ClientInitializeError::ExpectedInitResponse(_) | ClientInitializeError::ExpectedInitResult(_) => {
            "it answered with something else than its name and version".to_owned()
        }
        error => error.to_string(),
    }
}

fn sending(error: &ServiceError) -> String {
    match error {
        ServiceError::TransportSend(error) => cause(&*error.error),
        error => error.to_string(),
    }
}

/// What is behind an error.
fn cause(error: &(dyn Error + 'static)) -> String {
    match error.source() {
        Some(source) => cause(source),
        None => error.to_string().trim_start_matches("Client error: ").to_owned(),
    }
}
