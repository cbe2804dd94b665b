//! Whether a route is worth asking now.
//!
//! ```text
//!            3 faults in a row that blame the endpoint
//!   Closed ────────────────────────────────────────────► Open(until) ──time, or a good probe──► HalfOpen
//!     ▲                                                      ▲                                      │ one request
//!     └───────────────────────────── it answers ─────────────┼──────────────────────────────────────┤
//!                                                            └───────────── it fails ───────────────┘
//! ```
//!
//! Rate limits and refused keys are states of their own: they say nothing about the endpoint's health, and an endpoint
//! that is healthy says nothing about them. A local endpoint is never held longer than its probe interval, because the
//! person may be starting it at this moment. A held route is asked last, not never: with nothing else left, a request
//! that may fail is better than one that is not made.
//!
//! Pure: it is told the time.

use std::time::Duration;

use krabba_types::{Fault, FaultKind, Residency, RouteState, Timestamp};

use crate::clocks::PROBE_INTERVAL;

/// Faults in a row after which a route is held.
const TOLERATED: u32 = 3;

/// The first hold of a hosted route; doubled each time.
const FIRST_HOLD: Duration = Duration::from_secs(30);

/// The longest hold of a hosted route.
pub(crate) const LONGEST_HOLD: Duration = Duration::from_secs(300);

/// The health of one route, from its own requests.
#[derive(Clone, Debug)]
pub(crate) struct Breaker {
    home: bool,
    failures: u32,
    holds: u32,
    held: Held,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Held {
    No,
    Down {
        since: Timestamp,
        until: Timestamp,
    },
    /// One request is under way that decides.
    Trial {
        since: Timestamp,
    },
    RateLimited {
        until: Timestamp,
    },
    AuthFailed {
        until: Timestamp,
    },
}

/// Whether to ask a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// In its turn.
    InTurn,
    /// After all others, for the reason that the state gives.
    Last(RouteState),
}

impl Breaker {
    /// A route at `place` of which nothing bad is known.
    pub(crate) fn new(place: &Residency) -> Self {
        Self { home: !place.leaves_home(), failures: 0, holds: 0, held: Held::No }
    }

    /// Whether to ask it now.
    pub(crate) fn admission(&self, now: Timestamp) -> Admission {
        match self.held {
            Held::No => Admission::InTurn,
            Held::Down { until, .. } if until <= now => Admission::InTurn,
            Held::Down { until, .. } => Admission::Last(RouteState::Down { until }),
            // Somebody else's request is finding out; ours need not wait for the same clock.
            Held::Trial { .. } => Admission::Last(RouteState::Down { until: now }),
            Held::RateLimited { until } if until <= now => Admission::InTurn,
            Held::RateLimited { until } => Admission::Last(RouteState::RateLimited { until }),
            Held::AuthFailed { until } if until <= now => Admission::InTurn,
            Held::AuthFailed { .. } => Admission::Last(RouteState::AuthFailed),
        }
    }

    /// A request is about to be made.
    pub(crate) fn begin(&mut self) {
        if let Held::Down { since, .. } = self.held {
            self.held = Held::Trial { since };
        }
    }

    /// The request was given up by us; nothing was learned.
    pub(crate) fn abandon(&mut self, now: Timestamp) {
        if let Held::Trial { since } = self.held {
            self.held = Held::Down { since, until: now };
        }
    }

    /// It answered.
    pub(crate) fn succeed(&mut self) {
        *self = Self { home: self.home, failures: 0, holds: 0, held: Held::No };
    }

    /// It failed.
    pub(crate) fn fail(&mut self, fault: &Fault, now: Timestamp) {
        if fault.blames_endpoint() {
            self.blame(fault, now);
            return;
        }
        match fault.kind {
            FaultKind::RateLimited => self.held = Held::RateLimited { until: self.after_pause(fault, now) },
            // The owner may have mended it without telling us: it is asked in its turn again after a growing pause.
            FaultKind::Auth | FaultKind::Billing => self.held = Held::AuthFailed { until: self.after_pause(fault, now) },
            FaultKind::Cancelled => self.abandon(now),
            FaultKind::Loading
            | FaultKind::Busy
            | FaultKind::Overloaded
            | FaultKind::Overflow { .. }
            | FaultKind::NoSuchModel
            | FaultKind::Unsupported { .. }
            | FaultKind::BadRequest
            | FaultKind::ContentPolicy
            | FaultKind::Unreachable
            | FaultKind::Stalled
            | FaultKind::Truncated
            | FaultKind::Empty
            | FaultKind::OnlyReasoning
            | FaultKind::Malformed
            | FaultKind::Unparsed
            | FaultKind::Looping => self.succeed(), // It answered in order, if not what we wanted.
        }
    }

    /// The end of the pause that the server asked for, else of one that grows as those of keys do.
    fn after_pause(&mut self, fault: &Fault, now: Timestamp) -> Timestamp {
        let pause = fault.retry_after.unwrap_or_else(|| crate::keys::pause(self.holds));
        self.holds = self.holds.saturating_add(1);
        now.plus(if self.home { pause.min(PROBE_INTERVAL) } else { pause })
    }

    fn blame(&mut self, fault: &Fault, now: Timestamp) {
        let trial = matches!(self.held, Held::Trial { .. });
        self.failures = self.failures.saturating_add(1);
        if !trial && self.failures < TOLERATED {
            return;
        }
        let hold = if self.home {
            PROBE_INTERVAL
        } else {
            let doubled = FIRST_HOLD.saturating_mul(1 << self.holds.min(8));
            fault.retry_after.unwrap_or(doubled).clamp(Duration::from_secs(1), LONGEST_HOLD)
        };
        self.holds = self.holds.saturating_add(1);
        self.held = Held::Down { since: now, until: now.plus(hold) };
    }

    /// A probe found the endpoint up at `at`: the next request may find out.
    pub(crate) fn probed_up(&mut self, at: Timestamp) {
        if let Held::Down { since, until } = self.held
            && since < at
            && at < until
        {
            self.held = Held::Down { since, until: at };
        }
    }
}
