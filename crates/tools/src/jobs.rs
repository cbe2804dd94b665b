//! The commands of all sessions.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use krabba_guard::{Authorized, content_hash};
use krabba_sandbox::{Aside, Sandbox, SandboxError};
use krabba_types::{Exec, Label, SessionId, Timestamp, WorkspacePath};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::apart;
use crate::job::Job;
use crate::reading::Reading;

/// How many commands of a session that have ended are remembered.
const REMEMBERED: usize = 16;

/// How many commands run at once: each may use as much memory as its limit says.
const MOST_RUNNING: usize = 8;

/// How long ending everything may take.
const ENDING: Duration = Duration::from_secs(2);

/// The commands of all sessions. They live as long as this does, and no longer than the process.
#[derive(Clone)]
pub struct Jobs {
    inner: Arc<Inner>,
}

struct Inner {
    sandbox: Arc<Sandbox>,
    sessions: Mutex<HashMap<SessionId, Session>>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

#[derive(Default)]
struct Session {
    begun: u32,
    jobs: BTreeMap<u32, Arc<Job>>,
    /// What was changed apart from the workspace and could not be kept on the disk, newest first.
    asides: Vec<Arc<Aside>>,
}

/// What is known of changes that are kept apart.
#[derive(Serialize, Deserialize)]
pub(crate) struct Note {
    /// What made them.
    pub(crate) command: String,
    /// Whose they are.
    pub(crate) label: Label,
    /// When it began.
    pub(crate) from: Option<Timestamp>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl std::fmt::Debug for Jobs {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Jobs").field("running", &self.inner.tasks.len()).finish_non_exhaustive()
    }
}

impl Jobs {
    /// None yet.
    pub fn new(sandbox: impl Into<Arc<Sandbox>>) -> Self {
        let inner =
            Inner { sandbox: sandbox.into(), sessions: Mutex::default(), tasks: TaskTracker::new(), stop: CancellationToken::new() };
        Self { inner: Arc::new(inner) }
    }

    /// Where they run.
    pub fn sandbox(&self) -> &Sandbox {
        &self.inner.sandbox
    }

    /// Ends all commands of a session, waits for that, and says how many those were.
    pub async fn end(&self, session: &SessionId) -> usize {
        let mut running = self.all(session);
        running.retain(|job| job.is_running());
        running.iter().for_each(|job| job.stop.cancel());
        let all = futures_util::future::join_all(running.iter().map(|job| job.finished()));
        // What does not end is ended by the kernel, with the process that looks after it.
        let _late = tokio::time::timeout(ENDING, all).await;
        running.len()
    }

    /// Ends all commands, and waits for that.
    pub async fn close(&self) {
        self.inner.stop.cancel();
        self.inner.tasks.close();
        let _late = tokio::time::timeout(ENDING, self.inner.tasks.wait()).await;
    }

    /// Starts a command. It goes on until it ends or is told to stop.
    pub(crate) async fn start(&self, session: &SessionId, exec: Authorized<Exec>, reading: Reading) -> Result<Arc<Job>, SandboxError> {
        let running = self.inner.sessions().values().flat_map(|session| session.jobs.values()).filter(|job| job.is_running()).count();
        if running >= MOST_RUNNING {
            let _forgotten = reading.forget();
            return Err(SandboxError::TooMany { running });
        }
        let started = exec.action().clone();
        let asides = self.asides(session);
        let earlier: Vec<&Aside> = asides.iter().map(AsRef::as_ref).collect();
        let child = match self.inner.sandbox.spawn_over(exec, &earlier).await {
            Ok(child) => child,
            Err(error) => {
                // What is not forgotten is over at its latest end.
                let _forgotten = reading.forget();
                return Err(error);
            }
        };
        let job = self.remember(session, |name| Job::new(name, started, reading, self.inner.stop.child_token()));
        // Weak, so that a command does not keep alive what it belongs to.
        let (looked_after, inner, session) = (Arc::clone(&job), Arc::downgrade(&self.inner), session.clone());
        let nothing = |aside: &Aside| aside.visit(&mut |_| ControlFlow::Break(())).is_ok_and(|seen| seen.is_continue());
        self.inner.tasks.spawn(async move {
            let of = Arc::clone(&looked_after);
            let keep = |mut aside: Aside| {
                // What cannot be told is nobody's that is known.
                let label = of.reading.label().unwrap_or_else(|_| Label::untrusted("unknown"));
                let note =
                    serde_json::to_string(&Note { command: of.command.clone(), label, from: Some(of.reading.from) }).unwrap_or_default();
                if nothing(&aside) || aside.keep(&name_of(&session), &note).is_ok() {
                    return;
                }
                if let Some(inner) = inner.upgrade() {
                    inner.sessions().entry(session).or_default().asides.insert(0, Arc::new(aside));
                }
            };
            looked_after.look_after(child, keep).await;
        });
        Ok(job)
    }

