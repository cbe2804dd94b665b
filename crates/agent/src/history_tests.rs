//! Whatever was written down, and wherever the writing was killed, a valid conversation comes out of it.

use krabba_context::{ABORTED_LINE, Entry, Standing, TextLimits};
use krabba_store::{Event, EventKind, StoredEvent, UnreadableEvent};
use krabba_types::{DoneReason, Fault, FaultKind, Label, ModelRef, Part, Phase, Residency, Role, SessionId, Timestamp, TurnId, Usage};
use proptest::prelude::*;
use serde_json::json;

use crate::History;
use crate::record::{
    AssistantRecord, AttemptRecord, Change, ContextRecord, Counted, CutRecord, EndRecord, Extent, Outcome, Record, StartRecord, UserRecord,
};
use crate::request_tests::records;

pub(crate) fn route() -> ModelRef {
    ModelRef::parse("lmstudio/qwen3").unwrap()
}

pub(crate) fn log(records: Vec<(&str, Record)>) -> Vec<Event> {
    (1..)
        .zip(records)
        .map(|(seq, (turn, record))| {
            let turn = TurnId::new(turn);
            let label = if is_ours(&record) { Label::System } else { Label::Owner };
            let new = record.event(Some(&turn), label, Timestamp(i64::try_from(seq).unwrap())).unwrap();
            Event { session: SessionId::new("s"), seq, turn: new.turn, kind: new.kind, body: new.body, label: new.label, at: new.at }
        })
        .collect()
}

/// Whether it is said to the model in the person's place.
fn is_ours(record: &Record) -> bool {
    matches!(record, Record::User(user) if matches!(user.parts.as_slice(), [Part::Text(text)] if text.starts_with("[krabba: ")))
}

fn stored(events: &[Event]) -> Vec<StoredEvent> {
    events.iter().cloned().map(StoredEvent::Readable).collect()
}

pub(crate) fn history(events: &[Event]) -> History {
    History::of(&stored(events))
}

pub(crate) fn user(text: &str) -> Record {
    Record::User(UserRecord { parts: vec![Part::Text(text.to_owned())], circumstances: None, pasted: Vec::new() })
}

pub(crate) fn started() -> Record {
    Record::Started(StartRecord::default())
}

pub(crate) fn answer(text: &str, extent: Extent) -> Record {
    Record::Assistant(AssistantRecord {
        parts: vec![Part::Text(text.to_owned())],
        route: route(),
        model: None,
        usage: Usage::default(),
        extent,
    })
}

pub(crate) fn ended(outcome: Outcome) -> Record {
    Record::Ended(EndRecord::bare(outcome))
}

pub(crate) fn answered() -> Record {
    ended(Outcome::Answered(DoneReason::Stop))
}

fn texts(said: &[Entry]) -> Vec<(Role, String)> {
    said.iter().map(|said| (said.message.role, said.message.plain_text())).collect()
}

fn expected(pairs: &[(Role, &str)]) -> Vec<(Role, String)> {
    pairs.iter().map(|(role, text)| (*role, (*text).to_owned())).collect()
}

#[test]
fn answered_turns_come_back_in_order() {
    let events = log(vec![
        ("1", user("one")),
        ("1", started()),
        ("1", answer("eins", Extent::Whole)),
        ("1", answered()),
        ("2", user("two")),
        ("2", started()),
    ]);
    let history = history(&events);
    let going_on = TurnId::new("2");
    let conversation = history.conversation(&route(), Some(&going_on));
    assert_eq!(texts(&conversation), expected(&[(Role::User, "one"), (Role::Assistant, "eins"), (Role::User, "two")]));
    assert_eq!(history.open_turns(), [(going_on, Timestamp(6))]);
    assert_eq!(history.first_words(), Some("one".to_owned()));
}

#[test]
fn turn_without_a_whole_answer_ends_in_the_fixed_line() {
    let fault = Fault::new(FaultKind::Unreachable, Phase::Connect, "nobody there");
    let events = log(vec![
        ("1", user("stopped in the middle")),
        ("1", started()),
        ("1", answer("par", Extent::Aborted)),
        ("1", ended(Outcome::Stopped)),
        ("2", user("failed")),
        ("2", started()),
        ("2", ended(Outcome::Failed(fault))),
        ("3", user("killed")),
        ("3", started()),
        ("4", user("now")),
    ]);
    let conversation = history(&events).conversation(&route(), Some(&TurnId::new("4")));
    let aborted =
        conversation.iter().filter(|said| said.message.role == Role::Assistant && said.message.plain_text().ends_with(ABORTED_LINE));
    assert_eq!(aborted.count(), 3);
    assert_eq!(conversation.last().map(|said| said.message.plain_text()), Some("now".to_owned()));
}

