//! `models set`, `aliases`, `fallbacks`: small edits of the configuration, checked before they are written.

use std::process::ExitCode;

use anyhow::{Result, bail};
use krabba_config::{Edited, KeyPath, Step, set, unset};
use krabba_route::Unlisted;
use krabba_types::ModelRef;
use serde_json::{Value, json};

use crate::assemble::{Home, World};
use crate::cli::{AliasesVerb, FallbacksVerb};

/// `models set REF`.
pub(crate) async fn set_default(home: &Home, text: &str) -> Result<ExitCode> {
    let (world, reference) = resolve(home, text).await?;
    let defaults = &world.loaded.config.agents.defaults;
    // A bare string is the short form of the object; one that has no more to say stays one.
    let bare = defaults.model.as_ref().is_some_and(|choice| choice.fallbacks.is_none())
        && matches!(world.loaded.get(&key(["agents", "defaults", "model"])), Some(Value::String(_)));
    let path = if bare { key(["agents", "defaults", "model"]) } else { key(["agents", "defaults", "model", "primary"]) };
    write(home, &path, &json!(reference.to_string()))?;
    allow(home, &world, &reference)?;
    println!("Default model: {reference}");
    world.close().await;
    Ok(ExitCode::SUCCESS)
}

/// `models aliases …`
pub(super) async fn aliases(home: &Home, verb: AliasesVerb) -> Result<ExitCode> {
    match verb {
        AliasesVerb::List { output } => {
            let world = world(home)?;
            let aliases = world.router.aliases();
            if output.json {
                let map: serde_json::Map<String, Value> =
                    aliases.iter().map(|(name, target)| (name.clone(), json!(target.to_string()))).collect();
                println!("{}", serde_json::to_string_pretty(&json!({ "aliases": map }))?);
            } else {
                aliases.iter().for_each(|(name, target)| println!("{name:<20} {target}"));
            }
            world.close().await;
        }
        AliasesVerb::Add { alias, reference } => {
            let (world, reference) = resolve(home, &reference).await?;
            if let Some((_, other)) =
                world.router.aliases().into_iter().find(|(name, target)| name.eq_ignore_ascii_case(&alias) && *target != reference)
                && configured_alias(&world, &alias).is_some()
            {
                bail!("Alias {alias} already points to {other}; remove it first");
            }
            // The first entry there would make a list of allowed models of it, which nobody asked for.
            let defaults = &world.loaded.config.agents.defaults;
            if defaults.models.is_empty() && defaults.model_policy.is_none() {
                write(home, &key(["agents", "defaults", "modelPolicy", "allow"]), &json!([]))?;
            }
            write(home, &key(["agents", "defaults", "models", &reference.to_string(), "alias"]), &json!(alias))?;
            println!("{alias} is {reference}");
            world.close().await;
        }
        AliasesVerb::Remove { alias } => {
            let world = world(home)?;
            let Some(reference) = configured_alias(&world, &alias) else {
                bail!("there is no alias \"{alias}\" in {}", home.shown(&home.location.path));
            };
            remove(home, &key(["agents", "defaults", "models", &reference, "alias"]))?;
            println!("{alias} is forgotten");
            world.close().await;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// `models fallbacks …`
pub(super) async fn fallbacks(home: &Home, verb: FallbacksVerb) -> Result<ExitCode> {
    match verb {
        FallbacksVerb::List { output } => {
            let world = world(home)?;
            let fallbacks = world.configured_fallbacks();
            if output.json {
                println!("{}", serde_json::to_string_pretty(&json!({ "fallbacks": fallbacks }))?);
            } else if fallbacks.is_empty() {
                println!("No fallbacks.");
            } else {
                fallbacks.iter().for_each(|reference| println!("{reference}"));
            }
            world.close().await;
        }
        FallbacksVerb::Add { reference } => {
            let (world, reference) = resolve(home, &reference).await?;
            let mut all = world.configured_fallbacks();
            if all.iter().any(|text| world.router.resolve(text).is_ok_and(|known| known == reference)) {
                bail!("{reference} is a fallback already");
            }
            all.push(reference.to_string());
            write_fallbacks(home, &world, &all)?;
            allow(home, &world, &reference)?;
            println!("Fallbacks: {}", all.join(", "));
            world.close().await;
        }
        FallbacksVerb::Remove { reference } => {
            let (world, reference) = resolve(home, &reference).await?;
            let before = world.configured_fallbacks();
            let all: Vec<String> =
                before.iter().filter(|text| world.router.resolve(text).ok().as_ref() != Some(&reference)).cloned().collect();
            if all.len() == before.len() {
                bail!("{reference} is no fallback");
            }
            write_fallbacks(home, &world, &all)?;
            println!("Fallbacks: {}", if all.is_empty() { "none".to_owned() } else { all.join(", ") });
            world.close().await;
        }
        FallbacksVerb::Clear => {
            let world = world(home)?;
            write_fallbacks(home, &world, &[])?;
            println!("Fallbacks: none");
            world.close().await;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn world(home: &Home) -> Result<World> {
    if !home.has_file() {
        bail!("there is no configuration yet; `krabba onboard` writes one");
    }
    World::assemble(home, home.load()?)
}

/// The model that is meant. One that its server does not list is accepted with a word of warning, for it may be downloaded later;
/// so is one without a key, which may be set later.
async fn resolve(home: &Home, text: &str) -> Result<(World, ModelRef)> {
    let world = world(home)?;
    let reference = world.resolve(text).await?;
    world.router.look().await;
    let unlisted = world.router.unlisted(&reference).or_else(|| Unlisted::in_catalogue(&reference));
    unlisted.iter().for_each(|unlisted| eprintln!("warning: {unlisted}"));
    let provider = world.router.providers().iter().find(|provider| provider.id == reference.provider && provider.keys.is_empty());
    if let Some(variable) = provider.and_then(|provider| provider.missing_key.as_ref()) {
        eprintln!("warning: provider \"{}\" has no key; set {variable}", reference.provider);
    }
    Ok((world, reference))
}

/// A list of allowed models, once it exists, must hold what is chosen, or the choice could not be returned to by hand.
fn allow(home: &Home, world: &World, reference: &ModelRef) -> Result<()> {
    let defaults = &world.loaded.config.agents.defaults;
    let listed = defaults.models.get(&reference.to_string()).is_some();
    if defaults.model_policy.is_none() && !defaults.models.is_empty() && !listed {
        write(home, &key(["agents", "defaults", "models", &reference.to_string()]), &json!({}))?;
    }
    Ok(())
}

fn write_fallbacks(home: &Home, world: &World, all: &[String]) -> Result<()> {
    let model = key(["agents", "defaults", "model"]);
    if let Some(Value::String(primary)) = world.loaded.get(&model) {
        return write(home, &model, &json!({ "primary": primary, "fallbacks": all }));
    }
    write(home, &key(["agents", "defaults", "model", "fallbacks"]), &json!(all))
}

fn configured_alias(world: &World, alias: &str) -> Option<String> {
    let models = &world.loaded.config.agents.defaults.models;
    let named = models.iter().find(|(_, options)| options.alias.as_ref().is_some_and(|name| name.eq_ignore_ascii_case(alias)));
    named.map(|(reference, _)| reference.to_owned())
}

fn write(home: &Home, path: &KeyPath, value: &Value) -> Result<()> {
    match set(&home.location, path, &value.to_string(), &home.surroundings())? {
        Edited::Written(_) => eprintln!("Updated {}", home.shown(&home.location.path)),
        Edited::Unchanged => {}
    }
    Ok(())
}

fn remove(home: &Home, path: &KeyPath) -> Result<()> {
    unset(&home.location, path, &home.surroundings())?;
    Ok(())
}

fn key<const N: usize>(steps: [&str; N]) -> KeyPath {
    let mut path = KeyPath::default();
    steps.into_iter().for_each(|step| path.push(Step::Key(step.to_owned())));
    path
}
