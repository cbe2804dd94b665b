//! What cannot work, and what the person is told.

use krabba_testkit::{Script, ScriptedServer};
use serde_json::Value;

use crate::support::{Home, attempts, closed_port, text};

const MANY_ERRORS: &str = r#"{
  models: { providers: {
    a: { baseUrl: 42, models: [{ id: "x" }] },
    b: { baseUrl: "http://127.0.0.1:9/v1", api: "openai-foo", models: [{ name: "no id" }] },
  } },
  agents: { defaults: { model: { primary: 7 } } },
  privacy: { residency: "mars" },
  modles: {},
}
"#;

#[tokio::test]
async fn all_errors_of_a_file_are_told_at_once_with_their_places() {
    let home = Home::with_config(MANY_ERRORS);
    let places =
        ["krabba.json5:3:10", "krabba.json5:4:49", "krabba.json5:4:72", "krabba.json5:6:34", "krabba.json5:7:14", "krabba.json5:8:3"];
    for arguments in [vec!["agent", "--message", "hi"], vec!["chat"], vec!["explain", "route"]] {
        let ended = home.run(&arguments).await.code(78);
        assert_eq!(ended.out, "", "{ended}");
        ended.warns(&places).warns(&["openai-foo", "openai-responses", "modles", "models"]);
    }
    // What can be read is listed all the same: one bad entry does not hide the others.
    home.run(&["models", "list"]).await.code(78).warns(&places);
    home.run(&["models", "status"]).await.code(78).warns(&places);
    let validated = home.run(&["config", "validate", "--json"]).await.code(78).json();
    let found: Vec<(&str, u64)> = validated["diagnostics"]
        .as_array()
        .unwrap()
        .iter()
        .map(|diagnostic| (diagnostic["key"].as_str().unwrap(), diagnostic["place"]["line"].as_u64().unwrap()))
        .collect();
    let expected = [
        ("models.providers.a.baseUrl", 3),
        ("models.providers.b.api", 4),
        ("models.providers.b.models[0]", 4),
        ("agents.defaults.model.primary", 6),
        ("privacy.residency", 7),
        ("modles", 8),
    ];
    assert_eq!(found, expected);

    let broken = Home::with_config("{\n  models: {,\n}");
    broken.run(&["agent", "--message", "hi"]).await.code(78).warns(&["krabba.json5:2:12"]);
    // Conversations are no matter of the configuration.
    broken.run(&["sessions", "list", "--json"]).await.code(0);

    let absent = Home::new();
    absent.run(&["--config", "not/there.json5", "agent", "--message", "hi"]).await.code(78).warns(&["not/there.json5"]);
    let circle = Home::with_config("{ $include: './krabba.json5' }");
    circle.run(&["models", "status"]).await.code(78).warns(&["krabba.json5"]);
}

#[tokio::test]
async fn an_empty_machine_is_told_what_was_tried_and_what_to_start() {
    let home = Home::new().variable("LLAMA_ARG_PORT", &closed_port().to_string());
    let looked = home.run(&["models", "scan"]).await;
    // Somebody who runs these tests may have a server of their own, which is found then.
    if looked.code == Some(1) {
        for arguments in [vec!["agent", "--message", "hi"], vec!["models", "status"], vec!["chat"]] {
            let ended = home.run(&arguments).await.code(1);
            ended.warns(&["no model server", "localhost", "1234", "11434", "8080", "llama-server -m", "krabba onboard"]);
        }
    }
    let port = closed_port();
    let url = format!("http://127.0.0.1:{port}");
    home.run(&["onboard", &url]).await.code(1).warns(&[&port.to_string()]);
    assert!(!home.path(".krabba/krabba.json5").exists());
}

