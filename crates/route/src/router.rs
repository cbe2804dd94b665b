//! The front door of the crate.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use krabba_llm::Caller;
use krabba_local::{LoadOrder, LoadStream, Loader, Observation, Report, Services, Wanted, Watcher};
use krabba_net::HttpClient;
use krabba_store::{Store, StoreError};
use krabba_types::{AgentId, BoxId, Clock, FactSource, ModelRef, ProviderId, RouteFacts, RouteState, Timestamp, ToolAbility};

use crate::breaker::{Admission, Breaker};
use crate::clocks::{ClockTable, Clocks};
use crate::event::Surface;
use crate::facts::Voices;
use crate::keys::KeyRing;
use crate::learned::{Learned, Lesson, Lessons};
use crate::listing::{ListedModel, list};
use crate::order::{Order, Scene};
use crate::plan::{Ask, Plan};
use crate::prompt::Prompt;
use crate::queue::Queue;
use crate::reference::{Names, ResolveError, Resolved};
use crate::run::Run;
use crate::settings::{ModelEntry, Provider, Settings};
use crate::stream::RunStream;
use crate::target::{Variation, dialect};
use crate::told::Told;
use crate::tuning::Tuned;
use crate::unlisted::Unlisted;

/// Chooses routes and runs requests over them. Clones share everything.
#[derive(Clone)]
pub struct Router {
    inner: Arc<Inner>,
}

/// What all runs share. No lock is held over an await.
pub(crate) struct Inner {
    pub(crate) settings: Settings,
    pub(crate) names: Names,
    pub(crate) http: HttpClient,
    pub(crate) caller: Caller,
    pub(crate) watcher: Watcher,
    pub(crate) services: Services,
    pub(crate) loader: Loader,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) learned: Learned,
    pub(crate) queue: Queue,
    pub(crate) told: Told,
    pub(crate) health: Health,
}

/// What requests told about routes, keys and boxes.
#[derive(Default)]
pub(crate) struct Health {
    breakers: Mutex<HashMap<ModelRef, Breaker>>,
    keys: Mutex<HashMap<ProviderId, KeyRing>>,
    /// Boxes that probably still work for somebody who left, and until when.
    lingering: Mutex<HashMap<BoxId, Timestamp>>,
}

impl Router {
    /// Opens the egress to the configured providers and begins to watch those at home. Must be called inside of a tokio
    /// runtime.
    pub fn new(
        settings: Settings,
        http: HttpClient,
        caller: Caller,
        watcher: Watcher,
        services: Services,
        store: Arc<Store>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let inner = Inner {
            names: Names::of(&settings),
            queue: Queue::new(settings.slots_dir.clone()),
            learned: Learned::load(store, Arc::clone(&clock)),
            told: Told::default(),
            health: Health::default(),
            settings,
            loader: Loader::new(http.clone()),
            http,
            caller,
            watcher,
            services,
            clock,
        };
        inner.watch_all();
        Self { inner: Arc::new(inner) }
    }

    /// Waits until every server at home was asked for its state once, a second at most. Without this, a bare id that only a
    /// server's own listing knows does not resolve in the first moments of a process.
    pub async fn look(&self) {
        self.inner.freshen_all().await;
    }

    /// The one model that `text` means.
    ///
    /// # Errors
    /// [`ResolveError`], with the closest names.
    pub fn resolve(&self, text: &str) -> Result<ModelRef, ResolveError> {
        self.resolve_with_profile(text).map(|resolved| resolved.reference)
    }

    /// The same, with the key profile that `@profile` pins.
    ///
    /// # Errors
    /// [`ResolveError`], with the closest names.
    pub fn resolve_with_profile(&self, text: &str) -> Result<Resolved, ResolveError> {
        self.inner.names.resolve(text, &self.inner.live())
    }

    /// Who would be asked, in which order, and who not and why.
    pub fn plan(&self, ask: &Ask) -> Plan {
        self.inner.plan(ask)
    }

    /// Runs one request over the routes of `plan` until one of them answers. Nothing happens until the stream is polled;
    /// dropping it cancels everything at once.
    pub fn run(&self, plan: Plan, prompt: Arc<dyn Prompt>, surface: Surface) -> RunStream {
        let inner = Arc::clone(&self.inner);
        RunStream::of(move |emitter| Run::new(inner, plan, prompt, surface, emitter).drive())
    }