    fn remember(&self, session: &SessionId, make: impl FnOnce(String) -> Job) -> Arc<Job> {
        let mut sessions = self.inner.sessions();
        let session = sessions.entry(session.clone()).or_default();
        session.begun += 1;
        let job = Arc::new(make(format!("p{}", session.begun)));
        session.jobs.insert(session.begun, Arc::clone(&job));
        let over: Vec<u32> = session.jobs.iter().filter(|(_, job)| !job.is_running()).map(|(number, _)| *number).collect();
        for number in over.iter().take(over.len().saturating_sub(REMEMBERED)) {
            session.jobs.remove(number);
        }
        job
    }

    /// All commands of a session, oldest first.
    pub(crate) fn all(&self, session: &SessionId) -> Vec<Arc<Job>> {
        self.inner.sessions().get(session).map(|session| session.jobs.values().cloned().collect()).unwrap_or_default()
    }

    pub(crate) fn get(&self, session: &SessionId, name: &str) -> Option<Arc<Job>> {
        self.all(session).into_iter().find(|job| job.name == name)
    }

    /// The rule for which one of them ends the conversation, if any does.
    pub(crate) fn stops(&self, session: &SessionId) -> Option<String> {
        self.all(session).iter().find_map(|job| job.stops())
    }

    /// What commands of a session changed apart from the workspace, newest first.
    pub(crate) fn asides(&self, session: &SessionId) -> Vec<Arc<Aside>> {
        let unkept = self.inner.sessions().get(session).map(|session| session.asides.clone()).unwrap_or_default();
        unkept.into_iter().chain(self.inner.sandbox.kept(&name_of(session)).into_iter().map(Arc::new)).collect()
    }

    /// Whose a file is that stands only in what is kept apart.
    pub(crate) fn label_apart(&self, session: &SessionId, path: &WorkspacePath) -> Option<Label> {
        self.asides(session).iter().find(|aside| aside.has(path)).map(|aside| apart::note(aside).label)
    }

    /// Whose all that is that is kept apart.
    pub(crate) fn label_of_asides(&self, session: &SessionId) -> Label {
        self.asides(session).iter().fold(Label::Minted, |label, aside| label.join(&apart::note(aside).label))
    }

    /// Lets go of what was changed apart at these places and below.
    pub(crate) fn undo(&self, session: &SessionId, paths: &[WorkspacePath]) -> io::Result<()> {
        self.asides(session).iter().try_for_each(|aside| paths.iter().try_for_each(|path| aside.undo(path)))
    }

    /// Lets go of all that was changed apart.
    pub(crate) fn drop_asides(&self, session: &SessionId) -> io::Result<()> {
        let dropped = Aside::let_go_each(&self.inner.sandbox.kept(&name_of(session)));
        if let Some(session) = self.inner.sessions().get_mut(session) {
            session.asides.clear();
        }
        dropped
    }
}

/// Throws away what commands of a session changed apart from its workspace, and was kept in `scratch`.
///
/// # Errors
/// What the disk may meet.
pub fn forget_changes(scratch: &Path, session: &SessionId) -> io::Result<()> {
    Aside::let_go_all(scratch, &name_of(session))
}

/// A session's name among what is kept, which is a single word whatever the session is called.
fn name_of(session: &SessionId) -> String {
    content_hash(session.as_str().as_bytes())
}

impl Inner {
    fn sessions(&self) -> MutexGuard<'_, HashMap<SessionId, Session>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
