//! From the entries under `models.providers` and the built-in catalogue to the router's providers.

use std::path::PathBuf;
use std::time::Duration;

use krabba_config::{Clocks, Config, Credential, KeepAlive, Loaded, LocalService, Medium, Mode, Model, Provider, sampling};
use krabba_local::{ServiceSettings, url_residency};
use krabba_net::{Url, base_urls};
use krabba_route::{
    ClockSettings, Compat, Cost, Extras, HostedProvider, Hosting, ModelEntry, Provider as RouteProvider, ResidencySource, catalogue,
    find_hosted,
};
use krabba_types::{BoxId, Dialect, ProviderId, Residency, Secret};
use std::collections::BTreeMap;

use super::keys::keys;
use super::origin::{origin, path};

/// All providers: the user's, in the order of the file, then the built-in ones unless `mode` is `replace`.
pub(crate) fn providers(loaded: &Loaded) -> Vec<RouteProvider> {
    let config = &loaded.config;
    let mut providers: Vec<RouteProvider> =
        config.models.providers.iter().filter_map(|(name, provider)| own(loaded, name, provider)).collect();
    if config.models.mode == Mode::Merge {
        for row in catalogue() {
            if !providers.iter().any(|provider| provider.id.as_str() == row.id) {
                providers.push(built_in(config, loaded, row));
            }
        }
    }
    providers
}

fn built_in(config: &Config, loaded: &Loaded, row: &'static HostedProvider) -> RouteProvider {
    let mut provider = row.provider(|_| None);
    provider.clocks.turn = turn_limit(config);
    let keys = keys(row.id, None, Some(row), &config.auth, &loaded.env);
    provider.keys = keys.found;
    provider.missing_key = keys.missing;
    provider
}

/// A provider of the file. `None` for one without an address, which the configuration's own check has reported.
fn own(loaded: &Loaded, name: &str, provider: &Provider) -> Option<RouteProvider> {
    let row = find_hosted(&provider.id);
    let base_url = provider.server.base_url.clone().or_else(|| row.map(|row| row.base_url.to_owned()))?;
    let dialect = provider.server.api.unwrap_or_else(|| usual_dialect(&provider.id, row));
    let keys = keys(provider.id.as_str(), Some(provider), row, &loaded.config.auth, &loaded.env);
    let (residency, residency_source) = residency(provider, row, &base_url);
    let mut headers = headers(&provider.server.headers);
    if let Some(request) = &provider.server.request {
        replace(&mut headers, self::headers(&request.headers));
    }
    if provider.server.auth_header == Some(true)
        && let Some(key) = keys.found.first()
    {
        let bearer = Secret::new(format!("Bearer {}", key.secret.expose()));
        replace(&mut headers, vec![("authorization".to_owned(), bearer)]);
    }
    let needs_key = residency.leaves_home();
    Some(RouteProvider {
        id: provider.id.clone(),
        dialect,
        missing_key: keys.missing.filter(|_| needs_key || matches!(provider.server.api_key, Some(Credential::Missing { .. }))),
        keys: keys.found,
        headers,
        hosting: Hosting {
            box_id: box_id(provider, &base_url),
            residency_source,
            slots: provider.stand.slots,
            probe: provider.stand.probe.unwrap_or(!residency.leaves_home()),
            service: provider.local_service.as_ref().map(|service| self::service(loaded, &provider.id, service, &base_url)),
        },
        residency,
        clocks: clocks(&loaded.config, provider, origin(loaded, &path(["models", "providers", name, "clocks"]))),
        extras: Extras {
            routing: provider.stand.routing.clone(),
            keep_alive: provider.stand.keep_alive.as_ref().map(|keep_alive| match keep_alive {
                KeepAlive::Seconds(seconds) => seconds.to_string(),
                KeepAlive::Text(text) => text.clone(),
            }),
            ttl: provider.stand.ttl,
        },
        models: provider.models.iter().map(|model| entry(provider, model)).collect(),
        base_url,
        origin: origin(loaded, &path(["models", "providers", name])),
        builtin: false,
    })
}

/// Ollama is spoken to natively unless the file says otherwise: its OpenAI-style API drops `num_ctx` and cuts silently.
fn usual_dialect(id: &ProviderId, row: Option<&HostedProvider>) -> Dialect {
    match row {
        Some(row) => row.dialect,
        None if id.as_str() == "ollama" => Dialect::Ollama,
        None => Dialect::OpenAiCompletions,
    }
}

