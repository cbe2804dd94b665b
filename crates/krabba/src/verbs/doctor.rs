//! `krabba doctor`: looks at everything that can be wrong, one line each, with what to do. Asks no model anything.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::ExitCode;

mod tools;

use anyhow::Result;
use krabba_config::{Loaded, Paint, Severity, render};
use krabba_local::{ServerState, raise_window};
use krabba_route::{Ask, Candidate, Provider};
use krabba_sandbox::Standing;
use krabba_store::Store;
use krabba_types::{ModelRef, grouped};
use serde::Serialize;

use crate::assemble::{ConfigErrors, Home, World};
use crate::cli::Output;
use crate::failure::{CONFIG_ERROR, words};
use crate::onboard;
use crate::verbs::counted_models;

/// Below this window a conversation has hardly any room.
const SMALL_WINDOW: u32 = 8_192;

/// One thing that was looked at.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Finding {
    level: Level,
    what: String,
    /// What to do about it.
    remedy: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    Ok,
    Note,
    Problem,
}

#[derive(Debug, Default)]
struct Findings(Vec<Finding>, Option<Standing>);

impl Findings {
    fn ok(&mut self, what: impl Into<String>) {
        self.0.push(Finding { level: Level::Ok, what: what.into(), remedy: None });
    }

    fn note(&mut self, what: impl Into<String>, remedy: impl Into<String>) {
        self.0.push(Finding { level: Level::Note, what: what.into(), remedy: Some(remedy.into()) });
    }

    fn problem(&mut self, what: impl Into<String>, remedy: impl Into<String>) {
        self.0.push(Finding { level: Level::Problem, what: what.into(), remedy: Some(remedy.into()) });
    }
}

/// Looks, and with `fix` mends file modes. Exit 1 when there is a problem, 78 when the configuration cannot be used.
pub(crate) async fn run(home: &Home, fix: bool, output: Output) -> Result<ExitCode> {
    let mut findings = Findings::default();
    state(home, fix, &mut findings);
    let usable = match configuration(home, fix, &mut findings).await {
        Ok(loaded) => {
            // Without a usable state directory this fails; whatever was found before is told all the same.
            if let Err(error) = servers(home, loaded, &mut findings).await {
                findings.problem("the servers were not looked at", words(&error));
            }
            true
        }
        Err(what) => {
            let remedy = if home.has_file() {
                "mend the configuration first; `krabba config validate` shows all of it"
            } else {
                "start a server, or name one elsewhere: `krabba onboard URL`"
            };
            findings.problem(what.trim_end(), remedy);
            false
        }
    };
    if output.json {
        println!("{}", serde_json::to_string_pretty(&serde_json::json!({ "findings": findings.0, "sandbox": findings.1 }))?);
    } else {
        findings.0.iter().for_each(print);
    }
    let sick = findings.0.iter().any(|finding| finding.level == Level::Problem);
    Ok(match (usable, sick) {
        (false, _) if home.has_file() => ExitCode::from(CONFIG_ERROR),
        (_, true) | (false, false) => ExitCode::FAILURE,
        (true, false) => ExitCode::SUCCESS,
    })
}

fn print(finding: &Finding) {
    let mark = match finding.level {
        Level::Ok => "ok     ",
        Level::Note => "note   ",
        Level::Problem => "PROBLEM",
    };
    println!("{mark} {}", finding.what);
    finding.remedy.iter().for_each(|remedy| println!("        → {remedy}"));
}

fn state(home: &Home, fix: bool, findings: &mut Findings) {
    match Store::open(&home.state_dir) {
        Ok(_) => findings.ok(format!("state directory {}", home.shown(&home.state_dir))),
        Err(error) => findings.problem(format!("state directory {}: {error}", home.shown(&home.state_dir)), "see the message"),
    }
    private(home, &home.state_dir, 0o700, fix, findings);
}

/// Nobody else may read what is in there.
fn private(home: &Home, path: &Path, mode: u32, fix: bool, findings: &mut Findings) {
    let Ok(metadata) = fs::metadata(path) else { return };
    let now = metadata.permissions().mode() & 0o777;
    // What is no directory where one is wanted was told already, and is somebody else's.
    if now & 0o077 == 0 || metadata.is_dir() != (mode & 0o100 != 0) {
        return;
    }
    let what = format!("{} can be read by others (mode {now:o})", home.shown(path));
    if fix && fs::set_permissions(path, fs::Permissions::from_mode(mode)).is_ok() {
        findings.note(what, format!("mended: the mode is {mode:o} now"));
    } else {
        findings.problem(what, format!("chmod {mode:o} {}, or krabba doctor --fix", path.display()));
    }
}

