//! OpenClaw's own configurations, as users have them, mean what they say.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

use std::path::{Path, PathBuf};

use krabba_config::{Clocks, Credential, Env, KeepAlive, Loaded, Mode, ModelChoice, Paint, Surroundings, load_file, parse_text, render};
use krabba_types::{Dialect, Residency, Secret};

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

fn loaded(name: &str) -> Loaded {
    match load_file(&data(name), &Surroundings::default()) {
        Ok(loaded) => loaded,
        Err(diagnostics) => panic!("{}", render(&diagnostics, Paint::Plain)),
    }
}

fn complaints(loaded: &Loaded) -> Vec<(&str, Option<&str>)> {
    // Whether the checkout can be read by others is not the file's fault.
    let by_others = ["readable-by-others", "writable-by-others"];
    loaded
        .diagnostics
        .iter()
        .filter(|diagnostic| !by_others.contains(&diagnostic.code))
        .map(|diagnostic| (diagnostic.code, diagnostic.key.as_deref()))
        .collect()
}

#[test]
fn shipped_configurations_load_without_a_word() {
    for name in ["any-v1-proxy", "hosted-first-local-fallback", "lmstudio-first", "local-first-hosted-fallback"] {
        let loaded = loaded(&format!("openclaw/{name}.json5"));
        assert_eq!(complaints(&loaded), [], "{name}");
        assert_eq!(loaded.config.models.mode, Mode::Merge);
        assert_eq!(loaded.config.models.providers.len(), 1);
    }
}

#[test]
fn local_first_keeps_its_chain_and_aliases() {
    let config = loaded("openclaw/local-first-hosted-fallback.json5").config;
    let fallbacks = vec!["anthropic/claude-sonnet-4-5".to_owned(), "anthropic/claude-opus-4-6".to_owned()];
    let expected = ModelChoice { primary: Some("lmstudio/minimax-m2.1-gs32".to_owned()), fallbacks: Some(fallbacks) };
    assert_eq!(config.agents.defaults.model, Some(expected));
    let aliases: Vec<_> = config.agents.defaults.models.iter().map(|(reference, options)| (reference, options.alias.as_deref())).collect();
    assert_eq!(
        aliases,
        [
            ("anthropic/claude-sonnet-4-5", Some("Sonnet")),
            ("lmstudio/minimax-m2.1-gs32", Some("MiniMax Local")),
            ("anthropic/claude-opus-4-6", Some("Opus")),
        ]
    );
}

#[test]
fn provider_is_read_with_every_field() {
    let config = loaded("openclaw/any-v1-proxy.json5").config;
    let (name, provider) = config.models.providers.iter().next().unwrap();
    assert_eq!(name, "local");
    assert_eq!(provider.id.as_str(), "local");
    assert_eq!(provider.server.base_url.as_deref(), Some("http://127.0.0.1:8000/v1"));
    assert_eq!(provider.server.api, Some(Dialect::OpenAiResponses));
    assert_eq!(provider.server.api_key, Some(Credential::Given { secret: Secret::new("sk-local"), source: "configuration".to_owned() }));
    let model = provider.models.first().unwrap();
    assert_eq!((model.id.as_str(), model.name.as_deref()), ("my-local-model", Some("Local Model")));
    assert_eq!((model.reasoning, model.context_window, model.max_tokens), (Some(false), Some(120_000), Some(8192)));
    assert_eq!(model.cost.unwrap().cache_write, Some(0.0));
}

#[test]
fn wrapper_moves_a_server_and_changes_nothing_else() {
    let wrapper = loaded("includes/wrapper.json5");
    assert_eq!(complaints(&wrapper), []);
    let mut original = loaded("openclaw/local-first-hosted-fallback.json5").redacted();
    *original.pointer_mut("/models/providers/lmstudio/baseUrl").unwrap() = "http://127.0.0.1:4321/v1".into();
    assert_eq!(wrapper.redacted(), original);
}

