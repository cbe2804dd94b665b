//! What the file refuses, looked at from inside.

use krabba_types::{AgentId, Label, SessionId, Timestamp};
use serde_json::json;

use crate::{EventKind, NewEvent, NewSession, Store, StoreError, StoredEvent};

fn with_session(directory: &std::path::Path) -> (Store, SessionId) {
    let store = Store::open(directory).unwrap();
    let id = SessionId::new("s");
    store.create_session(&NewSession { id: id.clone(), agent: AgentId::new("main"), title: None, at: Timestamp(1) }).unwrap();
    (store, id)
}

fn event(body: serde_json::Value) -> NewEvent {
    NewEvent { turn: None, kind: EventKind::UserMessage, body, label: Label::Owner, at: Timestamp(2) }
}

#[test]
fn raw_history_cannot_be_changed_or_thinned_out() {
    let store = Store::open_in_memory().unwrap();
    let id = SessionId::new("s");
    store.create_session(&NewSession { id: id.clone(), agent: AgentId::new("main"), title: None, at: Timestamp(1) }).unwrap();
    let written = store.append(&id, &event(json!("hello"))).unwrap();
    for statement in ["UPDATE event SET body = '1'", "DELETE FROM event"] {
        assert!(store.read(|connection| connection.execute_batch(statement)).is_err(), "{statement} was allowed");
    }
    assert_eq!(store.events(&id, 0).unwrap(), [StoredEvent::Readable(written)]);
}

#[test]
fn write_waits_for_the_disk_again_after_one_that_did_not() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    store.remember_fact("r", "n", &json!(1), krabba_types::FactSource::Measured, Timestamp(1)).unwrap();
    let setting =
        |name: &str| store.read(|connection| connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i64>(0))).unwrap();
    assert_eq!(setting("synchronous"), 2);
    let mode: String = store.read(|connection| connection.query_row("PRAGMA journal_mode", [], |row| row.get(0))).unwrap();
    assert_eq!(mode, "wal");
}

#[test]
fn sqlite_with_the_write_ahead_log_race_is_not_linked() {
    assert!(rusqlite::version_number() >= 3_051_003, "{} can lose committed writes", rusqlite::version());
}

#[test]
fn full_disk_undoes_the_whole_step() {
    let directory = tempfile::tempdir().unwrap();
    let (store, id) = with_session(directory.path());
    let before = store.append(&id, &event(json!("before"))).unwrap();
    store.read(|connection| connection.query_row("PRAGMA max_page_count=40", [], |_| Ok(()))).unwrap();
    let error = store.append_all(&id, &[event(json!("small")), event(json!("x".repeat(200_000)))]).unwrap_err();
    assert!(matches!(error, StoreError::Full { .. }), "{error:?}");
    assert_eq!(store.events(&id, 0).unwrap(), [StoredEvent::Readable(before)]);
    store.append(&id, &event(json!("small"))).unwrap();
}

#[test]
fn file_that_another_program_keeps_is_named_as_locked() {
    let directory = tempfile::tempdir().unwrap();
    let (store, id) = with_session(directory.path());
    let other = rusqlite::Connection::open(store.path()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    store.read(|connection| connection.busy_timeout(std::time::Duration::ZERO)).unwrap();
    let error = store.append(&id, &event(json!("now"))).unwrap_err();
    assert!(error.passes_by_itself(), "{error:?}");
    other.execute_batch("ROLLBACK").unwrap();
    store.append(&id, &event(json!("now"))).unwrap();
}

#[test]
fn file_that_cannot_be_written_is_named_as_such() {
    let directory = tempfile::tempdir().unwrap();
    let (store, id) = with_session(directory.path());
    store.read(|connection| connection.execute_batch("PRAGMA query_only=ON")).unwrap();
    let error = store.append(&id, &event(json!("now"))).unwrap_err();
    assert!(matches!(error, StoreError::ReadOnly { .. }), "{error:?}");
}
