//! The agent: what all sessions share, and the owner of every task.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use krabba_route::Router;
use krabba_store::{LeaseOwner, Leasing, NewSession, Session, Store};
use krabba_types::{AgentId, Clock, SessionId, Thinking};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::AgentError;
use crate::ending::close;
use crate::hands::Hands;
use crate::history::History;
use crate::lane::{Lane, LaneState};
use crate::meters::Meters;
use crate::opening::Briefing;
use crate::turn::LEASE;

/// What an agent is told once, at the start.
#[derive(Clone, Debug)]
pub struct AgentSettings {
    /// Its name in the configuration.
    pub id: AgentId,
    /// What a conversation begins with.
    pub briefing: Briefing,
    /// How much to think where neither the session nor the turn says.
    pub thinking: Thinking,
}

/// An agent. Cheap to clone; all clones are the same one.
#[derive(Clone)]
pub struct Agent {
    shared: Arc<Shared>,
}

/// A conversation that was left in the middle of a turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deserted {
    /// Which.
    pub session: Session,
    /// What is to be said of it.
    pub lines: Vec<String>,
}

/// What lanes and turns need of their agent.
pub(crate) struct Shared {
    pub(crate) store: Arc<Store>,
    pub(crate) router: Arc<Router>,
    pub(crate) settings: AgentSettings,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) hands: Hands,
    pub(crate) owner: LeaseOwner,
    pub(crate) meters: Meters,
    pub(crate) tasks: TaskTracker,
    pub(crate) closing: CancellationToken,
    lanes: Mutex<HashMap<SessionId, Weak<LaneState>>>,
}

impl Agent {
    /// An agent that thinks with `router`, acts with `hands` and remembers in `store`.
    pub fn new(store: Arc<Store>, router: Arc<Router>, settings: AgentSettings, hands: Hands, clock: Arc<dyn Clock>) -> Self {
        let shared = Shared {
            store,
            router,
            settings,
            clock,
            hands,
            owner: LeaseOwner::new(),
            meters: Meters::default(),
            tasks: TaskTracker::new(),
            closing: CancellationToken::new(),
            lanes: Mutex::default(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Its name in the configuration.
    pub fn id(&self) -> &AgentId {
        &self.shared.settings.id
    }

    /// How much it thinks where neither the session nor the turn says.
    pub fn thinking(&self) -> Thinking {
        self.shared.settings.thinking
    }

    /// What it acts with.
    pub fn hands(&self) -> &Hands {
        &self.shared.hands
    }

    /// The lane of a session, which need not exist yet. Two lanes of one session share one queue.
    pub fn session(&self, id: SessionId) -> Lane {
        self.shared.lane(id)
    }

    /// A lane for a conversation that has not begun. Nothing is written before its first turn.
    pub fn new_session(&self) -> Lane {
        self.shared.new_lane()
    }

    /// A new session with the choices of `before` (model, thinking, how far it may go), but none of its words.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn succeed(&self, before: &Lane) -> Result<Lane, AgentError> {
        let settings = before.view().await?.settings;
        let lane = self.new_session();
        lane.change_all(settings.for_successor()).await?;
        Ok(lane)
    }

    /// All sessions of the store but those of sub-agents, the one used last first.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn sessions(&self) -> Result<Vec<Session>, AgentError> {
        let sessions = self.shared.stored(|store| Ok(store.list_sessions()?)).await?;
        Ok(sessions.into_iter().filter(|session| session.id.asker().is_none()).collect())
    }

    /// Closes the turns that a dead process left open in other conversations than `but`, and gives what is to be said of each.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn close_deserted(&self, but: Option<&SessionId>) -> Result<Vec<Deserted>, AgentError> {
        let (but, shared) = (but.cloned(), Arc::clone(&self.shared));
        let now = self.shared.clock.now();
        self.shared
            .stored(move |store| {
                let mut deserted = Vec::new();
                for id in store.deserted_sessions(now)?.into_iter().filter(|id| but.as_ref() != Some(id)) {
                    let Some(session) = store.session(&id)?.filter(|session| session.agent == shared.settings.id) else { continue };
                    let Leasing::Taken(lease) = store.take_lease(&id, &shared.owner, now, now.plus(LEASE))? else { continue };
                    let history = History::of(&store.events(&id, 0)?);
                    let lines = close(store, &id, &history, now)?;
                    store.release_lease(&lease)?;
                    // Its asker is told of the work; of a sub-agent itself, what nobody else knows.
                    let told = id.asker().is_none() || lines.len() > 1;
                    if told && !lines.is_empty() {
                        deserted.push(Deserted { session, lines });
                    }
                }
                Ok(deserted)
            })
            .await
    }

    /// Ends: stops every turn, waits until each has stored what it has and given its session free. Turns that are asked
    /// for afterwards are refused.
    pub async fn close(&self) {
        self.shared.closing.cancel();
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
    }
}

impl Shared {
    pub(crate) fn lane(self: &Arc<Self>, id: SessionId) -> Lane {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(state) = lanes.get(&id).and_then(Weak::upgrade) {
            return Lane::new(Arc::clone(self), state);
        }
        lanes.retain(|_, state| state.strong_count() > 0);
        let state = Arc::new(LaneState::new(id.clone()));
        lanes.insert(id, Arc::downgrade(&state));
        Lane::new(Arc::clone(self), state)
    }

    pub(crate) fn new_lane(self: &Arc<Self>) -> Lane {
        self.lane(SessionId::new(Uuid::now_v7().to_string()))
    }

    /// Runs `work` where it may wait for the disk.
    pub(crate) async fn stored<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Store) -> Result<T, AgentError> + Send + 'static,
    ) -> Result<T, AgentError> {
        let store = Arc::clone(&self.store);
        match tokio::task::spawn_blocking(move || work(&store)).await {
            Ok(outcome) => outcome,
            // A panic in there is a bug and stays one; otherwise the runtime is on its way out.
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => Err(AgentError::Closing),
        }
    }

    /// The row for a session of this agent that begins now.
    pub(crate) fn new_session_row(&self, id: &SessionId, title: Option<String>) -> NewSession {
        NewSession { id: id.clone(), agent: self.settings.id.clone(), title, at: self.clock.now() }
    }
}