async fn configuration(home: &Home, fix: bool, findings: &mut Findings) -> Result<Loaded, String> {
    if !home.has_file() {
        findings.note("no configuration; servers are looked for each time", "krabba onboard writes one");
        return onboard::settings(home).await.map_err(|error| format!("{error:#}"));
    }
    let loaded = home.read().map_err(|ConfigErrors(diagnostics)| render(&diagnostics, Paint::Plain))?;
    for diagnostic in loaded.diagnostics.iter() {
        let place = diagnostic.place.as_ref().map(|place| format!("{place}: ")).unwrap_or_default();
        let key = diagnostic.key.as_ref().map(|key| format!("{key}: ")).unwrap_or_default();
        let expected = diagnostic.expected.as_ref().map(|expected| format!(" (expected {expected})")).unwrap_or_default();
        let what = format!("{place}{key}{}{expected}", diagnostic.message);
        match (diagnostic.severity, &diagnostic.help) {
            (Severity::Error, help) => findings.problem(what, help.clone().unwrap_or_else(|| "change that line".to_owned())),
            (Severity::Warning | Severity::Notice, Some(help)) => findings.note(what, help.clone()),
            (Severity::Warning | Severity::Notice, None) => findings.ok(what),
        }
    }
    if fix && home.is_ours() && loaded.diagnostics.iter().any(|diagnostic| diagnostic.code == "readable-by-others") {
        private(home, &home.location.path, 0o600, fix, findings);
    }
    let forbidden = World::forbidden(&loaded);
    if loaded.diagnostics.has_errors() || !forbidden.is_empty() {
        let why = if forbidden.is_empty() { "has errors".to_owned() } else { forbidden.join("; ") };
        return Err(format!("configuration {}: {why}", home.shown(&home.location.path)));
    }
    findings.ok(format!("configuration {}", home.shown(&home.location.path)));
    Ok(loaded)
}

async fn servers(home: &Home, loaded: Loaded, findings: &mut Findings) -> Result<()> {
    let world = World::assemble(home, loaded)?;
    world.router.look().await;
    for provider in world.router.providers().iter().filter(|provider| !provider.builtin) {
        server(&world, provider, findings);
    }
    for (reference, mismatch) in world.mismatches() {
        findings.note(format!("{reference}: {}", mismatch.what()), mismatch.remedy());
    }
    routes(&world, findings)?;
    commands(&world, findings).await;
    tools::look(home, &world, findings).await;
    world.close().await;
    Ok(())
}

/// Where commands of models run, and what would keep them in better.
async fn commands(world: &World, findings: &mut Findings) {
    match world.standing().await {
        Ok(standing) => {
            match (standing.rung, standing.remedy()) {
                (Some(_), None) => findings.ok(standing.to_string()),
                (Some(_), Some(remedy)) => findings.note(standing.to_string(), remedy),
                (None, remedy) => findings.problem(standing.to_string(), remedy.unwrap_or_else(|| "switch a rung on".to_owned())),
            }
            findings.1 = Some(standing);
        }
        Err(error) => findings.problem(format!("commands are refused: {}", words(&error)), "name a directory of its own as workspace"),
    }
}

fn server(world: &World, provider: &Provider, findings: &mut Findings) {
    let name = format!("{} at {}", provider.id, provider.shown_url());
    if provider.residency.leaves_home() {
        match (&provider.missing_key, provider.keys.first()) {
            (_, Some(key)) => findings.ok(format!("{name}: hosted, key from {}", key.source)),
            (Some(wanted), None) => findings.problem(format!("{name}: no key"), format!("set {wanted}")),
            (None, None) => findings.note(format!("{name}: hosted, no key"), "set apiKey if it wants one"),
        }
        return;
    }
    let Some(report) = world.router.report(&provider.id) else {
        if let Some(service) = &provider.hosting.service {
            service_at_rest(&name, &service.command, findings);
            return;
        }
        if !world.router.was_asked(&provider.id) {
            findings.ok(format!("{name}: not asked, as its configuration says"));
            return;
        }
        findings.problem(format!("{name}: no model server answers there"), "start it, or mend baseUrl; krabba models scan looks around");
        return;
    };
    let kind = report.kind.name();
    match &report.state {
        ServerState::Up => findings.ok(format!("{name}: {kind} answers at {}, {}", report.url, counted_models(report.models.len()))),
        ServerState::Loading { .. } => findings.ok(format!("{name}: {kind} is loading its model")),
        ServerState::NeedsKey => findings.problem(format!("{name}: {kind} wants a key"), "set apiKey"),
        ServerState::KeyRefused => findings.problem(format!("{name}: {kind} does not take the key"), "set another apiKey"),
        ServerState::Failing { reason } => findings.problem(format!("{name}: {reason}"), "see the server's own log"),
    }
}

