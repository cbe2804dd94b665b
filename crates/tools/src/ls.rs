//! `ls`: what stands in a directory.

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use krabba_guard::Authorized;
use krabba_tool::{Call, Outcome, Refusal, Repeat, Run, Tool};
use krabba_types::{Action, Look, ToolSpec};
use serde::Deserialize;
use serde_json::json;

use crate::arguments;
use crate::files::{Files, on_disk};
use crate::text::listing;
use crate::workspace::Kind;

pub(crate) struct Ls {
    spec: ToolSpec,
    files: Files,
}

#[derive(Deserialize)]
struct Arguments {
    #[serde(default)]
    path: String,
    /// The most names.
    limit: Option<usize>,
}

impl Ls {
    pub(crate) fn new(files: Files) -> Self {
        let properties = json!({"path": {"type": "string"}, "limit": {"type": "integer"}});
        Self { spec: arguments::spec("ls", "List a directory.", properties, &[]), files }
    }

    fn planned(&self, call: Call<'_>) -> Result<Action, Refusal> {
        let Arguments { path, limit: _ } = arguments::read(call)?;
        let path = arguments::place(&self.files.workspace, &path)?;
        Ok(Action::Look(Look { tool: "ls".to_owned(), path, arguments: call.arguments.clone() }))
    }
}

impl Tool for Ls {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn plan<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Result<Action, Refusal>> {
        async move { self.planned(call) }.boxed()
    }

    fn run<'a>(&'a self, action: Authorized<Action>, run: Run) -> BoxFuture<'a, Outcome> {
        on_disk(&self.files, move |files| {
            let (look, Arguments { limit, .. }) = arguments::of_look(&action)?;
            let entries = files.workspace.list(&look.path)?;
            let lines: Vec<String> = entries
                .iter()
                .map(|entry| match entry.kind {
                    Kind::Directory => format!("{}/", entry.name),
                    Kind::Link => format!("{}@", entry.name),
                    Kind::File | Kind::Other => entry.name.clone(),
                })
                .collect();
            let text = listing(&lines, limit.unwrap_or(usize::MAX), run.budget, "give a larger limit, or a directory below");
            // Which are left out depends on all of them.
            let all: Vec<_> = entries.iter().filter_map(|entry| look.path.join(&entry.name).ok()).collect();
            let label = files.label_of_names(&all)?;
            Ok(Outcome::done(if text.is_empty() { "(the directory is empty)".to_owned() } else { text }, label))
        })
        .boxed()
    }

    fn repeat(&self) -> Repeat {
        Repeat::Harmless
    }
}
