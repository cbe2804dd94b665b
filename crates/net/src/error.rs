//! What can go wrong between us and a server, told apart by what it means for the next step.

use std::error::Error;
use std::io;

use url::Url;

use crate::resolver::ResolveError;

/// A request that did not come to its end. `Display` is for people and names the URL without credentials or query.
#[derive(Debug, thiserror::Error)]
pub enum NetError {
    /// The egress guard knows no endpoint there; nothing was contacted.
    #[error("{url} was not contacted: it is not an endpoint of the configuration")]
    Refused {
        /// Where to.
        url: String,
    },
    /// The request cannot be put on the wire.
    #[error("the request to {url} cannot be sent: {reason}")]
    BadRequest {
        /// Where to.
        url: String,
        /// What is wrong with it; names a header, never its value.
        reason: String,
    },
    /// The host name has no address.
    #[error("cannot find {host} (for {url}); check the name and the network")]
    Dns {
        /// Where to.
        url: String,
        /// The name.
        host: String,
        /// The library's error.
        source: reqwest::Error,
    },
    /// No TCP connection.
    #[error("cannot connect to {url}: {failure}")]
    Connect {
        /// Where to.
        url: String,
        /// Why not.
        failure: ConnectFailure,
        /// The library's error.
        source: reqwest::Error,
    },
    /// The TLS handshake failed.
    #[error("no secure connection to {url}: {reason}")]
    Tls {
        /// Where to.
        url: String,
        /// What the TLS library says.
        reason: String,
    },
    /// Connecting took too long.
    #[error("{url} did not accept a connection within {} s{}", timeout.as_secs_f64(), plain_http_hint(url))]
    ConnectTimeout {
        /// Where to.
        url: String,
        /// The time that was given.
        timeout: std::time::Duration,
    },
    /// The connection ended before the head of an answer.
    #[error("{url} closed the connection before it answered")]
    Reset {
        /// Where to.
        url: String,
        /// The library's error.
        source: reqwest::Error,
    },
    /// What answered does not speak HTTP.
    #[error("what answers at {url} does not speak HTTP; is it the right port?")]
    NotHttp {
        /// Where to.
        url: String,
        /// The library's error.
        source: reqwest::Error,
    },
    /// The connection ended in the middle of the body.
    #[error("the answer of {url} broke off")]
    Cut {
        /// Where to.
        url: String,
        /// The library's error.
        source: reqwest::Error,
    },
    /// Headers, a body or an event exceed their limit.
    #[error("the answer of {url} is larger than {}", size(*limit))]
    TooLarge {
        /// Where to.
        url: String,
        /// In bytes.
        limit: usize,
    },
    /// Something else of the HTTP library.
    #[error("the request to {url} failed: {reason}")]
    Other {
        /// Where to.
        url: String,
        /// The innermost cause.
        reason: String,
        /// The library's error.
        source: reqwest::Error,
    },
}

/// Why there is no TCP connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConnectFailure {
    /// Nobody listens on that port.
    Refused,
    /// There is no way to the host, or it does not answer.
    Unreachable,
    /// Anything else.
    Other,
}

impl std::fmt::Display for ConnectFailure {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Refused => "connection refused, nothing listens there; is the server running?",
            Self::Unreachable => "the host cannot be reached; check the address and the network",
            Self::Other => "the connection failed",
        })
    }
}

impl NetError {
    /// Whether no connection came about, so that the server has seen nothing of the request.
    pub fn is_connect(&self) -> bool {
        match self {
            Self::Refused { .. }
            | Self::BadRequest { .. }
            | Self::Dns { .. }
            | Self::Connect { .. }
            | Self::Tls { .. }
            | Self::ConnectTimeout { .. } => true,
            Self::Reset { .. } | Self::NotHttp { .. } | Self::Cut { .. } | Self::TooLarge { .. } | Self::Other { .. } => false,
        }
    }

    /// Whether it happened before the headers of an answer were complete.
    pub fn before_headers(&self) -> bool {
        match self {
            Self::Cut { .. } | Self::TooLarge { .. } => false,
            Self::Refused { .. }
            | Self::BadRequest { .. }
            | Self::Dns { .. }
            | Self::Connect { .. }
            | Self::Tls { .. }
            | Self::ConnectTimeout { .. }
            | Self::Reset { .. }
            | Self::NotHttp { .. }
            | Self::Other { .. } => true,
        }
    }

