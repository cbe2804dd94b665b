//! The loop of a conversation.
//!
//! One turn at a time: what is sent while an answer comes stands below it and waits, in order, and each message gets its
//! answer. Slash commands are carried out at once. Ctrl-C stops the answer and gives what waited back to be edited;
//! without an answer it clears the line, and a second one in a row leaves. While something is waited for, the loop wakes
//! ten times a second to count the seconds, and otherwise not at all.
//!
//! A hang-up or a request to terminate ends the loop as `/quit` does: what was said so far is stored.

use std::io::{self, Stdout};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use crossterm::event::{Event, EventStream};
use crossterm::terminal;
use futures_util::StreamExt;
use krabba_agent::{Agent, Arriving, Change, CompactEvent, Input, Lane, Outcome, Status, TurnEnd, TurnEvent, TurnHandle};
use krabba_command::{Effect, FileAccess, Reply, Switch};
use krabba_context::Occasion;
use krabba_guard::Question;
use krabba_local::{LoadEvent, Loaded};
use krabba_types::{Clock, ModelRef, Part, Progress, SessionId, SystemClock, grouped};

use super::approval::{acted_line, how_to_answer, indented, read_answer};
use super::circumstances;
use super::compacting::{Shrinking, Told};
use super::editor::{Editor, Outcome as Key};
use super::footer::{footer, unverified};
use super::goodbye::{Goodbye, Signals};
use super::history::LineHistory;
use super::offer::{Answer, Offer, Offering};
use super::raw_mode::RawMode;
use super::recall::Exchange;
use super::screen::Screen;
use super::style::Colours;
use super::unsent::{Message, Unsent};
use super::view::View;
use crate::assemble::{Home, World};

const TICK: Duration = Duration::from_millis(100);

/// What a person is greeted with.
pub(crate) struct Hello {
    /// Quiet lines.
    pub(crate) lines: String,
    /// The end of the conversation that goes on.
    pub(crate) before: Vec<Exchange>,
    /// What the person sent then, and no turn began for.
    pub(crate) unsent: Vec<String>,
    /// Who will answer.
    pub(crate) first: Option<ModelRef>,
}

