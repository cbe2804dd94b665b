//! What commands changed apart from the workspace: shown, and as a change of files that can be judged and made.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use krabba_sandbox::{Aside, Change, ChangeKind};
use krabba_tool::Refusal;
use krabba_types::{Action, FileChanges, Label, SessionId, Timestamp, WorkspacePath};

use crate::files::{Failed, Files};
use crate::jobs::Note;
use crate::workspace::{MAX_FILE, Read};
use crate::{FileError, Jobs, change};

/// What may be taken over at once, in bytes: the owner's yes is bound to all of it.
const MOST: u64 = 32 << 20;

/// And in files. No more are listed, either.
const MOST_FILES: usize = 1_000;

/// How many are named in a refusal.
const MOST_NAMED: usize = 10;

/// What a change is made by that takes something over.
pub(crate) const KEEP: &str = "process keep";

/// What is kept of a conversation's commands, place by place, and whose it is.
struct Kept {
    files: BTreeMap<WorkspacePath, Changed>,
    /// How many changes there are beyond those.
    further: usize,
    label: Label,
}

/// A file that was changed.
struct Changed {
    latest: Latest,
    /// When the first command began that changed it, which saw the workspace as it was then or later.
    since: Timestamp,
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
    /// What is at these places and below; nothing for all places.
    fn of(jobs: &Jobs, session: &SessionId, paths: &[WorkspacePath]) -> Result<Self, Refusal> {
        let is_meant =
            |path: &WorkspacePath| paths.is_empty() || paths.iter().any(|above| Path::new(path.as_str()).starts_with(above.as_str()));
        let mut kept = Self { files: BTreeMap::new(), further: 0, label: Label::Minted };
        for aside in jobs.asides(session).into_iter().rev() {
            let Note { label, from, .. } = note(&aside);
            kept.label = kept.label.join(&label);
            let each = &mut |Change { path, kind }| {
                if is_meant(&path) {
                    kept.add(&aside, from, path, &kind);
                }
                ControlFlow::Continue(())
            };
            let _all = aside.visit(each).map_err(unreadable)?;
        }
        Ok(kept)
    }

    fn add(&mut self, aside: &Arc<Aside>, from: Option<Timestamp>, path: WorkspacePath, kind: &ChangeKind) {
        let latest = match kind {
            ChangeKind::File { bytes } if *bytes > MAX_FILE => Latest::LeftOut("too long"),
            ChangeKind::File { bytes } => Latest::Written { aside: Arc::clone(aside), bytes: *bytes },
            ChangeKind::Removed => Latest::Removed,
            ChangeKind::LeftOut => Latest::LeftOut("a link, or a file that steers"),
            ChangeKind::Directory | ChangeKind::Replaced => return,
        };
        if let Some(changed) = self.files.get_mut(&path) {
            changed.latest = latest;
        } else if self.files.len() < MOST_FILES {
            // Where nobody noted it, the difference that the owner is shown has to tell.
            self.files.insert(path, Changed { latest, since: from.unwrap_or(Timestamp(i64::MAX)) });
        } else {
            self.further += 1;
        }
    }
}

fn unreadable(error: std::io::Error) -> Refusal {
    Refusal::new(format!("what was kept apart cannot be read: {error}"))
}

/// What is known of changes. Nothing that says nothing of it is the owner's.
pub(crate) fn note(aside: &Aside) -> Note {
    let unknown = |_| Note { command: String::new(), label: Label::untrusted("an earlier command"), from: None };
    serde_json::from_str(&aside.note()).unwrap_or_else(unknown)
}

