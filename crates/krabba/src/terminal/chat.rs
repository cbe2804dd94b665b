//! The loop of a conversation.
//!
//! One turn at a time: what is sent while an answer comes waits in the lane, in order, and each message gets its answer.
//! Slash commands are carried out at once. Ctrl-C stops the answer; without one, it clears the line, and a second one in a
//! row leaves. While the model works, the loop wakes ten times a second to count the seconds, and otherwise not at all.

use std::collections::VecDeque;
use std::io::{self, IsTerminal, Stdout};
use std::time::Duration;

use anyhow::Result;
use crossterm::event::{Event, EventStream};
use crossterm::terminal;
use futures_util::StreamExt;
use krabba_agent::{Agent, Input, Lane, Outcome, TurnEvent, TurnHandle};
use krabba_command::{Effect, FileAccess, Reply, Switch};
use krabba_types::{Clock, Image, Part, SessionId, SystemClock};

use super::editor::{Editor, Outcome as Key};
use super::footer::footer;
use super::history::LineHistory;
use super::raw_mode::RawMode;
use super::screen::Screen;
use super::style::Colours;
use super::view::View;
use super::{circumstances, plain};
use crate::assemble::{Home, World};

const TICK: Duration = Duration::from_millis(100);

/// Talks until the person leaves. `hello` is shown first.
pub(crate) async fn run(home: &Home, world: &World, agent: &Agent, lane: Lane, hello: &str) -> Result<()> {
    if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
        return plain::run(home, world, agent, lane).await;
    }
    let colours = if home.env.get("NO_COLOR").is_some() { Colours::Off } else { Colours::On };
    let (columns, rows) = terminal::size().unwrap_or((80, 24));
    let _raw = RawMode::enter()?;
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
        turn: None,
        waiting: VecDeque::new(),
        attached: Vec::new(),
        leaving: Leaving::No,
    };
    chat.view.aside(hello)?;
    chat.view.edit(&chat.editor)?;
    let talked = chat.talk().await;
    chat.view.close()?;
    talked
}

struct Chat<'a> {
    view: View<Stdout>,
    editor: Editor,
    history: LineHistory,
    files: FileAccess,
    world: &'a World,
    agent: &'a Agent,
    lane: Lane,
    turn: Option<TurnHandle>,
    /// Messages sent while an answer comes.
    waiting: VecDeque<String>,
    /// Pictures that go with the next message.
    attached: Vec<Image>,
    shows_reasoning: bool,
    leaving: Leaving,
}

/// How close the person is to leaving.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leaving {
    No,
    /// Ctrl-C was pressed on an empty line.
    Asked,
    Yes,
}

impl Chat<'_> {
    async fn talk(&mut self) -> Result<()> {
        let mut keys = EventStream::new();
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while self.leaving != Leaving::Yes {
            tokio::select! {
                key = keys.next() => match key {
                    Some(event) => self.key(event?).await?,
                    None => self.leaving = Leaving::Yes,
                },
                event = next_event(&mut self.turn) => self.event(event)?,
                _ = tick.tick(), if self.turn.is_some() => self.view.tick()?,
            }
            if self.turn.is_none()
                && let Some(text) = self.waiting.pop_front()
            {
                self.begin(Input::text(text))?;
            }
        }
        Ok(())
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
        }
        Ok(())
    }

    fn interrupt(&mut self) -> Result<()> {
        if let Some(turn) = &self.turn {
            turn.stop();
            self.waiting.clear();
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

    async fn submit(&mut self, text: String) -> Result<()> {
        if let Err(error) = self.history.add(&text) {
            self.view.alarm(&format!("what you typed is not kept for the arrow keys: {error}"))?;
        }
        let context = krabba_command::Context {
            agent: self.agent,
            router: &self.world.router,
            lane: &self.lane,
            files: &self.files,
            now: SystemClock.now(),
        };
        if let Some(reply) = krabba_command::run(&text, &context).await {
            self.view.said(&text)?;
            return self.carry_out(reply).await;
        }
        if self.turn.is_some() {
            self.view.aside(&format!("(waits for the answer before it: {text})"))?;
            self.waiting.push_back(text);
            return Ok(());
        }
        self.begin(Input::text(text))
    }

    async fn carry_out(&mut self, reply: Reply) -> Result<()> {
        if !reply.text.is_empty() {
            self.view.say(&reply.text)?;
        }
        match reply.effect {
            Effect::None => {}
            Effect::NewSession { session, message } => self.change_session(session, message)?,
            Effect::Ask(input) => self.begin(*input)?,
            Effect::Attach(image) => self.attached.push(image),
            Effect::ShowReasoning(switch) => self.shows_reasoning = switch == Switch::On,
            Effect::Stop => self.waiting.clear(),
            Effect::Quit => self.leaving = Leaving::Yes,
        }
        Ok(())
    }

    fn change_session(&mut self, session: SessionId, message: Option<String>) -> Result<()> {
        if let Some(turn) = self.turn.take() {
            turn.stop();
            self.view.end()?;
        }
        self.waiting.clear();
        self.lane = self.agent.session(session);
        match message {
            Some(message) => self.begin(Input::text(message)),
            None => Ok(()),
        }
    }

    fn begin(&mut self, input: Input) -> Result<()> {
        let said: String =
            input.parts.iter().filter_map(|part| if let Part::Text(text) = part { Some(text.as_str()) } else { None }).collect();
        self.view.said(&said)?;
        let mut parts = input.parts;
        parts.extend(std::mem::take(&mut self.attached).into_iter().map(Part::Image));
        self.view.begin();
        self.turn = Some(self.lane.turn(Input { parts, circumstances: Some(circumstances()), ..input }));
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
            Some(TurnEvent::Ended(end)) => {
                self.turn = None;
                self.view.end()?;
                match &end.outcome {
                    Outcome::Failed(fault) => self.view.alarm(&fault.message)?,
                    Outcome::Broken(why) => self.view.alarm(why)?,
                    Outcome::Answered(_) | Outcome::Stopped | Outcome::Interrupted => {}
                }
                if let Some(line) = footer(&end) {
                    self.view.aside(&line)?;
                }
            }
            None => {
                self.turn = None;
                self.view.end()?;
            }
        }
        Ok(())
    }
}

/// The turn's next event; never, when there is no turn.
async fn next_event(turn: &mut Option<TurnHandle>) -> Option<TurnEvent> {
    match turn {
        Some(turn) => turn.events.recv().await,
        None => std::future::pending().await,
    }
}
