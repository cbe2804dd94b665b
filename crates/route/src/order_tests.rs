use std::collections::HashMap;
use std::sync::Arc;

use krabba_local::{Report, ServerModel, ServerState};
use krabba_types::{AgentId, ModelRef, Residency, RouteState, ServerKind, Timestamp};

use crate::allow::{Allow, AllowPattern};
use crate::breaker::Admission;
use crate::catalogue;
use crate::order::{Order, Scene};
use crate::plan::{Ask, Plan};
use crate::reference::Names;
use crate::residency::ResidencyPolicy;
use crate::settings::{Provider, ResidencySource, Selection, Settings};
use crate::test_settings::{configured, local_first, provider, reference};

/// Servers and breakers as a test wants them.
#[derive(Default)]
struct Stage {
    reports: HashMap<String, Arc<Report>>,
    held: Vec<ModelRef>,
}

impl Scene for Stage {
    fn report(&self, provider: &Provider) -> Option<Arc<Report>> {
        self.reports.get(provider.id.as_str()).cloned()
    }

    fn admission(&self, reference: &ModelRef, _provider: &Provider) -> Admission {
        let down = RouteState::Down { until: Timestamp(9) };
        if self.held.contains(reference) { Admission::Last(down) } else { Admission::InTurn }
    }

    fn live(&self) -> Vec<ModelRef> {
        Vec::new()
    }
}

fn report(kind: ServerKind, url: &str, models: &[&str]) -> Arc<Report> {
    Arc::new(Report {
        kind,
        version: None,
        url: url.to_owned(),
        models: models.iter().map(|id| ServerModel::new(*id)).collect(),
        slots: None,
        busy: None,
        state: ServerState::Up,
        sleeping: false,
        hosted: false,
        tried: Vec::new(),
        at: Timestamp(1),
    })
}

fn plan(settings: &Settings, stage: &Stage, ask: &Ask) -> Plan {
    Order { settings, names: &Names::of(settings), scene: stage }.plan(ask)
}

fn ask() -> Ask {
    Ask::new(AgentId::new("main"))
}

fn order(plan: &Plan) -> Vec<String> {
    plan.candidates.iter().map(|candidate| format!("{} ({})", candidate.reference, candidate.why)).collect()
}

fn refused(plan: &Plan) -> Vec<(&str, &str)> {
    plan.refused.iter().map(|refused| (refused.reference.as_str(), refused.why.as_str())).collect()
}

#[test]
fn primary_and_fallbacks_stand_in_the_order_of_the_file() {
    let plan = plan(&local_first(), &Stage::default(), &ask());
    assert_eq!(
        order(&plan),
        ["lmstudio/minimax-m2.1-gs32 (primary)", "anthropic/claude-sonnet-4-5 (fallback 1)", "anthropic/claude-opus-4-6 (fallback 2)"]
    );
    assert_eq!(refused(&plan), []);
}

#[test]
fn a_private_session_has_no_way_to_a_hosted_endpoint() {
    for model in [None, Some(reference("anthropic/claude-opus-4-6"))] {
        let ask = Ask { residency: Some(ResidencyPolicy::home()), sticky: model, ..ask() };
        let plan = plan(&local_first(), &Stage::default(), &ask);
        assert_eq!(
            plan.candidates.iter().map(|candidate| candidate.reference.clone()).collect::<Vec<_>>(),
            [reference("lmstudio/minimax-m2.1-gs32")]
        );
    }
}

#[test]
fn a_model_named_for_this_turn_that_may_not_be_asked_is_not_replaced_by_another() {
    let ask = Ask { residency: Some(ResidencyPolicy::home()), model: Some(reference("anthropic/claude-opus-4-6")), ..ask() };
    let plan = plan(&local_first(), &Stage::default(), &ask);
    assert_eq!(order(&plan), Vec::<String>::new());
    assert_eq!(
        refused(&plan),
        [("anthropic/claude-opus-4-6", "http://anthropic.test/v1 is hosted, and this conversation may go only to: lan")]
    );
}

#[test]
fn a_switch_keeps_the_fallbacks_and_the_primary_comes_last() {
    let ask = Ask { sticky: Some(reference("lmstudio/other")), ..ask() };
    assert_eq!(
        order(&plan(&local_first(), &Stage::default(), &ask)),
        [
            "lmstudio/other (chosen for this session)",
            "anthropic/claude-sonnet-4-5 (fallback 1)",
            "anthropic/claude-opus-4-6 (fallback 2)",
            "lmstudio/minimax-m2.1-gs32 (primary)"
        ]
    );
}

