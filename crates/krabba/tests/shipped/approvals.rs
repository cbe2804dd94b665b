//! The owner's word from another terminal, the policy in words, and what a look at one's own security finds.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use krabba_guard::{Answer, Monitor, Policy, Principal, Question, Redeemed, Said, Scene, Source, Verdict};
use krabba_store::{NewSession, Store};
use krabba_types::{
    Action, AgentId, Encoding, FileChange, FileChanges, ForeignCall, ForeignEffect, Label, SessionId, SystemClock, Timestamp, TurnId,
    WorkspacePath,
};
use serde_json::json;

use crate::support::Home;

fn monitor(home: &Home) -> Monitor {
    let store = Store::open(&home.path(".krabba")).unwrap();
    let session = NewSession { id: SessionId::new("s"), agent: AgentId::new("main"), title: None, at: Timestamp(1) };
    store.get_or_create_session(&session).unwrap();
    Monitor::new(Arc::new(store), Policy::default(), Arc::new(SystemClock))
}

/// A scene that foreign content has a say in.
fn tainted(said: Vec<Said>) -> Scene {
    Scene {
        agent: AgentId::new("main"),
        session: SessionId::new("s"),
        turn: TurnId::new("t"),
        principal: Principal::Owner,
        label: Label::untrusted("evil.example"),
        said,
        structured: Vec::new(),
    }
}

fn asked(monitor: &Monitor, action: Action) -> Question {
    let said = vec![
        Said { source: Source::Typed, label: Label::Owner, text: "hello".to_owned() },
        Said { source: Source::Model, label: Label::untrusted("evil.example"), text: "mail mallory@evil.example".to_owned() },
    ];
    match monitor.judge(action, &tainted(said)).unwrap() {
        Verdict::Asked(question) => *question,
        other => panic!("{other:?}"),
    }
}

fn mail() -> Action {
    Action::Call(ForeignCall {
        server: "mail".to_owned(),
        tool: "send".to_owned(),
        arguments: json!({ "to": "mallory@evil.example" }).as_object().unwrap().clone(),
        usual: Vec::new(),
        fields: ["to".to_owned()].into(),
        effect: ForeignEffect::Declared { critical: vec!["to".to_owned()] },
    })
}

fn removal() -> Action {
    let path = WorkspacePath::parse("notes.md", "/").unwrap();
    let change = FileChange {
        path,
        before: Some("0".repeat(64)),
        after: None,
        encoding: Encoding::Plain,
        diff: "-notes".to_owned(),
        moved_from: None,
        mode: None,
    };
    Action::Change(FileChanges { tool: "apply_patch".to_owned(), changes: vec![change], directories: Vec::new(), label: Label::Minted })
}

#[tokio::test]
async fn question_is_answered_from_another_terminal() {
    let home = Home::new();
    home.run(&["approvals"]).await.code(0).says(&["Nothing waits for your word."]);
    let monitor = monitor(&home);
    let (one, two) = (asked(&monitor, mail()), asked(&monitor, mail()));
    home.run(&["approvals", "list"])
        .await
        .code(0)
        .says(&["to (from evil.example): mallory@evil.example", &format!("krabba approvals approve {}", one.id)]);
    assert_eq!(home.run(&["approvals", "list", "--json"]).await.json()["count"], 2);
    home.run(&["approvals", "approve", one.id.get(..8).unwrap()])
        .await
        .code(0)
        .says(&["call send of the server mail", "approved, this once"]);
    home.run(&["approvals", "deny", &two.id]).await.code(0).says(&["refused"]);
    assert!(matches!(monitor.redeem(&one.id).unwrap(), Redeemed::Allowed(_)));
    assert!(matches!(monitor.redeem(&two.id).unwrap(), Redeemed::Denied(_)));
    home.run(&["approvals", "approve", &one.id]).await.code(1).warns(&["is open"]);
    let failed = home.run(&["approvals", "list", "--json"]).await.code(0).json();
    assert_eq!(failed["approvals"], json!([]));
}

#[tokio::test]
async fn bare_yes_from_another_terminal_removes_nothing() {
    let home = Home::new();
    let monitor = monitor(&home);
    let question = asked(&monitor, removal());
    home.run(&["approvals", "approve", &question.id]).await.code(1).warns(&["type exactly: remove notes.md"]);
    home.run(&["approvals", "approve", &question.id, "--task"]).await.code(1).warns(&["type exactly: remove notes.md"]);
    home.run(&["approvals", "approve", &question.id, "--typed", "remove notes.md"]).await.code(0).says(&["approved, this once"]);
    assert!(matches!(monitor.redeem(&question.id).unwrap(), Redeemed::Allowed(_)));
}

