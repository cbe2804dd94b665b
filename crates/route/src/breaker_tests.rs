use std::time::Duration;

use krabba_types::{Clock, Fault, FaultKind, ManualClock, Phase, Residency, RouteState, Timestamp};

use crate::breaker::{Admission, Breaker};

const SECOND: Duration = Duration::from_secs(1);

fn fault(kind: FaultKind) -> Fault {
    Fault::new(kind, Phase::Connect, "failed")
}

fn fail(breaker: &mut Breaker, kind: FaultKind, clock: &ManualClock) {
    breaker.begin();
    breaker.fail(&fault(kind), clock.now());
}

fn clock() -> ManualClock {
    ManualClock::at(Timestamp(1_000_000))
}

#[test]
fn two_failures_do_not_hold_a_route_and_three_do() {
    let (clock, mut breaker) = (clock(), Breaker::new(&Residency::Hosted));
    fail(&mut breaker, FaultKind::Unreachable, &clock);
    fail(&mut breaker, FaultKind::Stalled, &clock);
    assert_eq!(breaker.admission(clock.now()), Admission::InTurn);
    fail(&mut breaker, FaultKind::Truncated, &clock);
    let until = clock.now().plus(SECOND * 30);
    assert_eq!(breaker.admission(clock.now()), Admission::Last(RouteState::Down { until }));
}

#[test]
fn failures_that_are_not_the_endpoints_do_not_add_up() {
    let (clock, mut breaker) = (clock(), Breaker::new(&Residency::Hosted));
    for kind in [FaultKind::Unreachable, FaultKind::Unreachable, FaultKind::Empty, FaultKind::Unreachable, FaultKind::Unreachable] {
        fail(&mut breaker, kind, &clock);
    }
    assert_eq!(breaker.admission(clock.now()), Admission::InTurn);
}

#[test]
fn a_local_endpoint_is_never_held_longer_than_its_probe_interval() {
    let (clock, mut breaker) = (clock(), Breaker::new(&Residency::Device));
    for kind in [FaultKind::Unreachable, FaultKind::RateLimited, FaultKind::Auth] {
        for _ in 0..20 {
            fail(&mut breaker, kind.clone(), &clock);
            assert_eq!(breaker.admission(clock.now().plus(SECOND * 20)), Admission::InTurn, "{kind}");
            clock.advance(SECOND * 20);
        }
    }
}

#[test]
fn half_open_lets_one_request_through() {
    let (clock, mut breaker) = (clock(), Breaker::new(&Residency::Hosted));
    (0..3).for_each(|_| fail(&mut breaker, FaultKind::Unreachable, &clock));
    clock.advance(SECOND * 30);
    assert_eq!(breaker.admission(clock.now()), Admission::InTurn);
    breaker.begin();
    assert!(matches!(breaker.admission(clock.now()), Admission::Last(RouteState::Down { .. })));
    breaker.succeed();
    assert_eq!(breaker.admission(clock.now()), Admission::InTurn);
}

#[test]
fn one_failed_trial_holds_again_and_longer() {
    let (clock, mut breaker) = (clock(), Breaker::new(&Residency::Hosted));
    (0..3).for_each(|_| fail(&mut breaker, FaultKind::Unreachable, &clock));
    clock.advance(SECOND * 30);
    fail(&mut breaker, FaultKind::Unreachable, &clock);
    let until = clock.now().plus(SECOND * 60);
    assert_eq!(breaker.admission(clock.now()), Admission::Last(RouteState::Down { until }));
}

#[test]
fn a_cancelled_trial_does_not_close_the_door_for_ever() {
    let (clock, mut breaker) = (clock(), Breaker::new(&Residency::Hosted));
    (0..3).for_each(|_| fail(&mut breaker, FaultKind::Unreachable, &clock));
    clock.advance(SECOND * 30);
    breaker.begin();
    breaker.abandon(clock.now());
    assert_eq!(breaker.admission(clock.now()), Admission::InTurn);
}

#[test]
fn a_good_probe_ends_a_hold_and_an_old_one_does_not() {
    let (clock, mut breaker) = (clock(), Breaker::new(&Residency::Device));
    let before = clock.now();
    clock.advance(SECOND);
    (0..3).for_each(|_| fail(&mut breaker, FaultKind::Unreachable, &clock));
    breaker.probed_up(before);
    assert!(matches!(breaker.admission(clock.now().plus(SECOND)), Admission::Last(_)));
    breaker.probed_up(clock.now().plus(SECOND));
    assert_eq!(breaker.admission(clock.now().plus(SECOND)), Admission::InTurn);
}

#[test]
fn a_rate_limit_is_no_failure_and_lasts_as_long_as_the_server_says() {
    let (clock, mut breaker) = (clock(), Breaker::new(&Residency::Hosted));
    let limited = Fault { retry_after: Some(SECOND * 7), ..fault(FaultKind::RateLimited) };
    breaker.fail(&limited, clock.now());
    let until = clock.now().plus(SECOND * 7);
    assert_eq!(breaker.admission(clock.now()), Admission::Last(RouteState::RateLimited { until }));
    assert_eq!(breaker.admission(until), Admission::InTurn);
}

#[test]
fn a_refused_key_is_tried_again_after_growing_pauses() {
    let (clock, mut breaker) = (clock(), Breaker::new(&Residency::Hosted));
    for minutes in [1, 5, 25, 60, 60] {
        fail(&mut breaker, FaultKind::Auth, &clock);
        clock.advance(SECOND * 60 * minutes - SECOND);
        assert_eq!(breaker.admission(clock.now()), Admission::Last(RouteState::AuthFailed), "{minutes}");
        clock.advance(SECOND);
        assert_eq!(breaker.admission(clock.now()), Admission::InTurn, "{minutes}");
    }
}
