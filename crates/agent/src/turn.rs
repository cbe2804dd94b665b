//! One turn, from the person's words to the stored answer.
//!
//! ```text
//! queue ─► lease ─► write down ─► ask ──────────► write down ─► say that it ended
//!   │        │      words, start   │  events       answer, end
//!   └─ stop ─┘                     └─ stop: the run is dropped (its server is let go at once),
//!     nothing was written             what was said is kept as a part of an answer
//! ```
//!
//! What was written down before the program dies is enough to go on: the next turn finds a start without an end, writes
//! the end, and says so. What the turn deliberately does not do: choose a model, retry, or know a clock of a model.
//! All that is the router's.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use krabba_route::{Ask, AttemptStarted, ContextMeter, RouteEvent, Timing};
use krabba_store::{Event, Lease, Leasing, NewEvent, Renewal};
use krabba_types::{Label, Part, Timestamp, TurnId};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::account::{end_record, millis, title, usage_rows};
use crate::agent::Shared;
use crate::history::History;
use crate::lane::{LaneState, first_status};
use crate::listening::{Asked, Listening};
use crate::prompt::{SessionPrompt, sees};
use crate::queue::Place;
use crate::record::{Change, CutRecord, EndRecord, Extent, NoticeRecord, Outcome, Record, StartRecord, UserRecord};
use crate::say::Speaker;
use crate::{AgentError, Input, TurnEnd, TurnEvent, Waiting};

/// How long a lease lasts without being renewed: longer than a machine under load may sleep, shorter than a person's patience.
const LEASE: Duration = Duration::from_secs(30);

/// How often it is renewed.
const RENEWAL: Duration = Duration::from_secs(10);

/// How often we look whether another process has given the session free.
const LEASE_POLL: Duration = Duration::from_millis(200);

/// A turn before it runs.
pub(crate) struct TurnTask {
    pub(crate) shared: Arc<Shared>,
    pub(crate) lane: Arc<LaneState>,
    pub(crate) turn: TurnId,
    pub(crate) input: Input,
    pub(crate) stop: CancellationToken,
    pub(crate) speaker: Speaker,
}

impl TurnTask {
    /// Runs the turn to its end. `place` is given up before the end is said, so that whoever hears it may go on at once.
    pub(crate) async fn run(mut self, place: Place) {
        let began = self.shared.clock.now();
        let end = match self.in_turn(place, began).await {
            Ok(end) => end,
            Err(error) => self.end_without_answer(Outcome::Broken(error.to_string())),
        };
        self.speaker.say(TurnEvent::Ended(Box::new(end)));
        tokio::select! {
            () = self.speaker.finish() => {}
            // A listener that does not listen does not keep the program from ending.
            () = patience(&self.shared.closing) => {}
        }
    }

    async fn in_turn(&mut self, mut place: Place, began: Timestamp) -> Result<TurnEnd, AgentError> {
        let Some(()) = self.wait_for_place(&mut place).await else { return Ok(self.end_without_answer(Outcome::Stopped)) };
        let Some(mut lease) = self.wait_for_lease().await? else { return Ok(self.end_without_answer(Outcome::Stopped)) };
        let end = self.with_lease(&mut lease, began).await;
        let released = self.shared.stored(move |store| Ok(store.release_lease(&lease)?)).await;
        let end = end?;
        // The answer is stored and will be said; a lease that could not be given back ends by itself.
        if let Err(error) = released {
            self.speaker.say(TurnEvent::Notice(error.to_string()));
        }
        drop(place);
        Ok(end)
    }

    /// `None` when the turn was stopped before.
    async fn wait_for_place(&mut self, place: &mut Place) -> Option<()> {
        loop {
            let ahead = place.ahead();
            self.speaker.say(TurnEvent::Status(first_status(ahead)));
            if self.stop.is_cancelled() {
                return None;
            }
            if ahead == 0 {
                return Some(());
            }
            tokio::select! {
                () = self.stop.cancelled() => return None,
                () = place.moved() => {}
                () = self.speaker.catch_up() => {}
            }
        }
    }

