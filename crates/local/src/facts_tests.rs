use krabba_types::{Fact, FactSource, ModelId, RouteFacts, ServerKind, TemplateFamily, Timestamp, ToolAbility};

use crate::{Configured, Figure, Learned, LearnedWindow, Mismatch, Report, ServerModel, facts, facts_unseen, mismatches};

const NOW: Timestamp = Timestamp(1000);

fn report(kind: ServerKind, loaded: Option<bool>, window: Option<u32>, max_window: Option<u32>) -> Report {
    let mut report = Report::new(kind);
    report.at = NOW;
    let mut model = ServerModel::new("qwen3-8b");
    (model.loaded, model.window, model.max_window) = (loaded, window, max_window);
    report.models = vec![model];
    report
}

fn window(report: &Report, configured: Option<u32>, learned: Option<LearnedWindow>) -> (u32, FactSource) {
    let configured = Configured { window: configured, ..Configured::default() };
    let learned = Learned { window: learned, ..Learned::default() };
    let fact = facts(report, &ModelId::new("qwen3-8b"), &configured, &learned).window;
    (fact.value, fact.source)
}

#[test]
fn smallest_trustworthy_window_wins() {
    let loaded = report(ServerKind::LmStudio, Some(true), Some(8192), Some(262_144));
    assert_eq!(window(&loaded, Some(196_608), None), (8192, FactSource::LoadedInstance));
    assert_eq!(window(&loaded, Some(4096), None), (4096, FactSource::Configured));
    assert_eq!(window(&loaded, None, None), (8192, FactSource::LoadedInstance));
}

#[test]
fn advertised_maximum_never_becomes_the_window() {
    let cold = report(ServerKind::LmStudio, Some(false), None, Some(262_144));
    assert_eq!(window(&cold, None, None), (4096, FactSource::Assumed));
    assert_eq!(window(&cold, Some(32_768), None), (32_768, FactSource::Configured));
    let silent = report(ServerKind::Mlx, None, None, None);
    assert_eq!(window(&silent, None, None), (8192, FactSource::Assumed));
}

#[test]
fn configured_beyond_the_models_maximum_is_bounded() {
    let cold = report(ServerKind::Ollama, Some(false), None, Some(40_960));
    assert_eq!(window(&cold, Some(200_000), None), (40_960, FactSource::Listing));
}

#[test]
fn lie_about_the_window_is_remembered() {
    let loaded = report(ServerKind::LmStudio, Some(true), Some(32_768), None);
    let lesson = LearnedWindow { tokens: 16_384, claimed: Some(32_768), at: Timestamp(5) };
    assert_eq!(window(&loaded, None, Some(lesson)), (16_384, FactSource::LearnedFromOverflow));
}

#[test]
fn lesson_ends_when_the_model_is_loaded_anew() {
    let raised = report(ServerKind::LmStudio, Some(true), Some(32_768), None);
    let lesson = LearnedWindow { tokens: 4096, claimed: Some(4096), at: Timestamp(5) };
    assert_eq!(window(&raised, None, Some(lesson)), (32_768, FactSource::LoadedInstance));
}

#[test]
fn every_fact_names_its_source() {
    let mut report = report(ServerKind::LmStudio, Some(true), Some(8192), Some(40_960));
    report.slots = Some(4);
    report.models[0].abilities.vision = Some(true);
    report.models[0].abilities.tools = Some(false);
    let configured = Configured { vision: Some(false), max_output: Some(2048), ..Configured::default() };
    let speed = Fact::new(512.0, FactSource::Measured, Timestamp(7));
    let learned = Learned { reading_speed: Some(speed), ..Learned::default() };
    assert_eq!(
        facts(&report, &ModelId::new("qwen3-8b"), &configured, &learned),
        RouteFacts {
            server: ServerKind::LmStudio,
            window: Fact::new(8192, FactSource::LoadedInstance, NOW),
            max_window: Some(Fact::new(40_960, FactSource::Listing, NOW)),
            max_output: Some(Fact::new(2048, FactSource::Configured, NOW)),
            slots: Some(Fact::new(4, FactSource::LoadedInstance, NOW)),
            vision: Some(Fact::new(false, FactSource::Configured, NOW)),
            tools: Some(Fact::new(ToolAbility::Text, FactSource::Listing, NOW)),
            family: TemplateFamily::ChatMl,
            reading_speed: Some(speed),
            writing_speed: None,
        }
    );
}

#[test]
fn server_that_is_off_still_has_facts() {
    let configured = Configured { window: Some(16_384), ..Configured::default() };
    let found = facts_unseen(ServerKind::LmStudio, &configured, &Learned::default(), NOW);
    assert_eq!(found.window, Fact::new(16_384, FactSource::Configured, NOW));
}

#[test]
fn disagreement_is_shown_with_both_ways_out() {
    let loaded = report(ServerKind::LmStudio, Some(true), Some(4096), Some(262_144));
    let configured = Configured { window: Some(196_608), max_output: Some(8192), ..Configured::default() };
    let found = mismatches(&loaded, &ModelId::new("qwen3-8b"), &configured);
    assert_eq!(
        found,
        [
            Mismatch {
                figure: Figure::LoadedWindow,
                configured: 196_608,
                server: 4096,
                change_configuration: "set contextWindow to 4096".to_owned(),
                change_server: Some(
                    "reload it in LM Studio with a context length of 196608 (`lms load qwen3-8b --context-length 196608`)".to_owned()
                ),
            },
            Mismatch {
                figure: Figure::Output,
                configured: 8192,
                server: 4096,
                change_configuration: "set maxTokens to 2048 or less".to_owned(),
                change_server: Some(
                    "reload it in LM Studio with a context length of 16384 (`lms load qwen3-8b --context-length 16384`)".to_owned()
                ),
            },
        ]
    );
    assert_eq!(
        found[0].to_string(),
        "configured with a window of 196,608 tokens, loaded with 4,096; set contextWindow to 4096, or reload it in LM Studio with a context length of 196608 (`lms load qwen3-8b --context-length 196608`)"
    );
}

#[test]
fn window_beyond_the_models_own_is_not_blamed_on_the_load() {
    let loaded = report(ServerKind::Vllm, Some(true), Some(32_768), Some(32_768));
    let configured = Configured { window: Some(200_000), ..Configured::default() };
    let found = mismatches(&loaded, &ModelId::new("qwen3-8b"), &configured);
    assert_eq!(
        found.iter().map(|mismatch| (mismatch.figure, mismatch.change_server.is_some())).collect::<Vec<_>>(),
        [(Figure::MaximumWindow, false)]
    );
    let agreeing = Configured { window: Some(32_768), ..Configured::default() };
    assert_eq!(mismatches(&loaded, &ModelId::new("qwen3-8b"), &agreeing), []);
}
