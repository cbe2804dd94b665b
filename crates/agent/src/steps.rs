//! The loop of a turn: an answer, its calls, their results, and again.

use std::sync::Arc;
use std::time::Duration;

use krabba_route::Attempt;
use krabba_store::Store;
use krabba_types::{Label, Message, ModelRef, Part, Role, Timestamp, ToolCall, ToolResult};

use crate::account::{Account, usage_rows};
use crate::acting::Done;
use crate::course::{Advice, Course, Next, REFUSED, Use};
use crate::doing::hide_in;
use crate::hands::Arriving;
use crate::history::History;
use crate::listening::Asked;
use crate::prompt::SessionPrompt;
use crate::queue::Place;
use crate::record::{AssistantRecord, CutRecord, Extent, NoticeRecord, Outcome, Record, ResultRecord, UserRecord};
use crate::turn::{Keeper, TurnTask};
use crate::{AgentError, TurnEnd, TurnEvent};

/// Stands for an answer with nothing in it that a reader could use. It never varies, so that the prompt after it does not either.
const NO_ANSWER: &str = "[no answer]";

/// How long something may take to be written down once the owner has stopped. The end of a turn writes three times at most, and is
/// told within a second.
const WRITING: Duration = Duration::from_millis(300);

impl TurnTask {
    pub(crate) async fn steps(
        &mut self,
        mut history: Arc<History>,
        place: &Place,
        keeper: &mut Keeper,
        began: Timestamp,
    ) -> Result<TurnEnd, AgentError> {
        let thinking = self.input.thinking.or(history.settings().thinking).unwrap_or(self.shared.settings.thinking);
        let mut course = Course::new(self.left);
        loop {
            let prompt = Arc::new(SessionPrompt::new(Arc::clone(&self.shared), Arc::clone(&history), self.turn.clone(), thinking));
            let mut asked = self.ask(&history, &prompt, course.temper, keeper).await;
            if let (Some(route), Some(reported)) = (&asked.answer.route, asked.answer.usage.prompt_tokens) {
                prompt.learn(route, reported);
            }
            asked.numbered = course.attempts.len();
            if let Some(route) = asked.answer.route.as_ref().filter(|route| history.settings().last_route.as_ref() != Some(route))
                && let Some(line) = prompt.off(route)
            {
                self.tell(line, &mut course.notices);
            }
            course.add(&mut asked);
            let halted = match course.next(&asked, self.input.surface) {
                Next::End => {
                    asked.explain(&mut self.speaker, &mut course.notices);
                    return Ok(self.finish(asked, course, prompt.cuts(), &history, began).await);
                }
                Next::EndAs(outcome) => {
                    asked.outcome = outcome;
                    return Ok(self.finish(asked, course, prompt.cuts(), &history, began).await);
                }
                Next::Repair(words) => {
                    asked.drop_loop(&mut self.speaker);
                    history = self.write_flawed(&asked, &mut course, prompt.cuts(), &history, words).await?;
                    None
                }
                Next::Act => {
                    asked.answer.drop_calls_too_many();
                    history = self.write_step(&asked, &mut course, prompt.cuts(), &history).await?;
                    self.act_all(&asked, &mut history, keeper, &mut course).await?
                }
            };
            if let Some(outcome) = halted.or_else(|| self.interrupted(place)) {
                return Ok(self.finish(Asked::between(outcome, asked), course, Vec::new(), &history, began).await);
            }
        }
    }

    /// Why there is no other step, when there is none.
    fn interrupted(&self, place: &Place) -> Option<Outcome> {
        if self.stop.is_cancelled() {
            return Some(Outcome::Stopped);
        }
        let waits = place.behind() > 0 || self.behalf.as_ref().is_some_and(|behalf| behalf.is_steered());
        let steered = self.shared.hands.arriving == Arriving::Steer && waits;
        (steered || self.give_way.is_cancelled()).then_some(Outcome::Steered)
    }