#[test]
fn configured_fallbacks_are_never_dropped_by_an_allowlist() {
    let mut settings = local_first();
    let patterns = vec![AllowPattern::parse("lmstudio/minimax-m2.1-gs32").unwrap()];
    settings.allow = Allow::Only { patterns, origin: "openclaw.json:8:7 (agents.defaults.models)".to_owned() };
    assert_eq!(plan(&settings, &Stage::default(), &ask()).candidates.len(), 3);
    let ask = Ask { model: Some(reference("anthropic/claude-haiku-4-5")), ..ask() };
    let plan = plan(&settings, &Stage::default(), &ask);
    assert!(plan.candidates.is_empty());
    assert!(plan.refused[0].why.contains("openclaw.json:8:7 (agents.defaults.models)"), "{:?}", plan.refused);
}

#[test]
fn without_a_primary_a_hosted_model_is_never_chosen() {
    let mut settings = local_first();
    settings.default = Selection::default();
    settings.providers.reverse();
    settings.providers.extend(catalogue().iter().map(|row| row.provider(|_| Some(krabba_types::Secret::new("k")))));
    assert_eq!(order(&plan(&settings, &Stage::default(), &ask())), ["lmstudio/minimax-m2.1-gs32 (first model at home)"]);
}

#[test]
fn without_a_primary_a_server_that_answers_goes_before_one_that_does_not() {
    let settings = Settings {
        providers: vec![
            provider("off", Residency::Device, &["a"]),
            provider("on", Residency::Lan, &[]),
            provider("hosted", Residency::Hosted, &["c"]),
        ],
        ..Settings::default()
    };
    let mut stage = Stage::default();
    stage.reports.insert("on".to_owned(), report(ServerKind::LmStudio, "http://on.test/v1", &["text-embedding-x", "b"]));
    assert_eq!(order(&plan(&settings, &stage, &ask())), ["on/b (first model at home)", "off/a (first model at home)"]);
}

#[test]
fn a_loopback_proxy_that_leads_to_a_cloud_is_not_home() {
    let mut settings = Settings { providers: vec![provider("proxy", Residency::Device, &["gpt"])], ..Settings::default() };
    settings.providers[0].hosting.residency_source = ResidencySource::Inferred;
    settings.residency = ResidencyPolicy::home();
    let mut stage = Stage::default();
    stage.reports.insert("proxy".to_owned(), report(ServerKind::LiteLlm, "http://127.0.0.1:4000/v1", &["gpt"]));
    assert_eq!(order(&plan(&settings, &stage, &ask())), Vec::<String>::new());
    settings.providers[0].hosting.residency_source = ResidencySource::Declared;
    assert_eq!(order(&plan(&settings, &stage, &ask())), ["proxy/gpt (first model at home)"]);
}

#[test]
fn a_cloud_model_is_not_home_while_nobody_knows_what_the_server_is() {
    let models = ["gpt-oss:120b-cloud", "glm-4.6:cloud", "cloudy"];
    let mut settings = Settings { providers: vec![provider("box", Residency::Device, &models)], ..Settings::default() };
    settings.providers[0].hosting.residency_source = ResidencySource::Inferred;
    settings.residency = ResidencyPolicy::device();
    let asked = |settings: &Settings, stage: &Stage| {
        let ask = |model: &&str| Ask { model: Some(reference(&format!("box/{model}"))), ..ask() };
        models.map(|model| !plan(settings, stage, &ask(&model)).candidates.is_empty())
    };
    let known_as = |kind| {
        let reports = HashMap::from([("box".to_owned(), report(kind, "http://127.0.0.1:11434/v1", &models))]);
        Stage { reports, ..Stage::default() }
    };
    assert_eq!(asked(&settings, &Stage::default()), [false, false, true]);
    assert_eq!(asked(&settings, &known_as(ServerKind::Other)), [false, false, true]);
    assert_eq!(asked(&settings, &known_as(ServerKind::Ollama)), [false, false, true]);
    assert_eq!(asked(&settings, &known_as(ServerKind::Vllm)), [true, true, true]);
    settings.providers[0].hosting.residency_source = ResidencySource::Declared;
    assert_eq!(asked(&settings, &Stage::default()), [true, true, true]);
}

