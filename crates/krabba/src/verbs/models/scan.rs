//! `krabba models scan`: model servers in reach, whatever the configuration says.

use std::process::ExitCode;

use anyhow::Result;
use krabba_local::Report;
use krabba_route::{Ask, Candidate};
use krabba_types::{ModelRef, RouteState};
use serde_json::{Value, json};

use super::probe::{Probed, probe_calling};
use crate::assemble::{Home, World};
use crate::cli::Output;
use crate::onboard::{self, describe_model};

/// Prints what was found, and with `probe` how each loaded model answers and calls tools.
pub(super) async fn run(home: &Home, url: Option<String>, wants_probe: bool, output: Output) -> Result<ExitCode> {
    let (mut probes, mut places) = (Vec::new(), Vec::new());
    if wants_probe && url.is_none() && home.has_file() {
        places = probe_configured(home, &mut probes).await?;
    }
    let found = match onboard::look(home, url.as_deref()).await {
        // What the configuration names need not be where such servers usually are.
        Err(_) if !probes.is_empty() => None,
        found => Some(found?),
    };
    if let Some(found) = found.as_ref().filter(|_| wants_probe) {
        for report in found.reports().iter().filter(|report| !places.contains(&place(&report.url))) {
            probes.extend(probe_loaded(home, found, report).await?);
        }
    }
    print(found.as_ref(), &probes, output)
}

fn print(found: Option<&onboard::Looked>, probes: &[Probed], output: Output) -> Result<ExitCode> {
    let reports = found.map(onboard::Looked::reports).unwrap_or_default();
    let recommended = found.map(onboard::Looked::recommended);
    if output.json {
        let servers: Vec<Value> = reports.iter().map(as_json).collect();
        let recommended = recommended.map(|model| json!({ "url": model.url, "model": model.model, "why": model.why }));
        let shape = json!({ "servers": servers, "recommended": recommended, "probes": probes });
        println!("{}", serde_json::to_string_pretty(&shape)?);
        return Ok(ExitCode::SUCCESS);
    }
    for report in reports {
        let version = report.version.as_ref().map(|version| format!(" {version}")).unwrap_or_default();
        println!("{}{version} at {}", report.kind.name(), report.url);
        report.models.iter().for_each(|model| println!("  {}", describe_model(report, model)));
    }
    if let Some(recommended) = recommended {
        println!("recommended: {} ({})", recommended.model, recommended.why);
        recommended.warnings.iter().for_each(|warning| println!("  note: {warning}"));
    }
    probes.iter().for_each(|probed| println!("{}", probed.line()));
    Ok(ExitCode::SUCCESS)
}

/// The routes at home that the configuration names and that are in memory, as it names them. Gives where they are.
async fn probe_configured(home: &Home, probes: &mut Vec<Probed>) -> Result<Vec<String>> {
    let world = World::assemble(home, onboard::settings(home).await?)?;
    world.router.look().await;
    let plan = world.router.plan(&Ask::new(world.agent(None)?.id().clone()));
    let loaded =
        |candidate: &&Candidate| matches!(candidate.state, RouteState::Ready | RouteState::Busy) && !candidate.residency.leaves_home();
    let mut places = Vec::new();
    for candidate in plan.candidates.iter().filter(loaded) {
        probes.push(probe_calling(&world, &candidate.reference).await?);
        places.push(place(&candidate.endpoint));
    }
    world.close().await;
    Ok(places)
}

/// A server's address without the path of its interface.
fn place(url: &str) -> String {
    let url = url.trim_end_matches('/');
    url.strip_suffix("/v1").unwrap_or(url).to_owned()
}

/// Only what is in memory is asked: a scan loads nothing.
async fn probe_loaded(home: &Home, found: &onboard::Looked, report: &Report) -> Result<Vec<Probed>> {
    let text = found.settings_for(report);
    let world = World::assemble(home, home.load_text(&text)?)?;
    world.router.look().await;
    let mut probes = Vec::new();
    for model in report.models.iter().filter(|model| model.loaded == Some(true) && model.converses()) {
        if let Some(provider) = world.router.providers().first() {
            probes.push(probe_calling(&world, &ModelRef::new(provider.id.clone(), model.id.clone())).await?);
        }
    }
    world.close().await;
    Ok(probes)
}

fn as_json(report: &Report) -> Value {
    let models: Vec<Value> = report
        .models
        .iter()
        .map(|model| {
            json!({
                "id": model.id,
                "loaded": model.loaded,
                "contextWindow": model.window,
                "maxContextWindow": model.max_window,
                "parameters": model.weights.parameters,
                "quantization": model.weights.quantization,
                "bitsPerWeight": model.weights.bits_per_weight,
                "sizeBytes": model.weights.size_bytes,
                "variants": model.weights.variants,
                "vision": model.abilities.vision,
                "tools": model.abilities.tools,
                "remoteHost": model.remote_host,
            })
        })
        .collect();
    json!({ "server": report.kind.name(), "version": report.version, "url": report.url, "slots": report.slots, "hosted": report.hosted, "models": models })
}
