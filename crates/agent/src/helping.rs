//! Sub-agents: a task that a model has done in a conversation of its own, so that what is read on the way does not fill its window.
//!
//! A sub-agent has no authority of its own. Whatever it wants to do is judged in the scene of the turn that began it, with what it
//! read itself added: the same owner's words vouch, the same foreign words taint, and grants, commands in the background and what
//! is kept apart belong to that conversation. The task is a model's words, no person's. Its answer carries the label of all that it
//! read, also where it is none; its steps and tokens count for the turn that began it, and it ends with it. Nobody goes on with it.

use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use krabba_guard::Scene;
use krabba_tool::{Helper, Worked};
use krabba_types::{DoneReason, Label, Part};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::agent::Shared;
use crate::deadline::Deadline;
use crate::hands::Limits;
use crate::lane::{Lane, LaneState};
use crate::record::Change;
use crate::{AgentError, Input, Outcome, Status, TurnEnd, TurnEvent};

/// Stands behind the task. It never varies.
const ALONE: &str = "[krabba: you are a sub-agent. Do this by yourself, nobody can be asked back, and answer with what came of it.]";

/// For whom a sub-agent works.
#[derive(Clone, Debug)]
pub(crate) struct Behalf {
    /// Where the turn that began it stood then.
    pub(crate) scene: Scene,
    pub(crate) lane: Arc<LaneState>,
    pub(crate) give_way: CancellationToken,
    /// What ends it ends its sub-agents.
    pub(crate) stop: CancellationToken,
    /// How often the owner said no in it, to whomever.
    pub(crate) noes: Arc<AtomicU32>,
    /// What is left of its limits.
    pub(crate) limits: Limits,
    pub(crate) deadline: Deadline,
}

impl Behalf {
    /// The scene of an action of the sub-agent, from that of its own conversation.
    pub(crate) fn scene(&self, own: Scene) -> Scene {
        let Scene { agent, session, turn, principal, label, said, structured } = self.scene.clone();
        Scene {
            agent,
            session,
            turn,
            principal,
            label: label.join(&own.label),
            said: said.into_iter().chain(own.said).collect(),
            structured: structured.into_iter().chain(own.structured).collect(),
        }
    }

    /// Whether there is something else to be said where the work was asked for.
    pub(crate) fn is_steered(&self) -> bool {
        self.lane.queue.turns().len() > 1
    }
}

/// What sub-agents came to, for the turn that began them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Spent {
    pub(crate) steps: u32,
    pub(crate) output_tokens: u64,
    /// Those that no server counted.
    pub(crate) estimated_tokens: u64,
    /// The rule that stopped one for good.
    pub(crate) halted: Option<String>,
}

/// Begins sub-agents.
pub(crate) struct Helping {
    pub(crate) shared: Arc<Shared>,
    pub(crate) behalf: Arc<Behalf>,
    /// As the turn that begins them was asked, but for the words.
    pub(crate) input: Input,
    /// What the person chose for the conversation.
    pub(crate) changes: Vec<Change>,
    /// What there is to see of the work.
    pub(crate) heard: mpsc::Sender<TurnEvent>,
    pub(crate) spent: Arc<Mutex<Spent>>,
}

impl std::fmt::Debug for Helping {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Helping").field("behalf", &self.behalf).finish_non_exhaustive()
    }
}

impl Helping {
    async fn have_done(&self, task: String, limit: Option<Duration>, stop: CancellationToken) -> Worked {
        let lane = self.shared.lane(self.behalf.scene.session.sub_agent(&Uuid::now_v7().to_string()));
        let worked = match lane.change_all(self.changes.clone()).await {
            Ok(()) => self.heard_out(&lane, task, Time::begin(limit), stop).await,
            Err(error) => Err(error.to_string()),
        };
        // Also that there is no answer, or none in time, can say something of what was read.
        let label = match self.legacy(&lane).await {
            Ok((label, halted)) => {
                self.spent().halted = halted;
                label
            }
            Err(_) => Label::untrusted("unknown"),
        };
        let (text, is_error) = worked.map_or_else(|why| (why, true), |text| (text, false));
        Worked { text, is_error, label: label.join(&self.input.label) }
    }

