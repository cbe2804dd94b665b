//! `krabba models status`: the choice, what stands behind it, every server, every key. With OpenClaw's field names.

use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::Result;
use krabba_local::infer_residency;
use krabba_net::Url;
use krabba_route::{Ask, Plan, Provider, ResidencySource};
use krabba_types::{Clock, FactSource, ModelRef, Residency, SystemClock};
use serde_json::{Value, json};

use super::Form;
use super::probe::{Probed, probe};
use crate::assemble::{Home, World};
use crate::verbs::{counted_models, state_words};

/// What is to be told.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wish {
    /// Ask every route for a real token.
    pub(super) probe: bool,
    /// Judge the keys, without any network.
    pub(super) check: bool,
    /// How.
    pub(super) form: Form,
}

/// Prints the status. Exit 1: `--check` and a key is missing, or `--probe` and the default did not answer.
pub(super) async fn run(home: &Home, wish: Wish) -> Result<ExitCode> {
    let (loaded, code) = super::settings(home).await?;
    let world = World::assemble(home, loaded)?;
    if !wish.check {
        world.router.look().await;
    }
    let agent = world.agent(None)?;
    let plan = world.router.plan(&Ask::new(agent.id().clone()));
    let mut probes = Vec::new();
    if wish.probe {
        for candidate in &plan.candidates {
            probes.push(probe(&world, &candidate.reference).await?);
        }
    }
    let missing = missing_keys(&world, &plan);
    let default = default_model(&world, &plan);
    match wish.form {
        Form::Plain => println!("{}", default.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string)),
        Form::Json => println!("{}", serde_json::to_string_pretty(&as_json(home, &world, &plan, &probes, &missing))?),
        Form::Table => as_text(home, &world, &plan, &probes, &missing),
    }
    world.close().await;
    let default_answered = default.is_some_and(|default| probes.iter().any(|probed| probed.reference == default && probed.ok));
    let failed = (wish.check && !missing.is_empty()) || (wish.probe && !default_answered);
    Ok(if failed { ExitCode::FAILURE } else { code })
}

/// The primary as configured, whether or not it may be asked now; without one, the model that answers in its place.
fn default_model(world: &World, plan: &Plan) -> Option<ModelRef> {
    world.configured_primary().and_then(Result::ok).or_else(|| plan.wanted.clone())
}

/// Providers that the choice uses and whose key is not there, with what to set.
fn missing_keys(world: &World, plan: &Plan) -> Vec<(String, String)> {
    let mut used: Vec<_> = plan.candidates.iter().map(|candidate| candidate.reference.provider.clone()).collect();
    used.extend(default_model(world, plan).map(|reference| reference.provider));
    used.extend(world.configured_fallbacks().iter().filter_map(|text| Some(world.router.resolve(text).ok()?.provider)));
    let needs = |provider: &&Provider| used.contains(&provider.id) && provider.keys.is_empty();
    let missing = world.router.providers().iter().filter(needs);
    missing.filter_map(|provider| Some((provider.id.to_string(), provider.missing_key.clone()?))).collect()
}

fn as_json(home: &Home, world: &World, plan: &Plan, probes: &[Probed], missing: &[(String, String)]) -> Value {
    let aliases: BTreeMap<String, String> = world.router.aliases().into_iter().map(|(name, target)| (name, target.to_string())).collect();
    let providers: Vec<Value> = configured(world)
        .map(|provider| {
            json!({
                "provider": provider.id,
                "endpoint": provider.shown_url(),
                "url": world.router.report(&provider.id).map(|report| report.url.clone()),
                "api": provider.dialect.name(),
                "residency": residency(world, provider),
                "effective": effective(world, provider),
                "server": world.router.report(&provider.id).map(|report| report.kind.name()),
                "version": world.router.report(&provider.id).and_then(|report| report.version.clone()),
            })
        })
        .collect();
    let tools: BTreeMap<String, Value> = plan.candidates.iter().map(|candidate| tools(world, plan, &candidate.reference)).collect();
    let missing_names: Vec<&String> = missing.iter().map(|(provider, _)| provider).collect();
    json!({
        "configPath": home.location.path,
        "agentDir": home.state_dir,
        "defaultModel": default_model(world, plan),
        "resolvedDefault": plan.candidates.first().map(|candidate| candidate.reference.to_string()),
        "fallbacks": world.configured_fallbacks(),
        "imageModel": world.configured_image_models().first(),
        "imageFallbacks": world.configured_image_models().iter().skip(1).collect::<Vec<_>>(),
        "aliases": aliases,
        "allowed": world.loaded.config.agents.defaults.models.iter().map(|(reference, _)| reference).collect::<Vec<_>>(),
        "auth": {
            "storePath": home.location.path,
            "shellEnvFallback": { "enabled": false, "appliedKeys": [] },
            "providersWithOAuth": [],
            "missingProvidersInUse": missing_names,
            "providers": providers,
            "unusableProfiles": [],
            "oauth": { "warnAfterMs": 86_400_000, "profiles": [], "providers": [] },
            "probes": probes,
        },
        "routes": plan,
        "tools": tools,
    })
}