    /// Makes the calls of an answer, one after the other, and writes down what each brought. `Some` when the turn is over.
    async fn act_all(
        &mut self,
        asked: &Asked,
        history: &mut Arc<History>,
        keeper: &mut Keeper,
        course: &mut Course,
    ) -> Result<Option<Outcome>, AgentError> {
        let Some(route) = &asked.answer.route else { return Ok(None) };
        let calls = &asked.answer.calls;
        let mut results = Vec::with_capacity(calls.len());
        let mut misfits = 0;
        for (index, call) in calls.iter().enumerate() {
            if self.stop.is_cancelled() {
                return Ok(Some(Outcome::Stopped));
            }
            self.left = course.left();
            let refused = course.refuses() || self.deadline.is_over();
            let mut done = if refused { Done::refused(REFUSED) } else { self.act(call, route, history, keeper).await? };
            course.spend(&done.spent);
            results.push(done.gist.take().unwrap_or_else(|| done.text.clone()));
            misfits += usize::from(done.misfit);
            if index + 1 == calls.len() {
                let use_of_it = if misfits == calls.len() { Use::None } else { Use::Some };
                let (advice, line) = course.acted(calls, &results, use_of_it, &self.deadline);
                if advice == Advice::AnswerNow && self.deadline.is_over() {
                    self.deadline.grant_last_words();
                }
                // The model is to know that the others were not made.
                done.text.extend(asked.answer.broken.iter().map(|broken| format!("\n\n[krabba: {}.]", broken.message)));
                done.text.extend(advice.words().map(|words| format!("\n\n{words}")));
                if let Some(line) = line {
                    self.tell(line, &mut course.notices);
                }
            }
            let halts = done.halts.take();
            *history = self.write_result(call, done).await?;
            if let Some(outcome) = halts {
                return Ok(Some(outcome));
            }
        }
        Ok(None)
    }

    /// Writes down an answer that goes on with calls, and the calls, before any of them is made.
    async fn write_step(
        &self,
        asked: &Asked,
        course: &mut Course,
        cuts: Vec<CutRecord>,
        history: &History,
    ) -> Result<Arc<History>, AgentError> {
        let Some(route) = &asked.answer.route else { return self.write(Vec::new(), asked).await };
        let label = history.label_of_answer(route);
        let mut records = preliminaries(course, cuts);
        records.extend(asked.answer.record(route, Extent::Step).map(|record| (Record::Assistant(record), label.clone())));
        // What is made is the call as it was written; what is kept of it, and read again, tells no secret.
        let hidden = |call: &ToolCall| {
            let mut call = call.clone();
            call.arguments.values_mut().for_each(|value| hide_in(value, &self.shared.hands.redactor));
            call
        };
        records.extend(asked.answer.calls.iter().map(|call| (Record::Call(hidden(call)), label.clone())));
        self.write(records, asked).await
    }

    /// Writes down an answer that cannot be used, and what is said to the model about it in the person's place.
    async fn write_flawed(
        &self,
        asked: &Asked,
        course: &mut Course,
        cuts: Vec<CutRecord>,
        history: &History,
        words: String,
    ) -> Result<Arc<History>, AgentError> {
        let Some(route) = &asked.answer.route else { return self.write(Vec::new(), asked).await };
        let mut record = asked.answer.record(route, Extent::Step).unwrap_or_else(|| empty(route));
        if asked.answer.text.is_empty() {
            record.parts.push(Part::Text(NO_ANSWER.to_owned()));
        }
        let mut records = preliminaries(course, cuts);
        records.push((Record::Assistant(record), history.label_of_answer(route)));
        let parts = Message::text(Role::User, format!("[krabba: {words}]")).parts;
        records.push((Record::User(UserRecord { parts, circumstances: None, pasted: Vec::new() }), Label::System));
        self.write(records, asked).await
    }

