//! A rule as one JSON body.
//!
//! What is said is collected; bytes that a script sends raw stay before or after it, as they stood. A cut, a reset or a
//! stall comes after half of the body, whose announced length is that of the whole.

use tokio::io::AsyncWrite;

use crate::body_writer::{BodyWriter, Finale, Length, Stop};
use crate::play::{Scene, error_answer, send_filler, with_headers};
use crate::speech::{self, Whole};
use crate::step::Step;

/// How the body ends.
enum Ending {
    InOrder,
    Close,
    HalfThen(Option<Finale>),
}

struct Collected {
    answer: Whole,
    before: Vec<u8>,
    after: Vec<u8>,
    filler: u64,
    spoken: bool,
    ending: Ending,
}

impl Collected {
    fn raw(&mut self, bytes: &[u8]) {
        if self.spoken { self.after.extend_from_slice(bytes) } else { self.before.extend_from_slice(bytes) }
    }
}

pub(crate) async fn play_whole<W: AsyncWrite + Unpin>(scene: &Scene<'_>, mut writer: BodyWriter<'_, W>) -> Result<Finale, Stop> {
    let mut collected =
        Collected { answer: Whole::default(), before: Vec::new(), after: Vec::new(), filler: 0, spoken: false, ending: Ending::InOrder };
    for step in &scene.rule.steps {
        match step {
            Step::Error(error) => {
                let answer = with_headers(error_answer(scene.manners, scene.dialect, error), scene);
                writer.replace(&answer);
                return writer.end_with(&answer.body).await;
            }
            Step::HeadersEndless => writer.endless_headers().await?,
            Step::Endless(text) => {
                while !writer.is_gone() {
                    writer.body(text.as_bytes()).await?;
                    tokio::task::yield_now().await;
                }
            }
            other => {
                collect(scene, other, &mut collected).await;
                if !matches!(collected.ending, Ending::InOrder) {
                    break;
                }
            }
        }
    }
    deliver(scene, writer, collected).await
}

async fn collect(scene: &Scene<'_>, step: &Step, collected: &mut Collected) {
    match step {
        Step::Text(text) => collected.answer.text.push_str(text),
        Step::Reasoning(text) => collected.answer.reasoning.push_str(text),
        Step::ToolCall(call) => collected.answer.calls.push(call.clone()),
        Step::Repeat(repeat) => {
            for _ in 0..repeat.times {
                collected.answer.text.push_str(&repeat.text);
                scene.pause(repeat.every_ms).await;
            }
        }
        Step::Finish(reason) => collected.answer.finish = Some(reason.clone()),
        Step::Usage(_) => collected.answer.counts = Some(scene.counts(&collected.answer.text, &collected.answer.reasoning)),
        Step::End => {
            let reason = if collected.answer.calls.is_empty() { "stop" } else { "tool_calls" };
            collected.answer.finish = Some(reason.to_owned());
            collected.answer.counts = Some(scene.counts(&collected.answer.text, &collected.answer.reasoning));
        }
        Step::Raw(bytes) | Step::Wire(bytes) => return collected.raw(&bytes.0),
        Step::Html(page) => return collected.raw(page.as_bytes()),
        Step::Data(data) => return collected.raw(data.to_string().as_bytes()),
        Step::Event(event) => return collected.raw(event.data.to_string().as_bytes()),
        Step::Huge(bytes) => collected.filler += bytes,
        Step::DelayMs(milliseconds) => return scene.pause(*milliseconds).await,
        Step::Gate => return scene.wait_gate().await,
        Step::Eof => collected.ending = Ending::Close,
        Step::Cut => collected.ending = Ending::HalfThen(Some(Finale::Close)),
        Step::Reset => collected.ending = Ending::HalfThen(Some(Finale::Reset)),
        Step::Stall => collected.ending = Ending::HalfThen(None),
        // A whole reply has no events around it; errors and endless steps never come here.
        Step::Comment(_) | Step::Progress(_) | Step::DoneMarker | Step::Head => return,
        Step::Error(_) | Step::Endless(_) | Step::HeadersEndless => return,
    }
    collected.spoken |= matches!(
        step,
        Step::Text(_) | Step::Reasoning(_) | Step::ToolCall(_) | Step::Repeat(_) | Step::Finish(_) | Step::Usage(_) | Step::End
    );
}

async fn deliver<W: AsyncWrite + Unpin>(scene: &Scene<'_>, mut writer: BodyWriter<'_, W>, collected: Collected) -> Result<Finale, Stop> {
    let mut body = collected.before;
    if collected.spoken {
        body.extend_from_slice(speech::whole(scene.framing(), &scene.voice, &collected.answer).to_string().as_bytes());
    }
    body.extend_from_slice(&collected.after);
    let filler = usize::try_from(collected.filler).unwrap_or(usize::MAX);
    writer.announce(Length::Known(body.len().saturating_add(filler)));
    if let Ending::HalfThen(finale) = collected.ending {
        // Before anything was said there is no half: the connection ends (or stands still) before the head.
        if !body.is_empty() {
            writer.body(body.get(..body.len() / 2).unwrap_or_default()).await?;
        }
        return match finale {
            Some(finale) => Ok(finale),
            None => std::future::pending().await,
        };
    }
    if let Some(place) = scene.place {
        place.generated(&collected.answer.text);
    }
    if matches!(collected.ending, Ending::Close) {
        writer.header("connection", "close");
    }
    writer.body(&body).await?;
    send_filler(&mut writer, collected.filler).await?;
    let finale = writer.end().await?;
    Ok(if matches!(collected.ending, Ending::Close) { Finale::Close } else { finale })
}
