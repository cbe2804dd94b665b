//! How far a conversation travels, judged by an address and by what the server said about itself.
//!
//! Near is believed only while nothing speaks against it: a proxy on this machine that goes on to somebody's cloud is as far away as
//! that cloud.

use std::fmt;
use std::net::Ipv4Addr;

use krabba_net::{Reach, Url, reach};
use krabba_types::{ModelId, Residency, ServerKind};

use crate::Report;

/// Names by which a container reaches the machine that it runs on (Docker, Podman).
pub(crate) const HOST_ALIASES: [&str; 2] = ["host.docker.internal", "host.containers.internal"];

/// How far away `url` is by itself: loopback and the host's aliases inside a container are this machine; private address ranges, names
/// without a dot and `.local`-like names are the home network; all else is hosted. What is somebody's private network, but
/// not surely the owner's, is hosted too until the owner declares it: `.internal` (clouds name their machines so) and
/// 100.64.0.0/10 (carriers, Tailscale).
pub fn url_residency(url: &Url) -> Residency {
    if url.host_str().is_some_and(|host| HOST_ALIASES.iter().any(|alias| host.eq_ignore_ascii_case(alias))) {
        return Residency::Device;
    }
    match reach(url) {
        Reach::Loopback => Residency::Device,
        Reach::Private if may_be_foreign(url) => Residency::Hosted,
        Reach::Private => Residency::Lan,
        Reach::Public => Residency::Hosted,
    }
}

fn may_be_foreign(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_end_matches('.').to_ascii_lowercase();
    let shared = |address: Ipv4Addr| matches!(address.octets(), [100, 64..128, ..]);
    host.ends_with(".internal") || host.parse().is_ok_and(shared)
}

/// The same for an endpoint whose server has been asked. One that forwards to somebody else's machine, or may do so unseen (LiteLLM), is hosted.
pub fn infer_residency(url: &Url, report: &Report) -> Residency {
    let only_remote = !report.models.is_empty() && report.models.iter().all(|model| model.remote_host.is_some());
    if may_forward(report) || only_remote { Residency::Hosted } else { url_residency(url) }
}

fn may_forward(report: &Report) -> bool {
    report.hosted || matches!(report.kind, ServerKind::LiteLlm | ServerKind::OpenAi | ServerKind::Anthropic | ServerKind::OpenRouter)
}

/// The same for one model of it: Ollama lists cloud models among its own (`remote_host`; their names end in `cloud`).
pub fn model_residency(url: &Url, report: &Report, model: &ModelId) -> Residency {
    let forwarded = report.model(model).is_some_and(|model| model.remote_host.is_some());
    let cloud_name = report.kind == ServerKind::Ollama && [":cloud", "-cloud"].iter().any(|suffix| model.as_str().ends_with(suffix));
    if forwarded || cloud_name { Residency::Hosted } else { infer_residency(url, report) }
}

/// Why a model counts as hosted although somebody may think of it as their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WhyHosted {
    /// A sentence for a person, without its end: `LiteLLM may pass conversations on to others, so it counts as hosted`.
    pub because: String,
    /// What its owner may declare for the provider when they know better. None where the server itself says that the model runs elsewhere.
    pub may_be: Option<Residency>,
}

impl fmt::Display for WhyHosted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.because)?;
        match &self.may_be {
            Some(place) => {
                write!(formatter, "; if all that stands behind it is your own, `residency: \"{place}\"` of its provider says so")
            }
            None => Ok(()),
        }
    }
}

/// The reason for which [`model_residency`] leaves home; none for a model at home.
pub fn why_hosted(url: &Url, report: &Report, model: &ModelId) -> Option<WhyHosted> {
    if !model_residency(url, report, model).leaves_home() {
        return None;
    }
    let server = report.kind.name();
    let near = url_residency(url);
    let (because, may_be) = if near.leaves_home() {
        ("its address is outside of your own network".to_owned(), Some(Residency::Lan))
    } else if may_forward(report) {
        (format!("{server} may pass conversations on to others"), Some(near))
    } else {
        let elsewhere = report.model(model).and_then(|model| model.remote_host.as_deref()).unwrap_or("somebody else's machine");
        (format!("{server} only passes it on to {elsewhere}"), None)
    };
    Some(WhyHosted { because: format!("{because}, so it counts as hosted"), may_be })
}
