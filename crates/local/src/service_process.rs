//! One running server command, with everything that it started in turn.
//!
//! It leads a process group of its own, so that stopping it stops its helpers, and Ctrl-C in our terminal does not reach it. Stopping asks
//! first (`TERM`), waits 5 s, then kills. Dropping kills at once.
//!
//! While it runs, a file names its process id and the time it was started. When krabba is killed, the server lives on, and
//! the next krabba on the same state directory adopts it: it is used, watched, and stopped when idle, as if nothing had happened.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::process::Child;
use tokio::time::{Interval, MissedTickBehavior, interval, sleep, timeout};

use crate::ServiceSettings;
use crate::service_log::ServiceLog;

/// Between asking a server to stop and killing it: llama-server frees its model in well under a second, vLLM takes a few.
const GRACE: Duration = Duration::from_secs(5);
/// How long helpers may outlive the leader that was asked to stop.
const HELPERS_GRACE: Duration = Duration::from_secs(1);
/// How long killed helpers are waited for, so that their port is free when the server is started again.
const BURIAL: Duration = Duration::from_millis(500);
/// Between two looks at a process group that is about to be empty.
const LOOK_AT_GROUP: Duration = Duration::from_millis(20);
/// Between two looks at the size of the log.
const LOOK_AT_LOG: Duration = Duration::from_secs(10);
/// Between two looks at a process that is not our child, whose end nobody tells us.
const LOOK_AT_PROCESS: Duration = Duration::from_millis(250);

/// A process group that we, or a krabba before us, started.
pub(crate) struct ServiceProcess {
    leader: Leader,
    /// None once it is gone.
    group: Option<Pid>,
    log: ServiceLog,
    look_at_log: Interval,
    mark: PathBuf,
}

enum Leader {
    Child(Child),
    Adopted(Mark),
}

/// A process, safe against its id being used again by another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark {
    id: i32,
    /// Clock ticks between the machine's start and the process's (`/proc/ID/stat`, field 22).
    started: u64,
}

impl ServiceProcess {
    /// Starts the command, and says so in the file `mark`.
    pub(crate) fn spawn(settings: &ServiceSettings, log: ServiceLog, mark: PathBuf) -> io::Result<Self> {
        #[allow(clippy::disallowed_methods, reason = "this type is the owner of the program's lifetime: it ends it when dropped")]
        let mut command = tokio::process::Command::new(&settings.command);
        command.args(&settings.args).stdin(Stdio::null()).stdout(log.writer()?).stderr(log.writer()?);
        command.envs(settings.env.iter().map(|(name, value)| (name, value.expose())));
        command.process_group(0).kill_on_drop(true);
        if let Some(directory) = &settings.cwd {
            command.current_dir(directory);
        }
        let child = command.spawn()?;
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        if let Some(running) = id.and_then(Mark::of) {
            // Without the file a later krabba takes the server for somebody else's, which is a lesser evil than not starting it.
            let _ = fs::write(&mark, format!("{} {}\n", running.id, running.started));
        }
        Ok(Self::new(Leader::Child(child), id.map(Pid::from_raw), log, mark))
    }

    /// Takes over the process that the file `mark` names, if it still runs.
    pub(crate) fn adopt(log: ServiceLog, mark: PathBuf) -> Result<Self, ServiceLog> {
        match Mark::read(&mark).filter(Mark::lives) {
            Some(running) => Ok(Self::new(Leader::Adopted(running), Some(Pid::from_raw(running.id)), log, mark)),
            None => Err(log),
        }
    }

    fn new(leader: Leader, group: Option<Pid>, log: ServiceLog, mark: PathBuf) -> Self {
        let mut look_at_log = interval(LOOK_AT_LOG);
        look_at_log.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { leader, group, log, look_at_log, mark }
    }

