//! The keys of a provider, in the order in which they are used: profiles in their order, the provider's variables of the
//! environment, the provider's own `apiKey`. As in OpenClaw, a variable goes before the file.

use krabba_config::{Auth, Credential, Env, Provider};
use krabba_route::{HostedProvider, Key};
use krabba_types::Secret;

/// Variables of servers that people run themselves.
const LOCAL_VARIABLES: [(&str, &str); 6] = [
    ("lmstudio", "LM_API_TOKEN"),
    ("vllm", "VLLM_API_KEY"),
    ("sglang", "SGLANG_API_KEY"),
    ("litellm", "LITELLM_API_KEY"),
    ("llama-cpp", "LLAMA_SERVER_API_KEY"),
    ("ollama", "OLLAMA_API_KEY"),
];

/// The variable from which the key of a server comes when the provider has this name, for those that people run themselves.
pub(crate) fn usual_variable(id: &str) -> Option<&'static str> {
    LOCAL_VARIABLES.iter().find(|(provider, _)| *provider == id).map(|(_, variable)| *variable)
}

/// What there is, and what is wanted when there is nothing.
#[derive(Debug, Default)]
pub(super) struct Keys {
    /// Best first; each secret once.
    pub(super) found: Vec<Key>,
    /// What to set, when nothing was found and something is needed.
    pub(super) missing: Option<String>,
}

/// Collects the keys of a provider.
pub(super) fn keys(id: &str, provider: Option<&Provider>, row: Option<&HostedProvider>, auth: &Auth, env: &Env) -> Keys {
    let mut keys = Keys::default();
    for name in profiles(id, auth) {
        let Some(profile) = auth.profiles.get(&name) else { continue };
        match &profile.api_key {
            Some(Credential::Given { secret, source }) => keys.add(&name, secret.clone(), source.clone()),
            Some(Credential::Missing { wanted }) => keys.miss(wanted),
            None => {}
        }
    }
    let local = usual_variable(id);
    let hosted = row.map(|row| row.key_variables).unwrap_or_default().iter().copied();
    for variable in local.into_iter().chain(hosted) {
        if let Some(text) = env.get(variable) {
            let source = env.origin(variable).unwrap_or("environment");
            keys.add(&format!("{id}:{}", variable.to_lowercase()), Secret::new(text), format!("{variable} ({source})"));
        }
    }
    match provider.and_then(|provider| provider.server.api_key.as_ref()) {
        Some(Credential::Given { secret, source }) => keys.add(id, secret.clone(), source.clone()),
        Some(Credential::Missing { wanted }) => keys.miss(wanted),
        None => {}
    }
    if let Some(variable) = row.and_then(|row| row.key_variables.first()) {
        keys.miss(&format!("environment variable {variable}"));
    }
    if !keys.found.is_empty() {
        keys.missing = None;
    }
    keys
}

/// The provider's profiles: those of `auth.order`, else all that name it, in the order of the file.
fn profiles(id: &str, auth: &Auth) -> Vec<String> {
    if let Some(order) = auth.order.get(id) {
        return order.clone();
    }
    auth.profiles.iter().filter(|(_, profile)| profile.provider.eq_ignore_ascii_case(id)).map(|(name, _)| name.to_owned()).collect()
}

impl Keys {
    fn add(&mut self, profile: &str, secret: Secret, source: String) {
        if !secret.is_empty() && !self.found.iter().any(|key| key.secret == secret) {
            self.found.push(Key { profile: profile.to_owned(), secret, source });
        }
    }

    fn miss(&mut self, wanted: &str) {
        if self.missing.is_none() {
            self.missing = Some(wanted.to_owned());
        }
    }
}
