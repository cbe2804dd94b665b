//! `apply_patch`: changes several files at once, all of them or none.

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use krabba_guard::Authorized;
use krabba_tool::{Call, Outcome, Refusal, Repeat, Run, Tool};
use krabba_types::{Action, FileChanges, Label, ToolSpec, WorkspacePath};
use serde::Deserialize;
use serde_json::json;

use crate::files::Files;
use crate::patch::{FilePatch, apply, parse};
use crate::{arguments, change};

pub(crate) struct ApplyPatch {
    spec: ToolSpec,
    files: Files,
}

#[derive(Deserialize)]
struct Arguments {
    input: String,
}

/// A file on the way through a patch: what it is, and what it becomes.
struct Draft {
    path: WorkspacePath,
    before: Option<Vec<u8>>,
    after: Option<Vec<u8>>,
}

impl ApplyPatch {
    pub(crate) fn new(files: Files) -> Self {
        let spec = arguments::spec(
            "apply_patch",
            include_str!("../prompts/apply_patch.md").trim_end(),
            json!({"input": {"type": "string"}}),
            &["input"],
        );
        let aliases = arguments::aliases(&[("patch", "input")]);
        Self { spec: ToolSpec { aliases, ..spec }, files }
    }

    fn planned(&self, call: Call<'_>) -> Result<Action, Refusal> {
        let Arguments { input } = arguments::read(call)?;
        let mut drafts: Vec<Draft> = Vec::new();
        for patch in parse(&input).map_err(Refusal)? {
            match patch {
                FilePatch::Add { path, content } => {
                    let draft = self.draft(&path, &mut drafts)?;
                    if draft.after.is_some() {
                        return Err(Refusal(format!("{} is there already; update it", draft.path)));
                    }
                    draft.after = Some(content.into_bytes());
                }
                FilePatch::Delete { path } => {
                    let draft = self.draft(&path, &mut drafts)?;
                    draft.after.take().ok_or_else(|| missing(&draft.path))?;
                }
                FilePatch::Update { path, to, hunks } => {
                    let draft = self.draft(&path, &mut drafts)?;
                    let content = draft.after.as_ref().ok_or_else(|| missing(&draft.path))?;
                    let text = apply(change::text(&draft.path, content)?, &hunks);
                    let content = text.map_err(|why| Refusal(format!("{}: {why}", draft.path)))?.into_bytes();
                    match to {
                        None => draft.after = Some(content),
                        Some(to) => {
                            draft.after = None;
                            let there = self.draft(&to, &mut drafts)?;
                            if there.after.is_some() {
                                return Err(Refusal(format!("{} is there already, and nothing is moved over it", there.path)));
                            }
                            there.after = Some(content);
                        }
                    }
                }
            }
        }
        drafts.retain(|draft| draft.before != draft.after);
        if drafts.is_empty() {
            return Err(Refusal("the patch changes nothing".to_owned()));
        }
        // What moves is at its new place before it leaves the old one.
        drafts.sort_by_key(|draft| draft.after.is_none());
        let changes = drafts.into_iter().map(|Draft { path, before, after }| change::planned(path, before.as_deref(), after));
        Ok(Action::Change(FileChanges {
            tool: "apply_patch".to_owned(),
            changes: changes.collect::<Result<_, _>>()?,
            label: Label::Minted,
        }))
    }

    /// The file as the parts of the patch before left it.
    fn draft<'d>(&self, path: &str, drafts: &'d mut Vec<Draft>) -> Result<&'d mut Draft, Refusal> {
        let path = arguments::place(&self.files.workspace, path)?;
        let at = match drafts.iter().position(|draft| draft.path == path) {
            Some(at) => at,
            None => {
                let before = change::current(&self.files, &path)?;
                drafts.push(Draft { path, after: before.clone(), before });
                drafts.len() - 1
            }
        };
        drafts.get_mut(at).ok_or_else(|| Refusal("the patch is empty".to_owned()))
    }
}

fn missing(path: &WorkspacePath) -> Refusal {
    Refusal(format!("there is no {path}; Add File makes one"))
}

impl Tool for ApplyPatch {
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
