//! `exec`: a command in the sandbox.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use krabba_guard::{Authorized, Reach, View};
use krabba_sandbox::{SandboxError, host};
use krabba_tool::{Call, Outcome, Refusal, Repeat, Run, Tool};
use krabba_types::{Action, Exec as Command, ExecChanges, ExecMode, ExecStdio, JsonObject, Label, SessionId, ToolSpec};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::files::{Failed, Files};
use crate::job::Job;
use crate::reading::{Bounds, Changes, Reading};
use crate::text::fit;
use crate::{Jobs, arguments};

/// After which time somebody who watches is shown what a command writes, how often, and how many lines: the last ones.
const GLANCE_AFTER: Duration = Duration::from_secs(2);
const GLANCE: Duration = Duration::from_secs(1);
const GLANCED: usize = 3;

/// How much later than at its limit a command is gone at the latest.
const ENDING: Duration = Duration::from_secs(10);

/// How long a command may take, and how long a turn waits for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// When a command is ended that says nothing about it.
    pub timeout: Duration,
    /// After which time a command goes on in the background.
    pub wait: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        // A model at home takes longer to ask again than most commands take to end.
        Self { timeout: Duration::from_secs(1800), wait: Duration::from_secs(60) }
    }
}

pub(crate) struct Exec {
    spec: ToolSpec,
    files: Files,
    jobs: Jobs,
    patience: Patience,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Arguments {
    command: String,
    #[serde(default)]
    workdir: String,
    #[serde(default)]
    env: BTreeMap<String, String>,
    /// In seconds.
    timeout: Option<u32>,
    yield_ms: Option<u32>,
    #[serde(default)]
    background: bool,
    #[serde(default)]
    pty: bool,
    #[serde(default)]
    hosts: Vec<String>,
}

impl Exec {
    pub(crate) fn new(files: Files, jobs: Jobs, patience: Patience) -> Self {
        let (text, number, flag) = (json!({"type": "string"}), json!({"type": "integer"}), json!({"type": "boolean"}));
        let wait = patience.wait.as_secs();
        let spec = arguments::spec(
            "exec",
            &format!(
                "Run a shell command in the workspace, with a network of its own that reaches only hosts. timeout is in seconds. A command that takes longer than {wait} s \
                 (or yieldMs) goes on in the background; look after it with process. hosts are names such as github.com."
            ),
            json!({
                "command": text, "workdir": text, "env": {"type": "object", "additionalProperties": text}, "timeout": number,
                "yieldMs": number, "background": flag, "pty": flag,
                "hosts": {"type": "array", "items": text},
            }),
            &["command"],
        );
        let aliases = arguments::aliases(&[("cmd", "command"), ("cwd", "workdir")]);
        Self { spec: ToolSpec { aliases, ..spec }, files, jobs, patience }
    }

    async fn planned(&self, call: Call<'_>) -> Result<Action, Refusal> {
        let Arguments { command, workdir, env, timeout, yield_ms, background, pty, hosts } = arguments::read(call)?;
        if command.trim().is_empty() {
            return Err(Refusal::new("the command is empty"));
        }
        let unmet = unmet(call.arguments);
        if !unmet.is_empty() {
            let why = "commands always run in the sandbox, and the owner decides about them; leave out";
            return Err(Refusal::new(format!("{why} {}", unmet.join(", "))));
        }
        // Where nothing keeps it in, nobody is asked about it either.
        let standing = self.jobs.sandbox().standing().await;
        if standing.rung.is_none() {
            return Err(Refusal::new(SandboxError::Refused { why: standing.reasons() }.to_string()));
        }
        let hosts: BTreeSet<String> =
            hosts.iter().map(|name| host(name)).collect::<Result<_, _>>().map_err(|error| Refusal::new(error.to_string()))?;
        if !hosts.is_empty() && !standing.hosts {
            return Err(Refusal::new(SandboxError::NoHosts.to_string()));
        }
        let label = if hosts.is_empty() {
            Label::Minted
        } else {
            let whole = self.files.whole_label().map_err(|Failed(why)| Refusal::new(why))?;
            whole.join(&self.jobs.label_of_asides(call.session))
        };
        let milliseconds = || yield_ms.unwrap_or_else(|| u32::try_from(self.patience.wait.as_millis()).unwrap_or(u32::MAX));
        Ok(Action::Run(Command {
            command,
            directory: arguments::place(&self.files.workspace, &workdir)?,
            environment: env,
            mode: if background { ExecMode::Background } else { ExecMode::Yield { milliseconds: milliseconds() } },
            stdio: if pty { ExecStdio::Terminal } else { ExecStdio::Pipes },
            timeout_seconds: timeout.unwrap_or_else(|| u32::try_from(self.patience.timeout.as_secs()).unwrap_or(u32::MAX)).max(1),
            hosts: hosts.into_iter().collect(),
            changes: if standing.discardable { ExecChanges::Separable } else { ExecChanges::Immediate },
            label,
        }))
    }

