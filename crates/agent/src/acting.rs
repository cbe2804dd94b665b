//! One call, from what the model wrote to what came of it.
//!
//! ```text
//! call ─► tool ─► plan ─► monitor ─┬ allowed ─► effect noted ─► run ─► result
//!          │       │               ├ asked ──► owner answers, or time runs out
//!          └───────┴─ refused      ├ denied ─► result
//!                                  └ stopped ► end of the turn
//! ```
//!
//! Whatever fails here fails as a result that the model reads. Only the store and the monitor can end a turn, because nothing may be
//! done that is not written down before.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use krabba_context::{FIND_TOOLS, Toolset};
use krabba_guard::{Answer, Authorized, Denial, Question, Redeemed, Scene, Verdict};
use krabba_store::NewEvent;
use krabba_tool::{Call, Refusal};
use krabba_types::{Action, CALL_TOOL, Image, JsonObject, Label, ModelRef, SessionId, Structured, ToolCall};
use serde_json::Value;
use tokio::time::Instant;

use crate::doing::Aids;
use crate::helping::Spent;
use crate::history::History;
use crate::record::{Change, Maker, Outcome, Record};
use crate::scene::scene;
use crate::turn::{Keeper, TurnTask};
use crate::{Acted, AgentError, Status, TurnEvent};

/// How often it is looked whether the owner has answered, perhaps in another process.
const ANSWER_POLL: Duration = Duration::from_millis(200);

/// How often the owner says no in one turn before nothing else is asked in it.
const NOES: u32 = 3;

const ENOUGH: &str = "not done: the owner has said no to this and other things; no more is asked in this turn, answer with what is known";

/// How much a model is told of what is wrong with its arguments, in characters.
const MISFIT: usize = 300;

/// How much of a result a person is shown, in lines and in characters.
const SHOWN_LINES: usize = 8;
const SHOWN_CHARS: usize = 100;

/// And of a change.
const SHOWN_CHANGES: usize = 40;

/// What came of a call.
pub(crate) struct Done {
    pub(crate) text: String,
    pub(crate) is_error: bool,
    pub(crate) label: Label,
    pub(crate) structured: Option<Structured>,
    pub(crate) maker: Option<Maker>,
    pub(crate) images: Vec<Image>,
    /// What a person is shown instead of the text's beginning.
    pub(crate) shown: Option<String>,
    /// What two results have in common that differ in nothing but names and times.
    pub(crate) gist: Option<String>,
    /// Whether the call was none that could have been made.
    pub(crate) misfit: bool,
    /// By sub-agents.
    pub(crate) spent: Spent,
    /// Set when nothing more is done in this turn.
    pub(crate) halts: Option<Outcome>,
}

impl Done {
    /// In our words, and without anything having been done.
    pub(crate) fn refused(text: impl Into<String>) -> Self {
        let spent = Spent::default();
        Self {
            text: text.into(),
            is_error: true,
            label: Label::System,
            structured: None,
            maker: None,
            images: Vec::new(),
            shown: None,
            gist: None,
            misfit: false,
            spent,
            halts: None,
        }
    }

    /// A call that is none.
    fn misfit(text: impl Into<String>) -> Self {
        Self { misfit: true, ..Self::refused(text) }
    }

    fn stopped() -> Self {
        Self { halts: Some(Outcome::Stopped), ..Self::refused("stopped by the owner before it was done") }
    }
}

/// What is left of a call before anything is done.
enum Decided {
    Do(Authorized<Action>),
    Not(Done),
}

