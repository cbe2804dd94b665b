//! A day of fifty turns with tools, pictures and turns that were stopped: each request begins with the bytes of the one before.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test ends where its set-up fails")]

mod support;

use krabba_agent::{Input, Lane, Outcome, TurnEvent};
use krabba_testkit::{Script, ScriptedServer};
use krabba_types::{Image, Part};

use support::tools::acting_agent_at;
use support::{MODEL, end, listen, listen_until, say};

const TURNS: usize = 50;

/// What the model does in a turn, request by request.
fn requests(turn: usize) -> &'static [&'static str] {
    match turn % 5 {
        0 => &["{tool_call: {name: 'look', arguments: {query: 'files'}}}, 'end'", "{text: 'There are three.'}, 'end'"],
        1 => &["{text: 'half an '}, 'stall'"],
        2 => &[
            "{text: 'Two at once.'}, {tool_call: {name: 'run', arguments: {command: 'ls'}}}, {tool_call: {name: 'look', arguments: {}}}, 'end'",
            "{reasoning: 'fine'}, {text: 'Both done.'}, 'end'",
        ],
        3 => &["{reasoning: 'a picture'}, {text: 'I see a crab.'}, 'end'"],
        _ => &["{tool_call: {name: 'fly', arguments: {}}}, 'end'", "{text: 'I cannot fly.'}, 'end'"],
    }
}

async fn server() -> ScriptedServer {
    let steps = (0..TURNS).flat_map(requests);
    let rules: Vec<String> = (1..).zip(steps).map(|(number, steps)| format!("{{when: {{request: {number}}}, steps: [{steps}]}}")).collect();
    let script = format!("{{server: 'lm-studio', models: [{{id: '{MODEL}', window: 131072}}], rules: [{}]}}", rules.join(", "));
    ScriptedServer::start(script.parse::<Script>().unwrap()).await.unwrap()
}

async fn turn(lane: &Lane, number: usize) {
    let words = format!("message {number} of a long day");
    let image = Image { media_type: "image/png".to_owned(), base64: "iVBORw0KGgo=".to_owned() };
    let input = if number % 5 == 3 { Input::parts(vec![Part::Text(words), Part::Image(image)]) } else { say(&words) };
    let mut handle = lane.turn(input);
    if number % 5 == 1 {
        listen_until(&mut handle, |event| matches!(event, TurnEvent::Text(_))).await;
        handle.stop();
        assert_eq!(end(&listen(handle).await).outcome, Outcome::Stopped);
    } else {
        let events = listen(handle).await;
        assert!(end(&events).outcome.is_answer(), "turn {number}: {events:?}");
    }
}

/// What a server reads of a request, in this order, without what closes it.
fn read(server: &ScriptedServer, generation: usize) -> String {
    let body = server.generations()[generation].json.clone().unwrap();
    format!("{} {}", body["tools"], body["messages"]).trim_end_matches(']').to_owned()
}

#[tokio::test]
async fn server_reads_nothing_twice_in_a_day_of_fifty_turns() {
    for vision in [true, false] {
        let server = server().await;
        let state = tempfile::tempdir().unwrap();
        let configure = |provider: &mut krabba_route::Provider| {
            provider.models[0].window = Some(131_072);
            provider.models[0].vision = Some(vision);
        };
        let (mut agent, _) = acting_agent_at(state.path(), &server, configure);
        let lane = agent.new_session();
        let session = lane.id().clone();
        for number in 0..TURNS {
            // Another process goes on with it now and then.
            if number % 9 == 8 {
                agent.close().await;
                agent = acting_agent_at(state.path(), &server, configure).0;
            }
            turn(&agent.session(session.clone()), number).await;
        }
        let count: usize = (0..TURNS).map(|turn| requests(turn).len()).sum();
        assert_eq!(server.generations().len(), count);
        let reads: Vec<String> = (0..count).map(|generation| read(&server, generation)).collect();
        for (generation, pair) in reads.windows(2).enumerate() {
            assert!(pair[1].starts_with(&pair[0]), "request {} does not begin with the one before it", generation + 2);
        }
        assert_eq!(reads[count - 1].contains("iVBORw0KGgo"), vision);
    }
}
