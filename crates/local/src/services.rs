//! Server commands that run only while a model of theirs is needed.
//!
//! Whoever is about to send a request takes a [`Lease`]; the first one starts the command, all wait until its health URL answers, and the idle
//! time counts from the moment the last one is given back. What was running already, started by somebody else, is used and left
//! alone.
//!
//! Shutdown: [`Services::shutdown`] asks each of our processes to stop (`TERM`, 5 s later `KILL`, to the whole process group) and
//! waits for that. Dropping the last clone kills them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use krabba_net::{HttpClient, Url};
use tokio::sync::{Notify, mpsc, oneshot, watch};

use crate::owned_task::OwnedTask;
use crate::service::{ServiceSettings, ServiceState};
use crate::service_actor::{Actor, Request};
use crate::service_error::{CrashReport, ServiceError};

/// All services of this process. Clones share them.
#[derive(Clone)]
pub struct Services {
    shared: Arc<Shared>,
}

struct Shared {
    http: HttpClient,
    directory: PathBuf,
    services: Mutex<HashMap<String, Service>>,
}

struct Service {
    requests: mpsc::Sender<Request>,
    state: watch::Receiver<ServiceState>,
    task: OwnedTask,
}

/// The right to use a service; it is not stopped for idleness while one exists.
#[derive(Debug)]
pub struct Lease {
    count: Arc<LeaseCount>,
    state: watch::Receiver<ServiceState>,
}

/// How many leases there are.
#[derive(Debug, Default)]
pub(crate) struct LeaseCount {
    count: AtomicUsize,
    given_back: Notify,
}

impl Services {
    /// No service yet. Logs and lock files go to `services` below `state_dir`.
    pub fn new(http: HttpClient, state_dir: &Path) -> Self {
        let shared = Shared { http, directory: state_dir.join("services"), services: Mutex::default() };
        Self { shared: Arc::new(shared) }
    }

    /// Waits until the service answers, starting it if nothing does. Several who wait share one start. Must be called inside of a tokio runtime.
    ///
    /// # Errors
    /// When it cannot be started, ends while it starts, or does not answer within its `ready_timeout`.
    pub async fn lease(&self, settings: &ServiceSettings) -> Result<Lease, ServiceError> {
        let stopping = || ServiceError::Stopping { service: settings.name.clone() };
        let requests = self.service(settings)?;
        let (waiter, lease) = oneshot::channel();
        requests.send(Request::Acquire(waiter)).await.map_err(|_| stopping())?;
        lease.await.map_err(|_| stopping())?
    }

    /// What a service is doing; changes can be waited for. None before its first lease.
    pub fn state(&self, name: &str) -> Option<watch::Receiver<ServiceState>> {
        let services = self.shared.services.lock().unwrap_or_else(PoisonError::into_inner);
        services.get(name).map(|service| service.state.clone())
    }

    /// Stops one service now, whatever leases there are.
    pub async fn stop(&self, name: &str) {
        let requests = {
            let services = self.shared.services.lock().unwrap_or_else(PoisonError::into_inner);
            services.get(name).map(|service| service.requests.clone())
        };
        let Some(requests) = requests else { return };
        let (reply, done) = oneshot::channel();
        if requests.send(Request::Stop(reply)).await.is_ok() {
            // An error means that its task has ended, and the process with it.
            let _ = done.await;
        }
    }

    /// Stops all that we started, and waits until they are gone.
    pub async fn shutdown(&self) {
        let all: Vec<Service> = {
            let mut services = self.shared.services.lock().unwrap_or_else(PoisonError::into_inner);
            services.drain().map(|(_, service)| service).collect()
        };
        // All are told first, so that their graces run at the same time.
        let mut tasks = Vec::new();
        for Service { requests, state, task } in all {
            drop((requests, state));
            tasks.push(task);
        }
        for task in tasks {
            task.finish().await;
        }
    }

    fn service(&self, settings: &ServiceSettings) -> Result<mpsc::Sender<Request>, ServiceError> {
        let mut services = self.shared.services.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(service) = services.get(&settings.name) {
            return Ok(service.requests.clone());
        }
        if !settings.command.is_absolute() {
            return Err(ServiceError::NotAbsolute { service: settings.name.clone(), command: settings.command.clone() });
        }
        let bad_url = |_| ServiceError::BadHealthUrl { service: settings.name.clone(), url: settings.health_url.clone() };
        let health = Url::parse(&settings.health_url).map_err(bad_url)?;
        self.shared.http.egress().allow(&health);
        let (requests, asked) = mpsc::channel(32);
        let (publish, state) = watch::channel(ServiceState::Stopped);
        let actor = Actor {
            http: self.shared.http.clone(),
            settings: settings.clone(),
            health,
            directory: self.shared.directory.clone(),
            requests: asked,
            publish,
            leases: Arc::default(),
            running: None,
        };
        let task = OwnedTask::new(tokio::spawn(actor.run()));
        services.insert(settings.name.clone(), Service { requests: requests.clone(), state, task });
        Ok(requests)
    }
}

impl Lease {
    pub(crate) fn new(count: Arc<LeaseCount>, state: watch::Receiver<ServiceState>) -> Self {
        count.count.fetch_add(1, Ordering::SeqCst);
        Self { count, state }
    }

    /// What became of the service meanwhile, when it ended by itself: the reason for a request that broke off.
    pub fn crash(&self) -> Option<CrashReport> {
        match &*self.state.borrow() {
            ServiceState::Crashed(report) => Some(report.clone()),
            ServiceState::Stopped | ServiceState::Starting | ServiceState::Ready | ServiceState::Foreign => None,
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.count.count.fetch_sub(1, Ordering::SeqCst);
        self.count.given_back.notify_one();
    }
}

impl LeaseCount {
    pub(crate) fn is_zero(&self) -> bool {
        self.count.load(Ordering::SeqCst) == 0
    }

    /// Resolves after a lease was given back; one that was given back before counts.
    pub(crate) async fn given_back(&self) {
        self.given_back.notified().await;
    }
}