    /// `None` when the turn was stopped before.
    async fn wait_for_lease(&mut self) -> Result<Option<Lease>, AgentError> {
        let mut told = false;
        loop {
            let (id, owner, now) = (self.lane.id.clone(), self.shared.owner.clone(), self.shared.clock.now());
            let leasing = self.shared.stored(move |store| Ok(store.take_lease(&id, &owner, now, now.plus(LEASE))?)).await?;
            let by = match leasing {
                Leasing::Taken(lease) => return Ok(Some(lease)),
                Leasing::Held { by, .. } => by,
            };
            if !told {
                told = true;
                let line = format!("another krabba (process {}) is answering in this session; waiting for it", by.pid);
                self.speaker.say(TurnEvent::Notice(line));
                self.speaker.say(TurnEvent::Status(first_status(1)));
            }
            tokio::select! {
                () = self.stop.cancelled() => return Ok(None),
                () = tokio::time::sleep(LEASE_POLL) => {}
            }
        }
    }

    async fn with_lease(&mut self, lease: &mut Lease, began: Timestamp) -> Result<TurnEnd, AgentError> {
        let history = self.begin().await?;
        let thinking = self.input.thinking.or(history.settings().thinking).unwrap_or(self.shared.settings.thinking);
        let prompt = Arc::new(SessionPrompt::new(Arc::clone(&self.shared), Arc::clone(&history), self.turn.clone(), thinking));
        let mut asked = self.ask(&history, &prompt, lease).await;
        asked.explain(&mut self.speaker);
        if let (Some(route), Some(reported)) = (&asked.answer.route, asked.answer.usage.prompt_tokens) {
            prompt.learn(route, reported);
        }
        Ok(self.finish(asked, &prompt, &history, began).await)
    }

    /// Writes down the person's words and that the turn begins, and closes what a dead process left open.
    async fn begin(&mut self) -> Result<Arc<History>, AgentError> {
        let (lane, turn, now) = (Arc::clone(&self.lane), self.turn.clone(), self.shared.clock.now());
        let user =
            UserRecord { parts: self.input.parts.clone(), circumstances: self.input.circumstances.as_ref().map(ToString::to_string) };
        let started = StartRecord { model: self.input.model.clone(), thinking: self.input.thinking.unwrap_or_default() };
        let (label, row) = (self.input.label.clone(), self.shared.new_session_row(&self.lane.id, title(&user.parts)));
        let (history, lines) = self
            .shared
            .stored(move |store| {
                let before = lane.refresh(store)?;
                store.get_or_create_session(&row)?;
                let (mut events, mut lines) = close_interrupted(&before, now)?;
                events.push(Record::User(user).event(Some(&turn), label, now)?);
                events.push(Record::Started(started).event(Some(&turn), Label::System, now)?);
                store.append_all(&lane.id, &events)?;
                lines.extend(unreadable(&before).filter(|_| lane.first_to_tell_of_unreadable()));
                Ok((lane.refresh(store)?, lines))
            })
            .await?;
        lines.into_iter().for_each(|line| self.speaker.say(TurnEvent::Notice(line)));
        Ok(history)
    }

