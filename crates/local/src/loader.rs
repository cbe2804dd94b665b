//! Loading models, one flight for all who wait.
//!
//! ```text
//!  load(box, model) ──► is one on its way? ── yes ─► follow it
//!                             │ no
//!                             ▼
//!                       task: wait for the box ─► ask the server ─► read what came of it ─► Ended
//! ```
//!
//! Whoever stops following leaves the load alone: a server that has begun cannot be told to stop, and the next question will be glad of it.
//! Loads of different models on one box wait for each other, because together they only push one another out of memory.
//!
//! What we loaded is remembered for the life of the process, and only that is ever unloaded, and only on request.
//!
//! Shutdown: [`Loader::shutdown`] aborts the tasks; followers get `Ended(Err(Abandoned))`.

use std::collections::{HashMap, HashSet};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use futures_util::Stream;
use krabba_net::HttpClient;
use krabba_types::{BoxId, ModelId, Progress};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::load_order::{LoadError, LoadEvent, LoadOrder, Loaded, UnloadError};
use crate::loading::Loading;
use crate::{Endpoint, Report, loading};

/// Loads models. Clones share flights and memory.
#[derive(Clone)]
pub struct Loader {
    shared: Arc<Shared>,
}

/// The events of one load; ends after `Ended`.
pub struct LoadStream {
    events: Pin<Box<dyn Stream<Item = LoadEvent> + Send>>,
}

type Flight = (BoxId, ModelId);

struct Shared {
    http: HttpClient,
    flights: Mutex<HashMap<Flight, watch::Receiver<Stage>>>,
    boxes: Mutex<HashMap<BoxId, Arc<tokio::sync::Mutex<()>>>>,
    ours: Mutex<HashSet<Flight>>,
    tasks: Mutex<JoinSet<()>>,
}

/// Where a flight stands.
#[derive(Clone, Debug)]
pub(crate) enum Stage {
    Under(Progress),
    Ended(Result<Loaded, LoadError>),
}

impl Loader {
    /// Nothing is loaded yet.
    pub fn new(http: HttpClient) -> Self {
        let shared = Shared { http, flights: Mutex::default(), boxes: Mutex::default(), ours: Mutex::default(), tasks: Mutex::default() };
        Self { shared: Arc::new(shared) }
    }

    /// Loads as ordered, or follows the load of the same model that is on its way. Must be called inside of a tokio runtime.
    pub fn load(&self, order: LoadOrder) -> LoadStream {
        let flight = (order.endpoint.box_id.clone(), order.model.clone());
        let mut flights = locked(&self.shared.flights);
        // A flight that ended, or whose task was aborted, is over.
        flights.retain(|_, stage| matches!(*stage.borrow(), Stage::Under(_)) && stage.has_changed().is_ok());
        let stage = flights.entry(flight).or_insert_with(|| self.take_off(order.clone())).clone();
        drop(flights);
        LoadStream::follow(stage, order.model)
    }

    /// Whether `model` on `box_id` was loaded by us.
    pub fn is_ours(&self, box_id: &BoxId, model: &ModelId) -> bool {
        locked(&self.shared.ours).contains(&(box_id.clone(), model.clone()))
    }

    /// Remembers that a request of ours brought `model` into memory, when it was seen to be cold before. A load with a larger window then
    /// replaces it instead of standing beside it.
    pub fn claim(&self, box_id: &BoxId, model: &ModelId) {
        locked(&self.shared.ours).insert((box_id.clone(), model.clone()));
    }

    /// Unloads a model that we loaded.
    ///
    /// # Errors
    /// [`UnloadError::NotOurs`] for everything else, without asking the server; [`UnloadError::Failed`] when it refuses.
    pub async fn unload(&self, endpoint: &Endpoint, report: &Report, model: &ModelId) -> Result<(), UnloadError> {
        let flight = (endpoint.box_id.clone(), model.clone());
        if !locked(&self.shared.ours).contains(&flight) {
            return Err(UnloadError::NotOurs { model: model.clone() });
        }
        let outcome = loading::unload(&self.shared.http, endpoint, report, model).await;
        outcome.map_err(|reason| UnloadError::Failed { model: model.clone(), reason })?;
        locked(&self.shared.ours).remove(&flight);
        Ok(())
    }

    /// Abandons all loads that are on their way; the servers may still finish them.
    pub async fn shutdown(&self) {
        let mut tasks = std::mem::take(&mut *locked(&self.shared.tasks));
        tasks.shutdown().await;
    }

    fn take_off(&self, order: LoadOrder) -> watch::Receiver<Stage> {
        let (publish, stage) = watch::channel(Stage::Under(Progress::Loading { percent: None }));
        let shared = Arc::downgrade(&self.shared);
        let queue = locked(&self.shared.boxes).entry(order.endpoint.box_id.clone()).or_default().clone();
        let http = self.shared.http.clone();
        let mut tasks = locked(&self.shared.tasks);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(async move {
            let _turn = match Arc::clone(&queue).try_lock_owned() {
                Ok(turn) => turn,
                Err(_taken) => {
                    publish.send_replace(Stage::Under(Progress::Queued { position: 1 }));
                    queue.lock_owned().await
                }
            };
            publish.send_replace(Stage::Under(Progress::Loading { percent: None }));
            let Some(replaces) = shared.upgrade().map(|shared| shared.instances_of(&order)) else { return };
            let outcome = Loading { http: &http, order: &order, replaces: &replaces, publish: &publish }.run().await;
            if let (Some(shared), Ok(Loaded::Now { model, .. })) = (shared.upgrade(), &outcome) {
                let mut ours = locked(&shared.ours);
                ours.retain(|(at, known)| *at != order.endpoint.box_id || !replaces.contains(known));
                ours.insert((order.endpoint.box_id.clone(), model.clone()));
            }
            publish.send_replace(Stage::Ended(outcome));
        });
        stage
    }
}

impl Shared {
    /// What we have in memory of this model. LM Studio names a second instance `model:2`.
    fn instances_of(&self, order: &LoadOrder) -> Vec<ModelId> {
        let is_instance = |known: &ModelId| {
            known.as_str().strip_prefix(order.model.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
        };
        let ours = locked(&self.ours);
        ours.iter().filter(|(at, known)| *at == order.endpoint.box_id && is_instance(known)).map(|(_, known)| known.clone()).collect()
    }
}

impl LoadStream {
    fn follow(stage: watch::Receiver<Stage>, model: ModelId) -> Self {
        enum Follow {
            First(watch::Receiver<Stage>),
            Next(watch::Receiver<Stage>),
            Over,
        }
        let events = futures_util::stream::unfold((Follow::First(stage), model), |(follow, model)| async move {
            let mut stage = match follow {
                Follow::First(stage) => stage,
                Follow::Next(mut stage) => {
                    if stage.changed().await.is_err() {
                        let abandoned = LoadError::Abandoned { model: model.clone() };
                        return Some((LoadEvent::Ended(Err(abandoned)), (Follow::Over, model)));
                    }
                    stage
                }
                Follow::Over => return None,
            };
            let now = stage.borrow_and_update().clone();
            Some(match now {
                Stage::Under(progress) => (LoadEvent::Progress(progress), (Follow::Next(stage), model)),
                Stage::Ended(outcome) => (LoadEvent::Ended(outcome), (Follow::Over, model)),
            })
        });
        Self { events: Box::pin(events) }
    }
}

impl Stream for LoadStream {
    type Item = LoadEvent;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<LoadEvent>> {
        self.events.as_mut().poll_next(context)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
