//! A rule as a stream.

use tokio::io::AsyncWrite;

use crate::ServerError;
use crate::body_writer::{BodyWriter, Finale, Stop};
use crate::play::{Scene, send_filler};
use crate::speech::{self, Line, Speech};
use crate::step::{RepeatStep, Step};

pub(crate) struct StreamPlay<'a, 'w, W> {
    scene: &'a Scene<'a>,
    writer: BodyWriter<'w, W>,
    speech: Box<dyn Speech>,
    begun: bool,
    text: String,
    reasoning: String,
    calls: usize,
}

impl<'a, 'w, W: AsyncWrite + Unpin> StreamPlay<'a, 'w, W> {
    pub(crate) fn new(scene: &'a Scene<'a>, writer: BodyWriter<'w, W>) -> Self {
        let speech = speech::speech(scene.framing(), scene.voice.clone());
        Self { scene, writer, speech, begun: false, text: String::new(), reasoning: String::new(), calls: 0 }
    }

    pub(crate) async fn run(mut self) -> Result<Finale, Stop> {
        let scene = self.scene;
        for step in &scene.rule.steps {
            self.step(step).await?;
        }
        self.remember();
        self.writer.end().await
    }

    async fn step(&mut self, step: &Step) -> Result<(), Stop> {
        match step {
            Step::Text(text) => self.say(text).await,
            Step::Reasoning(text) => {
                self.reasoning.push_str(text);
                self.speak(|speech| speech.reasoning(text)).await
            }
            Step::ToolCall(call) => {
                self.calls += 1;
                self.speak(|speech| speech.tool_call(call)).await
            }
            Step::Raw(bytes) => self.writer.body(&bytes.0).await,
            Step::Wire(bytes) => self.writer.wire(&bytes.0).await,
            Step::Data(data) => self.send(&[Line::data(data.clone())]).await,
            Step::Event(event) => self.send(&[Line::named(&event.name, event.data.clone())]).await,
            Step::Comment(words) => self.send(&[Line::Comment(words.clone())]).await,
            Step::Progress(progress) => self.send(&speech::progress(self.scene.framing(), &self.scene.voice, *progress)).await,
            Step::Repeat(repeat) => self.repeat(repeat).await,
            Step::Endless(text) => self.endless(text).await,
            Step::Huge(bytes) => send_filler(&mut self.writer, *bytes).await,
            Step::Html(page) => self.writer.body(page.as_bytes()).await,
            Step::Error(error) => self.error(error).await,
            Step::Finish(reason) => self.finish(reason).await,
            Step::Usage(_) => self.usage().await,
            Step::DoneMarker => self.speak(|speech| speech.end_marker()).await,
            Step::End => self.healthy_end().await,
            Step::DelayMs(milliseconds) => {
                self.scene.pause(*milliseconds).await;
                Ok(())
            }
            Step::Gate => {
                self.scene.wait_gate().await;
                Ok(())
            }
            Step::Head => self.writer.send_head().await,
            Step::HeadersEndless => self.writer.endless_headers().await,
            Step::Eof => {
                self.remember();
                self.writer.end().await?;
                Err(Stop::Scripted(Finale::Close))
            }
            Step::Cut => Err(Stop::Scripted(Finale::Close)),
            Step::Reset => Err(Stop::Scripted(Finale::Reset)),
            Step::Stall => std::future::pending().await,
        }
    }

    async fn say(&mut self, text: &str) -> Result<(), Stop> {
        self.text.push_str(text);
        self.speak(|speech| speech.text(text)).await
    }

    async fn speak(&mut self, words: impl FnOnce(&mut dyn Speech) -> Vec<Line>) -> Result<(), Stop> {
        let mut lines = if self.begun { Vec::new() } else { self.speech.begin() };
        self.begun = true;
        lines.extend(words(self.speech.as_mut()));
        self.send(&lines).await
    }

    async fn send(&mut self, lines: &[Line]) -> Result<(), Stop> {
        let delivery = &self.scene.rule.delivery;
        let space = if delivery.no_space { "" } else { " " };
        // One write per event, as servers do.
        for line in lines {
            let bytes = speech::frame(self.scene.framing(), std::slice::from_ref(line), delivery.newline, space);
            if !bytes.is_empty() {
                self.writer.body(&bytes).await?;
            }
        }
        Ok(())
    }

    async fn repeat(&mut self, repeat: &RepeatStep) -> Result<(), Stop> {
        for _ in 0..repeat.times {
            self.say(&repeat.text).await?;
            self.scene.pause(repeat.every_ms).await;
        }
        Ok(())
    }

    async fn endless(&mut self, text: &str) -> Result<(), Stop> {
        while !self.writer.is_gone() {
            self.speak(|speech| speech.text(text)).await?;
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    async fn error(&mut self, error: &ServerError) -> Result<(), Stop> {
        let lines = self.speech.error(error);
        self.send(&lines).await
    }

    async fn finish(&mut self, reason: &str) -> Result<(), Stop> {
        let counts = self.scene.usage_step().map(|_| self.scene.counts(&self.text, &self.reasoning));
        self.speak(|speech| speech.finish(reason, counts)).await
    }

    async fn usage(&mut self) -> Result<(), Stop> {
        let counts = self.scene.counts(&self.text, &self.reasoning);
        self.speak(|speech| speech.usage(counts)).await
    }

    async fn healthy_end(&mut self) -> Result<(), Stop> {
        let reason = if self.calls > 0 { "tool_calls" } else { "stop" };
        let counts = self.scene.counts(&self.text, &self.reasoning);
        self.speak(|speech| speech.finish(reason, Some(counts))).await?;
        if self.scene.asks_usage || self.scene.voice.habits.unasked_usage {
            self.speak(|speech| speech.usage(counts)).await?;
        }
        self.speak(|speech| speech.end_marker()).await
    }

    fn remember(&self) {
        if let Some(place) = self.scene.place {
            place.generated(&self.text);
        }
    }
}
