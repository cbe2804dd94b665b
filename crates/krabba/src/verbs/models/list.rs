//! `krabba models list`: OpenClaw's columns and field names, with what the servers say themselves.

use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::Result;
use krabba_route::{Ask, KnownBy, ListedModel, Provider, Router};
use krabba_types::{AgentId, FactSource, ModelRef, grouped};
use serde::Serialize;

use super::Form;
use crate::assemble::{Home, World};

/// OpenClaw's tag for what the file names.
const CONFIGURED: &str = "configured";

/// What is to be listed.
#[derive(Clone, Debug, Default)]
pub(super) struct Wish {
    /// Everything that could be named, the catalogue and the servers' own listings included.
    pub(super) all: bool,
    /// Only models at home.
    pub(super) local: bool,
    /// Only this provider.
    pub(super) provider: Option<String>,
    /// How.
    pub(super) form: Form,
}

/// A row with OpenClaw's field names.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    key: ModelRef,
    name: String,
    input: String,
    context_window: u32,
    local: bool,
    available: bool,
    tags: Vec<String>,
    missing: bool,
    #[serde(rename = "contextWindowSource")]
    source: FactSource,
    state: String,
}

/// Prints the list.
pub(super) async fn run(home: &Home, wish: Wish) -> Result<ExitCode> {
    let (loaded, code) = super::settings(home).await?;
    let world = World::assemble(home, loaded)?;
    world.router.look().await;
    let rows = rows(&world, &wish)?;
    match wish.form {
        Form::Json => println!("{}", serde_json::to_string_pretty(&serde_json::json!({ "count": rows.len(), "models": rows }))?),
        Form::Plain => rows.iter().for_each(|row| println!("{}", row.key)),
        Form::Table if rows.is_empty() => println!("No models found."),
        Form::Table => table(&rows),
    }
    world.close().await;
    Ok(code)
}

fn rows(world: &World, wish: &Wish) -> Result<Vec<Row>> {
    let router = &world.router;
    let (tags, agent) = (tags(world)?, world.agent(None)?);
    let wanted_provider = wish.provider.as_ref().map(|provider| provider.trim().to_lowercase());
    let mut models = router.list();
    models.extend(named_alone(router, &tags, &models));
    let mut rows: Vec<Row> = models
        .into_iter()
        .filter(|model| wish.all || model.known_by == KnownBy::Configuration || tags.contains_key(&model.reference))
        .filter(|model| !wish.local || !model.residency.leaves_home())
        .filter(|model| wanted_provider.as_ref().is_none_or(|provider| provider == model.reference.provider.as_str()))
        .map(|model| row(router, agent.id(), &tags, model))
        .collect();
    rows.sort_by_key(|row| (rank(&row.tags), row.key.clone()));
    Ok(rows)
}

/// Models that the file names in its choices, and that neither a provider's entry nor a server lists: what a hosted provider
/// has is known by nobody in full.
fn named_alone(router: &Router, tags: &BTreeMap<ModelRef, Vec<String>>, listed: &[ListedModel]) -> Vec<ListedModel> {
    let unlisted = tags.keys().filter(|reference| !listed.iter().any(|model| model.reference == **reference));
    unlisted
        .filter_map(|reference| {
            let provider = router.providers().iter().find(|provider| provider.id == reference.provider)?;
            Some(ListedModel {
                reference: reference.clone(),
                name: None,
                aliases: router.aliases().into_iter().filter(|(_, target)| target == reference).map(|(name, _)| name).collect(),
                endpoint: provider.shown_url(),
                residency: provider.residency.clone(),
                state: router.state(reference),
                known_by: KnownBy::Configuration,
                missing_key: provider.missing_key.clone().filter(|_| provider.keys.is_empty()),
            })
        })
        .collect()
}

fn rank(tags: &[String]) -> usize {
    let number = |tag: &String| tag.strip_prefix("fallback#").and_then(|number| number.parse::<usize>().ok());
    if tags.iter().any(|tag| tag == "default") { 0 } else { tags.iter().find_map(number).unwrap_or(usize::MAX) }
}

fn row(router: &Router, agent: &AgentId, tags: &BTreeMap<ModelRef, Vec<String>>, model: ListedModel) -> Row {
    let facts = router.facts(agent, &model.reference);
    let provider = router.providers().iter().find(|provider| provider.id == model.reference.provider);
    let listed = router.report(&model.reference.provider).is_none_or(|report| report.model(&model.reference.model).is_some());
    let mut own = tags.get(&model.reference).cloned().unwrap_or_default();
    let has_entry = provider.and_then(|provider| provider.entry(&model.reference.model)).is_some();
    if has_entry && model.known_by == KnownBy::Configuration && !own.iter().any(|tag| tag == CONFIGURED) {
        own.push(CONFIGURED.to_owned());
    }
    own.extend(model.aliases.iter().map(|alias| format!("alias:{alias}")));
    Row {
        name: model.name.unwrap_or_else(|| model.reference.model.to_string()),
        input: if facts.vision.is_some_and(|vision| vision.value) { "text+image" } else { "text" }.to_owned(),
        context_window: facts.window.value,
        source: facts.window.source,
        local: !model.residency.leaves_home(),
        available: model.missing_key.is_none() && provider.is_some_and(has_what_it_needs),
        tags: own,
        missing: !listed,
        state: crate::verbs::state_name(model.state).to_owned(),
        key: model.reference,
    }
}

fn has_what_it_needs(provider: &Provider) -> bool {
    !provider.residency.leaves_home() || !provider.keys.is_empty()
}

/// `default`, `fallback#1`, …, `configured` by reference.
fn tags(world: &World) -> Result<BTreeMap<ModelRef, Vec<String>>> {
    let agent = world.agent(None)?;
    let mut tags: BTreeMap<ModelRef, Vec<String>> = BTreeMap::new();
    let plan = world.router.plan(&Ask::new(agent.id().clone()));
    if let Some(first) = plan.wanted {
        tags.entry(first).or_default().push("default".to_owned());
    }
    for (number, text) in world.configured_fallbacks().iter().enumerate() {
        if let Ok(reference) = world.router.resolve(text) {
            tags.entry(reference).or_default().push(format!("fallback#{}", number + 1));
        }
    }
    // A key may be a pattern (`anthropic/*`), which names no model.
    for (text, _) in world.loaded.config.agents.defaults.models.iter().filter(|(text, _)| !text.contains('*')) {
        if let Ok(reference) = world.router.resolve(text) {
            tags.entry(reference).or_default().push(CONFIGURED.to_owned());
        }
    }
    Ok(tags)
}

fn table(rows: &[Row]) {
    println!("{:<42} {:<10} {:>9}  {:<5} {:<8} {:<5} Tags", "Model", "Input", "Ctx", "Local", "State", "Key");
    for row in rows {
        let yes = |is: bool| if is { "yes" } else { "no" };
        let mut tags = row.tags.join(",");
        if row.missing {
            tags.push_str(if tags.is_empty() { "missing" } else { ",missing" });
        }
        println!(
            "{:<42} {:<10} {:>9}  {:<5} {:<8} {:<5} {tags}",
            row.key.to_string(),
            row.input,
            grouped(row.context_window),
            yes(row.local),
            row.state,
            yes(row.available)
        );
    }
}
