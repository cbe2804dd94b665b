//! Commands as a person types them, against an agent over scripted servers.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where its set-up fails")]

use std::path::Path;
use std::sync::Arc;

use krabba_agent::{Agent, AgentSettings, Briefing, Hands, Input, Lane, TurnEvent};
use krabba_command::{Context, Effect, FileAccess, Reply, Switch, run};
use krabba_context::SystemPrompt;
use krabba_llm::Caller;
use krabba_local::{Services, Watcher};
use krabba_net::{Egress, HttpClient};
use krabba_redact::Redactor;
use krabba_route::{
    Alias, Allow, AllowPattern, ClockSettings, Configured, Extras, Hosting, ModelEntry, Provider, ResidencySource, Router, Selection,
    Settings,
};
use krabba_store::Store;
use krabba_testkit::{Script, ScriptedServer};
use krabba_types::{AgentId, BoxId, Clock, Dialect, ModelId, ModelRef, ProviderId, Residency, SystemClock, Thinking};

struct Scene {
    server: ScriptedServer,
    agent: Agent,
    router: Arc<Router>,
    lane: Lane,
    files: FileAccess,
    _state: tempfile::TempDir,
}

fn provider(id: &str, base_url: String, residency: Residency, models: &[&str]) -> Provider {
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
        models: models.iter().map(|id| ModelEntry { window: Some(8_192), ..ModelEntry::new(ModelId::new(*id)) }).collect(),
        origin: "krabba.json5:3:5".to_owned(),
        builtin: false,
    }
}

fn agent(state: &Path, settings: Settings) -> (Agent, Arc<Router>) {
    let store = Arc::new(Store::open(state).unwrap());
    let http = HttpClient::new(Egress::none());
    let (caller, watcher) = (Caller::new(http.clone(), Redactor::new()), Watcher::new(http.clone()));
    let services = Services::new(http.clone(), state);
    let router = Arc::new(Router::new(settings, http, caller, watcher, services, Arc::clone(&store), Arc::new(SystemClock)));
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let settings = AgentSettings { id: AgentId::new("main"), briefing: Briefing::fixed(SystemPrompt::default()), thinking: Thinking::Low };
    (Agent::new(Arc::clone(&store), Arc::clone(&router), settings, Hands::none(&store, &clock), clock), router)
}

impl Scene {
    /// A local provider of two models, a hosted one, an alias, and an allowlist where `allow` names one.
    async fn new(allow: Allow) -> Self {
        let server = ScriptedServer::start("{server: 'lm-studio'}".parse::<Script>().unwrap()).await.unwrap();
        let state = tempfile::tempdir().unwrap();
        let settings = Settings {
            providers: vec![
                provider("local", server.v1(), Residency::Device, &["qwen/qwen3:8b@q4_k_m", "small"]),
                provider("cloud", server.v1(), Residency::Hosted, &["big"]),
            ],
            default: Selection { primary: Some(Configured::new("local/small", "krabba.json5:1:1")), ..Selection::default() },
            aliases: vec![Alias {
                name: "Mini Max".to_owned(),
                target: ModelRef::parse("cloud/big").unwrap(),
                origin: "krabba.json5:2:2".to_owned(),
            }],
            allow,
            ..Settings::default()
        };
        let (agent, router) = agent(state.path(), settings);
        let lane = agent.new_session();
        Self { server, agent, router, lane, files: FileAccess::Owner { home: None }, _state: state }
    }

    async fn reply(&self, text: &str) -> Reply {
        let context = Context { agent: &self.agent, router: &self.router, lane: &self.lane, files: &self.files, now: SystemClock.now() };
        run(text, &context).await.expect("it is a command")
    }

    async fn text(&self, text: &str) -> String {
        self.reply(text).await.text
    }

    async fn says(&self, text: &str) {
        let mut handle = self.lane.turn(Input::text(text));
        while let Some(event) = handle.events.recv().await {
            if let TurnEvent::Ended(end) = event {
                assert!(end.outcome.is_answer(), "{end:?}");
            }
        }
    }

