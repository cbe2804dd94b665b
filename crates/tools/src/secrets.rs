//! The secrets of the workspace.
//!
//! A command, or a server, reads files that nobody sees it read, under any name, and shows what it likes of them. So what is secret is
//! not found out from what tools bring, but from the files themselves: those that are made to hold secrets are looked for around each
//! call, and read again when they have changed.
//!
//! What a model wrote into such a file it knows; the file is passed over, until somebody else changes it.

use std::collections::{HashMap, VecDeque};
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use krabba_guard::ControlFiles;
use krabba_redact::{Redactor, holds_secrets, secrets_in};
use krabba_tool::SecretScanner;
use krabba_types::WorkspacePath;

use crate::Workspace;
use crate::workspace::{Kind, Stamp};

/// How much is looked at: entries, those nearest to the root first, and how deep.
const MOST_ENTRIES: usize = 10_000;
const DEEPEST: usize = 12;

/// How much is read of a file, in bytes. What is longer is made for something else.
const MOST_BYTES: u64 = 256 << 10;

/// Directories that are full of other people's files, or of what can be made again.
const LEFT_OUT: [&str; 6] = [".git", "node_modules", "target", "__pycache__", ".venv", "site-packages"];

/// Finds the secrets of a workspace, and teaches them to a redactor.
#[derive(Clone, Debug)]
pub struct WorkspaceSecrets {
    workspace: Arc<Workspace>,
    redactor: Redactor,
    /// The files that were read, as they were then.
    read: Arc<Mutex<HashMap<WorkspacePath, Stamp>>>,
}

impl WorkspaceSecrets {
    /// Those of this workspace, for this redactor.
    pub fn new(workspace: Arc<Workspace>, redactor: Redactor) -> Self {
        Self { workspace, redactor, read: Arc::default() }
    }

    /// A file that a tool has read whole, wherever it lies: what the walk does not come to is learned here.
    pub(crate) fn seen(&self, path: &WorkspacePath, content: &[u8]) {
        if holds(path) && !self.read().contains_key(path) {
            self.redactor.learn(&[secrets_in(path.as_str(), &String::from_utf8_lossy(content))]);
        }
    }

    /// A file that was written for a model.
    pub(crate) fn written(&self, path: &WorkspacePath) {
        if holds(path)
            && let Ok((stamp, _)) = self.workspace.news(path, None, 0)
        {
            self.read().insert(path.clone(), stamp);
        }
    }

    fn walk(&self) {
        let mut read = self.read();
        let before = std::mem::take(&mut *read);
        let (mut left, mut found) = (MOST_ENTRIES, Vec::new());
        let mut directories = VecDeque::from([(WorkspacePath::root(), 0)]);
        while let Some((directory, depth)) = directories.pop_front() {
            let mut files = Vec::new();
            let mut place = format!("{directory}/");
            let above = place.len();
            // What cannot be looked into now is looked into at the next call.
            let _looked = self.workspace.each(&directory, |name, kind| {
                let Some(fewer) = left.checked_sub(1) else { return ControlFlow::Break(()) };
                left = fewer;
                match kind {
                    Kind::Directory if depth < DEEPEST && !LEFT_OUT.contains(&name) => {
                        directories.extend(directory.join(name).ok().map(|path| (path, depth + 1)));
                    }
                    Kind::Directory => {}
                    Kind::File | Kind::Link | Kind::Other => {
                        place.truncate(above);
                        place.push_str(name);
                        // Most are not: no path is made of their names.
                        if holds_secrets(&place) {
                            files.extend(directory.join(name).ok().filter(holds));
                        }
                    }
                }
                ControlFlow::Continue(())
            });
            for path in files {
                let Ok((stamp, news)) = self.workspace.news(&path, before.get(&path), MOST_BYTES) else { continue };
                if let Some(content) = news {
                    found.push(secrets_in(path.as_str(), &String::from_utf8_lossy(&content)));
                }
                read.insert(path, stamp);
            }
        }
        self.redactor.learn(&found);
    }

    fn read(&self) -> MutexGuard<'_, HashMap<WorkspacePath, Stamp>> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SecretScanner for WorkspaceSecrets {
    fn scan(&self) -> BoxFuture<'_, ()> {
        let secrets = self.clone();
        async move {
            match tokio::task::spawn_blocking(move || secrets.walk()).await {
                Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                // Otherwise the runtime is on its way out, and nobody is shown anything.
                Ok(()) | Err(_) => {}
            }
        }
        .boxed()
    }
}

/// Notes are written without anybody being asked, and are no place for keys.
fn holds(path: &WorkspacePath) -> bool {
    holds_secrets(path.as_str()) && !ControlFiles::is_note(path)
}
