use krabba_local::{Report, ServerModel, ServerState};
use krabba_types::{Dialect, Fact, FactSource, Residency, ServerKind, Timestamp, ToolAbility};
use serde_json::json;

use crate::facts::Voices;
use crate::learned::{LearnedWindow, Lessons};
use crate::settings::Provider;
use crate::test_settings::{provider, reference};
use crate::tuning::Tuned;

fn report(kind: ServerKind, loaded: Option<bool>, window: Option<u32>, max_window: Option<u32>) -> Report {
    let model = ServerModel { loaded, window, max_window, ..ServerModel::new("x") };
    Report {
        kind,
        version: None,
        url: "http://lmstudio.test/v1".to_owned(),
        models: vec![model],
        slots: None,
        busy: None,
        state: ServerState::Up,
        sleeping: false,
        hosted: false,
        tried: Vec::new(),
        at: Timestamp(3),
    }
}

fn with_window(window: Option<u32>) -> Provider {
    let mut provider = provider("lmstudio", Residency::Device, &["x"]);
    provider.models[0].window = window;
    provider
}

fn learned(tokens: u32, claimed: Option<u32>) -> Lessons {
    let window = LearnedWindow { tokens, claimed, until: None };
    let mut lessons = Lessons::default();
    lessons.window = Some(Fact::new(window, FactSource::LearnedFromOverflow, Timestamp(2)));
    lessons
}

fn window(provider: &Provider, report: Option<&Report>, lessons: &Lessons, dialect: Dialect) -> (u32, FactSource) {
    capped(provider, report, lessons, dialect, None)
}

fn capped(
    provider: &Provider,
    report: Option<&Report>,
    lessons: &Lessons,
    dialect: Dialect,
    context_tokens: Option<u32>,
) -> (u32, FactSource) {
    let reference = reference(&format!("{}/x", provider.id));
    let (entry, tuned) = (provider.entry(&reference.model), Tuned { context_tokens, ..Tuned::default() });
    let voices = Voices { reference: &reference, provider, entry, report, lessons, tuned: &tuned, dialect, now: Timestamp(9) };
    let window = voices.facts().window;
    (window.value, window.source)
}

const CHAT: Dialect = Dialect::OpenAiCompletions;

#[test]
fn the_loaded_window_goes_before_a_boastful_configuration() {
    let report = report(ServerKind::LmStudio, Some(true), Some(8_192), Some(262_144));
    let provider = with_window(Some(196_608));
    assert_eq!(window(&provider, Some(&report), &Lessons::default(), CHAT), (8_192, FactSource::LoadedInstance));
}

#[test]
fn a_lesson_ends_when_the_model_is_loaded_anew() {
    let report = |tokens| report(ServerKind::LmStudio, Some(true), Some(tokens), Some(262_144));
    let (provider, lessons) = (with_window(None), learned(4_096, Some(8_192)));
    assert_eq!(window(&provider, Some(&report(8_192)), &lessons, CHAT), (4_096, FactSource::LearnedFromOverflow));
    assert_eq!(window(&provider, Some(&report(32_768)), &lessons, CHAT), (32_768, FactSource::LoadedInstance));
}

#[test]
fn ollama_loads_with_the_window_that_is_asked_for() {
    let report = report(ServerKind::Ollama, Some(true), Some(4_096), Some(40_960));
    let configured = with_window(Some(16_384));
    assert_eq!(window(&configured, Some(&report), &Lessons::default(), Dialect::Ollama), (16_384, FactSource::Configured));
    assert_eq!(window(&configured, Some(&report), &learned(9_000, None), Dialect::Ollama), (9_000, FactSource::LearnedFromOverflow));
    assert_eq!(window(&with_window(Some(99_999)), Some(&report), &Lessons::default(), Dialect::Ollama), (40_960, FactSource::Listing));
    let mut asked = Lessons::default();
    asked.num_ctx = Some(12_288);
    assert_eq!(window(&with_window(None), Some(&report), &asked, Dialect::Ollama).0, 12_288);
    // What somebody else had it loaded with is kept; where it is not loaded, a conversation is given room.
    assert_eq!(window(&with_window(None), Some(&report), &Lessons::default(), Dialect::Ollama), (4_096, FactSource::LoadedInstance));
    let cold = |most| self::report(ServerKind::Ollama, Some(false), None, Some(most));
    let nobody = |most| window(&with_window(None), Some(&cold(most)), &Lessons::default(), Dialect::Ollama);
    assert_eq!((nobody(40_960), nobody(2_048)), ((8_192, FactSource::Assumed), (2_048, FactSource::Listing)));
}

