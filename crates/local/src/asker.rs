//! Asking one server a few questions, within a deadline, writing down each.

use std::time::Duration;

use krabba_net::{Bytes, ConnectFailure, HttpClient, HttpRequest, HttpResponse, NetError, Url, display_url};
use krabba_types::{Secret, ServerKind};
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use crate::endpoint::join;
use crate::report::{Tried, TriedOutcome};
use crate::{Endpoint, wire};

/// Long enough for the longest listing seen (LiteLLM with all of its price table is 2 MB), short enough for our memory.
const BODY_LIMIT: usize = 16 * 1024 * 1024;

/// The longest wait for one answer. A healthy server lists its models in milliseconds even while it generates.
const PATIENCE: Duration = Duration::from_secs(2);

/// How much a probe may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Depth {
    /// Only what is known not to count as use. llama.cpp's `/slots` is not on its list of paths that leave the idle timer alone, so asking it every
    /// 20 s could keep a model from ever going to sleep.
    Quiet,
    /// Also what is harmless when asked once.
    Full,
}

/// Asks the server behind one root.
pub(crate) struct Asker<'a> {
    http: &'a HttpClient,
    endpoint: &'a Endpoint,
    root: Url,
    deadline: Instant,
    depth: Depth,
    tried: &'a mut Vec<Tried>,
}

/// What came back: any status, any body.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    /// HTTP status.
    pub(crate) status: u16,
    /// Header `Server`.
    pub(crate) server: String,
    /// Whether header `x-litellm-version` was there.
    pub(crate) litellm_version: Option<String>,
    /// The body, if it was JSON.
    pub(crate) json: Option<Value>,
    /// The beginning of a body that was not.
    pub(crate) text: String,
}

impl Answer {
    /// The JSON of a successful answer. A 200 that holds an error is none.
    pub(crate) fn success(&self) -> Option<&Value> {
        let json = self.json.as_ref()?;
        ((200..300).contains(&self.status) && !wire::is_error(json)).then_some(json)
    }

    /// Whether a key is wanted.
    pub(crate) fn is_locked(&self) -> bool {
        matches!(self.status, 401 | 403)
    }

    /// The server's own words of complaint.
    pub(crate) fn complaint(&self) -> &str {
        let Some(json) = &self.json else { return &self.text };
        if let Some(words) = json.as_str() {
            return words;
        }
        ["/error/message", "/error", "/message", "/detail"].iter().find_map(|pointer| wire::text(json, pointer)).unwrap_or_default()
    }
}

impl<'a> Asker<'a> {
    pub(crate) fn new(http: &'a HttpClient, endpoint: &'a Endpoint, root: Url, deadline: Instant, tried: &'a mut Vec<Tried>) -> Self {
        Self { http, endpoint, root, deadline, depth: Depth::Full, tried }
    }

    pub(crate) fn depth(mut self, depth: Depth) -> Self {
        self.depth = depth;
        self
    }

    /// Whether questions that might count as use are allowed.
    pub(crate) fn may_disturb(&self) -> bool {
        self.depth == Depth::Full
    }

    /// Whether a key goes along.
    pub(crate) fn has_key(&self) -> bool {
        has_key(self.endpoint)
    }

    /// The full address of a path behind the root.
    pub(crate) fn url(&self, path: &str) -> Url {
        join(&self.root, path)
    }

    /// Asks one path. None: no answer at all.
    pub(crate) async fn get(&mut self, path: &str) -> Option<Answer> {
        let url = self.url(path);
        let outcome = fetch(self.http, self.endpoint, HttpRequest::get(url.clone()), self.limit()).await;
        self.note(&url, outcome)
    }

    /// Asks with a body, for the few questions that are asked so (Ollama `/api/show`). Several at a time.
    pub(crate) async fn post_each(&mut self, path: &str, bodies: Vec<Value>) -> Vec<Option<Answer>> {
        let url = self.url(path);
        let limit = self.limit();
        let asked = bodies.into_iter().map(|body| {
            let request = HttpRequest::post_json(url.clone(), Bytes::from(body.to_string()));
            fetch(self.http, self.endpoint, request, limit)
        });
        let outcomes = futures_util::future::join_all(asked).await;
        outcomes.into_iter().map(|outcome| self.note(&url, outcome)).collect()
    }

