//! The store through its front door: promises, refusals, and two at the same time.

#![allow(clippy::unwrap_used, reason = "a test ends where its set-up fails")]

use std::fs;
use std::path::Path;

use krabba_store::{EventKind, NewEvent, NewSession, Session, Store, StoreError, StoredEvent, UsageRow, UsageTiming};
use krabba_types::{AgentId, FactSource, Label, ModelRef, Residency, SessionId, Timestamp, TurnId, Usage};
use proptest::prelude::*;
use serde_json::{Value, json};

fn new_session(id: &str, at: i64) -> NewSession {
    NewSession { id: SessionId::new(id), agent: AgentId::new("main"), title: None, at: Timestamp(at) }
}

fn event(text: &str, at: i64) -> NewEvent {
    NewEvent {
        turn: Some(TurnId::new("t1")),
        kind: EventKind::UserMessage,
        body: json!({ "text": text }),
        label: Label::Guest { person: "anna".to_owned() },
        at: Timestamp(at),
    }
}

fn bodies(store: &Store, id: &str) -> Vec<Value> {
    store.events(&SessionId::new(id), 0).unwrap().iter().filter_map(StoredEvent::readable).map(|event| event.body.clone()).collect()
}

#[test]
fn events_come_back_as_they_were_given() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    store.create_session(&new_session("s", 1)).unwrap();
    let written = store.append_all(&SessionId::new("s"), &[event("one", 2), event("zwei \u{0}\u{1F980}", 3)]).unwrap();
    let third = store.append(&SessionId::new("s"), &event("three", 4)).unwrap();
    drop(store);

    let store = Store::open(directory.path()).unwrap();
    let all: Vec<_> = written.into_iter().chain([third.clone()]).map(StoredEvent::Readable).collect();
    assert_eq!(store.events(&SessionId::new("s"), 0).unwrap(), all);
    assert_eq!(store.events(&SessionId::new("s"), 2).unwrap(), [StoredEvent::Readable(third)]);
    assert_eq!(all.iter().map(StoredEvent::seq).collect::<Vec<_>>(), [1, 2, 3]);
}

#[test]
fn session_list_shows_the_one_used_last_first() {
    let store = Store::open_in_memory().unwrap();
    store.create_session(&new_session("old", 1)).unwrap();
    store.create_session(&new_session("new", 2)).unwrap();
    store.append(&SessionId::new("old"), &event("again", 3)).unwrap();
    store.entitle_session(&SessionId::new("new"), "about crabs").unwrap();
    let session = |id: &str, title: Option<&str>, created_at, updated_at, events| Session {
        id: SessionId::new(id),
        agent: AgentId::new("main"),
        title: title.map(str::to_owned),
        created_at: Timestamp(created_at),
        updated_at: Timestamp(updated_at),
        events,
    };
    let expected = [session("old", None, 1, 3, 1), session("new", Some("about crabs"), 2, 2, 0)];
    assert_eq!(store.list_sessions().unwrap(), expected);
    assert_eq!(store.latest_session(&AgentId::new("main")).unwrap().as_ref(), expected.first());
    assert_eq!(store.latest_session(&AgentId::new("other")).unwrap(), None);
}

#[test]
fn session_id_is_not_given_twice() {
    let store = Store::open_in_memory().unwrap();
    let first = store.get_or_create_session(&new_session("s", 1)).unwrap();
    assert_eq!(store.get_or_create_session(&new_session("s", 9)).unwrap(), first);
    let error = store.create_session(&new_session("s", 9)).unwrap_err();
    assert_eq!(error.to_string(), "a session \"s\" exists already; leave out the id to get a new one");
}

#[test]
fn words_for_a_session_that_does_not_exist_are_refused() {
    let store = Store::open_in_memory().unwrap();
    let missing = SessionId::new("s");
    for result in [store.append(&missing, &event("x", 1)).map(drop), store.delete_session(&missing), store.export(&missing).map(drop)] {
        assert_eq!(result.unwrap_err().to_string(), "there is no session \"s\"; krabba sessions list shows those that exist");
    }
}

#[test]
fn deleted_session_leaves_no_words_in_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    store.create_session(&new_session("s", 1)).unwrap();
    store.append(&SessionId::new("s"), &event("my-deepest-secret", 2)).unwrap();
    store.delete_session(&SessionId::new("s")).unwrap();
    assert_eq!(store.list_sessions().unwrap(), []);
    assert_eq!(bodies(&store, "s"), Vec::<Value>::new());
    for entry in fs::read_dir(directory.path()).unwrap() {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        assert!(!bytes.windows(17).any(|window| window == b"my-deepest-secret"));
    }
}

