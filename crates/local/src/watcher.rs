//! Keeping reports fresh. Each watched endpoint has one task, owned by the [`Watcher`]:
//!
//! ```text
//!  watch() ──► task: probe ─► publish ─► wait 20 s, or until somebody asks ─┐
//!                ▲──────────────────────────────────────────────────────────┘
//! ```
//!
//! A server that starts a minute after us is found by the next round; one that stops is seen to be gone. The rounds ask
//! only what is known neither to wake a model nor to keep it awake. Endpoints with `probe: false` are asked on demand alone.
//!
//! Shutdown: [`Watcher::shutdown`] ends all tasks and waits until they are gone. A round under way is broken off: it only asks, and a
//! server that does not answer must not hold up a program that is done. Dropping the last clone aborts them too.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use krabba_net::HttpClient;
use krabba_types::{Clock, ModelId, RouteState, SystemClock, Timestamp};
use tokio::sync::{mpsc, oneshot, watch};

use crate::asker::Depth;
use crate::owned_task::OwnedTask;
use crate::probe::probe_again;
use crate::{Endpoint, ProbeError, Report};

/// How often an idle endpoint is asked.
const INTERVAL: Duration = Duration::from_secs(20);
/// How long one round may take, all addresses together.
const ROUND: Duration = Duration::from_secs(4);

/// Watches endpoints. Clones share the same tasks.
#[derive(Clone)]
pub struct Watcher {
    shared: Arc<Shared>,
}

/// What is known about a watched endpoint.
#[derive(Clone, Debug, PartialEq)]
pub enum Observation {
    /// It has not been asked yet.
    NotYet,
    /// It answered.
    Up(Arc<Report>),
    /// It did not.
    Down {
        /// What was tried.
        error: Arc<ProbeError>,
        /// When.
        at: Timestamp,
    },
}

struct Shared {
    http: HttpClient,
    interval: Duration,
    watched: Mutex<HashMap<String, Watched>>,
    changes: watch::Sender<u64>,
}

struct Watched {
    observation: watch::Receiver<Observation>,
    asks: mpsc::Sender<oneshot::Sender<()>>,
    task: OwnedTask,
}

impl Watcher {
    /// Watches nothing yet; each endpoint will be asked every 20 s.
    pub fn new(http: HttpClient) -> Self {
        Self::with_interval(http, INTERVAL)
    }

    /// The same with another pause between two rounds.
    pub fn with_interval(http: HttpClient, interval: Duration) -> Self {
        let (changes, _) = watch::channel(0);
        Self { shared: Arc::new(Shared { http, interval, watched: Mutex::default(), changes }) }
    }

    /// Begins to watch `endpoint`, known by its base URL as configured. A base URL that is watched already stays as it is. Must be called
    /// inside of a tokio runtime.
    pub fn watch(&self, endpoint: Endpoint) {
        let mut watched = self.shared.watched.lock().unwrap_or_else(PoisonError::into_inner);
        let key = endpoint.base_url.clone();
        watched.entry(key).or_insert_with(|| {
            let (publish, observation) = watch::channel(Observation::NotYet);
            let (asks, asked) = mpsc::channel(16);
            let interval = endpoint.probe.then_some(self.shared.interval);
            let round = Round { http: self.shared.http.clone(), endpoint, interval, publish, changes: self.shared.changes.clone() };
            Watched { observation, asks, task: OwnedTask::new(tokio::spawn(round.run(asked))) }
        });
    }

    /// What is known about the endpoint with this base URL (as configured).
    pub fn observation(&self, base_url: &str) -> Observation {
        let watched = self.shared.watched.lock().unwrap_or_else(PoisonError::into_inner);
        watched.get(base_url).map_or(Observation::NotYet, |watched| watched.observation.borrow().clone())
    }