#[tokio::test]
async fn wrong_usage_is_told_from_failure() {
    let home = Home::with_config("{}");
    for arguments in [
        vec!["modles"],
        vec!["models", "lst"],
        vec!["agent"],
        vec!["agent", "--message", ""],
        vec!["agent", "--message", "hi", "--thinking", "sideways"],
        vec!["agent", "--message", "hi", "--timeout", "soon"],
        vec!["models", "list", "--json", "--plain"],
        vec!["--no-such-flag"],
    ] {
        let ended = home.run(&arguments).await.code(2);
        assert!(!ended.err.is_empty(), "{ended}");
    }
    for arguments in [
        vec!["sessions", "show", "nobody"],
        vec!["agent", "--message", "hi", "--agent", "nobody"],
        vec!["agent", "--message", "hi", "--image", "not-there.png"],
    ] {
        let ended = home.run(&arguments).await.code(1);
        assert!(ended.err.contains("nobody") || ended.err.contains("not-there.png"), "{ended}");
    }
}

fn two_servers(desk: &ScriptedServer, more: &str) -> String {
    format!(
        r#"{{ models: {{ providers: {{ lmstudio: {{ baseUrl: "{}", {more} api: "openai-completions", models: [{{ id: "qwen3-8b" }}] }} }} }},
             agents: {{ defaults: {{ model: {{ primary: "anthropic/claude-sonnet-4-5", fallbacks: ["lmstudio/qwen3-8b"] }},
               models: {{ "lmstudio/qwen3-8b": {{ alias: "Desk" }}, "anthropic/claude-sonnet-4-5": {{}} }} }} }} }}"#,
        desk.v1()
    )
}

#[tokio::test]
async fn a_missing_key_or_model_is_named_and_the_others_still_work() {
    let desk = ScriptedServer::start(Script::lm_studio().model("qwen3-8b").reply("from the desk")).await.unwrap();
    let home = Home::with_config(&two_servers(&desk, ""));

    let ended = home.run(&["agent", "--message", "hi"]).await.code(0);
    assert_eq!(ended.out, "from the desk\n");
    ended.warns(&["ANTHROPIC_API_KEY"]);
    let turn = home.run(&["agent", "--message", "hi", "--json"]).await.code(0).json();
    assert_eq!((text(&turn), attempts(&turn)), ("from the desk", vec!["lmstudio/qwen3-8b answered".to_owned()]));
    home.run(&["models", "status"]).await.code(0).says(&["ANTHROPIC_API_KEY", "Missing keys\n- anthropic: set"]);
    home.run(&["models", "status", "--check"]).await.code(1);
    let status = home.run(&["models", "status", "--json"]).await.code(0).json();
    assert_eq!(status["auth"]["missingProvidersInUse"], Value::from(vec!["anthropic"]));

    let probed = home.run(&["models", "status", "--probe"]).await.code(1);
    probed.says(&["lmstudio/qwen3-8b", "ok, first token after"]);

    home.run(&["agent", "--message", "hi", "--model", "qwen3-9b"]).await.code(1).warns(&["qwen3-9b", "lmstudio/qwen3-8b"]);
    home.run(&["agent", "--message", "hi", "--model", "Desc"]).await.code(1).warns(&["Desc", "Desk"]);
    home.run(&["explain", "timeouts", "lmstudoi/qwen3-8b"]).await.code(1).warns(&["lmstudio"]);
    home.run(&["doctor"]).await.says(&["ANTHROPIC_API_KEY"]);
}

