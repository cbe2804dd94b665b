use krabba_types::{ModelRef, ProviderId, Residency, Secret};

use crate::reference::{Names, ResolveError, Resolved};
use crate::settings::{Key, Settings};
use crate::test_settings::{alias, local_first, provider, reference};
use crate::{catalogue, find_hosted};

fn resolve(settings: &Settings, text: &str) -> Result<String, ResolveError> {
    resolve_live(settings, text, &[])
}

fn resolve_live(settings: &Settings, text: &str, live: &[&str]) -> Result<String, ResolveError> {
    let live: Vec<ModelRef> = live.iter().map(|text| reference(text)).collect();
    Names::of(settings).resolve(text, &live).map(|resolved| resolved.reference.to_string())
}

fn with_builtin() -> Settings {
    let mut settings = local_first();
    settings.providers.retain(|provider| provider.id.as_str() == "lmstudio");
    settings.providers.extend(catalogue().iter().map(|row| row.provider(|_| None)));
    settings
}

#[test]
fn an_alias_with_spaces_and_other_case_is_found() {
    assert_eq!(resolve(&local_first(), "  minimax   LOCAL "), Ok("lmstudio/minimax-m2.1-gs32".to_owned()));
}

#[test]
fn an_id_with_slash_colon_and_at_sign_keeps_every_byte() {
    let id = "qwen/Qwen3:8b@q4_k_m";
    let settings = Settings { providers: vec![provider("box", Residency::Lan, &[])], ..Settings::default() };
    let live = format!("box/{id}");
    assert_eq!(resolve_live(&settings, id, &[&live]), Ok(live.clone()));
    assert_eq!(resolve_live(&settings, &live, &[&live]), Ok(live));
}

#[test]
fn a_local_id_that_begins_like_a_hosted_provider_is_not_sent_there() {
    let settings = with_builtin();
    assert_eq!(
        resolve_live(&settings, "openai/gpt-oss-20b", &["lmstudio/openai/gpt-oss-20b"]),
        Ok("lmstudio/openai/gpt-oss-20b".to_owned())
    );
    assert_eq!(resolve_live(&settings, "anthropic/claude-sonnet-4-5", &[]), Ok("anthropic/claude-sonnet-4-5".to_owned()));
}

#[test]
fn a_model_that_no_list_knows_is_usable_where_its_provider_is() {
    assert_eq!(resolve(&local_first(), "LMStudio/Some/New-Model"), Ok("lmstudio/Some/New-Model".to_owned()));
}

#[test]
fn an_id_of_several_providers_is_not_guessed() {
    let mut settings = local_first();
    settings.providers.push(provider("box", Residency::Lan, &["minimax-m2.1-gs32"]));
    let candidates = vec![reference("lmstudio/minimax-m2.1-gs32"), reference("box/minimax-m2.1-gs32")];
    let text = "minimax-m2.1-gs32".to_owned();
    assert_eq!(resolve(&settings, "minimax-m2.1-gs32"), Err(ResolveError::Ambiguous { text, candidates }));
}

#[test]
fn a_configured_provider_goes_before_a_built_in_one_with_the_same_id() {
    let mut settings = with_builtin();
    settings.providers.insert(0, provider("box", Residency::Lan, &["gpt-5"]));
    assert_eq!(resolve(&settings, "gpt-5"), Ok("box/gpt-5".to_owned()));
}

#[test]
fn a_profile_is_taken_off_only_if_it_exists() {
    let mut settings = local_first();
    let key = |profile: &str| Key { profile: profile.to_owned(), secret: Secret::new("k"), source: "test".to_owned() };
    settings.providers[1].keys = vec![key("work"), key("home")];
    let names = Names::of(&settings);
    let pinned = |text: &str| names.resolve(text, &[]).unwrap();
    let expected = |text: &str, profile: Option<&str>| Resolved { reference: reference(text), profile: profile.map(str::to_owned) };
    assert_eq!(pinned("opus@work"), expected("anthropic/claude-opus-4-6", Some("work")));
    assert_eq!(pinned("anthropic/claude-new@home"), expected("anthropic/claude-new", Some("home")));
    assert_eq!(pinned("lmstudio/qwen3:8b@q4_k_m"), expected("lmstudio/qwen3:8b@q4_k_m", None));
}

#[test]
fn a_typing_error_is_answered_with_the_closest_names() {
    let error = resolve(&local_first(), "claude-sonet-4-5").unwrap_err();
    assert_eq!(error.to_string(), "there is no model \"claude-sonet-4-5\"; did you mean \"anthropic/claude-sonnet-4-5\"?");
    assert_eq!(resolve(&local_first(), "claude-opus").unwrap_err().closest(), ["anthropic/claude-opus-4-6"]);
}

