//! The one place where HTTP clients are made and used.
//!
//! The library binds several things to a client that are a matter of the request here: the time for connecting,
//! whether a connection is reused, whose certificates count, and the proxy. So there is one small client per combination in
//! use, made on demand; a combination is a handful of values of the configuration, not of the traffic.
//!
//! Idle connections. Node, uvicorn and llama-server, which are LM Studio, the Python servers and llama.cpp, close theirs after 5 s.
//! A request sent at that instant fails without the server's fault, and whether it was received cannot be known. So ours to `http://`
//! end after 4 s. Where a server is quicker, or a busy machine was slow to notice, the library uses a new connection if nothing was
//! sent yet; if something was, and the connection may have been a kept one that ended at once, a request that does nothing but ask
//! is sent a second time, on a connection of its own. Any other failure is reported and never repeated here, since a generation may be running.
//!
//! HTTP/1.1 only, to hosted services as well. One connection carries one answer: dropping it is a cancellation that
//! every proxy in between understands, and a broken connection takes no other answer with it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use http::{HeaderName, HeaderValue, Method};
use reqwest::redirect::Policy;
use rustls::ClientConfig;
use url::Url;

use crate::error::display_url;
use crate::resolver::Resolver;
use crate::response::MAX_HEADERS;
use crate::{Egress, HttpRequest, HttpResponse, NetError, Reach, Reuse, reach, tls};

/// Header bytes that the HTTP library accepts (its default read buffer).
pub(crate) const HEADER_BYTES: usize = 8192 + 4096 * 100;
/// Shorter than the 5 s of Node and uvicorn.
const IDLE_PLAIN: Duration = Duration::from_secs(4);
/// Hosted services keep theirs for a minute and more; a TLS handshake is worth saving.
const IDLE_TLS: Duration = Duration::from_secs(50);
/// More combinations than any sensible configuration has; beyond it the table starts over.
const MOST_CLIENTS: usize = 32;
/// A server that takes longer than this to end a connection has read the request.
const AT_ONCE: Duration = Duration::from_millis(500);

