//! What one agent says about models holds for it, and for it alone.

use krabba_testkit::{Script, ScriptedServer};
use serde_json::{Value, json};

use crate::support::Home;

/// Everything that may say something about a model says it.
fn config(url: &str) -> String {
    format!(
        r#"{{
            models: {{ mode: "replace", providers: {{ box: {{
                baseUrl: "{url}", api: "openai-completions", params: {{ temperature: 0.1, top_p: 0.1, seed: 1 }},
                models: [
                    {{ id: "m", contextWindow: 8192, params: {{ top_p: 0.2, seed: 2, min_p: 0.2, extra_body: {{ a: "model" }} }} }},
                    {{ id: "n", contextWindow: 8192 }},
                ],
            }} }} }},
            agents: {{
                defaults: {{
                    model: "box/m", contextTokens: 6000, params: {{ temperature: 0.9, top_k: 9 }},
                    models: {{ "box/m": {{ params: {{ seed: 3, min_p: 0.3, maxTokens: 300, extra_body: {{ b: "defaults" }} }} }},
                               "box/n": {{}} }},
                }},
                list: [
                    {{ id: "plain" }},
                    {{ id: "writer", contextTokens: 3000, params: {{ min_p: 0.4, maxTokens: 400, extra_body: {{ c: "agent" }} }},
                      models: {{ "box/m": {{ params: {{ maxTokens: 500, extra_body: {{ c: "agent's model" }} }} }} }} }},
                ],
                entries: {{ wide: {{ contextTokens: 7000, params: {{ temperature: 0.6 }} }} }},
            }},
        }}"#
    )
}

#[tokio::test]
async fn each_agent_uses_a_model_in_its_own_way() {
    let server = ScriptedServer::start(Script::vllm().model("m").model("n").window(32_768).reply("yes")).await.unwrap();
    let home = Home::with_config(&config(&server.v1()));
    // What was sent, and the window with its source.
    let ask = async |agent: &str, model: &str| {
        let turn = home.run(&["agent", "--agent", agent, "--model", model, "--message", "hi", "--json"]).await.code(0).json();
        let mut body = server.generations().pop().unwrap().json.unwrap();
        let body = body.as_object_mut().unwrap();
        body.retain(|key, _| !["messages", "model", "stream", "stream_options", "tools"].contains(&key.as_str()));
        (Value::Object(body.clone()), turn["context"]["window"].clone(), turn["context"]["windowSource"].clone())
    };
    let sent = json!({
        "temperature": 0.1, "top_p": 0.2, "seed": 3, "min_p": 0.3, "top_k": 9, "a": "model", "b": "defaults", "max_tokens": 300,
    });
    assert_eq!(ask("plain", "box/m").await, (sent, json!(6000), json!("configured")));
    let sent = json!({
        "temperature": 0.1, "top_p": 0.2, "seed": 3, "min_p": 0.4, "top_k": 9, "a": "model", "b": "defaults", "c": "agent's model",
        "max_tokens": 500,
    });
    assert_eq!(ask("writer", "box/m").await, (sent, json!(3000), json!("configured")));
    let sent = json!({ "temperature": 0.1, "top_p": 0.1, "seed": 1, "min_p": 0.4, "top_k": 9, "c": "agent", "max_tokens": 400 });
    assert_eq!(ask("writer", "box/n").await, (sent, json!(3000), json!("configured")));
    let (sent, window, _) = ask("wide", "box/n").await;
    assert_eq!((&sent["temperature"], window), (&json!(0.6), json!(7000)));
}

#[tokio::test]
async fn limits_of_a_turn_are_the_owners_and_shown() {
    let call = |number: u32| {
        format!("{{when: {{request: {number}}}, steps: [{{tool_call: {{name: 'exec', arguments: {{command: 'echo {number}'}}}}}}, 'end']}}")
    };
    let script =
        format!("{{server: 'vllm', models: [{{id: 'm'}}], rules: [{}, {}, {{steps: [{{text: 'Enough.'}}, 'end']}}]}}", call(1), call(3));
    let server = ScriptedServer::start(script.parse::<Script>().unwrap()).await.unwrap();
    let config = format!(
        "{{ models: {{ mode: 'replace', providers: {{ box: {{ baseUrl: '{}', models: [{{ id: 'm' }}] }} }} }},\n\
           agents: {{ defaults: {{ model: 'box/m', limits: {{ steps: 9, seconds: 600 }} }},\n\
           list: [{{ id: 'short', limits: {{ steps: 1, outputTokens: 20000 }} }}, {{ id: 'long' }}] }} }}",
        server.v1()
    );
    let home = Home::with_config(&config);
    let line = "1 step is done, the limit for one turn; the model is asked to answer with what it has";
    home.run(&["agent", "--agent", "short", "--message", "go"]).await.code(0).says(&["Enough."]).warns(&[line]);
    let long = home.run(&["agent", "--agent", "long", "--message", "go"]).await.code(0);
    assert!(!long.err.contains("the limit for one turn"), "{long}");

    home.run(&["explain", "timeouts"]).await.code(0).says(&[
        "limits of one turn, at which the model answers with what it has (agents.defaults.limits):\n",
        "steps                   1  ",
        "tokens written     20,000  ",
        "seconds               600  ",
        "krabba.json5:3:33 (agents.list[0].limits.steps)\n",
        "krabba.json5:2:59 (agents.defaults.limits.seconds)\n",
    ]);
    let turn = &home.run(&["explain", "timeouts", "--json"]).await.code(0).json()["turn"];
    assert_eq!((&turn[0]["limit"], &turn[1]["limit"], &turn[2]["limit"]), (&json!(1), &json!(20_000), &json!(600)), "{turn}");
    let wrong = config.replace("seconds: 600", "seconds: 0");
    home.write(".krabba/krabba.json5", &wrong);
    home.run(&["config", "validate"]).await.code(78).says(&["agents.defaults.limits.seconds: 0 is not allowed here"]);
}