#[tokio::test]
async fn doctor_promises_no_answer_from_a_server_that_is_down() {
    let desk = ScriptedServer::start(Script::lm_studio().model("qwen3-8b").reply("from the desk")).await.unwrap();
    let config = |fallbacks: &str| {
        format!(
            r#"{{ models: {{ providers: {{
                 box: {{ baseUrl: "http://127.0.0.1:{}/v1", models: [{{ id: "m" }}] }},
                 lmstudio: {{ baseUrl: "{}", api: "openai-completions", models: [{{ id: "qwen3-9b" }}] }} }} }},
               agents: {{ defaults: {{ model: {{ primary: "box/m", fallbacks: [{fallbacks}] }} }} }} }}"#,
            closed_port(),
            desk.v1()
        )
    };
    let alone = Home::with_config(&config("")).run(&["doctor"]).await.code(1);
    let alone = alone.says(&["box/m comes first, but its server does not answer", "no model would answer now"]);
    assert!(!alone.out.contains("would answer ("), "{alone}");
    let helped = Home::with_config(&config(r#""lmstudio/qwen3-8b""#));
    let told = helped.run(&["doctor"]).await.code(1);
    let told = told.says(&["box/m comes first, but its server does not answer", "lmstudio/qwen3-8b would answer ("]);
    told.says(&["does not list the model \"qwen3-9b\"", "did you mean \"lmstudio/qwen3-8b\"?"]);

    // The same name is doubted wherever it can be used.
    let route = helped.run(&["explain", "route", "lmstudio/qwen3-9b"]).await.code(0);
    route.says(&["does not list the model \"qwen3-9b\"; did you mean \"lmstudio/qwen3-8b\"?"]);
    let asked = helped.run(&["agent", "--message", "hi", "--model", "lmstudio/qwen3-9b"]).await;
    asked.warns(&["does not list the model \"qwen3-9b\""]);
    // `--check` asks no server, and does not say that one would not answer.
    let checked = helped.run(&["models", "status", "--check"]).await.code(0);
    assert!(checked.out.contains(": not asked") && !checked.out.contains("does not answer"), "{checked}");
}

#[tokio::test]
async fn hosted_models_are_not_spoken_of_where_there_are_none() {
    let desk = ScriptedServer::start(Script::lm_studio().model("qwen3-8b").reply("from the desk")).await.unwrap();
    let config = format!(
        r#"{{ models: {{ providers: {{ lmstudio: {{ baseUrl: "{}", api: "openai-completions", models: [{{ id: "qwen3-8b" }}] }} }} }} }}"#,
        desk.v1()
    );
    let at_home = Home::with_config(&config);
    let said = at_home.type_into(&["chat"], &["/help", "/opsu", "/status", "/opus"]).await.code(0);
    assert!(!said.out.contains("sonnet") && !said.out.contains("did you mean /opus") && !said.out.contains("may go"), "{said}");
    said.says(&["there is no command /opsu", "ANTHROPIC_API_KEY"]);
    for arguments in [["explain", "route"], ["models", "status"]] {
        let said = at_home.run(&arguments).await.code(0);
        assert!(!said.out.to_lowercase().contains("may go"), "{said}");
    }
    let context = at_home.run(&["explain", "context", "--json"]).await.code(0).json();
    let parts: i64 = context["items"].as_array().unwrap().iter().map(|item| item["tokens"].as_i64().unwrap()).sum();
    assert_eq!(parts + context["around"].as_i64().unwrap(), context["estimate"].as_i64().unwrap(), "{context}");

    let abroad = Home::with_config(&config).variable("ANTHROPIC_API_KEY", "sk-ant-1234567890").secret("sk-ant-1234567890");
    let said = abroad.type_into(&["chat"], &["/help", "/opsu", "/status"]).await.code(0);
    said.says(&["`/sonnet`", "did you mean /opus", "may go as far as: hosted"]);
}

#[tokio::test]
async fn a_server_that_wants_a_key_says_so_by_name() {
    let script = Script::lm_studio().model("qwen3-8b").key("the-right-one").reply("from the desk");
    let desk = ScriptedServer::start(script).await.unwrap();
    let ask = ["agent", "--message", "hi", "--model", "Desk"];

    let without = Home::with_config(&two_servers(&desk, "")).run(&ask).await.code(1);
    without.warns(&["LM Studio at", "wants a key; set apiKey of provider \"lmstudio\""]);
    let home = Home::with_config(&two_servers(&desk, "apiKey: '${DESK_KEY}',"));
    home.run(&ask).await.code(1).warns(&["DESK_KEY"]);
    let home = home.variable("DESK_KEY", "the-wrong-one").secret("the-wrong-one");
    home.run(&ask).await.code(1).warns(&["lmstudio", "key"]);
    let home = home.variable("DESK_KEY", "the-right-one").secret("the-right-one");
    home.run(&ask).await.code(0).says(&["from the desk"]);
    home.run(&["onboard"]).await.code(1).warns(&["krabba.json5 is there already", "krabba onboard http://"]);
}

#[tokio::test]
async fn json_output_is_json_with_openclaws_names() {
    let desk = ScriptedServer::start(Script::lm_studio().model("qwen3-8b").reply("from the desk")).await.unwrap();
    let home = Home::with_config(&two_servers(&desk, ""))
        .variable("ANTHROPIC_API_KEY", "sk-ant-secret-000111222")
        .secret("sk-ant-secret-000111222");
    let names = |value: &Value| -> Vec<String> { value.as_object().unwrap().keys().cloned().collect() };

    let list = home.run(&["models", "list", "--json"]).await.code(0).json();
    assert_eq!(list["count"], 2);
    let row = names(&list["models"][0]);
    for name in ["key", "name", "input", "contextWindow", "local", "available", "tags", "missing"] {
        assert!(row.contains(&name.to_owned()), "{row:?}");
    }
    let status = home.run(&["models", "status", "--json"]).await.code(0).json();
    let all = names(&status);
    for name in [
        "configPath",
        "agentDir",
        "defaultModel",
        "resolvedDefault",
        "fallbacks",
        "imageModel",
        "imageFallbacks",
        "aliases",
        "allowed",
        "auth",
    ] {
        assert!(all.contains(&name.to_owned()), "{all:?}");
    }
    let turn = home.run(&["agent", "--message", "hi", "--model", "Desk", "--session-id", "s", "--json"]).await.code(0).json();
    assert_eq!(names(&turn), ["runId", "status", "result", "attempts", "timing", "context"]);
    assert_eq!(names(&turn["result"]["meta"]["agentMeta"]), ["sessionId", "provider", "model", "usage"]);
    for arguments in [
        vec!["models", "aliases", "list", "--json"],
        vec!["models", "fallbacks", "list", "--json"],
        vec!["models", "scan", &desk.url(), "--json"],
        vec!["config", "get", "--json"],
        vec!["config", "schema"],
        vec!["config", "validate", "--json"],
        vec!["sessions", "list", "--json"],
        vec!["sessions", "show", "s", "--json"],
        vec!["explain", "route", "--json"],
        vec!["explain", "timeouts", "Desk", "--json"],
        vec!["explain", "context", "--json", "--session-id", "s"],
    ] {
        home.run(&arguments).await.code(0).json();
    }
    home.run(&["doctor", "--json"]).await.json();
    for line in home.run(&["sessions", "export", "s"]).await.code(0).out.lines() {
        serde_json::from_str::<Value>(line).unwrap();
    }
}

#[tokio::test]
async fn a_program_that_asks_for_json_gets_it_when_the_verb_fails_too() {
    let desk = ScriptedServer::start(Script::lm_studio().model("qwen3-8b").reply("from the desk")).await.unwrap();
    let (good, broken) = (Home::with_config(&two_servers(&desk, "")), Home::with_config(MANY_ERRORS));
    let private = Home::with_config(&two_servers(&desk, "").replacen('{', "{ privacy: { residency: 'device' },", 1));
    let file = good.write("file", "no directory").display().to_string();
    let closed = format!("http://127.0.0.1:{}", closed_port());
    let say = ["agent", "--message", "hi", "--json"];
    for (home, arguments, code, kind, words) in [
        (&broken, say.to_vec(), 78, "config", "krabba.json5:3:10: "),
        (&broken, vec!["explain", "route", "--json"], 78, "config", "krabba.json5:3:10: "),
        (&private, say.to_vec(), 78, "config", "anthropic"),
        (&good, [&say[..], &["--model", "qwen3-9b"]].concat(), 1, "noSuchModel", "did you mean"),
        (&good, [&say[..], &["--agent", "nobody"]].concat(), 1, "noAgent", "nobody"),
        (&good, [&say[..], &["--state-dir", &file]].concat(), 1, "state", &file),
        (&good, [&say[..], &["--image", "not-there.png"]].concat(), 1, "failed", "not-there.png"),
        (&good, vec!["explain", "timeouts", "qwen3-9b", "--json"], 1, "noSuchModel", "did you mean"),
        (&good, vec!["sessions", "show", "nobody", "--json"], 1, "noSession", "nobody"),
        (&good, vec!["config", "get", "no.such.key", "--json"], 1, "failed", "no.such.key"),
        (&good, vec!["models", "scan", &closed, "--json"], 1, "noServer", &closed),
    ] {
        let ended = home.run(&arguments).await.code(code);
        let failed = ended.json();
        assert_eq!((&failed["ok"], &failed["status"]), (&false.into(), &"error".into()), "{ended}");
        let error = &failed["error"];
        assert_eq!((&error["kind"], &error["code"]), (&kind.into(), &kind.into()), "{ended}");
        assert!(error["message"].as_str().unwrap().contains(words), "{ended}");
        assert!(!ended.err.is_empty(), "a person is told as well: {ended}");
    }
    let error = broken.run(&say).await.json()["error"].clone();
    assert_eq!(error["diagnostics"].as_array().unwrap().len(), 6, "{error}");
    let error = good.run(&[&say[..], &["--model", "qwen3-9b"]].concat()).await.json()["error"].clone();
    assert_eq!(error["closest"][0], "lmstudio/qwen3-8b", "{error}");

    // A turn that began and failed tells the same beside everything else.
    let dead = Home::with_config(&format!(
        "{{ models: {{ providers: {{ box: {{ baseUrl: '{closed}', models: [{{ id: 'm' }}] }} }} }}, agents: {{ defaults: {{ model: 'box/m' }} }} }}"
    ));
    let turn = dead.run(&say).await.code(1).json();
    assert_eq!((&turn["status"], &turn["error"]["kind"]), (&"error".into(), &"unreachable".into()), "{turn}");
    assert_eq!(attempts(&turn), ["box/m failed unreachable"]);
}

#[tokio::test]
async fn one_row_that_cannot_be_read_does_not_end_a_conversation() {
    let desk = ScriptedServer::start(Script::any().reply("here")).await.unwrap();
    let home = Home::with_config(&two_servers(&desk, ""));
    let ask = |message: &'static str| ["agent", "--session-id", "s", "--model", "Desk", "--message", message];
    home.run(&ask("one")).await.code(0);
    let database = rusqlite::Connection::open(home.path(".krabba/krabba.db")).unwrap();
    let row = "SELECT 's', MAX(seq) + 1, NULL, 'telepathy', '{\"thought\":7', '{\"kind\":\"owner\"}', 1 FROM event WHERE session = 's'";
    database.execute_batch(&format!("INSERT INTO event {row}")).unwrap();

    home.run(&ask("two")).await.code(0).says(&["here"]).warns(&["1 event of this session cannot be read"]);
    let sent = String::from_utf8(desk.generations().last().unwrap().body.clone()).unwrap();
    assert!(sent.contains("one") && sent.contains("two") && !sent.contains("thought"), "{sent}");
    home.run(&["sessions", "show", "s"]).await.code(0).says(&["› one\n", "› two\n", "(1 event cannot be read"]);
    let exported = home.run(&["sessions", "export", "s"]).await.code(0).out;
    let rows: Vec<Value> = exported.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let unreadable: Vec<&Value> = rows.iter().filter(|row| row.get("unreadable").is_some()).collect();
    assert_eq!(unreadable.len(), 1, "{exported}");
    assert_eq!((&unreadable[0]["kind"], &unreadable[0]["body"]), (&"telepathy".into(), &"{\"thought\":7".into()));
    let shown = home.run(&["sessions", "show", "s", "--json"]).await.code(0).json();
    assert!(shown["events"].as_array().unwrap().contains(unreadable[0]), "{shown}");
}
