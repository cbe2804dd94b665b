//! A host that may be reached.

use std::net::IpAddr;

use krabba_net::is_public;

use crate::SandboxError;

/// Ports of a host that was granted without one.
const USUAL_PORTS: [u16; 2] = [443, 80];

/// `example.com`, `example.com:8443`, `192.168.1.4:8080`, `[fd00::1]:80`; or all of the open internet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Granted {
    /// This one.
    Host {
        /// In lower case, without a dot at the end.
        host: String,
        /// Only this one; else the usual ones.
        port: Option<u16>,
    },
    /// Everything on the open internet, as the owner may allow a server.
    Internet,
}

impl Granted {
    /// Reads a host as it was granted.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (host, port) = authority(text)?;
        Some(Self::Host { host, port })
    }

    /// Whether this is the host, on whatever port.
    pub(crate) fn is_host(&self, name: &str) -> bool {
        matches!(self, Self::Host { host, .. } if host == name)
    }

    /// Whether a request may go there.
    pub(crate) fn allows(&self, host: &str, port: u16) -> bool {
        match self {
            Self::Host { host: granted, port: Some(its) } => granted == host && *its == port,
            Self::Host { host: granted, port: None } => granted == host && USUAL_PORTS.contains(&port),
            Self::Internet => true,
        }
    }

    /// Whether an address that its name leads to may be connected to.
    pub(crate) fn permits(&self, address: IpAddr) -> bool {
        match self {
            Self::Host { host, .. } => is_public(address) || host.parse() == Ok(address) || (host == "localhost" && address.is_loopback()),
            Self::Internet => is_public(address),
        }
    }
}

/// A host as a command may ask for it, in its one spelling: `name`, `name:port`, `[address]:port`.
///
/// # Errors
/// When it is none.
pub fn host(text: &str) -> Result<String, SandboxError> {
    let (host, port) = authority(text.trim()).ok_or_else(|| SandboxError::BadHost { host: text.to_owned() })?;
    Ok(match port {
        None => host,
        Some(port) if host.contains(':') => format!("[{host}]:{port}"),
        Some(port) => format!("{host}:{port}"),
    })
}

/// Takes a host and a port apart: the host in lower case, without brackets and without a dot at its end.
pub(super) fn authority(text: &str) -> Option<(String, Option<u16>)> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (address, rest) = rest.split_once(']')?;
            address.parse::<std::net::Ipv6Addr>().ok()?;
            (address, rest.strip_prefix(':').map(Some).or_else(|| rest.is_empty().then_some(None))?)
        }
        None => match text.split_once(':') {
            // An IPv6 address without brackets has no port.
            Some(_) if text.parse::<std::net::Ipv6Addr>().is_ok() => (text, None),
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let port = match port {
        Some(port) if port.bytes().all(|byte| byte.is_ascii_digit()) => Some(port.parse().ok().filter(|port| *port != 0)?),
        Some(_) => return None,
        None => None,
    };
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte);
    (!host.is_empty() && host.len() <= 253 && host.bytes().all(plain)).then_some((host, port))
}