    /// Lets the router ask, and passes on what comes, until the end or until the turn is stopped.
    async fn ask(&mut self, history: &History, prompt: &Arc<SessionPrompt>, lease: &mut Lease) -> Asked {
        let plan = self.shared.router.plan(&self.wishes(history));
        let mut stream = self.shared.router.run(plan, Arc::clone(prompt) as Arc<dyn krabba_route::Prompt>, self.input.surface);
        let mut renewal = tokio::time::interval_at(tokio::time::Instant::now() + RENEWAL, RENEWAL);
        renewal.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut listening = Listening::new(history);
        let stop = self.stop.clone();
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => {
                    // Dropped before anything else is done: this closes the connection and frees the model's slot.
                    drop(stream);
                    return listening.stopped();
                }
                _ = renewal.tick() => self.renew(lease).await,
                event = stream.next() => match event {
                    Some(RouteEvent::End(end)) => return listening.ended(*end),
                    Some(event) => self.hear(event, &mut listening).await,
                    None => return listening.cut_off(),
                },
                () = self.speaker.catch_up() => {}
            }
        }
    }

    fn wishes(&self, history: &History) -> Ask {
        let settings = history.settings();
        let session_limit = settings.residency();
        let residency = match (&self.input.residency, session_limit) {
            (Some(turn), Some(session)) => Some(session.tightened_by(turn)),
            (turn, session) => turn.clone().or(session),
        };
        Ask {
            agent: self.shared.settings.id.clone(),
            model: self.input.model.clone(),
            sticky: settings.model.clone(),
            residency,
            session: Some(self.lane.id.clone()),
            profile: if self.input.model.is_some() { None } else { settings.profile.clone() },
            images: self.shows_picture(),
            background: self.input.waiting == Waiting::Nobody,
        }
    }

    async fn hear(&mut self, event: RouteEvent, listening: &mut Listening) {
        match event {
            RouteEvent::Attempt(started) => {
                listening.attempt(&started);
                self.mention_blindness(&started, listening);
                if started.residency.leaves_home() && !listening.left_home {
                    listening.left_home = true;
                    self.announce_leaving(started, listening).await;
                }
                listening.introduced = false;
            }
            RouteEvent::Model(event) => listening.answer.take(event, listening.shown, &mut self.speaker),
            RouteEvent::Restarted { why } => {
                listening.introduced = true;
                listening.answer.restart();
                listening.notices.push(why.clone());
                self.speaker.say(TurnEvent::Restarted { why });
            }
            RouteEvent::Notice(line) => {
                listening.introduced = true;
                self.tell(line, &mut listening.notices);
            }
            // The caller's loop ends with it and does not pass it on.
            RouteEvent::End(_) => {}
        }
    }

    /// A picture that the model does not get to see is not passed over in silence.
    fn mention_blindness(&mut self, started: &AttemptStarted, listening: &mut Listening) {
        if self.shows_picture() && !sees(&self.shared.router.facts(&self.shared.settings.id, &started.reference)) {
            let line = format!("{} is not known to see pictures; it is only told that there is one", started.reference);
            self.tell(line, &mut listening.notices);
        }
    }

    fn shows_picture(&self) -> bool {
        self.input.parts.iter().any(|part| matches!(part, Part::Image(_)))
    }

    fn tell(&mut self, line: String, notices: &mut Vec<String>) {
        self.speaker.say(TurnEvent::Notice(line.clone()));
        notices.push(line);
    }

    /// Says once in the life of a session that its words go to somebody else's machine. When the router has just said
    /// why it asks this one, that line tells it. A failure to write it down costs no more than being told again.
    async fn announce_leaving(&mut self, started: AttemptStarted, listening: &mut Listening) {
        if !listening.introduced {
            let line = format!("{} is {}: this conversation leaves your own machines", started.reference, started.residency);
            self.tell(line, &mut listening.notices);
        }
        let change = Change::LeftHome { reference: started.reference };
        let (lane, turn, now) = (Arc::clone(&self.lane), self.turn.clone(), self.shared.clock.now());
        let written = self
            .shared
            .stored(move |store| {
                store.append(&lane.id, &Record::Changed(change).event(Some(&turn), Label::System, now)?)?;
                Ok(())
            })
            .await;
        if let Err(error) = written {
            self.speaker.say(TurnEvent::Notice(error.to_string()));
        }
    }

    /// A lease that was lost (the machine slept) does not stop the turn: events of two processes in one session are
    /// sorted out by turn.
    async fn renew(&mut self, lease: &mut Lease) {
        let (current, until) = (lease.clone(), self.shared.clock.now().plus(LEASE));
        let renewed = self.shared.stored(move |store| Ok(store.renew_lease(&current, until)?)).await;
        match renewed {
            Ok(Renewal::Renewed(renewed)) => *lease = renewed,
            Ok(Renewal::Lost) | Err(_) => {}
        }
    }

    /// The end of the turn, with the answer written down. Where that fails, the answer is still the person's to read.
    async fn finish(&mut self, asked: Asked, prompt: &SessionPrompt, history: &History, began: Timestamp) -> TurnEnd {
        let now = self.shared.clock.now();
        let mut end = self.end_without_answer(asked.outcome.clone());
        end.timing = asked.report.timing;
        if end.timing.total_ms == 0 {
            end.timing.total_ms = millis(now.since(began));
        }
        end.context = asked.report.context;
        end.attempts.clone_from(&asked.report.attempts);
        end.text.clone_from(&asked.answer.text);
        end.usage = asked.answer.usage.clone();
        end.model.clone_from(&asked.answer.model);
        end.answered = asked.answer.route.clone().filter(|_| !asked.answer.text.is_empty());

        if let Err(error) = self.write_end(&asked, prompt.cuts(), history, &end, now).await {
            end.outcome = Outcome::Broken(error.to_string());
        }
        end
    }

    async fn write_end(
        &self,
        asked: &Asked,
        cuts: Vec<CutRecord>,
        history: &History,
        end: &TurnEnd,
        now: Timestamp,
    ) -> Result<(), AgentError> {
        let extent = if asked.outcome.is_answer() { Extent::Whole } else { Extent::Aborted };
        let mut records: Vec<(Record, Label)> = cuts.into_iter().map(|cut| (Record::Cut(cut), Label::System)).collect();
        records.extend(asked.notices.iter().map(|text| (Record::Notice(NoticeRecord { text: text.clone() }), Label::System)));
        if let Some(route) = &asked.answer.route {
            let written = asked.answer.record(route, extent);
            records.extend(written.map(|record| (Record::Assistant(record), history.label_of_answer(route))));
        }
        records.push((Record::Ended(end_record(end)), Label::System));

        let events =
            records.iter().map(|(record, label)| record.event(Some(&self.turn), label.clone(), now)).collect::<Result<Vec<_>, _>>()?;
        let usage = usage_rows(end, now);
        let lane = Arc::clone(&self.lane);
        self.shared
            .stored(move |store| {
                let _: Vec<Event> = store.append_all(&lane.id, &events)?;
                store.record_usages(&usage)?;
                lane.refresh(store)?;
                Ok(())
            })
            .await
    }

    fn end_without_answer(&self, outcome: Outcome) -> TurnEnd {
        TurnEnd {
            session: self.lane.id.clone(),
            turn: self.turn.clone(),
            text: String::new(),
            answered: None,
            model: None,
            outcome,
            attempts: Vec::new(),
            usage: krabba_types::Usage::default(),
            timing: Timing::default(),
            context: ContextMeter::default(),
        }
    }
}

