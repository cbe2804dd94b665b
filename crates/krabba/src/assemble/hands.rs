//! What the agent acts with: the workspace, the tools, the sandbox; and what a conversation begins with.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use jiff::Zoned;
use krabba_agent::{Briefing, Hands};
use krabba_config::{Agent, Config, ExecOptions, Ownership};
use krabba_context::{Fragment, SystemPrompt, WorkspaceFile};
use krabba_guard::{ControlFiles, Decoys, FileLabels};
use krabba_mcp::{McpError, ServerSettings, Servers};
use krabba_redact::Redactor;
use krabba_sandbox::{Sandbox, SandboxError, Standing};
use krabba_store::Store;
use krabba_tool::{Catalogue, Selection};
use krabba_tools::{FetchSettings, FileError, Jobs, Patience, Replaced, SearchSettings, Settings, Workspace, WorkspaceSecrets, builtin};
use krabba_types::WorkspacePath;

use super::Home;

/// The tools that models are told about from the start, the most important first; and that other one, where a model is named that sees.
const UP_FRONT: [&str; 7] = ["read", "write", "edit", "exec", "process", "web_search", "web_fetch"];
const IMAGE: &str = "image";

/// Directories of the home directory that hold other programs' secrets. No command and no tool sees them, wherever the workspace is.
const PRIVATE: [&str; 8] = [".ssh", ".gnupg", ".aws", ".azure", ".kube", ".docker", ".config/gcloud", ".password-store"];

/// Where things lie that tools need to know of.
#[derive(Clone, Debug)]
pub(crate) struct Ground {
    home: PathBuf,
    state_dir: PathBuf,
    config: PathBuf,
    ownership: Ownership,
    scratch: PathBuf,
}

/// How the tools go about their work.
pub(crate) struct Ways {
    pub(crate) patience: Patience,
    pub(crate) fetch: Option<FetchSettings>,
    pub(crate) search: Option<SearchSettings>,
    /// How long servers of tools that were never seen are waited for.
    pub(crate) meeting: Duration,
    /// Whether a model is named that looks at pictures for others.
    pub(crate) eyes: bool,
}

/// An agent's hands, and what its conversations begin with.
pub(crate) struct Acting {
    pub(crate) hands: Hands,
    pub(crate) briefing: Briefing,
    pub(crate) jobs: Jobs,
    pub(crate) servers: Servers,
    /// What is wrong with servers that are new.
    pub(crate) problems: Vec<McpError>,
}

impl Ground {
    pub(crate) fn of(home: &Home) -> Self {
        Self {
            home: home.place.home.clone(),
            state_dir: home.state_dir.clone(),
            config: home.location.path.clone(),
            ownership: home.location.ownership,
            scratch: home.sandbox_dir(),
        }
    }

    /// The workspace of an agent. Whoever comes with OpenClaw's configuration finds their workspace as it was.
    pub(crate) fn workspace(&self, config: &Config, agent: Option<&Agent>) -> PathBuf {
        let own = agent.and_then(|agent| agent.options.workspace.as_ref());
        if let Some(text) = own.or(config.agents.defaults.workspace.as_ref()) {
            return match text.strip_prefix('~').map(|rest| rest.trim_start_matches('/')) {
                Some(rest) => self.home.join(rest),
                None => self.home.join(text),
            };
        }
        let theirs = self.home.join(".openclaw/workspace");
        if self.ownership == Ownership::Theirs && theirs.is_dir() { theirs } else { self.state_dir.join("workspace") }
    }

    /// Places that no command, no server and no tool sees. Where one of them holds the workspace, the workspace alone is seen of it.
    fn hidden(&self, workspace: &Path) -> Vec<PathBuf> {
        let ours = [self.state_dir.clone(), self.config.clone(), self.home.join(".krabba"), self.home.join(".openclaw")];
        let theirs = PRIVATE.iter().map(|name| self.home.join(name));
        ours.into_iter().chain(theirs).filter(|path| path != workspace).collect()
    }

    fn sandbox_of(&self, workspace: PathBuf, decoys: &Decoys) -> Result<Sandbox, SandboxError> {
        let hidden = self.hidden(&workspace);
        let settings = krabba_sandbox::Settings::new(workspace, self.scratch.clone());
        Sandbox::new(krabba_sandbox::Settings { hidden, decoys: Some(decoys.clone()), ..settings })
    }

    /// What this machine offers for commands, tried in the agent's workspace, or, where there is none yet, in one for this moment.
    ///
    /// # Errors
    /// When the workspace cannot be used.
    pub(crate) async fn standing(&self, config: &Config, agent: Option<&Agent>, decoys: &Decoys) -> Result<Standing> {
        let (mut workspace, passing) = (self.workspace(config, agent), self.state_dir.join("sandbox-trial"));
        if !workspace.is_dir() {
            std::fs::create_dir_all(&passing)?;
            workspace = passing.clone();
        }
        let standing = self.sandbox_of(workspace, decoys)?.standing().await.clone();
        // Only where it was made, and only while it is empty.
        let _ = std::fs::remove_dir(&passing);
        Ok(standing)
    }

