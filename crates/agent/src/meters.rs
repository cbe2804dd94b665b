//! How far our token estimates are off, route by route, for as long as the process lives.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use krabba_context::Meter;
use krabba_types::ModelRef;

/// A meter for each route.
#[derive(Debug, Default)]
pub(crate) struct Meters {
    meters: Mutex<HashMap<ModelRef, Meter>>,
}

impl Meters {
    /// The meter of a route as it is now.
    pub(crate) fn of(&self, route: &ModelRef) -> Meter {
        self.lock().get(route).copied().unwrap_or_default()
    }

    /// A prompt that we took for `estimate` tokens, uncorrected, really had `reported`.
    pub(crate) fn observe(&self, route: &ModelRef, estimate: u32, reported: u64) {
        self.lock().entry(route.clone()).or_default().observe(estimate, reported);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ModelRef, Meter>> {
        self.meters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
