//! Leases of owners that tests make up: dead ones, strange ones, ones from elsewhere.

use krabba_types::{SessionId, Timestamp};

use crate::{LeaseOwner, Leasing, Renewal, Store};

const NOW: Timestamp = Timestamp(1_000_000);
const LATER: Timestamp = Timestamp(1_030_000);

fn session() -> SessionId {
    SessionId::new("s")
}

fn held_by(owner: &LeaseOwner) -> Store {
    let store = Store::open_in_memory().unwrap();
    assert!(matches!(store.take_lease(&session(), owner, NOW, LATER).unwrap(), Leasing::Taken(_)));
    store
}

fn takes(store: &Store, now: Timestamp) -> bool {
    matches!(
        store.take_lease(&session(), &LeaseOwner::new(), now, now.plus(std::time::Duration::from_secs(30))).unwrap(),
        Leasing::Taken(_)
    )
}

#[test]
fn two_owners_in_one_process_do_not_share_a_lease() {
    let owner = LeaseOwner::new();
    let store = held_by(&owner);
    let answer = store.take_lease(&session(), &LeaseOwner::new(), NOW, LATER).unwrap();
    assert_eq!(answer, Leasing::Held { by: owner, until: LATER });
}

#[test]
fn lease_that_ran_out_is_free() {
    let store = held_by(&LeaseOwner::new());
    assert!(!takes(&store, Timestamp(LATER.0 - 1)));
    assert!(takes(&store, LATER));
}

#[test]
#[cfg(target_os = "linux")]
fn lease_of_a_dead_process_does_not_lock_the_session() {
    // Above the largest process id of Linux (2^22).
    let store = held_by(&LeaseOwner { pid: 4_194_305, ..LeaseOwner::new() });
    assert!(takes(&store, NOW));
}

#[test]
#[cfg(target_os = "linux")]
#[allow(clippy::disallowed_methods, reason = "the test is the owner of this process and waits for it in the end")]
fn killed_process_that_nobody_waited_for_does_not_lock_the_session() {
    let mut child = std::process::Command::new("sleep").arg("600").spawn().unwrap();
    let owner = LeaseOwner { pid: child.id(), started: crate::process::started(child.id()), ..LeaseOwner::new() };
    let store = held_by(&owner);
    assert!(!takes(&store, NOW));
    child.kill().unwrap();
    // It ends within the next moments, and stays a zombie until it is waited for.
    while crate::process::life(owner.pid) == crate::process::Life::Here {
        std::thread::yield_now();
    }
    assert!(takes(&store, NOW));
    child.wait().unwrap();
}

#[test]
#[cfg(target_os = "linux")]
fn reused_process_id_is_not_taken_for_the_owner() {
    let owner = LeaseOwner::new();
    let before_us = LeaseOwner { started: owner.started.map(|ticks| ticks - 1), ..owner };
    assert!(takes(&held_by(&before_us), NOW));
}

#[test]
fn process_of_another_container_is_not_declared_dead() {
    let store = held_by(&LeaseOwner { pid: 4_194_305, realm: Some("elsewhere".to_owned()), ..LeaseOwner::new() });
    assert!(!takes(&store, NOW));
    assert!(takes(&store, LATER));
}

#[test]
fn lost_lease_is_noticed_at_renewal() {
    let owner = LeaseOwner::new();
    let store = held_by(&owner);
    let Leasing::Taken(mine) = store.take_lease(&session(), &owner, NOW, LATER).unwrap() else { panic!("it was mine") };
    assert!(takes(&store, LATER));
    assert_eq!(store.renew_lease(&mine, LATER).unwrap(), Renewal::Lost);
    store.release_lease(&mine).unwrap();
    assert!(!takes(&store, LATER), "releasing a lost lease must not free the new owner's");
}

#[test]
fn renewed_lease_outlives_its_first_end() {
    let owner = LeaseOwner::new();
    let store = held_by(&owner);
    let Leasing::Taken(mine) = store.take_lease(&session(), &owner, NOW, LATER).unwrap() else { panic!("it was mine") };
    let end = Timestamp(LATER.0 + 30_000);
    assert_eq!(store.renew_lease(&mine, end).unwrap(), Renewal::Renewed(crate::Lease { until: end, ..mine.clone() }));
    assert!(!takes(&store, LATER));
    store.release_lease(&mine).unwrap();
    assert!(takes(&store, LATER));
}
