//! Everything running.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use krabba_agent::{Agent, AgentSettings, Arriving, Briefing, Hands};
use krabba_config::{Loaded, QueueMode};
use krabba_context::{Fragment, SystemPrompt};
use krabba_guard::{Decoys, Monitor};
use krabba_llm::Caller;
use krabba_local::{Configured, Figure, Mismatch, Services, Watcher, mismatches};
use krabba_mcp::{McpError, Pin, Servers, Standing};
use krabba_net::{Egress, HttpClient};
use krabba_redact::Redactor;
use krabba_route::{ResolveError, Router, Settings, check};
use krabba_store::{Store, StoredEvent};
use krabba_tool::Catalogue;
use krabba_tools::{Jobs, SearchSettings};
use krabba_types::{AgentId, Clock, Dialect, ModelRef, SessionId, SystemClock, Thinking};

use super::hands::{Acting, Ground, Ways, patience};
use super::limits::{self, LimitRow};
use super::tools::{fetch, policy, search, selection};
use super::{Home, choices, mcp, providers};
use crate::failure::Failure;
use crate::terminal::printable_lines;

/// The rooms, put together. Dropped without [`World::close`] it loses nothing that was promised, but services that it
/// started may outlive it.
pub(crate) struct World {
    /// What the configuration says.
    pub(crate) loaded: Loaded,
    store: Arc<Store>,
    /// Who answers.
    pub(crate) router: Arc<Router>,
    watcher: Watcher,
    services: Services,
    clock: Arc<dyn Clock>,
    redactor: Redactor,
    decoys: Decoys,
    ground: Ground,
    started: Mutex<Started>,
}

/// What was started for agents, and has to be ended.
#[derive(Default)]
struct Started {
    jobs: Vec<Jobs>,
    servers: Vec<Servers>,
}

fn settings(loaded: &Loaded) -> Settings {
    Settings {
        providers: providers::providers(loaded),
        default: choices::default_selection(loaded),
        agents: choices::agent_selections(loaded),
        aliases: choices::aliases(loaded),
        allow: choices::allow(loaded),
        residency: choices::residency(loaded),
        slots_dir: None,
    }
}

/// The decoys of this installation. What they grow from is made at the first start, and lies beside the store.
fn decoys(state_dir: &Path) -> std::io::Result<Decoys> {
    let path = state_dir.join("decoys");
    if let Ok(seed) = fs::read_to_string(&path)
        && !seed.is_empty()
    {
        return Ok(Decoys::of(&seed));
    }
    let seed = uuid::Uuid::new_v4().to_string();
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path)?;
    file.write_all(seed.as_bytes())?;
    Ok(Decoys::of(&seed))
}

/// A model that the configuration names and its own privacy policy forbids. Exit code 78.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub(crate) struct Forbidden(pub(crate) Vec<String>);

impl World {
    /// How long servers of tools that were never seen are waited for by a person who wants to talk.
    pub(crate) const MEETING: Duration = Duration::from_secs(5);

    /// And by whoever comes for them, or for one answer: as long as each of them may take.
    pub(crate) const WHOLE: Duration = Duration::MAX;