/// How a route calls tools, and who says so since when.
fn tools(world: &World, plan: &Plan, reference: &ModelRef) -> (String, Value) {
    let facts = world.router.facts(plan.agent(), reference);
    let (source, at) = facts.tools.map_or((FactSource::Assumed, None), |tools| (tools.source, Some(tools.at)));
    (reference.to_string(), json!({ "ability": facts.tool_mode(), "source": source, "at": at }))
}

/// Where the key that is used first comes from, in OpenClaw's words: `profiles`, `env`, `models.json` (the file's own
/// `apiKey`) or `missing`.
fn effective(world: &World, provider: &Provider) -> Value {
    let Some(key) = provider.keys.first() else {
        return json!({ "kind": "missing", "detail": provider.missing_key.as_deref().unwrap_or("missing") });
    };
    let kind = if world.loaded.config.auth.profiles.get(&key.profile).is_some() {
        "profiles"
    } else if key.profile == provider.id.as_str() {
        "models.json"
    } else {
        "env"
    };
    json!({ "kind": kind, "detail": key.source })
}

/// The user's providers, and the built-in ones that have a key.
fn configured(world: &World) -> impl Iterator<Item = &Provider> {
    world.router.providers().iter().filter(|provider| !provider.builtin || !provider.keys.is_empty())
}

fn as_text(home: &Home, world: &World, plan: &Plan, probes: &[Probed], missing: &[(String, String)]) {
    let none_or = |texts: &[String]| if texts.is_empty() { "-".to_owned() } else { texts.join(", ") };
    let file = if home.has_file() { home.shown(&home.location.path) } else { "none (servers were looked for)".to_owned() };
    println!("Config        : {file}");
    let default = default_model(world, plan).map_or_else(|| "-".to_owned(), |default| default.to_string());
    println!("Default       : {default}");
    let fallbacks = world.configured_fallbacks();
    println!("Fallbacks ({}) : {}", fallbacks.len(), none_or(&fallbacks));
    println!("Image model   : {}", none_or(&world.configured_image_models()));
    if world.router.leads_away(plan) {
        println!("May go        : {}", plan.policy);
    }
    println!("\nServers");
    for provider in configured(world) {
        println!("- {}", server_line(world, provider));
    }
    println!("\nRoutes");
    for candidate in &plan.candidates {
        let facts = world.router.facts(plan.agent(), &candidate.reference);
        println!(
            "- {} ({}): {}, window {}, tools {}",
            candidate.reference,
            candidate.why,
            state_words(candidate.state, SystemClock.now()),
            facts.window.tokens(),
            facts.tools_told()
        );
        world.router.unlisted(&candidate.reference).iter().for_each(|unlisted| println!("  note: {unlisted}"));
    }
    plan.refused.iter().for_each(|refused| println!("- not {}: {}", refused.reference, refused.why));
    for (reference, mismatch) in world.mismatches() {
        println!("  note: {reference}: {mismatch}");
    }
    if !missing.is_empty() {
        println!("\nMissing keys");
        missing.iter().for_each(|(provider, wanted)| println!("- {provider}: set {wanted}"));
    }
    if !probes.is_empty() {
        println!("\nProbes");
        probes.iter().for_each(|probed| println!("- {}", probed.line()));
    }
}

/// How far away it is: as declared, else as its address and what it said of itself tell.
fn residency(world: &World, provider: &Provider) -> Residency {
    let report = world.router.report(&provider.id).filter(|_| provider.hosting.residency_source == ResidencySource::Inferred);
    let said = report.and_then(|report| Some(infer_residency(&Url::parse(&report.url).ok()?, &report)));
    said.unwrap_or_else(|| provider.residency.clone())
}

fn server_line(world: &World, provider: &Provider) -> String {
    let key = provider.keys.first().map_or_else(String::new, |key| format!(", key from {}", key.source));
    let head = format!("{} ({}, {}, {}{key})", provider.id, provider.shown_url(), provider.dialect, residency(world, provider));
    if provider.residency.leaves_home() {
        return head;
    }
    match world.router.report(&provider.id) {
        Some(report) => {
            let version = report.version.as_ref().map(|version| format!(" {version}")).unwrap_or_default();
            format!("{head}: {}{version} answers at {}, {}", report.kind.name(), report.url, counted_models(report.models.len()))
        }
        None if provider.hosting.service.is_some() => format!("{head}: not running; started when it is needed"),
        None if !world.router.was_asked(&provider.id) => format!("{head}: not asked"),
        None => format!("{head}: does not answer"),
    }
}
