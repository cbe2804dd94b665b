//! The life of one service, run by one task:
//!
//! ```text
//!            lease, health URL answers
//!   Stopped ───────────────────────────► Foreign
//!      │ lease                              (never stopped by us)
//!      ▼
//!   Starting ── health URL answers ──► Ready ── last lease gone, idle for idleStopMs ──► Stopped
//!      │  │                              │
//!      │  └ readyTimeoutMs: stopped      └ ended by itself ─► Crashed ── next lease ──► Starting
//!      └ ended by itself ─► Crashed
//! ```
//!
//! All who ask while it starts wait for the same start. A second krabba on the same state directory does not start it again: it
//! finds the lock file taken, and waits for the health URL. What a killed krabba left running is adopted: Ready, not Foreign.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use krabba_net::{HttpClient, HttpRequest, Reuse, Url};
use nix::fcntl::{Flock, FlockArg};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::service::{ServiceSettings, ServiceState};
use crate::service_error::{CrashReport, ServiceError};
use crate::service_log::ServiceLog;
use crate::service_process::ServiceProcess;
use crate::services::{Lease, LeaseCount};

/// Between two looks at the health URL.
const POLL: Duration = Duration::from_millis(250);
/// The longest wait for one answer of it.
const PROBE: Duration = Duration::from_secs(2);

/// What the task is asked.
pub(crate) enum Request {
    /// A lease, once the service is ready.
    Acquire(Waiter),
    /// Stop now, whatever leases there are.
    Stop(oneshot::Sender<()>),
}

type Waiter = oneshot::Sender<Result<Lease, ServiceError>>;

/// One service's task.
pub(crate) struct Actor {
    pub(crate) http: HttpClient,
    pub(crate) settings: ServiceSettings,
    pub(crate) health: Url,
    pub(crate) directory: PathBuf,
    pub(crate) requests: mpsc::Receiver<Request>,
    pub(crate) publish: watch::Sender<ServiceState>,
    pub(crate) leases: Arc<LeaseCount>,
    pub(crate) running: Option<Running>,
}

/// A process of ours and the lock that says so to other processes.
pub(crate) struct Running {
    process: ServiceProcess,
    _lock: Flock<File>,
}

/// How a start ended.
enum Start {
    Ready,
    Failed(ServiceError),
    Stop(Option<oneshot::Sender<()>>),
}

impl Actor {
    /// Runs until the owner is gone, then stops the process.
    pub(crate) async fn run(mut self) {
        loop {
            // A new round begins whenever a lease is given back, which restarts the idle time.
            let idle_at = self.idle_at();
            tokio::select! {
                request = self.requests.recv() => match request {
                    Some(Request::Acquire(waiter)) => self.acquire(waiter).await,
                    Some(Request::Stop(done)) => {
                        drop(self.stop().await);
                        let _ = done.send(());
                    }
                    None => break,
                },
                (status, last_lines) = ended(&mut self.running) => {
                    self.running = None;
                    self.publish.send_replace(ServiceState::Crashed(self.crash(status, last_lines)));
                }
                () = self.leases.given_back() => {}
                () = until(idle_at) => drop(self.stop().await),
            }
        }
        self.stop().await;
    }

    async fn acquire(&mut self, waiter: Waiter) {
        if self.running.is_some() {
            self.grant(waiter);
            return;
        }
        if is_healthy(&self.http, &self.health).await {
            self.running = self.adopt();
            self.publish.send_replace(self.answering());
            self.grant(waiter);
            return;
        }
        let mut waiters = vec![waiter];
        match self.start(&mut waiters).await {
            Start::Ready => waiters.into_iter().for_each(|waiter| self.grant(waiter)),
            Start::Failed(error) => {
                for waiter in waiters {
                    let _ = waiter.send(Err(error.clone()));
                }
            }
            Start::Stop(done) => {
                self.stop().await;
                for waiter in waiters {
                    let _ = waiter.send(Err(ServiceError::Stopping { service: self.settings.name.clone() }));
                }
                if let Some(done) = done {
                    let _ = done.send(());
                }
            }
        }
    }

    fn grant(&self, waiter: Waiter) {
        // Whoever asked may be gone; then the lease comes back with the error and is given up by its drop.
        let _ = waiter.send(Ok(Lease::new(Arc::clone(&self.leases), self.publish.subscribe())));
    }

