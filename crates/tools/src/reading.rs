//! What a command may have read, and what became of it.
//!
//! A command sees every file, and nobody sees what it does with them. So the least that stands on what it says and writes is the join
//! of all foreign files that were there at any time while it ran. That is noted before it starts, until the time at which it is
//! ended at the latest, so that a crash washes nothing clean, and whoever brings in something foreign meanwhile adds to it; and when it
//! has ended, each file that was changed meanwhile is labelled by its place and content, before anybody hears of the end.

use std::collections::HashSet;
use std::ops::{ControlFlow, RangeInclusive};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use krabba_guard::{ControlFiles, Course, FileLabels, Ran, Reach, content_hash};
use krabba_sandbox::{Limit, Missing, Protected};
use krabba_store::FileLabel;
use krabba_types::{Clock as _, Label, SystemClock, Timestamp, WorkspacePath};
use uuid::Uuid;

use crate::files::{Failed, Files};
use crate::workspace::{Entry, Kind, MAX_FILE};
use crate::{FileError, Workspace};

/// How far the clock of a file system may be behind ours: two ticks of a slow kernel, and something.
const TICK: Duration = Duration::from_millis(50);

/// How much is looked through after a command; beyond it the whole workspace counts as written by it.
const MOST_ENTRIES: usize = 200_000;
const MOST_CHANGED: usize = 50_000;
const MOST_BYTES: u64 = 1 << 30;
const DEEPEST: usize = 256;

/// Stands for the content of what is no file, or too long to be read.
const NO_CONTENT: &str = "-";

/// Where that comes from which a command may have written.
const A_COMMAND: &str = "a command";

/// Whether a command's changes are apart from the workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Changes {
    Apart,
    InPlace,
}

/// What a command may do, as far as labels go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// How long it runs at most.
    pub(crate) limit: Duration,
    pub(crate) changes: Changes,
    pub(crate) reach: Reach,
}

/// A command that runs, as far as labels go.
pub(crate) struct Reading {
    files: Files,
    id: String,
    pub(crate) from: Timestamp,
    bounds: Bounds,
    /// Foreign files that were gone before it began.
    gone: HashSet<(String, String)>,
    noted: Mutex<Label>,
}

impl Reading {
    /// Notes that a command begins, which is made from `label`.
    pub(crate) fn begin(files: &Files, label: &Label, bounds: Bounds) -> Result<Self, Failed> {
        let from = SystemClock.now();
        catch_up(files, from)?;
        let (id, noted) = (Uuid::new_v4().simple().to_string(), Mutex::new(Label::Minted));
        let mut reading = Self { files: files.clone(), id, from, bounds, gone: HashSet::new(), noted };
        // Before it is looked what there is: what comes in from here on is added by whoever brings it in.
        reading.note(&Label::Minted)?;
        if let Err(why) = reading.look_around(label) {
            reading.forget()?;
            return Err(why);
        }
        Ok(reading)
    }

    fn look_around(&mut self, label: &Label) -> Result<(), Failed> {
        let rows = self.files.labels.foreign()?.into_iter();
        self.gone = rows.filter(|row| !is_there(&self.files.workspace, row)).map(|row| (row.path, row.content)).collect();
        self.add(label).map(drop)
    }

    /// The least that stands on what it has said until now.
    pub(crate) fn label(&self) -> Result<Label, Failed> {
        self.add(&Label::Minted)
    }

    /// The same, when it gets `label` to read as well.
    pub(crate) fn add(&self, label: &Label) -> Result<Label, Failed> {
        let rows = self.files.labels.foreign()?;
        let read = rows.iter().filter(|row| self.may_have_read(row)).map(|row| &row.label);
        let mut noted = self.noted();
        let label = Label::join_all(read.chain([&*noted, label]));
        if label != *noted {
            self.note(&label)?;
        }
        noted.clone_from(&label);
        Ok(label)
    }

    /// What is kept apart is in nobody's way until it is taken over, with its label; but it may leave.
    fn note(&self, label: &Label) -> Result<(), Failed> {
        let Bounds { limit, changes, reach } = self.bounds;
        let course = match (changes, reach) {
            (Changes::InPlace, _) => Course::Runs,
            (Changes::Apart, Reach::Hosts) => Course::RunsApart,
            (Changes::Apart, Reach::Here) => return Ok(()),
        };
        let (id, until) = (self.id.clone(), self.from.plus(limit));
        Ok(self.files.labels.command(&Ran { id, from: self.from, until, label: label.clone(), reach, course })?)
    }

