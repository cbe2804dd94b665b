//! A request for an answer of a model: which model, may it, does it fit, when is its turn; then the rule is played.

use std::time::Duration;

use krabba_types::Dialect;
use serde_json::Value;
use tokio::io::AsyncWrite;

use crate::body_writer::{BodyWriter, Finale, Length, Stop};
use crate::http::Request;
use crate::kinds::Trouble;
use crate::machine::{Place, Window};
use crate::model::Overflow;
use crate::play::{Scene, error_answer, play, settle};
use crate::prompt;
use crate::rule::{Facts, GenerationFacts, Rule};
use crate::script::{LoadStyle, Strict, WhenFull};
use crate::shared::Shared;
use crate::speech::{self, Line, Voice};
use crate::step::{ProgressStep, Step};
use crate::strict::offence;
use crate::{Model, ServerError};

/// A generation request on its way.
struct Job<'a> {
    shared: &'a Shared,
    request: &'a Request,
    dialect: Dialect,
    body: Value,
    number: u64,
    prompt: String,
}

pub(crate) async fn generate<W: AsyncWrite + Unpin>(shared: &Shared, request: &Request, dialect: Dialect, socket: &mut W) -> Finale {
    let Ok(body) = serde_json::from_slice::<Value>(&request.body) else {
        return shared.refuse(Some(dialect), &shared.manners.words(&Trouble::BadJson), socket).await;
    };
    let prompt = prompt::render(dialect, &body);
    let job = Job { shared, request, dialect, body, number: shared.machine.next_generation(), prompt };
    match job.prepare() {
        Ok(ready) => job.run(ready, socket).await,
        Err(error) => shared.refuse(Some(dialect), &error, socket).await,
    }
}

/// What is decided before the machine is asked.
struct Ready {
    model: Model,
    rule: Rule,
    voice: Voice,
    window: u32,
}