    /// What is known about a route, as `agent` may use it.
    pub fn facts(&self, agent: &AgentId, reference: &ModelRef) -> RouteFacts {
        self.inner.facts(agent, reference)
    }

    /// Remembers how the model of a route turned out to call tools. Waits for the disk.
    ///
    /// # Errors
    /// When it could not be stored; it is known all the same until this process ends.
    pub fn remember_tools(&self, reference: &ModelRef, tools: ToolAbility) -> Result<(), StoreError> {
        let Some(provider) = self.inner.provider(&reference.provider) else { return Ok(()) };
        self.inner.learned.learn(&route_key(provider, reference), &Lesson::Tools(tools), FactSource::Measured)
    }

    /// What a route is doing.
    pub fn state(&self, reference: &ModelRef) -> RouteState {
        self.inner.state(reference)
    }

    /// Every limit on waiting for a route; `None` when there is no such provider.
    pub fn timeouts(&self, reference: &ModelRef) -> Option<ClockTable> {
        let provider = self.inner.provider(&reference.provider)?;
        let table = ClockTable::of(reference, &provider.clocks, &provider.residency);
        let asked_first = provider.hosting.probe && !provider.residency.leaves_home();
        let table = if asked_first { table.with_look() } else { table };
        Some(match &provider.hosting.service {
            Some(service) => table.with_service(service),
            None => table,
        })
    }

    /// Every model that can be named: configured, listed by a server in reach, or built in with a key.
    pub fn list(&self) -> Vec<ListedModel> {
        list(&self.inner)
    }

    /// All aliases with their targets, sorted by name.
    pub fn aliases(&self) -> Vec<(String, ModelRef)> {
        self.inner.names.aliases()
    }

    /// Those of them that a person can use as things are: not the built-in names of models whose key is missing.
    pub fn usable_aliases(&self) -> Vec<(String, ModelRef)> {
        let names = &self.inner.names;
        names.aliases().into_iter().filter(|(name, _)| names.offers(name)).collect()
    }

    /// Whether a conversation could leave home at all, its policy aside: the plan names a hosted model, or a provider of that
    /// kind can be asked.
    pub fn leads_away(&self, plan: &Plan) -> bool {
        let named = plan.refused.iter().filter_map(|refused| ModelRef::parse(&refused.reference).ok());
        let mut named = named.filter_map(|reference| self.inner.provider(&reference.provider));
        let can_be_asked = |provider: &&Provider| !provider.builtin || !provider.keys.is_empty();
        plan.candidates.iter().any(|candidate| candidate.residency.leaves_home())
            || named.any(|provider| provider.residency.leaves_home())
            || self.providers().iter().filter(can_be_asked).any(|provider| provider.residency.leaves_home())
    }

    /// The providers, in their order.
    pub fn providers(&self) -> &[Provider] {
        &self.inner.settings.providers
    }

    /// What the provider's server said last; only servers at home are asked.
    pub fn report(&self, provider: &ProviderId) -> Option<Arc<Report>> {
        self.inner.provider(provider).and_then(|provider| self.inner.report(provider))
    }

    /// Whether a server at home was asked for its state at all, and has answered or not.
    pub fn was_asked(&self, provider: &ProviderId) -> bool {
        let provider = self.inner.provider(provider);
        provider.is_some_and(|provider| !matches!(self.inner.watcher.observation(&provider.base_url), Observation::NotYet))
    }

    /// That its server, as far as it is in reach, does not list a model.
    pub fn unlisted(&self, reference: &ModelRef) -> Option<Unlisted> {
        self.inner.unlisted(reference)
    }

    /// Loads a model anew with a window of so many tokens, at the person's word and never otherwise. `None` when its server is
    /// not in reach. Ask for [`Router::look_again`] when it has ended.
    pub fn load_with_window(&self, reference: &ModelRef, window: u32) -> Option<LoadStream> {
        let provider = self.inner.provider(&reference.provider)?;
        let order = LoadOrder {
            endpoint: self.inner.endpoint(provider),
            report: self.inner.report(provider)?,
            model: reference.model.clone(),
            wanted: Wanted::Window(window),
            keep_alive: provider.extras.keep_alive.clone(),
            budget: Clocks::of(&provider.clocks, &provider.residency).load,
        };
        Some(self.inner.loader.load(order))
    }

    /// Asks a server at home for its state now, however fresh the last report is.
    pub async fn look_again(&self, provider: &ProviderId) {
        if let Some(provider) = self.inner.provider(provider)
            && !provider.residency.leaves_home()
        {
            self.inner.watcher.refresh_now(&provider.base_url).await;
        }
    }

