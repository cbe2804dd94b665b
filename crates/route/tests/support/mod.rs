//! A router over scripted servers, and a conversation of one sentence.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up has failed")]
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::StreamExt;
use krabba_llm::Caller;
use krabba_local::{Services, Watcher};
use krabba_net::{Egress, HttpClient};
use krabba_redact::Redactor;
use krabba_route::{
    Ask, ClockSettings, Configured, Extras, Hosting, Key, ModelEntry, Prepared, Prompt, Provider, ResidencySource, RouteEvent, Router,
    RunEnd, RunStream, Selection, Settings, Surface, TooLarge,
};
use krabba_store::Store;
use krabba_types::{
    AgentId, BoxId, Calling, Clock, Dialect, Message, ModelEvent, ModelId, ModelRef, ModelRequest, Params, ProviderId, Residency, Role,
    RouteFacts, Secret, SessionId, SystemClock, Thinking,
};

pub(crate) fn reference(text: &str) -> ModelRef {
    ModelRef::parse(text).unwrap()
}

pub(crate) fn provider(id: &str, base_url: &str, residency: Residency, dialect: Dialect, models: &[&str]) -> Provider {
    let url = krabba_net::Url::parse(base_url).unwrap();
    Provider {
        id: ProviderId::new(id),
        base_url: base_url.to_owned(),
        dialect,
        keys: vec![key("default", "sk-test-0001")],
        missing_key: None,
        headers: Vec::new(),
        residency,
        hosting: Hosting {
            box_id: BoxId::of_address(url.scheme(), url.host_str().unwrap(), url.port_or_known_default().unwrap()),
            residency_source: ResidencySource::Declared,
            slots: None,
            probe: true,
            service: None,
        },
        clocks: ClockSettings::default(),
        extras: Extras::default(),
        models: models.iter().map(|id| ModelEntry::new(ModelId::new(*id))).collect(),
        origin: "test".to_owned(),
        builtin: false,
    }
}

pub(crate) fn key(profile: &str, secret: &str) -> Key {
    Key { profile: profile.to_owned(), secret: Secret::new(secret), source: "test".to_owned() }
}

/// The first model of each provider, in order: the first is the primary.
pub(crate) fn in_order(providers: Vec<Provider>) -> Settings {
    let mut texts = providers.iter().map(|provider| format!("{}/{}", provider.id, provider.models[0].id));
    let primary = texts.next().map(|text| Configured::new(text, "test"));
    let fallbacks = Some(texts.map(|text| Configured::new(text, "test")).collect());
    Settings { default: Selection { primary, fallbacks, ..Selection::default() }, providers, ..Settings::default() }
}

pub(crate) struct House {
    pub(crate) router: Router,
    pub(crate) store: Arc<Store>,
}

pub(crate) fn house(settings: Settings) -> House {
    house_with(settings, Arc::new(Store::open_in_memory().unwrap()))
}

pub(crate) fn house_with(settings: Settings, store: Arc<Store>) -> House {
    house_at(settings, store, Arc::new(SystemClock))
}

pub(crate) fn house_at(settings: Settings, store: Arc<Store>, clock: Arc<dyn Clock>) -> House {
    let http = HttpClient::new(Egress::none());
    let caller = Caller::new(http.clone(), Redactor::new());
    let watcher = Watcher::new(http.clone());
    let services = Services::new(http.clone(), Path::new("/nonexistent"));
    let router = Router::new(settings, http, caller, watcher, services, Arc::clone(&store), clock);
    House { router, store }
}

pub(crate) fn ask() -> Ask {
    Ask { session: Some(SessionId::new("s")), ..Ask::new(AgentId::new("main")) }
}

/// A conversation of so many tokens that can be cut down to `least`.
pub(crate) struct Talk {
    pub(crate) tokens: u32,
    pub(crate) least: u32,
    pub(crate) max_output: Option<u32>,
    pub(crate) thinking: Thinking,
    /// How many times too high the estimate is.
    pub(crate) overestimate: u32,
    /// The windows for which it was asked.
    pub(crate) windows: Mutex<Vec<u32>>,
}

