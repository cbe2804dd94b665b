//! What the router sees of the servers: the last report, a fresh look, a lease on a server that is started on demand.

use std::sync::Arc;
use std::time::Duration;

use krabba_local::{Endpoint, Observation, Report, ServerState, load_percent};
use krabba_net::base_urls;
use krabba_types::{ModelId, ModelRef, RouteState, ServerKind};
use tokio::time::timeout;

use crate::attempt::{Look, Looking};
use crate::clocks::PROBE_INTERVAL;
use crate::router::Inner;
use crate::settings::Provider;

/// The longest that anything else waits for a server to tell its state. A server that is up tells
/// it in milliseconds.
pub(crate) const LOOK_BUDGET: Duration = Duration::from_secs(1);

/// The longest that the question itself waits to hear who is asked: one round of questions.
pub(crate) const WHOLE_ROUND: Duration = Duration::from_secs(5);

/// How long a server is listened to that tells of a load only while it goes on.
const LISTEN: Duration = Duration::from_secs(2);

/// Whether an answer matters more than the knowledge about who gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hurry {
    /// It does: nothing hangs on it yet.
    Yes,
    /// It does not. A server that passes conversations on should have the time to say so, and a prompt that was made for a guessed
    /// window would be read twice, as the next one is made for the real window.
    No,
}

impl Inner {
    /// Opens the way to every provider that may be asked, and begins to watch those at home.
    pub(crate) fn watch_all(&self) {
        for provider in &self.settings.providers {
            if provider.builtin && provider.keys.is_empty() {
                continue;
            }
            for url in base_urls(&provider.base_url) {
                self.http.egress().allow(&url);
            }
            if !provider.residency.leaves_home() {
                self.watcher.watch(self.endpoint(provider));
            }
        }
    }

    /// The provider's server, as `local` knows it.
    pub(crate) fn endpoint(&self, provider: &Provider) -> Endpoint {
        Endpoint {
            provider: Some(provider.id.clone()),
            base_url: provider.base_url.clone(),
            key: provider.keys.first().map(|key| key.secret.clone()),
            headers: provider.headers.clone(),
            box_id: provider.hosting.box_id.clone(),
            // A name may be wrong, and what a server answers is not.
            kind_hint: None,
            probe: provider.hosting.probe,
        }
    }

    /// What its server said last.
    pub(crate) fn report(&self, provider: &Provider) -> Option<Arc<Report>> {
        if provider.residency.leaves_home() { None } else { self.watcher.latest(&provider.base_url) }
    }

    /// Makes sure that what is known of a server at home is not older than one probe interval, without waiting long.
    pub(crate) async fn freshen(&self, provider: &Provider, hurry: Hurry) {
        let may_ask = !provider.residency.leaves_home() && provider.hosting.probe;
        let stale = match self.watcher.observation(&provider.base_url) {
            Observation::NotYet => true,
            Observation::Up(report) => self.clock.now().since(report.at) > PROBE_INTERVAL,
            // It may have been started since, unless that was a moment ago.
            Observation::Down { at, .. } => self.clock.now().since(at) > Duration::from_secs(1),
        };
        let unknown = self.watcher.latest(&provider.base_url).is_none();
        let budget = match hurry {
            Hurry::No if unknown => WHOLE_ROUND,
            Hurry::Yes | Hurry::No => LOOK_BUDGET,
        };
        if may_ask && stale {
            // Running out of time is no answer, and needs none: the question itself will find out.
            let _ = timeout(budget, self.watcher.refresh_now(&provider.base_url)).await;
        }
    }

    /// Asks a server for its state whatever is known of it, a second at most.
    pub(crate) async fn look_anew(&self, provider: &Provider) {
        if provider.hosting.probe {
            let _ = timeout(LOOK_BUDGET, self.watcher.refresh_now(&provider.base_url)).await;
        }
    }

    /// Waits until every server at home was asked once, a second at most.
    pub(crate) async fn freshen_all(&self) {
        let at_home = self.settings.providers.iter().filter(|provider| !provider.residency.leaves_home());
        futures_util::future::join_all(at_home.map(|provider| self.freshen(provider, Hurry::Yes))).await;
    }

    /// All models that servers list, besides the configuration.
    pub(crate) fn live(&self) -> Vec<ModelRef> {
        let mut live = Vec::new();
        for provider in &self.settings.providers {
            if let Some(report) = self.report(provider) {
                live.extend(report.models.iter().map(|model| ModelRef::new(provider.id.clone(), model.id.clone())));
            }
        }
        live
    }

    /// A look at a server to see whether it has the model in memory by now.
    pub(crate) fn look(self: &Arc<Self>, provider: &Provider, model: &ModelId) -> Looking {
        let (inner, base_url, model) = (Arc::clone(self), provider.base_url.clone(), model.clone());
        let endpoint = self.endpoint(provider);
        Box::pin(async move {
            let Ok(Observation::Up(report)) = timeout(LOOK_BUDGET, inner.watcher.refresh_now(&base_url)).await else {
                return Look::Nothing;
            };
            match look_of(&report, &model) {
                Look::Loading { percent: None } if report.kind == ServerKind::LlamaCpp => {
                    Look::Loading { percent: load_percent(&inner.http, &endpoint, &report, &model, LISTEN).await }
                }
                look => look,
            }
        })
    }
}

/// What a report says about loading.
pub(crate) fn look_of(report: &Report, model: &ModelId) -> Look {
    let percent = match report.state {
        ServerState::Loading { percent } => percent,
        ServerState::Up | ServerState::NeedsKey | ServerState::KeyRefused | ServerState::Failing { .. } => None,
    };
    match report.route_state(model) {
        RouteState::Cold | RouteState::Loading => Look::Loading { percent },
        RouteState::Ready | RouteState::Busy => Look::Loaded,
        RouteState::Unknown | RouteState::RateLimited { .. } | RouteState::AuthFailed | RouteState::Down { .. } => Look::Nothing,
    }
}