    /// Puts everything together. Needs a tokio runtime around it; sends nothing to a model.
    ///
    /// # Errors
    /// When the state directory cannot be used, or the configuration contradicts its own privacy policy.
    pub(crate) fn assemble(home: &Home, loaded: Loaded) -> Result<Self> {
        let forbidden = Self::forbidden(&loaded);
        if !forbidden.is_empty() {
            return Err(Forbidden(forbidden).into());
        }
        let settings = Settings { slots_dir: Some(home.state_dir.join("slots")), ..settings(&loaded) };
        let redactor = Redactor::default();
        for provider in &settings.providers {
            let headers = provider.headers.iter().chain(provider.models.iter().flat_map(|model| &model.headers));
            let service = provider.hosting.service.iter().flat_map(|service| &service.env);
            provider.keys.iter().for_each(|key| redactor.register(&key.secret));
            headers.chain(service).for_each(|(_, secret)| redactor.register(secret));
        }
        home.tighten_own_state_dir();
        let store =
            Store::open(&home.state_dir).with_context(|| format!("the state directory {} cannot be used", home.shown(&home.state_dir)))?;
        let store = Arc::new(store);
        let http = HttpClient::new(Egress::none());
        let watcher = Watcher::new(http.clone());
        let services = Services::new(http.clone(), &home.state_dir);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let decoys =
            decoys(&home.state_dir).with_context(|| format!("the state directory {} cannot be used", home.shown(&home.state_dir)))?;
        let caller = Caller::new(http.clone(), redactor.clone());
        let router = Router::new(settings, http, caller, watcher.clone(), services.clone(), Arc::clone(&store), Arc::clone(&clock));
        let (router, ground) = (Arc::new(router), Ground::of(home));
        Ok(Self { loaded, store, router, watcher, services, clock, redactor, decoys, ground, started: Mutex::default() })
    }

    /// What the configuration names and its own privacy policy forbids, each with its line.
    pub(crate) fn forbidden(loaded: &Loaded) -> Vec<String> {
        check(&settings(loaded)).iter().map(|error| format!("{}: {}", error.origin, error.message)).collect()
    }

    /// The fallbacks of the default agent, as written.
    pub(crate) fn configured_fallbacks(&self) -> Vec<String> {
        let choice = self.loaded.config.agents.defaults.model.as_ref();
        choice.and_then(|choice| choice.fallbacks.clone()).unwrap_or_default()
    }

    /// The models that look at pictures, as written, best first.
    pub(crate) fn configured_image_models(&self) -> Vec<String> {
        let Some(choice) = &self.loaded.config.agents.defaults.image_model else { return Vec::new() };
        choice.primary.iter().cloned().chain(choice.fallbacks.iter().flatten().cloned()).collect()
    }

    /// Where the file and the servers in reach disagree about a model. `contextTokens` is left out of it: who uses less of a
    /// window than there is means to. So is the loaded window where each request names its own, as with Ollama's native API.
    pub(crate) fn mismatches(&self) -> Vec<(ModelRef, Mismatch)> {
        let mut all = Vec::new();
        for (_, provider) in self.loaded.config.models.providers.iter() {
            let Some(report) = self.router.report(&provider.id) else { continue };
            for model in &provider.models {
                let configured = Configured {
                    window: model.context_window.or(provider.defaults.context_window),
                    max_output: model.max_tokens.or(provider.defaults.max_tokens),
                    ..Configured::default()
                };
                let reference = ModelRef::new(provider.id.clone(), model.id.clone());
                let names_its_own = self.dialect(&reference) == Some(Dialect::Ollama);
                let found = mismatches(&report, &model.id, &configured).into_iter();
                let standing = found.filter(|mismatch| !(names_its_own && mismatch.figure == Figure::LoadedWindow));
                all.extend(standing.map(|mismatch| (reference.clone(), mismatch)));
            }
        }
        all
    }

    fn dialect(&self, reference: &ModelRef) -> Option<Dialect> {
        let provider = self.router.providers().iter().find(|provider| provider.id == reference.provider)?;
        provider.entry(&reference.model).and_then(|entry| entry.dialect).or(Some(provider.dialect))
    }

    /// The primary of the default agent, as far as the file names one. An error when it means no model.
    pub(crate) fn configured_primary(&self) -> Option<Result<ModelRef, ResolveError>> {
        let agents = &self.loaded.config.agents;
        let own = self.default_agent().and_then(|agent| agent.options.model.as_ref()).and_then(|choice| choice.primary.as_ref());
        let primary = own.or(agents.defaults.model.as_ref().and_then(|choice| choice.primary.as_ref()))?;
        Some(self.router.resolve(primary))
    }

    fn default_agent(&self) -> Option<&krabba_config::Agent> {
        choices::default_agent(&self.loaded)
    }

