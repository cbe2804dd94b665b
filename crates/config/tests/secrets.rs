//! Secrets are found where they are and shown nowhere.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

use std::path::Path;

use krabba_config::{Credential, Env, Loaded, MemoryFiles, Paint, Surroundings, load, parse_text, render};
use krabba_types::Secret;

fn env(variables: &[(&str, &str)]) -> Env {
    Env::new(variables.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())))
}

fn parsed(text: &str, variables: &[(&str, &str)]) -> Loaded {
    parse_text(text, &env(variables)).unwrap_or_else(|diagnostics| panic!("{}", render(&diagnostics, Paint::Plain)))
}

fn key(loaded: &Loaded, provider: &str) -> Option<Credential> {
    loaded.config.models.providers.get(provider).and_then(|provider| provider.server.api_key.clone())
}

fn given(text: &str, source: &str) -> Option<Credential> {
    Some(Credential::Given { secret: Secret::new(text), source: source.to_owned() })
}

const KEYS: &str = r#"{
  models: { providers: {
    a: { baseUrl: "${HOST}/v1", apiKey: "${A_KEY}", models: [] },
    b: { apiKey: "$B_KEY", models: [] },
    c: { apiKey: { source: "env", provider: "default", id: "C_KEY" }, models: [] },
    d: { apiKey: "x", headers: { Authorization: "A_KEY", "X-Title": "A_KEY" }, models: [{ id: "maxTokensx" }] },
    e: { apiKey: "$${A_KEY}", models: [] },
    f: { apiKey: "${NOT_SET}", models: [] },
  } },
}"#;

#[test]
fn every_way_to_write_a_key_is_followed() {
    let loaded = parsed(KEYS, &[("HOST", "http://10.0.0.5:1"), ("A_KEY", "sk-a"), ("B_KEY", "sk-b"), ("C_KEY", "sk-c")]);
    assert_eq!(loaded.config.models.providers.get("a").unwrap().server.base_url.as_deref(), Some("http://10.0.0.5:1/v1"));
    assert_eq!(key(&loaded, "a"), given("sk-a", "environment variable A_KEY"));
    assert_eq!(key(&loaded, "b"), given("sk-b", "environment variable B_KEY"));
    assert_eq!(key(&loaded, "c"), given("sk-c", "environment variable C_KEY"));
    assert_eq!(key(&loaded, "d"), given("x", "configuration"));
    assert_eq!(key(&loaded, "e"), given("${A_KEY}", "configuration"));
    assert_eq!(key(&loaded, "f"), Some(Credential::Missing { wanted: "environment variable NOT_SET".to_owned() }));
    let headers = &loaded.config.models.providers.get("d").unwrap().server.headers;
    assert_eq!(headers.get("Authorization").cloned(), given("sk-a", "environment variable A_KEY"));
    assert_eq!(headers.get("X-Title").cloned(), given("A_KEY", "configuration"));
}

#[test]
fn missing_key_is_a_warning_and_the_others_work() {
    let loaded = parsed(KEYS, &[("HOST", "http://h"), ("A_KEY", "1"), ("B_KEY", "2"), ("C_KEY", "3")]);
    assert!(!loaded.diagnostics.has_errors(), "{}", render(&loaded.diagnostics, Paint::Plain));
    assert_eq!(
        loaded.diagnostics.iter().map(|d| (d.code, d.key.as_deref())).collect::<Vec<_>>(),
        [("missing-key", Some("models.providers.f.apiKey"))]
    );
    assert_eq!(loaded.config.models.providers.len(), 6);
}

#[test]
fn one_letter_secret_does_not_mangle_the_rest() {
    let loaded = parsed(KEYS, &[("HOST", "http://h"), ("A_KEY", "1"), ("B_KEY", "2"), ("C_KEY", "3")]);
    let d = loaded.get(&"models.providers.d".parse().unwrap()).unwrap();
    let hidden = "__OPENCLAW_REDACTED__";
    assert_eq!(
        d,
        serde_json::json!({ "apiKey": hidden, "headers": { "Authorization": hidden, "X-Title": "A_KEY" }, "models": [{ "id": "maxTokensx" }] })
    );
    // What is written as a reference holds no secret and is worth seeing.
    assert_eq!(loaded.get(&"models.providers.a.apiKey".parse().unwrap()), Some("${A_KEY}".into()));
    assert_eq!(loaded.get(&"models.providers.d.apiKey".parse().unwrap()), Some(hidden.into()));
}

