//! Looking for servers, and telling what was found.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use krabba_local::{
    Discovery, Endpoint, Machine, Recommendation, Report, ServerModel, ServerState, Surroundings, Tried, TriedOutcome, discover, probe,
    recommend,
};
use krabba_net::{Egress, HttpClient, Reach, Url, base_urls, reach};
use krabba_types::{Secret, ServerKind, grouped};

use super::Named;
use super::entry::{Key, is_hosted, provider_name};
use super::question::{self, says_not_no, somebody_is_there};
use crate::assemble::{Home, usual_variable};
use crate::failure::Failure;

/// What a person waits for.
const BUDGET: Duration = Duration::from_millis(2_800);

/// Servers, and which model to begin with.
#[derive(Clone, Debug)]
pub(super) struct Found {
    /// In the order in which they were found.
    pub(super) reports: Vec<Report>,
    /// The key of the one server that a person named.
    pub(super) key: Option<Key>,
    /// A person named the server, or typed its key: their word that it may be used, however far a conversation travels there.
    pub(super) named: bool,
    /// The model to begin with.
    pub(super) recommendation: Recommendation,
}

impl Found {
    /// What the recommended model's server says about itself.
    pub(super) fn recommended(&self) -> Result<&Report> {
        self.reports.iter().find(|report| report.url == self.recommendation.url).context("the recommended server is gone")
    }
}

/// Looks on the usual ports of this machine.
///
/// # Errors
/// When there is no usable server: what was tried, what answered, and what to start.
pub(super) async fn find(home: &Home) -> Result<Found> {
    let discovery = look_around(home).await;
    found(&discovery).ok_or_else(|| Failure::Unserved(nothing(&discovery)).into())
}

/// The same; where all there is wants a key, a person on a terminal is asked for it.
///
/// # Errors
/// As [`find`], and as [`find_at`].
pub(super) async fn find_or_ask(home: &Home) -> Result<Found> {
    let discovery = look_around(home).await;
    if let Some(found) = found(&discovery) {
        return Ok(found);
    }
    match discovery.found.iter().find(|report| report.state == ServerState::NeedsKey) {
        Some(locked) if somebody_is_there() => find_at(home, &Named { url: locked.url.clone(), key_env: None }).await,
        Some(_) | None => Err(Failure::Unserved(nothing(&discovery)).into()),
    }
}

async fn look_around(home: &Home) -> Discovery {
    let http = HttpClient::new(Egress::none());
    let surroundings = Surroundings::detect(|name| home.env.get(name).map(str::to_owned));
    discover(&http, &surroundings, BUDGET).await
}

fn found(discovery: &Discovery) -> Option<Found> {
    let reports = discovery.found.clone();
    let recommendation = recommend(&reports, &Machine::detect())?;
    Some(Found { reports, key: None, named: false, recommendation })
}

/// Asks the server at a URL that a person named. If it wants a key, the variable that they named is used; else they are asked, and where
/// they cannot be, the variable that is usual for such a server is used.
///
/// # Errors
/// When nothing usable is there.
pub(super) async fn find_at(home: &Home, named: &Named) -> Result<Found> {
    let url = &named.url;
    let egress = Egress::none();
    base_urls(url).iter().for_each(|candidate| egress.allow(candidate));
    let http = HttpClient::new(egress);
    let mut endpoint = Endpoint::new(url);
    let mut key = match &named.key_env {
        Some(variable) if !is_known_to_the_file(variable) => {
            bail!("\"{variable}\" cannot stand in the configuration: names of variables there are capital letters, digits and _")
        }
        Some(variable) if value_of(home, variable).is_none() => bail!("{variable} is not set"),
        Some(variable) => Some(Key::Variable(variable.clone())),
        None => None,
    };
    loop {
        endpoint.key = key.as_ref().and_then(|key| secret(home, key));
        let report = probe(&http, &endpoint, BUDGET * 2).await?;
        match &report.state {
            ServerState::NeedsKey | ServerState::KeyRefused => key = Some(other_key(home, &report, url, key.as_ref())?),
            ServerState::Failing { reason } => bail!("{} at {url}: {reason}", report.kind.name()),
            ServerState::Up | ServerState::Loading { .. } => return found_at(report, url, key),
        }
    }
}

fn found_at(report: Report, url: &str, key: Option<Key>) -> Result<Found> {
    // A box of one's own network has its own memory, of which nothing is known here.
    let reports = vec![report];
    match recommend(&reports, &Machine::default()) {
        Some(recommendation) => Ok(Found { reports, key, named: true, recommendation }),
        None => bail!("the server at {url} answers, but has no model to talk to; load or download one there"),
    }
}

/// The key to try next, after `tried`.
fn other_key(home: &Home, report: &Report, url: &str, tried: Option<&Key>) -> Result<Key> {
    // Without a key most servers do not say what they are.
    let server = if report.kind == ServerKind::Other { "the server" } else { report.kind.name() };
    let usual = usual_variable(provider_name(report.kind));
    // Whoever listens there may only say that it is such a server; a key goes out at a person's word.
    let may_have = |variable: &str| says_not_no(&format!("{server} at {url} wants a key. Give it the one in {variable}?"));
    if let (None, Some(variable)) = (tried, usual.filter(|variable| value_of(home, variable).is_some()))
        && (!somebody_is_there() || may_have(variable)?)
    {
        return Ok(Key::Variable(variable.to_owned()));
    }
    let why = match tried {
        None => "wants a key".to_owned(),
        Some(Key::Typed(_)) => "does not take this key".to_owned(),
        Some(Key::Variable(variable)) => format!("does not take the key in {variable}"),
    };
    match question::key(&format!("{server} at {url} {why}. Key (it is not shown): "))? {
        Some(key) => Ok(Key::Typed(key)),
        None => {
            let usual = usual.filter(|_| tried.is_none()).map(|variable| format!("set {variable}, or ")).unwrap_or_default();
            bail!("{server} at {url} {why}; {usual}name the variable that holds it: krabba onboard {url} --key-env VARIABLE")
        }
    }
}

