//! Whose the files of one workspace are.
//!
//! A file that nothing is known about is the owner's: they put it into their workspace. What comes in through krabba is noted
//! before it is written, by its place and its content, so that foreign text cannot wash itself clean on the disk.
//!
//! What a command writes nobody sees. One that could read foreign files leaves the time it runs: a file whose inode was changed
//! in that time may hold what they held, in other words. (No command can set that time, and a later one that touches the file
//! leaves its own.) Whoever starts commands labels what they changed when they have ended.

use std::sync::Arc;

use krabba_store::{FileLabel, Store, StoreError};
use krabba_types::{Label, Timestamp, WorkspacePath};

/// Where commands are noted: no place of a workspace has empty parts.
const COMMANDS: &str = "//commands/";

/// Before the places of what commands wrote: unlike with what we write ourselves, another content there is the owner's.
const MADE: &str = "//made/";

/// Before the places of what may be a command's where only the owner steers. No command becomes foreign by it.
const STEERING: &str = "//steering/";

/// Where it is noted that a command may have written anything anywhere.
const EVERYTHING: &str = "//everything";

/// How the notes of commands end.
const RUNS: &str = "runs";
const OVER: &str = "over";

/// How far a file system's clock may be from ours, in milliseconds.
const COARSE: i64 = 1_000;

/// Labels of the files of one workspace.
#[derive(Clone, Debug)]
pub struct FileLabels {
    store: Arc<Store>,
    workspace: String,
}

/// A command that could read something foreign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ran {
    /// Its name, a single word that no other command has.
    pub id: String,
    /// When it began.
    pub from: Timestamp,
    /// When it was over; while it runs, when it is at the latest.
    pub until: Timestamp,
    /// What it could read.
    pub label: Label,
    /// How it stands.
    pub course: Course,
}

/// How a command stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Course {
    /// It runs, or nobody has looked yet at what it changed.
    Runs,
    /// What it changed is labelled.
    Over,
}

impl Ran {
    fn of(file: FileLabel) -> Option<Self> {
        let mut words = file.content.split(' ');
        let (from, until) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        let course = if words.next() == Some(OVER) { Course::Over } else { Course::Runs };
        let id = file.path.strip_prefix(COMMANDS)?.to_owned();
        Some(Self { id, from: Timestamp(from), until: Timestamp(until), label: file.label, course })
    }
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

    /// Notes that a command runs, or ran, which can read whatever its label stands on. To be called before it begins, with the time at
    /// which it is over at the latest, and when all that it changed is labelled. What is said last of a command counts.
    ///
    /// # Errors
    /// What the store may meet; the command may not begin then.
    pub fn command(&self, ran: &Ran) -> Result<(), StoreError> {
        if ran.label.is_own() {
            return Ok(());
        }
        let Ran { id, from, until, label, course } = ran;
        let content = format!("{} {} {}", from.0, until.0, if *course == Course::Over { OVER } else { RUNS });
        self.store.label_file(&self.workspace, &FileLabel { path: format!("{COMMANDS}{id}"), content, label: label.clone() })
    }

    /// The commands of which it is not known what they changed, because nobody was there when they ended, or they run.
    ///
    /// # Errors
    /// What the store may meet.
    pub fn unfinished(&self) -> Result<Vec<Ran>, StoreError> {
        let mut all = self.commands()?;
        all.retain(|ran| ran.course == Course::Runs);
        Ok(all)
    }

    fn commands(&self) -> Result<Vec<Ran>, StoreError> {
        Ok(self.store.labels_below(&self.workspace, COMMANDS)?.into_iter().filter_map(Ran::of).collect())
    }

    /// Notes whose the files are that a command wrote or moved.
    ///
    /// # Errors
    /// What the store may meet; nothing of the workspace may be read then.
    pub fn label_made(&self, mut files: Vec<FileLabel>) -> Result<(), StoreError> {
        files.iter_mut().for_each(|file| file.path.insert_str(0, MADE));
        if files.is_empty() { Ok(()) } else { self.store.label_files(&self.workspace, &files) }
    }

