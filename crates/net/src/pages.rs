//! Pages of the open web, which somebody may name who is not to be trusted.
//!
//! Whoever chooses an address could reach through this process what only this machine reaches: a router, a database, a cloud's metadata. So an
//! address is judged twice. As it is written, before anything is asked: scheme, credentials, and a host that is an address in whatever form
//! (the parser turns `0x7f.1` into `127.0.0.1`). And as it is resolved: the connector gets addresses of the open internet or none, so that
//! what was checked is what is connected to, whatever the name means a moment later. Each redirect is judged like the first address.
//!
//! Nothing is sent but the request for the page, with a key where the owner bound one to the host: no cookie, no referrer, and never through a proxy, which would resolve the name itself.

use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use http::{HeaderValue, Method, header};
use krabba_types::Secret;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

use crate::error::cause;
use crate::{HttpResponse, NetError, Reach, client, display_url, is_public, reach, resolver, tls};

/// How often a server may send on.
const MAX_REDIRECTS: usize = 5;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

const ACCEPT: &str = "text/markdown, text/html;q=0.9, text/plain;q=0.8, application/json;q=0.8, */*;q=0.5";

/// Gets pages. Clones share the owner's exceptions.
#[derive(Clone, Debug, Default)]
pub struct Pages {
    near: Arc<[String]>,
}

/// What came.
#[derive(Clone, Debug)]
pub struct Page {
    /// Where from, after all redirects.
    pub url: Url,
    /// Who sent on there.
    pub through: Vec<Url>,
    /// The status.
    pub status: u16,
    /// The media type with its parameters, as the server wrote it.
    pub content_type: Option<String>,
    /// The body after decompression.
    pub body: Bytes,
    /// Whether that is all of it.
    pub extent: PageExtent,
}

/// How much of a page there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageExtent {
    /// All of it.
    Whole,
    /// Its beginning: it is longer than the limit.
    Beginning,
}

/// Why there is no page. `Display` is for models and people.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// Not a scheme of the web.
    #[error("only http and https addresses can be fetched")]
    Scheme,
    /// A name or a password is in the address.
    #[error("an address with a name or password in it is not fetched")]
    Credentials,
    /// It is this machine, or one of a network of its owner.
    #[error(
        "{host} is not on the open internet (rule open-web-only); the owner can name it in tools.web.fetch.ssrfPolicy.allowedHostnames"
    )]
    Near {
        /// Which.
        host: String,
    },
    /// It sends on and on.
    #[error("it was sent on more than {MAX_REDIRECTS} times")]
    Redirects,
    /// It sends on to nowhere.
    #[error("it was sent on to something that is no address")]
    Location,
    /// Something of the network.
    #[error(transparent)]
    Net(#[from] NetError),
}

impl Pages {
    /// Pages of the open web, and of these hosts (`nas.lan`, or `nas.lan:8080` for one port alone), which their owner named.
    pub fn new(near: impl IntoIterator<Item = String>) -> Self {
        Self { near: near.into_iter().map(|host| host.trim().to_ascii_lowercase()).collect() }
    }

