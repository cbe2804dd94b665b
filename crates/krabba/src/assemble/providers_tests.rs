use std::path::PathBuf;
use std::time::Duration;

use krabba_config::{Env, Loaded, parse_text};
use krabba_route::{Provider, find_hosted};
use krabba_types::{ProviderId, Residency};
use serde_json::json;

use super::providers::providers;

fn loaded(text: &str, variables: &[(&str, &str)]) -> Loaded {
    let variables = variables.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    parse_text(text, &Env::new(variables)).expect("a configuration")
}

fn find<'p>(providers: &'p [Provider], id: &str) -> &'p Provider {
    providers.iter().find(|provider| provider.id.as_str() == id).expect("the provider")
}

#[test]
fn replace_leaves_no_built_in_provider() {
    let ids = |mode: &str| -> Vec<ProviderId> {
        let text = format!("{{ models: {{ mode: '{mode}', providers: {{ box: {{ baseUrl: 'http://127.0.0.1:1' }} }} }} }}");
        providers(&loaded(&text, &[("ANTHROPIC_API_KEY", "sk-ant-1")])).into_iter().map(|provider| provider.id).collect()
    };
    assert_eq!(ids("replace"), [ProviderId::new("box")]);
    assert!(ids("merge").contains(&ProviderId::new("anthropic")));
}

#[test]
fn limit_for_a_turn_is_not_forgotten() {
    let text = "{ agents: { defaults: { timeoutSeconds: 600 } }, models: { providers: {
        box: { baseUrl: 'http://127.0.0.1:1', clocks: { load: 900 } },
        slow: { baseUrl: 'http://127.0.0.1:2', clocks: { turn: 1200 } },
    } } }";
    let providers = providers(&loaded(text, &[]));
    let limits = |id: &str| {
        let clocks = &find(&providers, id).clocks;
        [clocks.whole, clocks.turn, clocks.load].map(|limit| limit.map(|limit| limit.as_secs()))
    };
    assert_eq!(limits("box"), [None, Some(600), Some(900)]);
    assert_eq!(limits("slow"), [Some(1200), Some(600), None]);
    assert_eq!(limits("anthropic"), [None, Some(600), None]);
    let clocks = krabba_route::Clocks::of(&find(&providers, "slow").clocks, &Residency::Device);
    assert_eq!(clocks.whole, Some(Duration::from_secs(1200)));
}

#[test]
fn keys_are_used_in_the_order_that_their_owner_gave() {
    let text = r#"{
        auth: {
            profiles: {
                "anthropic:work": { provider: "anthropic", mode: "api_key", apiKey: "${WORK_KEY}" },
                "anthropic:home": { provider: "anthropic", mode: "api_key", apiKey: { source: "env", provider: "default", id: "HOME_KEY" } },
                "anthropic:login": { provider: "anthropic", mode: "oauth" },
            },
            order: { anthropic: ["anthropic:home", "anthropic:work"] },
        },
        models: { providers: { anthropic: { baseUrl: "https://api.anthropic.com", apiKey: "sk-file" } } },
    }"#;
    let variables = [("WORK_KEY", "sk-work"), ("HOME_KEY", "sk-home"), ("ANTHROPIC_API_KEY", "sk-env")];
    let providers = providers(&loaded(text, &variables));
    let keys: Vec<_> = find(&providers, "anthropic").keys.iter().map(|key| (key.profile.as_str(), key.secret.expose())).collect();
    let expected =
        [("anthropic:home", "sk-home"), ("anthropic:work", "sk-work"), ("anthropic:anthropic_api_key", "sk-env"), ("anthropic", "sk-file")];
    assert_eq!(keys, expected);
}

#[test]
fn us_hosted_minimax_stays_the_only_one_asked() {
    let text = include_str!("../../tests/data/us-minimax.json5");
    let providers = providers(&loaded(text, &[("OPENROUTER_API_KEY", "sk-or-1"), ("ANTHROPIC_API_KEY", "sk-ant-1")]));
    let openrouter = find(&providers, "openrouter-us");
    assert_eq!(openrouter.base_url, "https://us.openrouter.ai/api/v1");
    assert_eq!(openrouter.residency, Residency::Region("us".to_owned()));
    let routing = json!({
        "only": ["fireworks", "together"],
        "order": ["fireworks", "together"],
        "allow_fallbacks": false,
        "data_collection": "deny",
        "zdr": true,
    });
    assert_eq!(serde_json::to_value(&openrouter.extras.routing).expect("JSON"), routing);
    let anthropic = find_hosted(&ProviderId::new("anthropic")).expect("built in");
    assert_eq!(find(&providers, "anthropic").base_url, anthropic.base_url);
}

#[test]
fn service_in_the_home_directory_is_found() {
    let text = "{ models: { providers: { box: { baseUrl: 'http://127.0.0.1:1/v1/', localService: { command: '~/bin/serve', cwd: '~/models' } } } } }";
    let providers = providers(&loaded(text, &[("HOME", "/home/ada")]));
    let service = find(&providers, "box").hosting.service.as_ref().expect("a service");
    assert_eq!(
        (service.command.clone(), service.cwd.clone()),
        (PathBuf::from("/home/ada/bin/serve"), Some(PathBuf::from("/home/ada/models")))
    );
    assert_eq!(service.health_url, "http://127.0.0.1:1/v1/models");
}