#[test]
fn learned_facts_survive_and_the_latest_counts() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    store.remember_fact("a", "window", &json!(8192), FactSource::Configured, Timestamp(1)).unwrap();
    store.remember_fact("a", "window", &json!(4096), FactSource::LearnedFromOverflow, Timestamp(2)).unwrap();
    store.remember_fact("a", "dropped", &json!(["store"]), FactSource::Measured, Timestamp(3)).unwrap();
    store.remember_fact("b", "window", &json!(1), FactSource::Assumed, Timestamp(4)).unwrap();
    drop(store);

    let store = Store::open(directory.path()).unwrap();
    let found: Vec<_> =
        store.facts("a").unwrap().into_iter().map(|stored| (stored.name, stored.fact.value, stored.fact.source, stored.fact.at)).collect();
    let expected = [
        ("dropped".to_owned(), json!(["store"]), FactSource::Measured, Timestamp(3)),
        ("window".to_owned(), json!(4096), FactSource::LearnedFromOverflow, Timestamp(2)),
    ];
    assert_eq!(found, expected);
    assert_eq!(store.all_facts().unwrap().len(), 3);
    store.forget_fact("a", "dropped").unwrap();
    assert_eq!(store.all_facts().unwrap().len(), 2);
    store.forget_facts("a").unwrap();
    assert_eq!(store.all_facts().unwrap().into_iter().map(|stored| stored.route).collect::<Vec<_>>(), ["b"]);
}

#[test]
fn usage_of_every_attempt_is_kept() {
    let store = Store::open_in_memory().unwrap();
    let row = |attempt: u32, fault: Option<&str>| UsageRow {
        session: SessionId::new("s"),
        turn: TurnId::new("t"),
        attempt,
        reference: ModelRef::parse("lmstudio/qwen/qwen3:8b@q4").unwrap(),
        endpoint: "http://127.0.0.1:1234".to_owned(),
        residency: Residency::Region("eu".to_owned()),
        fault: fault.map(str::to_owned),
        tokens: Usage { prompt_tokens: Some(10), cached_tokens: None, output_per_second: Some(0.5), ..Usage::default() },
        timing: UsageTiming { queued_ms: Some(0), first_token_ms: None, total_ms: Some(7) },
        at: Timestamp(5),
    };
    store.record_usages(&[row(1, Some("stalled")), row(2, None)]).unwrap();
    store.record_usage(&row(2, None)).unwrap();
    assert_eq!(store.usage(&SessionId::new("s")).unwrap(), [row(1, Some("stalled")), row(2, None)]);
}

#[test]
#[cfg(unix)]
fn other_users_cannot_read_the_history() {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("state").join("deep");
    let store = Store::open(&directory).unwrap();
    store.create_session(&new_session("s", 1)).unwrap();
    assert_eq!(mode(&directory), 0o700);
    for name in ["krabba.db", "krabba.db-wal", "krabba.db-shm"] {
        assert_eq!(mode(&directory.join(name)), 0o600, "{name}");
    }
    drop(store);
    fs::set_permissions(directory.join("krabba.db"), fs::Permissions::from_mode(0o644)).unwrap();
    Store::open(&directory).unwrap();
    assert_eq!(mode(&directory.join("krabba.db")), 0o600);
}

#[test]
fn file_of_a_newer_krabba_is_not_touched() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("krabba.db");
    rusqlite::Connection::open(&path).unwrap().execute_batch("PRAGMA user_version = 7; CREATE TABLE future (x)").unwrap();
    let before = fs::read(&path).unwrap();
    let error = Store::open(directory.path()).unwrap_err();
    let expected = format!(
        "{} was written by a newer krabba (its layout is 7, this one knows 4); update krabba, or choose another place with --state-dir",
        path.display()
    );
    assert_eq!(error.to_string(), expected);
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn damaged_file_is_named_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("krabba.db");
    fs::write(&path, vec![b'x'; 8192]).unwrap();
    let error = Store::open(directory.path()).unwrap_err();
    assert!(matches!(error, StoreError::Damaged { .. }), "{error:?}");
    assert!(error.to_string().contains(&path.display().to_string()));
    assert_eq!(fs::read(&path).unwrap(), vec![b'x'; 8192]);
}

