//! A workspace with all tools, and an owner who wrote down what they want.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use krabba_guard::{Answer, Decoys, FileLabels, Monitor, Policy, Principal, Question, Redeemed, Said, Scene, Source, Verdict};
use krabba_redact::Redactor;
use krabba_sandbox::{Rung, Sandbox};
use krabba_store::Store;
use krabba_tool::{Call, Catalogue, Eyes, Outcome, Refusal, Run, SecretScanner as _};
use krabba_tools::{FetchSettings, Jobs, Patience, Replaced, SearchSettings, Settings, Workspace, WorkspaceSecrets, builtin};
use krabba_types::{Action, AgentId, JsonObject, Label, SessionId, SystemClock, TurnId};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Places in the workspace that nobody sees.
const HIDDEN: [&str; 2] = [".ssh", ".config/gcloud"];

pub(crate) struct Room {
    _place: tempfile::TempDir,
    pub(crate) root: PathBuf,
    pub(crate) jobs: Jobs,
    pub(crate) tools: Catalogue,
    pub(crate) session: SessionId,
    pub(crate) cancel: CancellationToken,
    pub(crate) budget: usize,
    pub(crate) eyes: Option<Arc<dyn Eyes>>,
    /// Who watches.
    pub(crate) watch: mpsc::Sender<String>,
    pub(crate) redactor: Redactor,
    monitor: Monitor,
    settings: Settings,
    sandbox: krabba_sandbox::Settings,
}

/// What came of a call.
#[allow(clippy::large_enum_variant, reason = "one at a time")]
#[derive(Debug)]
pub(crate) enum Came {
    Refused(String),
    Denied(String),
    Asked(Box<Action>),
    Done(Outcome),
}

impl Room {
    pub(crate) fn new() -> Self {
        Self::made(&Rung::ALL, None, None)
    }

    /// One whose commands run on these rungs.
    pub(crate) fn on(rungs: &[Rung]) -> Self {
        Self::made(rungs, None, None)
    }

    pub(crate) fn with_web(fetch: Option<FetchSettings>, search: Option<SearchSettings>) -> Self {
        Self::made(&Rung::ALL, fetch, search)
    }

    fn made(rungs: &[Rung], fetch: Option<FetchSettings>, search: Option<SearchSettings>) -> Self {
        let place = tempfile::Builder::new().prefix("krabba-tools").tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let base = fs::canonicalize(place.path()).unwrap();
        let root = base.join("workspace");
        let hidden = HIDDEN.map(|name| root.join(name));
        let workspace = Arc::new(Workspace::open(&root).unwrap().hiding(&hidden));
        let store = Arc::new(Store::open_in_memory().unwrap());
        let labels = FileLabels::new(Arc::clone(&store), workspace.root());
        let mut sandbox = krabba_sandbox::Settings::new(root.clone(), base.join("scratch"));
        sandbox.rungs = rungs.to_vec();
        sandbox.decoys = Some(Decoys::of("seed"));
        let jobs = Jobs::new(Sandbox::new(sandbox.clone()).unwrap());
        let redactor = Redactor::new();
        let secrets = WorkspaceSecrets::new(Arc::clone(&workspace), redactor.clone());
        let replaced = Replaced::new(base.join("replaced"));
        let settings = Settings { workspace, labels, secrets, replaced, jobs: jobs.clone(), patience: Patience::default(), fetch, search };
        let tools = Catalogue::default();
        builtin(&settings).into_iter().for_each(|tool| tools.add(tool));
        let monitor = Monitor::new(store, Policy::default(), Arc::new(SystemClock));
        let (session, cancel) = (SessionId::new("s"), CancellationToken::new());
        Self {
            _place: place,
            root,
            jobs,
            tools,
            session,
            cancel,
            budget: 4_000,
            eyes: None,
            watch: mpsc::channel(1).0,
            redactor,
            monitor,
            settings,
            sandbox,
        }
    }

    /// The same room for the next process.
    pub(crate) async fn again(mut self) -> Self {
        self.jobs.close().await;
        self.jobs = Jobs::new(Sandbox::new(self.sandbox.clone()).unwrap());
        self.settings.jobs = self.jobs.clone();
        self.tools = Catalogue::default();
        builtin(&self.settings).into_iter().for_each(|tool| self.tools.add(tool));
        self
    }

    /// What comes of a call that the owner is asked about and says yes to.
    pub(crate) async fn agreed(&self, label: &Label, name: &str, arguments: Value) -> Outcome {
        let question = self.question(label, name, arguments).await;
        let answer = question.typed.clone().map_or(Answer::Approve, Answer::Typed);
        let Redeemed::Allowed(authorized) = self.answered(&question, &answer) else { panic!("the owner said yes") };
        self.tools.get(name).unwrap().run(*authorized, self.run()).await
    }