    async fn write_result(&mut self, call: &ToolCall, done: Done) -> Result<Arc<History>, AgentError> {
        let Done { text, is_error, label, structured, maker, images, shown: _, gist: _, misfit: _, spent: _, halts: _ } = done;
        let result = ToolResult { call: call.id.clone(), name: call.name.clone(), text, is_error, images };
        let now = self.shared.clock.now();
        let event = Record::Result(ResultRecord { result, structured, maker }).event(Some(&self.turn), label, now)?;
        let (lane, id) = (Arc::clone(&self.lane), call.id.clone());
        self.stored_in_time(move |store| Ok(store.append(&lane.id, &event)?)).await?;
        let lane = Arc::clone(&self.lane);
        self.stored_in_time(move |store| {
            // Nothing where the tool is harmless and nothing was begun.
            store.end_effect(&lane.id, id.as_str(), krabba_store::EffectState::Done, now)?;
            lane.refresh(store)
        })
        .await
    }

    /// Runs `work` where it may wait for the disk. Once the owner has stopped, nobody waits long for that; what has begun goes on by itself,
    /// and ahead of whatever is written here later, since it holds the only way to the database.
    pub(crate) async fn stored_unless_stopped<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Store) -> Result<T, AgentError> + Send + 'static,
    ) -> Result<T, AgentError> {
        let stopped = async {
            self.stop.cancelled().await;
            tokio::time::sleep(WRITING).await;
        };
        tokio::select! {
            biased;
            outcome = self.shared.stored(work) => outcome,
            () = stopped => Err(AgentError::Unwritten),
        }
    }

    /// Writes down what was done. Another program that keeps the database is waited for until the owner stops: what happened is not
    /// to be forgotten for that. `work` is one step, and may be tried again whole.
    pub(crate) async fn stored_in_time<T: Send + 'static>(
        &mut self,
        work: impl Fn(&Store) -> Result<T, AgentError> + Send + Sync + 'static,
    ) -> Result<T, AgentError> {
        let work = Arc::new(work);
        let mut told = false;
        loop {
            let again = Arc::clone(&work);
            match self.stored_unless_stopped(move |store| again(store)).await {
                Err(AgentError::Store(error)) if error.passes_by_itself() && !self.stop.is_cancelled() => {
                    if !std::mem::replace(&mut told, true) {
                        self.speaker.say(TurnEvent::Notice(format!("{error}; waiting until what was done can be written down")));
                    }
                }
                outcome => return outcome,
            }
        }
    }

    /// Writes down a step with what its answer cost.
    async fn write(&self, records: Vec<(Record, Label)>, asked: &Asked) -> Result<Arc<History>, AgentError> {
        let now = self.shared.clock.now();
        let events =
            records.iter().map(|(record, label)| record.event(Some(&self.turn), label.clone(), now)).collect::<Result<Vec<_>, _>>()?;
        let usage = usage_rows(&self.account(asked, &asked.report.attempts), now);
        let lane = Arc::clone(&self.lane);
        self.stored_unless_stopped(move |store| {
            store.append_all(&lane.id, &events)?;
            store.record_usages(&usage)?;
            lane.refresh(store)
        })
        .await
    }

    pub(crate) fn account<'a>(&'a self, asked: &'a Asked, attempts: &'a [Attempt]) -> Account<'a> {
        Account {
            session: &self.lane.id,
            turn: &self.turn,
            before: asked.numbered,
            attempts,
            usage: &asked.answer.usage,
            timing: asked.report.timing,
        }
    }
}

/// What happened on the way to an answer, written down before it.
pub(crate) fn preliminaries(course: &mut Course, cuts: Vec<CutRecord>) -> Vec<(Record, Label)> {
    let notices = course.notices.drain(..).map(|text| Record::Notice(NoticeRecord { text }));
    cuts.into_iter().map(Record::Cut).chain(notices).map(|record| (record, Label::System)).collect()
}

fn empty(route: &ModelRef) -> AssistantRecord {
    AssistantRecord { parts: Vec::new(), route: route.clone(), model: None, usage: krabba_types::Usage::default(), extent: Extent::Step }
}
