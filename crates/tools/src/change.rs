//! Changes of files: how they are planned, shown and made. The tools that change files differ in what they change, and in nothing else.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use krabba_guard::{Authorized, content_hash};
use krabba_tool::{Call, Outcome, Refusal, Repeat, Run, Tool};
use krabba_types::{Action, Encoding, FileChange, FileChanges, FileMode, Label, ToolSpec, WorkspacePath};
use rustix::fs::Mode;
use similar::TextDiff;

use crate::FileError;
use crate::files::{self, Failed, Files, on_disk};
use crate::workspace::{MAX_FILE, Read, USUAL_MODE};

/// How long is looked for the smallest differences of all files of a call. Two of 15 MB that differ everywhere would take minutes.
const LONGEST_LOOK: Duration = Duration::from_millis(1_500);

/// How much may be worked over at once, in bytes.
pub(crate) const MOST: u64 = 32 << 20;

/// A tool that changes files.
pub(crate) struct Changer {
    pub(crate) spec: ToolSpec,
    pub(crate) files: Files,
    /// What a call would change.
    pub(crate) planned: fn(&Files, Call<'_>) -> Result<Vec<FileChange>, Refusal>,
}

impl Tool for Changer {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn plan<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Result<Action, Refusal>> {
        let changes =
            |changes| Action::Change(FileChanges { tool: self.spec.name.clone(), changes, directories: Vec::new(), label: Label::Minted });
        let (files, plan, session, arguments) = (self.files.clone(), self.planned, call.session.clone(), call.arguments.clone());
        let work = move || plan(&files, Call { session: &session, arguments: &arguments });
        async move { files::planned(work).await.map(changes) }.boxed()
    }

    fn run<'a>(&'a self, action: Authorized<Action>, _run: Run) -> BoxFuture<'a, Outcome> {
        make(&self.files, action).boxed()
    }

    fn repeat(&self) -> Repeat {
        Repeat::Never
    }
}

/// The content of a file that is to be changed; `None` when there is none.
pub(crate) fn current(files: &Files, path: &WorkspacePath) -> Result<Option<Vec<u8>>, Refusal> {
    match files.workspace.read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(FileError::Missing(_)) => Ok(None),
        Err(error) => Err(files.refused(error.to_string())),
    }
}

/// The content of a file that is to be worked over.
pub(crate) fn text<'c>(path: &WorkspacePath, content: &'c [u8]) -> Result<&'c str, Refusal> {
    let refusal = |_| Refusal::new(format!("{path} is not plain text; write replaces it, and exec can look into it"));
    std::str::from_utf8(content).map_err(refusal)
}

/// A refusal that tells something of what is in a file: guess by guess, that is the file.
pub(crate) fn about(files: &Files, path: &WorkspacePath, refusal: Refusal) -> Refusal {
    let label = files.read(path).map_or_else(|_| Label::untrusted("unknown"), |content| content.label);
    refusal.about(&label)
}

/// Until when differences are looked for that is begun with now.
pub(crate) fn until() -> Instant {
    let now = Instant::now();
    now.checked_add(LONGEST_LOOK).unwrap_or(now)
}

/// What it means to give a file this content. The smallest difference is looked for until then.
pub(crate) fn planned(path: WorkspacePath, before: Option<&[u8]>, after: Option<Vec<u8>>, until: Instant) -> Result<FileChange, Refusal> {
    if after.as_ref().is_some_and(|after| u64::try_from(after.len()).is_ok_and(|bytes| bytes > MAX_FILE)) {
        return Err(Refusal::new(format!("that is more than the {} MiB that a file may hold", MAX_FILE >> 20)));
    }
    let diff = diff(&path, before, after.as_deref(), until);
    let (after, encoding) = match after.map(String::from_utf8).transpose() {
        Ok(after) => (after, Encoding::Plain),
        Err(no_text) => (Some(STANDARD.encode(no_text.as_bytes())), Encoding::Base64),
    };
    Ok(FileChange { path, before: before.map(content_hash), after, encoding, diff, moved_from: None, mode: None })
}

/// That a file may or may not be run from then on, as git tells it.
pub(crate) fn mode_lines(change: &FileChange, mode: Option<FileMode>) -> String {
    let (old, new) = match mode {
        None => return String::new(),
        Some(FileMode::Plain) => ("100755", "100644"),
        Some(FileMode::Executable) => ("100644", "100755"),
    };
    if change.before.is_none() { format!("new file mode {new}\n") } else { format!("old mode {old}\nnew mode {new}\n") }
}

fn diff(path: &WorkspacePath, before: Option<&[u8]>, after: Option<&[u8]>, until: Instant) -> String {
    let name = |side: char, content: Option<&[u8]>| content.map_or_else(|| "/dev/null".to_owned(), |_| format!("{side}/{path}"));
    let (from, to) = (name('a', before), name('b', after));
    let text = |content: Option<&[u8]>| std::str::from_utf8(content.unwrap_or_default()).map(str::to_owned);
    if let (Ok(before), Ok(after)) = (text(before), text(after)) {
        // Beyond that it tells less well what became of what, and still all of it.
        let diff = TextDiff::configure().deadline(until).diff_lines(&before, &after);
        return diff.unified_diff().context_radius(2).header(&from, &to).to_string();
    }
    // Whoever decides about what is no text sees how much it is, and can tell it from all else.
    let side = |sign: char, content: Option<&[u8]>| match (text(content), content) {
        (Ok(text), _) => text.lines().map(|line| format!("{sign}{line}\n")).collect(),
        (Err(_), content) => {
            let content = content.unwrap_or_default();
            format!("{sign}{} bytes that are no text, BLAKE3 {}\n", content.len(), content_hash(content))
        }
    };
    format!("--- {from}\n+++ {to}\n{}{}", side('-', before), side('+', after))
}

