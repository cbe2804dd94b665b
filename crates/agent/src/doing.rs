//! A tool at work: what it is given, what there is to see of it meanwhile, and what it brought.

use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use krabba_guard::{Authorized, Scene};
use krabba_redact::Redactor;
use krabba_route::Ask;
use krabba_tool::{Helper, Outcome as Brought, Repeat, Run, Tool};
use krabba_types::{Action, Label, Structured, ToolCall};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::acting::{Done, halted_words};
use crate::helping::{Behalf, Helping, Spent};
use crate::history::History;
use crate::looking::Looking;
use crate::record::{Change, Maker, Outcome};
use crate::turn::{Keeper, TurnTask};
use crate::{AgentError, Input, Status, TurnEvent};

/// How long a tool that was stopped has to give what it has, before what it left running is ended.
const GRACE: Duration = Duration::from_millis(400);

/// How long secrets are looked for after that.
const LOOKING: Duration = Duration::from_millis(100);

/// Stands for what a tool brought when nobody knows what of it is secret.
const UNSEEN: &str = "stopped by the owner before this was looked through for secrets; what it brought is left out";

/// Lines of a tool's output that wait for the listener.
const LINES: usize = 64;

/// The most data of one result that is kept for the monitor, in bytes of JSON. More of it ties no handle to a name.
const STRUCTURED: usize = 256 * 1024;

/// What a tool may make use of.
pub(crate) struct Aids {
    pub(crate) eyes: Looking,
    pub(crate) scene: Scene,
    pub(crate) changes: Vec<Change>,
}

impl TurnTask {
    /// Does what was authorised. That it begins is on the disk before it does.
    pub(crate) async fn run_tool(
        &mut self,
        call: &ToolCall,
        tool: &dyn Tool,
        authorized: Authorized<Action>,
        (what, aids): (&str, Aids),
        keeper: &mut Keeper,
    ) -> Result<Done, AgentError> {
        if tool.repeat() == Repeat::Never && !self.begin_effect(call, what).await? {
            return Ok(Done::refused("not done: a call of this id was begun before"));
        }
        self.speaker.say(TurnEvent::Status(Status::Acting { what: what.to_owned() }));
        let least = authorized.terms().label.clone();
        let asked = if let Action::Call(call) = authorized.action() { Some((call.server.clone(), call.tool.clone())) } else { None };
        let cancel = CancellationToken::new();
        let ((progress, lines), (heard, events)) = (mpsc::channel(LINES), mpsc::channel(LINES));
        let spent = Arc::new(Mutex::default());
        let helper = self.helper(&aids, least.clone(), heard, &spent);
        let run = Run {
            session: self.acts_in().clone(),
            cancel: cancel.clone(),
            budget: self.shared.hands.limits.result_bytes,
            progress,
            eyes: Some(Arc::new(aids.eyes)),
            helper: helper.map(|helper| Arc::new(helper) as Arc<dyn Helper>),
        };
        let redactor = self.shared.hands.redactor.clone();
        let mut running = pin!(tool.run(authorized, run));
        let (brought, mut halts) = match self.watch(running.as_mut(), lines, events, keeper).await {
            Ok(brought) => (brought, None),
            Err(halts) => {
                cancel.cancel();
                let late = tokio::time::timeout(GRACE, running).await;
                let why = if halts.is_some() { "stopped by the owner".to_owned() } else { format!("ended: {}", self.deadline.words()) };
                (late.unwrap_or_else(|_| Brought::failed(why)), halts)
            }
        };
        let spent = std::mem::take(&mut *spent.lock().unwrap_or_else(PoisonError::into_inner));
        let Brought { text, is_error, label, structured, images, shown, gist, stops } = brought;
        if let Some(rule) = &stops {
            halts = Some(self.halt(rule).await?);
        } else if let Some(rule) = &spent.halted {
            // The sub-agent has written it down here too.
            halts = Some(Outcome::Broken(halted_words(rule)));
        }
        let server = asked.as_ref().map(|(server, _)| server.clone());
        let maker = Some(Maker { tool: tool.spec().name.clone(), server });
        let structured = asked.zip(structured).map(|((server, tool), value)| Structured { server, tool, value });
        let structured = structured.filter(|structured| structured.value.to_string().len() <= STRUCTURED);
        // Meanwhile somebody may have put a secret where the tool looked.
        let Some(()) = self.scan_in_time(keeper).await else {
            let halts = halts.or(Some(Outcome::Stopped));
            return Ok(Done { is_error, label: label.join(&least), maker, spent, halts, ..Done::refused(UNSEEN) });
        };
        let shown = shown.map(|shown| redactor.hide(&shown).into_owned());
        let text = redactor.hide(&text).into_owned();
        let structured = structured.map(|mut structured| {
            hide_in(&mut structured.value, &redactor);
            structured
        });
        let text = if text.is_empty() { "(no output)".to_owned() } else { text };
        Ok(Done { text, is_error, label: label.join(&least), structured, maker, images, shown, gist, misfit: false, spent, halts })
    }

