//! From what a person types to the one model they mean.
//!
//! The order, and nothing else:
//!
//! 1. an alias, without regard to case, spaces and slashes in it allowed;
//! 2. `provider/id` where that provider has that id, in the configuration or in its server's own listing;
//! 3. an id, whole, that only one provider has (the user's own providers before the built-in ones): `qwen/qwen3:8b@q4_k_m`
//!    is such an id, and so is `openai/gpt-oss-20b` on a local server, although a provider `openai` exists;
//! 4. all of that again without `@profile`, if such a profile exists at the provider that then results;
//! 5. `provider/id` where the provider is known and the id is not: servers learn new models faster than lists do.
//!
//! The model's half is never trimmed inside, re-cased or prefixed. The provider's half is lower-cased, and a handful of
//! spellings that OpenClaw accepts are rewritten.

use std::collections::{BTreeMap, HashMap};

use krabba_types::{ModelId, ModelRef, ProviderId};

use crate::catalogue;
use crate::closest::{closest, did_you_mean};
use crate::settings::Settings;

/// What a text means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// The model.
    pub reference: ModelRef,
    /// The key profile that was pinned with `@profile`.
    pub profile: Option<String>,
}

/// A text that means no model, or more than one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// Nothing was given.
    #[error("no model was named; give an alias or provider/model")]
    Empty,
    /// Nobody has it.
    #[error("there is no model \"{text}\"{}", suggestion(.closest))]
    Unknown {
        /// What was given.
        text: String,
        /// Names that look like it, best first; at most five.
        closest: Vec<String>,
    },
    /// Several have it.
    #[error("\"{text}\" is served by several providers; say which: {}", list(.candidates))]
    Ambiguous {
        /// What was given.
        text: String,
        /// The full references.
        candidates: Vec<ModelRef>,
    },
    /// A hosted provider that speaks a wire format which krabba does not.
    #[error("\"{provider}\" speaks {api}, which krabba does not; its models can be reached through openrouter")]
    UnsupportedProvider {
        /// Whose.
        provider: ProviderId,
        /// The format's name.
        api: &'static str,
    },
    /// A provider of the built-in catalogue that this configuration leaves out.
    #[error(
        "provider \"{provider}\" is built in, but switched off by models.mode \"replace\"; list it under models.providers or use \"merge\""
    )]
    SwitchedOff {
        /// Which.
        provider: ProviderId,
    },
}

impl ResolveError {
    /// Names that look like what was given.
    pub fn closest(&self) -> Vec<String> {
        match self {
            Self::Unknown { closest, .. } => closest.clone(),
            Self::Ambiguous { candidates, .. } => candidates.iter().map(ToString::to_string).collect(),
            Self::Empty | Self::UnsupportedProvider { .. } | Self::SwitchedOff { .. } => Vec::new(),
        }
    }
}

fn suggestion(closest: &[String]) -> String {
    if closest.is_empty() {
        return "; \"krabba models list\" shows what there is".to_owned();
    }
    format!("; {}", did_you_mean(closest))
}

fn list(candidates: &[ModelRef]) -> String {
    candidates.iter().map(|reference| format!("\"{reference}\"")).collect::<Vec<_>>().join(", ")
}

/// The provider id that OpenClaw's other spellings stand for.
pub(crate) fn rewrite_provider(id: ProviderId) -> ProviderId {
    match id.as_str() {
        "z.ai" | "z-ai" => ProviderId::new("zai"),
        "opencode-zen" => ProviderId::new("opencode"),
        "qwen" => ProviderId::new("qwen-portal"),
        "kimi-code" => ProviderId::new("kimi-coding"),
        _ => id,
    }
}

/// An alias with the text that people typed for it.
#[derive(Clone, Debug)]
struct NamedTarget {
    name: String,
    target: ModelRef,
    /// Whether the user wrote it down; else it is built in.
    own: bool,
}

#[derive(Clone, Debug, Default)]
struct ProviderNames {
    profiles: Vec<String>,
    builtin: bool,
    /// Whether it lacks a key without which nobody answers there.
    keyless: bool,
}

/// Every name of the configuration, indexed once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    aliases: HashMap<String, NamedTarget>,
    providers: BTreeMap<ProviderId, ProviderNames>,
    listed: HashMap<ModelId, Vec<ProviderId>>,
}

impl Names {
    /// Indexes the names of `settings`. Of two aliases that differ only in case the later one wins, as in OpenClaw.
    pub(crate) fn of(settings: &Settings) -> Self {
        let mut names = Self::default();
        for provider in &settings.providers {
            let profiles = provider.keys.iter().map(|key| key.profile.clone()).collect();
            let keyless = provider.keys.is_empty() && provider.missing_key.is_some();
            names.providers.insert(provider.id.clone(), ProviderNames { profiles, builtin: provider.builtin, keyless });
            for entry in &provider.models {
                let owners = names.listed.entry(entry.id.clone()).or_default();
                if !owners.contains(&provider.id) {
                    owners.push(provider.id.clone());
                }
            }
        }
        for (name, target) in catalogue::aliases() {
            if let Ok(target) = ModelRef::parse(target)
                && names.providers.contains_key(&target.provider)
            {
                names.aliases.insert(name.to_lowercase(), NamedTarget { name: name.to_owned(), target, own: false });
            }
        }
        for alias in &settings.aliases {
            let target = ModelRef::new(rewrite_provider(alias.target.provider.clone()), alias.target.model.clone());
            names.aliases.insert(alias_key(&alias.name), NamedTarget { name: alias.name.clone(), target, own: true });
        }
        names
    }