    /// The agent of this name, without hands: to ask how it would go about something. Without a name the default one.
    ///
    /// # Errors
    /// When the configuration has no such agent.
    pub(crate) fn agent(&self, name: Option<&str>) -> Result<Agent> {
        let (id, agent) = self.chosen(name)?;
        let briefing = Briefing::fixed(SystemPrompt::new([Fragment::identity()]));
        Ok(self.agent_with(id, agent, briefing, self.empty_hands()))
    }

    /// The MCP servers that are asked what they offer before anything else happens, since nobody has seen them yet.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn new_servers(&self) -> Result<Vec<String>> {
        let ids = mcp::servers(&self.loaded, &self.redactor).into_iter().map(|server| server.id);
        let known = |id: String| Ok((!self.store.knows_mcp_server(&id)?).then_some(id));
        Ok(ids.map(known).collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
    }

    /// The agent of this name, with everything that it acts with; and what a person should know about that. Servers of tools that were never
    /// seen are waited for as long as `meeting`.
    ///
    /// # Errors
    /// When the configuration has no such agent, or its workspace cannot be used.
    pub(crate) async fn acting_agent(&self, name: Option<&str>, meeting: Duration) -> Result<(Agent, Vec<String>)> {
        let (id, agent) = self.chosen(name)?;
        let place = self.ground.place(&self.loaded.config, agent, &self.decoys)?;
        let servers = mcp::servers(&self.loaded, &self.redactor);
        let limits = limits::limits(&self.loaded, agent);
        let hands = Hands { selection: selection(&self.loaded, agent), limits, ..self.empty_hands() };
        let eyes = !self.configured_image_models().is_empty();
        let patience = patience(self.loaded.config.tools.exec);
        let ways = Ways { patience, fetch: fetch(&self.loaded, &self.redactor), search: search(&self.loaded), meeting, eyes };
        let Acting { hands, briefing, jobs, servers, problems } = self.ground.acting(place, &self.store, servers, ways, hands).await?;
        let mut notices: Vec<String> = problems.iter().map(|problem| self.told(problem)).collect();
        notices.extend(news(&servers)?);
        let mut started = self.started.lock().unwrap_or_else(PoisonError::into_inner);
        started.jobs.push(jobs);
        started.servers.push(servers);
        Ok((self.agent_with(id, agent, briefing, hands), notices))
    }

