use krabba_types::{
    Calling, Dialect, Fact, FactSource, Message, ModelRequest, Params, Residency, Role, RouteFacts, Secret, ServerKind, TemplateFamily,
    Thinking, Timestamp,
};

use crate::clocks::{ClockSettings, Clocks};
use crate::learned::Lessons;
use crate::prompt::Prepared;
use crate::settings::Provider;
use crate::target::{Parts, Variation};
use crate::test_settings::{provider, reference};

fn facts(window: u32, max_output: Option<u32>) -> RouteFacts {
    RouteFacts {
        server: ServerKind::LmStudio,
        window: Fact::new(window, FactSource::LoadedInstance, Timestamp(0)),
        max_window: None,
        max_output: max_output.map(|limit| Fact::new(limit, FactSource::Configured, Timestamp(0))),
        slots: None,
        vision: None,
        tools: None,
        family: TemplateFamily::Unknown,
        reading_speed: None,
        writing_speed: None,
    }
}

fn prepared(estimate: u32, max_output_tokens: Option<u32>) -> Prepared {
    let request = ModelRequest {
        model: krabba_types::ModelId::new("whatever"),
        messages: vec![Message::text(Role::User, "hi")],
        tools: Vec::new(),
        calling: Calling::default(),
        max_output_tokens,
        thinking: Thinking::High,
        params: Params { temperature: Some(0.1), ..Params::default() },
    };
    Prepared { request, estimate, cut: None }
}

fn with_parts<T>(provider: &Provider, facts: &RouteFacts, variation: &Variation, work: impl FnOnce(&Parts<'_>) -> T) -> T {
    let (reference, lessons) = (reference("lmstudio/Qwen/X:8b@q4"), Lessons::default());
    let entry = provider.entry(&reference.model);
    work(&Parts {
        reference: &reference,
        provider,
        entry,
        report: None,
        lessons: &lessons,
        facts,
        variation,
        dialect: Dialect::OpenAiCompletions,
        can_retract: true,
        num_ctx: None,
    })
}

fn budget(window: u32, limit: Option<u32>, estimate: u32, asked: Option<u32>, variation: &Variation) -> Option<u32> {
    let provider = provider("lmstudio", Residency::Device, &[]);
    with_parts(&provider, &facts(window, limit), variation, |parts| {
        parts.request(&prepared(estimate, asked), &Params::default()).max_output_tokens
    })
}

#[test]
fn an_answer_budget_is_always_sent_and_fits_behind_the_prompt() {
    let usual = Variation::default();
    assert_eq!(budget(8_192, None, 3_000, None, &usual), Some(5_192));
    assert_eq!(budget(8_192, Some(2_048), 3_000, None, &usual), Some(2_048));
    assert_eq!(budget(8_192, Some(2_048), 3_000, Some(100), &usual), Some(100));
    assert_eq!(budget(8_192, Some(8_192), 8_000, Some(4_096), &usual), Some(256));
}

#[test]
fn the_calmer_try_has_more_room_and_does_not_think() {
    let calmer = Variation { calmer: true, ..Variation::default() };
    assert_eq!(budget(8_192, Some(4_096), 1_000, Some(1_000), &calmer), Some(2_000));
    assert_eq!(budget(8_192, Some(1_500), 1_000, Some(1_000), &calmer), Some(1_500));
    let provider = provider("lmstudio", Residency::Device, &[]);
    let thinking =
        with_parts(&provider, &facts(8_192, None), &calmer, |parts| parts.request(&prepared(10, None), &Params::default()).thinking);
    assert_eq!(thinking, Thinking::Off);
}

#[test]
fn parameters_of_the_request_go_over_configured_ones() {
    let provider = provider("lmstudio", Residency::Device, &["Qwen/X:8b@q4"]);
    let configured = Params { temperature: Some(0.9), top_p: Some(0.5), ..Params::default() };
    let request =
        with_parts(&provider, &facts(8_192, None), &Variation::default(), |parts| parts.request(&prepared(10, None), &configured));
    assert_eq!(request.params, Params { temperature: Some(0.1), top_p: Some(0.5), ..Params::default() });
    assert_eq!(request.model.as_str(), "Qwen/X:8b@q4");
}

#[test]
fn a_models_header_replaces_its_providers() {
    let mut provider = provider("lmstudio", Residency::Device, &["Qwen/X:8b@q4"]);
    let header = |name: &str, value: &str| (name.to_owned(), Secret::new(value));
    provider.headers = vec![header("X-Team", "one"), header("X-Other", "two")];
    provider.models[0].headers = vec![header("x-team", "three")];
    let clocks = Clocks::of(&ClockSettings::default(), &Residency::Device);
    let target = with_parts(&provider, &facts(8_192, None), &Variation::default(), |parts| parts.target(None, &clocks));
    assert_eq!(target.headers, [header("X-Other", "two"), header("x-team", "three")]);
}