    /// All aliases with their targets, sorted by name.
    pub(crate) fn aliases(&self) -> Vec<(String, ModelRef)> {
        let mut aliases: Vec<_> = self.aliases.values().map(|named| (named.name.clone(), named.target.clone())).collect();
        aliases.sort();
        aliases
    }

    /// Whether an alias is worth offering to somebody who did not name it: a built-in one whose key is missing is not.
    pub(crate) fn offers(&self, alias: &str) -> bool {
        self.aliases.get(&alias_key(alias)).is_some_and(|named| self.is_offered(named))
    }

    fn is_offered(&self, named: &NamedTarget) -> bool {
        named.own || !self.providers.get(&named.target.provider).is_some_and(|provider| provider.keyless)
    }

    /// What `text` means, given what the servers in reach list besides the configuration.
    pub(crate) fn resolve(&self, text: &str, live: &[ModelRef]) -> Result<Resolved, ResolveError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(ResolveError::Empty);
        }
        if let Some(reference) = self.known(text, live)? {
            return Ok(Resolved { reference, profile: None });
        }
        if let Some((stem, profile)) = text.rsplit_once('@')
            && let Some(reference) = self.known(stem, live)?.or_else(|| self.unlisted(stem))
            && self.providers.get(&reference.provider).is_some_and(|provider| provider.profiles.iter().any(|name| name == profile))
        {
            return Ok(Resolved { reference, profile: Some(profile.to_owned()) });
        }
        match self.unlisted(text) {
            Some(reference) => Ok(Resolved { reference, profile: None }),
            None => Err(self.unknown(text, live)),
        }
    }

    /// Steps 1 to 3.
    fn known(&self, text: &str, live: &[ModelRef]) -> Result<Option<ModelRef>, ResolveError> {
        if let Some(named) = self.aliases.get(&alias_key(text)) {
            return Ok(Some(named.target.clone()));
        }
        if let Some(reference) = self.unlisted(text)
            && self.has(&reference, live)
        {
            return Ok(Some(reference));
        }
        self.by_id(text, live)
    }

    fn has(&self, reference: &ModelRef, live: &[ModelRef]) -> bool {
        self.listed.get(&reference.model).is_some_and(|owners| owners.contains(&reference.provider)) || live.contains(reference)
    }

    fn by_id(&self, text: &str, live: &[ModelRef]) -> Result<Option<ModelRef>, ResolveError> {
        let id = ModelId::new(text);
        let mut owners: Vec<&ProviderId> = self.listed.get(&id).into_iter().flatten().collect();
        for reference in live.iter().filter(|reference| reference.model == id) {
            if !owners.contains(&&reference.provider) {
                owners.push(&reference.provider);
            }
        }
        let own: Vec<&ProviderId> =
            owners.iter().copied().filter(|owner| self.providers.get(*owner).is_some_and(|provider| !provider.builtin)).collect();
        let owners = if own.is_empty() { owners } else { own };
        match owners.as_slice() {
            [] => Ok(None),
            [owner] => Ok(Some(ModelRef::new((*owner).clone(), id))),
            several => Err(ResolveError::Ambiguous {
                text: text.to_owned(),
                candidates: several.iter().map(|owner| ModelRef::new((*owner).clone(), id.clone())).collect(),
            }),
        }
    }

    /// Step 5: the provider is known, the id is taken on trust.
    fn unlisted(&self, text: &str) -> Option<ModelRef> {
        let reference = ModelRef::parse(text).ok()?;
        let provider =
            if self.providers.contains_key(&reference.provider) { reference.provider } else { rewrite_provider(reference.provider) };
        if !self.providers.contains_key(&provider) {
            return None;
        }
        let model = match catalogue::full_id(&provider, reference.model.as_str()) {
            Some(full) => ModelId::new(full),
            None => reference.model,
        };
        Some(ModelRef::new(provider, model))
    }

    fn unknown(&self, text: &str, live: &[ModelRef]) -> ResolveError {
        if let Ok(reference) = ModelRef::parse(text) {
            let provider = rewrite_provider(reference.provider);
            if let Some(api) = catalogue::unsupported(&provider) {
                return ResolveError::UnsupportedProvider { provider, api };
            }
            if catalogue::find(&provider).is_some() && !self.providers.contains_key(&provider) {
                return ResolveError::SwitchedOff { provider };
            }
        }
        let aliases = self.aliases.values().filter(|named| self.is_offered(named)).map(|named| named.name.clone());
        // Whoever set no key for a built-in provider does not mean one of its models.
        let is_usable = |owner: &&ProviderId| self.providers.get(*owner).is_some_and(|provider| !(provider.builtin && provider.keyless));
        let listed = self.listed.iter().flat_map(|(id, owners)| owners.iter().filter(is_usable).map(move |owner| format!("{owner}/{id}")));
        let live = live.iter().map(ToString::to_string);
        ResolveError::Unknown { text: text.to_owned(), closest: closest(text, aliases.chain(listed).chain(live)) }
    }
}

/// Aliases are compared without regard to case and to the amount of space between words.
fn alias_key(name: &str) -> String {
    name.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}
