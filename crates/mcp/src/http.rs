//! A server that listens: MCP's streamable HTTP over krabba's own client, which reaches the configured addresses alone.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use http::{HeaderName, HeaderValue};
use krabba_net::{Bytes, Frame, Framing, HttpClient, HttpRequest, HttpResponse, NetError, Url};
use krabba_types::Secret;
use rmcp::model::{ClientJsonRpcMessage, JsonRpcMessage, ServerJsonRpcMessage};
use rmcp::transport::streamable_http_client::{StreamableHttpClient, StreamableHttpError, StreamableHttpPostResponse};
use sse_stream::{Error as SseError, Sse};

use crate::stdio::LONGEST;

/// What of an error's body is kept, in bytes.
const COMPLAINT: usize = 2048;

type Failure = StreamableHttpError<NetError>;

/// Krabba's HTTP client, as the protocol's library wants one.
#[derive(Clone, Debug)]
pub(crate) struct Wire {
    client: HttpClient,
    headers: Arc<[(String, Secret)]>,
}

impl Wire {
    pub(crate) fn new(client: HttpClient, headers: &[(String, Secret)]) -> Self {
        Self { client, headers: headers.into() }
    }

    async fn send(
        &self,
        mut request: HttpRequest,
        session: Option<&str>,
        custom: HashMap<HeaderName, HeaderValue>,
    ) -> Result<HttpResponse, Failure> {
        for (name, value) in self.headers.iter() {
            request = request.header(name.clone(), value.clone());
        }
        for (name, value) in &custom {
            request = request.header(name.as_str(), Secret::new(value.to_str().unwrap_or_default()));
        }
        if let Some(session) = session {
            request = request.header("mcp-session-id", Secret::new(session));
        }
        self.client.send(request).await.map_err(Failure::Client)
    }
}

impl StreamableHttpClient for Wire {
    type Error = NetError;

    async fn post_message(
        &self,
        uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session_id: Option<Arc<str>>,
        _auth_header: Option<String>,
        custom_headers: HashMap<HeaderName, HeaderValue>,
    ) -> Result<StreamableHttpPostResponse, Failure> {
        let body = Bytes::from(serde_json::to_vec(&message)?);
        let request = HttpRequest::post_json(url(&uri)?, body).header("accept", Secret::new("application/json, text/event-stream"));
        let response = self.send(request, session_id.as_deref(), custom_headers).await?;
        let awaits_nothing = !matches!(message, JsonRpcMessage::Request(_));
        match response.status {
            202 | 204 => return Ok(StreamableHttpPostResponse::Accepted),
            200..300 if awaits_nothing => return Ok(StreamableHttpPostResponse::Accepted),
            404 if session_id.is_some() => return Err(Failure::SessionExpired),
            _ => {}
        }
        let session = response.header("mcp-session-id").map(str::to_owned);
        if response.is_success() && is(&response, "text/event-stream") {
            return Ok(StreamableHttpPostResponse::Sse(events(response), session));
        }
        if !is(&response, "application/json") {
            return Err(refusal(response).await);
        }
        let status = response.status;
        let body = response.bytes(LONGEST).await.map_err(Failure::Client)?;
        match serde_json::from_slice::<ServerJsonRpcMessage>(&body) {
            // An error in the protocol's own form says more than the status that it comes with.
            Ok(message) if (200..300).contains(&status) || matches!(message, JsonRpcMessage::Error(_)) => {
                Ok(StreamableHttpPostResponse::Json(message, session))
            }
            Ok(_) => Err(said(status, &body)),
            Err(_) if !(200..300).contains(&status) => Err(said(status, &body)),
            Err(error) => Err(error.into()),
        }
    }

    async fn delete_session(
        &self,
        uri: Arc<str>,
        session_id: Arc<str>,
        _auth_header: Option<String>,
        custom_headers: HashMap<HeaderName, HeaderValue>,
    ) -> Result<(), Failure> {
        let request = HttpRequest::delete(url(&uri)?);
        self.send(request, Some(&session_id), custom_headers).await.map(drop)
    }

    async fn get_stream(
        &self,
        uri: Arc<str>,
        session_id: Option<Arc<str>>,
        last_event_id: Option<String>,
        _auth_header: Option<String>,
        custom_headers: HashMap<HeaderName, HeaderValue>,
    ) -> Result<BoxStream<'static, Result<Sse, SseError>>, Failure> {
        let mut request = HttpRequest::get(url(&uri)?).header("accept", Secret::new("text/event-stream"));
        if let Some(id) = last_event_id {
            request = request.header("last-event-id", Secret::new(id));
        }
        let response = self.send(request, session_id.as_deref(), custom_headers).await?;
        if response.status == 405 {
            return Err(Failure::ServerDoesNotSupportSse);
        }
        if !response.is_success() {
            return Err(refusal(response).await);
        }
        if !is(&response, "text/event-stream") {
            return Err(Failure::UnexpectedContentType(response.content_type().map(str::to_owned)));
        }
        Ok(events(response))
    }
}

fn url(uri: &str) -> Result<Url, Failure> {
    Url::parse(uri).map_err(|_| Failure::UnexpectedServerResponse("it is no address".into()))
}

fn is(response: &HttpResponse, media_type: &str) -> bool {
    response.content_type().is_some_and(|found| found.eq_ignore_ascii_case(media_type))
}

/// An event's number, which would let a broken stream go on, is not kept: a call that breaks off is told, and not made again.
fn events(response: HttpResponse) -> BoxStream<'static, Result<Sse, SseError>> {
    let events = response.frames(Framing::Sse).filter_map(|frame| {
        std::future::ready(match frame {
            Ok(Frame::Event { event, data }) => Some(Ok(Sse { event, data: Some(data), id: None, retry: None })),
            Ok(Frame::Comment(_)) => None,
            Err(error) => Some(Err(SseError::Body(Box::new(error)))),
        })
    });
    events.boxed()
}

async fn refusal(response: HttpResponse) -> Failure {
    let status = response.status;
    let body = response.beginning(COMPLAINT).await;
    said(status, &body)
}

fn said(status: u16, body: &[u8]) -> Failure {
    let body = String::from_utf8_lossy(body.get(..COMPLAINT.min(body.len())).unwrap_or_default()).into_owned();
    Failure::UnexpectedServerResponse(format!("HTTP {status}: {body}").into())
}
