//! Changes of files: how they are planned, shown and made.

use krabba_guard::{Authorized, content_hash};
use krabba_tool::{Outcome, Refusal};
use krabba_types::{Action, Encoding, FileChange, FileChanges, Label, WorkspacePath};
use similar::TextDiff;

use crate::files::{Failed, Files, on_disk};
use crate::workspace::{MAX_FILE, Read};
use crate::{FileError, kept};

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
    Ok(FileChange { path, before: before.map(|text| content_hash(text.as_bytes())), after, encoding: Encoding::Plain, diff })
}

/// Makes the changes that were authorised: all of them or none. Where one cannot be made, those before it are taken back.
pub(crate) async fn make(files: &Files, authorized: Authorized<Action>) -> Outcome {
    let label = authorized.terms().label.clone();
    let Action::Change(FileChanges { tool, changes, .. }) = authorized.action() else {
        return Outcome::failed("this is no change of files");
    };
    // What is written anew is whoever's the words are; what is worked over is still theirs who wrote it.
    let works_over = tool != "write";
    let (files, changes) = (files.clone(), changes.clone());
    on_disk(move || {
        let (mut before, mut of_files) = (Vec::new(), label.clone());
        for change in &changes {
            let read = files.workspace.expect(&change.path, change.before.as_deref())?;
            if let Some(Read { bytes, changed }) = read.as_ref().filter(|_| works_over) {
                of_files = of_files.join(&files.label(&change.path, bytes, *changed)?);
            }
            before.push((&change.path, read.map(|read| read.bytes)));
        }
        for (number, change) in changes.iter().enumerate() {
            if let Err(Failed(why)) = one(&files, change, &of_files) {
                let lost: Vec<&str> =
                    before.iter().take(number).rev().filter_map(|(path, bytes)| take_back(&files, path, bytes.as_deref()).err()).collect();
                let left =
                    if lost.is_empty() { "nothing was changed".to_owned() } else { format!("{} could not be put back", lost.join(", ")) };
                return Err(Failed(format!("{why}; {left}")));
            }
        }
        let lines: Vec<String> = changes.iter().map(done).collect();
        let diffs: String = changes.iter().map(|change| change.diff.as_str()).collect();
        Ok(Outcome::done(lines.join("\n"), label).showing(diffs))
    })
    .await
}

fn one(files: &Files, change: &FileChange, label: &Label) -> Result<(), Failed> {
    match &change.after {
        Some(after) => {
            // Whose it is, is known before it is there.
            let content = kept::content(change, after)?;
            files.labels.label_file(&change.path, &content, label)?;
            files.workspace.replace(&change.path, &content)?;
        }
        None => {
            files.workspace.remove(&change.path)?;
            files.labels.removed(&change.path)?;
        }
    }
    Ok(())
}

/// Makes a file what it was. Its label stays that of the change, which is never cleaner than its own.
fn take_back<'p>(files: &Files, path: &'p WorkspacePath, before: Option<&[u8]>) -> Result<(), &'p str> {
    let taken = match before {
        Some(bytes) => files.workspace.replace(path, bytes),
        None => files.workspace.remove(path),
    };
    taken.map_err(|_| path.as_str())
}

fn done(change: &FileChange) -> String {
    match (&change.before, &change.after) {
        (_, None) => format!("removed {}", change.path),
        (None, Some(after)) => format!("wrote {} ({} bytes, new)", change.path, after.len()),
        (Some(_), Some(after)) => format!("wrote {} ({} bytes)", change.path, after.len()),
    }
}