#[test]
fn state_directory_that_is_a_file_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state");
    fs::write(&path, "").unwrap();
    let error = Store::open(&path).unwrap_err();
    assert!(error.to_string().starts_with(&format!("cannot use {}", path.display())), "{error}");
}

#[test]
fn row_that_cannot_be_read_does_not_take_the_session_with_it() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    let id = SessionId::new("s");
    store.create_session(&new_session("s", 1)).unwrap();
    let first = store.append(&id, &event("first", 1)).unwrap();
    let owner = r#"{"kind":"owner"}"#;
    let rows = [
        ("telepathy", "{}", owner, "kind: there is no kind of event \"telepathy\""),
        ("notice", "{\"text\":", owner, "body: EOF while parsing a value at line 1 column 8"),
        ("notice", "{}", r#"{"kind":"ghost"}"#, "label: unknown variant `ghost`, expected one of"),
    ];
    let other = rusqlite::Connection::open(store.path()).unwrap();
    for ((kind, body, label, _), seq) in rows.iter().zip(2..) {
        other.execute("INSERT INTO event VALUES ('s', ?1, 't1', ?2, ?3, ?4, 7)", (seq, kind, body, label)).unwrap();
    }
    other.execute("INSERT INTO event VALUES ('s', 5, 't1', 'notice', CAST(x'22ff22' AS TEXT), ?1, 7)", [owner]).unwrap();
    let last = store.append(&id, &event("last", 9)).unwrap();

    let events = store.events(&id, 0).unwrap();
    assert_eq!(events.iter().map(StoredEvent::seq).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
    assert_eq!(events.iter().filter_map(StoredEvent::readable).collect::<Vec<_>>(), [&first, &last]);
    for ((kind, body, label, why), stored) in rows.iter().zip(&events[1..]) {
        let StoredEvent::Unreadable(found) = stored else { panic!("{stored:?}") };
        assert_eq!((found.turn.as_ref().map(TurnId::as_str), found.at), (Some("t1"), Timestamp(7)));
        assert_eq!([&found.kind, &found.body, &found.label], [kind, body, label]);
        assert!(found.unreadable.starts_with(why), "{}", found.unreadable);
    }
    let StoredEvent::Unreadable(found) = &events[4] else { panic!("{:?}", events[4]) };
    assert_eq!(found.body, "\"\u{fffd}\"");
    assert!(found.unreadable.starts_with("body: "), "{}", found.unreadable);
    assert_eq!(store.export(&id).unwrap(), events);
    let bytes: Vec<u8> = other.query_row("SELECT CAST(body AS BLOB) FROM event WHERE seq = 5", [], |row| row.get(0)).unwrap();
    assert_eq!(bytes, b"\"\xff\"", "raw history is never changed");
}

#[test]
fn two_openers_of_a_new_state_both_get_it() {
    for _ in 0..20 {
        let directory = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for index in 0..4 {
                let path = directory.path();
                scope.spawn(move || {
                    let store = Store::open(path).unwrap();
                    store.get_or_create_session(&new_session("s", 1)).unwrap();
                    store.append(&SessionId::new("s"), &event(&index.to_string(), 2)).unwrap();
                });
            }
        });
        let store = Store::open(directory.path()).unwrap();
        let seqs: Vec<_> = store.events(&SessionId::new("s"), 0).unwrap().iter().map(StoredEvent::seq).collect();
        assert_eq!(seqs, [1, 2, 3, 4]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_text_survives(text in ".*", title in ".*", route in ".*") {
        let store = Store::open_in_memory().unwrap();
        let id = SessionId::new(text.clone());
        store.create_session(&NewSession { id: id.clone(), agent: AgentId::new("a"), title: Some(title.clone()), at: Timestamp(1) }).unwrap();
        store.append(&id, &event(&text, 1)).unwrap();
        store.remember_fact(&route, &text, &json!(title), FactSource::Listing, Timestamp(1)).unwrap();
        prop_assert_eq!(bodies(&store, &text), [json!({ "text": text })]);
        prop_assert_eq!(store.session(&id).unwrap().unwrap().title, Some(title.clone()));
        prop_assert_eq!(&store.facts(&route).unwrap()[0].fact.value, &json!(title));
    }
}
