//! Configurations of OpenClaw's users, unchanged. A wrapper around each includes it and moves the addresses to servers that
//! stand in for its hosts.

use krabba_testkit::{Script, ScriptedServer, ServerError, Step, Strict};

use crate::support::{Ended, Home, attempts, text};

const LM_STUDIO_FIRST: &str = include_str!("../../../config/tests/data/openclaw/lmstudio-first.json5");
const LOCAL_FIRST: &str = include_str!("../../../config/tests/data/openclaw/local-first-hosted-fallback.json5");
const HOSTED_FIRST: &str = include_str!("../../../config/tests/data/openclaw/hosted-first-local-fallback.json5");
const ANY_V1: &str = include_str!("../../../config/tests/data/openclaw/any-v1-proxy.json5");

const US_MINIMAX: &str = include_str!("../data/us-minimax.json5");

const LOCAL: &str = "lmstudio/minimax-m2.1-gs32";
const KEY: &str = "sk-ant-fake-0123456789abcdef";

async fn lm_studio() -> ScriptedServer {
    let script = Script::lm_studio().model("minimax-m2.1-gs32").max_window(196_608).window(196_608).reply("from the desk");
    ScriptedServer::start(script).await.unwrap()
}

fn anthropic_script() -> Script {
    Script::anthropic().model("claude-sonnet-4-5").window(200_000).model("claude-opus-4-6").window(200_000).key(KEY)
}

async fn anthropic() -> ScriptedServer {
    let script = anthropic_script().reply("from Sonnet").only_model("claude-sonnet-4-5").reply("from Opus");
    ScriptedServer::start(script).await.unwrap()
}

fn at(url: &str) -> String {
    format!("baseUrl: '{url}'")
}

/// Where a stand-in on this machine is to be treated as what it stands for.
fn hosted_at(url: &str) -> String {
    format!("baseUrl: '{url}', residency: 'hosted'")
}

/// `openclaw` as it is, in a wrapper that moves its providers.
fn home(openclaw: &str, moved: &[(&str, String)]) -> Home {
    let providers: Vec<String> = moved.iter().map(|(name, to)| format!("{name}: {{ {to} }}")).collect();
    let wrapper = format!("{{ $include: './openclaw.json5', models: {{ providers: {{ {} }} }} }}", providers.join(", "));
    let home = Home::with_config(&wrapper).variable("ANTHROPIC_API_KEY", KEY).secret(KEY);
    home.write(".krabba/openclaw.json5", openclaw);
    home
}

async fn say_hi(home: &Home, more: &[&str]) -> Ended {
    home.run(&[&["agent", "--message", "hi"], more].concat()).await
}

#[tokio::test]
async fn lm_studio_first_means_lm_studio_and_hosted_only_when_named() {
    let (desk, cloud) = (lm_studio().await, anthropic().await);
    let home = home(LM_STUDIO_FIRST, &[("lmstudio", at(&desk.v1())), ("anthropic", at(&cloud.url()))]);

    let ended = say_hi(&home, &[]).await.code(0);
    assert_eq!((ended.out.as_str(), ended.err.as_str()), ("from the desk\n", ""));
    let asked = desk.generations();
    assert_eq!((asked.len(), asked[0].path.as_str(), asked[0].model()), (1, "/v1/responses", Some("minimax-m2.1-gs32")));
    assert_eq!(asked[0].header("authorization"), Some("Bearer lmstudio"));
    assert_eq!(cloud.generations(), [], "nobody named it");

    // The alias works wherever a model can be named; `merge` keeps the hosted model beside the local one.
    say_hi(&home, &["--model", "Opus"]).await.code(0).says(&["from Opus"]);
    say_hi(&home, &["--model", "minimax"]).await.code(0).says(&["from the desk"]);
    let chat = home.type_into(&["chat"], &["/model Opus", "hi", "/model Minimax", "hi again"]).await.code(0);
    let answers: Vec<&str> = chat.out.lines().filter(|line| line.starts_with("from ")).collect();
    assert_eq!(answers, ["from Opus", "from the desk"], "{chat}");
    let list = home.run(&["models", "list", "--json"]).await.code(0).json();
    let rows: Vec<(&str, bool)> =
        list["models"].as_array().unwrap().iter().map(|row| (row["key"].as_str().unwrap(), row["available"] == true)).collect();
    assert_eq!(rows, [(LOCAL, true), ("anthropic/claude-opus-4-6", true)], "{list}");

    // Being listed is no permission to answer in the other's place.
    drop(desk);
    let asked = cloud.generations().len();
    say_hi(&home, &[]).await.code(1).warns(&["lmstudio: cannot connect"]);
    assert_eq!(cloud.generations().len(), asked, "a hosted model was asked that is no fallback");
}

