//! `process`: looks after commands that run in the background, and takes over what was changed apart from the workspace.

use std::ops::RangeInclusive;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use krabba_guard::Authorized;
use krabba_tool::{Call, Outcome, Refusal, Repeat, Run, Tool};
use krabba_types::{Action, Control, Label, SessionId, ToolSpec, WorkspacePath};
use serde::Deserialize;
use serde_json::json;

use crate::files::{self, Failed, Files, on_disk};
use crate::job::Job;
use crate::text::{fit, lines};
use crate::{Jobs, arguments, change, kept, keys};

/// How long a poll waits for something new.
const PATIENCE: Duration = Duration::from_secs(20);

/// How many polls in a row that bring nothing are as different as the time that they took: five minutes of them. Builds and downloads
/// are silent for that long, and to wait for them is no standstill. From then on one is as the other, so that the model is reminded, and then
/// has to answer; the command goes on meanwhile.
const SILENT: u32 = 15;

pub(crate) struct Process {
    spec: ToolSpec,
    files: Files,
    jobs: Jobs,
}

/// What a call comes to.
enum Wanted {
    Control(Control),
    /// To take over what is at these places and below, which has to be looked at first.
    Keep(Vec<WorkspacePath>),
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Verb {
    List,
    Poll,
    Log,
    Write,
    Submit,
    SendKeys,
    Kill,
    Keep,
    Drop,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Arguments {
    action: Verb,
    #[serde(default)]
    session_id: String,
    data: Option<String>,
    #[serde(default)]
    keys: Vec<String>,
    /// Bytes to type, in hexadecimal digits.
    #[serde(default)]
    hex: Vec<String>,
    /// Marks what is typed as pasted.
    #[serde(default)]
    bracketed: bool,
    #[serde(default)]
    eof: bool,
    offset: Option<usize>,
    limit: Option<usize>,
    #[serde(default)]
    paths: Vec<String>,
}

impl Process {
    pub(crate) fn new(files: Files, jobs: Jobs) -> Self {
        let (text, number) = (json!({"type": "string"}), json!({"type": "integer"}));
        let spec = arguments::spec(
            "process",
            "Look after commands in the background: list; poll (waits for output), log (offset, limit: lines), write or submit data, \
             send-keys (such as Enter, C-c, Up), kill. keep takes over what commands changed apart from the \
             workspace, drop throws it away: all, or paths.",
            json!({
                "action": {"type": "string", "enum": ["list", "poll", "log", "write", "submit", "send-keys", "kill", "keep", "drop"]},
                "sessionId": text, "data": text, "keys": {"type": "array", "items": text}, "offset": number, "limit": number, "paths": {"type": "array", "items": text},
            }),
            &["action"],
        );
        let parameters = [("id", "sessionId"), ("session_id", "sessionId"), ("text", "data"), ("literal", "data")];
        let actions = [("paste", "write"), ("clear", "kill"), ("remove", "kill"), ("discard", "drop")];
        let aliases = arguments::aliases(&[parameters, actions].concat());
        Self { spec: ToolSpec { aliases, ..spec }, files, jobs }
    }

    fn wanted(&self, call: Call<'_>) -> Result<Wanted, Refusal> {
        let Arguments { action, session_id: process, data, keys, hex, bracketed, eof, offset, limit, paths } = arguments::read(call)?;
        let paths = || paths.iter().map(|path| arguments::place(&self.files.workspace, path)).collect::<Result<Vec<_>, _>>();
        let job = self.jobs.get(call.session, &process);
        if !matches!(action, Verb::List | Verb::Keep | Verb::Drop) && job.is_none() {
            return Err(Refusal::new(format!("there is no command \"{process}\"; {}", self.names(call.session))));
        }
        let missing = |what: &str| Refusal::new(format!("{what} is missing: what is to be typed"));
        let write = |process, text| {
            let (command, hosts) = job.map(|job| (job.command.clone(), job.hosts.clone())).unwrap_or_default();
            Control::Write { process, command, hosts, text }
        };
        let data = if bracketed { data.map(|data| format!("\u{1b}[200~{data}\u{1b}[201~")) } else { data };
        let control = match action {
            Verb::Keep => return Ok(Wanted::Keep(paths()?)),
            Verb::Drop => Control::Discard { paths: paths()? },
            Verb::List => Control::List,
            Verb::Poll => Control::Poll { process },
            Verb::Log => Control::Log { process, offset, limit },
            Verb::Kill => Control::Kill { process },
            Verb::Write => write(process, typed(data, eof).ok_or_else(|| missing("data"))?),
            Verb::Submit => write(process, data.unwrap_or_default() + "\n"),
            Verb::SendKeys => {
                let keys = keys::typed(&keys).and_then(|keys| Ok(keys + &keys::of_bytes(&hex)?)).map_err(Refusal::new)?;
                let text = Some(keys + &data.unwrap_or_default()).filter(|text| !text.is_empty()).ok_or_else(|| missing("keys"))?;
                write(process, text)
            }
        };
        Ok(Wanted::Control(control))
    }

    fn names(&self, session: &SessionId) -> String {
        let names: Vec<String> = self.jobs.all(session).iter().map(|job| job.name.clone()).collect();
        if names.is_empty() { "none was started".to_owned() } else { format!("there is {}", names.join(", ")) }
    }

    async fn done(&self, action: Authorized<Action>, run: Run) -> Outcome {
        let control = match action.action() {
            Action::Control(control) => control.clone(),
            Action::Change(_) => return self.take_over(action, &run.session).await,
            _ => return Outcome::failed("this is nothing that process does"),
        };
        match control {
            Control::List => self.list(&run),
            Control::Discard { paths } if paths.is_empty() => {
                let (jobs, session) = (self.jobs.clone(), run.session.clone());
                on_disk(&self.files, move |_| {
                    jobs.drop_asides(&session)?;
                    Ok(Outcome::done("thrown away", Label::Minted))
                })
                .await
            }
            Control::Discard { paths } => match self.let_go(paths, &run.session).await {
                Ok(()) => Outcome::done("thrown away", Label::Minted),
                Err(Failed(why)) => Outcome::failed(why),
            },
            Control::Poll { process } => self.poll(&process, &run).await,
            Control::Log { process, offset, limit } => self.log(&process, offset, limit, &run),
            Control::Write { process, text, .. } => {
                let Some(job) = self.jobs.get(&run.session, &process) else { return gone(&process) };
                // What is typed may be written down by it.
                if let Err(Failed(why)) = job.reading.add(&action.terms().label) {
                    return Outcome::failed(why);
                }
                match job.write(&text).await {
                    Ok(()) => self.poll(&process, &run).await,
                    Err(why) => Outcome::failed(why),
                }
            }
            Control::Kill { process } => {
                let Some(job) = self.jobs.get(&run.session, &process) else { return gone(&process) };
                job.stop.cancel();
                job.finished().await;
                Outcome::done(format!("{process} has ended"), Label::Minted)
            }
        }
    }

    fn list(&self, run: &Run) -> Outcome {
        let mut label = Label::Minted;
        let (mut text, mut gist) = (String::new(), String::new());
        for job in self.jobs.all(&run.session) {
            let standing = job.standing();
            let standing = if standing.is_empty() { "ended well".to_owned() } else { standing };
            text.push_str(&format!("{}: {} ({standing})\n", job.name, job.command));
            gist.push_str(&format!("{}: {}\n", job.name, job.gist()));
            label = label.join(&job.reading.label().unwrap_or_else(|_| Label::untrusted("unknown")));
        }
        match kept::listed(&self.files, &self.jobs, &run.session) {
            Ok(Some((lines, of))) => {
                text.push_str(&lines);
                gist.push_str(&lines);
                label = label.join(&of);
            }
            Ok(None) if text.is_empty() => text.push_str("no command was started"),
            Ok(None) => {}
            Err(Refusal { why, .. }) => text.push_str(&why),
        }
        Outcome { gist: Some(gist), ..Outcome::done(fit(text.trim_end(), run.budget, ""), label) }
    }

    async fn poll(&self, process: &str, run: &Run) -> Outcome {
        let Some(job) = self.jobs.get(&run.session, process) else { return gone(process) };
        tokio::select! {
            () = run.cancel.cancelled() => {}
            () = job.something_new() => {
                // What belongs together comes together.
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            () = tokio::time::sleep(PATIENCE) => {}
        }
        let news = job.news();
        let mut text = fit(news.trim_end(), run.budget, "; process log shows them");
        let standing = job.standing();
        let standing = if standing.is_empty() { "it has ended well" } else { &standing };
        text.push_str(&format!("\n[{standing}]"));
        let waits = news.is_empty() && job.is_running();
        let gist = waits.then(|| format!("nothing new {}\n[{}]", job.silent().min(SILENT), job.gist()));
        Outcome { gist, ..self.said(text.trim_start_matches('\n'), &job) }
    }

    fn log(&self, process: &str, offset: Option<usize>, limit: Option<usize>, run: &Run) -> Outcome {
        let Some(job) = self.jobs.get(&run.session, process) else { return gone(process) };
        let whole = job.whole();
        let more = |line, bytes: RangeInclusive<usize>| {
            format!("the command with \"| sed -n {line}p | cut -b {}-{}\" behind it shows more", bytes.start(), bytes.end())
        };
        match lines(&whole, offset, limit, run.budget, more) {
            Ok(text) => self.said(&text, &job),
            // That there is no such line tells how many there are.
            Err(why) => Outcome { is_error: true, ..self.said(&why, &job) },
        }
    }

    fn said(&self, text: &str, job: &Job) -> Outcome {
        match job.reading.label() {
            Ok(label) => Outcome::done(text, label),
            Err(Failed(why)) => Outcome::failed(why),
        }
    }

    async fn take_over(&self, action: Authorized<Action>, session: &SessionId) -> Outcome {
        let Action::Change(changes) = action.action() else { return Outcome::failed("this is no change of files") };
        let taken = changes.changes.iter().map(|change| &change.path).chain(&changes.directories).cloned().collect();
        let outcome = change::make(&self.files, action).await;
        if !outcome.is_error
            && let Err(Failed(why)) = self.let_go(taken, session).await
        {
            return Outcome { text: format!("{}; it is kept apart as before, too: {why}", outcome.text), ..outcome };
        }
        outcome
    }

    async fn let_go(&self, paths: Vec<WorkspacePath>, session: &SessionId) -> Result<(), Failed> {
        let (files, jobs, session) = (self.files.clone(), self.jobs.clone(), session.clone());
        tokio::task::spawn_blocking(move || kept::let_go(&files, &jobs, &session, &paths)).await?
    }
}

/// Text, and the end of the input behind it.
fn typed(data: Option<String>, eof: bool) -> Option<String> {
    if eof { Some(data.unwrap_or_default() + "\u{4}") } else { data }
}

fn gone(process: &str) -> Outcome {
    Outcome::failed(format!("{process} is gone"))
}

impl Tool for Process {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn plan<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Result<Action, Refusal>> {
        let (files, jobs, session) = (self.files.clone(), self.jobs.clone(), call.session.clone());
        async move {
            match self.wanted(call)? {
                Wanted::Control(control) => Ok(Action::Control(control)),
                Wanted::Keep(paths) => files::planned(move || kept::planned(&files, &jobs, &session, &paths)).await,
            }
        }
        .boxed()
    }

    fn run<'a>(&'a self, action: Authorized<Action>, run: Run) -> BoxFuture<'a, Outcome> {
        let session = run.session.clone();
        // Whichever it is that the model asks about.
        async move {
            let outcome = self.done(action, run).await;
            Outcome { stops: self.jobs.stops(&session), ..outcome }
        }
        .boxed()
    }

    fn repeat(&self) -> Repeat {
        Repeat::Never
    }
}