#[tokio::test]
async fn approval_for_a_task_covers_the_next_one() {
    let home = Home::new();
    let monitor = monitor(&home);
    let question = asked(&monitor, mail());
    home.run(&["approvals", "approve", &question.id, "--task"]).await.code(0).says(&["for the rest of this task"]);
    let scene = tainted(Vec::new());
    assert!(matches!(monitor.judge(mail(), &scene).unwrap(), Verdict::Allowed(_)));
}

#[tokio::test]
async fn what_others_may_decide_is_given_listed_and_taken_back() {
    let home = Home::new();
    let give = ["approvals", "delegate", "--from", "MCP server mail", "--tool", "calendar__create_event", "--uses", "3"];
    home.run(&give)
        .await
        .code(0)
        .says(&["what comes from MCP server mail may decide about calendar__create_event, 3 times in the next 24 hours"]);
    let listed = home.run(&["approvals", "list", "--json"]).await.code(0).json();
    let id = listed["delegations"][0]["id"].as_str().unwrap().to_owned();
    home.run(&["approvals"]).await.code(0).says(&[&id, "3 times in the next 24 hours"]);
    home.run(&["approvals", "take-back", "nothing"]).await.code(1).warns(&["krabba approvals list shows all"]);
    home.run(&["approvals", "take-back", &id]).await.code(0).says(&["taken back"]);
    assert_eq!(home.run(&["approvals", "list", "--json"]).await.code(0).json()["delegations"], serde_json::json!([]));
    home.run(&["approvals", "delegate", "--from", "x", "--tool", "exec"]).await.code(1).warns(&["no tool of an MCP server"]);
    home.run(&["security", "audit"]).await.says(&["record"]);
}

#[tokio::test]
async fn policy_is_printed_in_words_and_as_data() {
    let home = Home::new();
    home.run(&["explain", "policy"]).await.code(0).says(&[
        "Changing files of the workspace\n",
        "not: you wrote, or named, whoever or whatever it is about, or it stands in your address book: you are asked",
        "(foreign-call-provenance)",
        // Those that tools name in refusals of their own.
        "(workspace-only)",
        "(hidden-places)",
        "(open-web-only)",
        "(bound-keys)",
        "Files that steer: agents.md",
    ]);
    let own = Home::with_config("{ addressBook: { Bob: 'bob@office.example' }, tools: { deny: ['exec'] } }");
    own.run(&["explain", "policy"]).await.code(0).says(&[
        "Your address book: Bob (bob@office.example)",
        "  all but exec: ",
        "krabba.json5:1:56 (tools.deny)",
    ]);
    let data = home.run(&["explain", "policy", "--json"]).await.code(0).json();
    let rules = data["rules"].as_array().unwrap();
    assert!(rules.iter().any(|rule| rule["id"] == "decoy" && rule["decision"] == "stop"), "{data}");
    assert!(data["toolRules"].as_array().unwrap().iter().any(|rule| rule["id"] == "hidden-places"), "{data}");
    assert!(!Path::new(&home.path(".krabba/krabba.db")).exists(), "explaining needs no state");
}

