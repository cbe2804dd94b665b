//! Whose the files of one workspace are.
//!
//! A file that nothing is known about is the owner's: they put it into their workspace. What comes in through krabba is noted
//! before it is written, by its place and its content, so that foreign text cannot wash itself clean on the disk.
//!
//! What a command writes nobody sees. One that could read foreign files leaves the time it runs: a file whose inode was changed
//! in that time may hold what they held, in other words. (No command can set that time, and a later one that touches the file
//! leaves its own.) Whoever starts commands labels what they changed when they have ended. One that began before there was anything
//! foreign is noted too, and gets the label of whatever comes in while it runs, in the same write as that; where it has a way out and
//! began without that, it does not come in.

use std::sync::Arc;

use krabba_store::{FileLabel, Store, StoreError};
use krabba_types::{Clock as _, Label, SystemClock, Timestamp, WorkspacePath};

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
const RUNS_APART: &str = "apart";
const OVER: &str = "over";

/// What stands before that of one with a way out.
const HOSTS: &str = "hosts";

/// How far a file system's clock may be from ours, in milliseconds.
const COARSE: i64 = 1_000;

/// Labels of the files of one workspace.
#[derive(Clone, Debug)]
pub struct FileLabels {
    store: Arc<Store>,
    workspace: String,
}

/// A command that can read what is foreign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ran {
    /// Its name, a single word that no other command has.
    pub id: String,
    /// When it began, or when something foreign came in that it could read.
    pub from: Timestamp,
    /// When it was over; while it runs, when it is at the latest.
    pub until: Timestamp,
    /// What it could read.
    pub label: Label,
    /// Whether it can take along what it reads.
    pub reach: Reach,
    /// How it stands.
    pub course: Course,
}

/// How far a command reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Not beyond this machine.
    Here,
    /// Hosts that the owner let it go to.
    Hosts,
}

/// How a command stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Course {
    /// It runs, or nobody has looked yet at what it changed.
    Runs,
    /// It runs, and changes nothing of the workspace.
    RunsApart,
    /// What it changed is labelled.
    Over,
}

/// Why a label cannot be noted. Nothing may be written then, and no command may begin.
#[derive(Debug, thiserror::Error)]
pub enum LabelError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Something could leave by a command that was allowed without it.
    #[error(
        "a command that may reach other hosts began before this foreign content came in, and could take it along, or follow it; end it \
         first (process kill), or wait for its end, in {minutes} min at the latest"
    )]
    WayOut {
        /// How long it runs at most.
        minutes: u64,
    },
}

impl Ran {
    fn of(file: FileLabel) -> Option<Self> {
        let mut words = file.content.split(' ');
        let (from, until) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        let (mut reach, mut course) = (Reach::Here, Course::Runs);
        for word in words {
            match word {
                HOSTS => reach = Reach::Hosts,
                RUNS_APART => course = Course::RunsApart,
                OVER => course = Course::Over,
                _ => {}
            }
        }
        let id = file.path.strip_prefix(COMMANDS)?.to_owned();
        Some(Self { id, from: Timestamp(from), until: Timestamp(until), label: file.label, reach, course })
    }