#[test]
fn every_key_knows_its_own_file() {
    let wrapper = loaded("includes/wrapper.json5");
    let place = |key: &str| {
        let place = wrapper.place(&key.parse().unwrap()).unwrap();
        (place.file.file_name().unwrap().to_str().unwrap().to_owned(), place.line, place.column)
    };
    assert_eq!(place("models.providers.lmstudio.baseUrl"), ("wrapper.json5".to_owned(), 4, 39));
    assert_eq!(place("models.providers.lmstudio.apiKey"), ("local-first-hosted-fallback.json5".to_owned(), 21, 9));
    assert_eq!(place("models.providers.lmstudio.models[0].contextWindow"), ("local-first-hosted-fallback.json5".to_owned(), 30, 13));
    assert_eq!(place("agents.defaults.model.fallbacks[1]"), ("local-first-hosted-fallback.json5".to_owned(), 7, 52));
}

#[test]
fn list_of_includes_merges_in_order_and_neighbours_win() {
    let loaded = loaded("includes/list.json5");
    assert_eq!(complaints(&loaded), []);
    let agents = loaded.redacted().pointer("/agents").cloned().unwrap();
    let expected = serde_json::json!({
        "defaults": { "model": { "primary": "b/2", "fallbacks": ["a/1", "a/3", "b/1"] }, "contextTokens": 9000, "timeoutSeconds": 30 }
    });
    assert_eq!(agents, expected);
}

#[test]
fn circle_of_includes_is_one_error_and_the_rest_is_there() {
    let loaded = loaded("includes/circle.json5");
    let found = complaints(&loaded);
    assert_eq!(found, [("bad-include", Some("session.$include"))].map(|(code, _)| (code, None)));
    let message = &loaded.diagnostics.iter().find(|diagnostic| diagnostic.code == "bad-include").unwrap().message;
    assert!(message.starts_with("this file includes itself: ") && message.ends_with("circle.json5"), "{message}");
    assert_eq!(loaded.config.agents.defaults.context_tokens, Some(5000));
}

#[test]
fn agents_of_both_generations_keep_their_places() {
    let text = "{ agents: { list: [{ id: 'old' }, { id: 'older', model: 'a/b' }], entries: { new: { privacy: { residency: ['lan', 'region:EU'] } } } } }";
    let loaded = parse_text(text, &Env::default()).unwrap();
    assert_eq!(complaints(&loaded), []);
    let keys: Vec<_> = loaded.config.agents.list.iter().map(|agent| loaded.agent_key(&agent.id).unwrap().to_string()).collect();
    assert_eq!(keys, ["agents.entries.new", "agents.list[0]", "agents.list[1]"]);
    let residencies: Vec<_> =
        loaded.config.agents.list.iter().map(|agent| agent.options.privacy.clone().and_then(|privacy| privacy.residency)).collect();
    assert_eq!(residencies, [Some(vec![Residency::Lan, Residency::Region("eu".to_owned())]), None, None]);
}

#[test]
fn keys_of_our_own_are_read_from_both_spellings() {
    let text = r#"{ models: { mode: "replace", providers: { OpenRouter: {
      baseURL: "https://openrouter.ai/api/v1", region: "US", slots: 2, probe: false, box: "rack", keepAlive: -1, ttl: 600,
      clocks: { connect: 0.5, firstToken: 600 }, routing: { only: ["minimax"], zdr: true }, timeoutSeconds: 90,
      models: [{ id: "minimax/minimax-m2:free", contextWindow: 2e5, name: null }],
    } } } }"#;
    let loaded = parse_text(text, &Env::default()).unwrap();
    assert_eq!(complaints(&loaded), []);
    assert_eq!(loaded.config.models.mode, Mode::Replace);
    let provider = loaded.config.models.providers.get("OpenRouter").unwrap();
    assert_eq!((provider.id.as_str(), provider.server.base_url.as_deref()), ("openrouter", Some("https://openrouter.ai/api/v1")));
    let stand = &provider.stand;
    assert_eq!(stand.declared_residency(), Some(Residency::Region("us".to_owned())));
    assert_eq!((stand.slots, stand.probe, stand.ttl, stand.box_name.as_deref()), (Some(2), Some(false), Some(600), Some("rack")));
    assert_eq!(stand.keep_alive, Some(KeepAlive::Seconds(-1)));
    assert_eq!(stand.clocks, Some(Clocks { connect: Some(0.5), first_token: Some(600.0), ..Clocks::default() }));
    assert_eq!(serde_json::to_value(&stand.routing).unwrap(), serde_json::json!({ "only": ["minimax"], "zdr": true }));
    assert_eq!(
        provider.models.first().map(|model| (model.id.as_str(), model.context_window, model.name.clone())),
        Some(("minimax/minimax-m2:free", Some(200_000), None))
    );
}
