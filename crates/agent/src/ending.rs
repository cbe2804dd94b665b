//! The end of a turn, of this one and of those that a dead process left open.

use std::sync::Arc;

use krabba_route::{ContextMeter, Timing};
use krabba_store::{EffectState, NewEvent, Store};
use krabba_types::{Label, SessionId, Timestamp, ToolCall, ToolResult};

use crate::account::{end_record, millis, usage_rows};
use crate::course::Course;
use crate::history::History;
use crate::listening::Asked;
use crate::record::{CutRecord, EndRecord, Extent, NoticeRecord, Outcome, Record};
use crate::steps::preliminaries;
use crate::turn::TurnTask;
use crate::{AgentError, TurnEnd};

/// Told once, when the next turn begins.
const INTERRUPTED: &str =
    "krabba was ended in the middle of the previous answer; your message is kept, its answer is not. Ask again if you still need it";

impl TurnTask {
    /// The end of the turn, with the answer written down. Where that fails, the answer is still the person's to read.
    pub(crate) async fn finish(
        &mut self,
        asked: Asked,
        mut course: Course,
        cuts: Vec<CutRecord>,
        history: &History,
        began: Timestamp,
    ) -> TurnEnd {
        let now = self.shared.clock.now();
        if asked.outcome == Outcome::Stopped {
            let (monitor, id) = (Arc::clone(&self.shared.hands.monitor), self.lane.id.clone());
            // Where this fails they end by themselves, within the hour.
            let _taken: Result<(), AgentError> = self.stored_unless_stopped(move |_| Ok(monitor.take_back_grants(&id)?)).await;
        }
        let mut end = self.end_without_answer(asked.outcome.clone());
        end.timing = course.timing();
        end.timing.total_ms = end.timing.total_ms.max(millis(now.since(began)));
        end.context = asked.report.context;
        end.attempts.clone_from(&course.attempts);
        end.text.clone_from(&asked.answer.text);
        end.usage = asked.answer.usage.clone();
        if course.output_tokens > 0 {
            end.usage.output_tokens = Some(course.output_tokens);
        }
        end.estimated_tokens = course.estimated_tokens;
        end.model.clone_from(&asked.answer.model);
        end.answered = asked.answer.route.clone().filter(|_| !asked.answer.text.is_empty());
        if let Some(route) = &end.answered {
            end.unverified = history.label_of_answer(route).origins().into_iter().collect();
        }
        if let Err(error) = self.write_end(&asked, &mut course, cuts, history, &end, now).await {
            end.outcome = Outcome::Broken(error.to_string());
        }
        end
    }

    async fn write_end(
        &mut self,
        asked: &Asked,
        course: &mut Course,
        cuts: Vec<CutRecord>,
        history: &History,
        end: &TurnEnd,
        now: Timestamp,
    ) -> Result<(), AgentError> {
        let extent = if asked.outcome.is_answer() { Extent::Whole } else { Extent::Aborted };
        let mut records = preliminaries(course, cuts);
        if let Some(route) = &asked.answer.route {
            let written = asked.answer.record(route, extent);
            records.extend(written.map(|record| (Record::Assistant(record), history.label_of_answer(route))));
        }
        records.push((Record::Ended(end_record(end)), Label::System));

        let events =
            records.iter().map(|(record, label)| record.event(Some(&self.turn), label.clone(), now)).collect::<Result<Vec<_>, _>>()?;
        let usage = usage_rows(&self.account(asked, &asked.report.attempts), now);
        let lane = Arc::clone(&self.lane);
        self.stored_in_time(move |store| Ok(store.append_all(&lane.id, &events)?)).await?;
        let lane = Arc::clone(&self.lane);
        self.stored_in_time(move |store| {
            store.record_usages(&usage)?;
            lane.refresh(store)?;
            Ok(())
        })
        .await
    }

    pub(crate) fn end_without_answer(&self, outcome: Outcome) -> TurnEnd {
        TurnEnd {
            session: self.lane.id.clone(),
            turn: self.turn.clone(),
            text: String::new(),
            unverified: Vec::new(),
            answered: None,
            model: None,
            outcome,
            attempts: Vec::new(),
            usage: krabba_types::Usage::default(),
            estimated_tokens: 0,
            timing: Timing::default(),
            context: ContextMeter::default(),
        }
    }
}

/// What is written about turns that a dead process left open.
pub(crate) struct Closing {
    /// Their ends, and a result for each of their calls.
    pub(crate) events: Vec<NewEvent>,
    /// What the owner is told.
    pub(crate) lines: Vec<String>,
    /// What was begun, to be marked when this is on the disk.
    pub(crate) begun: Vec<String>,
}

/// What is to be written about the turns that a dead process left open.
pub(crate) fn close_interrupted(store: &Store, session: &SessionId, history: &History, now: Timestamp) -> Result<Closing, AgentError> {
    let mut events = Vec::new();
    let mut lines = Vec::new();
    let begun = store.open_effects(session)?;
    let mut told = 0;
    for (turn, _) in history.open_turns() {
        for call in history.open_calls(&turn) {
            let effect = begun.iter().find(|effect| effect.id == call.id.as_str());
            if let Some(effect) = effect {
                lines.push(format!(
                    "krabba ended, or could write nothing down, while this was done, so that nobody knows whether it happened: {}; look before you have it done again",
                    effect.intent
                ));
            }
            let text = if effect.is_some() { UNKNOWN } else { NOT_DONE };
            let result = Record::Result(unanswered(&call, text).into());
            events.push(result.event(Some(&turn), Label::System, now)?);
        }
        lines.push(INTERRUPTED.to_owned());
        for text in lines.split_off(told) {
            told += 1;
            lines.push(text.clone());
            events.push(Record::Notice(NoticeRecord { text }).event(Some(&turn), Label::System, now)?);
        }
        let end = EndRecord::bare(Outcome::Interrupted);
        events.push(Record::Ended(end).event(Some(&turn), Label::System, now)?);
    }
    Ok(Closing { events, lines, begun: begun.into_iter().map(|effect| effect.id).collect() })
}

/// Writes that, where no turn begins after it. What is to be told.
pub(crate) fn close(store: &Store, session: &SessionId, history: &History, now: Timestamp) -> Result<Vec<String>, AgentError> {
    let Closing { events, lines, begun } = close_interrupted(store, session, history, now)?;
    if !events.is_empty() {
        store.append_all(session, &events)?;
    }
    for id in begun {
        store.end_effect(session, &id, EffectState::Unknown, now)?;
    }
    Ok(lines)
}

const UNKNOWN: &str =
    "krabba ended, or could write nothing down, while this was done; nobody knows whether it happened. Look before you do it again.";
const NOT_DONE: &str = "not done: krabba was ended before";

fn unanswered(call: &ToolCall, text: &str) -> ToolResult {
    ToolResult { call: call.id.clone(), name: call.name.clone(), text: text.to_owned(), is_error: true, images: Vec::new() }
}