    async fn start(&mut self, waiters: &mut Vec<Waiter>) -> Start {
        self.publish.send_replace(ServiceState::Starting);
        self.running = match self.spawn() {
            Ok(running) => running,
            Err(error) => {
                self.publish.send_replace(ServiceState::Stopped);
                return Start::Failed(error);
            }
        };
        let deadline = Instant::now() + self.settings.ready_timeout;
        let (http, health) = (self.http.clone(), self.health.clone());
        let healthy = async move {
            while !is_healthy(&http, &health).await {
                sleep(POLL).await;
            }
        };
        tokio::pin!(healthy);
        loop {
            tokio::select! {
                biased;
                (status, last_lines) = ended(&mut self.running) => {
                    self.running = None;
                    let crash = self.crash(status, last_lines);
                    self.publish.send_replace(ServiceState::Crashed(crash.clone()));
                    return Start::Failed(ServiceError::Crashed(crash));
                }
                () = &mut healthy => {
                    self.publish.send_replace(self.answering());
                    return Start::Ready;
                }
                () = sleep_until(deadline) => return Start::Failed(self.not_ready().await),
                request = self.requests.recv() => match request {
                    Some(Request::Acquire(waiter)) => waiters.push(waiter),
                    Some(Request::Stop(done)) => return Start::Stop(Some(done)),
                    None => return Start::Stop(None),
                },
            }
        }
    }

    /// Starts the command, or adopts what a krabba before us started; none when another one that still runs has it.
    fn spawn(&self) -> Result<Option<Running>, ServiceError> {
        let Some((lock, log)) = self.claim()? else { return Ok(None) };
        let process = match ServiceProcess::adopt(log, self.file("pid")) {
            Ok(adopted) => adopted,
            Err(log) => ServiceProcess::spawn(&self.settings, log, self.file("pid")).map_err(|error| ServiceError::Spawn {
                service: self.settings.name.clone(),
                command: self.settings.command.clone(),
                reason: error.to_string(),
            })?,
        };
        Ok(Some(Running { process, _lock: lock }))
    }

    /// What a killed krabba left running is ours again.
    fn adopt(&self) -> Option<Running> {
        let (lock, log) = self.claim().ok()??;
        let process = ServiceProcess::adopt(log, self.file("pid")).ok()?;
        Some(Running { process, _lock: lock })
    }

    /// The lock and the log; none when another krabba holds the lock.
    fn claim(&self) -> Result<Option<(Flock<File>, ServiceLog)>, ServiceError> {
        let failed = |path: PathBuf| {
            let service = self.settings.name.clone();
            move |error: std::io::Error| ServiceError::Log { service, path, reason: error.to_string() }
        };
        let directory = fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.directory);
        directory.map_err(failed(self.directory.clone()))?;
        let lock = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(self.file("lock"));
        let lock = lock.map_err(failed(self.file("lock")))?;
        let Ok(lock) = Flock::lock(lock, FlockArg::LockExclusiveNonblock) else { return Ok(None) };
        let log = ServiceLog::open(&self.file("log")).map_err(failed(self.file("log")))?;
        Ok(Some((lock, log)))
    }

    async fn not_ready(&mut self) -> ServiceError {
        let last_lines = self.stop().await;
        ServiceError::NotReady {
            service: self.settings.name.clone(),
            health_url: krabba_net::display_url(&self.health),
            timeout: self.settings.ready_timeout,
            log: self.file("log"),
            last_lines,
        }
    }

    async fn stop(&mut self) -> Vec<String> {
        let last_lines = match self.running.take() {
            Some(running) => running.process.stop().await,
            None => Vec::new(),
        };
        self.publish.send_replace(ServiceState::Stopped);
        last_lines
    }

    fn answering(&self) -> ServiceState {
        if self.running.is_some() { ServiceState::Ready } else { ServiceState::Foreign }
    }

    fn idle_at(&self) -> Option<Instant> {
        let idle = self.running.is_some() && self.leases.is_zero();
        self.settings.idle_stop.filter(|_| idle).map(|pause| Instant::now() + pause)
    }

    fn crash(&self, status: String, last_lines: Vec<String>) -> CrashReport {
        CrashReport { service: self.settings.name.clone(), status, log: self.file("log"), last_lines }
    }

    fn file(&self, extension: &str) -> PathBuf {
        let safe = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') { c } else { '_' };
        let name: String = self.settings.name.chars().map(safe).collect();
        self.directory.join(format!("{name}.{extension}"))
    }
}

async fn ended(running: &mut Option<Running>) -> (String, Vec<String>) {
    match running {
        Some(running) => running.process.ended().await,
        None => std::future::pending().await,
    }
}

async fn until(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => std::future::pending().await,
    }
}

/// Whether something answers there. A server that wants a key is up.
async fn is_healthy(http: &HttpClient, health: &Url) -> bool {
    let request = HttpRequest::get(health.clone()).connect_timeout(PROBE).reuse(Reuse::Fresh);
    match timeout(PROBE, http.send(request)).await {
        Ok(Ok(response)) => (200..300).contains(&response.status) || matches!(response.status, 401 | 403),
        Ok(Err(_)) | Err(_) => false,
    }
}
