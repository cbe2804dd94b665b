//! Changes of files: how they are planned, shown and made.

use krabba_guard::{Authorized, content_hash};
use krabba_tool::{Outcome, Refusal};
use krabba_types::{Action, FileChange, FileChanges, WorkspacePath};
use similar::TextDiff;

use crate::FileError;
use crate::files::{Failed, Files, on_disk};
use crate::workspace::MAX_FILE;

/// The text of a file that is to be changed; `None` when there is none.
pub(crate) fn current(files: &Files, path: &WorkspacePath) -> Result<Option<String>, Refusal> {
    match files.workspace.read(path) {
        Ok(bytes) => String::from_utf8(bytes).map(Some).map_err(|_| Refusal(format!("{path} is not plain text"))),
        Err(FileError::Missing(_)) => Ok(None),
        Err(error) => Err(Refusal(error.to_string())),
    }
}

/// What it means to give a file this content.
pub(crate) fn planned(path: WorkspacePath, before: Option<&str>, after: Option<String>) -> Result<FileChange, Refusal> {
    if after.as_ref().is_some_and(|after| u64::try_from(after.len()).is_ok_and(|bytes| bytes > MAX_FILE)) {
        return Err(Refusal(format!("that is more than the {} MiB that a file may hold", MAX_FILE >> 20)));
    }
    let diff = TextDiff::from_lines(before.unwrap_or_default(), after.as_deref().unwrap_or_default());
    let from = if before.is_some() { format!("a/{path}") } else { "/dev/null".to_owned() };
    let to = if after.is_some() { format!("b/{path}") } else { "/dev/null".to_owned() };
    let diff = diff.unified_diff().context_radius(2).header(&from, &to).to_string();
    Ok(FileChange { path, before: before.map(|text| content_hash(text.as_bytes())), after, diff })
}

/// Makes the changes that were authorised: all of them, or, where one of the files is another one by now, none.
pub(crate) async fn make(files: &Files, authorized: Authorized<Action>) -> Outcome {
    let label = authorized.terms().label.clone();
    let Action::Change(FileChanges { changes, .. }) = authorized.action() else {
        return Outcome::failed("this is no change of files");
    };
    let (files, changes) = (files.clone(), changes.clone());
    on_disk(move || {
        for change in &changes {
            files.workspace.expect(&change.path, change.before.as_deref())?;
        }
        let mut done = Vec::new();
        for change in &changes {
            let made = match &change.after {
                Some(after) => {
                    // Whose it is, is known before it is there.
                    files.labels.label_file(&change.path, after.as_bytes(), &label)?;
                    files.workspace.replace(&change.path, after.as_bytes())
                }
                None => files.workspace.remove(&change.path),
            };
            if let Err(error) = made {
                let before = if done.is_empty() { String::new() } else { format!(" (already done: {})", done.join(", ")) };
                return Err(Failed(format!("{error}{before}")));
            }
            if change.after.is_none() {
                files.labels.removed(&change.path)?;
            }
            done.push(match (&change.before, &change.after) {
                (_, None) => format!("removed {}", change.path),
                (None, Some(after)) => format!("wrote {} ({} bytes, new)", change.path, after.len()),
                (Some(_), Some(after)) => format!("wrote {} ({} bytes)", change.path, after.len()),
            });
        }
        let diffs: String = changes.iter().map(|change| change.diff.as_str()).collect();
        Ok(Outcome::done(done.join("\n"), label).showing(diffs))
    })
    .await
}
