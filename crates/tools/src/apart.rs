//! What is kept of a conversation's commands apart from the workspace, place by place.
//!
//! A command sees what those before it left, so that its changes lie over theirs. The kernel notes a directory that is gone, or was made
//! anew, as a single change at its place. What that takes away is what the workspace holds there now, file by file: only so can it be
//! shown, and done, and found out that somebody has changed it meanwhile.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use krabba_sandbox::{Aside, Change, ChangeKind};
use krabba_tool::Refusal;
use krabba_types::{Label, SessionId, Timestamp, WorkspacePath};

use crate::jobs::Note;
use crate::workspace::{Kind, MAX_FILE};
use crate::{Jobs, Workspace};

/// As many files are taken over at once. No more are listed, either.
pub(crate) const MOST_FILES: usize = 1_000;

/// How many entries are looked at in directories that are gone.
const MOST_LOOKS: usize = 20_000;

/// What is kept, and whose it is.
pub(crate) struct Apart {
    pub(crate) files: BTreeMap<WorkspacePath, Changed>,
    /// How many changes there are beyond those.
    pub(crate) further: usize,
    pub(crate) label: Label,
}

/// A file that was changed, or a directory that is gone.
pub(crate) struct Changed {
    pub(crate) latest: Latest,
    /// When the first command began that changed it, which saw the workspace as it was then or later.
    pub(crate) since: Timestamp,
}

/// What became of it.
pub(crate) enum Latest {
    /// The file has another content, so many bytes.
    Written {
        aside: Arc<Aside>,
        bytes: u64,
    },
    Removed,
    /// The workspace has a directory there, which goes with all that is in it.
    Emptied,
    /// Why it cannot be taken over.
    LeftOut(&'static str),
}

impl Apart {
    /// What is at these places and below; nothing for all places.
    pub(crate) fn of(workspace: &Workspace, jobs: &Jobs, session: &SessionId, paths: &[WorkspacePath]) -> Result<Self, Refusal> {
        let apart = Self { files: BTreeMap::new(), further: 0, label: Label::Minted };
        let mut gathering = Gathering { workspace, paths, looks: MOST_LOOKS, apart };
        for aside in jobs.asides(session).into_iter().rev() {
            let Note { label, from, .. } = note(&aside);
            gathering.apart.label = gathering.apart.label.join(&label);
            // Where nobody noted it, the difference that the owner is shown has to tell.
            let from = from.unwrap_or(Timestamp(i64::MAX));
            let each = &mut |Change { path, kind }| {
                gathering.add(&aside, from, path, &kind);
                ControlFlow::Continue(())
            };
            let _all = aside.visit(each).map_err(unreadable)?;
        }
        Ok(gathering.apart)
    }

    /// The directories that go with all that is in them, the deepest first. One in which something stays is none of them.
    pub(crate) fn directories(&self, workspace: &Workspace) -> Vec<WorkspacePath> {
        let stays = |(path, changed): &(&WorkspacePath, &Changed)| match changed.latest {
            Latest::LeftOut(_) => workspace.is_there(path),
            // What is no plain file, or too long to be kept for the owner, is not removed.
            Latest::Removed => workspace.is_there(path) && workspace.file(path).is_err(),
            Latest::Written { .. } | Latest::Emptied => false,
        };
        let staying: Vec<&WorkspacePath> = self.files.iter().filter(stays).map(|(path, _)| path).collect();
        let goes = |path: &&WorkspacePath| workspace.is_directory(path) && !staying.iter().any(|stays| is_below(stays, path));
        let emptied = self.files.iter().filter(|(_, changed)| matches!(changed.latest, Latest::Emptied)).map(|(path, _)| path);
        emptied.filter(goes).rev().cloned().collect()
    }

    /// Whether it goes with a directory that is named itself.
    pub(crate) fn goes_along(&self, path: &WorkspacePath) -> bool {
        let above = path.as_str().match_indices('/').filter_map(|(end, _)| WorkspacePath::parse(path.as_str().get(..end)?, "/").ok());
        above.filter_map(|above| self.files.get(&above)).any(|above| matches!(above.latest, Latest::Emptied))
    }
}

pub(crate) fn unreadable(error: std::io::Error) -> Refusal {
    Refusal::new(format!("what was kept apart cannot be read: {error}"))
}

/// What is known of changes. Nothing that says nothing of it is the owner's.
pub(crate) fn note(aside: &Aside) -> Note {
    let unknown = |_| Note { command: String::new(), label: Label::untrusted("an earlier command"), from: None };
    serde_json::from_str(&aside.note()).unwrap_or_else(unknown)
}

/// Whether it is there or below.
fn is_below(path: &WorkspacePath, above: &WorkspacePath) -> bool {
    Path::new(path.as_str()).starts_with(above.as_str())
}

/// The changes of one command after the other.
struct Gathering<'g> {
    workspace: &'g Workspace,
    paths: &'g [WorkspacePath],
    /// How many entries may still be looked at.
    looks: usize,
    apart: Apart,
}

