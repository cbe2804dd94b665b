//! `krabba security audit`: what others could get at, and whether the record of decisions is whole. Check ids are OpenClaw's where
//! the same thing is checked; what krabba does not have (a gateway, channels, plugins in its own process) has none.

mod acting;
#[cfg(test)]
mod acting_tests;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use krabba_config::{Credential, Loaded};
use krabba_guard::check_audit;
use krabba_redact::Redactor;
use krabba_store::Store;
use krabba_types::{Clock, Residency, SystemClock};
use serde::Serialize;
use serde_json::json;

use crate::assemble::{Home, is_secret_of_server, providers};
use crate::cli::Output;

/// Directories that copy what is in them to somebody else's machine.
const SYNCED: [&str; 7] = ["dropbox", "onedrive", "google drive", "googledrive", "icloud drive", "mobile documents", "nextcloud"];

/// What is shorter, in bytes, is found by trying.
const LONG_ENOUGH: usize = 12;

/// A finding, in OpenClaw's shape.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Finding {
    check_id: &'static str,
    severity: Severity,
    title: String,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    remediation: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
enum Severity {
    Info,
    Warn,
    Critical,
}

#[derive(Debug, Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, check_id: &'static str, severity: Severity, title: impl Into<String>, detail: impl Into<String>, remedy: &str) {
        let remediation = (!remedy.is_empty()).then(|| remedy.to_owned());
        self.0.push(Finding { check_id, severity, title: title.into(), detail: detail.into(), remediation });
    }

    fn count(&self, severity: Severity) -> usize {
        self.0.iter().filter(|finding| finding.severity == severity).count()
    }
}