/// Models that are configured, or would be asked, and that their own server does not list.
fn unlisted(world: &World, candidates: &[Candidate], findings: &mut Findings) {
    let configured = world.router.providers().iter().filter(|provider| !provider.builtin);
    let entries = configured.flat_map(|provider| provider.models.iter().map(|entry| ModelRef::new(provider.id.clone(), entry.id.clone())));
    let asked = candidates.iter().map(|candidate| candidate.reference.clone());
    for reference in entries.chain(asked).collect::<BTreeSet<_>>() {
        match world.router.unlisted(&reference) {
            Some(unlisted) if unlisted.takes_any_name => {
                findings.note(unlisted.what(), format!("{}, and answers with that whatever it is called", unlisted.hint()));
            }
            Some(unlisted) => findings.problem(unlisted.what(), unlisted.hint()),
            None => {}
        }
    }
}

/// Why a route would not answer now, as far as its server tells.
fn obstacle(world: &World, candidate: &Candidate) -> Option<String> {
    let provider = world.router.providers().iter().find(|provider| provider.id == candidate.reference.provider)?;
    if provider.residency.leaves_home() {
        return provider.missing_key.as_ref().filter(|_| provider.keys.is_empty()).map(|wanted| format!("{wanted} is not set"));
    }
    match world.router.report(&provider.id).map(|report| report.state.clone()) {
        Some(ServerState::Up | ServerState::Loading { .. }) => None,
        Some(ServerState::NeedsKey | ServerState::KeyRefused) => Some("its server does not let us in".to_owned()),
        Some(ServerState::Failing { reason }) => Some(format!("its server fails: {reason}")),
        None if provider.hosting.service.is_some() || !world.router.was_asked(&provider.id) => None,
        None => Some("its server does not answer".to_owned()),
    }
}

/// A server that is started on demand and is not running now.
fn service_at_rest(name: &str, command: &Path, findings: &mut Findings) {
    if command.is_file() {
        findings.ok(format!("{name}: not running; {} starts it when it is needed", command.display()));
    } else {
        findings.problem(format!("{name}: there is no program {}", command.display()), "mend localService.command");
    }
}

fn routes(world: &World, findings: &mut Findings) -> Result<()> {
    let agent = world.agent(None)?;
    let plan = world.router.plan(&Ask::new(agent.id().clone()));
    unlisted(world, &plan.candidates, findings);
    let obstacles: Vec<Option<String>> = plan.candidates.iter().map(|candidate| obstacle(world, candidate)).collect();
    let free = obstacles.iter().position(Option::is_none);
    for (candidate, why) in plan.candidates.iter().zip(obstacles.iter().flatten()).take(free.unwrap_or(usize::MAX)) {
        findings.note(format!("{} comes first, but {why}", candidate.reference), "mend that, as said above");
    }
    match free.and_then(|free| plan.candidates.get(free)) {
        Some(first) => {
            let facts = world.router.facts(agent.id(), &first.reference);
            findings.ok(format!("{} would answer ({}, window {})", first.reference, first.residency, facts.window.tokens()));
            if facts.window.value < SMALL_WINDOW {
                let remedy = raise_window(facts.server, &first.reference.model, SMALL_WINDOW)
                    .unwrap_or_else(|| format!("load it with {} or more where memory allows", grouped(SMALL_WINDOW)));
                findings.note(format!("a window of {} tokens is small", grouped(facts.window.value)), remedy);
            }
        }
        None if plan.candidates.is_empty() => findings.problem("no model can be asked", "krabba explain route says why"),
        None => findings.problem("no model would answer now", "start one of the servers above, or name another model: krabba models set"),
    }
    for refused in &plan.refused {
        findings.note(format!("{} is not asked", refused.reference), refused.why.clone());
    }
    Ok(())
}
