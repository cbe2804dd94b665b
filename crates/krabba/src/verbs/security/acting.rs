//! What models may do here: where commands run, what MCP servers reach, and what was opened by hand.

use std::collections::BTreeSet;

use krabba_config::{Credential, Loaded, McpServer};
use krabba_guard::Decoys;
use krabba_sandbox::{Rung, Standing};
use krabba_types::{ModelId, ModelRef, ProviderId};

use super::{Findings, Severity};
use crate::assemble::{Ground, Home, default_agent, is_secret_of_server, selection};

/// Up to here, in billions of parameters, OpenClaw calls a model small.
const SMALL: f64 = 300.0;

/// Where commands and servers run. Tried only where krabba has been before, since looking makes no state.
pub(super) async fn sandbox(home: &Home, loaded: Option<&Loaded>, findings: &mut Findings) {
    if !home.state_dir.is_dir() {
        return;
    }
    let nothing = krabba_config::Config::default();
    let (config, agent) = loaded.map_or((&nothing, None), |loaded| (&loaded.config, default_agent(loaded)));
    match Ground::of(home).standing(config, agent, &Decoys::of("audit")).await {
        Ok(standing) => rung(&standing, findings),
        Err(error) => {
            let remedy = "name a directory of its own as workspace";
            findings.add("sandbox.untried", Severity::Warn, "it cannot be told where commands run", format!("{error:#}"), remedy);
        }
    }
}

pub(super) fn rung(standing: &Standing, findings: &mut Findings) {
    let remedy = standing.remedy().unwrap_or_default();
    let detail = standing.to_string();
    match standing.rung {
        None => findings.add("sandbox.none", Severity::Warn, "nothing here keeps commands in, so that none runs", detail, &remedy),
        Some(Rung::LandlockSeccomp) => {
            let title = "commands run in the weakest sandbox: they see names outside, and what they change stays";
            findings.add("sandbox.last_rung", Severity::Info, title, detail, &remedy);
        }
        Some(Rung::Namespaces | Rung::Bubblewrap) => {}
    }
}

/// What the configuration opens.
pub(super) fn opened(loaded: &Loaded, findings: &mut Findings) {
    let servers = || loaded.config.mcp.servers.iter().filter(|(_, server)| server.enabled != Some(false));
    let mut loose = Vec::new();
    for (id, server) in servers() {
        secrets(id, server, findings);
        if server.command.is_some() && server.sandbox.hosts.iter().any(|host| host == "*") {
            let detail = format!("mcp.servers.{id}.sandbox.hosts");
            let title = "an MCP server may send what it sees anywhere on the internet";
            findings.add("mcp.sandbox.hosts_wildcard", Severity::Warn, title, detail.clone(), "name the hosts that it needs");
            loose.push(detail);
        }
        let free = server.tools.iter().filter(|(_, tool)| tool.critical.as_ref().is_some_and(Vec::is_empty));
        loose.extend(free.map(|(name, _)| format!("mcp.servers.{id}.tools.{name}.critical: []")));
    }
    let fetch = &loaded.config.tools.web.fetch;
    let near = &fetch.ssrf_policy.allowed_hostnames;
    let key = "tools.web.fetch.ssrfPolicy.allowedHostnames";
    if fetch.enabled != Some(false) && !near.is_empty() {
        let title = "pages of your own network are in reach of models";
        findings.add(
            "tools.web.fetch.allowed_hostnames",
            Severity::Info,
            title,
            format!("{key}: {}", near.join(", ")),
            "keep the list short",
        );
    }
    let loose_for = |model: &ModelRef| {
        let fetches = fetch.enabled != Some(false) && selection(loaded, default_agent(loaded)).off_for("web_fetch", model).is_none();
        loose.iter().cloned().chain((fetches && !near.is_empty()).then(|| key.to_owned())).collect::<Vec<_>>()
    };
    for model in small(loaded) {
        let loose = loose_for(&model);
        if !loose.is_empty() {
            let remedy = "small models obey what they read: narrow these, or name the tools that it has in tools.byProvider";
            let title = format!("{model} is small, and more than usual is open to it");
            findings.add("models.small_params", Severity::Warn, title, loose.join("; "), remedy);
        }
    }
}

/// Secrets that stand in the file itself.
fn secrets(id: &str, server: &McpServer, findings: &mut Findings) {
    let literal = |value: &Credential| matches!(value, Credential::Given { source, .. } if source == "configuration");
    let kinds =
        [("config.secrets.mcp_env_in_config", "env", &server.env), ("config.secrets.mcp_headers_in_config", "headers", &server.headers)];
    for (check, key, values) in kinds {
        let found = values.iter().filter(|(name, value)| is_secret_of_server(name, value) && literal(value));
        let names: Vec<String> = found.map(|(name, _)| format!("mcp.servers.{id}.{key}.{name}")).collect();
        if !names.is_empty() {
            let remedy = "put it into the environment or a .env file, and write ${NAME} in its place";
            findings.add(check, Severity::Info, "a secret of an MCP server stands in the configuration", names.join(", "), remedy);
        }
    }
}

/// The configured models whose names say that they are small.
fn small(loaded: &Loaded) -> BTreeSet<ModelRef> {
    let listed = loaded
        .config
        .models
        .providers
        .iter()
        .flat_map(|(_, provider)| provider.models.iter().map(|model| ModelRef::new(provider.id.clone(), model.id.clone())));
    let agents = &loaded.config.agents;
    let choices = agents.defaults.model.iter().chain(agents.list.iter().filter_map(|agent| agent.options.model.as_ref()));
    let chosen = choices.flat_map(|choice| choice.primary.iter().chain(choice.fallbacks.iter().flatten()));
    let chosen =
        chosen.filter_map(|text| text.split_once('/')).map(|(provider, id)| ModelRef::new(ProviderId::new(provider), ModelId::new(id)));
    listed.chain(chosen).filter(|model| billions(model.model.as_str()).is_some_and(|size| size <= SMALL)).collect()
}

/// The largest size that a name tells: `8b`, `0.6b`, `a3b`, `8x7b`.
pub(super) fn billions(name: &str) -> Option<f64> {
    let name = name.to_ascii_lowercase();
    let words = name.split(|character: char| !character.is_ascii_alphanumeric() && character != '.');
    let sizes = words.filter_map(|word| {
        let number = word.strip_suffix('b')?;
        let digits = number.trim_start_matches(|character: char| !character.is_ascii_digit());
        digits.rsplit(|character: char| !character.is_ascii_digit() && character != '.').next()?.parse::<f64>().ok()
    });
    sizes.fold(None, |largest: Option<f64>, size| Some(largest.map_or(size, |largest| largest.max(size))))
}
