//! Which tools the owner left on: the lists of `tools` and of the agent, as one chain of steps.

use std::time::Duration;

use krabba_config::{
    Addresses, Agent, Credential, ExecSecurity, KeyPath, Loaded, PageSecret, Step as Key, ToolPolicy, ToolProfile, ToolScope, tools_meant,
};
use krabba_guard::Policy;
use krabba_net::{Egress, HttpClient, Pages, Url};
use krabba_redact::Redactor;
use krabba_tool::{Keeps, Selection, Step};
use krabba_tools::{FetchSettings, PageKey, SearchSettings};
use krabba_types::Secret;

use super::origin::{origin, path};

/// What `tools` and the agent's own `tools` leave on. The agent's profile stands in place of the common one; everything else narrows.
pub(crate) fn selection(loaded: &Loaded, agent: Option<&Agent>) -> Selection {
    let common = &loaded.config.tools.policy;
    let mut chain = Chain { loaded, steps: Vec::new() };
    let narrower = agent.and_then(|agent| Some((&agent.options.tools, loaded.agent_key(&agent.id)?)));
    let narrower = narrower.map(|(policy, mut at)| {
        at.push(Key::Key("tools".to_owned()));
        (policy, at)
    });
    let replaced = narrower.as_ref().is_some_and(|(policy, _)| policy.scope.profile.is_some());
    let scope = if replaced { ToolScope { profile: None, also_allow: Vec::new(), ..common.scope.clone() } } else { common.scope.clone() };
    chain.policy(&path(["tools"]), &ToolPolicy { scope, by_provider: common.by_provider.clone() });
    if let Some((policy, at)) = narrower {
        chain.policy(&at, policy);
    }
    if loaded.config.tools.exec.security == Some(ExecSecurity::Deny) {
        chain.step(&path(["tools", "exec"]), "security", None, meant(["exec", "process"].into_iter()), Keeps::Others);
    }
    Selection { steps: chain.steps, own: Vec::new() }
}

/// What decides about actions, with what the owner wrote down for it.
pub(crate) fn policy(loaded: &Loaded) -> Policy {
    let people = loaded.config.address_book.iter();
    let people = people.map(|(name, Addresses(addresses))| (name.to_owned(), addresses.clone().unwrap_or_default())).collect();
    Policy { people, ..Policy::default() }
}

/// How pages of the web are got; `None` where that is turned off. Keys that they are asked with become known to `redactor`.
pub(super) fn fetch(loaded: &Loaded, redactor: &Redactor) -> Option<FetchSettings> {
    let web = &loaded.config.tools.web.fetch;
    let usual = FetchSettings::default();
    (web.enabled != Some(false)).then(|| FetchSettings {
        pages: Pages::new(web.ssrf_policy.allowed_hostnames.iter().cloned()),
        max_bytes: web.max_response_bytes.and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(usual.max_bytes),
        max_chars: web.max_chars.unwrap_or(usual.max_chars),
        timeout: web.timeout_seconds.map_or(usual.timeout, |seconds| Duration::from_secs(seconds.into())),
        keys: web.secrets.iter().filter_map(|(name, secret)| Some((name.to_owned(), page_key(secret, redactor)?))).collect(),
    })
}

/// `None` where the key is not known.
fn page_key(secret: &PageSecret, redactor: &Redactor) -> Option<PageKey> {
    let key = secret.api_key.as_ref().and_then(Credential::secret)?;
    redactor.register(key);
    let header = secret.header.clone().unwrap_or_else(|| "Authorization".to_owned());
    let value = if header.eq_ignore_ascii_case("authorization") { Secret::new(format!("Bearer {}", key.expose())) } else { key.clone() };
    let hosts = secret.hosts.iter().map(|host| host.trim().to_ascii_lowercase()).collect();
    Some(PageKey { hosts, header, value })
}

/// The search engine, which may be reached from now on; `None` where there is none.
pub(super) fn search(loaded: &Loaded) -> Option<SearchSettings> {
    let web = &loaded.config.tools.web.search;
    let address = web.base_url.as_deref().or_else(|| loaded.env.get("SEARXNG_BASE_URL")).filter(|_| web.enabled != Some(false))?;
    let endpoint = Url::parse(address.trim()).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    let egress = Egress::none();
    egress.allow(&endpoint);
    let timeout = Duration::from_secs(web.timeout_seconds.unwrap_or(30).into());
    Some(SearchSettings { http: HttpClient::new(egress), endpoint, count: web.max_results, timeout })
}

struct Chain<'l> {
    loaded: &'l Loaded,
    steps: Vec<Step>,
}

impl Chain<'_> {
    fn policy(&mut self, at: &KeyPath, policy: &ToolPolicy) {
        self.scope(at, None, &policy.scope);
        for (route, scope) in policy.by_provider.iter() {
            let mut at = at.clone();
            ["byProvider", route].iter().for_each(|key| at.push(Key::Key((*key).to_owned())));
            self.scope(&at, Some(route), scope);
        }
    }

    fn scope(&mut self, at: &KeyPath, route: Option<&str>, scope: &ToolScope) {
        let also = meant(scope.also_allow.iter().map(String::as_str));
        if let Some(entries) = scope.profile.and_then(ToolProfile::entries) {
            self.step(at, "profile", route, [meant(entries.iter().copied()), also.clone()].concat(), Keeps::These);
        }
        if !scope.allow.is_empty() {
            self.step(at, "allow", route, [meant(scope.allow.iter().map(String::as_str)), also].concat(), Keeps::These);
        }
        if !scope.deny.is_empty() {
            self.step(at, "deny", route, meant(scope.deny.iter().map(String::as_str)), Keeps::Others);
        }
    }

    fn step(&mut self, at: &KeyPath, key: &str, route: Option<&str>, mut names: Vec<String>, keeps: Keeps) {
        let mut at = at.clone();
        at.push(Key::Key(key.to_owned()));
        // Patches are another way of writing, which who may run commands may do anyway.
        if keeps == Keeps::These && names.iter().any(|name| name == "exec") {
            names.push("apply_patch".to_owned());
        }
        self.steps.push(Step { place: origin(self.loaded, &at), route: route.map(str::to_owned), names, keeps });
    }
}

fn meant<'e>(entries: impl Iterator<Item = &'e str>) -> Vec<String> {
    entries.flat_map(tools_meant).collect()
}
