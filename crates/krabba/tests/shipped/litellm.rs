//! LiteLLM's proxy in front of llama.cpp's server and of scripted ones. It starts slowly, so that one proxy serves one long test.

use krabba_testkit::{LiteLlm, LlamaServer, ModelFile, Script, ScriptedServer, ServerError, Step};
use serde_json::{Value, json};

use crate::support::{Home, attempts, text};

/// What the proxy offers, and the server behind each model.
fn proxied(models: &[(&str, &str)]) -> String {
    let list: Vec<Value> = models
        .iter()
        .map(|(name, url)| {
            let parameters = json!({ "model": format!("openai/{name}"), "api_base": format!("{url}/v1"), "api_key": "none" });
            json!({ "model_name": name, "litellm_params": parameters })
        })
        .collect();
    json!({
        "model_list": list,
        "litellm_settings": { "num_retries": 0, "telemetry": false },
        "router_settings": { "num_retries": 0, "disable_cooldowns": true },
    })
    .to_string()
}

fn config(proxy: &LiteLlm, models: &[(&str, &str)], extra: &str) -> String {
    let entries: Vec<String> = models.iter().map(|(name, _)| format!("{{ id: \"{name}\", contextWindow: 8192 }}")).collect();
    format!(
        r#"{{ models: {{ mode: "replace", providers: {{ litellm: {{
             baseUrl: "{}", {extra} api: "openai-completions", models: [{}] }} }} }},
             agents: {{ defaults: {{ model: {{ primary: "litellm/tiny" }} }} }} }}"#,
        proxy.url(),
        entries.join(", ")
    )
}

#[tokio::test]
async fn nothing_is_lost_or_hidden_behind_a_litellm_proxy() {
    let tiny = LlamaServer::start(ModelFile::Scripted, &["--alias", "tiny"]).await.unwrap();
    let small = LlamaServer::start(ModelFile::ScriptedSmall, &["--alias", "small"]).await.unwrap();
    let loading =
        Script::llama_cpp().model("loading").fails(ServerError::new(503, "Loading model").kind("unavailable_error")).only_request(1);
    let loading = ScriptedServer::start(loading.reply("loaded by now")).await.unwrap();
    let cut = Script::llama_cpp().model("cut").steps([Step::text("The answer is"), Step::DelayMs(50), Step::Reset]);
    let cut = ScriptedServer::start(cut).await.unwrap();
    let (tiny_url, small_url, loading_url, cut_url) = (tiny.url(), small.url(), loading.url(), cut.url());
    let models = [("tiny", &*tiny_url), ("small", &*small_url), ("loading", &*loading_url), ("cut", &*cut_url)];
    let proxy = LiteLlm::start(&proxied(&models)).await.unwrap();

    is_set_up_with_its_key(&proxy).await;
    let home = |extra: &str| Home::with_config(&config(&proxy, &models, extra));
    let keyless = home("").run(&["agent", "--message", "hi"]).await.code(1);
    keyless.warns(&["LiteLLM at", "wants a key; set apiKey of provider \"litellm\""]);

    let keyed = |home: Home| home.variable("LITELLM_API_KEY", LiteLlm::KEY).secret(LiteLlm::KEY);
    let open = keyed(home(""));
    let ask = async |model: &str, message: &str| {
        open.run(&["agent", "--model", &format!("litellm/{model}"), "--message", message, "--json"]).await.code(0).json()
    };

    let turn = ask("tiny", "hi").await;
    assert_eq!((text(&turn), attempts(&turn)), (LlamaServer::REPLY, vec!["litellm/tiny answered".to_owned()]));
    // It may pass a conversation on to anybody, and does not tell.
    assert_eq!(turn["attempts"][0]["residency"], "hosted");

    // llama.cpp's overflow, in LiteLLM's words.
    let turn = ask("small", &"word ".repeat(1_500)).await;
    assert_eq!(
        (text(&turn), attempts(&turn)),
        (LlamaServer::REPLY, vec!["litellm/small failed overflow".to_owned(), "litellm/small answered".to_owned()])
    );
    open.run(&["explain", "context", "litellm/small"]).await.code(0).says(&["of 1,024 tokens (learned from an overflow)"]);

    // Its server's 503 is waited out.
    let turn = ask("loading", "hi").await;
    assert_eq!((text(&turn), attempts(&turn)), ("loaded by now", vec!["litellm/loading answered".to_owned()]));
    assert_eq!(loading.generations().len(), 2);

    // A stream that is cut after some text ends in a fault and never as an answer; here the default model answers instead.
    let turn = ask("cut", "hi").await;
    assert_eq!((text(&turn), attempts(&turn).len()), (LlamaServer::REPLY, 2));
    assert_eq!(attempts(&turn)[0], "litellm/cut broke-off truncated", "{turn}");

    let alone = Home::with_config(&config(&proxy, &models, "").replace("litellm/tiny", "litellm/cut"));
    let turn = keyed(alone).run(&["agent", "--message", "hi", "--json"]).await.code(1).json();
    assert_eq!(turn["status"], "error", "{turn}");
    assert_eq!(attempts(&turn), ["litellm/cut broke-off truncated"; 2], "{turn}");

    // What was declared by the owner holds; what was not may not be believed.
    let asked = || loading.generations().len();
    let before = asked();
    let private = keyed(private_home(&proxy, &models, ""));
    private.run(&["agent", "--message", "hi", "--model", "litellm/loading"]).await.code(1).warns(&["litellm/loading", "hosted"]);
    assert_eq!(asked(), before, "a private conversation went through a proxy");
    let declared = keyed(private_home(&proxy, &models, "residency: \"device\","));
    declared.run(&["agent", "--message", "hi", "--model", "litellm/loading"]).await.code(0).says(&["loaded by now"]);
}

/// Without its key it answers a bare 500 and tells only beside it who it is; with a wrong one it complains of its database.
async fn is_set_up_with_its_key(proxy: &LiteLlm) {
    let (home, url) = (Home::new(), proxy.url());
    let onboard = ["onboard", &*url];
    home.run(&onboard).await.code(1).warns(&["LiteLLM at http://", "wants a key", "set LITELLM_API_KEY"]);
    let home = home.variable("LITELLM_API_KEY", "sk-not-this").secret("sk-not-this");
    home.run(&onboard).await.code(1).warns(&["LiteLLM at http://", "does not take the key in LITELLM_API_KEY"]);
    let home = home.variable("LITELLM_API_KEY", LiteLlm::KEY).secret(LiteLlm::KEY);
    home.run(&onboard).await.code(0).says(&["litellm/tiny: LiteLLM may pass conversations on to others, so it counts as hosted"]);
    home.run(&["agent", "--message", "hi"]).await.code(0).says(&[LlamaServer::REPLY]);
    let home = home.variable("LITELLM_API_KEY", "sk-not-this");
    home.run(&["agent", "--message", "hi"]).await.code(1).warns(&["LiteLLM at", "refused the key"]);
}

/// The same where no conversation may leave this machine.
fn private_home(proxy: &LiteLlm, models: &[(&str, &str)], extra: &str) -> Home {
    let home = Home::with_config("{ $include: './proxy.json5', privacy: { residency: 'device' } }");
    home.write(".krabba/proxy.json5", &config(proxy, models, extra));
    home
}
