//! From a configuration and a wish to an ordered list of routes.
//!
//! 1. Who is wanted: this turn's model, else the session's, else the primary; behind it the fallbacks. A model that was
//!    switched to keeps the fallbacks, and the configured primary comes last, as in OpenClaw.
//! 2. Who may: residency first, before anything else is looked at; then the allowlist, for switches by people alone; then a
//!    key where one is needed.
//! 3. Who is able: routes that are held (down, limited, refused) go behind the others, and are still there.
//!
//! Without a primary it is the first model at home whose server answers, one for each box, because a second model on the
//! same box would push the first out of its memory. Never a hosted one.

use std::sync::Arc;

use krabba_local::{Report, model_residency};
use krabba_types::{ModelRef, ProviderId, Residency, RouteState, ServerKind};

use crate::allow::Allow;
use crate::breaker::Admission;
use crate::plan::{Ask, Candidate, Plan, Refused};
use crate::reference::Names;
use crate::residency::ResidencyPolicy;
use crate::settings::{Configured, Provider, ResidencySource, Selection, Settings};

/// What an order is made from, beside the wish.
pub(crate) trait Scene {
    /// What the provider's server said last.
    fn report(&self, provider: &Provider) -> Option<Arc<Report>>;
    /// Whether the route is held.
    fn admission(&self, reference: &ModelRef, provider: &Provider) -> Admission;
    /// Models that servers list besides the configuration.
    fn live(&self) -> Vec<ModelRef>;
}

/// A model that is wanted, before anybody asked whether it may.
struct Wanted {
    reference: Result<ModelRef, Refused>,
    why: String,
    by_person: bool,
}

/// Makes plans.
pub(crate) struct Order<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) names: &'a Names,
    pub(crate) scene: &'a dyn Scene,
}