impl TurnTask {
    /// Makes one call.
    pub(crate) async fn act(
        &mut self,
        call: &ToolCall,
        route: &ModelRef,
        history: &History,
        keeper: &mut Keeper,
    ) -> Result<Done, AgentError> {
        let (name, mut arguments) = match target(call) {
            Ok(target) => target,
            Err(why) => return Ok(self.told(&call.name, &call.name, Done::misfit(why))),
        };
        if name == FIND_TOOLS {
            let done = self.find_tools(&arguments, route);
            return Ok(self.told(&name, &name, done));
        }
        if let Some(place) = self.shared.hands.selection.off_for(&name, route) {
            let done = Done::misfit(format!("the tool \"{}\" is off ({place})", printable(&name)));
            return Ok(self.told(&name, &name, done));
        }
        let Some(tool) = self.shared.hands.tools.get(&name) else {
            let done = Done::misfit(format!("there is no tool \"{}\"", printable(&name)));
            return Ok(self.told(&name, &name, done));
        };
        // What goes through another tool was held to that one's schema, not to its own.
        if let Err(misfit) = krabba_markup::fit(&mut arguments, tool.spec()) {
            let misfit: String = misfit.to_string().chars().take(MISFIT).collect();
            let why = format!("the arguments of {} are wrong: {misfit}; make the call again", printable(&name));
            return Ok(self.told(&name, &name, Done { label: tool.spec_label(), ..Done::misfit(why) }));
        }
        let session = self.acts_in().clone();
        let shared = Arc::clone(&self.shared);
        let planned = async {
            // What a tool may remove, or write down elsewhere, is known before.
            shared.hands.scan().await;
            tool.plan(Call { session: &session, arguments: &arguments }).await
        };
        let deadline = self.deadline;
        let planned = async {
            tokio::select! {
                planned = planned => Some(planned),
                () = deadline.over() => None,
            }
        };
        let planned = self.meanwhile(keeper, planned).await;
        let action = match planned {
            None => return Ok(Done::stopped()),
            Some(None) => return Ok(self.told(&name, &name, Done::refused(format!("not done: {}", deadline.words())))),
            Some(Some(Err(Refusal { why, label }))) => return Ok(self.told(&name, &name, Done { label, ..Done::refused(why) })),
            Some(Some(Ok(action))) => action,
        };
        let what = self.shared.hands.redactor.hide(&action.title()).into_owned();
        let own = scene(&self.shared.settings.id, &session, &self.turn, history, route, &self.input.label);
        let scene = match &self.behalf {
            Some(behalf) => behalf.scene(own),
            None => own,
        };
        let done = match self.decide(action, scene.clone(), keeper).await? {
            Decided::Not(done) => done,
            Decided::Do(authorized) => {
                let aids = Aids { eyes: self.eyes(history), scene, changes: history.settings().for_successor() };
                self.run_tool(call, &*tool, authorized, (&what, aids), keeper).await?
            }
        };
        Ok(self.told(&name, &what, done))
    }

    /// What the model reads of tools that it was not told about. Their words are those of whoever offers them.
    fn find_tools(&self, arguments: &JsonObject, route: &ModelRef) -> Done {
        let Some(Value::String(query)) = arguments.get("query") else { return Done::refused("find_tools needs \"query\", a text") };
        let (tools, selection) = (&self.shared.hands.tools, &self.shared.hands.selection);
        let specs = tools.specs().into_iter().filter(|spec| selection.off_for(&spec.name, route).is_none());
        let everything = Toolset::all(specs.collect());
        let found = everything.find(query);
        let labels = found.iter().filter_map(|spec| Some(tools.get(&spec.name)?.spec_label()));
        let label = labels.fold(Label::Minted, |label, other| label.join(&other));
        // A server's description may hold what it knows of the owner.
        let told = self.shared.hands.redactor.hide(&everything.describe(&found)).into_owned();
        Done { is_error: found.is_empty(), label, ..Done::refused(told) }
    }

    /// Lets the monitor decide, and the owner where it asks.
    async fn decide(&mut self, action: Action, scene: Scene, keeper: &mut Keeper) -> Result<Decided, AgentError> {
        let monitor = Arc::clone(&self.shared.hands.monitor);
        let verdict = self.stored_unless_stopped(move |_| Ok(monitor.judge(action, &scene)?)).await?;
        Ok(match verdict {
            Verdict::Allowed(authorized) => Decided::Do(*authorized),
            Verdict::Denied(denial) => Decided::Not(Done::refused(denial.message)),
            Verdict::Stopped(Denial { message, rule }) => {
                Decided::Not(Done { halts: Some(self.halt(&rule).await?), ..Done::refused(message) })
            }
            Verdict::Asked(question) if self.noes.load(Ordering::Relaxed) >= NOES => {
                let monitor = Arc::clone(&self.shared.hands.monitor);
                self.shared.stored(move |_| Ok(monitor.settle(&question.id, &Answer::Deny, "enough")?)).await?;
                Decided::Not(Done::refused(ENOUGH))
            }
            Verdict::Asked(question) => self.wait_for_answer(*question, keeper).await?,
        })
    }

    async fn wait_for_answer(&mut self, question: Question, keeper: &mut Keeper) -> Result<Decided, AgentError> {
        let id = question.id.clone();
        self.speaker.say(TurnEvent::Status(Status::Asking));
        self.speaker.say(TurnEvent::Asked(Box::new(question)));
        let since = Instant::now();
        let decided = self.owners_answer(id, keeper).await;
        self.deadline.stood(since.elapsed());
        decided
    }

    async fn owners_answer(&mut self, id: String, keeper: &mut Keeper) -> Result<Decided, AgentError> {
        loop {
            let (monitor, asked) = (Arc::clone(&self.shared.hands.monitor), id.clone());
            match self.stored_unless_stopped(move |_| Ok(monitor.redeem(&asked)?)).await? {
                Redeemed::Allowed(authorized) => return Ok(Decided::Do(*authorized)),
                Redeemed::Denied(denial) => {
                    self.noes.fetch_add(1, Ordering::Relaxed);
                    return Ok(Decided::Not(Done::refused(denial.message)));
                }
                Redeemed::Pending => {}
            }
            if self.meanwhile(keeper, tokio::time::sleep(ANSWER_POLL)).await.is_none() {
                let monitor = Arc::clone(&self.shared.hands.monitor);
                // Somebody may have answered in this moment; then the answer is never used.
                let _settled: Result<(), AgentError> = self.shared.stored(move |_| Ok(monitor.settle(&id, &Answer::Deny, "stop")?)).await;
                return Ok(Decided::Not(Done::stopped()));
            }
        }
    }

