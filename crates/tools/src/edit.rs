//! `edit`: replaces pieces of a file.

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use krabba_guard::Authorized;
use krabba_tool::{Call, Outcome, Refusal, Repeat, Run, Tool};
use krabba_types::{Action, Aliases, FileChanges, Label, ToolSpec};
use serde::Deserialize;
use serde_json::json;

use crate::edit_text::{Edit as Piece, apply};
use crate::files::Files;
use crate::{arguments, change};

pub(crate) struct Edit {
    spec: ToolSpec,
    files: Files,
}

#[derive(Deserialize)]
struct Arguments {
    path: String,
    edits: Vec<Piece>,
}

impl Edit {
    pub(crate) fn new(files: Files) -> Self {
        let text = json!({"type": "string"});
        let piece = json!({"type": "object", "properties": {"oldText": text, "newText": text}, "required": ["oldText", "newText"]});
        let spec = arguments::spec(
            "edit",
            "Replace pieces of a file. Each oldText must stand in it exactly once.",
            json!({"path": {"type": "string"}, "edits": {"type": "array", "items": piece}}),
            &["path", "edits"],
        );
        // Older models and other agents write the only piece without the list.
        let names = [
            ("file_path", "path"),
            ("old_string", "oldText"),
            ("oldString", "oldText"),
            ("new_string", "newText"),
            ("newString", "newText"),
        ];
        let aliases = Aliases { flat: Some("edits".to_owned()), ..arguments::aliases(&names) };
        Self { spec: ToolSpec { aliases, ..spec }, files }
    }

    fn planned(&self, call: Call<'_>) -> Result<Action, Refusal> {
        let Arguments { path, edits } = arguments::read(call)?;
        let path = arguments::place(&self.files.workspace, &path)?;
        let Some(before) = change::current(&self.files, &path)? else {
            return Err(Refusal(format!("there is no {path}; write makes one")));
        };
        let after = apply(change::text(&path, &before)?, &edits).map_err(|why| Refusal(format!("{path}: {why}")))?;
        let changes = vec![change::planned(path, Some(&before), Some(after.into_bytes()))?];
        Ok(Action::Change(FileChanges { tool: "edit".to_owned(), changes, label: Label::Minted }))
    }
}

impl Tool for Edit {
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