    /// Where the request went, without credentials or query.
    pub fn url(&self) -> &str {
        match self {
            Self::Refused { url }
            | Self::BadRequest { url, .. }
            | Self::Dns { url, .. }
            | Self::Connect { url, .. }
            | Self::Tls { url, .. }
            | Self::ConnectTimeout { url, .. }
            | Self::Reset { url, .. }
            | Self::NotHttp { url, .. }
            | Self::Cut { url, .. }
            | Self::TooLarge { url, .. }
            | Self::Other { url, .. } => url,
        }
    }

    /// An error while connecting, sending, or waiting for the head of the answer.
    pub(crate) fn of_head(url: &Url, timeout: std::time::Duration, header_limit: usize, error: reqwest::Error) -> Self {
        let shown = display_url(url);
        // The library's text repeats the URL, query and all.
        let source = error.without_url();
        if source.is_connect() {
            return Self::of_connecting(url, shown, timeout, source);
        }
        match hyper_cause(&source) {
            // The library asks that question only in its server half; its words are pinned by a test of ours.
            Some(cause) if cause.is_parse() && cause.to_string().contains("too large") => {
                Self::TooLarge { url: shown, limit: header_limit }
            }
            Some(cause) if cause.is_parse() => Self::NotHttp { url: shown, source },
            Some(_) => Self::Reset { url: shown, source },
            None if cause::<io::Error>(&source).is_some() => Self::Reset { url: shown, source },
            None => Self::Other { url: shown, reason: innermost(&source), source },
        }
    }

    /// An error in the middle of the body.
    pub(crate) fn of_body(url: String, error: reqwest::Error) -> Self {
        Self::Cut { url, source: error.without_url() }
    }

    fn of_connecting(url: &Url, shown: String, timeout: std::time::Duration, source: reqwest::Error) -> Self {
        if source.is_timeout() {
            return Self::ConnectTimeout { url: shown, timeout };
        }
        if cause::<ResolveError>(&source).is_some() {
            return Self::Dns { url: shown, host: url.host_str().unwrap_or_default().to_owned(), source };
        }
        if let Some(tls) = cause::<rustls::Error>(&source) {
            return Self::Tls { url: shown, reason: tls_reason(tls) };
        }
        let failure = match cause::<io::Error>(&source).map(io::Error::kind) {
            Some(io::ErrorKind::ConnectionRefused) => ConnectFailure::Refused,
            Some(io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable | io::ErrorKind::TimedOut) => {
                ConnectFailure::Unreachable
            }
            // A peer that hangs up in the middle of the handshake mostly is a plain HTTP server.
            Some(_) if url.scheme() == "https" => {
                return Self::Tls { url: shown, reason: "the server ended the handshake; does it speak https at all?".to_owned() };
            }
            Some(_) | None => ConnectFailure::Other,
        };
        Self::Connect { url: shown, failure, source }
    }
}

/// Some servers that speak plain HTTP wait for the end of a first line, which a handshake never brings.
fn plain_http_hint(url: &str) -> &'static str {
    if url.starts_with("https:") { "; does it speak https at all?" } else { "" }
}

/// A number of bytes for people: `8 MB`, `408 KB`.
pub(crate) fn size(bytes: usize) -> String {
    match bytes {
        0..1024 => format!("{bytes} bytes"),
        1024..1_048_576 => format!("{} KB", bytes / 1024),
        _ => format!("{} MB", bytes / 1_048_576),
    }
}

fn tls_reason(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidMessage(_) => "the server does not speak TLS there; is it http instead of https?".to_owned(),
        other => format!("{other}"),
    }
}

/// `url` as it may be shown: without user name, password, query and fragment, any of which may hold a secret.
pub fn display_url(url: &Url) -> String {
    let mut shown = url.clone();
    shown.set_query(None);
    shown.set_fragment(None);
    if !shown.username().is_empty() || shown.password().is_some() {
        // Both fail only for URLs that cannot have credentials.
        let _ = shown.set_username("");
        let _ = shown.set_password(None);
    }
    shown.to_string()
}

/// The error of type `T` in the chain behind `error`, looking inside of I/O errors too, which hide what they wrap.
pub(crate) fn cause<T: Error + 'static>(error: &reqwest::Error) -> Option<&T> {
    let mut next: Option<&(dyn Error + 'static)> = error.source();
    while let Some(current) = next {
        if let Some(found) = current.downcast_ref::<T>() {
            return Some(found);
        }
        let inside = current.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = match inside {
            Some(inside) => Some(inside),
            None => current.source(),
        };
    }
    None
}

fn hyper_cause(error: &reqwest::Error) -> Option<&hyper::Error> {
    cause(error)
}

fn innermost(error: &reqwest::Error) -> String {
    let mut current: &dyn Error = error;
    while let Some(inner) = current.source() {
        current = inner;
    }
    current.to_string()
}
