//! One route's part of a run: its server is made ready, a slot is waited for, and the request is made, changed where the
//! route demands it, until there is an answer or nothing more to try here.
//!
//! The slot is kept through all tries on the route, so that a retry does not go to the end of the line. The lease on a
//! server that was started on demand is kept just as long.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use krabba_llm::OrphanPolicy;
use krabba_local::{Lease, ServerState};
use krabba_types::{
    Dialect, DoneReason, Fact, FactSource, Fault, FaultKind, ModelEvent, ModelRef, ModelRequest, Phase, Progress, Residency, RouteFacts,
    Secret, ServerKind, ToolAbility,
};
use tokio::time::{Instant, sleep};

use crate::attempt::{Attempting, Came};
use crate::clocks::{Clocks, PROBE_INTERVAL, load_again};
use crate::event::{AttemptOutcome, AttemptStarted, RouteEvent};
use crate::facts::server_kind;
use crate::failover::{Change, Move, Outlook, SCHEMAS, Stage, TOOLS};
use crate::keys::Choice;
use crate::pace::{Pace, Start};
use crate::plan::{Candidate, Temper};
use crate::router::route_key;
use crate::run::{Left, Run};
use crate::servers::Hurry;
use crate::settings::{Key, Provider};
use crate::target::{Parts, Variation, dialect};
use crate::trial::Trial;

/// Between two questions to a server that is loading.
const LOADING_PAUSE: Duration = Duration::from_millis(500);

/// One route in one run.
pub(crate) struct Leg<'a> {
    pub(crate) run: &'a mut Run,
    pub(crate) candidate: Candidate,
    pub(crate) provider: Provider,
    pub(crate) key: String,
    pub(crate) others: usize,
    pub(crate) clocks: Clocks,
    pub(crate) patience: Patience,
    pub(crate) variation: Variation,
    /// Key profiles refused in this run.
    spent: Vec<String>,
    waiting_since: Option<Instant>,
    /// The request before, after an overflow: it must not be sent again.
    overflowed: Option<ModelRequest>,
    /// An overflow named no limit, so that the window is guessed.
    pub(crate) guessing: bool,
    number: Option<u32>,
}

/// How long a load is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    /// As long as its clock says.
    Whole,
    /// Shortly: the last one did not end, and another model can answer.
    Short,
}

/// A request that was made, or not.
enum Tried {
    /// It was made.
    Came(Box<Came>, Box<Sent>),
    /// It would not fit.
    TooLarge(Fault),
}

/// What a request was made with.
pub(crate) struct Sent {
    pub(crate) facts: RouteFacts,
    pub(crate) estimate: u32,
    pub(crate) claimed: Option<u32>,
    /// Text was given out as it came.
    pub(crate) streamed: bool,
    key: Option<Key>,
    pub(crate) request: ModelRequest,
    trial: Trial,
    took: Duration,
}

impl Sent {
    /// The room for an answer that the request left.
    pub(crate) fn budget(&self) -> Option<u32> {
        self.request.max_output_tokens
    }
}

impl<'a> Leg<'a> {
    /// `None` when the provider does not exist.
    pub(crate) fn new(run: &'a mut Run, candidate: Candidate, others: usize) -> Option<Self> {
        let provider = run.inner.provider(&candidate.reference.provider)?.clone();
        let key = route_key(&provider, &candidate.reference);
        let mut clocks = Clocks::of(&provider.clocks, &provider.residency);
        let loads_end = run.inner.learned.of(&key).loads_end(run.inner.clock.now());
        let patience = if loads_end || others == 0 { Patience::Whole } else { Patience::Short };
        if patience == Patience::Short {
            clocks.load = load_again(clocks.load);
        }
        let calmer = run.plan.ask.temper == Temper::Calm;
        Some(Self {
            run,
            key,
            others,
            clocks,
            patience,
            variation: Variation { calmer, ..Variation::default() },
            spent: Vec::new(),
            waiting_since: None,
            overflowed: None,
            guessing: false,
            number: None,
            candidate,
            provider,
        })
    }

