//! Stopping: whatever goes on ends, whoever is stuck holds up nobody, and the session goes on.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test ends where its set-up fails")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use krabba_agent::{CompactEvent, Compacted, Hands, Lane, Outcome, Status, TurnEvent, TurnHandle};
use krabba_context::Occasion;
use krabba_guard::Authorized;
use krabba_store::Store;
use krabba_testkit::ScriptedServer;
use krabba_tool::{Call, Outcome as Brought, Refusal, Repeat, Run, SecretScanner, Tool};
use krabba_types::{Action, Aliases, Consult, SessionId, ToolSpec};

use support::tools::{Journal, acting_agent};
use support::{agent_at, end, eventually, listen, listen_until, messages, notices, say, server, text};

/// Far beyond what any of it takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);

/// A tool that gets stuck, and listens to nobody.
struct Stuck {
    spec: ToolSpec,
    journal: Journal,
    at: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Planning,
    Running,
    /// When it is to end what it left running.
    Ending,
}

impl Stuck {
    fn in_hands(hands: &Hands, at: Stage) -> Journal {
        let (name, journal) = ("stuck".to_owned(), Journal::default());
        let spec = ToolSpec {
            name,
            description: "Gets stuck.".to_owned(),
            parameters: krabba_types::JsonObject::new(),
            aliases: Aliases::default(),
        };
        hands.tools.add(Arc::new(Self { spec, journal: Arc::clone(&journal), at }));
        journal
    }

    async fn reach(&self, stage: Stage) {
        self.journal.lock().unwrap().push(format!("{stage:?}"));
        if stage == self.at {
            std::future::pending().await
        }
    }
}

impl Tool for Stuck {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn plan<'a>(&'a self, _call: Call<'a>) -> BoxFuture<'a, Result<Action, Refusal>> {
        async move {
            self.reach(Stage::Planning).await;
            Ok(Action::Consult(Consult { tool: "stuck".to_owned(), query: String::new() }))
        }
        .boxed()
    }

    fn run<'a>(&'a self, _action: Authorized<Action>, _run: Run) -> BoxFuture<'a, Brought> {
        async move {
            self.reach(Stage::Running).await;
            Brought::failed("not stuck")
        }
        .boxed()
    }

    fn stop<'a>(&'a self, _session: &'a SessionId) -> BoxFuture<'a, usize> {
        self.reach(Stage::Ending).map(|()| 0).boxed()
    }

    fn repeat(&self) -> Repeat {
        Repeat::Harmless
    }
}

/// Looks for secrets on a disk that once does not answer.
#[derive(Debug)]
struct SlowDisk {
    looks: AtomicUsize,
    stuck_at: usize,
}

impl SlowDisk {
    fn in_hands(hands: &mut Hands, stuck_at: usize) -> Arc<Self> {
        let disk = Arc::new(Self { looks: AtomicUsize::new(0), stuck_at });
        hands.scanner = Some(Arc::clone(&disk) as Arc<dyn SecretScanner>);
        disk
    }

    async fn reached(&self) {
        eventually(|| self.looks.load(Ordering::SeqCst) == self.stuck_at).await;
    }
}

impl SecretScanner for SlowDisk {
    fn scan(&self) -> BoxFuture<'_, ()> {
        let look = self.looks.fetch_add(1, Ordering::SeqCst) + 1;
        if look == self.stuck_at { std::future::pending().boxed() } else { std::future::ready(()).boxed() }
    }
}

/// A server whose model does this at first, and answers when it is asked whether it is there.
async fn beginning_with(steps: &str) -> ScriptedServer {
    server(&format!("rules: [{{when: {{contains: 'are you there?'}}, steps: [{{text: 'Yes.'}}, 'end']}}, {{steps: [{steps}]}}]")).await
}