    /// Requests of this process on a provider's box, and those that wait for it.
    pub fn occupancy(&self, provider: &ProviderId) -> (u32, u32) {
        self.inner.provider(provider).map_or((0, 0), |provider| self.inner.queue.load(&provider.hosting.box_id))
    }
}

impl fmt::Debug for Router {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Router").field("providers", &self.inner.settings.providers.len()).finish_non_exhaustive()
    }
}

impl Inner {
    pub(crate) fn plan(&self, ask: &Ask) -> Plan {
        Order { settings: &self.settings, names: &self.names, scene: self }.plan(ask)
    }

    pub(crate) fn provider(&self, id: &ProviderId) -> Option<&Provider> {
        self.settings.providers.iter().find(|provider| provider.id == *id)
    }

    pub(crate) fn unlisted(&self, reference: &ModelRef) -> Option<Unlisted> {
        let report = self.report(self.provider(&reference.provider)?)?;
        Unlisted::of(reference, &report)
    }

    pub(crate) fn facts(&self, agent: &AgentId, reference: &ModelRef) -> RouteFacts {
        let Some(provider) = self.provider(&reference.provider) else {
            return krabba_local::facts_unseen(
                krabba_types::ServerKind::Other,
                &krabba_local::Configured::default(),
                &krabba_local::Learned::default(),
                self.clock.now(),
            );
        };
        let lessons = self.learned.of(&route_key(provider, reference));
        let report = self.report(provider);
        let tuned = self.settings.tuned(agent, reference, provider.entry(&reference.model));
        self.voices(reference, provider, report.as_deref(), &lessons, &tuned).facts()
    }

    pub(crate) fn voices<'a>(
        &self,
        reference: &'a ModelRef,
        provider: &'a Provider,
        report: Option<&'a Report>,
        lessons: &'a Lessons,
        tuned: &'a Tuned,
    ) -> Voices<'a> {
        let entry: Option<&ModelEntry> = provider.entry(&reference.model);
        let dialect = dialect(provider, entry, lessons, &Variation::default());
        Voices { reference, provider, entry, report, lessons, tuned, dialect, now: self.clock.now() }
    }

    pub(crate) fn state(&self, reference: &ModelRef) -> RouteState {
        let Some(provider) = self.provider(&reference.provider) else { return RouteState::Unknown };
        match self.admission(reference, provider) {
            Admission::Last(state) => state,
            Admission::InTurn => self.report(provider).map_or(RouteState::Unknown, |report| report.route_state(&reference.model)),
        }
    }

    /// Works with the breaker of a route.
    pub(crate) fn breaker<T>(&self, reference: &ModelRef, provider: &Provider, work: impl FnOnce(&mut Breaker) -> T) -> T {
        let mut breakers = locked(&self.health.breakers);
        work(breakers.entry(reference.clone()).or_insert_with(|| Breaker::new(&provider.residency)))
    }

    /// Works with the keys of a provider.
    pub(crate) fn key_ring<T>(&self, provider: &ProviderId, work: impl FnOnce(&mut KeyRing) -> T) -> T {
        work(locked(&self.health.keys).entry(provider.clone()).or_default())
    }

    /// Boxes that still work for somebody who left.
    pub(crate) fn lingering(&self) -> MutexGuard<'_, HashMap<BoxId, Timestamp>> {
        locked(&self.health.lingering)
    }
}

impl Scene for Inner {
    fn report(&self, provider: &Provider) -> Option<Arc<Report>> {
        Self::report(self, provider)
    }

    fn admission(&self, reference: &ModelRef, provider: &Provider) -> Admission {
        let (now, report) = (self.clock.now(), self.report(provider));
        self.breaker(reference, provider, |breaker| {
            if let Some(report) = report {
                breaker.probed_up(report.at);
            }
            breaker.admission(now)
        })
    }

    fn live(&self) -> Vec<ModelRef> {
        Self::live(self)
    }
}

/// Under what the lessons of a route are kept: where it is and what is asked for there.
pub(crate) fn route_key(provider: &Provider, reference: &ModelRef) -> String {
    // The same server is found with and without the path of its interface.
    let place = provider.base_url.trim_end_matches('/');
    format!("{} {}", place.strip_suffix("/v1").unwrap_or(place), reference.model)
}

/// A panic elsewhere leaves these counters usable, so that its poison is no reason to stop.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