/// What there is, line by line, and whose it is.
pub(crate) fn listed(jobs: &Jobs, session: &SessionId) -> Result<Option<(String, Label)>, Refusal> {
    let Kept { files, further, label } = Kept::of(jobs, session, &[])?;
    let line = |(path, changed): (&WorkspacePath, &Changed)| match &changed.latest {
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

/// What taking over means what is at these places and below; nothing for all of it.
pub(crate) fn planned(files: &Files, jobs: &Jobs, session: &SessionId, paths: &[WorkspacePath]) -> Result<Action, Refusal> {
    let kept = Kept::of(jobs, session, paths)?;
    // What lies there was named by whoever had a say.
    let about = |why: String| Refusal::new(why).about(&kept.label);
    let fewer = "take over some of them, by paths, or drop what is not needed";
    if kept.further > 0 {
        return Err(about(format!("more than {MOST_FILES} files were changed; {fewer}")));
    }
    let too_much = || about(format!("more than {} MiB were changed; {fewer}", MOST >> 20));
    let written = kept.files.values().map(|changed| if let Latest::Written { bytes, .. } = changed.latest { bytes } else { 0 });
    // Nothing is read before it is known how much that will be.
    let mut room = MOST.checked_sub(written.sum()).ok_or_else(too_much)?;
    let (mut changes, mut undone) = (Vec::new(), Vec::new());
    for (path, changed) in &kept.files {
        let Some(Difference { before, after }) = Difference::of(files, path, changed)? else { continue };
        if let Some(Read { bytes, changed: now }) = &before {
            room = room.checked_sub(u64::try_from(bytes.len()).unwrap_or(u64::MAX)).ok_or_else(too_much)?;
            if *now > changed.since {
                undone.push(path.as_str());
                continue;
            }
        }
        changes.push(change::planned(path.clone(), before.as_ref().map(|read| read.bytes.as_slice()), after)?);
    }
    if !undone.is_empty() {
        let why =
            "changed in the workspace after the command began, and taking its version over would undo that; keep other paths, or drop";
        let further = undone.len().saturating_sub(MOST_NAMED);
        let further = if further == 0 { String::new() } else { format!(" and {further} more") };
        let named: Vec<&str> = undone.into_iter().take(MOST_NAMED).collect();
        return Err(about(format!("{why} {}{further}", named.join(", "))));
    }
    if changes.is_empty() {
        let place = if paths.is_empty() { "apart from the workspace" } else { "there, apart from the workspace, that could be taken over" };
        return Err(about(format!("no file was changed {place}")));
    }
    Ok(Action::Change(FileChanges { tool: KEEP.to_owned(), changes, label: kept.label }))
}

/// Lets go of what is kept at these places and below, and of the rest where nothing is left of it that could be taken over.
pub(crate) fn let_go(files: &Files, jobs: &Jobs, session: &SessionId, paths: &[WorkspacePath]) -> Result<(), Failed> {
    jobs.undo(session, paths)?;
    let kept = Kept::of(jobs, session, &[])?;
    let mut left = kept.files.iter().map(|(path, changed)| Ok(Difference::of(files, path, changed)?.is_some()));
    if kept.further == 0 && !left.any(|left: Result<bool, Refusal>| left.unwrap_or(true)) {
        jobs.drop_asides(session);
    }
    Ok(())
}

/// What taking over a file changes.
struct Difference {
    before: Option<Read>,
    after: Option<Vec<u8>>,
}

impl Difference {
    /// `None` where nothing can be taken over, or it is the same.
    fn of(files: &Files, path: &WorkspacePath, changed: &Changed) -> Result<Option<Self>, Refusal> {
        let after = match &changed.latest {
            Latest::Written { aside, .. } => Some(aside.read(path).map_err(unreadable)?),
            Latest::Removed => None,
            Latest::LeftOut(_) => return Ok(None),
        };
        let before = match files.workspace.read_with_time(path) {
            Ok(read) => Some(read),
            Err(FileError::Missing(_)) => None,
            // What stands there now is nothing that a file may take the place of.
            Err(_) => return Ok(None),
        };
        let is_same = before.as_ref().map(|read| &read.bytes) == after.as_ref();
        Ok((!is_same).then_some(Self { before, after }))
    }
}