    fn file(&self) -> FileLabel {
        let Self { id, from, until, label, reach, course } = self;
        let course = match course {
            Course::Runs => RUNS,
            Course::RunsApart => RUNS_APART,
            Course::Over => OVER,
        };
        let way_out = match reach {
            Reach::Here => String::new(),
            Reach::Hosts => format!("{HOSTS} "),
        };
        FileLabel { path: format!("{COMMANDS}{id}"), content: format!("{} {} {way_out}{course}", from.0, until.0), label: label.clone() }
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
    /// [`LabelError`]; nothing may be written then.
    pub fn label_file(&self, path: &WorkspacePath, content: &[u8], label: &Label) -> Result<(), LabelError> {
        let file = FileLabel { path: path.as_str().to_owned(), content: content_hash(content), label: label.clone() };
        // Most files are the owner's, and stay so: nothing to note, nothing to wait for.
        if label.is_own() && self.file_label(path, content)?.is_own() {
            return Ok(());
        }
        self.note(vec![file], Vec::new())
    }

    /// Notes that a command runs, or ran, which can read whatever its label stands on. To be called before it begins, whatever its label
    /// is, with the time at which it is over at the latest, and when all that it changed is labelled. It keeps what others brought in.
    ///
    /// # Errors
    /// [`LabelError`]; the command may not begin then.
    pub fn command(&self, ran: &Ran) -> Result<(), LabelError> {
        self.note(Vec::new(), vec![ran.clone()])
    }

    /// Forgets a command that could read nothing foreign, or changed nothing, until it was over.
    ///
    /// # Errors
    /// What the store may meet.
    pub fn forget_command(&self, id: &str) -> Result<(), StoreError> {
        self.store.unlabel_path(&self.workspace, &format!("{COMMANDS}{id}"))
    }

    /// Notes all of these, and that every command that runs can read them. It is one write, so that no command begins between the two.
    fn note(&self, files: Vec<FileLabel>, mut noted: Vec<Ran>) -> Result<(), LabelError> {
        let labels = files.iter().map(|file| &file.label).chain(noted.iter().map(|ran| &ran.label));
        let brought = labels.fold(Label::Minted, |brought, label| brought.join(label));
        let (now, mut way_out) = (SystemClock.now(), None);
        self.store.label_files_after(&self.workspace, COMMANDS, |known| {
            for known in known.into_iter().filter_map(Ran::of) {
                let label = known.label.join(&brought);
                let brings_nothing = label == known.label;
                if let Some(ran) = noted.iter_mut().find(|ran| ran.id == known.id) {
                    ran.from = if brings_nothing && !label.is_own() { known.from } else { ran.from };
                    ran.label = label;
                } else if !(brings_nothing || known.course == Course::Over || known.until < now) {
                    if known.reach == Reach::Hosts {
                        way_out = Some(known.until);
                        return Vec::new();
                    }
                    // What it changed before cannot hold what comes now.
                    let from = if known.label.is_own() { now } else { known.from };
                    noted.push(Ran { from, label, ..known });
                }
            }
            files.into_iter().chain(noted.iter().map(Ran::file)).collect()
        })?;
        way_out.map_or(Ok(()), |until| Err(LabelError::WayOut { minutes: until.since(now).as_secs().div_ceil(60) }))
    }

    /// The commands of which it is not known what they changed, because nobody was there when they ended, or they run; and those that
    /// run apart with a way out.
    ///
    /// # Errors
    /// What the store may meet.
    pub fn unfinished(&self) -> Result<Vec<Ran>, StoreError> {
        let mut all = self.commands()?;
        all.retain(|ran| ran.course != Course::Over);
        Ok(all)
    }

    fn commands(&self) -> Result<Vec<Ran>, StoreError> {
        Ok(self.store.labels_below(&self.workspace, COMMANDS)?.into_iter().filter_map(Ran::of).collect())
    }

    /// Notes whose the files are that a command wrote or moved.
    ///
    /// # Errors
    /// [`LabelError`]; nothing of the workspace may be read then.
    pub fn label_made(&self, mut files: Vec<FileLabel>) -> Result<(), LabelError> {
        files.iter_mut().for_each(|file| file.path.insert_str(0, MADE));
        if files.is_empty() { Ok(()) } else { self.note(files, Vec::new()) }
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
    /// [`LabelError`]; nothing of the workspace may be read then.
    pub fn label_everything(&self, label: &Label) -> Result<(), LabelError> {
        self.note(vec![FileLabel { path: EVERYTHING.to_owned(), content: label.to_string(), label: label.clone() }], Vec::new())
    }

    /// Whose a file is that holds `content` now, and whose inode was changed last at `changed`.
    ///
    /// # Errors
    /// What the store may meet.
    pub fn label_of_file(&self, path: &WorkspacePath, content: &[u8], changed: Timestamp) -> Result<Label, StoreError> {
        let mut label = self.file_label(path, content)?;
        for Ran { from, until, label: of, .. } in self.commands()?.into_iter().filter(|ran| ran.course != Course::RunsApart) {
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

    /// Whether this is what we wrote there last, with the owner's leave.
    ///
    /// # Errors
    /// What the store may meet.
    pub fn is_ours(&self, file: &FileLabel) -> Result<bool, StoreError> {
        let last = self.store.label_of_path(&self.workspace, &file.path)?;
        Ok(last.is_some_and(|last| last.content == file.content && last.label.is_own()))
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