#[test]
fn events_of_two_processes_are_sorted_out_by_turn() {
    let events =
        log(vec![("1", user("one")), ("2", user("two")), ("1", answer("eins", Extent::Whole)), ("2", answer("zwei", Extent::Whole))]);
    let conversation = history(&events).conversation(&route(), None);
    let wanted = [(Role::User, "one"), (Role::Assistant, "eins"), (Role::User, "two"), (Role::Assistant, "zwei")];
    assert_eq!(texts(&conversation), expected(&wanted));
}

#[test]
fn cut_holds_for_its_route_and_never_moves_back() {
    let cut = |keep_from, route| Record::Cut(CutRecord { keep_from, route, note: None, shortened: TextLimits::new() });
    let events = log(vec![
        ("1", user("one")),
        ("1", answer("eins", Extent::Whole)),
        ("2", user("two")),
        ("2", answer("zwei", Extent::Whole)),
        ("2", cut(3, Some(route()))),
        ("2", cut(1, Some(route()))),
    ]);
    let history = history(&events);
    let other = ModelRef::parse("ollama/llama3").unwrap();
    assert_eq!(texts(&history.conversation(&route(), None)), expected(&[(Role::User, "two"), (Role::Assistant, "zwei")]));
    assert_eq!(history.conversation(&other, None).len(), 4);
}

#[test]
fn texts_that_were_shortened_for_a_route_stay_so() {
    let cut = |limits: &[(u64, u32)]| {
        let shortened = limits.iter().copied().collect();
        Record::Cut(CutRecord { keep_from: 0, route: Some(route()), note: None, shortened })
    };
    let events = log(vec![("1", user("one")), ("1", cut(&[(1, 900), (4, 128)])), ("1", cut(&[(4, 500), (6, 128)]))]);
    let history = history(&events);
    assert_eq!(history.shortened_for(&route()), Some(&TextLimits::from([(1, 900), (4, 128), (6, 128)])));
    assert_eq!(history.shortened_for(&ModelRef::parse("ollama/llama3").unwrap()), None);
}

#[test]
fn words_in_the_persons_place_are_no_question() {
    let events = log(vec![
        ("1", user("one")),
        ("1", answer("fly()", Extent::Step)),
        ("1", user("[krabba: there is no tool \"fly\"]")),
        ("1", answer("eins", Extent::Whole)),
        ("2", user("two")),
    ]);
    let standing: Vec<Standing> = history(&events).conversation(&route(), None).iter().map(|said| said.standing).collect();
    assert_eq!(standing, [Standing::ByRole, Standing::ByRole, Standing::Inside, Standing::ByRole, Standing::ByRole, Standing::ByRole]);
}

#[test]
fn event_of_the_future_is_left_out_and_counted() {
    let mut events = log(vec![("1", user("one")), ("1", answer("eins", Extent::Whole))]);
    events.push(Event { seq: 3, kind: EventKind::Setting, body: json!({ "setting": "telepathy" }), ..events[0].clone() });
    let history = history(&events);
    assert_eq!(history.unreadable(), [3]);
    assert_eq!(history.conversation(&route(), None).len(), 2);
}

#[test]
fn row_that_the_store_cannot_read_is_counted_once_and_hides_nothing() {
    let mut events = stored(&log(vec![("1", user("one")), ("1", answer("eins", Extent::Whole)), ("2", user("two"))]));
    let StoredEvent::Readable(lost) = events[1].clone() else { unreachable!() };
    events[1] = StoredEvent::Unreadable(UnreadableEvent {
        session: lost.session,
        seq: lost.seq,
        turn: lost.turn,
        kind: "telepathy".to_owned(),
        body: "{".to_owned(),
        label: String::new(),
        at: lost.at,
        unreadable: "kind: there is no kind of event \"telepathy\"".to_owned(),
    });
    let mut history = History::of(&events[..2]);
    history.extend(&events);
    assert_eq!((history.seen(), history.unreadable()), (3, [2].as_slice()));
    let expected = expected(&[(Role::User, "one"), (Role::Assistant, ABORTED_LINE), (Role::User, "two")]);
    assert_eq!(texts(&history.conversation(&route(), Some(&TurnId::new("2")))), expected);
}

