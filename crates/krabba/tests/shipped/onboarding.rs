//! `krabba onboard` where nobody can be asked: a server that somebody named is their word, and nothing else is.

use krabba_testkit::{Script, ScriptedServer};
use serde_json::Value;

use crate::support::{Ended, Home, attempts, text};

const OWN: &str = "// mine
{
  models: {
    providers: {
      // under the desk
      lmstudio: { baseUrl: 'http://127.0.0.1:1/v1', models: [{ id: 'qwen' }] },
    },
  },
  agents: { defaults: { model: 'lmstudio/qwen' } }, // for now
}
";

async fn proxy() -> ScriptedServer {
    let script = Script::litellm().model("tiny").model("large").key("sk-right").reply("through the proxy");
    ScriptedServer::start(script).await.unwrap()
}

fn file(home: &Home, name: &str) -> String {
    std::fs::read_to_string(home.path(name)).unwrap()
}

/// Set up and asked: the answer came through the proxy, whose model counts as hosted.
async fn answers_as_hosted(home: &Home, model: &str, said: &str) {
    let turn = home.run(&["agent", "--message", "hi", "--json"]).await.code(0).json();
    assert_eq!((text(&turn), attempts(&turn)), (said, vec![format!("litellm/{model} answered")]));
    assert_eq!(turn["attempts"][0]["residency"], "hosted");
}

#[tokio::test]
async fn a_litellm_that_somebody_named_is_set_up_with_the_key_of_a_variable() {
    let proxy = proxy().await;
    let url = proxy.url();
    let onboard = ["onboard", &*url];
    let home = Home::new();
    home.run(&onboard).await.code(1).warns(&["LiteLLM at http://", "wants a key", "set LITELLM_API_KEY", "--key-env VARIABLE"]);
    home.run(&["onboard", &url, "--key-env", "PROXY_KEY"]).await.code(1).warns(&["PROXY_KEY is not set"]);
    home.run(&["onboard", &url, "--key-env", "proxy-key"]).await.code(1).warns(&["\"proxy-key\" cannot stand in the configuration"]);
    let home = home.variable("LITELLM_API_KEY", "sk-wrong").secret("sk-wrong");
    home.run(&onboard).await.code(1).warns(&["LiteLLM at http://", "does not take the key in LITELLM_API_KEY", "--key-env VARIABLE"]);
    assert!(!home.path(".krabba/krabba.json5").exists());

    let home = home.variable("LITELLM_API_KEY", "sk-right").secret("sk-right");
    home.run(&onboard).await.code(0).says(&["Wrote ~/.krabba/krabba.json5", "litellm/tiny", "counts as hosted", "residency: \"device\""]);
    let written = file(&home, ".krabba/krabba.json5");
    for part in ["apiKey: \"${LITELLM_API_KEY}\",", "// residency: \"device\",", "primary: \"litellm/tiny\"", "{ id: \"large\" }"] {
        assert!(written.contains(part), "{part} is not in {written}");
    }
    answers_as_hosted(&home, "tiny", "through the proxy").await;
    home.run(&["models", "status"]).await.code(0).says(&["openai-completions, hosted, key from LITELLM_API_KEY"]);

    let other = Home::new().variable("PROXY_KEY", "sk-right").secret("sk-right");
    other.run(&["onboard", &url, "--key-env", "PROXY_KEY"]).await.code(0);
    assert!(file(&other, ".krabba/krabba.json5").contains("apiKey: \"${PROXY_KEY}\","));
    answers_as_hosted(&other, "tiny", "through the proxy").await;
}

/// What looking around finds, for a test of which nothing is left where its machine has servers of its own.
async fn found(home: &Home) -> (usize, Value) {
    let scan = home.run(&["models", "scan", "--json"]).await.code(0).json();
    (scan["servers"].as_array().unwrap().len(), scan["recommended"].clone())
}

#[tokio::test]
async fn a_proxy_that_was_found_and_not_named_is_not_used_unasked() {
    let proxy = ScriptedServer::start(Script::litellm().model("tiny").reply("through the proxy")).await.unwrap();
    let home = Home::new().variable("LMSTUDIO_HOST", &proxy.url());
    let (servers, recommended) = found(&home).await;
    if servers == 1 {
        assert_eq!((&recommended["model"], &recommended["why"]), (&Value::from("tiny"), &Value::from("the first that LiteLLM lists")));
        for arguments in [vec!["agent", "--message", "hi"], vec!["onboard"]] {
            let refused = home.run(&arguments).await.code(1);
            refused.warns(&["tiny at http://", "not used unasked", "counts as hosted", "`krabba onboard http://"]);
        }
    }
    assert!(proxy.generations().is_empty() && !home.path(".krabba/krabba.json5").exists());
    home.run(&["onboard", &proxy.url()]).await.code(0);
    answers_as_hosted(&home, "tiny", "through the proxy").await;
}

