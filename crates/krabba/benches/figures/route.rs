//! krabba's own way to a model: a call by `krabba-llm` alone, and a run by the router over it.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use futures_util::StreamExt;
use krabba_llm::{Caller, OrphanPolicy, Shape, Target};
use krabba_local::{Services, Watcher};
use krabba_net::{Egress, HttpClient, Url};
use krabba_redact::Redactor;
use krabba_route::{
    Ask, ClockSettings, Configured, Extras, Hosting, ModelEntry, Prepared, Prompt, Provider, ResidencySource, RouteEvent, Router,
    Selection, Settings, Surface, TooLarge,
};
use krabba_store::Store;
use krabba_types::{
    AgentId, BoxId, Calling, Dialect, Message, ModelEvent, ModelId, ModelRef, ModelRequest, Params, ProviderId, Residency, Role,
    RouteFacts, ServerKind, SystemClock, Thinking,
};

use crate::server::{ONE_WORD, PACED, UNPACED};

const PROVIDER: &str = "bench";

/// Calls to one server. Clones share their connections.
#[derive(Clone)]
pub(crate) struct Calls {
    caller: Caller,
    base_url: String,
}

impl Calls {
    /// Calls to the server at `url`.
    pub(crate) fn to(url: &str) -> Result<Self> {
        let http = HttpClient::new(Egress::none());
        http.egress().allow(&Url::parse(url)?);
        Ok(Self { caller: Caller::new(http, Redactor::new()), base_url: format!("{url}/v1") })
    }

    /// Asks `model`, and gives the time from the beginning to each token.
    pub(crate) async fn ask(&self, model: &str) -> Result<Vec<Duration>> {
        let started = Instant::now();
        let mut stream = self.caller.call(self.target(model), request(ModelId::new(model)));
        let mut tokens = Vec::new();
        while let Some(event) = stream.next().await {
            match event {
                ModelEvent::Text(_) => tokens.push(started.elapsed()),
                ModelEvent::Failed(fault) => bail!("{fault}"),
                _ => {}
            }
        }
        Ok(tokens)
    }

    fn target(&self, model: &str) -> Target {
        let route = ModelRef::new(ProviderId::new(PROVIDER), ModelId::new(model));
        Target {
            shape: Shape::new(ServerKind::LmStudio, route.clone()),
            route,
            dialect: Dialect::OpenAiCompletions,
            base_url: self.base_url.clone(),
            key: None,
            headers: Vec::new(),
            connect_timeout: Duration::from_secs(2),
            residency: Residency::Device,
            orphan: OrphanPolicy::Stream,
        }
    }
}

/// Runs over the router, as a conversation makes them: facts, queue, slot files, clocks.
pub(crate) struct Runs {
    router: Router,
}

impl Runs {
    /// Runs over a router that knows the server at `url` and has asked for its state.
    pub(crate) async fn to(url: &str, state_dir: &Path) -> Result<Self> {
        let http = HttpClient::new(Egress::none());
        let caller = Caller::new(http.clone(), Redactor::new());
        let watcher = Watcher::new(http.clone());
        let services = Services::new(http.clone(), state_dir);
        let store = Arc::new(Store::open(state_dir)?);
        let settings = settings(url, state_dir)?;
        let router = Router::new(settings, http, caller, watcher, services, store, Arc::new(SystemClock));
        router.look().await;
        Ok(Self { router })
    }

    /// Asks `model`, and gives the time from the beginning to each token.
    pub(crate) async fn ask(&self, model: &str) -> Result<Vec<Duration>> {
        let started = Instant::now();
        let reference = ModelRef::new(ProviderId::new(PROVIDER), ModelId::new(model));
        let plan = self.router.plan(&Ask { model: Some(reference), ..Ask::new(AgentId::new("main")) });
        let mut stream = self.router.run(plan, Arc::new(Hi), Surface { can_retract: true });
        let mut tokens = Vec::new();
        while let Some(event) = stream.next().await {
            match event {
                RouteEvent::Model(ModelEvent::Text(_)) => tokens.push(started.elapsed()),
                RouteEvent::End(end) => {
                    if let Err(fault) = end.outcome {
                        bail!("{fault}");
                    }
                }
                RouteEvent::Attempt(_) | RouteEvent::Model(_) | RouteEvent::Restarted { .. } | RouteEvent::Notice(_) => {}
            }
        }
        Ok(tokens)
    }
}

/// A conversation of one word.
struct Hi;

impl Prompt for Hi {
    fn request(&self, reference: &ModelRef, _facts: &RouteFacts) -> Result<Prepared, TooLarge> {
        Ok(Prepared { request: request(reference.model.clone()), estimate: 10, cut: None })
    }
}

fn request(model: ModelId) -> ModelRequest {
    ModelRequest {
        model,
        messages: vec![Message::text(Role::User, "hi")],
        tools: Vec::new(),
        calling: Calling::default(),
        max_output_tokens: Some(100),
        thinking: Thinking::Unspecified,
        params: Params::default(),
    }
}

fn settings(url: &str, state_dir: &Path) -> Result<Settings> {
    let parsed = Url::parse(url)?;
    let (host, port) = (parsed.host_str().unwrap_or_default(), parsed.port_or_known_default().unwrap_or_default());
    let provider = Provider {
        id: ProviderId::new(PROVIDER),
        base_url: format!("{url}/v1"),
        dialect: Dialect::OpenAiCompletions,
        keys: Vec::new(),
        missing_key: None,
        headers: Vec::new(),
        residency: Residency::Device,
        hosting: Hosting {
            box_id: BoxId::of_address(parsed.scheme(), host, port),
            residency_source: ResidencySource::Inferred,
            slots: None,
            probe: true,
            service: None,
        },
        clocks: ClockSettings::default(),
        extras: Extras::default(),
        models: [ONE_WORD, PACED, UNPACED].map(|id| ModelEntry::new(ModelId::new(id))).to_vec(),
        origin: "bench".to_owned(),
        builtin: false,
    };
    let primary = Some(Configured::new(format!("{PROVIDER}/{ONE_WORD}"), "bench"));
    Ok(Settings {
        default: Selection { primary, ..Selection::default() },
        providers: vec![provider],
        slots_dir: Some(state_dir.join("slots")),
        ..Settings::default()
    })
}