    /// An agent's workspace, and the sandbox for it with `decoys` in it.
    ///
    /// # Errors
    /// When the workspace cannot be used.
    pub(crate) fn place(&self, config: &Config, agent: Option<&Agent>, decoys: &Decoys) -> Result<(Arc<Workspace>, Arc<Sandbox>)> {
        let path = self.workspace(config, agent);
        let open = || format!("the workspace {} cannot be used", path.display());
        let workspace = Workspace::open(&path).with_context(open)?;
        let root = PathBuf::from(workspace.root());
        let workspace = Arc::new(workspace.hiding(&self.hidden(&root)));
        let sandbox = self.sandbox_of(root, decoys).with_context(open)?;
        Ok((workspace, Arc::new(sandbox)))
    }

    /// `empty` hands with tools in them.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) async fn acting(
        &self,
        (workspace, sandbox): (Arc<Workspace>, Arc<Sandbox>),
        store: &Arc<Store>,
        servers: Vec<ServerSettings>,
        ways: Ways,
        empty: Hands,
    ) -> Result<Acting> {
        let labels = FileLabels::new(Arc::clone(store), workspace.root());
        let jobs = Jobs::new(Arc::clone(&sandbox));
        let Ways { patience, fetch, search, meeting, eyes } = ways;
        let secrets = WorkspaceSecrets::new(Arc::clone(&workspace), empty.redactor.clone());
        let settings = Settings {
            workspace: Arc::clone(&workspace),
            labels: labels.clone(),
            secrets: secrets.clone(),
            replaced: Replaced::new(self.state_dir.join("replaced")),
            jobs: jobs.clone(),
            patience,
            fetch,
            search,
        };
        let tools = Catalogue::default();
        builtin(&settings).into_iter().for_each(|tool| tools.add(tool));
        let own = tools.specs().into_iter().map(|spec| spec.name).collect();
        let selection = Selection { own, ..empty.selection.clone() };
        let tools = Arc::new(tools);
        let servers = Servers::open(servers, Arc::clone(store), &tools, sandbox)?;
        let problems = servers.meet(meeting).await?;
        let listed = UP_FRONT.into_iter().chain(eyes.then_some(IMAGE)).map(str::to_owned).collect();
        let hands = Hands { tools, listed, selection, scanner: Some(Arc::new(secrets)), ..empty };
        let redactor = hands.redactor.clone();
        let briefing = Briefing::new(move || system(&workspace, &labels, &redactor));
        Ok(Acting { hands, briefing, jobs, servers, problems })
    }
}

/// How long commands may take.
pub(crate) fn patience(options: ExecOptions) -> Patience {
    let usual = Patience::default();
    let timeout = options.timeout_sec.map_or(usual.timeout, |seconds| Duration::from_secs(seconds.into()));
    let wait = options.background_ms.map_or(usual.wait, |milliseconds| Duration::from_millis(milliseconds.into()));
    Patience { timeout, wait }
}

/// Who krabba is, how it goes about things, the owner's files, and what was noted yesterday and today.
/// No secret that is known is in it.
fn system(workspace: &Workspace, labels: &FileLabels, redactor: &Redactor) -> SystemPrompt {
    let mut left_out = Vec::new();
    let mut own_text = |name: &str| match own_text(workspace, labels, name)? {
        // Before anything is cut: half a secret is none that is known.
        Ok(text) => Some(redactor.hide(&text).into_owned()),
        Err(why) => {
            left_out.push(format!("{name} is left out of the prompt: {why}"));
            None
        }
    };
    let mut fragments = vec![Fragment::identity(), Fragment::acting()];
    for file in WorkspaceFile::ALL {
        let older = (file == WorkspaceFile::Memory).then_some("memory.md");
        let mut names = [Some(file.file_name()), older].into_iter().flatten();
        fragments.extend(names.find_map(|name| Fragment::workspace(file, &own_text(name)?)));
    }
    // The days of the owner, who may sit elsewhere than Greenwich. The first message of the conversation says which day it is.
    let today = Zoned::now().date();
    for day in today.yesterday().into_iter().chain([today]).map(|day| day.to_string()) {
        fragments.extend(own_text(&format!("memory/{day}.md")).and_then(|text| Fragment::daily(&day, &text)));
    }
    SystemPrompt::new(fragments).leaving_out(left_out)
}

/// The text of a file; `None` where there is none. One that something foreign had a hand in is no instruction, and is told by whose.
fn own_text(workspace: &Workspace, labels: &FileLabels, name: &str) -> Option<Result<String, String>> {
    let path = WorkspacePath::parse(name, "/").ok()?;
    // No command reaches what steers; the owner may change it while one runs.
    let read = if ControlFiles::holds(&path) {
        let content = workspace.read(&path);
        content.map(|content| {
            let label = labels.file_label(&path, &content);
            (content, label)
        })
    } else {
        workspace.read_labelled(&path, labels)
    };
    Some(match read {
        Ok((content, Ok(label))) if label.is_own() => Ok(String::from_utf8_lossy(&content).into_owned()),
        Ok((_, Ok(label))) => {
            let origins: Vec<String> = label.origins().into_iter().collect();
            Err(format!("{} had a hand in it", origins.join(", ")))
        }
        Ok((_, Err(error))) => Err(error.to_string()),
        Err(FileError::Missing(_)) => return None,
        Err(error) => Err(error.to_string()),
    })
}