    /// The conversation that what is done belongs to.
    pub(crate) fn acts_in(&self) -> &SessionId {
        self.behalf.as_ref().map_or(&self.lane.id, |behalf| &behalf.scene.session)
    }

    /// Sees to it that nothing more is done in this conversation.
    pub(crate) async fn halt(&self, rule: &str) -> Result<Outcome, AgentError> {
        let halted = Record::Changed(Change::Halted { rule: rule.to_owned() });
        let event = halted.event(Some(&self.turn), Label::System, self.shared.clock.now())?;
        let lane = Arc::clone(&self.lane);
        // Whatever becomes of this process, nor in the one that it works for.
        let asker = self
            .behalf
            .as_ref()
            .map(|behalf| (behalf.lane.id.clone(), NewEvent { turn: Some(behalf.scene.turn.clone()), ..event.clone() }));
        self.shared
            .stored(move |store| {
                asker.map(|(asker, event)| store.append(&asker, &event)).transpose()?;
                Ok(store.append(&lane.id, &event)?)
            })
            .await?;
        Ok(Outcome::Broken(halted_words(rule)))
    }

    /// Waits for `work` while the lease is kept and the listener catches up; `None` when the turn was stopped meanwhile.
    pub(crate) async fn meanwhile<T>(&mut self, keeper: &mut Keeper, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        let stop = self.stop.clone();
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return None,
                done = &mut work => return Some(done),
                () = keeper.keep(&self.shared) => {}
                () = self.speaker.catch_up() => {}
            }
        }
    }

    fn told(&mut self, tool: &str, what: &str, mut done: Done) -> Done {
        let redactor = &self.shared.hands.redactor;
        // A refusal may name a file, or an argument.
        done.text = redactor.hide(&done.text).into_owned();
        done.shown = done.shown.map(|shown| redactor.hide(&shown).into_owned());
        self.speaker.say(TurnEvent::Acted(Box::new(Acted {
            tool: printable(tool),
            what: printable(what),
            is_error: done.is_error,
            shown: match done.shown.as_deref() {
                Some(shown) => beginning(shown, SHOWN_CHANGES),
                // What went wrong stands at the end of what a command wrote.
                None if done.is_error => ending(&done.text, SHOWN_LINES),
                None => beginning(&done.text, SHOWN_LINES),
            },
        })));
        done
    }
}

/// What a person is told of a conversation in which nothing more is done.
pub(crate) fn halted_words(rule: &str) -> String {
    format!("this conversation is stopped for good ({rule}, see krabba explain policy); look at what it read, and begin a new one")
}

/// Which tool a call means, and its arguments: those inside, when it goes through [`CALL_TOOL`].
fn target(call: &ToolCall) -> Result<(String, JsonObject), &'static str> {
    if call.name != CALL_TOOL {
        return Ok((call.name.clone(), call.arguments.clone()));
    }
    let Some(Value::String(name)) = call.arguments.get("name") else {
        return Err("call_tool needs \"name\", a text, and \"arguments\", an object");
    };
    match call.arguments.get("arguments") {
        Some(Value::Object(arguments)) => Ok((name.clone(), arguments.clone())),
        None | Some(Value::Null) => Ok((name.clone(), JsonObject::new())),
        Some(_) => Err("\"arguments\" of call_tool is not an object"),
    }
}

/// A text that a model made up, as a person may see it.
fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(160).collect()
}

/// The first lines of a result.
fn beginning(text: &str, most: usize) -> String {
    let lines: Vec<&str> = text.lines().take(most).collect();
    let mut shown: String = visible(&lines.join("\n")).take(most * SHOWN_CHARS).collect();
    if shown.len() < text.trim_end().len() {
        shown.push('…');
    }
    shown
}

/// The last lines of a result.
fn ending(text: &str, most: usize) -> String {
    let lines: Vec<&str> = text.trim_end().lines().collect();
    let last = visible(&lines[lines.len().saturating_sub(most)..].join("\n")).collect::<Vec<char>>();
    let shown: String = last[last.len().saturating_sub(most * SHOWN_CHARS)..].iter().collect();
    if shown.len() < text.trim_end().len() { format!("…{shown}") } else { shown }
}

fn visible(text: &str) -> impl Iterator<Item = char> {
    text.chars().filter(|c| !c.is_control() || *c == '\n' || *c == '\t')
}