impl Job<'_> {
    fn prepare(&self) -> Result<Ready, Box<ServerError>> {
        let asked = self.body["model"].as_str().unwrap_or_default();
        let (model, substituted) = self.model(asked)?;
        let window = self.shared.machine.true_window(&model, self.asked_window(), self.number);
        let asked_tokens = prompt::tokens(self.prompt.len());
        self.check_strict(&model, window, asked_tokens)?;
        let mut rule = self.rule(&model.id);
        let overflows = asked_tokens >= u64::from(window) && model.overflow != Overflow::Ignore && !self.shared.script.models.is_empty();
        let mut prompt_tokens = asked_tokens;
        if overflows {
            let refuses = self.shared.manners.refuses_overflow(self.dialect, &self.body);
            match model.overflow {
                Overflow::EmptyStream => rule.steps = vec![Step::Finish("stop".to_owned()), Step::DoneMarker],
                Overflow::OlderWords | Overflow::OtherEngine => return Err(Box::new(self.overflow(asked_tokens, window, model.overflow))),
                Overflow::Usual if refuses => return Err(Box::new(self.overflow(asked_tokens, window, model.overflow))),
                Overflow::Usual | Overflow::Truncate | Overflow::Ignore => prompt_tokens = u64::from(window),
            }
        }
        let voice = self.voice(&model, &rule, asked, substituted, prompt_tokens);
        Ok(Ready { model, rule, voice, window })
    }

    fn asked_window(&self) -> Option<u32> {
        prompt::asked_window(self.dialect, &self.body)
    }

    fn overflow(&self, asked: u64, window: u32, words: Overflow) -> ServerError {
        self.shared.manners.words(&Trouble::Overflow { asked, window, words })
    }

    /// The model that serves the request, and whether it is another than the one asked for.
    fn model(&self, asked: &str) -> Result<(Model, bool), Box<ServerError>> {
        let shared = self.shared;
        if shared.script.models.is_empty() {
            return Ok((Model { window: u32::MAX, ..Model::new(asked) }, false));
        }
        let view = shared.view();
        if let Some(model) = shared.machine.model(asked).filter(|model| !model.vanished) {
            return Ok((model.clone(), false));
        }
        if let Some(now) = shared.manners.substitute(&view).filter(|now| !now.model.vanished) {
            return Ok((now.model.clone(), true));
        }
        let listed: Vec<String> = view.models.iter().map(|now| now.model.id.clone()).collect();
        let trouble = match (asked, view.loaded().next()) {
            ("", None) => Trouble::NoModelLoaded,
            _ => Trouble::NoSuchModel { asked, listed: &listed },
        };
        Err(Box::new(shared.manners.words(&trouble)))
    }

    fn check_strict(&self, model: &Model, window: u32, asked: u64) -> Result<(), Box<ServerError>> {
        for rule in &self.shared.script.strict {
            let Some(field) = offence(*rule, self.dialect, self.request, &self.body, window, &self.prompt) else { continue };
            let budget = prompt::asked_budget(&self.body).unwrap_or(0);
            let trouble = Trouble::Refused { rule: *rule, field: &field, model: &model.id, window, asked, budget };
            return Err(Box::new(self.shared.manners.words(&trouble)));
        }
        Ok(())
    }

    fn rule(&self, model: &str) -> Rule {
        let body = String::from_utf8_lossy(&self.request.body);
        let generation = GenerationFacts {
            model,
            number: self.number,
            dialect: self.dialect,
            tools: self.body["tools"].as_array().is_some_and(|tools| !tools.is_empty()),
            stream: asks_stream(self.dialect, &self.body),
        };
        let facts = Facts { path: &self.request.path, generation: Some(generation), body: &body };
        let rule = self.shared.script.rules.iter().find(|rule| rule.when.fits(&facts));
        rule.cloned().unwrap_or_else(|| Rule { steps: vec![Step::Text(format!("hello from {model}")), Step::End], ..Rule::default() })
    }

    fn voice(&self, model: &Model, rule: &Rule, asked: &str, substituted: bool, prompt_tokens: u64) -> Voice {
        let habits = self.shared.manners.habits(self.dialect);
        let prefix = match self.dialect {
            Dialect::OpenAiCompletions => "chatcmpl",
            Dialect::OpenAiResponses => "resp",
            Dialect::AnthropicMessages | Dialect::Ollama => "msg",
        };
        let own = if substituted && !self.shared.manners.names_itself() { asked } else { model.id.as_str() };
        Voice {
            id: format!("{prefix}_{}", self.number),
            model: model.answers_as.clone().unwrap_or_else(|| own.to_owned()),
            reasoning_field: rule.reasoning_field.clone().unwrap_or_else(|| habits.reasoning_field.to_owned()),
            habits,
            prompt_tokens,
            cached_tokens: 0,
        }
    }

    async fn run<W: AsyncWrite + Unpin>(&self, ready: Ready, socket: &mut W) -> Finale {
        let shared = self.shared;
        let window = shared.machine.wanted_window(&ready.model, self.asked_window());
        if !shared.script.models.is_empty() && !shared.machine.is_loaded(&ready.model.id) {
            match shared.machine.script().load.style {
                LoadStyle::Blocks | LoadStyle::Comments => {}
                LoadStyle::Refuses => {
                    return shared.refuse(Some(self.dialect), &shared.manners.words(&Trouble::NoModelLoaded), socket).await;
                }
                LoadStyle::Unavailable => {
                    shared.machine.begin_load(&ready.model.id, window);
                    return shared.refuse(Some(self.dialect), &shared.manners.words(&Trouble::Loading), socket).await;
                }
            }
        }
        let Ready { model, rule, voice, window: true_window } = ready;
        let mut scene = Scene {
            rule: &rule,
            manners: shared.manners,
            dialect: Some(self.dialect),
            voice,
            asks_stream: asks_stream(self.dialect, &self.body),
            asks_usage: self.body["stream_options"]["include_usage"] == true,
            gate: &shared.gate,
            place: None,
            persistence: shared.persistence(),
        };
        let mut writer = BodyWriter::new(socket, scene.head(), Length::Chunked, &rule.delivery, scene.persistence);
        let place = match self.admit(&model.id, window, &scene, &mut writer).await {
            Ok(Ok(place)) => place,
            Ok(Err(error)) => {
                writer.replace(&error_answer(scene.manners, scene.dialect, &error));
                return settle(writer.end_with(&error_answer(scene.manners, scene.dialect, &error).body).await);
            }
            Err(stop) => return settle(Err(stop)),
        };
        scene.voice.cached_tokens = place.cached_tokens().min(u64::from(true_window)).min(scene.voice.prompt_tokens);
        scene.place = Some(&place);
        match self.read(&scene, &place, &mut writer).await {
            Ok(()) => play(&scene, writer).await,
            Err(stop) => settle(Err(stop)),
        }
    }

    /// Waits for slot and model; with a script that says so, with comments meanwhile.
    async fn admit<W: AsyncWrite + Unpin>(
        &self,
        model: &str,
        window: Window,
        scene: &Scene<'_>,
        writer: &mut BodyWriter<'_, W>,
    ) -> Result<Result<Place, ServerError>, Stop> {
        let machine = &self.shared.machine;
        let admission = machine.admit(model, window, &self.prompt);
        tokio::pin!(admission);
        let comments = machine.script().load.style == LoadStyle::Comments && scene.is_streamed() && !machine.is_loaded(model);
        let admitted = loop {
            if !comments {
                break admission.await;
            }
            tokio::select! {
                admitted = &mut admission => break admitted,
                () = tokio::time::sleep(Duration::from_millis(100)) => {
                    send_lines(scene, &[Line::Comment("loading".to_owned())], writer).await?;
                }
            }
        };
        Ok(admitted.map_err(|_| {
            let too_many = machine.script().when_full == WhenFull::TooMany;
            self.shared.manners.words(&Trouble::Full { too_many })
        }))
    }

    /// Reads what is not cached, at the machine's speed, in ten pieces.
    async fn read<W: AsyncWrite + Unpin>(&self, scene: &Scene<'_>, place: &Place, writer: &mut BodyWriter<'_, W>) -> Result<(), Stop> {
        let speed = self.shared.machine.script().read_ms_per_1000;
        let unread = place.unread_tokens(&self.prompt);
        let total = prompt::tokens(self.prompt.len());
        let pause = unread.saturating_mul(speed) / 1000;
        if pause == 0 {
            return Ok(());
        }
        let tells = scene.is_streamed() && (self.body["return_progress"] == true || self.shared.manners.tells_reading());
        for piece in 1..=10 {
            scene.pause(pause / 10).await;
            if tells {
                let done = total - unread + unread * piece / 10;
                let lines = speech::progress(scene.framing(), &scene.voice, ProgressStep { done, total });
                send_lines(scene, &lines, writer).await?;
            }
        }
        Ok(())
    }
}

/// Sends something before the rule begins.
async fn send_lines<W: AsyncWrite + Unpin>(scene: &Scene<'_>, lines: &[Line], writer: &mut BodyWriter<'_, W>) -> Result<(), Stop> {
    writer.body(&speech::frame(scene.framing(), lines, scene.rule.delivery.newline, " ")).await
}

fn asks_stream(dialect: Dialect, body: &Value) -> bool {
    // Ollama streams unless told otherwise.
    body["stream"].as_bool().unwrap_or(dialect == Dialect::Ollama)
}

/// Whether a script refuses this dialect on its path altogether.
pub(crate) fn is_missing(shared: &Shared, dialect: Dialect) -> bool {
    dialect == Dialect::OpenAiResponses && shared.script.strict.contains(&Strict::NoResponses)
}