#[test]
fn a_built_in_model_whose_key_is_missing_is_not_offered() {
    let mut settings = Settings { aliases: Vec::new(), ..with_builtin() };
    let closest = |settings: &Settings| resolve(settings, "opsu").unwrap_err().closest();
    assert_eq!(closest(&settings), Vec::<String>::new());
    // Whoever names it outright learns what is missing.
    assert_eq!(resolve(&settings, "opus"), Ok("anthropic/claude-opus-4-6".to_owned()));

    let key = provider("anthropic", Residency::Hosted, &[]).keys;
    let anthropic = settings.providers.iter_mut().find(|provider| provider.id.as_str() == "anthropic").unwrap();
    anthropic.keys = key;
    assert_eq!(closest(&settings), ["opus"]);
}

#[test]
fn a_provider_of_a_foreign_wire_format_is_an_error_of_its_own() {
    let error = resolve(&with_builtin(), "google/gemini-3-pro-preview").unwrap_err();
    let provider = ProviderId::new("google");
    assert_eq!(error, ResolveError::UnsupportedProvider { provider, api: "google-generative-ai" });
}

#[test]
fn replaced_built_in_providers_are_said_to_be_switched_off() {
    let error = resolve(&local_first(), "openrouter/minimax/minimax-m2.1").unwrap_err();
    assert_eq!(error, ResolveError::SwitchedOff { provider: ProviderId::new("openrouter") });
}

#[test]
fn other_spellings_of_providers_and_short_ids_mean_what_they_mean_in_openclaw() {
    let settings = with_builtin();
    let resolved: Vec<String> = ["z.ai/glm-4.7", "Z-AI/glm-4.7", "anthropic/opus-4.6", "opus", "GPT"]
        .iter()
        .map(|text| resolve(&settings, text).unwrap())
        .collect();
    assert_eq!(resolved, ["zai/glm-4.7", "zai/glm-4.7", "anthropic/claude-opus-4-6", "anthropic/claude-opus-4-6", "openai/gpt-5.2"]);
}

#[test]
fn the_users_alias_goes_before_a_built_in_one() {
    let mut settings = with_builtin();
    settings.aliases.push(alias("opus", "lmstudio/my-opus"));
    assert_eq!(resolve(&settings, "Opus"), Ok("lmstudio/my-opus".to_owned()));
}

#[test]
fn nothing_is_not_a_model() {
    assert_eq!(resolve(&local_first(), "  "), Err(ResolveError::Empty));
}

#[test]
fn every_row_of_the_catalogue_can_be_asked() {
    for row in catalogue() {
        assert!(url::Url::parse(row.base_url).is_ok_and(|url| url.scheme() == "https"), "{}", row.id);
        assert!(!row.key_variables.is_empty(), "{}", row.id);
        let provider = row.provider(|name| Some(Secret::new(format!("value of {name}"))));
        let sources: Vec<&str> = provider.keys.iter().map(|key| key.source.as_str()).collect();
        assert_eq!((sources, provider.missing_key), (vec![format!("env {}", row.key_variables[0]).as_str()], None));
    }
    for (name, target) in crate::aliases() {
        let target = reference(target);
        assert!(find_hosted(&target.provider).unwrap().models.iter().any(|model| model.id == target.model.as_str()), "{name}");
    }
}

#[test]
fn a_built_in_provider_without_a_key_says_which_variable_to_set() {
    let provider = find_hosted(&ProviderId::new("openrouter")).unwrap().provider(|_| None);
    assert_eq!((provider.keys.len(), provider.missing_key.as_deref()), (0, Some("OPENROUTER_API_KEY")));
}

proptest::proptest! {
    #[test]
    fn whatever_a_server_lists_can_be_named_and_goes_out_byte_for_byte(id in "[ -~åß模]{0,12}[!-~]") {
        let id = id.trim();
        let settings = Settings { providers: vec![provider("box", Residency::Lan, &[])], ..Settings::default() };
        let listed = ModelRef::new(ProviderId::new("box"), krabba_types::ModelId::new(id));
        let names = Names::of(&settings);
        for text in [format!("box/{id}"), id.to_owned()] {
            let resolved = names.resolve(&text, std::slice::from_ref(&listed)).map(|resolved| resolved.reference);
            proptest::prop_assert_eq!(resolved, Ok(listed.clone()));
        }
    }
}