    /// Notes whose the contents are that stand where only the owner steers and may be a command's. They are not followed as the owner's
    /// words; another content there is. For commands of the owner's own alone: what others made is told to [`FileLabels::label_made`].
    ///
    /// # Errors
    /// What the store may meet.
    pub fn keep_from_steering(&self, mut files: Vec<FileLabel>) -> Result<(), StoreError> {
        files.iter_mut().for_each(|file| file.path.insert_str(0, STEERING));
        if files.is_empty() { Ok(()) } else { self.store.label_files(&self.workspace, &files) }
    }

    /// Notes that any file may be made from what `label` stands on, as far as commands read it.
    ///
    /// # Errors
    /// What the store may meet; nothing of the workspace may be read then.
    pub fn label_everything(&self, label: &Label) -> Result<(), StoreError> {
        self.store.label_file(&self.workspace, &FileLabel { path: EVERYTHING.to_owned(), content: label.to_string(), label: label.clone() })
    }

    /// Whose a file is that holds `content` now, and whose inode was changed last at `changed`.
    ///
    /// # Errors
    /// What the store may meet.
    pub fn label_of_file(&self, path: &WorkspacePath, content: &[u8], changed: Timestamp) -> Result<Label, StoreError> {
        let mut label = self.file_label(path, content)?;
        for Ran { from, until, label: of, .. } in self.commands()? {
            if (from.0.saturating_sub(COARSE)..=until.0.saturating_add(COARSE)).contains(&changed.0) {
                label = label.join(&of);
            }
        }
        Ok(label)
    }

    /// Whose a file is that holds `content` now, as far as place and content tell.
    ///
    /// # Errors
    /// What the store may meet.
    pub fn file_label(&self, path: &WorkspacePath, content: &[u8]) -> Result<Label, StoreError> {
        let last = self.store.label_of_path(&self.workspace, path.as_str())?.map_or(Label::Minted, |last| last.label);
        let label = last.join(&Label::Minted);
        if content.is_empty() { Ok(label) } else { Ok(label.join(&self.label_of_content(&content_hash(content))?)) }
    }

    /// Whose a content is, wherever it stands.
    ///
    /// # Errors
    /// What the store may meet.
    pub fn label_of_content(&self, hash: &str) -> Result<Label, StoreError> {
        let same = self.store.labels_of_content(&self.workspace, hash)?;
        Ok(same.iter().fold(Label::Minted, |label, same| label.join(&same.label)))
    }

    /// What is noted of foreign files, whether they are still there or not.
    ///
    /// # Errors
    /// What the store may meet.
    pub fn foreign(&self) -> Result<Vec<FileLabel>, StoreError> {
        let mut files = self.store.labels_of_workspace(&self.workspace)?;
        files.retain(|file| !file.label.is_own() && !file.path.starts_with(STEERING));
        let over = |file: &FileLabel| file.path.starts_with(COMMANDS) && !file.content.ends_with(RUNS);
        files.retain(|file| !over(file));
        for file in &mut files {
            // Until it is known what it changed, that may be anything.
            if file.path.starts_with(COMMANDS) {
                EVERYTHING.clone_into(&mut file.path);
            } else if let Some(place) = file.path.strip_prefix(MADE) {
                file.path = place.to_owned();
            }
        }
        Ok(files)
    }

    /// The join over all files that `exists` says are still there.
    ///
    /// # Errors
    /// What the store may meet.
    pub fn workspace_label(&self, exists: impl Fn(&str) -> bool) -> Result<Label, StoreError> {
        let files = self.foreign()?;
        let foreign = files.iter().filter(|file| file.path == EVERYTHING || exists(&file.path));
        Ok(foreign.fold(Label::Minted, |label, file| label.join(&file.label)))
    }

    /// Whether it says that anything may be made from something foreign.
    pub fn is_everything(file: &FileLabel) -> bool {
        file.path == EVERYTHING
    }

    /// Notes that a file is gone. Its content stays known.
    ///
    /// # Errors
    /// What the store may meet.
    pub fn removed(&self, path: &WorkspacePath) -> Result<(), StoreError> {
        self.store.forget_path(&self.workspace, path.as_str())
    }
}
