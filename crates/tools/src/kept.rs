//! What commands changed apart from the workspace: shown, and as a change of files that can be judged and made.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use krabba_sandbox::{Aside, Change, ChangeKind};
use krabba_tool::Refusal;
use krabba_types::{Action, FileChanges, Label, SessionId, WorkspacePath};

use crate::files::Files;
use crate::jobs::Note;
use crate::workspace::MAX_FILE;
use crate::{FileError, Jobs, change};

/// What may be taken over at once, in bytes: the owner's yes is bound to all of it.
const MOST: u64 = 32 << 20;

/// And in files. No more are listed, either.
const MOST_FILES: usize = 1_000;

/// What is kept of a conversation's commands, place by place, and whose it is.
struct Kept {
    files: BTreeMap<WorkspacePath, Latest>,
    /// How many changes there are beyond those.
    further: usize,
    label: Label,
}

/// What became of a file.
enum Latest {
    /// It has another content, so many bytes.
    Written {
        aside: Arc<Aside>,
        bytes: u64,
    },
    Removed,
    /// Why it cannot be taken over.
    LeftOut(&'static str),
}

impl Kept {
    fn of(jobs: &Jobs, session: &SessionId) -> Result<Self, Refusal> {
        let mut kept = Self { files: BTreeMap::new(), further: 0, label: Label::Minted };
        for aside in jobs.asides(session).into_iter().rev() {
            kept.label = kept.label.join(&label(&aside));
            let each = &mut |Change { path, kind }| {
                kept.note(&aside, path, &kind);
                ControlFlow::Continue(())
            };
            let _all = aside.visit(each).map_err(unreadable)?;
        }
        Ok(kept)
    }

    fn note(&mut self, aside: &Arc<Aside>, path: WorkspacePath, kind: &ChangeKind) {
        let latest = match kind {
            ChangeKind::File { bytes } if *bytes > MAX_FILE => Latest::LeftOut("too long"),
            ChangeKind::File { bytes } => Latest::Written { aside: Arc::clone(aside), bytes: *bytes },
            ChangeKind::Removed => Latest::Removed,
            ChangeKind::LeftOut => Latest::LeftOut("a link, or a file that steers"),
            ChangeKind::Directory | ChangeKind::Replaced => return,
        };
        if self.files.len() < MOST_FILES || self.files.contains_key(&path) {
            self.files.insert(path, latest);
        } else {
            self.further += 1;
        }
    }
}

fn unreadable(error: std::io::Error) -> Refusal {
    Refusal::new(format!("what was kept apart cannot be read: {error}"))
}

/// Whose the changes are. Nothing that says nothing of it is the owner's.
fn label(aside: &Aside) -> Label {
    serde_json::from_str(&aside.note()).map_or_else(|_| Label::untrusted("an earlier command"), |note: Note| note.label)
}

/// What there is, line by line, and whose it is.
pub(crate) fn listed(jobs: &Jobs, session: &SessionId) -> Result<Option<(String, Label)>, Refusal> {
    let Kept { files, further, label } = Kept::of(jobs, session)?;
    let line = |(path, latest): (&WorkspacePath, &Latest)| match latest {
        Latest::Written { bytes, .. } => format!("\n  wrote {path} ({bytes} bytes)"),
        Latest::Removed => format!("\n  removed {path}"),
        Latest::LeftOut(why) => format!("\n  left out {path}, {why}"),
    };
    let mut lines: String = files.iter().map(line).collect();
    if further > 0 {
        lines.push_str(&format!("\n  and {further} more"));
    }
    let words = "kept apart from the workspace; keep asks the owner to take it over, drop throws it away:";
    Ok(if lines.is_empty() { None } else { Some((format!("{words}{lines}"), label)) })
}

/// What taking all of it over means.
pub(crate) fn planned(files: &Files, jobs: &Jobs, session: &SessionId) -> Result<Action, Refusal> {
    let kept = Kept::of(jobs, session)?;
    let about = |why: &str| Refusal::new(why).about(&kept.label);
    if kept.further > 0 {
        return Err(about(&format!("more than {MOST_FILES} files were changed; remove what is not needed first")));
    }
    let too_much = || about(&format!("more than {} MiB were changed; remove what is not needed first", MOST >> 20));
    let written = kept.files.values().map(|latest| if let Latest::Written { bytes, .. } = latest { *bytes } else { 0 });
    // Nothing is read before it is known how much that will be.
    let mut room = MOST.checked_sub(written.sum()).ok_or_else(too_much)?;
    let mut changes = Vec::new();
    for (path, latest) in &kept.files {
        let after = match latest {
            Latest::Written { aside, .. } => Some(aside.read(path).map_err(unreadable)?),
            Latest::Removed => None,
            Latest::LeftOut(_) => continue,
        };
        let before = match files.workspace.read(path) {
            Ok(content) => Some(content),
            Err(FileError::Missing(_)) => None,
            // What stands there now is nothing that a file may take the place of.
            Err(_) => continue,
        };
        if before != after {
            let bytes = before.as_ref().map_or(0, |before| u64::try_from(before.len()).unwrap_or(u64::MAX));
            room = room.checked_sub(bytes).ok_or_else(too_much)?;
            changes.push(change::planned(path.clone(), before.as_deref(), after)?);
        }
    }
    if changes.is_empty() {
        return Err(about("no file was changed apart from the workspace"));
    }
    Ok(Action::Change(FileChanges { tool: "process keep".to_owned(), changes, label: kept.label }))
}
