//! Whose the files of one workspace are.
//!
//! A file that nothing is known about is the owner's: they put it into their workspace. What comes in through krabba is noted
//! before it is written, by its place and its content, so that foreign text cannot wash itself clean on the disk.
//!
//! What a command writes nobody sees. One that could read foreign files leaves the time it ran: a file whose inode was changed
//! in that time may hold what they held, in other words. (No command can set that time, and a later one that touches the file
//! leaves its own.)

use std::sync::Arc;

use krabba_store::{FileLabel, Store, StoreError};
use krabba_types::{Label, Timestamp, WorkspacePath};

/// Where commands are noted: no place of a workspace has empty parts.
const COMMANDS: &str = "//commands";

/// How far a file system's clock may be from ours, in milliseconds.
const COARSE: i64 = 1_000;

/// Labels of the files of one workspace.
#[derive(Clone, Debug)]
pub struct FileLabels {
    store: Arc<Store>,
    workspace: String,
}

/// BLAKE3 of a content, in hex.
pub fn content_hash(content: &[u8]) -> String {
    blake3::hash(content).to_hex().to_string()
}

impl FileLabels {
    /// Those of the workspace whose root is known as `workspace`.
    pub fn new(store: Arc<Store>, workspace: impl Into<String>) -> Self {
        Self { store, workspace: workspace.into() }
    }

    /// Notes whose the content is that is about to be written. To be called before the write.
    ///
    /// # Errors
    /// What the store may meet; nothing may be written then.
    pub fn label_file(&self, path: &WorkspacePath, content: &[u8], label: &Label) -> Result<(), StoreError> {
        let file = FileLabel { path: path.as_str().to_owned(), content: content_hash(content), label: label.clone() };
        // Most files are the owner's, and stay so: nothing to note, nothing to wait for.
        if label.is_own() && self.file_label(path, content)?.is_own() {
            return Ok(());
        }
        self.store.label_file(&self.workspace, &file)
    }

    /// Notes that a command ran which could read whatever `label` stands on. To be called when it has ended, before anything that
    /// it wrote is read.
    ///
    /// # Errors
    /// What the store may meet; nothing of the workspace may be read then.
    pub fn command_ran(&self, from: Timestamp, until: Timestamp, label: &Label) -> Result<(), StoreError> {
        if label.is_own() {
            return Ok(());
        }
        let file = FileLabel { path: COMMANDS.to_owned(), content: format!("{} {}", from.0, until.0), label: label.clone() };
        self.store.label_file(&self.workspace, &file)
    }

    /// Whose a file is that holds `content` now, and whose inode was changed last at `changed`.
    ///
    /// # Errors
    /// What the store may meet.
    pub fn label_of_file(&self, path: &WorkspacePath, content: &[u8], changed: Timestamp) -> Result<Label, StoreError> {
        let mut label = self.file_label(path, content)?;
        for ran in self.store.labels_of_path(&self.workspace, COMMANDS)? {
            let Some((from, until)) = ran.content.split_once(' ') else { continue };
            let (Ok(from), Ok(until)) = (from.parse::<i64>(), until.parse::<i64>()) else { continue };
            if (from.saturating_sub(COARSE)..=until.saturating_add(COARSE)).contains(&changed.0) {
                label = label.join(&ran.label);
            }
        }
        Ok(label)
    }

    /// Whose a file is that holds `content` now, as far as place and content tell.
    ///
    /// # Errors
    /// What the store may meet.
    pub fn file_label(&self, path: &WorkspacePath, content: &[u8]) -> Result<Label, StoreError> {
        let content = if content.is_empty() { None } else { Some(content_hash(content)) };
        let mut label = Label::Minted;
        if let Some(last) = self.store.label_of_path(&self.workspace, path.as_str())? {
            label = label.join(&last.label);
        }
        if let Some(content) = content {
            for same in self.store.labels_of_content(&self.workspace, &content)? {
                label = label.join(&same.label);
            }
        }
        Ok(label)
    }

    /// The join over all files that `exists` says are still there: the least that stands on what a command says, which may have
    /// read any of them.
    ///
    /// # Errors
    /// What the store may meet.
    pub fn workspace_label(&self, exists: impl Fn(&str) -> bool) -> Result<Label, StoreError> {
        let files = self.store.labels_of_workspace(&self.workspace)?;
        let foreign = files.iter().filter(|file| !file.label.is_own() && file.path != COMMANDS && exists(&file.path));
        Ok(foreign.fold(Label::Minted, |label, file| label.join(&file.label)))
    }

    /// Notes that a file is gone. Its content stays known.
    ///
    /// # Errors
    /// What the store may meet.
    pub fn removed(&self, path: &WorkspacePath) -> Result<(), StoreError> {
        self.store.forget_path(&self.workspace, path.as_str())
    }
}