    /// Its report, if it answered when it was last asked.
    pub fn latest(&self, base_url: &str) -> Option<Arc<Report>> {
        match self.observation(base_url) {
            Observation::Up(report) => Some(report),
            Observation::NotYet | Observation::Down { .. } => None,
        }
    }

    /// What a route is doing: `Cold`, `Loading`, `Ready`, `Busy`, or `Unknown`.
    pub fn state(&self, base_url: &str, model: &ModelId) -> RouteState {
        self.latest(base_url).map_or(RouteState::Unknown, |report| report.route_state(model))
    }

    /// Changes with every observation that differs from the one before.
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.shared.changes.subscribe()
    }

    /// Asks now and gives what came of it. Several who ask at the same time share one round. `NotYet` for a base URL that is not watched.
    pub async fn refresh_now(&self, base_url: &str) -> Observation {
        let asks = {
            let watched = self.shared.watched.lock().unwrap_or_else(PoisonError::into_inner);
            watched.get(base_url).map(|watched| watched.asks.clone())
        };
        if let Some(asks) = asks {
            let (reply, done) = oneshot::channel();
            if asks.send(reply).await.is_ok() {
                // An error means that the task has ended: what is known stays what it was.
                let _ = done.await;
            }
        }
        self.observation(base_url)
    }

    /// Ends all tasks and waits for them.
    pub async fn shutdown(&self) {
        let all: Vec<Watched> = {
            let mut watched = self.shared.watched.lock().unwrap_or_else(PoisonError::into_inner);
            watched.drain().map(|(_, watched)| watched).collect()
        };
        for Watched { task, .. } in all {
            task.stop().await;
        }
    }
}

/// One endpoint's task.
struct Round {
    http: HttpClient,
    endpoint: Endpoint,
    /// None: only on demand.
    interval: Option<Duration>,
    publish: watch::Sender<Observation>,
    changes: watch::Sender<u64>,
}

impl Round {
    async fn run(self, mut asked: mpsc::Receiver<oneshot::Sender<()>>) {
        if self.interval.is_some() {
            self.ask(Depth::Quiet).await;
        }
        loop {
            let pause = async {
                match self.interval {
                    Some(interval) => tokio::time::sleep(interval).await,
                    None => std::future::pending().await,
                }
            };
            let mut waiting = Vec::new();
            let depth = tokio::select! {
                ask = asked.recv() => match ask {
                    Some(reply) => { waiting.push(reply); Depth::Full }
                    None => return,
                },
                () = pause => Depth::Quiet,
            };
            self.ask(depth).await;
            // Who asked meanwhile gets this answer too: it is as old as one round.
            while let Ok(reply) = asked.try_recv() {
                waiting.push(reply);
            }
            for reply in waiting {
                let _ = reply.send(());
            }
        }
    }

    async fn ask(&self, depth: Depth) {
        let before = match &*self.publish.borrow() {
            Observation::Up(report) => report.models.clone(),
            Observation::NotYet | Observation::Down { .. } => Vec::new(),
        };
        let observation = match probe_again(&self.http, &self.endpoint, ROUND, depth, &before).await {
            Ok(report) => Observation::Up(Arc::new(report)),
            Err(error) => Observation::Down { error: Arc::new(error), at: SystemClock.now() },
        };
        let news = is_news(&self.publish.borrow(), &observation);
        self.publish.send_replace(observation);
        if news {
            self.changes.send_modify(|version| *version = version.wrapping_add(1));
        }
    }
}

/// Whether anything but the time differs.
fn is_news(before: &Observation, now: &Observation) -> bool {
    match (before, now) {
        (Observation::Up(before), Observation::Up(now)) => {
            let mut before = Report::clone(before);
            before.at = now.at;
            before.tried.clone_from(&now.tried);
            before != **now
        }
        (Observation::Down { error: before, .. }, Observation::Down { error: now, .. }) => before != now,
        (Observation::NotYet | Observation::Up(_) | Observation::Down { .. }, _) => true,
    }
}