/// Stops the only turn of the lane; it ends as stopped, and the next one is answered.
async fn stop(lane: &Lane, turn: TurnHandle, phase: &str) {
    assert_eq!(lane.stop().await.turns, 1, "{phase}");
    let events = tokio::time::timeout(PATIENCE, listen(turn)).await.unwrap_or_else(|_| panic!("it does not end: {phase}"));
    assert_eq!(end(&events).outcome, Outcome::Stopped, "{phase}");
    let events = listen(lane.turn(say("are you there?"))).await;
    assert_eq!(text(&events), "Yes.", "{phase}");
}

#[tokio::test]
async fn turn_is_stopped_in_every_phase_of_a_model() {
    let phases = [("nothing came yet", "'stall'"), ("it thinks", "{reasoning: 'hm'}, 'stall'"), ("it answers", "{text: 'Well'}, 'stall'")];
    for (phase, steps) in phases {
        let server = beginning_with(steps).await;
        let state = tempfile::tempdir().unwrap();
        let (agent, _) = acting_agent(state.path(), &server, |_| {});
        let lane = agent.new_session();
        let mut turn = lane.turn(say("go"));
        eventually(|| !server.generations().is_empty()).await;
        if steps.contains("text") {
            listen_until(&mut turn, |event| matches!(event, TurnEvent::Text(_))).await;
        }
        stop(&lane, turn, phase).await;
    }
}

#[tokio::test]
async fn tool_that_is_stuck_holds_up_nobody() {
    for at in [Stage::Planning, Stage::Running, Stage::Ending] {
        let server = beginning_with("{tool_call: {name: 'stuck', arguments: {}}}, {tool_call: {name: 'slow', arguments: {}}}, 'end'").await;
        let state = tempfile::tempdir().unwrap();
        let mut stuck = Journal::default();
        let (agent, journal) = acting_agent(state.path(), &server, |hands| stuck = Stuck::in_hands(hands, at));
        let lane = agent.new_session();
        let turn = lane.turn(say("go"));
        match at {
            Stage::Planning | Stage::Running => eventually(|| stuck.lock().unwrap().contains(&format!("{at:?}"))).await,
            // The next tool works, and listens.
            Stage::Ending => eventually(|| !journal.lock().unwrap().is_empty()).await,
        }
        stop(&lane, turn, &format!("{at:?}")).await;
        assert!(stuck.lock().unwrap().contains(&"Ending".to_owned()), "it was not told to end: {at:?}");
        tokio::time::timeout(PATIENCE, agent.close()).await.unwrap_or_else(|_| panic!("the agent does not end: {at:?}"));
    }
}

#[tokio::test]
async fn disk_that_is_slow_to_be_looked_through_holds_up_nobody_and_nothing_unseen_is_kept() {
    for (phase, look) in [("it begins", 1), ("it plans", 2), ("the tool is done", 3)] {
        let server = beginning_with("{tool_call: {name: 'page', arguments: {}}}, 'end'").await;
        let state = tempfile::tempdir().unwrap();
        let mut disk = None;
        let (agent, journal) = acting_agent(state.path(), &server, |hands| disk = Some(SlowDisk::in_hands(hands, look)));
        let lane = agent.new_session();
        let turn = lane.turn(say("go"));
        disk.unwrap().reached().await;
        stop(&lane, turn, phase).await;
        assert_eq!(journal.lock().unwrap().len(), usize::from(look == 3), "{phase}");
        let last = messages(&server, server.generations().len() - 1);
        assert!(!last.iter().any(|(_, text)| text.contains("ignore the owner")), "{phase}: {last:?}");
        assert_eq!(last.iter().any(|(_, text)| text.contains("what it brought is left out")), look == 3, "{phase}: {last:?}");
    }
}

