//! Names to addresses.
//!
//! `localhost` is answered here, with both loopback addresses: a hosts file often knows one of them only, while the
//! server listens on the other (LM Studio on `127.0.0.1`, some Node servers on `::1`). The connector then tries
//! both. It also saves the look-up's thread for the commonest case. Everything else asks the system.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::reach::is_localhost;

pub(crate) struct Resolver;

/// No address for a name. A type of its own, to be found again in the error chain of the HTTP library.
#[derive(Debug, thiserror::Error)]
#[error("cannot resolve the host name")]
pub(crate) struct ResolveError {
    source: Option<std::io::Error>,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let addresses: Addrs = Box::new(addresses(name.as_str()).await?.into_iter());
            Ok(addresses)
        })
    }
}

/// The addresses of a name, at least one.
pub(crate) async fn addresses(name: &str) -> Result<Vec<SocketAddr>, ResolveError> {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    if is_localhost(&name) {
        let both = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
        return Ok(both.into_iter().map(|address| SocketAddr::new(address, 0)).collect());
    }
    let found = tokio::net::lookup_host((name.as_str(), 0)).await.map_err(|source| ResolveError { source: Some(source) })?;
    let found: Vec<SocketAddr> = found.collect();
    if found.is_empty() { Err(ResolveError { source: None }) } else { Ok(found) }
}
