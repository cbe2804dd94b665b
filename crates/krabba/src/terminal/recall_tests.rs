use krabba_agent::{AssistantRecord, Extent, Record, UserRecord};
use krabba_store::{NewSession, Store, StoredEvent};
use krabba_types::{AgentId, Label, ModelId, ModelRef, Part, ProviderId, Reasoning, ReasoningOrigin, SessionId, Timestamp, Usage};

use super::recall::{Exchange, last_exchanges};

fn route() -> ModelRef {
    ModelRef::new(ProviderId::new("p"), ModelId::new("m"))
}

fn said(text: &str) -> Record {
    Record::User(UserRecord { parts: vec![Part::Text(text.to_owned())], circumstances: None })
}

fn answered(text: &str, extent: Extent) -> Record {
    let origin = ReasoningOrigin { route: route(), field: "reasoning".to_owned(), artefact: None };
    let reasoning = Part::Reasoning(Reasoning { text: "secret".to_owned(), origin });
    let parts = vec![reasoning, Part::Text(text.to_owned())];
    Record::Assistant(AssistantRecord { parts, route: route(), model: None, usage: Usage::default(), extent })
}

fn events(records: &[Record]) -> Vec<StoredEvent> {
    let store = Store::open_in_memory().unwrap();
    let id = SessionId::new("s");
    store.create_session(&NewSession { id: id.clone(), agent: AgentId::new("main"), title: None, at: Timestamp(0) }).unwrap();
    for record in records {
        store.append(&id, &record.event(None, Label::Owner, Timestamp(0)).unwrap()).unwrap();
    }
    store.events(&id, 0).unwrap()
}

fn exchange(said: &str, answer: &str) -> Exchange {
    Exchange { said: said.to_owned(), answer: answer.to_owned() }
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