    /// Passes on what there is to see, until the work has ended.
    async fn heard_out(&self, lane: &Lane, task: String, mut time: Time, stop: CancellationToken) -> Result<String, String> {
        let parts = vec![Part::Text(task), Part::Text(ALONE.to_owned())];
        let input = Input { parts, pasted: Vec::new(), ..self.input.clone() };
        let mut handle = lane.turn_for(input, Arc::clone(&self.behalf));
        let (mut end, mut is_late) = (None, false);
        loop {
            let event = tokio::select! {
                event = handle.events.recv() => event,
                () = stop.cancelled(), if !handle.is_stopped() => {
                    handle.stop();
                    continue;
                }
                () = time.over(), if !is_late => {
                    is_late = true;
                    handle.stop();
                    continue;
                }
            };
            match event {
                None => break,
                Some(TurnEvent::Ended(ended)) => end = Some(ended),
                // What it says is for the model alone.
                Some(TurnEvent::Text(_) | TurnEvent::Reasoning(_) | TurnEvent::Restarted { .. }) => {}
                Some(event) => {
                    time.heard(&event);
                    // Where nobody listens any more, the work goes on until it is dropped.
                    let _heard: Result<(), _> = self.heard.send(event).await;
                }
            }
        }
        let end = end.ok_or("the sub-agent ended without saying how")?;
        self.count(&end);
        if is_late { Err("there was no answer in the time that you gave".to_owned()) } else { answer_of(*end) }
    }

    /// The label of all that it read, and the rule that ended the conversation for good.
    async fn legacy(&self, lane: &Lane) -> Result<(Label, Option<String>), AgentError> {
        let state = Arc::clone(lane.state());
        self.shared
            .stored(move |store| {
                let history = state.refresh(store)?;
                Ok((history.label_of_all(), history.settings().halted.clone()))
            })
            .await
    }

    fn count(&self, end: &TurnEnd) {
        let mut spent = self.spent();
        // The last of its answers called no tool.
        let steps = u32::try_from(end.attempts.len()).unwrap_or(u32::MAX).saturating_sub(1);
        spent.steps = spent.steps.saturating_add(steps);
        spent.output_tokens = spent.output_tokens.saturating_add(end.usage.output_tokens.unwrap_or(0));
        spent.estimated_tokens = spent.estimated_tokens.saturating_add(end.estimated_tokens);
    }

    fn spent(&self) -> MutexGuard<'_, Spent> {
        self.spent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long the model gives its sub-agent. While the owner is asked something, the clock stands.
struct Time {
    until: Option<Instant>,
    asking: Option<Instant>,
}

impl Time {
    fn begin(limit: Option<Duration>) -> Self {
        Self { until: limit.and_then(|limit| Instant::now().checked_add(limit)), asking: None }
    }

    fn heard(&mut self, event: &TurnEvent) {
        match event {
            TurnEvent::Status(Status::Asking) => {
                self.asking.get_or_insert_with(Instant::now);
            }
            TurnEvent::Status(_) | TurnEvent::Acted(_) => {
                let stood = self.asking.take().map(|since| since.elapsed()).unwrap_or_default();
                self.until = self.until.and_then(|until| until.checked_add(stood));
            }
            _ => {}
        }
    }

    async fn over(&self) {
        match self.until {
            Some(until) if self.asking.is_none() => tokio::time::sleep_until(until).await,
            Some(_) | None => std::future::pending().await,
        }
    }
}

impl Helper for Helping {
    fn work(&self, task: String, limit: Option<Duration>, stop: CancellationToken) -> BoxFuture<'_, Worked> {
        self.have_done(task, limit, stop).boxed()
    }
}

fn answer_of(end: TurnEnd) -> Result<String, String> {
    match end.outcome {
        Outcome::Answered(DoneReason::Length) => Ok(format!("{}\n[krabba: the answer is cut off here]", end.text)),
        Outcome::Answered(_) => Ok(end.text),
        Outcome::Failed(fault) => Err(format!("the sub-agent has no answer: {}", fault.message)),
        Outcome::Steered => Err("the sub-agent ended before it was done: the owner has said something else".to_owned()),
        Outcome::Stopped | Outcome::Interrupted => Err("the sub-agent was stopped".to_owned()),
        Outcome::Broken(why) => Err(why),
    }
}