#[test]
fn no_way_of_printing_shows_a_secret() {
    let text = r#"{
      env: { vars: { SOME_KEY: "sk-env" }, OTHER: "sk-other" },
      models: { providers: { a: { baseUrl: "http://me:sk-url@h/v1", apiKey: "sk-key", headers: { "X-Auth": "sk-header" },
        localService: { command: "/bin/x", env: { HF_TOKEN: "sk-service" } }, models: [{ id: "m", headers: { Cookie: "sk-model" } }] } } },
      auth: { profiles: { "a:1": { provider: "a", apiKey: "sk-profile" } } },
      channels: { telegram: { botToken: "sk-bot", tokenFile: "/a/file", accounts: [{ appPassword: "sk-list" }] } },
      gateway: { auth: { token: "sk-gateway", password: 123456789 } },
    }"#;
    let loaded = parsed(text, &[]);
    let printed = format!(
        "{:?}\n{:?}\n{}\n{}\n{}",
        loaded.config,
        loaded.env,
        serde_json::to_string(&loaded.config).unwrap(),
        loaded.redacted(),
        render(&loaded.diagnostics, Paint::Plain)
    );
    // The address goes to the client as it is; it is blanked wherever the configuration is shown.
    let without_address = printed.replace("http://me:sk-url@h/v1", "");
    assert!(!without_address.contains("sk-") && !without_address.contains("123456789"), "{without_address}");
    assert!(!loaded.redacted().to_string().contains("sk-url"));
    assert!(loaded.redacted().to_string().contains("/a/file"));
    assert_eq!(loaded.config.channels.expose().pointer("/telegram/botToken"), Some(&"sk-bot".into()));
}

#[test]
fn secret_file_is_read_by_pointer_and_as_a_whole() {
    let text = r#"{
      secrets: { providers: { json: { source: "file", path: "~/keys.json", mode: "json" }, one: { source: "file", path: "one.txt", mode: "singleValue" } } },
      models: { providers: {
        a: { apiKey: { source: "file", provider: "json", id: "/a~1b/key" }, models: [] },
        b: { apiKey: { source: "file", provider: "one", id: "value" }, models: [] },
      } },
    }"#;
    let files = MemoryFiles::default()
        .with("/etc/krabba.json5", text)
        .with("/home/me/keys.json", r#"{ "a/b": { "key": "from json" } }"#)
        .with("/etc/one.txt", "from text\n");
    let surroundings = Surroundings { home: Some("/home/me".into()), ..Surroundings::default() };
    let loaded = load(Path::new("/etc/krabba.json5"), &files, &surroundings).unwrap_or_else(|_| panic!("unreadable"));
    assert_eq!(key(&loaded, "a"), given("from json", "file /home/me/keys.json"));
    assert_eq!(key(&loaded, "b"), given("from text", "file /etc/one.txt"));
}

#[test]
fn file_that_others_can_read_is_named_with_the_cure() {
    let codes = |text: &str, mode: u32| {
        let files = MemoryFiles::default().with_mode("/k.json5", text, mode);
        let loaded = load(Path::new("/k.json5"), &files, &Surroundings { env: env(&[("KEY", "x")]), ..Surroundings::default() });
        let diagnostics = loaded.unwrap_or_else(|_| panic!("unreadable")).diagnostics;
        diagnostics.iter().map(|diagnostic| (diagnostic.code, diagnostic.help.clone().unwrap_or_default())).collect::<Vec<_>>()
    };
    let secret = "{ models: { providers: { a: { apiKey: 'sk', models: [] } } } }";
    let cure = "chmod 600 /k.json5".to_owned();
    assert_eq!(codes(secret, 0o644), [("readable-by-others", cure.clone())]);
    assert_eq!(codes(secret, 0o666), [("writable-by-others", cure)]);
    assert_eq!(codes(secret, 0o600), []);
    assert_eq!(codes("{ models: { providers: { lmstudio: { apiKey: 'lmstudio', models: [] } } } }", 0o644), []);
    assert_eq!(codes("{ models: { providers: { a: { apiKey: '${KEY}', models: [] } } } }", 0o644), []);
}

#[test]
fn variables_come_from_the_nearest_source() {
    let text = r#"{ env: { vars: { A: "config", B: "config", C: "config ${A}" }, D: "direct" }, agents: { defaults: { workspace: "${A} ${B} ${C} ${D}" } } }"#;
    let files = MemoryFiles::default().with("/k.json5", text).with("/.env", "# note\nexport B='dot env' # why\nA=ignored\n");
    let surroundings = Surroundings { env: env(&[("A", "process")]), dot_env: vec!["/missing/.env".into(), "/.env".into()], home: None };
    let loaded = load(Path::new("/k.json5"), &files, &surroundings).unwrap_or_else(|_| panic!("unreadable"));
    assert_eq!(loaded.config.agents.defaults.workspace.as_deref(), Some("process dot env config process direct"));
    assert_eq!(loaded.env.origin("B"), Some("/.env"));
}
