//! One answer of a model, from the plan of routes to the end of the run.

use std::sync::Arc;

use futures_util::StreamExt as _;
use krabba_route::{Ask, AttemptStarted, ContextMeter, RouteEvent, Temper};
use krabba_types::{Label, ModelRef, Part};

use crate::history::History;
use crate::links::Links;
use crate::listening::{Acts, Asked, Listening};
use crate::prompt::{SessionPrompt, sees};
use crate::record::{Change, Record};
use crate::turn::{Keeper, TurnTask};
use crate::{TurnEvent, Waiting};

impl TurnTask {
    /// Lets the router ask, and passes on what comes, until the end or until the turn is stopped.
    pub(crate) async fn ask(&mut self, history: &History, prompt: &Arc<SessionPrompt>, temper: Temper, keeper: &mut Keeper) -> Asked {
        let plan = self.shared.router.plan(&Ask { temper, ..self.wishes(history) });
        let links = Self::links(history, plan.candidates.iter().map(|candidate| &candidate.reference));
        let mut stream = self.shared.router.run(plan, Arc::clone(prompt) as Arc<dyn krabba_route::Prompt>, self.input.surface);
        let mut listening = Listening::new(history, self.acts(), &self.shared.hands.redactor, links);
        let (stop, deadline) = (self.stop.clone(), self.deadline);
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => {
                    // Dropped before anything else is done: this closes the connection and frees the model's slot.
                    drop(stream);
                    listening.answer.close(listening.shown, &mut self.speaker);
                    let context = listening.asking().map(|route| self.meter(prompt, route)).unwrap_or_default();
                    return listening.stopped(context);
                }
                () = deadline.over() => {
                    drop(stream);
                    listening.answer.close(listening.shown, &mut self.speaker);
                    let context = listening.asking().map(|route| self.meter(prompt, route)).unwrap_or_default();
                    return listening.out_of_time(&deadline, context);
                }
                () = keeper.keep(&self.shared) => {}
                event = stream.next() => match event {
                    Some(RouteEvent::End(end)) => {
                        listening.answer.close(listening.shown, &mut self.speaker);
                        return listening.ended(*end);
                    }
                    Some(event) => self.hear(event, &mut listening).await,
                    None => {
                        listening.answer.close(listening.shown, &mut self.speaker);
                        return listening.cut_off();
                    }
                },
                () = self.speaker.catch_up() => {}
            }
        }
    }

    /// How full the window would be of a model that is not asked any more.
    fn meter(&self, prompt: &SessionPrompt, route: &ModelRef) -> ContextMeter {
        let window = self.shared.router.facts(&self.shared.settings.id, route).window;
        ContextMeter {
            window: Some(window.value),
            window_source: Some(window.source),
            prompt_tokens: prompt.estimate(route).map(u64::from),
            cached_tokens: None,
        }
    }

    pub(crate) fn wishes(&self, history: &History) -> Ask {
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
            temper: Temper::Usual,
        }
    }

    /// Which links of the answer may be followed, whoever gives it.
    fn links<'r>(history: &History, mut routes: impl Iterator<Item = &'r ModelRef>) -> Links {
        if routes.any(|route| !history.label_of_answer(route).is_own()) { Links::of(history) } else { Links::default() }
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
            RouteEvent::Model(event) => {
                listening.heard(&event);
                listening.answer.take(event, listening.shown, &mut self.speaker);
            }
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

    pub(crate) fn tell(&mut self, line: String, notices: &mut Vec<String>) {
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

    fn acts(&self) -> Acts {
        if self.shared.hands.tools.is_empty() { Acts::No } else { Acts::Yes }
    }
}