    /// Tries the route until it is left.
    pub(crate) async fn run(mut self) -> Left {
        self.begin().await;
        let lease = match self.start_server().await {
            Ok(lease) => lease,
            Err(fault) => return self.unmade(fault),
        };
        self.run.inner.freshen(&self.provider, Hurry::No).await;
        if let Err(fault) = self.still_permitted() {
            return self.unmade(fault);
        }
        self.tell_unlisted().await;
        let _slot = self.wait_for_slot().await;
        loop {
            let (came, sent) = match self.once().await {
                Tried::Came(came, sent) => (came, sent),
                Tried::TooLarge(fault) => {
                    let window = self.window();
                    self.run.attempted(&self.candidate, AttemptOutcome::TooSmall, Some(fault.clone()), Duration::ZERO);
                    return if self.others > 0 { Left::NextLarger(fault, window) } else { Left::Stop(fault) };
                }
            };
            if came.shown {
                self.run.record.shown = true;
            }
            self.run.record.usage = came.usage.clone();
            match came.end.clone() {
                Ok(reason) => {
                    self.answered(*came, *sent, reason).await;
                    return Left::Answered(reason);
                }
                Err(fault) => {
                    let fault = self.keyless(with_crash(fault, lease.as_ref()));
                    if let Some(left) = self.failed(fault, &came, *sent).await {
                        return left;
                    }
                }
            }
        }
    }

    /// A server that was sent no key has not refused one: it wants one. LiteLLM says 500 then; its report knows better.
    fn keyless(&self, fault: Fault) -> Fault {
        let own_header = |(name, _): &(String, Secret)| matches!(name.as_str(), "authorization" | "x-api-key" | "api-key");
        if !self.provider.keys.is_empty() || self.provider.headers.iter().any(own_header) {
            return fault;
        }
        let report = self.run.inner.report(&self.provider);
        let locked = fault.status.is_some() && report.as_ref().is_some_and(|report| report.state == ServerState::NeedsKey);
        if !locked && fault.status != Some(401) {
            return fault;
        }
        let who = server_kind(&self.provider, report.as_deref());
        let name = if who == ServerKind::Other { self.provider.id.as_str() } else { who.name() };
        let message = format!("{name} at {} wants a key; set apiKey of provider \"{}\"", self.candidate.endpoint, self.provider.id);
        Fault { kind: FaultKind::Auth, message, ..fault }
    }

    /// A name that its server does not list is said before it is used: some servers answer it with another model.
    async fn tell_unlisted(&mut self) {
        let Some(unlisted) = self.run.inner.unlisted(&self.candidate.reference).filter(|unlisted| !unlisted.takes_any_name) else { return };
        let line = unlisted.to_string();
        if self.run.memory.first_time(&line) {
            self.run.emitter.emit(RouteEvent::Notice(line)).await;
        }
    }

    /// A route that was left before a request was made.
    fn unmade(&mut self, fault: Fault) -> Left {
        self.run.attempted(&self.candidate, AttemptOutcome::Failed, Some(fault.clone()), Duration::ZERO);
        if self.others > 0 { Left::Next(fault) } else { Left::Stop(fault) }
    }

    async fn begin(&mut self) {
        let number = u32::try_from(self.run.record.attempts.len()).unwrap_or(u32::MAX).saturating_add(1);
        if self.number == Some(number) {
            return;
        }
        self.number = Some(number);
        let started = AttemptStarted {
            number,
            reference: self.candidate.reference.clone(),
            endpoint: self.candidate.endpoint.clone(),
            residency: self.candidate.residency.clone(),
        };
        self.run.emitter.emit(RouteEvent::Attempt(started)).await;
    }

