//! An agent over a scripted server, as a process of its own would build it.

#![allow(dead_code, clippy::unwrap_used, reason = "each test uses a part of this, and ends where its set-up fails")]

pub(crate) mod tools;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use krabba_agent::{Agent, AgentSettings, Briefing, Hands, Input, TurnEnd, TurnEvent, TurnHandle};
use krabba_context::SystemPrompt;
use krabba_llm::Caller;
use krabba_local::{Services, Watcher};
use krabba_net::{Egress, HttpClient};
use krabba_redact::Redactor;
use krabba_route::{ClockSettings, Configured, Extras, Hosting, ModelEntry, Provider, ResidencySource, Router, Selection, Settings};
use krabba_store::Store;
use krabba_testkit::{Script, ScriptedServer};
use krabba_types::{AgentId, BoxId, Clock, Dialect, ModelId, ProviderId, Residency, SystemClock, Thinking};

/// The model of every script here.
pub(crate) const MODEL: &str = "crab-1";

/// Starts a server that plays `script`, which is JSON5 without the outer braces.
pub(crate) async fn server(script: &str) -> ScriptedServer {
    let script: Script = format!("{{server: 'lm-studio', models: [{{id: '{MODEL}', window: 8192}}], {script}}}").parse().unwrap();
    ScriptedServer::start(script).await.unwrap()
}

/// A provider of one model at `base_url`.
pub(crate) fn provider(id: &str, base_url: String, residency: Residency) -> Provider {
    let mut model = ModelEntry::new(ModelId::new(MODEL));
    model.window = Some(8_192);
    Provider {
        id: ProviderId::new(id),
        hosting: Hosting {
            box_id: BoxId::named(&base_url),
            residency_source: ResidencySource::Declared,
            slots: None,
            probe: false,
            service: None,
        },
        base_url,
        dialect: Dialect::OpenAiCompletions,
        keys: Vec::new(),
        missing_key: None,
        headers: Vec::new(),
        residency,
        clocks: ClockSettings::default(),
        extras: Extras::default(),
        models: vec![model],
        origin: "test".to_owned(),
        builtin: false,
    }
}

/// Settings in which the first provider's model is the primary and the others' are its fallbacks.
pub(crate) fn settings(providers: Vec<Provider>) -> Settings {
    let configured = |provider: &Provider| Configured::new(format!("{}/{MODEL}", provider.id), "test");
    let (primary, fallbacks) = (providers.first().map(configured), providers.iter().skip(1).map(configured).collect());
    Settings { default: Selection { primary, fallbacks: Some(fallbacks), ..Selection::default() }, providers, ..Settings::default() }
}

/// An agent with its own store handle on `state`, as another process would have it.
pub(crate) fn agent(state: &Path, settings: Settings) -> Agent {
    let store = Arc::new(Store::open(state).unwrap());
    agent_with(store, state, settings)
}

/// An agent on `store`, without tools.
pub(crate) fn agent_with(store: Arc<Store>, state: &Path, settings: Settings) -> Agent {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let hands = Hands::none(&store, &clock);
    agent_with_hands(store, state, settings, hands)
}

/// An agent on `store` that acts with `hands`.
pub(crate) fn agent_with_hands(store: Arc<Store>, state: &Path, settings: Settings, hands: Hands) -> Agent {
    let http = HttpClient::new(Egress::none());
    let caller = Caller::new(http.clone(), Redactor::new());
    let watcher = Watcher::new(http.clone());
    let services = Services::new(http.clone(), state);
    let router = Router::new(settings, http, caller, watcher, services, Arc::clone(&store), Arc::new(SystemClock));
    let settings =
        AgentSettings { id: AgentId::new("main"), briefing: Briefing::fixed(SystemPrompt::default()), thinking: Thinking::Unspecified };
    Agent::new(store, Arc::new(router), settings, hands, Arc::new(SystemClock))
}

/// An agent over one local server.
pub(crate) fn agent_at(state: &Path, server: &ScriptedServer) -> Agent {
    agent(state, settings(vec![provider("local", server.v1(), Residency::Device)]))
}

/// The owner's words.
pub(crate) fn say(text: &str) -> Input {
    Input::text(text)
}

/// Every event of a turn.
pub(crate) async fn listen(mut handle: TurnHandle) -> Vec<TurnEvent> {
    let mut events = Vec::new();
    while let Some(event) = handle.events.recv().await {
        events.push(event);
    }
    events
}

/// The events until `wanted` says that it was this one.
pub(crate) async fn listen_until(handle: &mut TurnHandle, wanted: impl Fn(&TurnEvent) -> bool) -> Vec<TurnEvent> {
    let mut events = Vec::new();
    while let Some(event) = handle.events.recv().await {
        let found = wanted(&event);
        events.push(event);
        if found {
            return events;
        }
    }
    panic!("the turn ended before that: {events:?}");
}

/// The end of a turn, which is its last event and no other.
pub(crate) fn end(events: &[TurnEvent]) -> &TurnEnd {
    let ends = events.iter().filter(|event| matches!(event, TurnEvent::Ended(_))).count();
    assert_eq!(ends, 1, "{events:?}");
    match events.last() {
        Some(TurnEvent::Ended(end)) => end,
        other => panic!("the end is not the last event but {other:?}"),
    }
}

/// All text that a listener would show in the end.
pub(crate) fn text(events: &[TurnEvent]) -> String {
    let mut shown = String::new();
    for event in events {
        match event {
            TurnEvent::Text(text) => shown.push_str(text),
            TurnEvent::Restarted { .. } => shown.clear(),
            TurnEvent::Status(_)
            | TurnEvent::Reasoning(_)
            | TurnEvent::Notice(_)
            | TurnEvent::Output(_)
            | TurnEvent::Acted(_)
            | TurnEvent::Asked(_)
            | TurnEvent::Ended(_) => {}
        }
    }
    shown
}

/// All lines for the person.
pub(crate) fn notices(events: &[TurnEvent]) -> Vec<&str> {
    events
        .iter()
        .filter_map(|event| match event {
            TurnEvent::Notice(line) => Some(line.as_str()),
            TurnEvent::Status(_)
            | TurnEvent::Text(_)
            | TurnEvent::Reasoning(_)
            | TurnEvent::Restarted { .. }
            | TurnEvent::Output(_)
            | TurnEvent::Acted(_)
            | TurnEvent::Asked(_)
            | TurnEvent::Ended(_) => None,
        })
        .collect()
}

/// The role and text of each message of a recorded request.
pub(crate) fn messages(server: &ScriptedServer, generation: usize) -> Vec<(String, String)> {
    let requests = server.generations();
    let body = requests[generation].json.as_ref().unwrap();
    body["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|message| (message["role"].as_str().unwrap().to_owned(), content(&message["content"])))
        .collect()
}

fn content(content: &serde_json::Value) -> String {
    match content.as_array() {
        Some(parts) => parts.iter().filter_map(|part| part["text"].as_str()).collect(),
        None => content.as_str().unwrap_or_default().to_owned(),
    }
}

/// Waits until `condition` holds; fails after ten seconds, which nothing here comes near.
pub(crate) async fn eventually(condition: impl Fn() -> bool) {
    for _ in 0..1_000 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it did not come about");
}
