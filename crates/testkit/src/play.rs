//! Plays a rule: turns its steps into bytes, in time.

use std::time::Duration;

use krabba_types::Dialect;
use tokio::io::AsyncWrite;
use tokio::sync::Semaphore;

use crate::body_writer::{BodyWriter, Finale, Head, Length, Persistence, Stop};
use crate::http::Answer;
use crate::kinds::Manners;
use crate::machine::Place;
use crate::play_stream::StreamPlay;
use crate::play_whole::play_whole;
use crate::prompt::tokens;
use crate::rule::{Delivery, Form, Rule};
use crate::speech::{Counts, Voice, content_type};
use crate::step::{Step, UsageStep};
use crate::{RawBytes, ServerError};

/// Everything that an answer needs besides the socket.
pub(crate) struct Scene<'a> {
    pub(crate) rule: &'a Rule,
    pub(crate) manners: &'static dyn Manners,
    /// `None` for paths that do not generate.
    pub(crate) dialect: Option<Dialect>,
    pub(crate) voice: Voice,
    pub(crate) asks_stream: bool,
    /// Whether chat usage was asked for.
    pub(crate) asks_usage: bool,
    pub(crate) gate: &'a Semaphore,
    pub(crate) place: Option<&'a Place>,
    pub(crate) persistence: Persistence,
}

impl Scene<'_> {
    /// The dialect in which events are framed.
    pub(crate) fn framing(&self) -> Dialect {
        self.dialect.unwrap_or(Dialect::OpenAiCompletions)
    }

    pub(crate) fn is_streamed(&self) -> bool {
        match self.rule.delivery.form {
            Form::Asked => self.asks_stream,
            Form::Whole => false,
            Form::Stream => true,
        }
    }

    /// The numbers that a `usage` step of the rule asks for, if there is one.
    pub(crate) fn usage_step(&self) -> Option<UsageStep> {
        self.rule.steps.iter().find_map(|step| if let Step::Usage(usage) = step { Some(*usage) } else { None })
    }

    pub(crate) fn counts(&self, text: &str, reasoning: &str) -> Counts {
        let counted = Counts {
            prompt: self.voice.prompt_tokens,
            completion: tokens(text.len()) + tokens(reasoning.len()),
            cached: self.voice.cached_tokens,
            reasoning: tokens(reasoning.len()),
        };
        counted.corrected(self.usage_step().unwrap_or_default())
    }

    pub(crate) fn head(&self) -> Head {
        let is_html = self.rule.steps.iter().find(|step| sends(step)).is_some_and(|step| matches!(step, Step::Html(_)));
        let usual = match (is_html, self.is_streamed()) {
            (true, _) => "text/html; charset=utf-8",
            (false, true) => content_type(self.framing()),
            (false, false) => "application/json",
        };
        let mut headers: Vec<(String, String)> = Vec::new();
        if !self.rule.headers.keys().any(|name| name.eq_ignore_ascii_case("content-type")) {
            headers.push(("content-type".to_owned(), usual.to_owned()));
        }
        headers.extend(answer_headers(self.manners));
        headers.extend(self.rule.headers.iter().map(|(name, value)| (name.clone(), value.clone())));
        Head { status: self.rule.status.unwrap_or(200), headers }
    }

    pub(crate) async fn pause(&self, milliseconds: u64) {
        if milliseconds > 0 {
            tokio::time::sleep(Duration::from_millis(milliseconds)).await;
        }
    }

    pub(crate) async fn wait_gate(&self) {
        if let Ok(permit) = self.gate.acquire().await {
            permit.forget();
        }
    }
}

fn sends(step: &Step) -> bool {
    !matches!(step, Step::DelayMs(_) | Step::Gate | Step::Finish(_) | Step::Usage(_) | Step::DoneMarker | Step::End)
}

/// Plays the rule to its end; the finale says what becomes of the connection.
pub(crate) async fn play<W: AsyncWrite + Unpin>(scene: &Scene<'_>, mut writer: BodyWriter<'_, W>) -> Finale {
    let result = match ready_answer(scene) {
        Some(answer) => {
            writer.replace(&answer);
            writer.end_with(&answer.body).await
        }
        None if scene.is_streamed() => StreamPlay::new(scene, writer).run().await,
        None => play_whole(scene, writer).await,
    };
    settle(result)
}

pub(crate) fn settle(result: Result<Finale, Stop>) -> Finale {
    match result {
        Ok(finale) | Err(Stop::Scripted(finale)) => finale,
        Err(Stop::Gone) => Finale::Close,
    }
}

/// The answer of a rule that does not speak: a JSON body, or an HTTP error.
fn ready_answer(scene: &Scene<'_>) -> Option<Answer> {
    let rule = scene.rule;
    let status = rule.status.unwrap_or(200);
    let answer = match (&rule.json, rule.steps.first()) {
        (Some(json), _) => Answer::json(status, json),
        (None, Some(Step::Error(error))) if status >= 400 => {
            error_answer(scene.manners, scene.dialect, &ServerError { status, ..error.clone() })
        }
        (None, None) if status >= 400 => error_answer(scene.manners, scene.dialect, &ServerError::new(status, crate::http::reason(status))),
        (None, None) => Answer { status, headers: Vec::new(), body: Vec::new() },
        (None, Some(_)) => return None,
    };
    Some(with_headers(answer, scene))
}

pub(crate) fn error_answer(manners: &dyn Manners, dialect: Option<Dialect>, error: &ServerError) -> Answer {
    let mut answer = match error.plain {
        true => Answer::text(error.status, &error.message),
        false => Answer::json(error.status, &manners.error_body(dialect, error)),
    };
    for (name, value) in &error.headers {
        answer.headers.push((name.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned)));
    }
    answer
}

pub(crate) fn with_headers(mut answer: Answer, scene: &Scene<'_>) -> Answer {
    for (name, value) in &scene.rule.headers {
        answer.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        answer.headers.push((name.clone(), value.clone()));
    }
    answer.headers.extend(answer_headers(scene.manners));
    answer
}

fn answer_headers(manners: &dyn Manners) -> impl Iterator<Item = (String, String)> {
    let headers = manners.headers().into_iter().chain(manners.generation_headers());
    headers.map(|(name, value)| (name.to_owned(), value))
}

/// Sends a whole response.
pub(crate) async fn send_answer<W: AsyncWrite + Unpin>(
    socket: &mut W,
    answer: &Answer,
    delivery: &Delivery,
    persistence: Persistence,
) -> Result<Finale, Stop> {
    let head = Head { status: answer.status, headers: answer.headers.clone() };
    let mut writer = BodyWriter::new(socket, head, Length::Known(answer.body.len()), delivery, persistence);
    writer.body(&answer.body).await?;
    writer.end().await
}

/// Filler in pieces, so that a gigabyte does not have to be in memory.
pub(crate) async fn send_filler<W: AsyncWrite + Unpin>(writer: &mut BodyWriter<'_, W>, bytes: u64) -> Result<(), Stop> {
    let block = RawBytes(vec![b'x'; 64 * 1024]);
    let mut left = bytes;
    while left > 0 && !writer.is_gone() {
        let size = usize::try_from(left).unwrap_or(usize::MAX).min(block.0.len());
        writer.body(block.0.get(..size).unwrap_or_default()).await?;
        left -= u64::try_from(size).unwrap_or(left);
    }
    Ok(())
}