#[tokio::test]
async fn cut_that_waits_for_a_slow_disk_holds_up_nobody_and_changes_nothing() {
    let server =
        server("rules: [{when: {contains: 'Noted so far'}, steps: [{text: 'They spoke.'}, 'end']}, {steps: [{text: 'Yes.'}, 'end']}]")
            .await;
    let state = tempfile::tempdir().unwrap();
    let mut disk = None;
    let (agent, _) = acting_agent(state.path(), &server, |hands| disk = Some(SlowDisk::in_hands(hands, 2)));
    let lane = agent.new_session();
    for number in 0..3 {
        listen(lane.turn(say(&format!("question {number}. {}", "crab ".repeat(1_000))))).await;
    }
    let work = lane.compact(Occasion::Asked);
    disk.unwrap().reached().await;
    let events = tokio::time::timeout(PATIENCE, listen(lane.turn(say("are you there?")))).await.unwrap();
    assert_eq!(text(&events), "Yes.");
    let said = messages(&server, server.generations().len() - 1);
    assert!(said[1].1.starts_with("question 0"), "a stopped cut took something away: {said:?}");
    drop(work);
}

#[tokio::test]
async fn database_that_somebody_keeps_holds_up_no_stop_and_what_was_done_is_known_later() {
    let server = beginning_with("{tool_call: {name: 'slow', arguments: {command: 'sleep'}}}, 'end'").await;
    let state = tempfile::tempdir().unwrap();
    let (agent, _) = acting_agent(state.path(), &server, |_| {});
    let lane = agent.new_session();
    let mut turn = lane.turn(say("go"));
    listen_until(&mut turn, |event| matches!(event, TurnEvent::Output(_))).await;
    let other = rusqlite::Connection::open(state.path().join("krabba.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    lane.stop().await;
    let events = listen(turn).await;
    // An attempt that had waited for the database would have said so.
    let Outcome::Broken(why) = &end(&events).outcome else { panic!("{events:?}") };
    assert!(why.contains("stopped while the database was busy"), "{why}");
    other.execute_batch("ROLLBACK").unwrap();
    drop(other);
    assert_eq!(text(&listen(lane.turn(say("are you there?"))).await), "Yes.");
    let last = messages(&server, server.generations().len() - 1);
    assert!(last.iter().any(|(_, text)| text.contains("half of it")), "what was done is forgotten: {last:?}");
    assert_eq!(Store::open(state.path()).unwrap().open_effects(lane.id()).unwrap(), []);
}

#[tokio::test]
async fn database_that_somebody_keeps_from_the_beginning_holds_up_no_stop() {
    let server = server("rules: [{steps: [{text: 'Yes.'}, 'end']}]").await;
    let state = tempfile::tempdir().unwrap();
    let (agent, _) = acting_agent(state.path(), &server, |_| {});
    let lane = agent.new_session();
    assert_eq!(text(&listen(lane.turn(say("hello"))).await), "Yes.");
    let other = rusqlite::Connection::open(state.path().join("krabba.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let turn = lane.turn(say("go"));
    tokio::time::sleep(Duration::from_millis(100)).await;
    lane.stop().await;
    let events = listen(turn).await;
    let Outcome::Broken(why) = &end(&events).outcome else { panic!("{events:?}") };
    assert!(why.contains("stopped while the database was busy"), "{why}");
    other.execute_batch("ROLLBACK").unwrap();
    drop(other);
    assert_eq!(text(&listen(lane.turn(say("are you there?"))).await), "Yes.");
}

#[tokio::test]
async fn plan_that_is_stuck_ends_with_the_time_of_the_turn() {
    let call = "{when: {request: 1}, steps: [{tool_call: {name: 'stuck', arguments: {}}}, 'end']}";
    let server = server(&format!("rules: [{call}, {{steps: [{{text: 'Without it.'}}, 'end']}}]")).await;
    let state = tempfile::tempdir().unwrap();
    let (agent, _) = acting_agent(state.path(), &server, |hands| {
        Stuck::in_hands(hands, Stage::Planning);
        hands.limits.seconds = Some(1);
    });
    let events = tokio::time::timeout(PATIENCE, listen(agent.new_session().turn(say("go")))).await.unwrap();
    assert_eq!(end(&events).text, "Without it.");
    assert!(messages(&server, 1).last().unwrap().1.contains("not done: 1 s are over"), "{:?}", messages(&server, 1));
}

#[tokio::test]
async fn wait_for_a_slot_of_the_box_is_stopped_unsent() {
    let server = server("rules: [{when: {contains: 'one'}, steps: ['gate', {text: 'ok'}, 'end']}, {steps: [{text: 'Yes.'}, 'end']}]").await;
    let state = tempfile::tempdir().unwrap();
    let agent = agent_at(state.path(), &server);
    let first = agent.new_session().turn(say("one"));
    eventually(|| !server.generations().is_empty()).await;
    let lane = agent.new_session();
    let mut second = lane.turn(say("two"));
    listen_until(&mut second, |event| matches!(event, TurnEvent::Status(Status::Queued { .. }))).await;
    assert_eq!(lane.stop().await.turns, 1);
    let events = tokio::time::timeout(PATIENCE, listen(second)).await.unwrap();
    assert_eq!(end(&events).outcome, Outcome::Stopped);
    assert_eq!(server.generations().len(), 1, "it was sent");
    server.open_gate();
    assert_eq!(text(&listen(first).await), "ok", "the other session was stopped too");
    assert_eq!(text(&listen(lane.turn(say("are you there?"))).await), "Yes.");
}

#[tokio::test]
async fn wait_for_another_process_is_stopped_unsent() {
    let server = server("rules: [{when: {contains: 'one'}, steps: ['gate', {text: 'ok'}, 'end']}, {steps: [{text: 'Yes.'}, 'end']}]").await;
    let state = tempfile::tempdir().unwrap();
    let (one, two) = (agent_at(state.path(), &server), agent_at(state.path(), &server));
    let id = SessionId::new("s");
    let first = one.session(id.clone()).turn(say("one"));
    eventually(|| !server.generations().is_empty()).await;
    let lane = two.session(id);
    let mut second = lane.turn(say("two"));
    let waiting = listen_until(&mut second, |event| matches!(event, TurnEvent::Notice(_))).await;
    assert!(notices(&waiting)[0].contains("is answering in this session"), "{waiting:?}");
    assert_eq!(lane.stop().await.turns, 1);
    let events = tokio::time::timeout(PATIENCE, listen(second)).await.unwrap();
    assert_eq!(end(&events).outcome, Outcome::Stopped);
    assert_eq!(server.generations().len(), 1, "it was sent");
    server.open_gate();
    assert_eq!(text(&listen(first).await), "ok", "the other process was stopped too");
}

#[tokio::test]
async fn note_that_is_written_is_stopped_and_changes_nothing() {
    let server =
        server("rules: [{when: {contains: 'Noted so far'}, steps: [{text: 'They spoke'}, 'stall']}, {steps: [{text: 'Yes.'}, 'end']}]")
            .await;
    let state = tempfile::tempdir().unwrap();
    let agent = agent_at(state.path(), &server);
    let lane = agent.new_session();
    for number in 0..3 {
        listen(lane.turn(say(&format!("question {number}. {}", "crab ".repeat(1_000))))).await;
    }
    let mut work = lane.compact(Occasion::Asked);
    eventually(|| server.generations().len() == 4).await;
    assert_eq!(lane.stop().await.turns, 1);
    let ended = async {
        loop {
            match work.events.recv().await.unwrap() {
                CompactEvent::Noting { .. } => {}
                CompactEvent::Ended(ended) => return ended.unwrap(),
            }
        }
    };
    assert_eq!(tokio::time::timeout(PATIENCE, ended).await.unwrap(), Compacted::Stopped);
    server.wait_idle().await;
    listen(lane.turn(say("and now?"))).await;
    let said = messages(&server, 4);
    assert!(said[1].1.starts_with("question 0"), "a stopped note took something away: {said:?}");
}
