//! Looking around: the usual ports of this machine, of the host when we are in a container, and what the environment names.

use std::time::Duration;

use futures_util::future::join_all;
use krabba_net::HttpClient;
use krabba_types::ServerKind;

use crate::Endpoint;
use crate::endpoint::USUAL_PORTS;
use crate::probe::probe;
use crate::report::{Report, Tried};
use crate::surroundings::{LmStudioTrace, Surroundings};

/// What was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Discovery {
    /// The servers that answered, loopback first, each once.
    pub found: Vec<Report>,
    /// Everything that was asked, the servers' own questions included, for "what was tried".
    pub tried: Vec<Tried>,
    /// For a person: what is here but switched off, and how to switch it on.
    pub hints: Vec<String>,
}

/// Looks on all usual ports at the same time, for `budget` at most (3 s is what a person waits). Loads and wakes nothing; where nothing listens,
/// that is no error.
///
/// The addresses looked at are permitted at the client's egress guard: they are this machine, in a container its host, and what the user's own
/// environment names.
pub async fn discover(http: &HttpClient, surroundings: &Surroundings, budget: Duration) -> Discovery {
    discover_at(http, addresses(surroundings, &USUAL_PORTS), surroundings, budget).await
}

/// The same for given addresses.
pub(crate) async fn discover_at(http: &HttpClient, addresses: Vec<String>, surroundings: &Surroundings, budget: Duration) -> Discovery {
    let endpoints: Vec<Endpoint> = addresses.into_iter().map(Endpoint::new).collect();
    let probes = endpoints.iter().map(|endpoint| probe(http, endpoint, budget));
    let mut discovery = Discovery { found: Vec::new(), tried: Vec::new(), hints: Vec::new() };
    for outcome in join_all(probes).await {
        match outcome {
            Ok(report) => {
                discovery.tried.extend(report.tried.iter().cloned());
                if !discovery.found.iter().any(|known| is_same(known, &report)) {
                    discovery.found.push(report);
                }
            }
            Err(error) => discovery.tried.extend(error.tried),
        }
    }
    discovery.hints = hints(&discovery.found, surroundings.lm_studio);
    discovery
}

/// What the environment names goes first, then loopback, then the host of a container.
pub(crate) fn addresses(surroundings: &Surroundings, ports: &[u16]) -> Vec<String> {
    let mut addresses = surroundings.named.clone();
    let hosts = ["localhost".to_owned()].into_iter().chain(surroundings.hosts.iter().cloned());
    for host in hosts {
        addresses.extend(ports.iter().map(|port| format!("http://{host}:{port}")));
    }
    addresses
}

/// In a container the host's alias and the gateway are one machine, and a variable may name what a usual port has too.
fn is_same(one: &Report, other: &Report) -> bool {
    let port = |report: &Report| krabba_net::Url::parse(&report.url).ok().and_then(|url| url.port_or_known_default());
    one.kind == other.kind
        && port(one) == port(other)
        && one.models.iter().map(|model| &model.id).eq(other.models.iter().map(|model| &model.id))
}

fn hints(found: &[Report], lm_studio: LmStudioTrace) -> Vec<String> {
    let answers = found.iter().any(|report| report.kind == ServerKind::LmStudio);
    let text = match lm_studio {
        LmStudioTrace::Running if !answers => {
            "LM Studio is open, but its server is off: open its Developer tab and switch \"Status\" to Running, or type `lms server start`"
        }
        LmStudioTrace::Installed if !answers => {
            "LM Studio is installed, but it is not running: open it and start its server in the Developer tab, or type `lms server start`"
        }
        LmStudioTrace::None | LmStudioTrace::Installed | LmStudioTrace::Running => return Vec::new(),
    };
    vec![text.to_owned()]
}