impl Talk {
    pub(crate) fn new(tokens: u32) -> Arc<Self> {
        Arc::new(Self {
            tokens,
            least: tokens.min(100),
            max_output: Some(100),
            thinking: Thinking::Unspecified,
            overestimate: 1,
            windows: Mutex::default(),
        })
    }

    pub(crate) fn rigid(tokens: u32) -> Arc<Self> {
        Arc::new(Self {
            tokens,
            least: tokens,
            max_output: Some(100),
            thinking: Thinking::Unspecified,
            overestimate: 1,
            windows: Mutex::default(),
        })
    }
}

impl Prompt for Talk {
    fn request(&self, reference: &ModelRef, facts: &RouteFacts) -> Result<Prepared, TooLarge> {
        let window = facts.window.value;
        self.windows.lock().unwrap().push(window);
        let room = window.saturating_sub(self.max_output.unwrap_or(0));
        if self.least > room {
            return Err(TooLarge { needed: self.least, window });
        }
        let estimate = self.tokens.min(room);
        let words = "abc ".repeat(usize::try_from(estimate).unwrap());
        let request = ModelRequest {
            model: reference.model.clone(),
            messages: vec![Message::text(Role::User, words.trim())],
            tools: Vec::new(),
            calling: Calling::default(),
            max_output_tokens: self.max_output,
            thinking: self.thinking,
            params: Params::default(),
        };
        Ok(Prepared { request, estimate: estimate.saturating_mul(self.overestimate), cut: None })
    }
}

/// Everything that a run told, in a form that can be compared.
#[derive(Debug)]
pub(crate) struct Told {
    /// `attempt a/b`, `text …`, `notice …`, `restarted …`, `calls …`; progress and counters left out.
    pub(crate) lines: Vec<String>,
    pub(crate) progress: Vec<krabba_types::Progress>,
    pub(crate) end: RunEnd,
}

impl Told {
    pub(crate) fn attempts(&self) -> Vec<(String, Option<&'static str>)> {
        let attempts = self.end.attempts.iter();
        attempts.map(|attempt| (attempt.reference.to_string(), attempt.fault.as_ref().map(|fault| fault.kind.name()))).collect()
    }

    pub(crate) fn notices(&self) -> Vec<&str> {
        self.lines.iter().filter_map(|line| line.strip_prefix("notice ")).collect()
    }

    /// What stands on the screen at the end.
    pub(crate) fn text(&self) -> String {
        let from = self.lines.iter().rposition(|line| line.starts_with("restarted")).map_or(0, |index| index + 1);
        self.lines[from..].iter().filter_map(|line| line.strip_prefix("text ")).collect()
    }
}

pub(crate) async fn run(house: &House, ask: &Ask, talk: Arc<Talk>) -> Told {
    run_on(house, ask, talk, Surface { can_retract: true }).await
}

pub(crate) async fn run_on(house: &House, ask: &Ask, talk: Arc<Talk>, surface: Surface) -> Told {
    follow(house.router.run(house.router.plan(ask), talk, surface)).await
}

pub(crate) async fn follow(stream: RunStream) -> Told {
    tokio::time::timeout(Duration::from_secs(30), follow_to_its_end(stream)).await.expect("the run hangs")
}

async fn follow_to_its_end(mut stream: RunStream) -> Told {
    let (mut lines, mut progress) = (Vec::new(), Vec::new());
    while let Some(event) = stream.next().await {
        match event {
            RouteEvent::Attempt(started) => lines.push(format!("attempt {}", started.reference)),
            RouteEvent::Model(ModelEvent::Text(text)) => lines.push(format!("text {text}")),
            RouteEvent::Model(ModelEvent::ToolCall(call)) => lines.push(format!("call {}", call.name)),
            RouteEvent::Model(ModelEvent::Progress(state)) => progress.push(state),
            RouteEvent::Model(_) => {}
            RouteEvent::Restarted { why } => lines.push(format!("restarted {why}")),
            RouteEvent::Notice(line) => lines.push(format!("notice {line}")),
            RouteEvent::End(end) => {
                assert!(stream.next().await.is_none(), "something comes after the end");
                return Told { lines, progress, end: *end };
            }
        }
    }
    panic!("a run without an end: {lines:?}");
}