    /// Takes back that it began, where nothing came of it.
    pub(crate) fn forget(&self) -> Result<(), Failed> {
        Ok(self.files.labels.forget_command(&self.id)?)
    }

    fn noted(&self) -> MutexGuard<'_, Label> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn may_have_read(&self, row: &FileLabel) -> bool {
        is_there(&self.files.workspace, row) || !self.gone.contains(&(row.path.clone(), row.content.clone()))
    }

    /// Labels what it changed, once it has ended, by a limit or not. Where that fails, what was noted at the beginning stays.
    pub(crate) fn end(&self, limit: Option<Limit>) -> Result<(), Failed> {
        let label = self.label()?;
        if limit == Some(Limit::Protection) && self.bounds.changes == Changes::InPlace {
            let (id, from, until, reach) = (self.id.clone(), self.from, SystemClock.now(), self.bounds.reach);
            label_unprotected(&self.files, &Ran { id, from, until, label: label.clone(), reach, course: Course::Over })?;
        }
        let noted = self.files.labels.unfinished()?.into_iter().find(|ran| ran.id == self.id);
        let Some(noted) = noted.filter(|ran| ran.course == Course::Runs && !label.is_own()) else { return self.forget() };
        let rows = self.files.labels.foreign()?;
        let moved = rows.iter().any(|row| self.may_have_read(row) && !is_there(&self.files.workspace, row));
        let over = Ran { until: SystemClock.now(), label, course: Course::Over, ..noted };
        label_changed(&self.files, &over, moved)?;
        Ok(self.files.labels.command(&over)?)
    }
}

/// Labels what commands changed whose end nobody saw.
fn catch_up(files: &Files, now: Timestamp) -> Result<(), Failed> {
    for ran in files.labels.unfinished()?.into_iter().filter(|ran| ran.until < now) {
        if ran.label.is_own() || ran.course == Course::RunsApart {
            files.labels.forget_command(&ran.id)?;
            continue;
        }
        label_changed(files, &ran, true)?;
        files.labels.command(&Ran { course: Course::Over, ..ran })?;
    }
    Ok(())
}

/// Labels what was changed while a command ran; and where something foreign was `moved`, all that holds what something foreign held.
fn label_changed(files: &Files, ran: &Ran, moved: bool) -> Result<(), Failed> {
    let (label, time) = (&ran.label, ran.from.minus(TICK)..=ran.until.plus(TICK));
    let known = files.labels.foreign()?;
    let protected = Protected::usual().into_iter().map(|protected| protected.path).collect();
    let mut found = Found { files, time, moved, label, rows: Vec::new(), left: MOST_ENTRIES, bytes: 0, known, protected };
    match found.directory(&WorkspacePath::root(), 0)? {
        ControlFlow::Continue(()) => Ok(files.labels.label_made(found.rows)?),
        ControlFlow::Break(()) => Ok(files.labels.label_everything(label)?),
    }
}

/// Labels what was changed in protected places while a command ran that lost their protection: that may be its work, or the owner's,
/// who replaced something there. Nobody can tell, so it is followed only when the owner has changed it again.
fn label_unprotected(files: &Files, ran: &Ran) -> Result<(), Failed> {
    let (label, time) = (ran.label.join(&Label::untrusted(A_COMMAND)), ran.from.minus(TICK)..=ran.until.plus(TICK));
    let mut found = Found {
        files,
        time,
        moved: false,
        label: &label,
        rows: Vec::new(),
        left: MOST_ENTRIES,
        bytes: 0,
        known: Vec::new(),
        protected: Vec::new(),
    };
    let protected = Protected::usual();
    for Protected { path, .. } in &protected {
        let flow = if files.workspace.list(path).is_ok() { found.directory(path, 0)? } else { found.entry(path, Kind::File)? };
        if flow.is_break() {
            return Ok(files.labels.label_everything(&label)?);
        }
    }
    let mut rows = found.rows;
    // What only stands in for a missing file is nobody's.
    let stands_in = |row: &FileLabel, protected: &Protected| match protected.missing {
        Missing::File(content) => row.path == protected.path.as_str() && row.content == content_hash(content.as_bytes()),
        Missing::Directory | Missing::Nothing => false,
    };
    rows.retain(|row| row.content != NO_CONTENT && !protected.iter().any(|protected| stands_in(row, protected)));
    // What a file tool wrote meanwhile is known.
    let mut unknown = Vec::new();
    for row in rows {
        if !files.labels.is_ours(&row)? {
            unknown.push(row);
        }
    }
    let rows = unknown;
    if ran.label.is_own() { Ok(files.labels.keep_from_steering(rows)?) } else { Ok(files.labels.label_made(rows)?) }
}

