//! Walking through the workspace as ripgrep does: what `.gitignore` files name is left out, and links are not followed.

use std::ops::ControlFlow;
use std::path::Path;

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use krabba_types::WorkspacePath;

use crate::workspace::{Entry, Kind};
use crate::{FileError, Workspace};

/// More than anybody looks through: an end for trees that have none.
const MOST_ENTRIES: usize = 200_000;

/// How many patterns of `.gitignore` files count in a walk, and how long such a file is, in bytes.
const MOST_PATTERNS: usize = 20_000;
const LONGEST_IGNORE: usize = 64 << 10;

/// How deep it goes.
const DEEPEST: usize = 64;

/// How a walk came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Walked {
    /// Everything was seen.
    Whole,
    /// Whoever was shown the entries had enough.
    Enough,
    /// There were too many.
    TooMany,
}

struct Walk<'w, F> {
    workspace: &'w Workspace,
    each: F,
    left: usize,
    patterns: usize,
}

/// Shows everything below `start`, each directory before what is in it. What cannot be read is passed over.
pub(crate) fn walk<F>(workspace: &Workspace, start: &WorkspacePath, each: F) -> Result<Walked, FileError>
where
    F: FnMut(&WorkspacePath, Kind) -> ControlFlow<()>,
{
    let entries = workspace.list(start)?;
    let mut patterns = MOST_PATTERNS;
    let mut ignores = above(workspace, start, &mut patterns);
    let mut walk = Walk { workspace, each, left: MOST_ENTRIES, patterns };
    Ok(match walk.directory(start, entries, &mut ignores, 0) {
        ControlFlow::Continue(()) => Walked::Whole,
        ControlFlow::Break(end) => end,
    })
}

impl<F: FnMut(&WorkspacePath, Kind) -> ControlFlow<()>> Walk<'_, F> {
    fn directory(&mut self, at: &WorkspacePath, entries: Vec<Entry>, ignores: &mut Vec<Gitignore>, depth: usize) -> ControlFlow<Walked> {
        let own =
            if entries.iter().any(|entry| entry.name == ".gitignore") { ignore_file(self.workspace, at, &mut self.patterns) } else { None };
        let added = own.is_some();
        ignores.extend(own);
        for Entry { name, kind } in entries {
            let Ok(path) = at.join(&name) else { continue };
            if (kind == Kind::Directory && name == ".git") || is_ignored(ignores, &path, kind) {
                continue;
            }
            let Some(left) = self.left.checked_sub(1) else { return ControlFlow::Break(Walked::TooMany) };
            self.left = left;
            if (self.each)(&path, kind).is_break() {
                return ControlFlow::Break(Walked::Enough);
            }
            if kind == Kind::Directory
                && depth < DEEPEST
                && let Ok(entries) = self.workspace.list(&path)
            {
                self.directory(&path, entries, ignores, depth + 1)?;
            }
        }
        if added {
            ignores.pop();
        }
        ControlFlow::Continue(())
    }
}

/// The innermost file that has an opinion decides.
fn is_ignored(ignores: &[Gitignore], path: &WorkspacePath, kind: Kind) -> bool {
    for ignore in ignores.iter().rev() {
        match ignore.matched(Path::new("/").join(path.as_str()), kind == Kind::Directory) {
            Match::Ignore(_) => return true,
            Match::Whitelist(_) => return false,
            Match::None => {}
        }
    }
    false
}

/// The files that bear on a directory from above.
fn above(workspace: &Workspace, at: &WorkspacePath, left: &mut usize) -> Vec<Gitignore> {
    let mut found = Vec::new();
    let mut directory = WorkspacePath::root();
    for part in at.as_str().split('/').filter(|part| !part.is_empty()) {
        found.extend(ignore_file(workspace, &directory, left));
        let Ok(below) = directory.join(part) else { break };
        directory = below;
    }
    found
}

/// The patterns of a directory, as long as there are some `left`: anybody may write such files, and all are held at once.
fn ignore_file(workspace: &Workspace, at: &WorkspacePath, left: &mut usize) -> Option<Gitignore> {
    let content = workspace.read(&at.join(".gitignore").ok()?).ok()?;
    let mut builder = GitignoreBuilder::new(Path::new("/").join(at.as_str()));
    // Half a line would hide what nobody named.
    let cut = content
        .get(..LONGEST_IGNORE)
        .map(|cut| cut.iter().rposition(|byte| *byte == b'\n').and_then(|end| cut.get(..end)).unwrap_or_default());
    let content = String::from_utf8_lossy(cut.unwrap_or(&content));
    for line in content.lines().take(*left) {
        *left -= 1;
        // A line that makes no sense is passed over, as git does.
        let _line = builder.add_line(None, line);
    }
    builder.build().ok()
}