/// Talks until the person leaves.
pub(super) async fn run(home: &Home, world: &World, agent: &Agent, lane: Lane, hello: Hello) -> Result<ExitCode> {
    let has_colours = home.env.get("NO_COLOR").is_none_or(str::is_empty);
    let colours = if has_colours { Colours::On } else { Colours::Off };
    let (columns, rows) = terminal::size().unwrap_or((80, 24));
    let signals = Signals::listen()?;
    let raw = RawMode::enter()?;
    let history = LineHistory::new(&home.state_dir);
    let mut chat = Chat {
        view: View::new(Screen::new(io::stdout(), colours, usize::from(columns), usize::from(rows))),
        editor: Editor::with_history(history.load()),
        history,
        files: FileAccess::Owner { home: Some(home.place.home.clone()) },
        world,
        agent,
        shows_reasoning: lane.view().await?.settings.shows_reasoning,
        lane,
        running: Running::default(),
        unsent: Unsent::default(),
        offering: Offering::NotYet,
        leaving: Leaving::No,
    };
    let talked = async {
        chat.greet(&hello)?;
        chat.talk(signals, hello.first).await
    };
    let talked = talked.await;
    // What cannot be shown any more is no reason not to store what was said.
    let closed = chat.take_leave();
    drop(raw);
    match (talked, chat.leaving) {
        (_, Leaving::Told(goodbye)) => Ok(goodbye.exit_code()),
        (Err(error), _) => Err(error),
        (Ok(()), _) => {
            closed?;
            if chat.lane.view().await?.turns > 0 {
                println!("to go on with this conversation: krabba chat --session-id {}", chat.lane.id());
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

struct Chat<'a> {
    view: View<Stdout>,
    editor: Editor,
    history: LineHistory,
    files: FileAccess,
    world: &'a World,
    agent: &'a Agent,
    lane: Lane,
    running: Running,
    unsent: Unsent,
    shows_reasoning: bool,
    offering: Offering,
    leaving: Leaving,
}

/// What goes on.
#[derive(Default)]
struct Running {
    turn: Option<TurnHandle>,
    /// What the owner is asked before it is done.
    asked: Option<Question>,
    shrinking: Option<Shrinking>,
}

/// How close the person is to leaving.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leaving {
    No,
    /// Ctrl-C was pressed on an empty line.
    Asked,
    Yes,
    /// It was not the person who ended it.
    Told(Goodbye),
}

impl Chat<'_> {
    fn greet(&mut self, hello: &Hello) -> Result<()> {
        self.view.aside(&hello.lines)?;
        self.view.gap()?;
        for exchange in &hello.before {
            self.view.said(&exchange.said)?;
            self.view.say(&exchange.answer)?;
            if let Some(mark) = &exchange.mark {
                self.view.aside(mark)?;
            }
            self.view.gap()?;
        }
        if !hello.unsent.is_empty() {
            self.view.aside("krabba ended before it began with this; it is back in the line:")?;
            self.editor.write(&hello.unsent.join("\n"));
        }
        Ok(self.view.edit(&self.editor)?)
    }

    async fn talk(&mut self, mut signals: Signals, first: Option<ModelRef>) -> Result<()> {
        let mut keys = EventStream::new();
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let router = &self.world.router;
        let mut looking = std::pin::pin!(router.look());
        let mut looked = false;
        while matches!(self.leaving, Leaving::No | Leaving::Asked) {
            tokio::select! {
                goodbye = signals.next() => self.leaving = Leaving::Told(goodbye),
                key = keys.next() => match key {
                    Some(Ok(event)) => self.key(event).await?,
                    // The terminal is gone, and whatever it is for will not come back.
                    Some(Err(_)) | None => self.leaving = Leaving::Told(Goodbye::HangUp),
                },
                event = next_event(&mut self.running.turn) => self.event(event)?,
                event = next_shrinking(&mut self.running.shrinking) => self.shrunk(event)?,
                event = self.offering.next() => self.loading(event).await?,
                () = &mut looking, if !looked => {
                    looked = true;
                    self.offer(first.as_ref())?;
                }
                _ = tick.tick(), if self.is_busy() => self.view.tick()?,
            }
            if !self.is_busy()
                && let Some(message) = self.unsent.next(self.agent.hands().arriving)
            {
                self.begin(message)?;
            }
        }
        Ok(())
    }

    /// Leaves on the screen what was said, an unfinished answer too.
    fn take_leave(&mut self) -> Result<()> {
        if let Some(turn) = self.running.turn.take() {
            turn.stop();
            self.view.end()?;
            self.view.aside("stopped")?;
        }
        for line in self.unsent.take_back() {
            self.view.aside(&format!("not sent: {line}"))?;
        }
        Ok(self.view.close()?)
    }

    fn is_busy(&self) -> bool {
        let waited_for = self.running.shrinking.as_ref().is_some_and(Shrinking::is_waited_for);
        self.running.turn.is_some() || waited_for || self.offering.is_loading()
    }

    async fn key(&mut self, event: Event) -> Result<()> {
        let outcome = match event {
            Event::Key(key) => self.editor.key(key),
            Event::Paste(text) => {
                self.editor.paste(&text);
                Key::Changed
            }
            Event::Resize(columns, rows) => {
                self.view.resize(usize::from(columns), usize::from(rows))?;
                Key::Nothing
            }
            Event::FocusGained | Event::FocusLost | Event::Mouse(_) => Key::Nothing,
        };
        if !matches!(outcome, Key::Nothing | Key::Interrupt) {
            self.leaving = Leaving::No;
        }
        match outcome {
            Key::Nothing => {}
            Key::Changed => self.view.edit(&self.editor)?,
            Key::Redraw => self.view.redraw()?,
            Key::EndOfInput => self.leaving = Leaving::Yes,
            Key::Interrupt => self.interrupt()?,
            Key::Submit(text) => {
                self.view.edit(&self.editor)?;
                self.submit(text).await?;
            }
            Key::SubmitNothing => {
                if let Offering::Asked(_) = self.offering {
                    self.answer_offer("")?;
                }
            }
        }
        Ok(())
    }

    fn interrupt(&mut self) -> Result<()> {
        if let Some(turn) = &self.running.turn {
            turn.stop();
            self.give_back()?;
        } else if self.running.shrinking.take_if(|shrinking| shrinking.is_waited_for()).is_some() {
            self.view.status(None)?;
            self.view.aside("stopped; what was noted until then is kept")?;
            self.give_back()?;
        } else if self.offering.is_loading() {
            self.offering = Offering::Over;
            self.view.status(None)?;
            self.view.aside("not waited for any longer; LM Studio goes on loading it")?;
            self.give_back()?;
        } else if !self.editor.is_empty() {
            self.editor.clear();
            self.view.edit(&self.editor)?;
        } else if self.leaving == Leaving::Asked {
            self.leaving = Leaving::Yes;
        } else {
            self.leaving = Leaving::Asked;
            self.view.aside("Ctrl-C again, Ctrl-D or /quit leaves")?;
        }
        Ok(())
    }

    /// Messages that wait will not be sent now. What the person wrote is theirs: it comes back to the line they write in.
    fn give_back(&mut self) -> Result<()> {
        let mut texts = self.unsent.take_back();
        if texts.is_empty() {
            return Ok(());
        }
        if !self.editor.is_empty() {
            texts.push(self.editor.text().to_owned());
        }
        self.editor.clear();
        self.editor.write(&texts.join("\n"));
        self.show_waiting()?;
        Ok(self.view.edit(&self.editor)?)
    }

    fn show_waiting(&mut self) -> Result<()> {
        Ok(self.view.wait(self.unsent.lines())?)
    }

    async fn submit(&mut self, text: String) -> Result<()> {
        if let Some(answer) = self.running.asked.as_ref().and_then(|question| read_answer(question, &text)) {
            return self.answer_question(&text, answer).await;
        }
        if let Offering::Asked(_) = self.offering
            && Answer::of(&text) != Answer::Neither
        {
            return self.answer_offer(&text);
        }
        let context = krabba_command::Context {
            agent: self.agent,
            router: &self.world.router,
            lane: &self.lane,
            files: &self.files,
            now: SystemClock.now(),
        };
        let reply = krabba_command::run(&text, &context).await;
        // What is said with `/new` is said in the new session.
        let session = match reply.as_ref().map(|reply| &reply.effect) {
            Some(Effect::NewSession { session, .. }) => session,
            Some(_) | None => self.lane.id(),
        };
        if let Err(error) = self.history.add(session, &text) {
            self.view.alarm(&format!("what you typed is not kept for the arrow keys: {error}"))?;
        }
        match reply {
            Some(reply) => {
                self.view.said(&text)?;
                self.carry_out(text, reply)
            }
            None => self.send(text.clone(), Input::text(text)),
        }
    }

    async fn answer_question(&mut self, text: &str, answer: krabba_guard::Answer) -> Result<()> {
        let Some(question) = self.running.asked.take() else { return Ok(()) };
        self.view.said(text)?;
        if let Err(error) = self.lane.answer(question.id.clone(), answer, "terminal").await {
            self.view.alarm(&error.to_string())?;
            // Words that are missing can still be typed.
            self.running.asked = Some(question);
        }
        Ok(())
    }

    /// Now, or after what goes on. A turn that uses tools is asked to make room between two of them.
    fn send(&mut self, typed: String, input: Input) -> Result<()> {
        if let Offering::Asked(_) = self.offering {
            // Talking on is an answer too.
            self.offering = Offering::Over;
        }
        let pasted = self.editor.pasted_in(&typed);
        let message = self.unsent.complete(Message { typed, input: Input { pasted, ..input } });
        if self.is_busy() {
            match (self.agent.hands().arriving, &self.running.turn) {
                (Arriving::Steer, Some(turn)) => turn.give_way(),
                (Arriving::Interrupt, Some(turn)) => turn.stop(),
                (Arriving::Steer | Arriving::FollowUp | Arriving::Collect | Arriving::Interrupt, _) => {}
            }
            self.unsent.wait(message);
            return self.show_waiting();
        }
        self.begin(message)
    }

    fn carry_out(&mut self, typed: String, reply: Reply) -> Result<()> {
        if matches!(reply.effect, Effect::NewSession { .. }) && self.running.turn.is_some() {
            // What is there of the answer belongs to the conversation before.
            self.view.end()?;
            self.view.aside("stopped")?;
        }
        if !reply.text.is_empty() {
            self.view.say(&reply.text)?;
            self.view.gap()?;
        }
        match reply.effect {
            Effect::None => {}
            Effect::NewSession { session, message } => self.change_session(session, message)?,
            Effect::Ask(input) => self.send(typed, *input)?,
            Effect::Attach(image) => self.unsent.attach(image),
            Effect::ShowReasoning(switch) => self.shows_reasoning = switch == Switch::On,
            Effect::Stop => self.give_back()?,
            Effect::Compact => self.running.shrinking = Some(Shrinking::begin(&self.lane, Occasion::Asked)),
            Effect::Quit => self.leaving = Leaving::Yes,
        }
        Ok(())
    }

    fn change_session(&mut self, session: SessionId, message: Option<String>) -> Result<()> {
        // Nobody could stop any more what it left running. That it ends is waited for by the agent.
        drop(self.lane.stop());
        self.running.turn = None;
        self.running.shrinking = None;
        self.give_back()?;
        self.lane = self.agent.session(session);
        match message {
            Some(message) => self.send(message.clone(), Input::text(message)),
            None => Ok(()),
        }
    }

    fn begin(&mut self, Message { input, .. }: Message) -> Result<()> {
        self.show_waiting()?;
        self.view.said(&words(&input))?;
        self.view.begin();
        self.running.shrinking = None;
        self.running.turn = Some(self.lane.turn(Input { circumstances: Some(circumstances()), ..input }));
        Ok(())
    }

    fn shrunk(&mut self, event: Option<CompactEvent>) -> Result<()> {
        let (Some(event), Some(shrinking)) = (event, &self.running.shrinking) else {
            self.running.shrinking = None;
            return Ok(());
        };
        match shrinking.told(event) {
            Told::Status(status) => self.view.status(Some(status))?,
            Told::Line(line) => {
                self.view.status(None)?;
                self.view.say(&line)?;
                self.view.gap()?;
            }
            Told::Aside(line) => self.view.aside(&line)?,
            Told::Nothing => {}
        }
        Ok(())
    }

    fn event(&mut self, event: Option<TurnEvent>) -> Result<()> {
        match event {
            Some(TurnEvent::Status(status)) => self.view.status(Some(status))?,
            Some(TurnEvent::Text(text)) => self.view.answer(&text)?,
            Some(TurnEvent::Reasoning(text)) if self.shows_reasoning => self.view.think(&text)?,
            Some(TurnEvent::Reasoning(_)) => {}
            Some(TurnEvent::Restarted { why }) => self.view.restart(&why)?,
            Some(TurnEvent::Notice(line)) => self.view.aside(&line)?,
            Some(TurnEvent::Output(line)) => self.view.aside(&indented(&line))?,
            Some(TurnEvent::Acted(acted)) => {
                self.running.asked = None;
                self.view.aside(&acted_line(&acted))?;
                self.view.aside(&indented(&acted.shown))?;
            }
            Some(TurnEvent::Asked(question)) => {
                self.view.alarm(&question.lines.join("\n"))?;
                self.view.aside(&how_to_answer(&question))?;
                self.running.asked = Some(*question);
            }
            Some(TurnEvent::Ended(end)) => self.ended(&end)?,
            None => {
                self.running.turn = None;
                self.view.end()?;
            }
        }
        Ok(())
    }

    fn ended(&mut self, end: &TurnEnd) -> Result<()> {
        self.running.turn = None;
        self.running.asked = None;
        self.view.end()?;
        match &end.outcome {
            Outcome::Failed(fault) => self.view.alarm(&fault.message)?,
            Outcome::Broken(why) => self.view.alarm(why)?,
            Outcome::Answered(_) | Outcome::Stopped | Outcome::Steered | Outcome::Interrupted => {}
        }
        if let Some(line) = unverified(&end.unverified) {
            self.view.aside(&line)?;
        }
        if let Some(line) = footer(end) {
            self.view.aside(&line)?;
        } else if end.outcome == Outcome::Stopped {
            self.view.aside("stopped")?;
        }
        self.view.gap()?;
        if end.outcome.is_answer() && self.running.shrinking.is_none() {
            // While the person reads. Whatever they say next goes before it.
            self.running.shrinking = Some(Shrinking::begin(&self.lane, Occasion::NearlyFull));
        }
        self.offer(end.answered.as_ref())
    }

    /// Asks whether the model shall be loaded with a larger window, if that is a question and was not asked before.
    fn offer(&mut self, reference: Option<&ModelRef>) -> Result<()> {
        let Offering::NotYet = self.offering else { return Ok(()) };
        if let Some(offer) = reference.and_then(|reference| Offer::find(&self.world.router, reference)) {
            self.view.aside(&offer.question())?;
            self.offering = Offering::Asked(offer);
        }
        Ok(())
    }

    fn answer_offer(&mut self, text: &str) -> Result<()> {
        let Offering::Asked(offer) = std::mem::replace(&mut self.offering, Offering::Over) else { return Ok(()) };
        self.view.said(if text.is_empty() { "n" } else { text })?;
        match Answer::of(text) {
            Answer::No | Answer::Neither => {
                self.view.aside("left as it is")?;
                self.view.gap()?;
            }
            Answer::Yes => match self.world.router.load_with_window(&offer.reference, offer.window) {
                Some(load) => {
                    self.offering = Offering::Loading(offer, load);
                    self.view.status(Some(Status::Loading { percent: None }))?;
                }
                None => self.view.alarm("LM Studio is not in reach just now; nothing was loaded")?,
            },
        }
        Ok(())
    }

    async fn loading(&mut self, event: Option<LoadEvent>) -> Result<()> {
        let outcome = match event {
            Some(LoadEvent::Progress(Progress::Loading { percent })) => {
                return Ok(self.view.status(Some(Status::Loading { percent }))?);
            }
            Some(LoadEvent::Progress(Progress::Queued { position })) => {
                return Ok(self.view.status(Some(Status::Queued { position }))?);
            }
            Some(LoadEvent::Progress(_)) => return Ok(()),
            Some(LoadEvent::Ended(outcome)) => Some(outcome),
            None => None,
        };
        let Offering::Loading(offer, _) = std::mem::replace(&mut self.offering, Offering::Over) else { return Ok(()) };
        self.view.status(None)?;
        // Prompts are cut to the window that is known: what was just loaded has to be seen before the next one.
        self.world.router.look_again(&offer.reference.provider).await;
        match outcome {
            Some(Ok(Loaded::Now { model, window, note })) => {
                let window = window.map(|window| format!(" with a window of {} tokens", grouped(window))).unwrap_or_default();
                self.view.aside(&note.unwrap_or_else(|| format!("loaded {model}{window}")))?;
                if model != offer.reference.model {
                    // LM Studio gave the instance a name of its own, beside the one that was there.
                    let reference = ModelRef::new(offer.reference.provider, model);
                    self.lane.change(Change::Model { reference: Some(reference), profile: None }).await?;
                }
            }
            Some(Ok(Loaded::Already { .. } | Loaded::ByRequest)) => self.view.aside("it has that window already")?,
            Some(Err(error)) => self.view.alarm(&error.to_string())?,
            None => self.view.alarm("the load ended without saying how; /status shows the window")?,
        }
        Ok(self.view.gap()?)
    }
}

/// The turn's next event; never, when there is no turn.
async fn next_event(turn: &mut Option<TurnHandle>) -> Option<TurnEvent> {
    match turn {
        Some(turn) => turn.events.recv().await,
        None => std::future::pending().await,
    }
}

/// What is next of the work on a smaller prompt; never, when there is none.
async fn next_shrinking(shrinking: &mut Option<Shrinking>) -> Option<CompactEvent> {
    match shrinking {
        Some(shrinking) => shrinking.next().await,
        None => std::future::pending().await,
    }
}

/// What a person typed of a message.
fn words(input: &Input) -> String {
    let texts = input.parts.iter().filter_map(|part| if let Part::Text(text) = part { Some(text.as_str()) } else { None });
    texts.collect::<Vec<_>>().join("\n")
}