impl Order<'_> {
    /// The plan for `ask`.
    pub(crate) fn plan(&self, ask: &Ask) -> Plan {
        let selection = self.settings.agents.get(&ask.agent).unwrap_or(&self.settings.default);
        let policy = self.policy(selection, ask);
        let allow = selection.allow.as_ref().or(self.settings.default.allow.as_ref()).unwrap_or(&self.settings.allow);
        let live = self.scene.live();
        let configured = self.configured(selection, &live);
        let mut wanted = self.wanted(ask, selection, &configured, &live);
        if wanted.is_empty() {
            wanted = self.first_at_home();
        }
        let mut plan = Plan::empty(ask, policy);
        for want in wanted {
            let chosen = want.by_person;
            match self.admit(want, &plan.policy, allow, &configured) {
                Ok(candidate) if plan.candidates.iter().any(|known| known.reference == candidate.reference) => {}
                Ok(candidate) => plan.candidates.push(candidate),
                Err(refused) => {
                    plan.refused.push(Refused { behind: plan.candidates.len(), ..refused });
                    if chosen && ask.model.is_some() {
                        // Who names a model for this turn does not want another one behind their back.
                        return plan;
                    }
                    if chosen {
                        // What a session was switched to earlier and may not be asked now leaves the usual order.
                        let mut usual = self.plan(&Ask { sticky: None, ..ask.clone() });
                        usual.refused.splice(0..0, plan.refused);
                        usual.ask = plan.ask;
                        return usual;
                    }
                }
            }
        }
        if let Some(first) = plan.candidates.first() {
            plan.wanted = Some(first.reference.clone());
        }
        // Stable: among the held and among the others the order stays.
        plan.candidates.sort_by_key(|candidate| self.is_held(candidate));
        plan
    }

    fn policy(&self, selection: &Selection, ask: &Ask) -> ResidencyPolicy {
        let owner = selection.residency.as_ref().or(self.settings.default.residency.as_ref()).unwrap_or(&self.settings.residency);
        ask.residency.as_ref().map_or_else(|| owner.clone(), |session| owner.tightened_by(session))
    }

    /// Primary and fallbacks as configured, resolved.
    fn configured(&self, selection: &Selection, live: &[ModelRef]) -> Vec<Wanted> {
        let primary = selection.primary.as_ref().or(self.settings.default.primary.as_ref());
        let fallbacks = selection.fallbacks.as_ref().or(self.settings.default.fallbacks.as_ref());
        let primary = primary.map(|entry| self.want(entry, "primary".to_owned(), live));
        let fallbacks = fallbacks.into_iter().flatten().enumerate();
        primary.into_iter().chain(fallbacks.map(|(index, entry)| self.want(entry, format!("fallback {}", index + 1), live))).collect()
    }

    fn want(&self, entry: &Configured, why: String, live: &[ModelRef]) -> Wanted {
        let reference = self.names.resolve(&entry.text, live).map(|resolved| resolved.reference);
        let reference =
            reference.map_err(|error| Refused { reference: entry.text.clone(), why: format!("{}: {error}", entry.origin), behind: 0 });
        Wanted { reference, why, by_person: false }
    }

    fn wanted(&self, ask: &Ask, selection: &Selection, configured: &[Wanted], live: &[ModelRef]) -> Vec<Wanted> {
        let chosen = ask.model.as_ref().map(|model| (model, "chosen for this turn"));
        let chosen = chosen.or_else(|| ask.sticky.as_ref().map(|model| (model, "chosen for this session")));
        let mut wanted: Vec<Wanted> = Vec::new();
        let mut last = None;
        if let Some((model, why)) = chosen {
            wanted.push(Wanted { reference: Ok(model.clone()), why: why.to_owned(), by_person: true });
        }
        let images = if selection.image.is_empty() { &self.settings.default.image } else { &selection.image };
        let sees = configured.first().is_some_and(|first| self.sees(first));
        if ask.images && chosen.is_none() && !sees {
            wanted.extend(images.iter().map(|entry| self.want(entry, "sees pictures".to_owned(), live)));
        }
        for want in configured {
            let copy = Wanted { reference: want.reference.clone(), why: want.why.clone(), by_person: false };
            if chosen.is_some() && want.why == "primary" {
                // An agent's own list of fallbacks, even an empty one, is meant to be the whole list.
                let own_list = selection.fallbacks.is_some() && self.settings.agents.contains_key(&ask.agent);
                last = (!own_list).then_some(copy);
            } else {
                wanted.push(copy);
            }
        }
        wanted.extend(last);
        wanted
    }

    /// Whether it is known to see pictures; to one of which nothing is known none is sent.
    fn sees(&self, want: &Wanted) -> bool {
        let Ok(reference) = &want.reference else { return false };
        let Some(provider) = self.provider(&reference.provider) else { return false };
        let entry = provider.entry(&reference.model).and_then(|entry| entry.vision);
        let report = self.scene.report(provider);
        let listed = report.as_ref().and_then(|report| report.model(&reference.model)).and_then(|model| model.abilities.vision);
        entry.or(listed) == Some(true)
    }

    fn provider(&self, id: &ProviderId) -> Option<&Provider> {
        self.settings.providers.iter().find(|provider| provider.id == *id)
    }

    fn admit(&self, want: Wanted, policy: &ResidencyPolicy, allow: &Allow, configured: &[Wanted]) -> Result<Candidate, Refused> {
        let reference = want.reference?;
        let refuse = |why: String| Refused { reference: reference.to_string(), why, behind: 0 };
        let Some(provider) = self.provider(&reference.provider) else {
            return Err(refuse(format!("there is no provider \"{}\"", reference.provider)));
        };
        let report = self.scene.report(provider);
        let residency = effective_residency(provider, &reference, report.as_deref());
        if !policy.permits(&residency) {
            return Err(refuse(format!("{} is {residency}, and this conversation may go only to: {policy}", provider.shown_url())));
        }
        let is_configured = configured.iter().any(|entry| entry.reference.as_ref() == Ok(&reference));
        if want.by_person && !is_configured {
            allow.check(&reference).map_err(|denied| refuse(denied.to_string()))?;
        }
        if let (true, Some(variable)) = (provider.keys.is_empty(), &provider.missing_key) {
            return Err(refuse(format!("provider \"{}\" has no key; set {variable}", provider.id)));
        }
        let state = match self.scene.admission(&reference, provider) {
            Admission::InTurn => report.map_or(RouteState::Unknown, |report| report.route_state(&reference.model)),
            Admission::Last(state) => state,
        };
        Ok(Candidate { reference, endpoint: provider.shown_url(), residency, state, why: want.why })
    }

    fn is_held(&self, candidate: &Candidate) -> bool {
        self.provider(&candidate.reference.provider)
            .is_some_and(|provider| matches!(self.scene.admission(&candidate.reference, provider), Admission::Last(_)))
    }

    fn first_at_home(&self) -> Vec<Wanted> {
        let mut boxes = Vec::new();
        let mut found: Vec<(u8, Wanted)> = Vec::new();
        let at_home = self.settings.providers.iter().filter(|provider| !provider.builtin && !provider.residency.leaves_home());
        for provider in at_home {
            if boxes.contains(&&provider.hosting.box_id) {
                continue;
            }
            let report = self.scene.report(provider);
            let Some(model) = model_at_home(provider, report.as_deref()) else { continue };
            boxes.push(&provider.hosting.box_id);
            let forwards = effective_residency(provider, &model, report.as_deref()).leaves_home();
            // A server that answers before one that does not; a proxy of which nobody knows where it leads after both.
            let rank = match (&report, forwards) {
                (Some(_), false) => 0,
                (Some(_), true) => 1,
                (None, _) => 2,
            };
            found.push((rank, Wanted { reference: Ok(model), why: "first model at home".to_owned(), by_person: false }));
        }
        found.sort_by_key(|(rank, _)| *rank);
        found.into_iter().map(|(_, want)| want).collect()
    }
}

