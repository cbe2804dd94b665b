//! `krabba models scan`: model servers in reach, whatever the configuration says.

use std::process::ExitCode;

use anyhow::Result;
use krabba_local::Report;
use krabba_types::ModelRef;
use serde_json::{Value, json};

use super::probe::{Probed, probe};
use crate::assemble::{Home, World};
use crate::cli::Output;
use crate::onboard::{self, describe_model};

/// Prints what was found, and with `probe` how each loaded model answers.
pub(super) async fn run(home: &Home, url: Option<String>, wants_probe: bool, output: Output) -> Result<ExitCode> {
    let found = onboard::look(home, url.as_deref()).await?;
    let mut probes = Vec::new();
    if wants_probe {
        for report in found.reports() {
            probes.extend(probe_loaded(home, &found, report).await?);
        }
    }
    if output.json {
        let servers: Vec<Value> = found.reports().iter().map(as_json).collect();
        let recommended = found.recommended();
        let shape = json!({ "servers": servers, "recommended": { "url": recommended.url, "model": recommended.model, "why": recommended.why }, "probes": probes });
        println!("{}", serde_json::to_string_pretty(&shape)?);
        return Ok(ExitCode::SUCCESS);
    }
    for report in found.reports() {
        let version = report.version.as_ref().map(|version| format!(" {version}")).unwrap_or_default();
        println!("{}{version} at {}", report.kind.name(), report.url);
        report.models.iter().for_each(|model| println!("  {}", describe_model(report, model)));
    }
    println!("recommended: {} ({})", found.recommended().model, found.recommended().why);
    found.recommended().warnings.iter().for_each(|warning| println!("  note: {warning}"));
    probes.iter().for_each(|probed| println!("{}", probed.line()));
    Ok(ExitCode::SUCCESS)
}

/// Only what is in memory is asked: a scan loads nothing.
async fn probe_loaded(home: &Home, found: &onboard::Looked, report: &Report) -> Result<Vec<Probed>> {
    let text = found.settings_for(report);
    let world = World::assemble(home, home.load_text(&text)?)?;
    world.router.look().await;
    let mut probes = Vec::new();
    for model in report.models.iter().filter(|model| model.loaded == Some(true) && model.converses()) {
        if let Some(provider) = world.router.providers().first() {
            probes.push(probe(&world, &ModelRef::new(provider.id.clone(), model.id.clone())).await?);
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