fn is_there(workspace: &Workspace, row: &FileLabel) -> bool {
    FileLabels::is_everything(row) || WorkspacePath::parse(&row.path, "/").is_ok_and(|path| workspace.is_there(&path))
}

/// Looks for what a command changed, and for foreign contents that it moved.
struct Found<'f> {
    files: &'f Files,
    time: RangeInclusive<Timestamp>,
    /// Whether something foreign is not where it was.
    moved: bool,
    label: &'f Label,
    rows: Vec<FileLabel>,
    left: usize,
    bytes: u64,
    /// What was foreign before.
    known: Vec<FileLabel>,
    /// What no command can change.
    protected: Vec<WorkspacePath>,
}

impl Found<'_> {
    /// Breaks off when there is too much.
    fn directory(&mut self, at: &WorkspacePath, depth: usize) -> Result<ControlFlow<()>, Failed> {
        let workspace = &self.files.workspace;
        let changed = workspace.changed(at).is_ok_and(|(changed, _)| self.time.contains(&changed));
        let (entries, odd) = match (workspace.list(at), workspace.odd_may_have_changed(at, &self.time)) {
            (Ok(entries), Ok(odd)) => (entries, odd),
            (Err(FileError::Missing(_)), _) | (_, Err(FileError::Missing(_))) => return Ok(ControlFlow::Continue(())),
            (Err(_), _) | (_, Err(_)) if !changed && workspace.is_closed(at) => return Ok(ControlFlow::Continue(())),
            // What cannot be seen may be anything, if it was there before or not.
            (Err(_), _) | (_, Err(_)) => return Ok(ControlFlow::Break(())),
        };
        // Neither can what has no name be labelled.
        if odd {
            return Ok(ControlFlow::Break(()));
        }
        if entries.is_empty() && changed && self.is_new(at) {
            self.note(at, NO_CONTENT.to_owned(), self.label.clone());
        }
        for Entry { name, kind } in entries {
            let Ok(path) = at.join(&name) else { continue };
            // What steers stands there read-only for every command; it is the owner who changes it meanwhile.
            if self.protected.contains(&path) {
                continue;
            }
            self.left = self.left.saturating_sub(1);
            if self.left == 0 || self.rows.len() > MOST_CHANGED || self.bytes > MOST_BYTES || depth > DEEPEST {
                return Ok(ControlFlow::Break(()));
            }
            match kind {
                Kind::Directory => {
                    if self.directory(&path, depth + 1)?.is_break() {
                        return Ok(ControlFlow::Break(()));
                    }
                }
                Kind::File | Kind::Link | Kind::Other => {
                    if self.entry(&path, kind)?.is_break() {
                        return Ok(ControlFlow::Break(()));
                    }
                }
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Whether nothing says that a directory had its name before: what is empty now may have been emptied, or stand in for something
    /// that is protected.
    fn is_new(&self, directory: &WorkspacePath) -> bool {
        let below = |row: &FileLabel| row.path.strip_prefix(directory.as_str()).is_some_and(|rest| rest.starts_with('/'));
        !ControlFiles::holds(directory) && !self.known.iter().any(below)
    }

    fn entry(&mut self, path: &WorkspacePath, kind: Kind) -> Result<ControlFlow<()>, Failed> {
        let Ok((changed, size)) = self.files.workspace.changed(path) else { return Ok(ControlFlow::Continue(())) };
        let is_changed = self.time.contains(&changed);
        if !(is_changed || self.moved && kind == Kind::File) {
            return Ok(ControlFlow::Continue(()));
        }
        // Too long to be compared.
        if !is_changed && size > MAX_FILE {
            return Ok(ControlFlow::Break(()));
        }
        self.bytes = self.bytes.saturating_add(size);
        let content = if kind == Kind::File { self.files.workspace.read(path).ok() } else { None };
        let hash = content.filter(|content| !content.is_empty()).map(|content| content_hash(&content));
        if is_changed {
            self.note(path, hash.unwrap_or_else(|| NO_CONTENT.to_owned()), self.label.clone());
        } else if let Some(hash) = hash {
            let label = self.files.labels.label_of_content(&hash)?;
            if !label.is_own() {
                self.note(path, hash, label);
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn note(&mut self, path: &WorkspacePath, content: String, label: Label) {
        self.rows.push(FileLabel { path: path.as_str().to_owned(), content, label });
    }
}