    /// Waits until it has ended by itself, and gives its last lines. What it started and left behind is killed. Safe to be cancelled.
    pub(crate) async fn ended(&mut self) -> (String, Vec<String>) {
        let status = loop {
            tokio::select! {
                status = self.leader.ended() => break status,
                _ = self.look_at_log.tick() => self.log.rotate(),
            }
        };
        self.bury().await;
        (status, self.log.last_lines())
    }

    /// Stops it and everything that it started.
    pub(crate) async fn stop(mut self) -> Vec<String> {
        self.signal(Signal::SIGTERM);
        if timeout(GRACE, self.leader.ended()).await.is_err() {
            self.signal(Signal::SIGKILL);
            self.leader.ended().await;
        }
        let _ = timeout(HELPERS_GRACE, self.group_gone()).await;
        self.bury().await;
        self.log.last_lines()
    }

    /// After the leader's end: kills its helpers, waits until they are gone, and forgets it.
    async fn bury(&mut self) {
        self.signal(Signal::SIGKILL);
        let _ = timeout(BURIAL, self.group_gone()).await;
        self.forget();
    }

    async fn group_gone(&self) {
        while self.group.is_some_and(|group| killpg(group, None).is_ok() && lives(group)) {
            sleep(LOOK_AT_GROUP).await;
        }
    }

    fn forget(&mut self) {
        self.group = None;
        // A file that cannot be removed is recognised as stale by its time.
        let _ = fs::remove_file(&self.mark);
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = self.group {
            // The only failure is that nobody is left in the group.
            let _ = killpg(group, signal);
        }
    }
}

impl Drop for ServiceProcess {
    fn drop(&mut self) {
        if self.group.is_some() {
            self.signal(Signal::SIGKILL);
            self.forget();
        }
    }
}

impl Leader {
    async fn ended(&mut self) -> String {
        match self {
            Self::Child(child) => describe(child.wait().await),
            Self::Adopted(mark) => {
                while mark.lives() {
                    sleep(LOOK_AT_PROCESS).await;
                }
                "it was started by an earlier krabba, so how is not known".to_owned()
            }
        }
    }
}

impl Mark {
    /// None where there is no such process, or no `/proc`.
    fn of(id: i32) -> Option<Self> {
        let stat = Stat::read(&format!("/proc/{id}/stat"))?;
        (stat.lives && id > 1).then_some(Self { id, started: stat.started })
    }

    fn read(path: &Path) -> Option<Self> {
        let text = fs::read_to_string(path).ok()?;
        let (id, started) = text.trim().split_once(' ')?;
        Some(Self { id: id.parse().ok()?, started: started.parse().ok()? })
    }

    fn lives(&self) -> bool {
        Self::of(self.id) == Some(*self)
    }
}

/// Of `/proc/ID/stat`, what matters here.
struct Stat {
    group: i32,
    started: u64,
    /// A zombie is dead, unless threads of it are still on their way out: they hold its ports.
    lives: bool,
}

impl Stat {
    fn read(path: &str) -> Option<Self> {
        let text = fs::read_to_string(path).ok()?;
        // The name in parentheses may hold anything, so fields are counted from behind it; the first there is field 3.
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
        let field = |number: usize| fields.get(number - 3).copied();
        let threads: u32 = field(20)?.parse().ok()?;
        Some(Self { group: field(5)?.parse().ok()?, started: field(22)?.parse().ok()?, lives: field(3)? != "Z" || threads > 1 })
    }
}

/// Whether a group that still answers to signals has a member that lives. In a container without an init nobody buries orphans, so that
/// their group stays for ever. Without `/proc` the answer is yes.
fn lives(group: Pid) -> bool {
    let Ok(processes) = fs::read_dir("/proc") else { return true };
    let mut stats = processes.flatten().filter_map(|process| Stat::read(process.path().join("stat").to_str()?));
    stats.any(|stat| stat.lives && stat.group == group.as_raw())
}

fn describe(status: io::Result<ExitStatus>) -> String {
    match status {
        Ok(status) => status.to_string(),
        Err(error) => format!("its end could not be observed: {error}"),
    }
}
