//! How far away a host is, judged by its name alone; nothing is resolved.

use std::net::{IpAddr, Ipv6Addr};

use url::{Host, Url};

/// How far a request travels, as far as its URL tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reach {
    /// This machine: `localhost`, `127.0.0.0/8`, `::1`, and the unspecified address that servers print as their own.
    Loopback,
    /// The owner's network: private and link-local addresses, names without a dot, and names under `.local`, `.lan`,
    /// `.internal`, `.home.arpa` and `.localdomain`.
    Private,
    /// Everything else.
    Public,
}

/// Judges the host of `url`. A URL without a host is [`Reach::Public`], the careful answer.
pub fn reach(url: &Url) -> Reach {
    match url.host() {
        Some(Host::Ipv4(address)) => of_address(IpAddr::V4(address)),
        Some(Host::Ipv6(address)) => of_address(IpAddr::V6(address)),
        Some(Host::Domain(name)) => of_name(name),
        None => Reach::Public,
    }
}

fn of_name(name: &str) -> Reach {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    if is_localhost(&name) {
        return Reach::Loopback;
    }
    let private = [".local", ".lan", ".internal", ".home.arpa", ".localdomain"];
    if !name.contains('.') || private.iter().any(|suffix| name.ends_with(suffix)) { Reach::Private } else { Reach::Public }
}

/// Whether `name` means this machine wherever it is used (RFC 6761).
pub(crate) fn is_localhost(name: &str) -> bool {
    name == "localhost" || name.ends_with(".localhost")
}

fn of_address(address: IpAddr) -> Reach {
    match address {
        IpAddr::V4(address) if address.is_loopback() || address.is_unspecified() => Reach::Loopback,
        IpAddr::V4(address) => {
            // 100.64.0.0/10 is what Tailscale and carrier NAT hand out: somebody's own network, not the open one.
            let [first, second, ..] = address.octets();
            let shared = first == 100 && (64..128).contains(&second);
            if address.is_private() || address.is_link_local() || shared { Reach::Private } else { Reach::Public }
        }
        IpAddr::V6(address) => of_v6(address),
    }
}

fn of_v6(address: Ipv6Addr) -> Reach {
    if let Some(mapped) = address.to_ipv4_mapped() {
        return of_address(IpAddr::V4(mapped));
    }
    if address.is_loopback() || address.is_unspecified() {
        Reach::Loopback
    } else if address.is_unique_local() || address.is_unicast_link_local() {
        Reach::Private
    } else {
        Reach::Public
    }
}
