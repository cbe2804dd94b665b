use krabba_agent::{AssistantRecord, Extent, Record, UserRecord};
use krabba_store::{NewSession, Store, StoredEvent};
use krabba_types::{AgentId, Label, ModelId, ModelRef, Part, ProviderId, Reasoning, ReasoningOrigin, SessionId, Timestamp, Usage};

use super::recall::{Exchange, last_exchanges, never_begun};

fn route() -> ModelRef {
    ModelRef::new(ProviderId::new("p"), ModelId::new("m"))
}

fn said(text: &str) -> Record {
    Record::User(UserRecord { parts: vec![Part::Text(text.to_owned())], circumstances: None, pasted: Vec::new() })
}

fn answered(text: &str, extent: Extent) -> Record {
    let origin = ReasoningOrigin { route: route(), field: "reasoning".to_owned(), artefact: None };
    let reasoning = Part::Reasoning(Reasoning { text: "secret".to_owned(), origin });
    let parts = vec![reasoning, Part::Text(text.to_owned())];
    Record::Assistant(AssistantRecord { parts, route: route(), model: None, usage: Usage::default(), extent })
}

fn events(records: &[Record]) -> Vec<StoredEvent> {
    labelled(records, &Label::Owner)
}

fn labelled(records: &[Record], label: &Label) -> Vec<StoredEvent> {
    let store = Store::open_in_memory().unwrap();
    let id = SessionId::new("s");
    store.create_session(&NewSession { id: id.clone(), agent: AgentId::new("main"), title: None, at: Timestamp(0) }).unwrap();
    for record in records {
        store.append(&id, &record.event(None, label.clone(), Timestamp(0)).unwrap()).unwrap();
    }
    store.events(&id, 0).unwrap()
}

fn exchange(said: &str, answer: &str) -> Exchange {
    Exchange { said: said.to_owned(), answer: answer.to_owned(), mark: None }
}

#[test]
fn the_last_two_exchanges_are_shown_without_what_the_model_thought() {
    let records = [said("one"), answered("eins", Extent::Whole), said("two"), answered("zw", Extent::Aborted), said("three")];
    assert_eq!(last_exchanges(&events(&records)), [exchange("two", "zw\n\n[broke off here]"), exchange("three", "")]);
}

#[test]
fn a_long_answer_that_is_cut_inside_a_code_block_stays_code() {
    let code: Vec<String> = (0..20).map(|number| format!("let a = {number};")).collect();
    let records = [said("code"), answered(&format!("```\n{}\n```", code.join("\n")), Extent::Whole)];
    assert_eq!(last_exchanges(&events(&records)), [exchange("code", &format!("…\n```\n{}\n```", code[9..].join("\n")))]);
}

#[test]
fn an_earlier_answer_from_a_foreign_page_keeps_its_mark() {
    let records = [said("one"), answered("eins", Extent::Whole)];
    let mark = Some("unverified: it uses content from evil.example".to_owned());
    let marked = Exchange { mark, ..exchange("one", "eins") };
    assert_eq!(last_exchanges(&labelled(&records, &Label::untrusted("evil.example"))), [marked]);
}

#[test]
fn message_that_no_turn_began_for_is_not_forgotten() {
    let typed = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
    let events = events(&[said("one"), answered("eins", Extent::Whole), said("two\nthree"), answered("zwei", Extent::Whole)]);
    assert_eq!(never_begun(typed(&["one", "two", "/status", "three"]), &events), typed(&[]));
    assert_eq!(never_begun(typed(&["one", "two", "three", "four", "/think low", "five"]), &events), typed(&["four", "five"]));
}