fn secret(home: &Home, key: &Key) -> Option<Secret> {
    match key {
        Key::Typed(secret) => Some(secret.clone()),
        Key::Variable(variable) => value_of(home, variable).map(Secret::new),
    }
}

/// Whether `${variable}` means something there.
fn is_known_to_the_file(variable: &str) -> bool {
    let capital = |c: char| c.is_ascii_uppercase() || c == '_';
    variable.starts_with(capital) && variable.chars().all(|c| capital(c) || c.is_ascii_digit())
}

fn value_of<'a>(home: &'a Home, variable: &str) -> Option<&'a str> {
    home.env.get(variable).filter(|value| !value.is_empty())
}

/// What was tried, what answered, what to start.
fn nothing(discovery: &Discovery) -> String {
    let mut text = String::from("no model server with a usable model was found on this machine.\n");
    for report in &discovery.found {
        let state = match &report.state {
            ServerState::NeedsKey => format!("wants a key: krabba onboard {}", report.url),
            ServerState::KeyRefused => "does not take the key".to_owned(),
            ServerState::Failing { reason } => reason.clone(),
            ServerState::Up | ServerState::Loading { .. } => "has no model to talk to; load or download one there".to_owned(),
        };
        text.push_str(&format!("  {} at {} {state}\n", report.kind.name(), report.url));
    }
    let strangers: Vec<&Tried> = discovery.tried.iter().filter(|tried| is_stranger(&tried.outcome)).collect();
    if discovery.found.is_empty() && !strangers.is_empty() {
        text.push_str("something answered, but not as a model server does:\n");
        strangers.iter().take(6).for_each(|tried| text.push_str(&format!("  {tried}\n")));
    }
    text.push_str(&format!("tried: {}\n", tried(&discovery.tried)));
    if discovery.hints.is_empty() {
        text.push_str(
            "start one of these and try again:\n  \
             LM Studio: Developer tab, Start server\n  \
             Ollama: ollama serve, then ollama pull qwen3:8b\n  \
             llama.cpp: llama-server -m model.gguf -c 16384\n",
        );
    }
    discovery.hints.iter().for_each(|hint| text.push_str(&format!("{hint}\n")));
    text.push_str("a server on another machine: krabba onboard http://192.168.1.20:1234");
    text
}

/// Somebody is there who is no model server.
fn is_stranger(outcome: &TriedOutcome) -> bool {
    match outcome {
        TriedOutcome::Status(_) | TriedOutcome::NotThis => true,
        // Time runs out for hosts that are not there, too.
        TriedOutcome::Answered | TriedOutcome::NothingThere | TriedOutcome::TimedOut | TriedOutcome::Failed(_) => false,
    }
}

/// `localhost on ports 1234, 8080, 11434; host.docker.internal on …`. All names of this machine are one.
fn tried(tried: &[Tried]) -> String {
    let mut ports: BTreeMap<String, BTreeSet<u16>> = BTreeMap::new();
    for url in tried.iter().filter_map(|tried| Url::parse(&tried.url).ok()) {
        let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else { continue };
        let here = matches!(reach(&url), Reach::Loopback);
        ports.entry(if here { "localhost".to_owned() } else { host.to_owned() }).or_default().insert(port);
    }
    let hosts: Vec<String> = ports
        .into_iter()
        .map(|(host, ports)| format!("{host} on ports {}", ports.iter().map(u16::to_string).collect::<Vec<_>>().join(", ")))
        .collect();
    hosts.join("; ")
}

/// One line about a model: `qwen3-8b · loaded, window 8,192 · 8.2 B parameters · Q4_K_M`.
pub(crate) fn describe_model(report: &Report, model: &ServerModel) -> String {
    let mut parts = vec![model.id.to_string()];
    let window = model.window.map(|window| format!("window {}", grouped(window)));
    match (model.loaded, window) {
        (Some(true), Some(window)) => parts.push(format!("loaded, {window}")),
        (Some(true), None) => parts.push("loaded".to_owned()),
        (Some(false) | None, Some(window)) => parts.push(window),
        (Some(false), None) => parts.push("not loaded".to_owned()),
        (None, None) => {}
    }
    if model.loading {
        parts.push("loading".to_owned());
    }
    if let Some(parameters) = model.weights.parameters.filter(|billions| *billions >= 0.05) {
        parts.push(format!("{parameters:.1} B parameters"));
    }
    if let Some(quantization) = &model.weights.quantization {
        parts.push(quantization.clone());
    }
    if let Some(host) = &model.remote_host {
        parts.push(format!("passed on to {host}"));
    }
    if is_hosted(report, &model.id).is_some() {
        parts.push("counts as hosted".to_owned());
    }
    format!("{} ({})", parts.join(" · "), report.kind.name())
}