/// The new content of a file.
fn content<'c>(change: &FileChange, after: &'c str) -> Result<Cow<'c, [u8]>, Failed> {
    Ok(match change.encoding {
        Encoding::Plain => Cow::Borrowed(after.as_bytes()),
        Encoding::Base64 => Cow::Owned(STANDARD.decode(after)?),
    })
}

/// Makes the changes that were authorised: all of them or none. Where one cannot be made, those before it are taken back.
pub(crate) async fn make(files: &Files, authorized: Authorized<Action>) -> Outcome {
    let label = authorized.terms().label.clone();
    let Action::Change(FileChanges { tool, changes, directories, .. }) = authorized.action() else {
        return Outcome::failed("this is no change of files");
    };
    // What is written anew is whoever's the words are; what is worked over is still theirs who wrote it.
    let (works_over, takes_over) = (tool != "write", tool == FileChanges::KEEP);
    let (changes, directories) = (changes.clone(), directories.clone());
    on_disk(files, move |files| {
        let (mut before, mut of_files) = (Vec::new(), label.clone());
        for change in &changes {
            let read = files.workspace.expect(&change.path, change.before.as_deref())?;
            if let Some(Read { bytes, changed }) = read.as_ref().filter(|_| works_over) {
                of_files = of_files.join(&files.label(&change.path, bytes, *changed)?);
            }
            // What has none is a link, which is not changed either.
            let mode = files.workspace.mode(&change.path).ok().flatten();
            before.push((&change.path, read.map(|read| read.bytes), mode));
        }
        let taken_away = before.iter().filter_map(|(path, bytes, _)| Some((*path, bytes.as_deref()?)));
        if let Err(error) = files.replaced.keep(files.workspace.root(), taken_away) {
            return Err(Failed(format!("what is there now cannot be kept: {error}; nothing was changed")));
        }
        for (number, change) in changes.iter().enumerate() {
            let authored = !takes_over && change.moved_from.is_none();
            if let Err(Failed(why)) = one(files, change, &of_files, authored) {
                let made = before.iter().take(number).rev();
                let lost: Vec<&str> =
                    made.filter_map(|(path, bytes, mode)| take_back(files, path, bytes.as_deref(), *mode).err()).collect();
                let left =
                    if lost.is_empty() { "nothing was changed".to_owned() } else { format!("{} could not be put back", lost.join(", ")) };
                return Err(Failed(format!("{why}; {left}")));
            }
        }
        let mut lines: Vec<String> = changes.iter().map(done).collect::<Result<_, _>>()?;
        // Its files are gone, which nothing takes back.
        lines.extend(directories.iter().map(|path| match files.workspace.remove_directory(path) {
            Ok(()) => format!("removed the directory {path}"),
            Err(error) => format!("the directory {path} stays: {error}"),
        }));
        let diffs: String = changes.iter().map(|change| change.diff.as_str()).collect();
        // That a piece stood there, and how long it all is, is told of what is in the files.
        Ok(Outcome::done(lines.join("\n"), of_files).showing(diffs))
    })
    .await
}

/// Makes a single change. What a model wrote itself (`authored`) it knows; what a command wrote, or was moved unread, it does not.
fn one(files: &Files, change: &FileChange, label: &Label, authored: bool) -> Result<(), Failed> {
    match &change.after {
        Some(after) => {
            // Whose it is, is known before it is there.
            let content = content(change, after)?;
            files.labels.label_file(&change.path, &content, label)?;
            let there = files.workspace.mode(&change.path)?;
            let moved = change.moved_from.as_ref().map_or(Ok(None), |from| files.workspace.mode(from))?;
            let mode = there.or(moved).unwrap_or(USUAL_MODE);
            let mode = change.mode.map_or(mode, |wanted| made(mode, wanted));
            files.workspace.replace(&change.path, &content, Some(mode))?;
            if authored {
                files.secrets.written(&change.path);
            }
        }
        None => {
            files.workspace.remove(&change.path)?;
            files.labels.removed(&change.path)?;
        }
    }
    Ok(())
}

/// The mode of a file after it was made one that may be run, by whoever may read it, or by nobody.
fn made(mode: Mode, wanted: FileMode) -> Mode {
    let run = Mode::XUSR | Mode::XGRP | Mode::XOTH;
    match wanted {
        FileMode::Plain => mode - run,
        FileMode::Executable => mode | (Mode::from_raw_mode(mode.as_raw_mode() >> 2) & run),
    }
}

/// Makes a file what it was. Its label stays that of the change, which is never cleaner than its own.
fn take_back<'p>(files: &Files, path: &'p WorkspacePath, before: Option<&[u8]>, mode: Option<Mode>) -> Result<(), &'p str> {
    let taken = match before {
        Some(bytes) => files.workspace.replace(path, bytes, mode),
        None => files.workspace.remove(path),
    };
    taken.map_err(|_| path.as_str())
}

fn done(change: &FileChange) -> Result<String, Failed> {
    let Some(after) = &change.after else { return Ok(format!("removed {}", change.path)) };
    let bytes = content(change, after)?.len();
    let new = if change.before.is_none() { ", new" } else { "" };
    let mode = match change.mode {
        None => "",
        Some(FileMode::Plain) => ", no longer executable",
        Some(FileMode::Executable) => ", executable",
    };
    Ok(format!("wrote {} ({bytes} bytes{new}{mode})", change.path))
}