#[test]
fn what_nobody_knows_is_assumed_with_care() {
    assert_eq!(window(&with_window(None), None, &Lessons::default(), CHAT).1, FactSource::Assumed);
    let hosted = provider("somewhere", Residency::Hosted, &[]);
    assert_eq!(window(&hosted, None, &Lessons::default(), CHAT), (32_768, FactSource::Assumed));
}

#[test]
fn a_hosted_model_of_the_catalogue_is_known() {
    let (hosted, lessons, tuned) = (provider("anthropic", Residency::Hosted, &[]), Lessons::default(), Tuned::default());
    let reference = reference("anthropic/claude-opus-4-6");
    let voices = Voices {
        reference: &reference,
        provider: &hosted,
        entry: None,
        report: None,
        lessons: &lessons,
        tuned: &tuned,
        dialect: CHAT,
        now: Timestamp(9),
    };
    let facts = voices.facts();
    assert_eq!((facts.window.value, facts.window.source), (200_000, FactSource::Catalogue));
    assert_eq!(facts.vision.map(|vision| vision.value), Some(true));
    assert_eq!(facts.slots, None);
}

#[test]
fn what_was_measured_of_tools_yields_to_the_owners_word_alone() {
    let tools = |compat: serde_json::Value, measured: Option<ToolAbility>| {
        let (mut provider, mut lessons) = (with_window(None), Lessons::default());
        provider.models[0].compat = serde_json::from_value(compat).unwrap();
        lessons.tools = measured.map(|ability| Fact::new(ability, FactSource::Measured, Timestamp(1)));
        let reference = reference("lmstudio/x");
        let voices = Voices {
            reference: &reference,
            provider: &provider,
            entry: provider.models.first(),
            report: None,
            lessons: &lessons,
            tuned: &Tuned::default(),
            dialect: CHAT,
            now: Timestamp(9),
        };
        voices.facts().tools.map(|tools| (tools.value, tools.source))
    };
    let text = Some((ToolAbility::Text, FactSource::Measured));
    assert_eq!(tools(json!({}), None), None);
    assert_eq!(tools(json!({}), Some(ToolAbility::Text)), text);
    assert_eq!(tools(json!({ "supportsTools": true }), Some(ToolAbility::Text)), text);
    assert_eq!(tools(json!({ "supportsTools": false }), None), Some((ToolAbility::Text, FactSource::Configured)));
    let constrained = json!({ "supportsTools": false, "toolCalls": "constrained" });
    assert_eq!(tools(constrained, Some(ToolAbility::None)), Some((ToolAbility::Constrained, FactSource::Configured)));
}

#[test]
fn a_route_that_cannot_be_held_to_a_form_does_not_say_that_it_is() {
    let (mut provider, lessons) = (with_window(None), Lessons::default());
    provider.models[0].compat = serde_json::from_value(json!({ "toolCalls": "constrained" })).unwrap();
    let (reference, entry, tuned) = (reference("lmstudio/x"), provider.models.first(), Tuned::default());
    let told = |dialect| {
        let now = Timestamp(9);
        let voices =
            Voices { reference: &reference, provider: &provider, entry, report: None, lessons: &lessons, tuned: &tuned, dialect, now };
        voices.facts().tools_told()
    };
    assert_eq!(told(Dialect::AnthropicMessages), "text (configured)");
    for dialect in [Dialect::OpenAiResponses, Dialect::OpenAiCompletions, Dialect::Ollama] {
        assert_eq!(told(dialect), "constrained (configured)");
    }
}

#[test]
fn context_tokens_narrow_a_window_and_stand_for_one_that_nobody_knows() {
    let (lessons, cap) = (Lessons::default(), Some);
    let loaded = report(ServerKind::LmStudio, Some(true), Some(8_192), Some(262_144));
    assert_eq!(capped(&with_window(None), Some(&loaded), &lessons, CHAT, cap(4_000)), (4_000, FactSource::Configured));
    assert_eq!(capped(&with_window(None), Some(&loaded), &lessons, CHAT, cap(32_000)), (8_192, FactSource::LoadedInstance));
    assert_eq!(capped(&with_window(None), None, &lessons, CHAT, cap(32_000)), (32_000, FactSource::Configured));
    assert_eq!(capped(&with_window(Some(16_000)), None, &lessons, CHAT, cap(32_000)), (16_000, FactSource::Configured));
    // Ollama loads as much as is asked for.
    let ollama = report(ServerKind::Ollama, Some(true), Some(4_096), Some(40_960));
    assert_eq!(capped(&with_window(None), Some(&ollama), &lessons, Dialect::Ollama, cap(16_000)), (16_000, FactSource::Configured));
}
