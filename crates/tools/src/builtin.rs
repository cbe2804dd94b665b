//! All built-in tools of an agent.

use std::sync::Arc;

use krabba_guard::FileLabels;
use krabba_tool::Tool;

use crate::exec::Exec;
use crate::files::Files;
use crate::find::Find;
use crate::grep::Grep;
use crate::image::LookAtImage;
use crate::ls::Ls;
use crate::process::Process;
use crate::read::Read;
use crate::sessions_spawn::SessionsSpawn;
use crate::web_fetch::WebFetch;
use crate::web_search::WebSearch;
use crate::{FetchSettings, Jobs, Patience, Replaced, SearchSettings, Workspace, WorkspaceSecrets, apply_patch, edit, write};

/// What the tools work with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where files are.
    pub workspace: Arc<Workspace>,
    /// Whose they are.
    pub labels: FileLabels,
    /// What is secret in them.
    pub secrets: WorkspaceSecrets,
    /// Where what is taken away from them is kept.
    pub replaced: Replaced,
    /// Where commands run.
    pub jobs: Jobs,
    /// How long commands may take.
    pub patience: Patience,
    /// How pages of the web are got; `None` for not at all.
    pub fetch: Option<FetchSettings>,
    /// Which search engine is asked; `None` where none is configured.
    pub search: Option<SearchSettings>,
}

/// All of them, those that models need most first.
pub fn builtin(settings: &Settings) -> Vec<Arc<dyn Tool>> {
    let Settings { workspace, labels, secrets, replaced, jobs, patience, fetch, search } = settings.clone();
    let files = Files { workspace, labels, secrets, replaced };
    let mut tools: Vec<Arc<dyn Tool>> = vec![
        Arc::new(Read::new(files.clone(), jobs.clone())),
        Arc::new(write::tool(files.clone())),
        Arc::new(edit::tool(files.clone())),
        Arc::new(apply_patch::tool(files.clone())),
        Arc::new(Exec::new(files.clone(), jobs.clone(), patience)),
        Arc::new(Process::new(files.clone(), jobs)),
        Arc::new(Ls::new(files.clone())),
        Arc::new(Find::new(files.clone())),
        Arc::new(Grep::new(files.clone())),
        Arc::new(LookAtImage::new(files)),
    ];
    tools.extend(search.map(|settings| Arc::new(WebSearch::new(settings)) as Arc<dyn Tool>));
    tools.extend(fetch.map(|settings| Arc::new(WebFetch::new(settings)) as Arc<dyn Tool>));
    tools.push(Arc::new(SessionsSpawn::new()));
    tools
}