fn residency(provider: &Provider, row: Option<&HostedProvider>, base_url: &str) -> (Residency, ResidencySource) {
    if let Some(declared) = provider.stand.declared_residency() {
        return (declared, ResidencySource::Declared);
    }
    if let Some(row) = row
        && row.base_url.trim_end_matches('/') == base_url.trim_end_matches('/')
    {
        return (row.residency(), ResidencySource::Declared);
    }
    match first_url(base_url) {
        Some(url) => (url_residency(&url), ResidencySource::Inferred),
        None => (Residency::Hosted, ResidencySource::Inferred),
    }
}

fn first_url(base_url: &str) -> Option<Url> {
    base_urls(base_url).into_iter().next()
}

fn box_id(provider: &Provider, base_url: &str) -> BoxId {
    if let Some(name) = &provider.stand.box_name {
        return BoxId::named(name);
    }
    let url = first_url(base_url);
    match url.as_ref().and_then(|url| Some((url.scheme(), url.host_str()?, url.port_or_known_default()?))) {
        Some((scheme, host, port)) => BoxId::of_address(scheme, host, port),
        None => BoxId::named(base_url),
    }
}

fn clocks(config: &Config, provider: &Provider, origin: String) -> ClockSettings {
    let Clocks { connect, headers, first_token, gap, load, turn } = provider.stand.clocks.unwrap_or_default();
    ClockSettings {
        connect: seconds(connect),
        headers: seconds(headers),
        first_token: seconds(first_token),
        gap: seconds(gap),
        whole: seconds(turn),
        turn: turn_limit(config),
        load: seconds(load),
        timeout: seconds(provider.server.timeout_seconds),
        origin: Some(origin),
    }
}

/// OpenClaw's limit for a turn.
fn turn_limit(config: &Config) -> Option<Duration> {
    seconds(config.agents.defaults.timeout_seconds)
}

/// Seconds as the user wrote them; what is no duration (checked before) counts as not given.
pub(super) fn seconds(value: Option<f64>) -> Option<Duration> {
    value.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
}

pub(super) fn headers(configured: &BTreeMap<String, Credential>) -> Vec<(String, Secret)> {
    configured.iter().filter_map(|(name, value)| Some((name.to_lowercase(), value.secret()?.clone()))).collect()
}

fn replace(headers: &mut Vec<(String, Secret)>, over: Vec<(String, Secret)>) {
    headers.retain(|(name, _)| !over.iter().any(|(other, _)| other == name));
    headers.extend(over);
}

fn service(loaded: &Loaded, id: &ProviderId, service: &LocalService, base_url: &str) -> ServiceSettings {
    let home = loaded.env.get("HOME").map(PathBuf::from).unwrap_or_default();
    let expanded = |text: &str| text.strip_prefix("~/").map_or_else(|| PathBuf::from(text), |rest| home.join(rest));
    let health_url = service.health_url.clone().unwrap_or_else(|| format!("{}/models", base_url.trim_end_matches('/')));
    ServiceSettings {
        name: id.to_string(),
        command: expanded(&service.command),
        args: service.args.clone(),
        cwd: service.cwd.as_deref().map(expanded),
        env: service.env.iter().filter_map(|(name, value)| Some((name.clone(), value.secret()?.clone()))).collect(),
        health_url,
        ready_timeout: Duration::from_millis(service.ready_timeout_ms.unwrap_or(120_000)),
        idle_stop: service.idle_stop_ms.filter(|ms| *ms > 0).map(Duration::from_millis),
    }
}

fn entry(provider: &Provider, model: &Model) -> ModelEntry {
    let sampling = sampling([&provider.defaults.params, &model.params]);
    let windows = [model.context_window.or(provider.defaults.context_window), model.context_tokens.or(provider.defaults.context_tokens)];
    ModelEntry {
        id: model.id.clone(),
        name: model.name.clone(),
        dialect: model.api,
        reasoning: model.reasoning,
        vision: model.input.as_ref().map(|input| input.contains(&Medium::Image)),
        window: windows.into_iter().flatten().min(),
        max_output: model.max_tokens.or(sampling.max_tokens).or(provider.defaults.max_tokens),
        cost: model.cost.map(|cost| Cost {
            input: cost.input.unwrap_or(0.0),
            output: cost.output.unwrap_or(0.0),
            cache_read: cost.cache_read.unwrap_or(0.0),
            cache_write: cost.cache_write.unwrap_or(0.0),
        }),
        compat: serde_json::from_value::<Compat>(serde_json::Value::Object(model.compat.clone())).unwrap_or_default(),
        params: sampling.params,
        headers: headers(&model.headers),
    }
}