    /// Learns what is secret now. `None` when the owner has stopped and it takes too long: a workspace may lie on a slow disk.
    async fn scan_in_time(&mut self, keeper: &mut Keeper) -> Option<()> {
        let shared = Arc::clone(&self.shared);
        let mut scanning = pin!(shared.hands.scan());
        match self.meanwhile(keeper, scanning.as_mut()).await {
            Some(()) => Some(()),
            None => tokio::time::timeout(LOOKING, scanning).await.ok(),
        }
    }

    /// Passes on what there is to see of a tool at work, until it is done, the owner stops it, or there is no more time.
    async fn watch(
        &mut self,
        mut running: Pin<&mut impl Future<Output = Brought>>,
        mut lines: mpsc::Receiver<String>,
        mut events: mpsc::Receiver<TurnEvent>,
        keeper: &mut Keeper,
    ) -> Result<Brought, Option<Outcome>> {
        let (stop, redactor) = (self.stop.clone(), self.shared.hands.redactor.clone());
        let mut asking: Option<Instant> = None;
        loop {
            let deadline = self.deadline;
            tokio::select! {
                biased;
                () = stop.cancelled() => return Err(Some(Outcome::Stopped)),
                // Not the owner's word: the turn goes on to an answer.
                () = deadline.over(), if asking.is_none() => return Err(None),
                brought = &mut running => return Ok(brought),
                Some(line) = lines.recv() => self.speaker.say(TurnEvent::Output(redactor.hide(&line).into_owned())),
                Some(event) = events.recv() => {
                    if event == TurnEvent::Status(Status::Asking) {
                        asking.get_or_insert_with(Instant::now);
                    } else if let Some(since) = asking.take_if(|_| matches!(event, TurnEvent::Status(_) | TurnEvent::Acted(_))) {
                        self.deadline.stood(since.elapsed());
                    }
                    self.speaker.say(event);
                }
                () = keeper.keep(&self.shared) => {}
                () = self.speaker.catch_up() => {}
            }
        }
    }

    /// What begins sub-agents; those have none of their own.
    fn helper(&self, aids: &Aids, label: Label, heard: mpsc::Sender<TurnEvent>, spent: &Arc<Mutex<Spent>>) -> Option<Helping> {
        if self.behalf.is_some() {
            return None;
        }
        let behalf = Behalf {
            scene: aids.scene.clone(),
            lane: Arc::clone(&self.lane),
            give_way: self.give_way.clone(),
            stop: self.stop.clone(),
            noes: Arc::clone(&self.noes),
            limits: self.left,
            deadline: self.deadline,
        };
        Some(Helping {
            shared: Arc::clone(&self.shared),
            behalf: Arc::new(behalf),
            input: Input { label, ..self.input.clone() },
            changes: aids.changes.clone(),
            heard,
            spent: Arc::clone(spent),
        })
    }

    /// A model that sees is asked as far as this conversation may go, whoever was chosen to hold it.
    pub(crate) fn eyes(&self, history: &History) -> Looking {
        let ask = Ask { images: true, model: None, sticky: None, profile: None, ..self.wishes(history) };
        Looking { shared: Arc::clone(&self.shared), ask }
    }

    async fn begin_effect(&self, call: &ToolCall, what: &str) -> Result<bool, AgentError> {
        let (session, id, turn, intent) = (self.lane.id.clone(), call.id.clone(), self.turn.clone(), what.to_owned());
        let now = self.shared.clock.now();
        self.shared.stored(move |store| Ok(store.begin_effect(&session, id.as_str(), &turn, &intent, now)?)).await
    }
}

/// Keeps secrets out of the texts in a value.
pub(crate) fn hide_in(value: &mut Value, redactor: &Redactor) {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
        Value::String(text) => *text = redactor.hide(text).into_owned(),
        Value::Array(items) => items.iter_mut().for_each(|item| hide_in(item, redactor)),
        Value::Object(members) => members.values_mut().for_each(|member| hide_in(member, redactor)),
    }
}
