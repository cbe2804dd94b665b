//! What commands changed apart from the workspace: shown, and as a change of files that can be judged and made.

use krabba_tool::Refusal;
use krabba_types::{Action, FileChange, FileChanges, FileMode, Label, SessionId, WorkspacePath};
use rustix::fs::Mode;

use crate::apart::{Apart, Changed, Latest, MOST_FILES, unreadable};
use crate::change::MOST;
use crate::files::{Failed, Files};
use crate::workspace::Read;
use crate::{FileError, Jobs, change};

/// How many are named in a refusal.
const MOST_NAMED: usize = 10;

/// What there is, line by line, and whose it is.
pub(crate) fn listed(files: &Files, jobs: &Jobs, session: &SessionId) -> Result<Option<(String, Label)>, Refusal> {
    let kept = Apart::of(&files.workspace, jobs, session, &[])?;
    let line = |(path, changed): (&WorkspacePath, &Changed)| match &changed.latest {
        Latest::Written { bytes, .. } => format!("\n  wrote {path} ({bytes} bytes)"),
        Latest::Removed | Latest::Emptied if kept.goes_along(path) => String::new(),
        Latest::Removed => format!("\n  removed {path}"),
        Latest::Emptied => format!("\n  removed {path}/"),
        Latest::LeftOut(why) => format!("\n  left out {path}, {why}"),
    };
    let mut lines: String = kept.files.iter().map(line).collect();
    if kept.further > 0 {
        lines.push_str(&format!("\n  and {} more", kept.further));
    }
    let words = "kept apart from the workspace; keep asks the owner to take it over, drop throws it away:";
    Ok(if lines.is_empty() { None } else { Some((format!("{words}{lines}"), kept.label)) })
}

/// What taking over means what is at these places and below; nothing for all of it.
pub(crate) fn planned(files: &Files, jobs: &Jobs, session: &SessionId, paths: &[WorkspacePath]) -> Result<Action, Refusal> {
    let kept = Apart::of(&files.workspace, jobs, session, paths)?;
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
    let (mut changes, mut undone, until) = (Vec::new(), Vec::new(), change::until());
    for (path, changed) in &kept.files {
        let Some(Difference { before, after, mode }) = Difference::of(files, path, changed)? else { continue };
        if let Some(Read { bytes, changed: now }) = &before {
            room = room.checked_sub(u64::try_from(bytes.len()).unwrap_or(u64::MAX)).ok_or_else(too_much)?;
            if *now > changed.since {
                undone.push(path.as_str());
                continue;
            }
        }
        let change = change::planned(path.clone(), before.as_ref().map(|read| read.bytes.as_slice()), after, until)?;
        changes.push(FileChange { mode, diff: change::mode_lines(&change, mode) + &change.diff, ..change });
    }
    if !undone.is_empty() {
        let why =
            "changed in the workspace after the command began, and taking its version over would undo that; keep other paths, or drop";
        let further = undone.len().saturating_sub(MOST_NAMED);
        let further = if further == 0 { String::new() } else { format!(" and {further} more") };
        let named: Vec<&str> = undone.into_iter().take(MOST_NAMED).collect();
        return Err(about(format!("{why} {}{further}", named.join(", "))));
    }
    let directories = kept.directories(&files.workspace);
    if changes.is_empty() && directories.is_empty() {
        let place = if paths.is_empty() { "apart from the workspace" } else { "there, apart from the workspace, that could be taken over" };
        return Err(about(format!("no file was changed {place}")));
    }
    Ok(Action::Change(FileChanges { tool: FileChanges::KEEP.to_owned(), changes, directories, label: kept.label }))
}

/// Lets go of what is kept at these places and below, and of the rest where nothing is left of it that could be taken over.
pub(crate) fn let_go(files: &Files, jobs: &Jobs, session: &SessionId, paths: &[WorkspacePath]) -> Result<(), Failed> {
    jobs.undo(session, paths)?;
    let kept = Apart::of(&files.workspace, jobs, session, &[])?;
    let mut left = kept.files.iter().map(|(path, changed)| Ok(Difference::of(files, path, changed)?.is_some()));
    let is_done = kept.directories(&files.workspace).is_empty() && kept.further == 0;
    if is_done && !left.any(|left: Result<bool, Refusal>| left.unwrap_or(true)) {
        jobs.drop_asides(session)?;
    }
    Ok(())
}

/// What taking over a file changes.
struct Difference {
    before: Option<Read>,
    after: Option<Vec<u8>>,
    mode: Option<FileMode>,
}

impl Difference {
    /// `None` where nothing can be taken over, or it is the same.
    fn of(files: &Files, path: &WorkspacePath, changed: &Changed) -> Result<Option<Self>, Refusal> {
        let (after, can_run) = match &changed.latest {
            Latest::Written { aside, .. } => (Some(aside.read(path).map_err(unreadable)?), aside.is_executable(path).map_err(unreadable)?),
            Latest::Removed => (None, false),
            Latest::Emptied | Latest::LeftOut(_) => return Ok(None),
        };
        let before = match files.workspace.read_with_time(path) {
            Ok(read) => Some(read),
            Err(FileError::Missing(_)) => None,
            // What stands there now is nothing that a file may take the place of.
            Err(_) => return Ok(None),
        };
        let could_run = files.workspace.mode(path).ok().flatten().is_some_and(|mode| mode.contains(Mode::XUSR));
        let mode = match (could_run, can_run) {
            (true, true) | (false, false) => None,
            (false, true) => Some(FileMode::Executable),
            (true, false) => Some(FileMode::Plain),
        };
        let mode = mode.filter(|_| after.is_some());
        let is_same = mode.is_none() && before.as_ref().map(|read| &read.bytes) == after.as_ref();
        Ok((!is_same).then_some(Self { before, after, mode }))
    }
}
