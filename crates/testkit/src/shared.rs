//! What all connections of one server share, and which part of the server answers a request.

use std::sync::Arc;

use krabba_types::Dialect;
use tokio::io::AsyncWrite;
use tokio::sync::Semaphore;

use crate::body_writer::{BodyWriter, Finale, Length, Persistence};
use crate::generate::{generate, is_missing};
use crate::http::{Answer, Request};
use crate::journal::Journal;
use crate::kinds::{Manners, Native, Trouble, View, manners};
use crate::machine::{Machine, Window};
use crate::play::{Scene, error_answer, play, send_answer, settle};
use crate::rule::{Delivery, Facts, Rule};
use crate::script::{BootStyle, Strict};
use crate::speech::Voice;
use crate::{Script, ServerError};

pub(crate) struct Shared {
    pub(crate) script: Script,
    pub(crate) manners: &'static dyn Manners,
    pub(crate) machine: Arc<Machine>,
    pub(crate) journal: Journal,
    pub(crate) gate: Semaphore,
}

/// Who answers a request.
enum Desk<'a> {
    Scripted(&'a Rule),
    Generation(Dialect),
    Native(Native),
    Unknown,
}

impl Shared {
    pub(crate) fn new(script: Script) -> Self {
        let manners = manners(script.server);
        let machine = Machine::new(&script);
        Self { manners, machine, journal: Journal::new(), gate: Semaphore::new(0), script }
    }

    pub(crate) fn persistence(&self) -> Persistence {
        if self.script.machine.deaf { Persistence::Deaf } else { Persistence::Stops }
    }

    pub(crate) fn view(&self) -> View {
        View {
            version: self.script.version.clone().unwrap_or_else(|| self.manners.version().to_owned()),
            models: self.machine.models(),
            slots: self.machine.total_slots(),
            busy: self.machine.busy_slots(),
        }
    }

    /// Whether the request asks for an answer of a model.
    pub(crate) fn is_generation(&self, request: &Request) -> bool {
        matches!(self.desk(request), Desk::Generation(_))
    }

    fn desk(&self, request: &Request) -> Desk<'_> {
        let body = String::from_utf8_lossy(&request.body);
        let facts = Facts { path: &request.path, generation: None, body: &body };
        if let Some(rule) = self.script.rules.iter().find(|rule| rule.when.fits(&facts)) {
            return Desk::Scripted(rule);
        }
        if let Some(native) = self.manners.native(request, &self.view()) {
            return Desk::Native(native);
        }
        match self.manners.dialect(&request.path) {
            Some(dialect) if request.method == "POST" && !is_missing(self, dialect) => Desk::Generation(dialect),
            Some(_) | None => Desk::Unknown,
        }
    }

    /// Answers a request.
    pub(crate) async fn answer<W: AsyncWrite + Unpin>(&self, request: &Request, socket: &mut W) -> Finale {
        if let Some(boot) = self.script.machine.boot.filter(|_| !self.machine.is_booted()) {
            match boot.style {
                BootStyle::Unavailable => return self.refuse(None, &self.manners.words(&Trouble::Loading), socket).await,
                BootStyle::Blocks => self.machine.wait_boot().await,
                BootStyle::Resets => return Finale::Reset,
            }
        }
        if let Some(error) = self.refusal(request) {
            return self.refuse(self.manners.dialect(&request.path), &error, socket).await;
        }
        match self.desk(request) {
            Desk::Scripted(rule) => self.play_rule(rule, socket).await,
            Desk::Generation(dialect) => generate(self, request, dialect, socket).await,
            Desk::Native(native) => {
                let answer = self.native(native).await;
                self.send(answer, socket).await
            }
            Desk::Unknown => self.send(self.manners.unknown_path(request), socket).await,
        }
    }

    /// The key and the checks that hold for every path.
    fn refusal(&self, request: &Request) -> Option<ServerError> {
        if self.script.strict.contains(&Strict::LocalHost) && !crate::strict::is_local_host(request.header("host").unwrap_or_default()) {
            return Some(ServerError::new(403, "Invalid host header").bare());
        }
        let key = self.script.key.as_deref().filter(|_| self.manners.guards(&request.path))?;
        let bearer = request.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
        let sent = request.header("x-api-key").or(bearer);
        (sent != Some(key)).then(|| self.manners.words(&Trouble::WrongKey { sent: sent.is_some() }))
    }

    async fn native(&self, native: Native) -> Answer {
        match native {
            Native::Answer(answer) => answer,
            Native::Load { model, window, then } => {
                if let Some(known) = self.machine.model(&model) {
                    let window = window.map_or(Window::AtLoad(known.window), |window| Window::Exactly(window.min(known.max_window)));
                    self.machine.load(&model, window).await;
                }
                then(&self.view(), &model)
            }
            Native::Unload { model, answer } => {
                self.machine.unload(&model);
                answer
            }
        }
    }

    async fn play_rule<W: AsyncWrite + Unpin>(&self, rule: &Rule, socket: &mut W) -> Finale {
        let habits = self.manners.habits(Dialect::OpenAiCompletions);
        let voice = Voice {
            id: "scripted".to_owned(),
            model: "scripted".to_owned(),
            reasoning_field: habits.reasoning_field.to_owned(),
            habits,
            prompt_tokens: 0,
            cached_tokens: 0,
        };
        let scene = Scene {
            rule,
            manners: self.manners,
            dialect: None,
            voice,
            asks_stream: false,
            asks_usage: false,
            gate: &self.gate,
            place: None,
            persistence: self.persistence(),
        };
        let writer = BodyWriter::new(socket, scene.head(), Length::Chunked, &rule.delivery, scene.persistence);
        play(&scene, writer).await
    }

    /// Answers with an error in the shape of server and dialect.
    pub(crate) async fn refuse<W: AsyncWrite + Unpin>(&self, dialect: Option<Dialect>, error: &ServerError, socket: &mut W) -> Finale {
        self.send(error_answer(self.manners, dialect, error), socket).await
    }

    async fn send<W: AsyncWrite + Unpin>(&self, mut answer: Answer, socket: &mut W) -> Finale {
        answer.headers.extend(self.manners.headers().into_iter().map(|(name, value)| (name.to_owned(), value)));
        settle(send_answer(socket, &answer, &Delivery::default(), self.persistence()).await)
    }
}