/// Looks at files, configuration, sandbox and the audit. Asks nobody anything. Exit 1 when something is critical.
pub(crate) async fn run(home: &Home, output: Output) -> Result<ExitCode> {
    let mut findings = Findings::default();
    let loaded = home.has_file().then(|| home.read()).and_then(Result::ok);
    state(home, &mut findings);
    configuration(home, loaded.as_ref(), &mut findings);
    if let Some(loaded) = &loaded {
        models(loaded, &mut findings);
        short_keys(loaded, &mut findings);
        acting::opened(loaded, &mut findings);
    }
    acting::sandbox(home, loaded.as_ref(), &mut findings).await;
    chain(home, &mut findings);
    findings.0.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    let (critical, warn, info) = (findings.count(Severity::Critical), findings.count(Severity::Warn), findings.count(Severity::Info));
    if output.json {
        let summary = json!({ "critical": critical, "warn": warn, "info": info });
        let shape = json!({ "ts": SystemClock.now().0, "summary": summary, "findings": findings.0 });
        println!("{}", serde_json::to_string_pretty(&shape)?);
    } else {
        println!("{critical} critical, {warn} to look at, {info} for your information");
        findings.0.iter().for_each(print);
    }
    Ok(if critical > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn print(finding: &Finding) {
    let mark = match finding.severity {
        Severity::Info => "info    ",
        Severity::Warn => "warn    ",
        Severity::Critical => "CRITICAL",
    };
    println!("{mark} {}  [{}]", finding.title, finding.check_id);
    println!("         {}", finding.detail);
    finding.remediation.iter().for_each(|remedy| println!("         → {remedy}"));
}

/// What others may do with a file or directory.
struct Openness {
    mode: u32,
    link: bool,
}

impl Openness {
    fn of(path: &Path) -> Option<Self> {
        let mode = fs::metadata(path).ok()?.permissions().mode() & 0o777;
        Some(Self { mode, link: fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink()) })
    }

    fn all_write(&self) -> bool {
        self.mode & 0o002 != 0
    }

    fn group_writes(&self) -> bool {
        self.mode & 0o020 != 0
    }

    fn others_read(&self) -> bool {
        self.mode & 0o004 != 0
    }

    fn group_reads(&self) -> bool {
        self.mode & 0o040 != 0
    }
}

fn state(home: &Home, findings: &mut Findings) {
    let shown = home.shown(&home.state_dir);
    let Some(open) = Openness::of(&home.state_dir) else { return };
    let detail = format!("{shown} has mode {:o}", open.mode);
    let mend = format!("chmod 700 {shown}, or krabba doctor --fix");
    if open.all_write() {
        findings.add("fs.state_dir.perms_world_writable", Severity::Critical, "anybody can change the state directory", detail, &mend);
    } else if open.group_writes() {
        findings.add("fs.state_dir.perms_group_writable", Severity::Warn, "a group can change the state directory", detail, &mend);
    } else if open.others_read() || open.group_reads() {
        findings.add("fs.state_dir.perms_readable", Severity::Warn, "others can read the state directory", detail, &mend);
    }
    if open.link {
        let remedy = "make sure that you are the only one who can change where it leads";
        findings.add("fs.state_dir.symlink", Severity::Warn, "the state directory is a link", shown.clone(), remedy);
    }
    let lower = home.state_dir.to_string_lossy().to_lowercase();
    if let Some(place) = SYNCED.iter().find(|place| lower.contains(*place)) {
        let remedy = "name another directory with --state-dir or KRABBA_STATE_DIR";
        findings.add(
            "fs.synced_dir",
            Severity::Warn,
            "conversations are copied to another machine",
            format!("{shown} is in {place}"),
            remedy,
        );
    }
    for file in ["krabba.db", "krabba.db-wal"] {
        let path = home.state_dir.join(file);
        if let Some(open) = Openness::of(&path).filter(|open| open.others_read() || open.group_reads()) {
            let detail = format!("{} has mode {:o}", home.shown(&path), open.mode);
            let remedy = format!("chmod 600 {}", home.shown(&path));
            findings.add("fs.sessions_store.perms_readable", Severity::Warn, "others can read the conversations", detail, &remedy);
        }
    }
}

fn configuration(home: &Home, loaded: Option<&Loaded>, findings: &mut Findings) {
    let own = home.location.path.as_path();
    if home.has_file() && loaded.is_none() {
        let remedy = "krabba config validate shows what is wrong with it";
        findings.add("config.unreadable", Severity::Critical, "the configuration cannot be read", home.shown(own), remedy);
    }
    let files = loaded.map_or_else(|| vec![own], Loaded::files);
    for file in files {
        let Some(open) = Openness::of(file) else { continue };
        let included = file != own;
        let shown = home.shown(file);
        let detail = format!("{shown} has mode {:o}", open.mode);
        let mend = format!("chmod 600 {shown}, or krabba doctor --fix");
        let id = |id: &'static str, of_included: &'static str| if included { of_included } else { id };
        if open.all_write() || open.group_writes() {
            let id = id("fs.config.perms_writable", "fs.config_include.perms_writable");
            findings.add(id, Severity::Critical, "others can change what krabba is told to do", detail, &mend);
        } else if open.others_read() {
            let id = id("fs.config.perms_world_readable", "fs.config_include.perms_world_readable");
            findings.add(id, Severity::Critical, "anybody can read the configuration, and the keys in it", detail, &mend);
        } else if open.group_reads() {
            let id = id("fs.config.perms_group_readable", "fs.config_include.perms_group_readable");
            findings.add(id, Severity::Warn, "a group can read the configuration, and the keys in it", detail, &mend);
        }
        if open.link && !included {
            findings.add(
                "fs.config.symlink",
                Severity::Warn,
                "the configuration is a link",
                shown,
                "make sure that its target is yours alone",
            );
        }
    }
}

fn models(loaded: &Loaded, findings: &mut Findings) {
    for (_, provider) in loaded.config.models.providers.iter() {
        let Some(Credential::Given { source, .. }) = &provider.server.api_key else { continue };
        if source == "configuration" {
            let detail = format!("models.providers.{}.apiKey", provider.id);
            let remedy = "put it into the environment or a .env file, and write ${NAME} in its place";
            findings.add("config.secrets.key_in_config", Severity::Info, "a key stands in the configuration", detail, remedy);
        }
    }
    let hosted: Vec<String> = providers::providers(loaded)
        .iter()
        .filter(|provider| provider.residency == Residency::Hosted && !provider.keys.is_empty())
        .map(|provider| provider.id.to_string())
        .collect();
    if !hosted.is_empty() {
        let remedy = "krabba explain route shows whether a conversation can get there";
        findings.add("summary.attack_surface", Severity::Info, "some models run at somebody else's", hosted.join(", "), remedy);
    }
}

/// Keys that are hidden, but so short that a model which has all of them written down sees by the mark which one it is.
fn short_keys(loaded: &Loaded, findings: &mut Findings) {
    let config = &loaded.config;
    let providers = config.models.providers.iter();
    let providers = providers.map(|(_, provider)| (format!("models.providers.{}.apiKey", provider.id), provider.server.api_key.as_ref()));
    let pages = config.tools.web.fetch.secrets.iter();
    let pages = pages.map(|(name, secret)| (format!("tools.web.fetch.secrets.{name}.apiKey"), secret.api_key.as_ref()));
    let servers = config.mcp.servers.iter().flat_map(|(id, server)| {
        let values = server.env.iter().map(|value| ("env", value)).chain(server.headers.iter().map(|value| ("headers", value)));
        let secret = values.filter(|(_, (name, value))| is_secret_of_server(name, value));
        secret.map(move |(key, (name, value))| (format!("mcp.servers.{id}.{key}.{name}"), Some(value)))
    });
    let is_short = |key: &Credential| {
        let Some(secret) = key.secret().filter(|secret| secret.expose().len() < LONG_ENOUGH) else { return false };
        let redactor = Redactor::new();
        redactor.register(secret);
        // Placeholders are no keys, and hidden nowhere.
        redactor.finds(secret.expose())
    };
    let all = providers.chain(pages).chain(servers);
    let short: Vec<String> = all.filter(|(_, key)| key.is_some_and(is_short)).map(|(place, _)| place).collect();
    if !short.is_empty() {
        let title = format!("keys of fewer than {LONG_ENOUGH} characters can be found out by trying, hidden or not");
        let remedy = "have longer ones made where they are from; for a server that asks for none write \"none\"";
        findings.add("config.secrets.short_key", Severity::Warn, title, short.join(", "), remedy);
    }
}

fn chain(home: &Home, findings: &mut Findings) {
    let id = "audit.chain";
    // Nothing was ever decided, and looking makes no store.
    if !home.state_dir.join("krabba.db").exists() {
        return;
    }
    let store = match Store::open(&home.state_dir) {
        Ok(store) => store,
        Err(error) => return findings.add(id, Severity::Critical, "the audit cannot be read", error.to_string(), ""),
    };
    match check_audit(&store) {
        Ok(Ok(rows)) => findings.add(id, Severity::Info, "every decision on record is as it was written", format!("{rows} rows"), ""),
        Ok(Err(problem)) => {
            let remedy = "somebody changed the store behind krabba's back; look into a backup for what it was";
            findings.add(id, Severity::Critical, "the record of decisions was changed", problem.to_string(), remedy);
        }
        Err(error) => findings.add(id, Severity::Critical, "the audit cannot be read", error.to_string(), ""),
    }
}