#[tokio::test]
async fn local_first_falls_back_to_hosted_and_says_so_in_one_line() {
    let (desk, cloud) = (lm_studio().await, anthropic().await);
    let home = home(LOCAL_FIRST, &[("lmstudio", at(&desk.v1())), ("anthropic", hosted_at(&cloud.url()))]);
    let ended = say_hi(&home, &[]).await.code(0);
    assert_eq!((ended.out.as_str(), ended.err.as_str()), ("from the desk\n", ""));
    assert_eq!(cloud.requests(), [], "the local model answers");
    say_hi(&home, &["--model", "MiniMax Local"]).await.code(0).says(&["from the desk"]);
    let chat = home.type_into(&["chat"], &["/model MiniMax Local", "hi", "/model Opus", "hi"]).await.code(0);
    chat.says(&["from the desk", "from Opus"]);

    drop(desk);
    let ended = say_hi(&home, &[]).await.code(0);
    assert_eq!((ended.out.as_str(), ended.err.lines().count()), ("from Sonnet\n", 1), "{ended}");
    ended.warns(&["lmstudio: cannot connect", "asking anthropic/claude-sonnet-4-5 instead"]);
    let turn = say_hi(&home, &["--json"]).await.code(0).json();
    assert_eq!(attempts(&turn), [format!("{LOCAL} failed unreachable"), "anthropic/claude-sonnet-4-5 answered".to_owned()]);
    let last = cloud.generations().pop().unwrap();
    assert_eq!((last.path.as_str(), last.header("x-api-key")), ("/v1/messages", Some(KEY)));
}

#[tokio::test]
async fn an_empty_answer_of_the_primary_is_not_the_answer() {
    let script = Script::lm_studio().model("minimax-m2.1-gs32").window(196_608).steps([Step::End]);
    let (desk, cloud) = (ScriptedServer::start(script).await.unwrap(), anthropic().await);
    let home = home(LOCAL_FIRST, &[("lmstudio", at(&desk.v1())), ("anthropic", at(&cloud.url()))]);
    let turn = say_hi(&home, &["--json"]).await.code(0).json();
    assert_eq!(text(&turn), "from Sonnet");
    assert_eq!(attempts(&turn).last().unwrap(), "anthropic/claude-sonnet-4-5 answered");
}

#[tokio::test]
async fn hosted_first_comes_home_when_the_host_fails() {
    let desk = lm_studio().await;
    let cloud = anthropic().await;
    let with = |url: &str| home(HOSTED_FIRST, &[("lmstudio", at(&desk.v1())), ("anthropic", at(url))]);
    say_hi(&with(&cloud.url()), &[]).await.code(0).says(&["from Sonnet"]);
    assert_eq!(desk.generations().len(), 0, "the hosted model answers");

    let overloaded = ServerError::new(529, "Overloaded").kind("overloaded_error");
    let wrong_key = ServerError::new(401, "invalid x-api-key").kind("authentication_error");
    for (error, fault) in [(overloaded, "overloaded"), (wrong_key, "auth")] {
        let cloud = ScriptedServer::start(anthropic_script().fails(error)).await.unwrap();
        let turn = say_hi(&with(&cloud.url()), &["--json"]).await.code(0).json();
        assert_eq!((text(&turn), attempts(&turn).last().unwrap()), ("from the desk", &format!("{LOCAL} answered")));
        assert_eq!(attempts(&turn)[0], format!("anthropic/claude-sonnet-4-5 failed {fault}"));
        let ended = say_hi(&with(&cloud.url()), &[]).await.code(0);
        assert_eq!((ended.out.as_str(), ended.err.lines().count()), ("from the desk\n", 1), "{ended}");
        ended.warns(&["anthropic", &format!("asking {LOCAL} instead")]);
    }
}

#[tokio::test]
async fn us_hosted_minimax_is_asked_of_the_named_hosts_alone_and_then_anthropic() {
    let states = Script::open_router().model("minimax/minimax-m2.1").window(196_608);
    let router = ScriptedServer::start(states.clone().reply("from the States")).await.unwrap();
    let cloud = anthropic().await;
    let with = |url: &str| {
        let moved = [("'openrouter-us'", at(url)), ("anthropic", hosted_at(&cloud.url()))];
        home(US_MINIMAX, &moved).variable("OPENROUTER_API_KEY", "sk-or-0123456789").secret("sk-or-0123456789")
    };
    for model in [&[][..], &["--model", "the US-hosted MiniMax"]] {
        say_hi(&with(&router.v1()), model).await.code(0).says(&["from the States"]);
    }
    let hosts = serde_json::json!({
        "only": ["fireworks", "together"], "order": ["fireworks", "together"],
        "allow_fallbacks": false, "data_collection": "deny", "zdr": true,
    });
    for asked in router.generations() {
        assert_eq!((asked.model(), &asked.json.as_ref().unwrap()["provider"]), (Some("minimax/minimax-m2.1"), &hosts));
    }
    assert_eq!((router.generations().len(), cloud.requests()), (2, Vec::new()));

    let nobody = ServerError::new(404, "No allowed providers are available for the selected model.");
    let router = ScriptedServer::start(states.fails(nobody)).await.unwrap();
    let turn = say_hi(&with(&router.v1()), &["--json"]).await.code(0).json();
    let us = "openrouter-us/minimax/minimax-m2.1 failed noSuchModel";
    assert_eq!((text(&turn), attempts(&turn)), ("from Sonnet", vec![us.to_owned(), "anthropic/claude-sonnet-4-5 answered".to_owned()]));
}

