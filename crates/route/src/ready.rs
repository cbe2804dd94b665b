//! Making a route's server ready: started, asked who it is, its slot waited for, its model loaded.

use futures_util::StreamExt;
use krabba_local::{Lease, LoadError, LoadEvent, LoadOrder, Wanted};
use krabba_types::{Fault, FaultKind, Phase, Progress, RouteState, ServerKind};
use tokio::time::Instant;

use crate::event::RouteEvent;
use crate::leg::Leg;
use crate::order::effective_residency;
use crate::pace::Start;
use crate::queue::{Permit, Step};
use crate::run::Left;

impl Leg<'_> {
    pub(crate) async fn start_server(&mut self) -> Result<Option<Lease>, Fault> {
        let Some(settings) = &self.provider.hosting.service else { return Ok(None) };
        self.progress(Progress::Loading { percent: None }).await;
        let lease = self.run.inner.services.lease(settings).await;
        let lease = lease.map_err(|error| Fault::new(FaultKind::Unreachable, Phase::Connect, error.to_string()))?;
        // What was known of it a moment ago is that it was off.
        if self.run.inner.report(&self.provider).is_none() {
            self.run.inner.look_anew(&self.provider).await;
        }
        Ok(Some(lease))
    }

    /// A server that was asked for its state in the meantime may have said that it is farther away than its address.
    pub(crate) fn still_permitted(&mut self) -> Result<(), Fault> {
        let report = self.run.inner.report(&self.provider);
        let residency = effective_residency(&self.provider, &self.candidate.reference, report.as_deref());
        if !self.run.plan.policy.permits(&residency) {
            let message = format!(
                "{} passes conversations on ({residency}), and this one may go only to: {}",
                self.candidate.reference, self.run.plan.policy
            );
            return Err(Fault::new(FaultKind::Unreachable, Phase::Connect, message));
        }
        self.candidate.residency = residency;
        Ok(())
    }

    pub(crate) async fn wait_for_slot(&mut self) -> Permit {
        let slots = self.run.inner.facts(&self.run.plan.ask.agent, &self.candidate.reference).slots.map(|fact| fact.value);
        let mut place = self.run.inner.queue.join(&self.provider.hosting.box_id, self.run.plan.ask.class(), slots);
        let joined = Instant::now();
        loop {
            match place.next().await {
                Step::Position(position) => self.progress(Progress::Queued { position }).await,
                Step::Granted(permit) => {
                    self.run.record.queued += joined.elapsed();
                    return permit;
                }
            }
        }
    }

    /// Whether the model has to be loaded first, which is shown at once, or its box still works for somebody who left.
    pub(crate) async fn start(&mut self, state: Option<RouteState>) -> Start {
        if matches!(state, Some(RouteState::Cold | RouteState::Loading)) {
            self.progress(Progress::Loading { percent: None }).await;
            return Start::Cold;
        }
        let now = self.run.inner.clock.now();
        let busy = self.run.inner.lingering().remove(&self.provider.hosting.box_id).is_some_and(|until| until > now);
        if busy {
            self.progress(Progress::Queued { position: 1 }).await;
            let line = format!("{} may still be busy with a prompt that was stopped; this one waits behind it", self.provider.id);
            self.run.emitter.emit(RouteEvent::Notice(line)).await;
            return Start::Cold;
        }
        Start::Warm
    }

    /// Whether the server lists the model and only loads it when told to: llama.cpp's router without autoload. LM Studio's load
    /// interface is for the person's word alone.
    pub(crate) fn can_load(&self) -> bool {
        let report = self.run.inner.report(&self.provider);
        report.is_some_and(|report| {
            let listed = report.model(&self.candidate.reference.model);
            report.kind == ServerKind::LlamaCpp && listed.is_some_and(|model| model.loaded == Some(false))
        })
    }

    /// Has the model loaded; whoever else wants it follows the same load. `None` to try again here.
    pub(crate) async fn load(&mut self, fault: Fault) -> Option<Left> {
        let report = self.run.inner.report(&self.provider)?;
        let order = LoadOrder {
            endpoint: self.run.inner.endpoint(&self.provider),
            report,
            model: self.candidate.reference.model.clone(),
            wanted: Wanted::Usual,
            keep_alive: self.provider.extras.keep_alive.clone(),
            budget: self.clocks.load,
        };
        let mut load = self.run.inner.loader.load(order);
        while let Some(event) = load.next().await {
            match event {
                LoadEvent::Progress(progress) => self.progress(progress).await,
                LoadEvent::Ended(Ok(_)) => return None,
                LoadEvent::Ended(Err(error)) => {
                    let fault = Fault { message: error.to_string(), ..fault };
                    let ran_out = matches!(error, LoadError::TimedOut { .. });
                    let fault = if ran_out { crate::lessons::endless_load(self, fault).await } else { fault };
                    return Some(if self.others > 0 { Left::Next(fault) } else { Left::Stop(fault) });
                }
            }
        }
        Some(if self.others > 0 { Left::Next(fault) } else { Left::Stop(fault) })
    }
}
