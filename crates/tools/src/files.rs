//! The workspace with its labels, as all file tools share it.

use std::collections::HashSet;
use std::error::Error;
use std::sync::Arc;

use krabba_guard::FileLabels;
use krabba_tool::{Outcome, Refusal};
use krabba_types::{Label, Timestamp, WorkspacePath};

use crate::workspace::Read;
use crate::{Replaced, Workspace, WorkspaceSecrets};

/// The workspace, whose its files are, what is secret in them, and where what is taken away from them is kept.
#[derive(Clone, Debug)]
pub(crate) struct Files {
    pub(crate) workspace: Arc<Workspace>,
    pub(crate) labels: FileLabels,
    pub(crate) secrets: WorkspaceSecrets,
    pub(crate) replaced: Replaced,
}

/// A file that was read.
pub(crate) struct Content {
    pub(crate) bytes: Vec<u8>,
    pub(crate) label: Label,
}

impl Files {
    /// A file's content, and whose it is.
    pub(crate) fn read(&self, path: &WorkspacePath) -> Result<Content, Failed> {
        let Read { bytes, changed } = self.workspace.read_with_time(path)?;
        let label = self.label(path, &bytes, changed)?;
        self.secrets.seen(path, &bytes);
        Ok(Content { bytes, label })
    }

    /// Whose a content is. What cannot be told fails: foreign text may not pass for the owner's.
    pub(crate) fn label(&self, path: &WorkspacePath, bytes: &[u8], changed: Timestamp) -> Result<Label, Failed> {
        Ok(self.labels.label_of_file(path, bytes, changed)?)
    }

    /// Whose these names are: foreign where something foreign lies there or below, as whoever wrote it chose the name.
    pub(crate) fn label_of_names(&self, shown: &[WorkspacePath]) -> Result<Label, Failed> {
        let shown: HashSet<&str> = shown.iter().map(WorkspacePath::as_str).collect();
        let is_shown = |path: &str| {
            let ends = path.match_indices('/').map(|(end, _)| end).chain([path.len()]);
            ends.filter_map(|end| path.get(..end)).any(|part| shown.contains(part))
        };
        Ok(self.labels.workspace_label(is_shown)?)
    }
}

impl Files {
    /// The least that stands on whatever is made of files that are there now.
    pub(crate) fn whole_label(&self) -> Result<Label, Failed> {
        let exists = |path: &str| WorkspacePath::parse(path, "/").is_ok_and(|path| self.workspace.is_there(&path));
        Ok(self.labels.workspace_label(exists)?)
    }
}

impl Files {
    /// What came to nothing. That something is there, or is not, or is of another kind, was perhaps somebody else's doing, who can say by
    /// it what they like, bit by bit.
    pub(crate) fn failed(&self, Failed(why): Failed) -> Outcome {
        Outcome { label: self.label_of_failure(), ..Outcome::failed(why) }
    }

    /// The same before anything was done.
    pub(crate) fn refused(&self, why: impl Into<String>) -> Refusal {
        Refusal::new(why).about(&self.label_of_failure())
    }

    fn label_of_failure(&self) -> Label {
        self.whole_label().map_or_else(|_| Label::untrusted("unknown"), |label| label.join(&Label::Minted))
    }
}

/// Why nothing came of it, for the model.
pub(crate) struct Failed(pub(crate) String);

impl<E: Error> From<E> for Failed {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

/// Plans where it may take its time: what a model wants to change may be large.
pub(crate) async fn planned<T: Send + 'static>(work: impl FnOnce() -> Result<T, Refusal> + Send + 'static) -> Result<T, Refusal> {
    match tokio::task::spawn_blocking(work).await {
        Ok(planned) => planned,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_) => Err(Refusal::new("krabba is shutting down")),
    }
}

/// Runs what waits for the disk where it may.
pub(crate) async fn on_disk(files: &Files, work: impl FnOnce(&Files) -> Result<Outcome, Failed> + Send + 'static) -> Outcome {
    let files = files.clone();
    match tokio::task::spawn_blocking(move || work(&files).unwrap_or_else(|failed| files.failed(failed))).await {
        Ok(outcome) => outcome,
        // A panic in there is a bug and stays one; otherwise the runtime is on its way out.
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_) => Outcome::failed("krabba is shutting down"),
    }
}
