//! `write`: gives a file a whole new content.

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use krabba_guard::Authorized;
use krabba_tool::{Call, Outcome, Refusal, Repeat, Run, Tool};
use krabba_types::{Action, FileChanges, Label, ToolSpec};
use serde::Deserialize;
use serde_json::json;

use crate::files::Files;
use crate::{arguments, change};

pub(crate) struct Write {
    spec: ToolSpec,
    files: Files,
}

#[derive(Deserialize)]
struct Arguments {
    path: String,
    content: String,
}

impl Write {
    pub(crate) fn new(files: Files) -> Self {
        let spec = arguments::spec(
            "write",
            "Write a file, replacing what it held. Makes missing directories.",
            json!({"path": {"type": "string"}, "content": {"type": "string"}}),
            &["path", "content"],
        );
        let aliases = arguments::aliases(&[("file_path", "path")]);
        Self { spec: ToolSpec { aliases, ..spec }, files }
    }

    fn planned(&self, call: Call<'_>) -> Result<Action, Refusal> {
        let Arguments { path, content } = arguments::read(call)?;
        let path = arguments::place(&self.files.workspace, &path)?;
        let before = change::current(&self.files, &path)?;
        let changes = vec![change::planned(path, before.as_deref(), Some(content.into_bytes()))?];
        Ok(Action::Change(FileChanges { tool: "write".to_owned(), changes, label: Label::Minted }))
    }
}

impl Tool for Write {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn plan<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Result<Action, Refusal>> {
        async move { self.planned(call) }.boxed()
    }

    fn run<'a>(&'a self, action: Authorized<Action>, _run: Run) -> BoxFuture<'a, Outcome> {
        change::make(&self.files, action).boxed()
    }

    fn repeat(&self) -> Repeat {
        Repeat::Never
    }
}