    async fn start(&self, action: Authorized<Action>, run: Run) -> Outcome {
        let Ok(exec) = action.into_exec() else { return Outcome::failed("this is no command") };
        let mode = exec.action().mode;
        let reading = match self.reading(&exec, &run.session).await {
            Ok(reading) => reading,
            Err(failed) => return self.files.failed(failed),
        };
        let job = match self.jobs.start(&run.session, exec, reading).await {
            Ok(job) => job,
            Err(error) => return self.files.failed(error.into()),
        };
        // Whoever stops waiting here has stopped the command.
        let held = job.stop.clone().drop_guard();
        let waits = match mode {
            ExecMode::Background => Some(Duration::ZERO),
            ExecMode::Yield { milliseconds } => Some(Duration::from_millis(milliseconds.into())),
            ExecMode::Foreground => None,
        };
        match self.wait(&job, waits, &run).await {
            Waited::Ended => self.ended(&job, &run),
            Waited::Stopped => {
                drop(held);
                job.finished().await;
                self.ended(&job, &run)
            }
            Waited::Enough => {
                held.disarm();
                let text = job.news();
                let text = fit(text.trim_end(), run.budget, "");
                let standing = format!("[{}; process poll with sessionId {} waits for more]", job.standing(), job.name);
                let gist = format!("{text}\n[it runs]");
                Outcome { gist: Some(gist), ..self.said(&job, &format!("{text}\n{standing}"), false) }
            }
        }
    }

    /// Notes what the command may read, before it does.
    async fn reading(&self, exec: &Authorized<Command>, session: &SessionId) -> Result<Reading, Failed> {
        let label = match exec.terms().view {
            View::Direct => exec.terms().label.clone(),
            View::Discardable => exec.terms().label.join(&self.jobs.label_of_asides(session)),
        };
        let files = self.files.clone();
        let limit = Duration::from_secs(exec.action().timeout_seconds.into()) + ENDING;
        let changes = match exec.terms().view {
            View::Direct => Changes::InPlace,
            View::Discardable => Changes::Apart,
        };
        let reach = if exec.terms().hosts.is_empty() { Reach::Here } else { Reach::Hosts };
        tokio::task::spawn_blocking(move || Reading::begin(&files, &label, Bounds { limit, changes, reach })).await?
    }

    /// Waits, and shows meanwhile what the command writes to whoever watches.
    async fn wait(&self, job: &Job, waits: Option<Duration>, run: &Run) -> Waited {
        let enough = async {
            match waits {
                Some(waits) => tokio::time::sleep(waits).await,
                None => std::future::pending().await,
            }
        };
        let shows = async {
            let mut from = 0;
            tokio::time::sleep(GLANCE_AFTER).await;
            loop {
                let (lines, reached) = job.lines_after(from).await;
                // Who watches too slowly misses some.
                let lines: Vec<&str> = lines.lines().collect();
                let last = lines.get(lines.len().saturating_sub(GLANCED)..).unwrap_or_default();
                last.iter().for_each(|line| drop(run.progress.try_send((*line).to_owned())));
                from = reached;
                tokio::time::sleep(GLANCE).await;
            }
        };
        tokio::select! {
            biased;
            () = run.cancel.cancelled() => Waited::Stopped,
            () = job.finished() => Waited::Ended,
            () = enough => Waited::Enough,
            () = shows => Waited::Ended,
        }
    }