#[test]
fn a_setting_that_cannot_be_read_keeps_the_conversation_at_home() {
    let mut events = stored(&log(vec![("1", user("one")), ("1", answer("eins", Extent::Whole))]));
    let StoredEvent::Readable(lost) = events[1].clone() else { unreachable!() };
    events[1] = StoredEvent::Unreadable(UnreadableEvent {
        session: lost.session,
        seq: lost.seq,
        turn: None,
        kind: "setting".to_owned(),
        body: "{".to_owned(),
        label: String::new(),
        at: lost.at,
        unreadable: "body: it is no JSON".to_owned(),
    });
    let policy = History::of(&events).settings().residency().unwrap();
    assert!(policy.permits(&Residency::Lan) && !policy.permits(&Residency::Hosted));
    assert_eq!(History::of(&events[..1]).settings().residency(), None);
}

#[test]
fn residency_is_only_ever_tightened() {
    let tighten = |place| ("1", Record::Changed(Change::Residency { places: vec![place] }));
    let events = log(vec![tighten(Residency::Lan), tighten(Residency::Hosted)]);
    let policy = history(&events).settings().residency().unwrap();
    assert!(policy.permits(&Residency::Lan));
    assert!(!policy.permits(&Residency::Hosted));
}

#[test]
fn answer_to_a_guest_is_not_the_owners_own_material() {
    let mut events = log(vec![("1", user("one")), ("1", answer("eins", Extent::Whole))]);
    assert_eq!(history(&events).label_of_answer(&route()), Label::Minted);
    let guest = Label::Guest { person: "anna".to_owned() };
    let untrusted = Label::untrusted("a page");
    let next =
        |seq, label: &Label| Event { seq, turn: Some(TurnId::new("2")), label: label.clone(), ..log(vec![("2", user("two"))])[0].clone() };
    events.push(next(3, &guest));
    assert_eq!(history(&events).label_of_answer(&route()), guest);
    events.push(next(4, &untrusted));
    events.push(next(5, &guest));
    assert_eq!(history(&events).label_of_answer(&route()), guest.join(&untrusted));
    let cut = Record::Cut(CutRecord::for_all(9, None)).event(None, Label::System, Timestamp(1)).unwrap();
    events.push(Event { seq: 6, turn: None, kind: cut.kind, body: cut.body, label: cut.label, ..events[0].clone() });
    assert_eq!(history(&events).label_of_answer(&route()), Label::Minted);
}

proptest! {
    /// A history that grew event by event is the one that was read at once.
    #[test]
    fn reading_in_pieces_changes_nothing(records in records(), at in 0_usize..24) {
        let events = log(records);
        let mut grown = History::default();
        grown.extend(&stored(&events[..at.min(events.len())]));
        grown.extend(&stored(&events));
        let whole = history(&events);
        prop_assert_eq!(grown.conversation(&route(), None), whole.conversation(&route(), None));
        prop_assert_eq!(grown.settings(), whole.settings());
    }
}

#[test]
fn window_that_proves_larger_does_not_change_what_was_told() {
    let in_window = |window: u32| {
        let residency = Residency::Device;
        let attempt = AttemptRecord { reference: route(), endpoint: "http://here".to_owned(), residency, fault: None, ms: 1 };
        let (prompt_tokens, counted) = (None, Counted::Estimated);
        let context = ContextRecord { window: Some(window), window_source: None, prompt_tokens, counted, cached_tokens: None };
        Record::Ended(EndRecord { attempts: vec![attempt], context: Some(context), ..EndRecord::bare(Outcome::Answered(DoneReason::Stop)) })
    };
    let cut = Record::Cut(CutRecord::for_all(3, None));
    let events = log(vec![("1", user("hi")), ("1", in_window(8_192)), ("2", user("ho")), ("2", in_window(65_536)), ("2", cut)]);
    assert_eq!(history(&events[..2]).told_for(&route()), Some(8_192));
    assert_eq!(history(&events[..4]).told_for(&route()), Some(8_192));
    assert_eq!(history(&events).told_for(&route()), None, "a new beginning is told what has room");
}