    /// What the owner is asked about a call.
    pub(crate) async fn question(&self, label: &Label, name: &str, arguments: Value) -> Question {
        let Came::Asked(action) = self.call_in(label, name, arguments).await else { panic!("nobody was asked") };
        self.monitor.open_questions().unwrap().into_iter().find(|open| open.question.action == *action).unwrap().question
    }

    /// What comes of their answer.
    pub(crate) fn answered(&self, question: &Question, answer: &Answer) -> Redeemed {
        self.monitor.settle(&question.id, answer, "terminal").unwrap();
        self.monitor.redeem(&question.id).unwrap()
    }

    fn run(&self) -> Run {
        let progress = self.watch.clone();
        Run {
            session: self.session.clone(),
            cancel: self.cancel.clone(),
            budget: self.budget,
            progress,
            eyes: self.eyes.clone(),
            helper: None,
        }
    }

    pub(crate) fn scratch(&self) -> PathBuf {
        self.sandbox.scratch.clone()
    }

    /// What is shown of the result of a call, as an agent goes about it.
    pub(crate) async fn shown(&self, name: &str, arguments: Value) -> String {
        self.settings.secrets.scan().await;
        let said = self.said(name, arguments).await;
        self.settings.secrets.scan().await;
        self.redactor.hide(&said).into_owned()
    }

    /// What was kept of what changes took away, oldest first.
    pub(crate) fn replaced(&self) -> Vec<(String, Vec<u8>)> {
        let directory = self.root.parent().unwrap().join("replaced");
        let mut walk = ignore::WalkBuilder::new(&directory);
        let entries = walk.standard_filters(false).sort_by_file_name(Ord::cmp).build().flatten();
        let files = entries.filter(|entry| entry.file_type().is_some_and(|kind| kind.is_file())).map(|file| {
            let change = directory.join(file.path().strip_prefix(&directory).unwrap().components().next().unwrap());
            let path = file.path().strip_prefix(change.join(self.root.strip_prefix("/").unwrap())).unwrap();
            (path.display().to_string(), fs::read(file.path()).unwrap())
        });
        files.collect()
    }

    pub(crate) fn labels(&self) -> &FileLabels {
        &self.settings.labels
    }

    pub(crate) fn file(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub(crate) fn text(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.root.join(path)).ok()
    }

    /// A call in a context of this label.
    pub(crate) async fn call_in(&self, label: &Label, name: &str, arguments: Value) -> Came {
        self.call_after("do what is to be done", label, name, arguments).await
    }

    /// What comes of a call when the owner wrote these words.
    pub(crate) async fn approved(&self, words: &str, name: &str, arguments: Value) -> Outcome {
        match self.call_after(words, &Label::Owner, name, arguments).await {
            Came::Done(outcome) => outcome,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn call_after(&self, words: &str, label: &Label, name: &str, arguments: Value) -> Came {
        let tool = self.tools.get(name).unwrap();
        let mut arguments: JsonObject = arguments.as_object().unwrap().clone();
        if let Err(misfit) = krabba_markup::fit(&mut arguments, tool.spec()) {
            return Came::Refused(misfit.to_string());
        }
        let action = match tool.plan(Call { session: &self.session, arguments: &arguments }).await {
            Ok(action) => action,
            Err(refusal) => return Came::Refused(refusal.why),
        };
        let scene = Scene {
            agent: AgentId::new("main"),
            session: self.session.clone(),
            turn: TurnId::new("t"),
            principal: Principal::Owner,
            label: label.clone(),
            said: vec![Said { source: Source::Typed, label: Label::Owner, text: words.to_owned() }],
            structured: Vec::new(),
        };
        match self.monitor.judge(action.clone(), &scene).unwrap() {
            Verdict::Allowed(authorized) => Came::Done(tool.run(*authorized, self.run()).await),
            Verdict::Asked(_) => Came::Asked(Box::new(action)),
            Verdict::Denied(denial) | Verdict::Stopped(denial) => Came::Denied(denial.message),
        }
    }

    pub(crate) async fn outcome(&self, name: &str, arguments: Value) -> Outcome {
        match self.call_in(&Label::Owner, name, arguments).await {
            Came::Done(outcome) => outcome,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn said(&self, name: &str, arguments: Value) -> String {
        self.outcome(name, arguments).await.text
    }

    /// Why nothing is even planned for a call.
    pub(crate) async fn refusal(&self, name: &str, arguments: Value) -> Refusal {
        let arguments = arguments.as_object().unwrap().clone();
        self.tools.get(name).unwrap().plan(Call { session: &self.session, arguments: &arguments }).await.unwrap_err()
    }

    pub(crate) async fn refused(&self, name: &str, arguments: Value) -> String {
        match self.call_in(&Label::Owner, name, arguments).await {
            Came::Refused(why) => why,
            Came::Done(outcome) if outcome.is_error => outcome.text,
            other => panic!("{other:?}"),
        }
    }
}