    fn limit(&self) -> Instant {
        self.deadline.min(Instant::now() + PATIENCE)
    }

    fn note(&mut self, url: &Url, outcome: Result<Answer, TriedOutcome>) -> Option<Answer> {
        let (answer, outcome) = match outcome {
            Ok(answer) if answer.success().is_some() => (Some(answer), TriedOutcome::Answered),
            Ok(answer) if (200..300).contains(&answer.status) => (Some(answer), TriedOutcome::NotThis),
            Ok(answer) => {
                let status = answer.status;
                (Some(answer), TriedOutcome::Status(status))
            }
            Err(outcome) => (None, outcome),
        };
        let tried = Tried { url: display_url(url), outcome };
        if self.tried.last() != Some(&tried) {
            self.tried.push(tried);
        }
        answer
    }
}

/// Whether a key goes along with requests to `endpoint`.
pub(crate) fn has_key(endpoint: &Endpoint) -> bool {
    let in_headers = |name: &str| endpoint.headers.iter().any(|(header, _)| header.eq_ignore_ascii_case(name));
    endpoint.key.as_ref().is_some_and(|key| !key.is_empty()) || in_headers("authorization") || in_headers("x-api-key")
}

/// `request` with the endpoint's headers and key.
pub(crate) fn dressed(endpoint: &Endpoint, mut request: HttpRequest) -> HttpRequest {
    if let Some(key) = endpoint.key.as_ref().filter(|key| !key.is_empty()) {
        request = match endpoint.kind_hint {
            Some(ServerKind::Anthropic) => request.header("x-api-key", key.clone()).header("anthropic-version", Secret::new("2023-06-01")),
            Some(_) | None => request.header("authorization", Secret::new(format!("Bearer {}", key.expose()))),
        };
    }
    for (name, value) in &endpoint.headers {
        request = request.header(name.clone(), value.clone());
    }
    request
}

/// Sends `request` and reads all of the answer until `limit`.
pub(crate) async fn fetch(http: &HttpClient, endpoint: &Endpoint, request: HttpRequest, limit: Instant) -> Result<Answer, TriedOutcome> {
    let request = dressed(endpoint, request);
    let connect = limit.saturating_duration_since(Instant::now()).min(request.connect_timeout);
    let exchange = async {
        let response = http.send(request.connect_timeout(connect)).await?;
        read(response).await
    };
    match timeout_at(limit, exchange).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(outcome_of(&error)),
        Err(_elapsed) => Err(TriedOutcome::TimedOut),
    }
}

async fn read(response: HttpResponse) -> Result<Answer, NetError> {
    let header = |name: &str| response.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let mut answer = Answer {
        status: response.status,
        server: header("server").unwrap_or_default(),
        litellm_version: header("x-litellm-version"),
        ..Answer::default()
    };
    let body = response.bytes(BODY_LIMIT).await?;
    match serde_json::from_slice(&body) {
        Ok(json) => answer.json = Some(json),
        Err(_not_json) => answer.text = String::from_utf8_lossy(&body).chars().take(400).collect(),
    }
    Ok(answer)
}

fn outcome_of(error: &NetError) -> TriedOutcome {
    match error {
        NetError::Connect { failure: ConnectFailure::Refused, .. } => TriedOutcome::NothingThere,
        NetError::ConnectTimeout { .. } => TriedOutcome::TimedOut,
        NetError::Refused { .. }
        | NetError::BadRequest { .. }
        | NetError::Dns { .. }
        | NetError::Connect { .. }
        | NetError::Tls { .. }
        | NetError::Reset { .. }
        | NetError::NotHttp { .. }
        | NetError::Cut { .. }
        | NetError::TooLarge { .. }
        | NetError::Other { .. } => TriedOutcome::Failed(error.to_string()),
    }
}