    async fn once(&mut self) -> Tried {
        let inner = Arc::clone(&self.run.inner);
        let (provider, reference) = (self.provider.clone(), self.candidate.reference.clone());
        let entry = provider.entry(&reference.model);
        let report = inner.report(&provider);
        let lessons = inner.learned.of(&self.key);
        let spoken = dialect(&provider, entry, &lessons, &self.variation);
        let tuned = inner.settings.tuned(&self.run.plan.ask.agent, &reference, entry);
        let mut voices = inner.voices(&reference, &provider, report.as_deref(), &lessons, &tuned);
        voices.dialect = spoken;
        let mut facts = voices.facts();
        let window = facts.window.value;
        let num_ctx = (spoken == Dialect::Ollama).then(|| inner.learned.with(&self.key, |lessons| lessons.num_ctx(window)));
        // People and programs are told the window itself, not how much of it a prompt gets after an overflow.
        self.run.record.facts = Some(facts.clone());
        if let Some(smaller) = self.variation.window {
            facts.window.value = window.min(smaller);
        }
        if let Some(tools) = self.variation.tools {
            facts.tools = Some(Fact::new(tools, FactSource::Measured, inner.clock.now()));
        }
        let prepared = match self.run.prompt.request(&reference, &facts) {
            Ok(prepared) => prepared,
            Err(error) => return Tried::TooLarge(too_large(&reference, &error.to_string(), facts.window.value)),
        };
        self.run.record.estimate = Some(prepared.estimate);
        let parts = Parts {
            reference: &reference,
            provider: &provider,
            entry,
            report: report.as_deref(),
            lessons: &lessons,
            facts: &facts,
            variation: &self.variation,
            dialect: spoken,
            can_retract: self.run.failover.can_retract(),
            num_ctx,
        };
        let request = parts.request(&prepared, &tuned.knobs.params);
        if self.overflowed.as_ref() == Some(&request) {
            let why = "the prompt cannot be made smaller".to_owned();
            return Tried::TooLarge(too_large(&reference, &why, facts.window.value));
        }
        if let Some(cut) = prepared.cut.filter(|cut| self.run.memory.first_time(cut)) {
            self.run.emitter.emit(RouteEvent::Notice(cut)).await;
        }
        let key = self.choose_key();
        let target = parts.target(key.as_ref().map(|key| key.secret.clone()), &self.clocks);
        let streamed = target.orphan == OrphanPolicy::Stream;
        self.begin().await;
        let trial = Trial::begin(&inner, &reference, &provider, facts.server, prepared.estimate);
        let started = Instant::now();
        let claimed = voices.claimed_window();
        let start = self.start(report.as_deref().map(|report| report.route_state(&reference.model))).await;
        let look_at = (!provider.residency.leaves_home() && provider.hosting.probe).then(|| (provider.clone(), reference.model.clone()));
        let attempting = Attempting {
            emitter: &self.run.emitter,
            failover: &mut self.run.failover,
            pace: Pace::new(self.clocks.clone(), started, start),
            whom: reference.to_string(),
            loading: start == Start::Cold,
            percent: None,
            look: look_at.map(|(provider, model)| {
                let inner = Arc::clone(&inner);
                Box::new(move || inner.look(&provider, &model)) as Box<dyn Fn() -> crate::attempt::Looking + Send + Sync>
            }),
        };
        let came = attempting.read(inner.caller.call(target, request.clone())).await;
        let sent = Sent { facts, estimate: prepared.estimate, claimed, streamed, key, request, trial, took: started.elapsed() };
        Tried::Came(Box::new(came), Box::new(sent))
    }

    fn choose_key(&self) -> Option<Key> {
        let (now, pinned) = (self.run.inner.clock.now(), self.run.plan.ask.profile.as_deref());
        self.run.inner.key_ring(&self.provider.id, |ring| match ring.choose(&self.provider.keys, pinned, &self.spent, now) {
            Choice::Key(key) | Choice::Resting(key) => Some(key.clone()),
            Choice::Keyless => None,
        })
    }

