//! What a process that is killed in the middle of a turn leaves, and what the next one makes of it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test ends where its set-up fails")]

mod support;

use krabba_agent::Agent;
use krabba_store::{EventKind, LeaseOwner, Store};
use krabba_testkit::ScriptedServer;
use krabba_types::{Label, SessionId, Timestamp, TurnId};
use serde_json::{Value, json};

use support::tools::acting_agent;
use support::{listen, notices, say, server};

const OK: &str = "rules: [{steps: [{text: 'ok'}, 'end']}]";

/// The messages of a recorded request.
fn sent(server: &ScriptedServer, generation: usize) -> Vec<Value> {
    server.generations()[generation].json.as_ref().unwrap()["messages"].as_array().unwrap().clone()
}

/// What `kill -9` leaves in the middle of a call: the events, the call as begun or not, and a lease that nobody prolongs.
fn killed(store: &Store, agent: &Agent, session: &SessionId, begun: bool) {
    let (turn, call) = (TurnId::new("t1"), json!({"id": "c1", "name": "run", "arguments": {"command": "ls"}}));
    store
        .create_session(&krabba_store::NewSession { id: session.clone(), agent: agent.id().clone(), title: None, at: Timestamp(1) })
        .unwrap();
    let event = |kind, body| krabba_store::NewEvent { turn: Some(turn.clone()), kind, body, label: Label::Owner, at: Timestamp(1) };
    let events = [
        event(EventKind::UserMessage, json!({"parts": [{"type": "text", "value": "go"}]})),
        event(EventKind::TurnStarted, json!({})),
        event(EventKind::ToolCall, call),
    ];
    store.append_all(session, &events).unwrap();
    if begun {
        assert!(store.begin_effect(session, "c1", &turn, "run `ls`", Timestamp(1)).unwrap());
    }
    store.take_lease(session, &LeaseOwner::new(), Timestamp(1), Timestamp(2)).unwrap();
}

#[tokio::test]
async fn killed_turn_is_closed_with_what_is_known_of_its_calls() {
    for begun in [false, true] {
        let server = server(OK).await;
        let state = tempfile::tempdir().unwrap();
        let (agent, journal) = acting_agent(state.path(), &server, |_| {});
        let lane = agent.new_session();
        let store = Store::open(state.path()).unwrap();
        killed(&store, &agent, lane.id(), begun);
        let heard = listen(lane.turn(say("what happened?"))).await;
        let lines = notices(&heard);
        assert_eq!(lines.iter().any(|line| line.contains("nobody knows whether it happened: run `ls`")), begun, "{lines:?}");
        assert!(lines.iter().any(|line| line.contains("ended in the middle")), "{lines:?}");
        let result = sent(&server, 0).into_iter().find(|message| message["role"] == "tool").unwrap();
        let known = if begun { "nobody knows whether it happened" } else { "not done" };
        assert!(result["content"].as_str().unwrap().contains(known), "{result}");
        assert_eq!(*journal.lock().unwrap(), Vec::<String>::new(), "nothing is done again");
        assert_eq!(store.open_effects(lane.id()).unwrap(), []);
        let again = listen(lane.turn(say("and?"))).await;
        assert!(!notices(&again).iter().any(|line| line.contains("ended")), "it is told once");
    }
}

#[tokio::test]
async fn killed_turn_is_told_of_by_whoever_starts_next() {
    let server = server(OK).await;
    let state = tempfile::tempdir().unwrap();
    let (agent, _) = acting_agent(state.path(), &server, |_| {});
    let store = Store::open(state.path()).unwrap();
    let ids = ["begun", "not-begun", "mine"].map(SessionId::new);
    ids.iter().for_each(|id| killed(&store, &agent, id, *id == ids[0]));
    let deserted = agent.close_deserted(Some(&ids[2])).await.unwrap();
    assert_eq!(deserted.iter().map(|left| &left.session.id).collect::<Vec<_>>(), [&ids[0], &ids[1]]);
    assert!(deserted[0].lines.iter().any(|line| line.contains("nobody knows whether it happened: run `ls`")), "{deserted:?}");
    assert_eq!(deserted[1].lines.len(), 1, "nothing was begun: {deserted:?}");
    assert_eq!(store.open_effects(&ids[0]).unwrap(), []);
    assert_eq!(agent.close_deserted(Some(&ids[2])).await.unwrap(), [], "it is told once");
    let heard = listen(agent.session(ids[0].clone()).turn(say("go on"))).await;
    assert!(!notices(&heard).iter().any(|line| line.contains("ended")), "{heard:?}");
    assert!(sent(&server, 0).iter().any(|message| message["role"] == "tool"), "the model is told too");
}
