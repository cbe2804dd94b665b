//! Who answers, who stands behind, who may be chosen, and how far a conversation may go.

use std::collections::BTreeMap;

use krabba_config::{Agent, AgentOptions, Entries, KeyPath, Loaded, ModelChoice, ModelOptions, ModelPolicy, Privacy, sampling};
use krabba_route::{Alias, Allow, AllowPattern, Configured, Knobs, ResidencyPolicy, Selection, Tuning};
use krabba_types::{AgentId, JsonObject, ModelRef, Residency};

use super::origin::{origin, path};

/// The choice of `agents.defaults`.
pub(super) fn default_selection(loaded: &Loaded) -> Selection {
    let defaults = &loaded.config.agents.defaults;
    let at = path(["agents", "defaults"]);
    let (primary, fallbacks) = chosen(loaded, &at, "model", defaults.model.as_ref());
    let (image, image_fallbacks) = chosen(loaded, &at, "imageModel", defaults.image_model.as_ref());
    let image = image.into_iter().chain(image_fallbacks.into_iter().flatten()).collect();
    let tuning = tuning(&defaults.params, &defaults.models, defaults.context_tokens);
    Selection { primary, fallbacks, image, residency: None, allow: None, tuning }
}

/// The agent that is meant where none is named.
pub(crate) fn default_agent(loaded: &Loaded) -> Option<&Agent> {
    let list = &loaded.config.agents.list;
    list.iter().find(|agent| agent.options.is_default == Some(true)).or(list.first())
}

/// What single agents choose instead.
pub(super) fn agent_selections(loaded: &Loaded) -> BTreeMap<AgentId, Selection> {
    let config = &loaded.config;
    config
        .agents
        .list
        .iter()
        .map(|Agent { id, options }| {
            let at = loaded.agent_key(id).unwrap_or_default();
            let (primary, fallbacks) = chosen(loaded, &at, "model", options.model.as_ref());
            let selection = Selection {
                primary,
                fallbacks,
                image: Vec::new(),
                // The global policy is the owner's last word: an agent narrows it and never widens it.
                residency: options.privacy.as_ref().and_then(policy).map(|own| residency(loaded).tightened_by(&own)),
                allow: agent_allow(loaded, &at, options),
                tuning: tuning(&options.params, &options.models, options.context_tokens),
            };
            (id.clone(), selection)
        })
        .collect()
}

/// How far conversations may travel at all.
pub(super) fn residency(loaded: &Loaded) -> ResidencyPolicy {
    policy(&loaded.config.privacy).unwrap_or_default()
}

/// Whether conversations may travel to `place`.
pub(crate) fn permits(loaded: &Loaded, place: &Residency) -> bool {
    residency(loaded).permits(place)
}

fn policy(privacy: &Privacy) -> Option<ResidencyPolicy> {
    privacy.residency.as_ref().map(|places| ResidencyPolicy::up_to(places.iter().cloned()))
}

/// Aliases of the defaults and of all agents.
pub(super) fn aliases(loaded: &Loaded) -> Vec<Alias> {
    let agents = &loaded.config.agents;
    let mut aliases = Vec::new();
    let all = std::iter::once(&agents.defaults.models).chain(agents.list.iter().map(|agent| &agent.options.models));
    for models in all {
        for (reference, options) in models.iter() {
            if let (Some(name), Ok(target)) = (&options.alias, ModelRef::parse(reference)) {
                let place = origin(loaded, &path(["agents", "defaults", "models", reference, "alias"]));
                aliases.push(Alias { name: name.clone(), target, origin: place });
            }
        }
    }
    aliases
}

/// What a person may switch to.
pub(super) fn allow(loaded: &Loaded) -> Allow {
    let defaults = &loaded.config.agents.defaults;
    allowed(loaded, &path(["agents", "defaults"]), defaults.model_policy.as_ref(), &defaults.models).unwrap_or_default()
}

fn agent_allow(loaded: &Loaded, at: &KeyPath, options: &AgentOptions) -> Option<Allow> {
    allowed(loaded, at, options.model_policy.as_ref(), &Entries::default())
}

/// `modelPolicy.allow` where it says something, else the keys of `models`, as OpenClaw reads them.
fn allowed(loaded: &Loaded, at: &KeyPath, policy: Option<&ModelPolicy>, models: &Entries<ModelOptions>) -> Option<Allow> {
    if let Some(list) = policy.and_then(|policy| policy.allow.as_ref()) {
        if list.is_empty() {
            return Some(Allow::Everything);
        }
        let names = aliases(loaded);
        let patterns = list
            .iter()
            .filter_map(|text| match names.iter().find(|alias| alias.name.eq_ignore_ascii_case(text.trim())) {
                Some(alias) => Some(AllowPattern::Model(alias.target.clone())),
                None => AllowPattern::parse(text),
            })
            .collect();
        return Some(Allow::Only { patterns, origin: place_of(loaded, at, &["modelPolicy", "allow"]) });
    }
    let patterns: Vec<AllowPattern> = models.iter().filter_map(|(reference, _)| AllowPattern::parse(reference)).collect();
    if patterns.is_empty() {
        return None;
    }
    Some(Allow::Only { patterns, origin: place_of(loaded, at, &["models"]) })
}

/// How an agent, or all of them, use models.
fn tuning(params: &JsonObject, models: &Entries<ModelOptions>, context_tokens: Option<u32>) -> Tuning {
    let known = models.iter().filter(|(_, options)| !options.params.is_empty());
    let models = known.filter_map(|(reference, options)| Some((ModelRef::parse(reference).ok()?, knobs(&options.params)))).collect();
    Tuning { every: knobs(params), models, context_tokens }
}

fn knobs(params: &JsonObject) -> Knobs {
    let sampling = sampling([params]);
    Knobs { params: sampling.params, max_output: sampling.max_tokens }
}

fn chosen(loaded: &Loaded, at: &KeyPath, key: &str, choice: Option<&ModelChoice>) -> (Option<Configured>, Option<Vec<Configured>>) {
    let Some(choice) = choice else { return (None, None) };
    let primary = choice.primary.as_ref().map(|text| Configured::new(text, place_of(loaded, at, &[key, "primary"])));
    let fallbacks = choice.fallbacks.as_ref().map(|texts| {
        let numbered = texts.iter().enumerate();
        numbered.map(|(number, text)| Configured::new(text, place_of(loaded, at, &[key, "fallbacks", &number.to_string()]))).collect()
    });
    (primary, fallbacks)
}

fn place_of(loaded: &Loaded, at: &KeyPath, rest: &[&str]) -> String {
    let mut whole = at.clone();
    rest.iter().flat_map(|step| path([*step]).steps().to_vec()).for_each(|step| whole.push(step));
    origin(loaded, &whole)
}
