//! What must not leave: keys, and the state directory's privacy.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use krabba_testkit::{Script, ScriptedServer, ServerError};

use crate::support::Home;

const IN_THE_FILE: &str = "sk-file-0123456789abcdef";
const IN_A_HEADER: &str = "header-secret-0123456789";
const IN_THE_ENVIRONMENT: &str = "sk-ant-env-0123456789abcdef";

/// Every file below `directory`, with its mode and contents.
fn files(directory: &Path, into: &mut Vec<(String, u32, Vec<u8>)>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        let contents = if path.is_dir() { Vec::new() } else { fs::read(&path).unwrap() };
        into.push((path.display().to_string(), mode, contents));
        if path.is_dir() {
            files(&path, into);
        }
    }
}

#[tokio::test]
async fn no_key_is_ever_printed_or_stored() {
    // A server that is careless with what it was sent.
    let words = format!("the key {IN_THE_FILE} with {IN_A_HEADER} is unknown to us");
    let careless = Script::any().model("careless").model("good").fails(ServerError::new(401, &words)).only_model("careless").reply("fine");
    let server = ScriptedServer::start(careless).await.unwrap();
    let config = format!(
        r#"{{ models: {{ providers: {{ box: {{ baseUrl: "{}", apiKey: "{IN_THE_FILE}", headers: {{ "x-team": "{IN_A_HEADER}" }},
             api: "openai-completions", models: [{{ id: "good" }}, {{ id: "careless" }}] }} }} }},
             agents: {{ defaults: {{ model: {{ primary: "box/good" }} }} }} }}"#,
        server.v1()
    );
    let home = Home::new().variable("ANTHROPIC_API_KEY", IN_THE_ENVIRONMENT);
    let home = home.secret(IN_THE_FILE).secret(IN_A_HEADER).secret(IN_THE_ENVIRONMENT).variable("KRABBA_STATE_DIR", "state");
    let path = home.write("box.json5", &config);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let home = home.variable("KRABBA_CONFIG", "box.json5");

    home.run(&["agent", "--session-id", "s", "--message", "hi"]).await.code(0).says(&["fine"]);
    assert_eq!(server.generations()[0].header("x-team"), Some(IN_A_HEADER));
    home.run(&["agent", "--session-id", "s", "--message", "hi", "--model", "box/careless"]).await.code(0).warns(&["is unknown to us"]);
    home.run(&["agent", "--session-id", "s", "--message", "hi", "--model", "box/careless", "--json"])
        .await
        .code(0)
        .says(&["is unknown to us"]);
    for arguments in [
        vec!["models", "status"],
        vec!["models", "status", "--json"],
        vec!["models", "list", "--all"],
        vec!["config", "get"],
        vec!["config", "get", "models.providers.box.apiKey"],
        vec!["config", "get", "--json"],
        vec!["explain", "route"],
        vec!["explain", "context", "--session-id", "s"],
        vec!["sessions", "show", "s"],
        vec!["sessions", "show", "s", "--json"],
        vec!["sessions", "export", "s"],
        vec!["--help"],
    ] {
        home.run(&arguments).await.code(0);
    }
    home.run(&["doctor"]).await.says(&["box.json5"]);
    home.run(&["config", "validate"]).await;
    // Errors quote what is near; not so near.
    home.write("box.json5", &config.replace("openai-completions", "openai-foo"));
    home.run(&["models", "status"]).await.code(78).warns(&["openai-foo"]);

    let mut found = Vec::new();
    files(&home.path("state"), &mut found);
    assert!(found.iter().any(|(name, _, _)| name.contains("state/")), "nothing was stored");
    for (name, mode, contents) in &found {
        assert_eq!(mode & 0o077, 0, "{name} has mode {mode:o}");
        for secret in [IN_THE_FILE, IN_A_HEADER, IN_THE_ENVIRONMENT] {
            let holds = contents.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!holds, "{name} holds a key");
        }
    }
    assert_eq!(fs::metadata(home.path("state")).unwrap().permissions().mode() & 0o777, 0o700);
}

#[tokio::test]
async fn a_state_directory_that_cannot_be_used_is_named() {
    let server = ScriptedServer::start(Script::any().model("m").reply("fine")).await.unwrap();
    let home = Home::with_config(&format!(
        r#"{{ models: {{ providers: {{ box: {{ baseUrl: "{}", api: "openai-completions", models: [{{ id: "m" }}] }} }} }} }}"#,
        server.v1()
    ));
    // A file in the way stands for all the ways in which a directory cannot be written; it stops even the superuser.
    home.write("state", "not a directory");
    for arguments in [vec!["agent", "--message", "hi"], vec!["sessions", "list"], vec!["chat"]] {
        home.run(&[&["--state-dir", "state"], &*arguments].concat()).await.code(1).warns(&["the state directory state cannot be used"]);
    }
    assert_eq!(server.generations(), [], "a message that cannot be stored was sent");
    home.run(&["--state-dir", "state", "doctor"]).await.code(1).says(&["state"]);
}

#[tokio::test]
async fn secret_of_the_workspace_is_not_in_the_prompt_either() {
    const SECRET: &str = "tok_7c1d9e5a3b8f4062";
    let server = ScriptedServer::start(Script::vllm().model("m").window(32_768).reply("fine")).await.unwrap();
    let config =
        format!("{{ models: {{ mode: 'replace', providers: {{ box: {{ baseUrl: '{}', models: [{{ id: 'm' }}] }} }} }} }}", server.v1());
    let home = Home::with_config(&config).secret(SECRET);
    home.write(".krabba/workspace/project/.env", &format!("HARBOUR_API_KEY={SECRET}\n"));
    home.write(".krabba/workspace/TOOLS.md", &format!("The harbour's server takes the key {SECRET}, and wants it every time.\n"));
    home.run(&["agent", "--message", "hello"]).await.code(0).says(&["fine"]);
    let sent = server.generations()[0].json.clone().unwrap()["messages"].to_string();
    assert!(sent.contains("takes the key [secret]"), "{sent}");
    assert!(!sent.contains(SECRET), "{sent}");
}