#[test]
fn a_password_in_an_address_is_not_shown() {
    let mut settings = Settings { providers: vec![provider("box", Residency::Device, &["m"])], ..Settings::default() };
    settings.providers[0].base_url = "http://me:hunter2@box.test:1234/v1?key=hunter2#hunter2".to_owned();
    let ask = Ask { model: Some(reference("box/m")), ..ask() };
    assert_eq!(plan(&settings, &Stage::default(), &ask).candidates[0].endpoint, "http://box.test:1234/v1");
    settings.providers[0].base_url = "http://me:hunter2@box.test:99999".to_owned();
    settings.providers[0].residency = Residency::Hosted;
    settings.residency = ResidencyPolicy::device();
    let refused = plan(&settings, &Stage::default(), &ask).refused;
    let why = "an address that cannot be read is hosted, and this conversation may go only to: device".to_owned();
    assert_eq!(refused, [crate::plan::Refused { reference: "box/m".to_owned(), why, behind: 0 }]);
}

#[test]
fn a_route_that_is_held_is_asked_last_and_not_forgotten() {
    let stage = Stage { held: vec![reference("lmstudio/minimax-m2.1-gs32")], ..Stage::default() };
    let plan = plan(&local_first(), &stage, &ask());
    assert_eq!(
        order(&plan),
        ["anthropic/claude-sonnet-4-5 (fallback 1)", "anthropic/claude-opus-4-6 (fallback 2)", "lmstudio/minimax-m2.1-gs32 (primary)"]
    );
    assert_eq!(plan.wanted, Some(reference("lmstudio/minimax-m2.1-gs32")));
}

#[test]
fn a_missing_key_names_its_variable_and_the_others_still_work() {
    let mut settings = local_first();
    settings.providers[1].keys.clear();
    settings.providers[1].missing_key = Some("ANTHROPIC_API_KEY".to_owned());
    let plan = plan(&settings, &Stage::default(), &ask());
    assert_eq!(order(&plan), ["lmstudio/minimax-m2.1-gs32 (primary)"]);
    assert_eq!(refused(&plan)[0].1, "provider \"anthropic\" has no key; set ANTHROPIC_API_KEY");
}

#[test]
fn a_fallback_that_does_not_exist_is_reported_and_does_not_hide_the_others() {
    let mut settings = local_first();
    settings.default.fallbacks = Some(vec![configured("nobody/x", 5), configured("Opus", 6)]);
    let plan = plan(&settings, &Stage::default(), &ask());
    assert_eq!(order(&plan), ["lmstudio/minimax-m2.1-gs32 (primary)", "anthropic/claude-opus-4-6 (fallback 2)"]);
    assert_eq!(refused(&plan)[0].0, "nobody/x");
    assert!(refused(&plan)[0].1.starts_with("krabba.json5:5:7: there is no model \"nobody/x\""), "{:?}", plan.refused);
}

#[test]
fn an_agents_own_fallbacks_replace_those_of_the_defaults() {
    let mut settings = local_first();
    let own = Selection { primary: Some(configured("Opus", 9)), fallbacks: Some(Vec::new()), ..Selection::default() };
    settings.agents.insert(AgentId::new("writer"), own);
    let writer = Ask::new(AgentId::new("writer"));
    assert_eq!(order(&plan(&settings, &Stage::default(), &writer)), ["anthropic/claude-opus-4-6 (primary)"]);
    let switched = Ask { sticky: Some(reference("lmstudio/x")), ..writer };
    assert_eq!(order(&plan(&settings, &Stage::default(), &switched)), ["lmstudio/x (chosen for this session)"]);
}

#[test]
fn a_picture_goes_to_the_image_model_when_the_primary_is_not_known_to_see() {
    let mut settings = local_first();
    settings.default.image = vec![configured("Opus", 7)];
    let seeing = Ask { images: true, ..ask() };
    for (vision, why) in [(Some(false), "sees pictures"), (None, "sees pictures"), (Some(true), "primary")] {
        settings.providers[0].models[0].vision = vision;
        assert_eq!(plan(&settings, &Stage::default(), &seeing).candidates[0].why, why);
    }
    assert_eq!(plan(&settings, &Stage::default(), &ask()).candidates[0].why, "primary");
}