    /// What has changed about the tools of MCP servers since it was told last, and which servers failed that were still waited for.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn news(&self) -> Result<Vec<String>> {
        let started = self.started.lock().unwrap_or_else(PoisonError::into_inner);
        let late = started.servers.iter().flat_map(Servers::failed_late).map(|problem| self.told(&problem)).collect();
        let news = started.servers.iter().map(news).collect::<Result<Vec<_>>>()?;
        Ok([news.concat(), late].concat())
    }

    /// The MCP servers, without an agent.
    ///
    /// # Errors
    /// When the workspace cannot be used, or the store fails.
    pub(crate) fn mcp_servers(&self) -> Result<Servers> {
        let (_, sandbox) = self.ground.place(&self.loaded.config, self.default_agent(), &self.decoys)?;
        let servers = mcp::servers(&self.loaded, &self.redactor);
        let catalogue = Arc::new(Catalogue::default());
        Ok(Servers::open(servers, Arc::clone(&self.store), &catalogue, sandbox)?)
    }

    /// The workspace of the default agent, which need not be there yet.
    pub(crate) fn workspace(&self) -> PathBuf {
        self.ground.workspace(&self.loaded.config, self.default_agent())
    }

    /// The search engine, where one is named.
    pub(crate) fn search(&self) -> Option<SearchSettings> {
        search(&self.loaded)
    }

    /// What is wrong with an MCP server, for a person.
    pub(crate) fn told(&self, problem: &McpError) -> String {
        let said = printable_lines(&self.redactor.redact(problem.said()));
        if said.is_empty() { problem.to_string() } else { format!("{problem}; it says: {said}") }
    }

    /// How far one turn of the default agent may go.
    pub(crate) fn turn_limits(&self) -> [LimitRow; 3] {
        limits::rows(&self.loaded, self.default_agent())
    }

    /// What this machine offers for the commands of the default agent.
    ///
    /// # Errors
    /// When its workspace cannot be used.
    pub(crate) async fn standing(&self) -> Result<krabba_sandbox::Standing> {
        self.ground.standing(&self.loaded.config, self.default_agent(), &self.decoys).await
    }

    /// No tools yet, but everything that watches over them.
    fn empty_hands(&self) -> Hands {
        let monitor = Monitor::new(Arc::clone(&self.store), policy(&self.loaded), Arc::clone(&self.clock));
        let monitor = Arc::new(monitor.watching(self.redactor.clone(), self.decoys.clone()));
        let arriving = arriving(self.loaded.config.messages.queue.mode);
        Hands { monitor, redactor: self.redactor.clone(), arriving, ..Hands::none(&self.store, &self.clock) }
    }

    fn agent_with(&self, id: AgentId, agent: Option<&krabba_config::Agent>, briefing: Briefing, hands: Hands) -> Agent {
        let own = agent.and_then(|agent| agent.options.thinking_default);
        let thinking = own.or(self.loaded.config.agents.defaults.thinking_default).unwrap_or(Thinking::Unspecified);
        let settings = AgentSettings { id, briefing, thinking };
        Agent::new(Arc::clone(&self.store), Arc::clone(&self.router), settings, hands, Arc::clone(&self.clock))
    }

    fn chosen(&self, name: Option<&str>) -> Result<(AgentId, Option<&krabba_config::Agent>)> {
        let agents = &self.loaded.config.agents;
        let found = match name {
            Some(name) => agents.list.iter().find(|agent| agent.id.as_str() == name),
            None => self.default_agent(),
        };
        let id = match (found, name) {
            (Some(agent), _) => agent.id.clone(),
            (None, None | Some("main")) => AgentId::new("main"),
            (None, Some(name)) => {
                let known: Vec<&str> = agents.list.iter().map(|agent| agent.id.as_str()).collect();
                let known = if known.is_empty() { "main".to_owned() } else { known.join(", ") };
                return Err(Failure::UnknownAgent(format!("there is no agent \"{name}\"; there is {known}")).into());
            }
        };
        Ok((id, found))
    }

    /// The model that `text` means, asking the servers at home for their listings first if the configuration does not
    /// know it.
    ///
    /// # Errors
    /// When no model, or more than one, is meant; names the closest ones.
    pub(crate) async fn resolve(&self, text: &str) -> Result<ModelRef> {
        if let Ok(reference) = self.router.resolve(text) {
            return Ok(reference);
        }
        self.router.look().await;
        Ok(self.router.resolve(text)?)
    }

    /// Everything that was said and done in a session, oldest first.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn events(&self, session: &SessionId) -> Result<Vec<StoredEvent>> {
        Ok(self.store.events(session, 0)?)
    }

    /// Stops watching, and the commands and servers that were started for us.
    pub(crate) async fn close(self) {
        let Started { jobs, servers } = self.started.into_inner().unwrap_or_else(PoisonError::into_inner);
        for jobs in jobs {
            jobs.close().await;
        }
        for servers in servers {
            servers.close().await;
        }
        self.watcher.shutdown().await;
        self.services.shutdown().await;
    }
}

fn arriving(mode: Option<QueueMode>) -> Arriving {
    match mode {
        None | Some(QueueMode::Steer | QueueMode::Queue | QueueMode::SteerBacklog) => Arriving::Steer,
        Some(QueueMode::Followup) => Arriving::FollowUp,
        Some(QueueMode::Collect) => Arriving::Collect,
        Some(QueueMode::Interrupt) => Arriving::Interrupt,
    }
}

fn news(servers: &Servers) -> Result<Vec<String>> {
    let line = |pin: &Pin| {
        let what = if pin.standing == Standing::New { "is new" } else { "is not what it was" };
        let (tool, server) = (printable_lines(&pin.tool), &pin.server);
        format!("the tool {tool} of the MCP server {server} {what}, and is not used until you say yes: krabba mcp list")
    };
    Ok(servers.news()?.iter().map(line).collect())
}
