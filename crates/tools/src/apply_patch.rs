//! `apply_patch`: changes several files at once, all of them or none.

use krabba_tool::{Call, Refusal};
use krabba_types::{FileChange, ToolSpec, WorkspacePath};
use serde::Deserialize;
use serde_json::json;

use crate::change::Changer;
use crate::files::Files;
use crate::patch::{FilePatch, apply, parse};
use crate::{arguments, change};

#[derive(Deserialize)]
struct Arguments {
    input: String,
}

/// A file on the way through a patch: what it is, and what it becomes.
struct Draft {
    path: WorkspacePath,
    before: Option<Vec<u8>>,
    after: Option<Vec<u8>>,
    moved_from: Option<WorkspacePath>,
}

pub(crate) fn tool(files: Files) -> Changer {
    let spec = arguments::spec(
        "apply_patch",
        include_str!("../prompts/apply_patch.md").trim_end(),
        json!({"input": {"type": "string"}}),
        &["input"],
    );
    let aliases = arguments::aliases(&[("patch", "input")]);
    Changer { spec: ToolSpec { aliases, ..spec }, files, planned }
}

fn planned(files: &Files, call: Call<'_>) -> Result<Vec<FileChange>, Refusal> {
    let mut drafts = Vec::new();
    drafted(files, call, &mut drafts).map_err(|refusal| {
        let there = drafts.iter().filter(|draft| draft.before.is_some());
        there.fold(refusal, |refusal, draft| change::about(files, &draft.path, refusal))
    })?;
    drafts.retain(|draft| draft.before != draft.after);
    // What moves is at its new place before it leaves the old one.
    drafts.sort_by_key(|draft| draft.after.is_none());
    let until = change::until();
    let change = |Draft { path, before, after, moved_from }: Draft| {
        change::planned(path, before.as_deref(), after, until).map(|change| FileChange { moved_from, ..change })
    };
    drafts.into_iter().map(change).collect()
}

/// What the patch makes of each file.
fn drafted(files: &Files, call: Call<'_>, drafts: &mut Vec<Draft>) -> Result<(), Refusal> {
    let Arguments { input } = arguments::read(call)?;
    for patch in parse(&input).map_err(Refusal::new)? {
        match patch {
            FilePatch::Add { path, content } => {
                let draft = draft(files, &path, drafts)?;
                if draft.after.is_some() {
                    return Err(Refusal::new(format!("{} is there already; update it", draft.path)));
                }
                draft.after = Some(content.into_bytes());
            }
            FilePatch::Delete { path } => {
                let draft = draft(files, &path, drafts)?;
                draft.after.take().ok_or_else(|| missing(files, &draft.path))?;
            }
            FilePatch::Update { path, to, hunks } => {
                let draft = draft(files, &path, drafts)?;
                let content = draft.after.as_ref().ok_or_else(|| missing(files, &draft.path))?;
                let text = apply(change::text(&draft.path, content)?, &hunks);
                let content = text.map_err(|why| Refusal::new(format!("{}: {why}", draft.path)))?.into_bytes();
                match to {
                    None => draft.after = Some(content),
                    Some(to) => {
                        draft.after = None;
                        let from = draft.path.clone();
                        let there = self::draft(files, &to, drafts)?;
                        if there.after.is_some() {
                            return Err(Refusal::new(format!("{} is there already, and nothing is moved over it", there.path)));
                        }
                        there.after = Some(content);
                        there.moved_from = Some(from);
                    }
                }
            }
        }
    }
    if drafts.iter().all(|draft| draft.before == draft.after) {
        return Err(Refusal::new("the patch changes nothing"));
    }
    Ok(())
}

/// The file as the parts of the patch before left it.
fn draft<'d>(files: &Files, path: &str, drafts: &'d mut Vec<Draft>) -> Result<&'d mut Draft, Refusal> {
    let path = arguments::place(&files.workspace, path)?;
    let at = match drafts.iter().position(|draft| draft.path == path) {
        Some(at) => at,
        None => {
            let before = change::current(files, &path)?;
            let held = drafts.iter().filter_map(|draft| draft.before.as_ref()).chain(&before).map(|bytes| bytes.len() as u64);
            if held.sum::<u64>() > change::MOST {
                let why = format!("that works over more than {} MiB at once; give it in several patches", change::MOST >> 20);
                return Err(Refusal::new(why));
            }
            drafts.push(Draft { path, after: before.clone(), before, moved_from: None });
            drafts.len() - 1
        }
    };
    drafts.get_mut(at).ok_or_else(|| Refusal::new("the patch is empty".to_owned()))
}

fn missing(files: &Files, path: &WorkspacePath) -> Refusal {
    files.refused(format!("there is no {path}; Add File makes one"))
}
