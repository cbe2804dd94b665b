//! What must be put right when a request is dropped in the middle.

use std::sync::Arc;
use std::time::Duration;

use krabba_types::{ModelRef, ServerKind, Timestamp};

use crate::leg::reads_on;
use crate::router::{Inner, route_key};
use crate::settings::Provider;

/// How long a server is thought to read on at most.
const LONGEST_READING: Duration = Duration::from_secs(120);

/// Prompt tokens per second where nothing was measured: a small GPU.
const ASSUMED_READING: f64 = 200.0;

/// A request under way. Dropped without [`Trial::settle`], it was cancelled: its breaker learns nothing from it, and a server
/// that reads a prompt to its end whoever listens is busy for a while.
pub(crate) struct Trial {
    inner: Arc<Inner>,
    reference: ModelRef,
    provider: Provider,
    server: ServerKind,
    reading: Duration,
    began: Timestamp,
    settled: bool,
}

impl Trial {
    /// A request with about `estimate` tokens of prompt is about to be sent.
    pub(crate) fn begin(inner: &Arc<Inner>, reference: &ModelRef, provider: &Provider, server: ServerKind, estimate: u32) -> Self {
        inner.breaker(reference, provider, crate::breaker::Breaker::begin);
        let speed = inner.learned.of(&route_key(provider, reference)).reading_speed.map_or(ASSUMED_READING, |speed| speed.value.max(1.0));
        let reading = Duration::from_secs_f64(f64::from(estimate) / speed).min(LONGEST_READING);
        let began = inner.clock.now();
        Self { inner: Arc::clone(inner), reference: reference.clone(), provider: provider.clone(), server, reading, began, settled: false }
    }

    /// It ended by itself.
    pub(crate) fn settle(&mut self) {
        self.settled = true;
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        if self.settled {
            return;
        }
        let now = self.inner.clock.now();
        self.inner.breaker(&self.reference, &self.provider, |breaker| breaker.abandon(now));
        let done = self.began.plus(self.reading);
        if reads_on(self.server, &self.provider.residency) && done > now {
            self.inner.lingering().insert(self.provider.hosting.box_id.clone(), done);
        }
    }
}