#[tokio::test]
async fn a_proxy_without_responses_is_asked_in_chat_completions_and_this_is_remembered() {
    let script = Script::vllm().model("my-local-model").max_window(120_000).window(120_000).key("sk-local").strict(Strict::NoResponses);
    let proxy = ScriptedServer::start(script.reply("from the rack")).await.unwrap();
    let home = home(ANY_V1, &[("local", at(&proxy.v1()))]);
    // No model is chosen: the configured local one is taken.
    let first = say_hi(&home, &[]).await.code(0);
    assert_eq!(first.out, "from the rack\n");
    first.warns(&["does not answer in openai-responses"]);
    let second = say_hi(&home, &[]).await.code(0);
    assert_eq!((second.out.as_str(), second.err.as_str()), ("from the rack\n", ""));
    let paths: Vec<String> = proxy.generations().into_iter().map(|request| request.path).collect();
    assert_eq!(paths.last().unwrap(), "/v1/chat/completions");
    assert_eq!(paths.iter().filter(|path| *path == "/v1/responses").count(), paths.len() - 2, "{paths:?}");
    home.run(&["models", "status", "--probe", "--json"]).await.code(0);
}

#[tokio::test]
async fn replace_really_removes_the_hosted_models() {
    let (desk, cloud) = (lm_studio().await, anthropic().await);
    let replaced = LM_STUDIO_FIRST.replace("mode: \"merge\"", "mode: \"replace\"");
    // Nothing is said of Anthropic in a provider entry, or it would be there again.
    let home = home(&replaced, &[("lmstudio", at(&desk.v1()))]);
    say_hi(&home, &[]).await.code(0).says(&["from the desk"]);
    for name in ["Opus", "anthropic/claude-opus-4-6"] {
        say_hi(&home, &["--model", name]).await.code(1).warns(&["anthropic"]);
    }
    let list = home.run(&["models", "list", "--all", "--json"]).await.code(0).json();
    let keys: Vec<&str> = list["models"].as_array().unwrap().iter().filter_map(|row| row["key"].as_str()).collect();
    assert_eq!(keys, [LOCAL]);
    assert_eq!(cloud.requests(), []);
}

#[tokio::test]
async fn a_fallback_outside_the_privacy_policy_is_refused_with_its_line() {
    let home = Home::with_config("{ $include: './openclaw.json5', privacy: { residency: 'device' } }").variable("ANTHROPIC_API_KEY", KEY);
    let home = home.secret(KEY);
    home.write(".krabba/openclaw.json5", LOCAL_FIRST);
    let line = 1 + LOCAL_FIRST.lines().position(|line| line.contains("fallbacks")).unwrap();
    for arguments in [vec!["agent", "--message", "hi"], vec!["models", "status"], vec!["config", "validate"]] {
        let ended = home.run(&arguments).await.code(78);
        let all = format!("{}{}", ended.out, ended.err);
        let place = format!("openclaw.json5:{line}:");
        assert!(all.contains(&place) && all.contains("anthropic/claude-sonnet-4-5") && all.contains("claude-opus-4-6"), "{ended}");
    }
}

#[tokio::test]
async fn somebody_elses_file_is_read_where_it_lies_and_never_written() {
    let desk = lm_studio().await;
    let home = Home::new();
    let theirs = LM_STUDIO_FIRST.replace("http://127.0.0.1:1234/v1", &desk.v1());
    let path = home.write(".openclaw/openclaw.json", &theirs);
    home.run(&["config", "path"]).await.code(0).says(&[".openclaw/openclaw.json"]);
    say_hi(&home, &[]).await.code(0).says(&["from the desk"]);
    home.run(&["models", "set", "Opus"]).await.code(1).warns(&["krabba config adopt"]);
    home.run(&["config", "adopt"]).await.code(0);
    home.run(&["models", "aliases", "add", "Desk", LOCAL]).await.code(0);
    say_hi(&home, &["--model", "desk"]).await.code(0).says(&["from the desk"]);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), theirs);
    assert_eq!(std::fs::read_dir(home.path(".openclaw")).unwrap().count(), 1, "nothing is ever written there");
}