    async fn answered(&mut self, came: Came, mut sent: Sent, reason: DoneReason) {
        let inner = Arc::clone(&self.run.inner);
        sent.trial.settle();
        inner.breaker(&self.candidate.reference, &self.provider, crate::breaker::Breaker::succeed);
        if let Some(key) = &sent.key {
            inner.key_ring(&self.provider.id, |ring| ring.reward(&key.profile));
        }
        self.run.record.first_token = came.first_output;
        self.run.attempted(&self.candidate, AttemptOutcome::Answered, None, sent.took);
        crate::lessons::take(self, &came, &sent, reason).await;
        if let Some(line) = self.run.memory.after(&self.candidate.reference) {
            self.run.emitter.emit(RouteEvent::Notice(line)).await;
        }
        if !came.calls.is_empty() {
            self.run.failover.calls_handed_over();
            for call in came.calls {
                self.run.emitter.emit(RouteEvent::Model(ModelEvent::ToolCall(call))).await;
            }
        }
    }

    /// Does what follows from a fault; `None` to try again here.
    async fn failed(&mut self, fault: Fault, came: &Came, mut sent: Sent) -> Option<Left> {
        let outlook = self.outlook(&fault, sent.key.as_ref());
        let broke_off = self.run.failover.stage() == Stage::Committed;
        let next = self.run.failover.after(&fault, &outlook);
        sent.trial.settle();
        self.blame(&fault, &outlook, &next);
        if came.retracted {
            crate::lessons::orphan_close(self).await;
        }
        if next == Move::Wait {
            self.run.restart(&format!("{}; asking it again when it is ready", fault.message)).await;
            return self.wait(&fault).await;
        }
        self.waiting_since = None;
        let ran_out = fault.kind == FaultKind::Loading && !outlook.may_wait;
        let fault = if ran_out { crate::lessons::endless_load(self, fault).await } else { crate::lessons::swallowed(fault, &sent) };
        let outcome = if broke_off { AttemptOutcome::BrokeOff } else { AttemptOutcome::Failed };
        self.run.attempted(&self.candidate, outcome, Some(fault.clone()), sent.took);
        crate::lessons::overflow(self, &fault, &sent).await;
        match next {
            Move::Again(Change::Load) => self.load(fault).await,
            Move::Again(change) => {
                self.run.restart(&format!("{}; asking it {}", fault.message, change.words())).await;
                self.change(change, &fault, sent);
                None
            }
            // What is on the screen is taken back once it is known who answers instead.
            Move::Next => Some(Left::Next(fault)),
            Move::NextLarger => Some(Left::NextLarger(fault, self.window())),
            Move::GiveUp | Move::Wait => Some(Left::Stop(fault)),
        }
    }

    fn outlook(&mut self, fault: &Fault, key: Option<&Key>) -> Outlook {
        let now = self.run.inner.clock.now();
        if let Some(key) = key
            && matches!(fault.kind, FaultKind::RateLimited | FaultKind::Auth | FaultKind::Billing)
        {
            self.spent.push(key.profile.clone());
            self.run.inner.key_ring(&self.provider.id, |ring| ring.punish(&key.profile, fault, now));
        }
        let pinned = self.run.plan.ask.profile.is_some();
        let other_key = !pinned
            && self
                .run
                .inner
                .key_ring(&self.provider.id, |ring| matches!(ring.choose(&self.provider.keys, None, &self.spent, now), Choice::Key(_)));
        let budget = match (fault.kind == FaultKind::Busy, self.others) {
            (true, 0) => self.clocks.first_token,
            (true, _) => PROBE_INTERVAL,
            (false, _) => self.clocks.load,
        };
        let entry = self.provider.entry(&self.candidate.reference.model);
        let lessons = self.run.inner.learned.of(&self.key);
        let spoken = dialect(&self.provider, entry, &lessons, &self.variation);
        Outlook {
            others: self.others,
            other_key,
            may_wait: self.waiting_since.is_none_or(|since| since.elapsed() < budget),
            can_load: self.can_load(),
            other_dialect: spoken == Dialect::OpenAiResponses && !self.provider.residency.leaves_home(),
        }
    }