    fn ended(&self, job: &Arc<Job>, run: &Run) -> Outcome {
        let whole = job.whole();
        let rest = format!("; process log with sessionId {}, offset and limit shows them", job.name);
        let mut text = fit(whole.trim_end(), run.budget, &rest);
        let standing = job.standing();
        let gist = Some(format!("{whole}\n[{standing}]"));
        if !standing.is_empty() {
            let separator = if text.is_empty() { "" } else { "\n" };
            text.push_str(&format!("{separator}[{standing}]"));
        }
        if job.left_running() {
            text.push_str("\n[what it left running was ended with it; with background a command goes on]");
        }
        if let Some(advice) = network_advice(job, &whole) {
            text.push_str(&format!("\n[{advice}]"));
        }
        if !self.jobs.asides(&run.session).is_empty() {
            text.push_str("\n[what it changed is kept apart from the workspace; process keep asks the owner to take it over]");
        }
        Outcome { gist, ..self.said(job, &text, !job.went_well()) }
    }

    fn said(&self, job: &Job, text: &str, is_error: bool) -> Outcome {
        match job.reading.label() {
            Ok(label) => Outcome { is_error, ..Outcome::done(text.trim_start_matches('\n'), label) },
            Err(Failed(why)) => Outcome::failed(why),
        }
    }
}

/// What commands of other agents can ask for, each with the values that ask for nothing else than what is done here.
const WISHES: [(&str, &[&str]); 5] = [("elevated", &[]), ("host", &["sandbox", "auto"]), ("node", &[]), ("security", &[]), ("ask", &[])];

/// What a call asks for in vain.
fn unmet(arguments: &JsonObject) -> Vec<&'static str> {
    let asks = |(name, usual): &(&str, &[&str])| match arguments.get(*name) {
        None | Some(Value::Null | Value::Bool(false)) => false,
        Some(Value::String(text)) => !text.is_empty() && !usual.contains(&text.as_str()),
        Some(_) => true,
    };
    WISHES.into_iter().filter(asks).map(|(name, _)| name).collect()
}

/// What programs say that find no network: curl and git, libc and what is built on it, Node, Go, Rust.
const UNREACHED: [&str; 9] = [
    "could not resolve host",
    "temporary failure in name resolution",
    "name or service not known",
    "network is unreachable",
    "failed to lookup address",
    "unable to resolve host",
    "enotfound",
    "eai_again",
    "no such host",
];

/// What they say where nobody listens: libc and what is built on it, Node, curl.
const REFUSED: [&str; 4] = ["connection refused", "econnrefused", "couldn't connect to server", "could not connect to server"];

/// How this machine is called.
const HERE: [&str; 4] = ["localhost", "127.0.0.1", "[::1]", "0.0.0.0"];

/// What a model is told of a command that failed for want of a host.
fn network_advice(job: &Job, said: &str) -> Option<String> {
    if job.went_well() {
        return None;
    }
    let refused = job.refused_hosts();
    if !refused.is_empty() {
        return Some(format!("refused: {}; a call with these in hosts too asks for them", refused.join(", ")));
    }
    let said = said.to_ascii_lowercase();
    if REFUSED.iter().any(|phrase| said.contains(phrase)) && HERE.iter().any(|name| said.contains(name) || job.command.contains(name)) {
        return Some("each command has a network of its own: a server and whoever asks it have to be in one command".to_owned());
    }
    UNREACHED
        .iter()
        .any(|phrase| said.contains(phrase))
        .then(|| "a command reaches only the hosts that the call names in hosts, and those by HTTP and HTTPS alone".to_owned())
}

/// Why nobody waits any more.
enum Waited {
    Ended,
    Stopped,
    Enough,
}

impl Tool for Exec {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn plan<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Result<Action, Refusal>> {
        self.planned(call).boxed()
    }

    fn run<'a>(&'a self, action: Authorized<Action>, run: Run) -> BoxFuture<'a, Outcome> {
        let session = run.session.clone();
        async move {
            // Nobody may have looked at one in the background since.
            if let Some(rule) = self.jobs.stops(&session) {
                let why = "an earlier command was about to send away a decoy; no other is run";
                return Outcome { stops: Some(rule), ..Outcome::failed(why) };
            }
            let outcome = self.start(action, run).await;
            Outcome { stops: self.jobs.stops(&session), ..outcome }
        }
        .boxed()
    }

    fn stop<'a>(&'a self, session: &'a SessionId) -> BoxFuture<'a, usize> {
        self.jobs.end(session).boxed()
    }

    fn repeat(&self) -> Repeat {
        Repeat::Never
    }
}