/// Sends requests to permitted places. Clones share connections and the guard.
#[derive(Clone, Debug)]
pub struct HttpClient {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    egress: Egress,
    clients: Mutex<HashMap<Combination, reqwest::Client>>,
    /// When each place answered last, by its origin: there may be a connection to it that is kept.
    answered: Mutex<HashMap<String, Instant>>,
    system_trust: OnceLock<ClientConfig>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Combination {
    transport: Transport,
    connect_timeout: Duration,
    reuse: Reuse,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Transport {
    /// `http://`, anywhere. Never through a proxy.
    Plain,
    /// `https://` within the owner's network. Never through a proxy.
    Tls,
    /// `https://` to the open network, through the system's proxy where one is set.
    TlsByProxy,
}

impl HttpClient {
    /// A client that may go where `egress` permits. Costs nothing until the first request.
    pub fn new(egress: Egress) -> Self {
        let inner = Inner { egress, clients: Mutex::default(), answered: Mutex::default(), system_trust: OnceLock::new() };
        Self { inner: Arc::new(inner) }
    }

    /// The guard, to permit more.
    pub fn egress(&self) -> &Egress {
        &self.inner.egress
    }

    /// Sends `request` and waits for the head of the answer, without a limit of time but that for connecting. Dropping
    /// the future closes the connection.
    ///
    /// # Errors
    /// Every [`NetError`] but `Cut`. A status of 400 and above is not an error here.
    pub async fn send(&self, request: HttpRequest) -> Result<HttpResponse, NetError> {
        let kept = request.repeatable && request.reuse == Reuse::Allowed && self.may_be_kept(&request.url);
        let began = Instant::now();
        match self.send_once(&request).await {
            Err(NetError::Reset { .. }) if kept && began.elapsed() < AT_ONCE => self.send_once(&request.reuse(Reuse::Fresh)).await,
            done => done,
        }
    }

    /// Whether a connection to there may have been kept, and may have just ended.
    fn may_be_kept(&self, url: &Url) -> bool {
        let answered = self.inner.answered.lock().unwrap_or_else(PoisonError::into_inner);
        answered.get(&url.origin().ascii_serialization()).is_some_and(|at| at.elapsed() < IDLE_TLS * 2)
    }

    async fn send_once(&self, request: &HttpRequest) -> Result<HttpResponse, NetError> {
        let HttpRequest { method, url, headers, body, connect_timeout, reuse, repeatable: _ } = request;
        let (connect_timeout, reuse) = (*connect_timeout, *reuse);
        if !self.inner.egress.permits(url) {
            return Err(NetError::Refused { url: display_url(url) });
        }
        let client = self.client(url, Combination { transport: Transport::of(url), connect_timeout, reuse })?;

        let mut outgoing = reqwest::Request::new(method.clone(), url.clone());
        for (name, value) in headers {
            let (name, value) = header(url, name, value.expose())?;
            outgoing.headers_mut().insert(name, value);
        }
        if !body.is_empty() || !matches!(*outgoing.method(), Method::GET | Method::HEAD) {
            outgoing.headers_mut().insert(http::header::CONTENT_LENGTH, HeaderValue::from(body.len()));
            *outgoing.body_mut() = Some(body.clone().into());
        }
        match client.execute(outgoing).await {
            Ok(response) => {
                let mut answered = self.inner.answered.lock().unwrap_or_else(PoisonError::into_inner);
                answered.insert(url.origin().ascii_serialization(), Instant::now());
                Ok(HttpResponse::new(url, response))
            }
            Err(error) => Err(NetError::of_head(url, connect_timeout, HEADER_BYTES, error)),
        }
    }

    fn client(&self, url: &Url, combination: Combination) -> Result<reqwest::Client, NetError> {
        if let Some(client) = self.inner.clients.lock().unwrap_or_else(PoisonError::into_inner).get(&combination) {
            return Ok(client.clone());
        }
        let client = self.build(url, combination)?;
        let mut clients = self.inner.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if clients.len() >= MOST_CLIENTS {
            clients.clear();
        }
        Ok(clients.entry(combination).or_insert(client).clone())
    }

    fn build(&self, url: &Url, combination: Combination) -> Result<reqwest::Client, NetError> {
        let Combination { transport, connect_timeout, reuse } = combination;
        let no_tls = |error: rustls::Error| NetError::Tls {
            url: display_url(url),
            reason: format!("no usable system certificates ({error}); install ca-certificates or set SSL_CERT_FILE"),
        };
        let builder = builder(connect_timeout).dns_resolver(Resolver).pool_max_idle_per_host(match reuse {
            Reuse::Allowed => 4,
            Reuse::Fresh => 0,
        });
        let builder = match transport {
            Transport::Plain => {
                let config = tls::trusting_nobody().map_err(no_tls)?;
                builder.no_proxy().pool_idle_timeout(IDLE_PLAIN).tls_backend_preconfigured(config)
            }
            Transport::Tls => {
                builder.no_proxy().pool_idle_timeout(IDLE_TLS).tls_backend_preconfigured(self.system_trust().map_err(no_tls)?)
            }
            Transport::TlsByProxy => builder.pool_idle_timeout(IDLE_TLS).tls_backend_preconfigured(self.system_trust().map_err(no_tls)?),
        };
        builder.build().map_err(|error| NetError::Other {
            url: display_url(url),
            reason: "the HTTP client could not be set up".to_owned(),
            source: error.without_url(),
        })
    }

    fn system_trust(&self) -> Result<ClientConfig, rustls::Error> {
        if let Some(config) = self.inner.system_trust.get() {
            return Ok(config.clone());
        }
        let config = tls::trusting_the_system()?;
        Ok(self.inner.system_trust.get_or_init(|| config).clone())
    }
}

/// What all clients have in common.
#[allow(clippy::disallowed_methods, reason = "who uses this holds a guard and brings the TLS set-up; the limits are here")]
pub(crate) fn builder(connect_timeout: Duration) -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .user_agent(concat!("krabba/", env!("CARGO_PKG_VERSION")))
        .redirect(Policy::none())
        .referer(false)
        .connect_timeout(connect_timeout)
        .tcp_nodelay(true)
        .http1_only()
        .http1_max_headers(MAX_HEADERS)
}

impl Transport {
    pub(crate) fn of(url: &Url) -> Self {
        match (url.scheme(), reach(url)) {
            ("https", Reach::Public) => Self::TlsByProxy,
            ("https", Reach::Loopback | Reach::Private) => Self::Tls,
            _ => Self::Plain,
        }
    }
}

pub(crate) fn header(url: &Url, name: &str, value: &str) -> Result<(HeaderName, HeaderValue), NetError> {
    let bad = |reason: String| NetError::BadRequest { url: display_url(url), reason };
    let parsed = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad(format!("\"{}\" is not a header name", name.escape_debug())))?;
    let mut value = HeaderValue::from_str(value.trim())
        .map_err(|_| bad(format!("the value of header {parsed} has a line break or another character that HTTP does not allow")))?;
    value.set_sensitive(true);
    Ok((parsed, value))
}