#[tokio::test]
async fn a_model_at_home_is_taken_before_one_behind_a_proxy() {
    let proxy = ScriptedServer::start(Script::litellm().model("tiny").reply("through the proxy")).await.unwrap();
    let own = ScriptedServer::start(Script::llama_cpp().model("own").window(8192).reply("from home")).await.unwrap();
    let home = Home::new().variable("LMSTUDIO_HOST", &proxy.url()).variable("LLAMA_ARG_PORT", &own.port().to_string());
    if found(&home).await.0 == 2 {
        home.run(&["agent", "--message", "hi"]).await.code(0).says(&["from home"]);
    }
    assert!(proxy.generations().is_empty());
}

#[tokio::test]
async fn a_further_server_joins_the_file_and_leaves_the_rest_of_it_alone() {
    let box_ = ScriptedServer::start(Script::lm_studio().model("coder").reply("from the box")).await.unwrap();
    let home = Home::with_config(OWN);
    let added = home.run(&["onboard", &box_.url()]).await.code(0);
    added.says(&["Added provider \"lmstudio-2\" to ~/.krabba/krabba.json5, with 1 model.", "`krabba models set lmstudio-2/coder`"]);
    let entry = format!(
        "      \"lmstudio-2\": {{\n        baseUrl: \"{}\",\n        api: \"openai-responses\",\n        models: [\n          {{\n            \
         id: \"coder\",\n          }},\n        ],\n      }},\n    }},\n  }},\n  agents",
        box_.v1()
    );
    assert_eq!(file(&home, ".krabba/krabba.json5"), OWN.replace("    },\n  },\n  agents", &entry));
    home.run(&["models", "status", "--plain"]).await.code(0).says(&["lmstudio/qwen"]);
    home.run(&["agent", "--message", "hi", "--model", "lmstudio-2/coder"]).await.code(0).says(&["from the box"]);

    let before = file(&home, ".krabba/krabba.json5");
    home.run(&["onboard", &format!("{}/v1/", box_.url())]).await.code(0).says(&["is provider \"lmstudio-2\"", "already"]);
    assert_eq!(file(&home, ".krabba/krabba.json5"), before);
}

#[tokio::test]
async fn a_proxy_joins_the_file_without_its_key_and_not_against_the_owners_policy() {
    let proxy = proxy().await;
    let home = Home::with_config(&OWN.replace("  agents", "  privacy: { residency: 'lan' },\n  agents"));
    let home = home.variable("LITELLM_API_KEY", "sk-right").secret("sk-right");
    let added = home.run(&["onboard", &proxy.url()]).await.code(0);
    added.says(&[
        "Added provider \"litellm\"",
        "with 2 models",
        "counts as hosted",
        "krabba config set models.providers.litellm.residency device",
        "privacy.residency",
    ]);
    let written = file(&home, ".krabba/krabba.json5");
    assert!(written.contains("apiKey: \"${LITELLM_API_KEY}\"") && !written.contains("sk-right"), "{written}");
    let ask = ["agent", "--message", "hi", "--model", "litellm/tiny"];
    home.run(&ask).await.code(1).warns(&["litellm/tiny", "hosted"]);
    assert!(proxy.generations().is_empty());
    home.run(&["config", "set", "models.providers.litellm.residency", "device"]).await.code(0);
    home.run(&ask).await.code(0).says(&["through the proxy"]);
}

#[tokio::test]
async fn openclaws_file_is_not_written_to_and_its_copy_is() {
    let server = ScriptedServer::start(Script::vllm().model("m").reply("from vLLM")).await.unwrap();
    let home = Home::new();
    home.write(".openclaw/openclaw.json", OWN);
    let refused =
        |ended: Ended| ended.code(1).warns(&["~/.openclaw/openclaw.json belongs to OpenClaw and is only read", "`krabba config adopt`"]);
    refused(home.run(&["onboard", &server.url()]).await);
    refused(home.run(&["onboard"]).await);
    assert!(!home.path(".krabba/krabba.json5").exists());
    home.run(&["config", "adopt"]).await.code(0).says(&["Copied ~/.openclaw/openclaw.json to ~/.krabba/krabba.json5"]);
    home.run(&["onboard", &server.url()]).await.code(0).says(&["Added provider \"vllm\" to ~/.krabba/krabba.json5"]);
    assert_eq!(file(&home, ".openclaw/openclaw.json"), OWN);
    home.run(&["agent", "--message", "hi", "--model", "vllm/m"]).await.code(0).says(&["from vLLM"]);
}