    async fn chosen(&self) -> Option<String> {
        self.lane.view().await.unwrap().settings.model.map(|reference| reference.to_string())
    }
}

#[tokio::test]
async fn exact_id_of_a_server_can_be_chosen_and_goes_out_byte_for_byte() {
    let scene = Scene::new(Allow::Everything).await;
    assert_eq!(scene.text("/model qwen/qwen3:8b@q4_k_m").await, "model: `local/qwen/qwen3:8b@q4_k_m`, state not known");
    scene.says("hi").await;
    let sent: Vec<_> = scene.server.generations().iter().map(|request| request.model().map(str::to_owned)).collect();
    assert_eq!(sent, [Some("qwen/qwen3:8b@q4_k_m".to_owned())]);
}

#[tokio::test]
async fn choosing_the_configured_model_ends_the_sessions_own_choice() {
    let scene = Scene::new(Allow::Everything).await;
    scene.text("/model qwen/qwen3:8b@q4_k_m").await;
    assert_eq!(scene.chosen().await, Some("local/qwen/qwen3:8b@q4_k_m".to_owned()));
    assert!(scene.text("/model small").await.starts_with("model: `local/small` (as configured)"));
    assert_eq!(scene.chosen().await, None);
    scene.text("/model qwen/qwen3:8b@q4_k_m").await;
    assert!(scene.text("/model default").await.starts_with("model: `local/small`"));
    assert_eq!(scene.chosen().await, None);
}

#[tokio::test]
async fn hosted_choice_says_that_the_conversation_leaves_home() {
    let scene = Scene::new(Allow::Everything).await;
    let text = scene.text("/model mini max").await;
    assert!(text.contains("it is hosted: this conversation leaves your own machines"), "{text}");
    assert_eq!(scene.chosen().await, Some("cloud/big".to_owned()));
}

#[tokio::test]
async fn denied_model_names_the_line_that_denies_it() {
    let patterns = vec![AllowPattern::parse("local/*").unwrap()];
    let scene = Scene::new(Allow::Only { patterns, origin: "openclaw.json:12:7 (agents.defaults.models)".to_owned() }).await;
    let text = scene.text("/model cloud/big").await;
    assert!(text.contains("openclaw.json:12:7 (agents.defaults.models)"), "{text}");
    assert_eq!(scene.chosen().await, None);
}

#[tokio::test]
async fn mistyped_model_is_answered_with_the_closest_name() {
    let scene = Scene::new(Allow::Everything).await;
    assert_eq!(scene.text("/model smal").await, "there is no model \"smal\"; did you mean `local/small`? /models lists what there is");
    assert!(scene.text("/mdel small").await.contains("did you mean /model or /models?"));
}

#[tokio::test]
async fn alias_with_a_message_is_for_that_message_alone() {
    let scene = Scene::new(Allow::Everything).await;
    for line in ["/mini max hello", "/model cloud/big hello", "/model Mini Max: hello"] {
        let Effect::Ask(input) = scene.reply(line).await.effect else { panic!("{line} asks nothing") };
        assert_eq!((input.model.map(|model| model.to_string()), input.parts.len()), (Some("cloud/big".to_owned()), 1), "{line}");
    }
    assert_eq!(scene.chosen().await, None);
}

#[tokio::test]
async fn thinking_and_reasoning_are_kept_with_the_session() {
    let scene = Scene::new(Allow::Everything).await;
    assert_eq!(scene.text("/think").await, "thinking: low (as configured). Choose off, low, medium, high or default");
    assert_eq!(scene.text("/t xhigh").await, "thinking: high");
    let reply = scene.reply("/reasoning on").await;
    assert!(matches!(reply.effect, Effect::ShowReasoning(Switch::On)));
    let settings = scene.lane.view().await.unwrap().settings;
    assert_eq!((settings.thinking, settings.shows_reasoning), (Some(Thinking::High), true));
    assert_eq!(scene.text("/think default").await, "thinking: low (as configured)");
}

