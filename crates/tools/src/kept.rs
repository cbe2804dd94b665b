//! What commands changed apart from the workspace: shown, and as a change of files that can be judged and made.

use std::collections::BTreeMap;

use krabba_sandbox::{Aside, Change, ChangeKind};
use krabba_tool::Refusal;
use krabba_types::{Action, FileChanges, Label, SessionId, WorkspacePath};

use crate::files::Files;
use crate::jobs::Note;
use crate::workspace::MAX_FILE;
use crate::{FileError, Jobs, change};

/// What may be taken over at once, in bytes: the owner's yes is bound to all of it.
const MOST: usize = 32 << 20;

/// What is kept of a conversation's commands, place by place, and whose it is.
struct Kept {
    files: BTreeMap<WorkspacePath, Latest>,
    label: Label,
}

/// What became of a file.
enum Latest {
    /// Its content.
    Written(Vec<u8>),
    Removed,
    /// Why it cannot be taken over.
    LeftOut(&'static str),
}

impl Kept {
    fn of(jobs: &Jobs, session: &SessionId) -> Result<Self, Refusal> {
        let mut kept = Self { files: BTreeMap::new(), label: Label::Minted };
        for aside in jobs.asides(session).iter().rev() {
            let unreadable = |error: std::io::Error| Refusal::new(format!("what was kept apart cannot be read: {error}"));
            for Change { path, kind } in aside.changes().map_err(unreadable)? {
                let latest = match kind {
                    ChangeKind::File { bytes } if bytes > MAX_FILE => Latest::LeftOut("too long"),
                    ChangeKind::File { .. } => Latest::Written(aside.read(&path).map_err(unreadable)?),
                    ChangeKind::Removed => Latest::Removed,
                    ChangeKind::LeftOut => Latest::LeftOut("a link, or a file that steers"),
                    ChangeKind::Directory | ChangeKind::Replaced => continue,
                };
                kept.files.insert(path, latest);
            }
            kept.label = kept.label.join(&label(aside));
        }
        Ok(kept)
    }
}

/// Whose the changes are. Nothing that says nothing of it is the owner's.
fn label(aside: &Aside) -> Label {
    serde_json::from_str(&aside.note()).map_or_else(|_| Label::untrusted("an earlier command"), |note: Note| note.label)
}

/// What there is, line by line, and whose it is.
pub(crate) fn listed(jobs: &Jobs, session: &SessionId) -> Result<Option<(String, Label)>, Refusal> {
    let Kept { files, label } = Kept::of(jobs, session)?;
    let line = |(path, latest): (&WorkspacePath, &Latest)| match latest {
        Latest::Written(bytes) => format!("\n  wrote {path} ({} bytes)", bytes.len()),
        Latest::Removed => format!("\n  removed {path}"),
        Latest::LeftOut(why) => format!("\n  left out {path}, {why}"),
    };
    let lines: String = files.iter().map(line).collect();
    let words = "kept apart from the workspace; keep asks the owner to take it over, drop throws it away:";
    Ok(if lines.is_empty() { None } else { Some((format!("{words}{lines}"), label)) })
}

/// What taking all of it over means.
pub(crate) fn planned(files: &Files, jobs: &Jobs, session: &SessionId) -> Result<Action, Refusal> {
    let kept = Kept::of(jobs, session)?;
    let (mut changes, mut bytes) = (Vec::new(), 0);
    for (path, latest) in kept.files {
        let after = match latest {
            Latest::Written(content) => Some(content),
            Latest::Removed => None,
            Latest::LeftOut(_) => continue,
        };
        let before = match files.workspace.read(&path) {
            Ok(content) => Some(content),
            Err(FileError::Missing(_)) => None,
            // What stands there now is nothing that a file may take the place of.
            Err(_) => continue,
        };
        if before != after {
            bytes += after.as_ref().map_or(0, Vec::len);
            changes.push(change::planned(path, before.as_deref(), after)?);
        }
    }
    if bytes > MOST {
        return Err(Refusal::new(format!("more than {} MiB were changed; remove what is not needed first", MOST >> 20)));
    }
    if changes.is_empty() {
        return Err(Refusal::new("no file was changed apart from the workspace"));
    }
    Ok(Action::Change(FileChanges { tool: "process keep".to_owned(), changes, label: kept.label }))
}
