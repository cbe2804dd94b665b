//! Sub-agents: a task that a model has done in a conversation of its own, so that what is read on the way does not fill its window.
//!
//! A sub-agent has no authority of its own. Whatever it wants to do is judged in the scene of the turn that began it, with what it
//! read itself added: the same owner's words vouch, the same foreign words taint, and grants, commands in the background and what
//! is kept apart belong to that conversation. The task is a model's words, no person's. Its answer carries the label of all that it
//! read, its steps and tokens count for the turn that began it, and it ends with it.

use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use krabba_guard::Scene;
use krabba_tool::{Helper, Worked};
use krabba_types::{DoneReason, Label, ModelRef, Part};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::agent::Shared;
use crate::deadline::Deadline;
use crate::hands::Limits;
use crate::lane::{Lane, LaneState};
use crate::record::Change;
use crate::{AgentError, Input, Outcome, TurnEnd, TurnEvent};

/// Stands behind the task. It never varies.
const ALONE: &str = "[krabba: you are a sub-agent. Do this by yourself, nobody can be asked back, and answer with what came of it.]";

/// For whom a sub-agent works.
#[derive(Clone, Debug)]
pub(crate) struct Behalf {
    /// Where the turn that began it stood then.
    pub(crate) scene: Scene,
    pub(crate) lane: Arc<LaneState>,
    pub(crate) give_way: CancellationToken,
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
    async fn have_done(&self, task: String) -> Result<Worked, String> {
        let lane = self.shared.new_lane();
        lane.change_all(self.changes.clone()).await.map_err(|error| error.to_string())?;
        let input = Input { parts: vec![Part::Text(task), Part::Text(ALONE.to_owned())], ..self.input.clone() };
        // Dropping it stops the work.
        let mut handle = lane.turn_for(input, Arc::clone(&self.behalf));
        let mut end = None;
        while let Some(event) = handle.events.recv().await {
            match event {
                TurnEvent::Ended(ended) => end = Some(ended),
                // What it says is for the model alone.
                TurnEvent::Text(_) | TurnEvent::Reasoning(_) | TurnEvent::Restarted { .. } => {}
                TurnEvent::Status(_) | TurnEvent::Notice(_) | TurnEvent::Output(_) | TurnEvent::Acted(_) | TurnEvent::Asked(_) => {
                    // Where nobody listens any more, the work goes on until it is dropped.
                    let _heard: Result<(), _> = self.heard.send(event).await;
                }
            }
        }
        let end = end.ok_or("the sub-agent ended without saying how")?;
        let (label, halted) = self.legacy(&lane, end.answered.clone()).await.map_err(|error| error.to_string())?;
        self.count(&end, halted);
        answer_of(*end).map(|text| Worked { text, label })
    }

    /// The label of what was answered, and the rule that ended the conversation for good.
    async fn legacy(&self, lane: &Lane, by: Option<ModelRef>) -> Result<(Label, Option<String>), AgentError> {
        let (state, least) = (Arc::clone(lane.state()), self.input.label.clone());
        self.shared
            .stored(move |store| {
                let history = state.refresh(store)?;
                let label = by.map_or(Label::Minted, |route| history.label_of_answer(&route));
                Ok((label.join(&least), history.settings().halted.clone()))
            })
            .await
    }

    fn count(&self, end: &TurnEnd, halted: Option<String>) {
        let mut spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        // The last of its answers called no tool.
        let steps = u32::try_from(end.attempts.len()).unwrap_or(u32::MAX).saturating_sub(1);
        spent.steps = spent.steps.saturating_add(steps);
        spent.output_tokens = spent.output_tokens.saturating_add(end.usage.output_tokens.unwrap_or(0));
        spent.halted = spent.halted.take().or(halted);
    }
}

impl Helper for Helping {
    fn work(&self, task: String) -> BoxFuture<'_, Result<Worked, String>> {
        self.have_done(task).boxed()
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