impl Gathering<'_> {
    fn add(&mut self, aside: &Arc<Aside>, from: Timestamp, path: WorkspacePath, kind: &ChangeKind) {
        let latest = match kind {
            ChangeKind::File { bytes } if *bytes > MAX_FILE => Latest::LeftOut("too long"),
            ChangeKind::File { bytes } => Latest::Written { aside: Arc::clone(aside), bytes: *bytes },
            ChangeKind::LeftOut => Latest::LeftOut("a link, or a file that steers"),
            ChangeKind::Removed if self.workspace.is_directory(&path) => Latest::Emptied,
            ChangeKind::Removed => Latest::Removed,
            ChangeKind::Directory => {
                self.apart.files.remove(&path);
                return;
            }
            ChangeKind::Replaced => {
                self.apart.files.remove(&path);
                let earlier = self.covered(&path);
                return self.empty(aside, from, path, &earlier);
            }
        };
        let earlier = self.covered(&path);
        if matches!(latest, Latest::Emptied) {
            self.empty(aside, from, path.clone(), &earlier);
        }
        self.put(path, latest, from);
    }

    /// What earlier commands left below a place, which nobody sees any more.
    fn covered(&mut self, place: &WorkspacePath) -> BTreeMap<WorkspacePath, Changed> {
        let from_there = self.apart.files.range(place.clone()..).map(|(path, _)| path);
        let alike = from_there.take_while(|path| path.as_str().starts_with(place.as_str()));
        let below: Vec<WorkspacePath> = alike.filter(|path| *path != place && is_below(path, place)).cloned().collect();
        below.into_iter().filter_map(|path| self.apart.files.remove_entry(&path)).collect()
    }

    /// Everything goes that the workspace has in a directory.
    fn empty(&mut self, aside: &Aside, from: Timestamp, directory: WorkspacePath, earlier: &BTreeMap<WorkspacePath, Changed>) {
        let is_meant = self.is_meant(&directory) || self.paths.iter().any(|meant| is_below(meant, &directory));
        if !is_meant || !self.workspace.is_directory(&directory) {
            return;
        }
        let mut unseen = vec![directory];
        while let Some(directory) = unseen.pop() {
            let mut entries = Vec::new();
            let looks = &mut self.looks;
            // What cannot be listed stays, and its directory with it.
            let _all = self.workspace.each(&directory, |name, kind| {
                let Some(left) = looks.checked_sub(1) else { return ControlFlow::Break(()) };
                *looks = left;
                entries.extend(directory.join(name).map(|path| (path, kind)));
                ControlFlow::Continue(())
            });
            for (path, kind) in entries {
                let latest = match kind {
                    _ if aside.steers(&path) => Latest::LeftOut("a file that steers"),
                    Kind::File | Kind::Link => Latest::Removed,
                    Kind::Directory => Latest::Emptied,
                    Kind::Other => Latest::LeftOut("no file"),
                };
                if matches!(latest, Latest::Emptied) {
                    unseen.push(path.clone());
                }
                let since = earlier.get(&path).map_or(from, |earlier| earlier.since);
                self.put(path, latest, since);
            }
        }
        if self.looks == 0 {
            self.apart.further += 1;
        }
    }

    fn put(&mut self, path: WorkspacePath, latest: Latest, since: Timestamp) {
        if !self.is_meant(&path) {
            return;
        }
        if let Some(changed) = self.apart.files.get_mut(&path) {
            changed.latest = latest;
        } else if self.apart.files.len() < MOST_FILES {
            self.apart.files.insert(path, Changed { latest, since });
        } else {
            self.apart.further += 1;
        }
    }

    fn is_meant(&self, path: &WorkspacePath) -> bool {
        self.paths.is_empty() || self.paths.iter().any(|above| is_below(path, above))
    }
}
