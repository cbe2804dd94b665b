use std::time::Duration;

use krabba_types::{Fault, FaultKind, Phase, Secret, Timestamp};

use crate::keys::{Choice, KeyRing};
use crate::settings::Key;

const MINUTE: Duration = Duration::from_secs(60);

fn keys() -> Vec<Key> {
    ["one", "two"].map(|profile| Key { profile: profile.to_owned(), secret: Secret::new(profile), source: String::new() }).to_vec()
}

fn limited() -> Fault {
    Fault::new(FaultKind::RateLimited, Phase::Headers, "slow down")
}

fn chosen(ring: &KeyRing, now: Timestamp) -> String {
    let keys = keys();
    match ring.choose(&keys, None, &[], now) {
        Choice::Key(key) => key.profile.clone(),
        Choice::Resting(key) => format!("{} (resting)", key.profile),
        Choice::Keyless => "none".to_owned(),
    }
}

#[test]
fn a_limited_key_makes_room_for_the_next() {
    let (mut ring, now) = (KeyRing::default(), Timestamp(0));
    assert_eq!(chosen(&ring, now), "one");
    ring.punish("one", &limited(), now);
    assert_eq!(chosen(&ring, now), "two");
    ring.punish("two", &limited(), now.plus(MINUTE / 2));
    assert_eq!(chosen(&ring, now.plus(MINUTE / 2)), "one (resting)");
    assert_eq!(chosen(&ring, now.plus(MINUTE)), "one");
}

#[test]
fn pauses_grow_and_an_answer_clears_them() {
    let mut ring = KeyRing::default();
    let mut now = Timestamp(0);
    for minutes in [1, 5, 25, 60, 60] {
        ring.punish("one", &limited(), now);
        assert_eq!(chosen(&ring, now.plus(MINUTE * minutes - Duration::from_millis(1))), "two", "{minutes}");
        now = now.plus(MINUTE * minutes);
        assert_eq!(chosen(&ring, now), "one", "{minutes}");
    }
    ring.reward("one");
    ring.punish("one", &limited(), now);
    assert_eq!(chosen(&ring, now.plus(MINUTE)), "one");
}

#[test]
fn a_fault_of_the_endpoint_is_not_put_on_the_key() {
    let mut ring = KeyRing::default();
    ring.punish("one", &Fault::new(FaultKind::Unreachable, Phase::Connect, "off"), Timestamp(0));
    assert_eq!(chosen(&ring, Timestamp(0)), "one");
}

#[test]
fn a_pinned_key_is_not_exchanged() {
    let (mut ring, keys) = (KeyRing::default(), keys());
    ring.punish("two", &limited(), Timestamp(0));
    assert!(matches!(ring.choose(&keys, Some("two"), &[], Timestamp(0)), Choice::Key(key) if key.profile == "two"));
}

#[test]
fn a_key_that_was_refused_in_this_run_is_not_chosen_again() {
    let (ring, keys) = (KeyRing::default(), keys());
    let spent = ["one".to_owned()];
    assert!(matches!(ring.choose(&keys, None, &spent, Timestamp(0)), Choice::Key(key) if key.profile == "two"));
}

#[test]
fn a_provider_without_keys_needs_none() {
    assert!(matches!(KeyRing::default().choose(&[], None, &[], Timestamp(0)), Choice::Keyless));
}
