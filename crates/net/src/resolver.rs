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
        let name = name.as_str().trim_end_matches('.').to_ascii_lowercase();
        if is_localhost(&name) {
            let both = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
            let addresses: Addrs = Box::new(both.into_iter().map(|address| SocketAddr::new(address, 0)));
            return Box::pin(std::future::ready(Ok(addresses)));
        }
        Box::pin(async move {
            let found: Vec<SocketAddr> = match tokio::net::lookup_host((name.as_str(), 0)).await {
                Ok(addresses) => addresses.collect(),
                Err(source) => return Err(ResolveError { source: Some(source) }.into()),
            };
            if found.is_empty() {
                return Err(ResolveError { source: None }.into());
            }
            let addresses: Addrs = Box::new(found.into_iter());
            Ok(addresses)
        })
    }
}