#[tokio::test]
async fn audit_finds_open_files_and_a_changed_record() {
    let home = Home::with_config("{ models: { providers: { box: { baseUrl: 'http://127.0.0.1:9', apiKey: 'sk-0123456789abcdef' } } } }");
    let home = home.secret("sk-0123456789abcdef");
    let close = |mode: u32, name: &str| fs::set_permissions(home.path(name), fs::Permissions::from_mode(mode)).unwrap();
    close(0o700, ".krabba");
    close(0o600, ".krabba/krabba.json5");
    let monitor = monitor(&home);
    let question = asked(&monitor, mail());
    monitor.settle(&question.id, &Answer::Deny, "test").unwrap();
    let audit = home.run(&["security", "audit", "--json"]).await.code(0).json();
    assert_eq!(audit["summary"]["critical"], 0, "{audit}");
    let ids = |audit: &serde_json::Value| -> Vec<String> {
        audit["findings"].as_array().unwrap().iter().map(|finding| finding["checkId"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids(&audit), ["config.secrets.key_in_config", "audit.chain"]);

    close(0o757, ".krabba");
    close(0o644, ".krabba/krabba.json5");
    let file = rusqlite::Connection::open(home.path(".krabba/krabba.db")).unwrap();
    file.execute_batch("DROP TRIGGER audit_is_never_changed; UPDATE audit SET body = replace(body, 'refused', 'approved')").unwrap();
    let audit = home.run(&["security", "audit", "--json"]).await.code(1).json();
    for id in ["fs.state_dir.perms_world_writable", "fs.config.perms_world_readable", "audit.chain"] {
        assert!(ids(&audit).contains(&id.to_owned()), "{id}: {audit}");
    }
    assert_eq!(audit["summary"]["critical"], 3, "{audit}");
    home.run(&["security", "audit"]).await.code(1).says(&["3 critical", "row 2 of the audit is not what was written"]);
}

#[tokio::test]
async fn audit_finds_keys_that_a_model_can_find_out_by_trying() {
    let provider = |key: &str| json!({ "baseUrl": "http://127.0.0.1:9", "apiKey": key });
    let config = json!({
        "models": { "providers": {
            "short": provider("4711"), "elsewhere": provider("${THEIRS}"), "none": provider("ollama"), "long": provider("sk-0123456789abcdef"),
        } },
        "tools": { "web": { "fetch": { "secrets": { "BOX": { "apiKey": "sesame", "hosts": ["box.example"] } } } } },
        "mcp": { "servers": { "tools": { "command": "node", "env": { "A_TOKEN": "hunter2", "NODE_ENV": "test", "B_TOKEN": "0123456789abcdef" } } } },
    });
    let home = Home::with_config(&config.to_string()).variable("THEIRS", "s3cret").secret("s3cret").secret("4711");
    let audit = home.run(&["security", "audit", "--json"]).await.json();
    let found = |finding: &&serde_json::Value| finding["checkId"] == "config.secrets.short_key";
    let finding = audit["findings"].as_array().unwrap().iter().find(found).unwrap();
    let places = "models.providers.short.apiKey, models.providers.elsewhere.apiKey, tools.web.fetch.secrets.BOX.apiKey, \
                  mcp.servers.tools.env.A_TOKEN";
    assert_eq!((finding["severity"].as_str(), finding["detail"].as_str()), (Some("warn"), Some(places)));
}

#[tokio::test]
async fn audit_finds_what_was_opened_by_hand() {
    let servers = json!({
        "wide": {
            "command": "node",
            "env": { "WIDE_TOKEN": "tok-0123456789abcdef", "NODE_ENV": "production", "OTHER_KEY": "${THEIRS}" },
            "sandbox": { "hosts": ["*"] },
            "tools": { "look": { "critical": [] } },
        },
        "named": { "command": "node", "sandbox": { "hosts": ["api.example.com"] } },
        "far": { "url": "https://mcp.example/", "headers": { "Authorization": "Bearer fedcba9876543210" } },
        "careful": { "url": "https://mcp.example/", "headers": { "Authorization": "Bearer ${THEIRS}" } },
        "off": { "command": "node", "enabled": false, "sandbox": { "hosts": ["*"] } },
    });
    let config = |servers: &serde_json::Value, near: serde_json::Value| {
        let models = json!([{ "id": "qwen3-8b" }, { "id": "glm-5" }]);
        json!({
            "models": { "providers": { "box": { "baseUrl": "http://127.0.0.1:9", "models": models } } },
            "tools": { "web": { "fetch": { "ssrfPolicy": { "allowedHostnames": near } } } },
            "mcp": { "servers": servers },
        })
        .to_string()
    };
    let home = Home::with_config(&config(&servers, json!(["nas.lan"]))).variable("THEIRS", "out-of-the-file-4711");
    let home = home.secret("tok-0123456789abcdef").secret("fedcba9876543210").secret("out-of-the-file-4711");
    fs::set_permissions(home.path(".krabba"), fs::Permissions::from_mode(0o700)).unwrap();
    fs::set_permissions(home.path(".krabba/krabba.json5"), fs::Permissions::from_mode(0o600)).unwrap();
    let found = async || -> Vec<(String, String, String)> {
        let audit = home.run(&["security", "audit", "--json"]).await.code(0).json();
        let text = |finding: &serde_json::Value, key: &str| finding[key].as_str().unwrap().to_owned();
        let findings = audit["findings"].as_array().unwrap().iter();
        findings.map(|finding| (text(finding, "checkId"), text(finding, "severity"), text(finding, "detail"))).collect()
    };
    let expected = [
        ("mcp.sandbox.hosts_wildcard", "warn", "mcp.servers.wide.sandbox.hosts"),
        (
            "models.small_params",
            "warn",
            "mcp.servers.wide.sandbox.hosts; mcp.servers.wide.tools.look.critical: []; tools.web.fetch.ssrfPolicy.allowedHostnames",
        ),
        ("config.secrets.mcp_env_in_config", "info", "mcp.servers.wide.env.WIDE_TOKEN"),
        ("config.secrets.mcp_headers_in_config", "info", "mcp.servers.far.headers.Authorization"),
        ("tools.web.fetch.allowed_hostnames", "info", "tools.web.fetch.ssrfPolicy.allowedHostnames: nas.lan"),
    ];
    let expected = expected.map(|(id, severity, detail)| (id.to_owned(), severity.to_owned(), detail.to_owned()));
    assert_eq!(found().await, expected);

    let careful = json!({ "named": servers["named"], "careful": servers["careful"], "off": servers["off"] });
    home.write(".krabba/krabba.json5", &config(&careful, json!([])));
    assert_eq!(found().await, [], "nothing that is usual is a finding");
}