    /// Judges an address as it is written.
    ///
    /// # Errors
    /// [`PageError`]: every kind but those of the network.
    pub fn check(&self, url: &Url) -> Result<(), PageError> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(PageError::Scheme);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(PageError::Credentials);
        }
        let open = match url.host() {
            Some(Host::Ipv4(address)) => is_public(IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => is_public(IpAddr::V6(address)),
            Some(Host::Domain(_)) => reach(url) == Reach::Public,
            None => false,
        };
        if open || self.names(url) { Ok(()) } else { Err(near(url)) }
    }

    /// Gets a page, at most `limit` bytes of it. The header goes where `url` leads, and nowhere else that is sent on to. Without a limit of time but that for connecting; dropping the future ends it.
    ///
    /// # Errors
    /// [`PageError`].
    pub async fn get(&self, url: &Url, header: Option<(&str, &Secret)>, limit: usize) -> Result<Page, PageError> {
        let first = url;
        let (mut url, mut through) = (url.clone(), Vec::new());
        for _ in 0..=MAX_REDIRECTS {
            self.check(&url)?;
            // What its owner named is for them: no other page sends there.
            if self.names(&url) && url.origin() != first.origin() {
                return Err(near(&url));
            }
            let response = self.ask(&url, header.filter(|_| url.origin() == first.origin())).await?;
            let sent_on = matches!(response.status, 301 | 302 | 303 | 307 | 308).then(|| response.header("location")).flatten();
            match sent_on {
                Some(location) => {
                    let next = url.join(location).map_err(|_| PageError::Location)?;
                    through.push(std::mem::replace(&mut url, next));
                }
                None => return page(url, through, response, limit).await,
            }
        }
        Err(PageError::Redirects)
    }

    async fn ask(&self, url: &Url, header: Option<(&str, &Secret)>) -> Result<HttpResponse, PageError> {
        let no_client = |reason: String| NetError::Tls { url: display_url(url), reason };
        let trust = if url.scheme() == "https" { tls::trusting_the_system() } else { tls::trusting_nobody() };
        let trust = trust.map_err(|error| no_client(format!("no usable system certificates ({error})")))?;
        let resolver = OpenWeb { leads: self.leads(url) };
        // One client a page: nothing is kept between two of them.
        let client = client::builder(CONNECT_TIMEOUT).no_proxy().dns_resolver(resolver).tls_backend_preconfigured(trust).build();
        let client = client.map_err(|error| no_client(error.without_url().to_string()))?;
        let mut request = reqwest::Request::new(Method::GET, url.clone());
        request.headers_mut().insert(header::ACCEPT, HeaderValue::from_static(ACCEPT));
        if let Some((name, value)) = header {
            let (name, value) = client::header(url, name, value.expose())?;
            request.headers_mut().insert(name, value);
        }
        match client.execute(request).await {
            Ok(response) => Ok(HttpResponse::new(url, response)),
            Err(error) if cause::<NotOpen>(&error).is_some() => Err(near(url)),
            Err(error) => Err(NetError::of_head(url, CONNECT_TIMEOUT, client::HEADER_BYTES, error).into()),
        }
    }

    /// Where the name in this address may lead. A name of the owner's own network can look like one of the open internet, so that an
    /// exception for one of its ports is none for the others.
    pub(crate) fn leads(&self, url: &Url) -> Leads {
        if self.names(url) { Leads::Anywhere } else { Leads::Out }
    }

    /// Whether the owner named this host, and where they named a port, this one.
    fn names(&self, url: &Url) -> bool {
        let Some(host) = url.host_str() else { return false };
        let host = host.trim_end_matches('.');
        let port = url.port_or_known_default().unwrap_or_default();
        self.near.iter().any(|named| named == host || *named == format!("{host}:{port}"))
    }
}

fn near(url: &Url) -> PageError {
    PageError::Near { host: url.host_str().unwrap_or_default().to_owned() }
}

async fn page(url: Url, through: Vec<Url>, response: HttpResponse, limit: usize) -> Result<Page, PageError> {
    let (status, content_type) = (response.status, response.header("content-type").map(str::to_owned));
    let (mut body, mut extent) = (BytesMut::new(), PageExtent::Whole);
    let mut chunks = response.chunks();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk?;
        let room = limit.saturating_sub(body.len());
        body.extend_from_slice(chunk.get(..room.min(chunk.len())).unwrap_or_default());
        if chunk.len() > room {
            extent = PageExtent::Beginning;
            break;
        }
    }
    Ok(Page { url, through, status, content_type, body: body.freeze(), extent })
}

/// Where a name may lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leads {
    /// To the open internet alone.
    Out,
    /// To wherever it leads: its owner named it.
    Anywhere,
}

/// Gives the addresses of one page's host.
struct OpenWeb {
    leads: Leads,
}

/// A name that leads to this machine or its network. A type of its own, to be found again in the error chain of the HTTP library.
#[derive(Debug, thiserror::Error)]
#[error("the name leads to an address that is not on the open internet")]
struct NotOpen;

impl Resolve for OpenWeb {
    fn resolve(&self, name: Name) -> Resolving {
        let leads = self.leads;
        Box::pin(async move {
            let addresses: Addrs = Box::new(addresses(name.as_str(), leads).await?.into_iter());
            Ok(addresses)
        })
    }
}

/// The addresses of a name, where it leads nowhere that it may not.
pub(crate) async fn addresses(name: &str, leads: Leads) -> Result<Vec<SocketAddr>, Box<dyn Error + Send + Sync>> {
    let addresses = resolver::addresses(name).await?;
    // A name that leads to both is one that somebody made so.
    if leads == Leads::Out && addresses.iter().any(|address| !is_public(address.ip())) {
        return Err(NotOpen.into());
    }
    Ok(addresses)
}