    /// Tells the breaker; a fault of one key among several is none of the route's.
    fn blame(&self, fault: &Fault, outlook: &Outlook, next: &Move) {
        let waits = *next == Move::Wait;
        if waits || (outlook.other_key && *next == Move::Again(Change::Key)) {
            return;
        }
        let now = self.run.inner.clock.now();
        self.run.inner.breaker(&self.candidate.reference, &self.provider, |breaker| breaker.fail(fault, now));
    }

    async fn wait(&mut self, fault: &Fault) -> Option<Left> {
        let waited = self.waiting_since.get_or_insert_with(Instant::now).elapsed();
        let busy = fault.kind == FaultKind::Busy;
        let progress = if busy { Progress::Queued { position: 1 } } else { Progress::Loading { percent: None } };
        self.progress(progress).await;
        let pause = fault.retry_after.map_or(LOADING_PAUSE, |asked| asked.clamp(LOADING_PAUSE, PROBE_INTERVAL));
        let left = if busy { pause } else { self.clocks.load.saturating_sub(waited) };
        sleep(pause.min(left)).await;
        None
    }

    fn change(&mut self, change: Change, fault: &Fault, sent: Sent) {
        let held = sent.facts.tool_mode() == ToolAbility::Constrained;
        match change {
            Change::Key | Change::Load | Change::Nothing => {}
            Change::WithoutField(field) if field == TOOLS || (held && holds(&field)) => self.variation.tools = Some(ToolAbility::Text),
            Change::WithoutField(field) => {
                self.variation.dropped.insert(field);
            }
            Change::Dialect => {
                self.variation.dialect = Some(Dialect::OpenAiCompletions);
                // Fields are refused in a dialect, not in general.
                self.variation.dropped = BTreeSet::new();
            }
            Change::SmallerPrompt => {
                self.variation.window = Some(crate::lessons::smaller_window(fault, &sent));
                self.overflowed = Some(sent.request);
                self.guessing = !matches!(fault.kind, FaultKind::Overflow { limit: Some(1..), .. });
            }
            Change::Calmer => self.variation.calmer = true,
        }
    }

    pub(crate) fn window(&self) -> u32 {
        self.run.inner.facts(&self.run.plan.ask.agent, &self.candidate.reference).window.value
    }

    pub(crate) async fn progress(&self, progress: Progress) {
        self.run.emitter.emit(RouteEvent::Model(ModelEvent::Progress(progress))).await;
    }
}

/// Whether a field is one by which a server is asked to hold its model to a form.
fn holds(field: &str) -> bool {
    let top = field.split(['.', '[']).next().unwrap_or(field);
    ["grammar", "response_format", "text", "format", SCHEMAS].contains(&top)
}

fn too_large(reference: &ModelRef, why: &str, window: u32) -> Fault {
    let kind = FaultKind::Overflow { limit: Some(window), asked: None };
    Fault::new(kind, Phase::Connect, format!("the conversation does not fit {reference}: {why}"))
}

/// A server of ours that ended by itself is the better explanation.
fn with_crash(fault: Fault, lease: Option<&Lease>) -> Fault {
    match lease.and_then(Lease::crash) {
        Some(report) if fault.blames_endpoint() => Fault { message: report.to_string(), ..fault },
        Some(_) | None => fault,
    }
}

/// Whether a server goes on reading a prompt when its client has left.
pub(crate) fn reads_on(server: ServerKind, place: &Residency) -> bool {
    match server {
        ServerKind::LmStudio | ServerKind::Ollama => !place.leaves_home(),
        ServerKind::LlamaCpp
        | ServerKind::Vllm
        | ServerKind::Sglang
        | ServerKind::LiteLlm
        | ServerKind::Mlx
        | ServerKind::LocalAi
        | ServerKind::Jan
        | ServerKind::OpenAi
        | ServerKind::Anthropic
        | ServerKind::OpenRouter
        | ServerKind::Other => false,
    }
}