#[tokio::test]
async fn new_conversation_keeps_the_choices_and_asks_no_model() {
    let scene = Scene::new(Allow::Everything).await;
    scene.text("/think high").await;
    scene.says("one").await;
    let Effect::NewSession { session, message } = scene.reply("/new what now?").await.effect else { panic!("no new session") };
    assert_eq!(message, Some("what now?".to_owned()));
    assert_ne!(session, *scene.lane.id());
    let view = scene.agent.session(session).view().await.unwrap();
    assert_eq!((view.settings.thinking, view.turns), (Some(Thinking::High), 0));
    assert_eq!(scene.server.generations().len(), 1);
}

#[tokio::test]
async fn status_tells_model_place_window_and_session() {
    let scene = Scene::new(Allow::Everything).await;
    scene.says("hello").await;
    let text = scene.text("/status").await;
    for part in [
        "- model: `local/small`".to_owned(),
        format!("- endpoint: {}", scene.server.v1()),
        "device)".to_owned(),
        "- window: 8,192 tokens (configured)".to_owned(),
        "- context: ".to_owned(),
        "- thinking: low (as configured), not shown".to_owned(),
        "- a turn ends at: 50 steps, any number of tokens, any time".to_owned(),
        "- queue: nothing is being answered here".to_owned(),
        "- last turn: answered by `local/small` (device) in ".to_owned(),
        format!("- session: `{}` \"hello\", 1 turn, begun just now", scene.lane.id()),
    ] {
        assert!(text.contains(&part), "{part:?} is not in\n{text}");
    }
}

#[tokio::test]
async fn context_names_every_part_of_the_prompt() {
    let scene = Scene::new(Allow::Everything).await;
    scene.says("hello").await;
    let text = scene.text("/context").await;
    assert!(text.starts_with("the prompt for `local/small`: about "), "{text}");
    for part in ["- identity: ", "- history: "] {
        assert!(text.contains(part), "{part:?} is not in\n{text}");
    }
    // What stands below adds up to what stands above.
    let number = |text: &str| text.replace(',', "").split(' ').next().unwrap().parse::<i64>().unwrap();
    let total = number(text.split_once("about ").unwrap().1);
    let (parts, last) = text.rsplit_once('\n').unwrap();
    assert!(last.starts_with("- at the last answer: ") && last.contains(" measured)"), "{text}");
    let parts: i64 = parts.lines().skip(1).map(|line| number(line.split_once(": ").unwrap().1)).sum();
    assert_eq!(parts, total, "{text}");
}

#[tokio::test]
async fn lists_show_what_there_is() {
    let scene = Scene::new(Allow::Everything).await;
    scene.says("hello").await;
    let providers = scene.text("/models").await;
    assert!(providers.contains("- `local`: 2 models, endpoint ") && providers.contains("- `cloud`: 1 model, endpoint "), "{providers}");
    let models = scene.text("/models local").await;
    assert!(models.contains("- `local/qwen/qwen3:8b@q4_k_m`: "), "{models}");
    let page = scene.text("/models local 2 limit=1").await;
    assert!(page.starts_with("2 models of `local`, page 2 of 2") && page.contains("`local/small`"), "{page}");
    assert!(scene.text("/models lokal").await.starts_with("there is no provider \"lokal\"; did you mean local?"));
    assert!(scene.text("/sessions").await.contains("\"hello\", just now (this one)"));
    assert!(scene.text("/help").await.contains("`/Mini Max`"));
}

#[tokio::test]
async fn message_is_not_taken_for_a_command() {
    let scene = Scene::new(Allow::Everything).await;
    let context = Context { agent: &scene.agent, router: &scene.router, lane: &scene.lane, files: &scene.files, now: SystemClock.now() };
    assert!(run("what does /model do?", &context).await.is_none());
    assert!(run("/etc/hosts is empty", &context).await.is_none());
}

#[tokio::test]
async fn stop_without_anything_to_stop_says_so() {
    let scene = Scene::new(Allow::Everything).await;
    let reply = scene.reply("/stop").await;
    assert_eq!(reply.text, "nothing is being answered here");
    assert!(matches!(reply.effect, Effect::Stop));
    assert!(matches!(scene.reply("/quit").await.effect, Effect::Quit));
}