/// The model to begin with at a provider: the first that the owner listed and the server has, else the first listed, else what
/// the server has loaded, else its first.
fn model_at_home(provider: &Provider, report: Option<&Report>) -> Option<ModelRef> {
    let reference = |model: &krabba_types::ModelId| ModelRef::new(provider.id.clone(), model.clone());
    let usable = |model: &&krabba_local::ServerModel| !model.abilities.embedding && model.remote_host.is_none();
    let served = report
        .and_then(|report| provider.models.iter().find(|entry| report.model(&entry.id).as_ref().is_some_and(usable)))
        .or(provider.models.first());
    if let Some(entry) = served {
        return Some(reference(&entry.id));
    }
    let models = &report?.models;
    let loaded = models.iter().filter(usable).find(|model| model.loaded == Some(true));
    loaded.or_else(|| models.iter().find(usable)).map(|model| reference(&model.id))
}

/// How far a conversation really travels: as declared, or as far as the address says, or farther if the server or the model's
/// name says so.
pub(crate) fn effective_residency(provider: &Provider, reference: &ModelRef, report: Option<&Report>) -> Residency {
    let declared = provider.residency.clone();
    match (provider.hosting.residency_source, report) {
        (ResidencySource::Declared, _) => declared,
        (ResidencySource::Inferred, report) if may_be_ollamas_cloud(provider, reference, report) => Residency::Hosted,
        (ResidencySource::Inferred, Some(report)) => {
            let Ok(url) = url::Url::parse(&report.url) else { return declared };
            let said = model_residency(&url, report, &reference.model);
            if said.reach() > declared.reach() { said } else { declared }
        }
        (ResidencySource::Inferred, None) => declared,
    }
}

/// Ollama passes models with such names on to its cloud. Where it has not been asked yet, did not answer in time, or hides
/// what it is, the name is all there is to go by. Another server that names itself is believed.
fn may_be_ollamas_cloud(provider: &Provider, reference: &ModelRef, report: Option<&Report>) -> bool {
    let may_be_ollama = match report.map(|report| report.kind) {
        None | Some(ServerKind::Other) => !provider.residency.leaves_home(),
        Some(kind) => kind == ServerKind::Ollama,
    };
    may_be_ollama && [":cloud", "-cloud"].iter().any(|suffix| reference.model.as_str().ends_with(suffix))
}

impl Plan {
    fn empty(ask: &Ask, policy: ResidencyPolicy) -> Self {
        Self { candidates: Vec::new(), refused: Vec::new(), policy, wanted: None, ask: ask.clone() }
    }
}
