//! What is sent.

use std::time::Duration;

use bytes::Bytes;
use http::Method;
use krabba_types::Secret;
use url::Url;

use crate::{Reach, display_url, reach};

/// One request. `Content-Length` is always sent with a body (mlx_lm answers 411 to a chunked one), `User-Agent` and
/// `Accept-Encoding` are set by the client unless given.
#[derive(Clone)]
pub struct HttpRequest {
    /// The method.
    pub method: Method,
    /// Where to; its origin must be permitted by the client's egress guard.
    pub url: Url,
    /// Header names and values. Values are secrets, because some of them are; all are sent as such and never logged.
    pub headers: Vec<(String, Secret)>,
    /// The body, whole; empty for none.
    pub body: Bytes,
    /// Time for name resolution, TCP and TLS together.
    pub connect_timeout: Duration,
    /// Whether an idle connection may serve it.
    pub reuse: Reuse,
    /// Whether it does no harm to send it a second time when nobody knows whether it was read.
    pub repeatable: bool,
}

impl std::fmt::Debug for HttpRequest {
    /// Without header values, and without what a URL may hold in secret.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        formatter
            .debug_struct("HttpRequest")
            .field("method", &self.method)
            .field("url", &display_url(&self.url))
            .field("headers", &names)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// Whether an idle connection may serve a request and be kept after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reuse {
    /// The usual.
    Allowed,
    /// A connection of its own, closed afterwards: for measuring what connecting costs, and for asking whether
    /// anybody listens at all.
    Fresh,
}

impl HttpRequest {
    /// A `GET` that accepts JSON.
    pub fn get(url: Url) -> Self {
        Self::new(Method::GET, url, Bytes::new()).header("accept", Secret::new("application/json"))
    }

    /// A `DELETE`.
    pub fn delete(url: Url) -> Self {
        Self::new(Method::DELETE, url, Bytes::new())
    }

    /// A `POST` of a JSON text. Compression of the answer is declined: between a model and its reader it only delays.
    pub fn post_json(url: Url, body: Bytes) -> Self {
        Self::new(Method::POST, url, body)
            .header("content-type", Secret::new("application/json"))
            .header("accept-encoding", Secret::new("identity"))
    }

    /// The same with one more header. A later header of the same name replaces an earlier one.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: Secret) -> Self {
        let name = name.into();
        self.headers.retain(|(existing, _)| !existing.eq_ignore_ascii_case(&name));
        self.headers.push((name, value));
        self
    }

    /// The same with another time for connecting.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// The same with another rule for connections.
    #[must_use]
    pub fn reuse(mut self, reuse: Reuse) -> Self {
        self.reuse = reuse;
        self
    }

    /// A request whose work is an answer and nothing else, such as a question to a model.
    #[must_use]
    pub fn repeatable(mut self) -> Self {
        self.repeatable = true;
        self
    }

    fn new(method: Method, url: Url, body: Bytes) -> Self {
        let connect_timeout = match reach(&url) {
            Reach::Loopback => Duration::from_secs(2),
            Reach::Private => Duration::from_secs(5),
            Reach::Public => Duration::from_secs(10),
        };
        let repeatable = method == Method::GET;
        Self { method, url, headers: Vec::new(), body, connect_timeout, reuse: Reuse::Allowed, repeatable }
    }
}