/// How long a listener gets to hear the rest once the program is ending.
const PARTING: Duration = Duration::from_secs(1);

async fn patience(closing: &CancellationToken) {
    closing.cancelled().await;
    tokio::time::sleep(PARTING).await;
}

/// The end of every turn that a dead process left open, and what to tell about it.
fn close_interrupted(history: &History, now: Timestamp) -> Result<(Vec<NewEvent>, Vec<String>), AgentError> {
    let mut events = Vec::new();
    let mut lines = Vec::new();
    for (turn, _) in history.open_turns() {
        let end = EndRecord::bare(Outcome::Interrupted);
        events.push(Record::Ended(end).event(Some(&turn), Label::System, now)?);
        let text = INTERRUPTED.to_owned();
        events.push(Record::Notice(NoticeRecord { text: text.clone() }).event(Some(&turn), Label::System, now)?);
        lines.push(text);
    }
    Ok((events, lines))
}

/// Told once, when the next turn begins.
const INTERRUPTED: &str =
    "krabba was ended in the middle of the previous answer; your message is kept, its answer is not. Ask again if you still need it";

fn unreadable(history: &History) -> Option<String> {
    match history.unreadable().len() {
        0 => None,
        1 => Some("1 event of this session cannot be read by this krabba (a newer one wrote it?) and is left out of the prompt".to_owned()),
        count => Some(format!(
            "{count} events of this session cannot be read by this krabba (a newer one wrote them?) and are left out of the prompt"
        )),
    }
}
