//! Whole runs against scripted servers.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use krabba_route::{AttemptOutcome, Configured, ResidencyPolicy, RouteEvent, Settings, Surface};
use krabba_store::Store;
use krabba_testkit::{BootStyle, LoadStyle, Model, Overflow, Script, ScriptedServer, ServerError, Step, UsageStep, WhenFull};
use krabba_types::{
    AgentId, Clock, Dialect, DoneReason, FactSource, FaultKind, JsonObject, ManualClock, ModelEvent, Progress, Residency, Thinking,
    Timestamp,
};
use serde_json::json;
use support::{Talk, ask, house, house_at, house_with, in_order, key, provider, reference, run, run_on};

async fn server(script: Script) -> ScriptedServer {
    ScriptedServer::start(script).await.unwrap()
}

fn chat(text: &str) -> Script {
    Script::any().model("m").window(200_000).reply(text)
}

fn hosted(id: &str, server: &ScriptedServer) -> krabba_route::Provider {
    provider(id, &server.v1(), Residency::Hosted, Dialect::OpenAiCompletions, &["m"])
}

fn local(id: &str, server: &ScriptedServer) -> krabba_route::Provider {
    provider(id, &server.v1(), Residency::Device, Dialect::OpenAiCompletions, &["m"])
}

/// A provider at whose port nobody listens.
async fn nobody(id: &str) -> krabba_route::Provider {
    let gone = server(chat("")).await;
    local(id, &gone)
}

#[tokio::test]
async fn a_healthy_primary_is_the_only_one_asked() {
    let (one, two) = (server(chat("hello")).await, server(chat("no")).await);
    let house = house(in_order(vec![local("one", &one), hosted("two", &two)]));
    let told = run(&house, &ask(), Talk::new(10)).await;
    assert_eq!(told.lines, ["attempt one/m", "text hello"]);
    assert_eq!(told.end.outcome, Ok(DoneReason::Stop));
    assert_eq!(told.end.answered, Some(reference("one/m")));
    assert_eq!(told.attempts(), [("one/m".to_owned(), None)]);
    assert_eq!(told.end.context.prompt_tokens, told.end.usage.prompt_tokens);
    assert_eq!(two.requests(), []);
}

#[tokio::test]
async fn a_dead_primary_is_left_at_once_with_one_line_that_says_where_to() {
    let two = server(chat("hello")).await;
    let house = house(in_order(vec![nobody("one").await, hosted("two", &two)]));
    let told = run(&house, &ask(), Talk::new(10)).await;
    assert_eq!(told.attempts(), [("one/m".to_owned(), Some("unreachable")), ("two/m".to_owned(), None)]);
    let notices = told.notices();
    assert_eq!(notices.len(), 1, "{notices:?}");
    assert!(notices[0].ends_with("; asking two/m instead; the conversation leaves your own machines (hosted)"), "{notices:?}");
    assert_eq!(told.text(), "hello");
    // The next turn of the session is not told again.
    assert_eq!(run(&house, &ask(), Talk::new(10)).await.notices(), Vec::<&str>::new());
}

#[tokio::test]
async fn every_refusal_before_output_moves_on() {
    for (status, words) in [(401, "bad key"), (404, "no such model"), (429, "slow down"), (500, "oops"), (529, "overloaded"), (402, "pay")]
    {
        let one = server(Script::any().model("m").fails(ServerError::new(status, words))).await;
        let two = server(chat("hello")).await;
        let house = house(in_order(vec![hosted("one", &one), hosted("two", &two)]));
        let told = run(&house, &ask(), Talk::new(10)).await;
        assert_eq!(told.text(), "hello", "{status}");
        assert_eq!(told.attempts().len(), 2, "{status}: {:?}", told.attempts());
        assert_eq!(one.generations().len(), 1, "{status}");
    }
}

#[tokio::test]
async fn when_all_fail_each_was_asked_once_and_one_message_names_them() {
    let down = |words: &str| Script::any().model("m").fails(ServerError::new(500, words));
    let (one, two, three) = (server(down("first")).await, server(down("second")).await, server(down("third")).await);
    let house = house(in_order(vec![hosted("one", &one), hosted("two", &two), hosted("three", &three)]));
    let told = run(&house, &ask(), Talk::new(10)).await;
    assert_eq!(told.attempts().len(), 3);
    let fault = told.end.outcome.unwrap_err();
    assert!(fault.message.starts_with("no model answered: "), "{}", fault.message);
    assert!(["first", "second", "third"].iter().all(|words| fault.message.contains(words)), "{}", fault.message);
    assert_eq!(told.end.answered, None);
}

#[tokio::test]
async fn an_answer_that_is_cut_is_not_an_answer() {
    for step in [Step::Cut, Step::Reset, Step::Eof] {
        let one = server(Script::any().model("m").steps([Step::text("half an "), step.clone()])).await;
        let two = server(chat("a whole answer")).await;
        let house = house(in_order(vec![local("one", &one), hosted("two", &two)]));
        let told = run(&house, &ask(), Talk::new(10)).await;
        assert_eq!(told.text(), "a whole answer", "{step:?}");
        assert_eq!(told.lines.iter().filter(|line| line.starts_with("restarted")).count(), 1, "{step:?}");
        assert_eq!(told.end.attempts[0].outcome, AttemptOutcome::BrokeOff);
    }
}

#[tokio::test]
async fn text_that_cannot_be_taken_back_is_followed_by_its_fault_alone() {
    let one = server(Script::any().model("m").steps([Step::text("half an "), Step::Cut])).await;
    let two = server(chat("a whole answer")).await;
    let house = house(in_order(vec![local("one", &one), hosted("two", &two)]));
    let told = run_on(&house, &ask(), Talk::new(10), Surface { can_retract: false }).await;
    assert_eq!(told.lines, ["attempt one/m", "text half an "]);
    assert_eq!(told.end.outcome.unwrap_err().kind, FaultKind::Truncated);
    assert_eq!(two.requests(), []);
}

#[tokio::test]
async fn a_lone_route_that_broke_off_is_asked_once_more() {
    let one = server(Script::any().model("m").steps([Step::text("half "), Step::Cut]).only_request(1).reply("whole")).await;
    let told = run(&house(in_order(vec![local("one", &one)])), &ask(), Talk::new(10)).await;
    assert_eq!((told.text().as_str(), one.generations().len()), ("whole", 2));
}

#[tokio::test]
async fn an_overflow_is_learned_and_not_repeated_unchanged() {
    let model = Model { true_window: Some(2_000), window: 8_192, ..Model::new("m") };
    let one = server(Script::llama_cpp().with_model(model).reply("hello")).await;
    let settings = || in_order(vec![local("one", &one)]);
    let first = house(settings());
    let talk = Talk::new(5_000);
    let told = run(&first, &ask(), Arc::clone(&talk)).await;
    assert_eq!(told.text(), "hello", "{:?}", told.end);
    let sent: Vec<usize> = one.generations().iter().map(|request| request.body.len()).collect();
    assert_eq!(sent.len(), 2);
    assert!(sent[1] < sent[0] / 2, "{sent:?}");
    assert!(told.notices()[0].contains("holds 2,000 tokens, not 8,192"), "{:?}", told.notices());
    let window = first.router.facts(&AgentId::new("main"), &reference("one/m")).window;
    assert_eq!((window.value, window.source), (2_000, FactSource::LearnedFromOverflow));
    // Another process knows it too, and does not overflow again.
    let again = house_with(settings(), Arc::clone(&first.store));
    assert_eq!(run(&again, &ask(), Talk::new(5_000)).await.attempts().len(), 1);
}

#[tokio::test]
async fn an_overflow_that_names_no_limit_is_not_met_again_for_a_day() {
    let model = Model { true_window: Some(4_000), window: 8_192, ..Model::new("m") };
    let one = server(Script::any().with_model(model).reply("hello")).await;
    let (clock, store) = (Arc::new(ManualClock::at(Timestamp(0))), Arc::new(Store::open_in_memory().unwrap()));
    for (pause, attempts) in [(0, 2), (23, 1), (2, 2)] {
        clock.advance(Duration::from_secs(pause * 3_600));
        let house = house_at(in_order(vec![local("one", &one)]), Arc::clone(&store), Arc::clone(&clock) as Arc<dyn Clock>);
        let told = run(&house, &ask(), Talk::new(5_000)).await;
        assert_eq!((told.text().as_str(), told.attempts().len()), ("hello", attempts), "{:?}", told.end);
        assert_eq!(
            told.notices().iter().any(|line| line.contains("does not say how much it holds")),
            attempts == 2,
            "{:?}",
            told.notices()
        );
    }
}

#[tokio::test]
async fn another_model_does_not_answer_under_an_unlisted_name_without_a_word() {
    let one = server(Script::lm_studio().model("qwen3-8b").reply("hello")).await;
    let house = house(in_order(vec![local("one", &one)]));
    house.router.look().await;
    let told = run(&house, &ask(), Talk::new(10)).await;
    let said = told.notices().join("\n");
    assert!(said.contains("does not list the model \"m\"; it lists qwen3-8b"), "{:?}", told.lines);
    let unlisted = house.router.unlisted(&reference("one/qwen3-9b")).unwrap();
    assert_eq!(unlisted.hint(), "did you mean \"one/qwen3-8b\"?");
    assert_eq!(house.router.unlisted(&reference("one/qwen3-8b")), None);
}

#[tokio::test]
async fn a_prompt_that_cannot_shrink_goes_to_a_larger_window_only() {
    let small = |window: u32| Script::llama_cpp().model("m").window(window).reply("no");
    let (one, two) = (server(small(4_096)).await, server(small(2_048)).await);
    let three = server(Script::llama_cpp().model("m").window(32_768).reply("hello")).await;
    let house = house(in_order(vec![local("one", &one), local("two", &two), local("three", &three)]));
    house.router.look().await;
    let told = run(&house, &ask(), Talk::rigid(6_000)).await;
    assert_eq!(told.text(), "hello");
    let outcomes: Vec<AttemptOutcome> = told.end.attempts.iter().map(|attempt| attempt.outcome).collect();
    assert_eq!(outcomes, [AttemptOutcome::TooSmall, AttemptOutcome::TooSmall, AttemptOutcome::Answered]);
    assert_eq!(one.generations().len() + two.generations().len(), 0);
}

#[tokio::test]
async fn a_refused_field_is_dropped_and_stays_dropped() {
    let refusal = ServerError::new(400, "Unrecognized request argument supplied: seed").param("seed");
    let script = || {
        Script::any()
            .model("m")
            .fails(refusal.clone())
            .when(krabba_testkit::When { contains: Some("\"seed\"".to_owned()), ..krabba_testkit::When::default() })
    };
    let one = server(script().reply("hello")).await;
    let mut only = local("one", &one);
    only.models[0].params.seed = Some(7);
    let house = house(in_order(vec![only]));
    for expected in [2, 3] {
        let told = run(&house, &ask(), Talk::new(10)).await;
        assert_eq!((told.text().as_str(), one.generations().len()), ("hello", expected), "{:?}", told.end);
    }
}

#[tokio::test]
async fn a_server_without_responses_is_asked_for_chat_completions_from_then_on() {
    let refusal = ServerError::new(404, "Unexpected endpoint or method. (POST /v1/responses)").bare();
    let script = Script::any()
        .model("m")
        .fails(refusal)
        .when(krabba_testkit::When { dialect: Some(Dialect::OpenAiResponses), ..krabba_testkit::When::default() });
    let one = server(script.reply("hello")).await;
    let mut only = local("one", &one);
    only.dialect = Dialect::OpenAiResponses;
    let house = house(in_order(vec![only]));
    let first = run(&house, &ask(), Talk::new(10)).await;
    assert_eq!(first.text(), "hello", "{:?}", first.end);
    assert_eq!(first.notices().len(), 1);
    let second = run(&house, &ask(), Talk::new(10)).await;
    assert_eq!(second.notices(), Vec::<&str>::new());
    let paths: Vec<String> = one.generations().iter().map(|request| request.path.clone()).collect();
    assert_eq!(paths, ["/v1/responses", "/v1/chat/completions", "/v1/chat/completions"]);
}

#[tokio::test]
async fn a_thinking_only_answer_is_asked_for_again_with_more_room_and_without_thinking() {
    let one = server(Script::llama_cpp().model("m").steps([Step::reasoning("hm, hm"), Step::End]).only_request(1).reply("hello")).await;
    let talk = Arc::new(Talk { thinking: Thinking::High, ..Arc::into_inner(Talk::new(10)).unwrap() });
    let told = run(&house(in_order(vec![local("one", &one)])), &ask(), talk).await;
    assert_eq!(told.text(), "hello", "{:?}", told.end);
    let budgets: Vec<Option<u64>> = one.generations().iter().map(|request| request.json.as_ref()?.get("max_tokens")?.as_u64()).collect();
    assert_eq!(budgets, [Some(100), Some(200)]);
    assert_eq!(told.attempts(), [("one/m".to_owned(), Some("onlyReasoning")), ("one/m".to_owned(), None)]);
}

#[tokio::test]
async fn a_loading_server_is_waited_for_and_not_replaced() {
    let one = server(Script::llama_cpp().model("m").booting(BootStyle::default()).reply("hello")).await;
    let two = server(chat("no")).await;
    let house = house(in_order(vec![local("one", &one), hosted("two", &two)]));
    let mut stream = house.router.run(house.router.plan(&ask()), Talk::new(10), Surface { can_retract: true });
    let mut seen = Vec::new();
    loop {
        match stream.next().await.unwrap() {
            RouteEvent::Model(ModelEvent::Progress(Progress::Loading { percent })) => {
                seen.push(percent);
                one.release();
            }
            RouteEvent::End(end) => {
                assert_eq!((end.answered, end.attempts.len()), (Some(reference("one/m")), 1));
                break;
            }
            RouteEvent::Attempt(_) | RouteEvent::Model(_) | RouteEvent::Restarted { .. } | RouteEvent::Notice(_) => {}
        }
    }
    assert!(!seen.is_empty());
    assert_eq!(two.requests(), []);
}

#[tokio::test]
async fn keys_rotate_before_routes_do() {
    let one = server(Script::open_ai().model("m").key("sk-good-000000002").reply("hello")).await;
    let two = server(chat("no")).await;
    let mut first = hosted("one", &one);
    first.keys = vec![key("bad", "sk-bad-0000000001"), key("good", "sk-good-000000002")];
    let house = house(in_order(vec![first, hosted("two", &two)]));
    let told = run(&house, &ask(), Talk::new(10)).await;
    assert_eq!(told.attempts(), [("one/m".to_owned(), Some("auth")), ("one/m".to_owned(), None)]);
    // The bad key rests.
    assert_eq!(run(&house, &ask(), Talk::new(10)).await.attempts(), [("one/m".to_owned(), None)]);
    assert_eq!(two.requests(), []);
}

#[tokio::test]
async fn ten_turns_on_one_slot_wait_their_turn_and_see_their_place() {
    let one =
        server(Script::llama_cpp().model("m").slots(1, WhenFull::default()).steps([Step::DelayMs(20), Step::text("hello"), Step::End]))
            .await;
    let house = Arc::new(house(in_order(vec![local("one", &one)])));
    let mut turns = tokio::task::JoinSet::new();
    for _ in 0..10 {
        let house = Arc::clone(&house);
        turns.spawn(async move { run(&house, &ask(), Talk::new(10)).await });
    }
    let all = turns.join_all().await;
    assert!(all.iter().all(|told| told.text() == "hello" && told.end.attempts.len() == 1));
    assert_eq!(one.max_in_flight(), 1);
    let queued = |told: &support::Told| told.progress.iter().any(|progress| matches!(progress, Progress::Queued { .. }));
    assert_eq!(all.iter().filter(|told| queued(told)).count(), 9);
}

#[tokio::test]
async fn dropping_a_run_closes_the_connection_and_frees_the_slot() {
    let one = server(Script::llama_cpp().model("m").steps([Step::text("hel"), Step::Stall]).only_request(1).reply("hello")).await;
    let house = house(in_order(vec![local("one", &one)]));
    let mut stream = house.router.run(house.router.plan(&ask()), Talk::new(10), Surface { can_retract: true });
    while !matches!(stream.next().await.unwrap(), RouteEvent::Model(ModelEvent::Text(_))) {}
    drop(stream);
    let number = one.generations()[0].number;
    tokio::time::timeout(Duration::from_secs(5), one.wait_closed(number)).await.unwrap();
    assert_eq!(run(&house, &ask(), Talk::new(10)).await.text(), "hello");
}

#[tokio::test]
async fn a_silently_truncated_prompt_is_said_and_learned() {
    let model = Model { window: 8_192, true_window: Some(2_048), overflow: Overflow::Truncate, ..Model::new("m") };
    let one = server(Script::llama_cpp().with_model(model).reply("hello")).await;
    let house = house(in_order(vec![local("one", &one)]));
    let told = run(&house, &ask(), Talk::new(6_000)).await;
    assert!(told.notices().iter().any(|line| line.starts_with("the prompt was truncated by the server")), "{told:?}");
    let window = house.router.facts(&AgentId::new("main"), &reference("one/m")).window;
    assert_eq!(window.source, FactSource::LearnedFromOverflow);
    assert!(window.value < 8_192);
}

#[tokio::test]
async fn our_own_overestimate_is_not_taken_for_the_servers_truncation() {
    let one = server(Script::llama_cpp().with_model(Model { window: 32_768, ..Model::new("m") }).reply("hello")).await;
    let house = house(in_order(vec![local("one", &one)]));
    let talk = Talk { overestimate: 2, ..Arc::into_inner(Talk::new(6_000)).unwrap() };
    let told = run(&house, &ask(), Arc::new(talk)).await;
    assert_eq!((told.notices(), told.text().as_str()), (vec![], "hello"));
    assert_eq!(house.router.facts(&AgentId::new("main"), &reference("one/m")).window.value, 32_768);
    assert_eq!(one.requests().iter().filter(|request| request.path == "/tokenize").count(), 1);
}

#[tokio::test]
async fn tool_calls_of_an_answer_that_broke_off_are_not_handed_over() {
    let call = Step::tool_call("read", json!({ "path": "a" }));
    let one = server(Script::any().model("m").steps([call.clone(), Step::Cut])).await;
    let two = server(Script::any().model("m").steps([call, Step::finish("tool_calls"), Step::DoneMarker])).await;
    let house = house(in_order(vec![local("one", &one), hosted("two", &two)]));
    let told = run(&house, &ask(), Talk::new(10)).await;
    assert_eq!(told.lines.iter().filter(|line| line.starts_with("call ")).count(), 1, "{told:?}");
    assert_eq!(told.end.outcome, Ok(DoneReason::ToolCalls));
}

#[tokio::test]
async fn a_private_session_sends_nothing_to_a_hosted_fallback() {
    let two = server(chat("no")).await;
    let house = house(in_order(vec![nobody("one").await, hosted("two", &two)]));
    let private = krabba_route::Ask { residency: Some(ResidencyPolicy::home()), ..ask() };
    let told = run(&house, &private, Talk::new(10)).await;
    assert_eq!(told.end.outcome.unwrap_err().kind, FaultKind::Unreachable);
    assert_eq!(two.connections(), 0);
}

#[tokio::test]
async fn a_proxy_that_says_it_forwards_gets_nothing_of_a_private_session() {
    let one = server(Script::litellm().model("m").reply("no")).await;
    let mut proxy = local("one", &one);
    proxy.hosting.residency_source = krabba_route::ResidencySource::Inferred;
    let house = house(in_order(vec![proxy]));
    let private = krabba_route::Ask { residency: Some(ResidencyPolicy::home()), ..ask() };
    let told = run(&house, &private, Talk::new(10)).await;
    assert!(told.end.outcome.is_err());
    assert_eq!(one.generations(), []);
}

#[tokio::test]
async fn the_us_hosted_minimax_stays_the_only_one_asked_before_anthropic() {
    let openrouter =
        server(Script::open_router().model("minimax/minimax-m2.1").fails(ServerError::new(503, "no provider available"))).await;
    let anthropic = server(Script::anthropic().model("claude-sonnet-4-5").reply("hello")).await;
    // The base URL stands for https://us.openrouter.ai/api/v1.
    let base = format!("{}/api/v1", openrouter.url());
    let us = Residency::Region("us".to_owned());
    let mut first = provider("openrouter", &base, us, Dialect::OpenAiCompletions, &["minimax/minimax-m2.1"]);
    let routing = json!({ "only": ["minimax"], "order": ["minimax"], "allow_fallbacks": false, "data_collection": "deny" });
    first.extras.routing = routing.as_object().cloned();
    let second = provider("anthropic", &anthropic.url(), Residency::Hosted, Dialect::AnthropicMessages, &["claude-sonnet-4-5"]);
    let mut settings = in_order(vec![first, second]);
    settings.residency = ResidencyPolicy::up_to([Residency::Region("us".to_owned()), Residency::Hosted]);
    let told = run(&house(settings.clone()), &ask(), Talk::new(10)).await;
    assert_eq!(told.text(), "hello", "{:?}", told.end);
    let asked = &openrouter.generations()[0];
    let body: JsonObject = serde_json::from_slice(&asked.body).unwrap();
    assert_eq!((asked.path.as_str(), asked.model()), ("/api/v1/chat/completions", Some("minimax/minimax-m2.1")));
    assert_eq!(body.get("provider"), Some(&routing));
    assert_eq!(anthropic.generations()[0].path, "/v1/messages");
    assert!(openrouter.generations()[0].at < anthropic.generations()[0].at);
    // With a policy that ends at the region, the rest of the world is refused when it is loaded, and never asked.
    settings.residency = ResidencyPolicy::up_to([Residency::Region("us".to_owned())]);
    assert_eq!(krabba_route::check(&settings).len(), 1);
    let told = run(&house(settings), &ask(), Talk::new(10)).await;
    assert_eq!((told.attempts().len(), anthropic.generations().len()), (1, 1));
}

#[tokio::test]
async fn without_a_primary_a_local_server_is_found_by_its_own_listing() {
    let one = server(Script::llama_cpp().model("qwen/qwen3:8b@q4_k_m").reply("hello")).await;
    let mut only = local("box", &one);
    only.models.clear();
    let house = house(Settings { providers: vec![only], ..Settings::default() });
    let told = run(&house, &ask(), Talk::new(10)).await;
    assert_eq!(told.text(), "hello", "{:?}", told.end);
    assert_eq!(one.generations()[0].model(), Some("qwen/qwen3:8b@q4_k_m"));
    assert_eq!(house.router.resolve("qwen/qwen3:8b@q4_k_m"), Ok(reference("box/qwen/qwen3:8b@q4_k_m")));
}

#[tokio::test]
async fn no_model_at_all_is_an_end_with_words() {
    let mut settings = Settings::default();
    settings.default.fallbacks = Some(vec![Configured::new("nobody/x", "krabba.json5:3:5")]);
    let told = run(&house(settings), &ask(), Talk::new(10)).await;
    let fault = told.end.outcome.unwrap_err();
    assert!(fault.message.starts_with("no model may be asked (nobody/x: krabba.json5:3:5: there is no model"), "{}", fault.message);
}

#[tokio::test]
async fn speeds_are_measured_and_shown() {
    let usage = UsageStep { prompt: Some(1_000), completion: Some(100), cached: None };
    let steps = [
        Step::text("One sentence. "),
        Step::DelayMs(30),
        Step::text("Another one. "),
        Step::DelayMs(30),
        Step::text("End."),
        Step::usage(usage),
        Step::finish("stop"),
        Step::DoneMarker,
    ];
    let one = server(Script::any().model("m").window(8_192).steps(steps)).await;
    let house = house(in_order(vec![local("one", &one)]));
    let told = run(&house, &ask(), Talk::new(1_000)).await;
    assert_eq!(told.end.usage.output_tokens, Some(100), "{told:?}");
    let facts = house.router.facts(&AgentId::new("main"), &reference("one/m"));
    assert_eq!(facts.writing_speed.map(|fact| fact.source), Some(FactSource::Measured));
}

#[tokio::test]
async fn a_model_that_loads_at_its_first_request_is_shown_as_loading() {
    let one = server(Script::lm_studio().model("m").cold().held_loads(LoadStyle::Blocks).reply("hello")).await;
    let house = house(in_order(vec![local("one", &one)]));
    let mut stream = house.router.run(house.router.plan(&ask()), Talk::new(10), Surface { can_retract: true });
    let mut states = Vec::new();
    loop {
        match stream.next().await.unwrap() {
            RouteEvent::Model(ModelEvent::Progress(progress)) => {
                one.release();
                states.push(progress);
            }
            RouteEvent::End(end) => {
                assert_eq!(end.outcome, Ok(DoneReason::Stop));
                break;
            }
            RouteEvent::Attempt(_) | RouteEvent::Model(_) | RouteEvent::Restarted { .. } | RouteEvent::Notice(_) => {}
        }
    }
    assert_eq!(states.first(), Some(&Progress::Loading { percent: None }));
    assert!(!states.contains(&Progress::Waiting), "{states:?}");
}

#[tokio::test]
async fn three_hanging_servers_use_up_their_own_clocks_and_not_each_others() {
    let hanging = || Script::any().model("m").steps([Step::Stall]);
    let servers = [server(hanging()).await, server(hanging()).await, server(hanging()).await];
    let four = server(chat("hello")).await;
    let mut providers: Vec<_> = servers.iter().zip(["one", "two", "three"]).map(|(server, id)| hosted(id, server)).collect();
    for provider in &mut providers {
        provider.clocks.first_token = Some(Duration::from_millis(60));
    }
    providers.push(hosted("four", &four));
    let told = run(&house(in_order(providers)), &ask(), Talk::new(10)).await;
    let faults: Vec<_> = told.attempts().into_iter().map(|(_, fault)| fault).collect();
    assert_eq!(faults, [Some("stalled"), Some("stalled"), Some("stalled"), None]);
    assert_eq!(told.text(), "hello");
}

#[tokio::test]
async fn a_server_that_answers_with_another_model_is_said_to_do_so_once() {
    let model = Model { answers_as: Some("other".to_owned()), ..Model::new("m") };
    let one = server(Script::any().with_model(model).reply("hello")).await;
    let house = house(in_order(vec![local("one", &one)]));
    assert_eq!(run(&house, &ask(), Talk::new(10)).await.notices(), ["one/m says that other answers"]);
    assert_eq!(run(&house, &ask(), Talk::new(10)).await.notices(), Vec::<&str>::new());
}

#[tokio::test]
async fn a_stopped_prompt_that_the_server_goes_on_reading_is_named_as_the_reason_to_wait() {
    let one = server(Script::lm_studio().model("m").steps([Step::Stall]).only_request(1).reply("hello")).await;
    let house = house(in_order(vec![local("one", &one)]));
    let stream = house.router.run(house.router.plan(&ask()), Talk::new(4_000), Surface { can_retract: true });
    let reading = tokio::time::timeout(Duration::from_millis(300), support::follow(stream)).await;
    assert!(reading.is_err());
    let told = run(&house, &ask(), Talk::new(10)).await;
    assert_eq!(told.notices(), ["one may still be busy with a prompt that was stopped; this one waits behind it"]);
    assert_eq!(told.text(), "hello");
}

#[tokio::test]
async fn a_route_that_keeps_failing_is_asked_last_until_it_recovers() {
    let one = server(Script::any().model("m").fails(ServerError::new(500, "oops"))).await;
    let two = server(chat("hello")).await;
    let house = house(in_order(vec![hosted("one", &one), hosted("two", &two)]));
    for _ in 0..5 {
        assert_eq!(run(&house, &ask(), Talk::new(10)).await.text(), "hello");
    }
    assert_eq!((one.generations().len(), two.generations().len()), (3, 5));
}

#[tokio::test]
async fn attempts_are_told_to_programs_under_their_agreed_names() {
    let (one, two) = (server(Script::any().model("m").fails(ServerError::new(500, "oops"))).await, server(chat("hello")).await);
    let house = house(in_order(vec![hosted("one", &one), hosted("two", &two)]));
    let told = run(&house, &ask(), Talk::new(10)).await;
    let mut attempts = serde_json::to_value(&told.end.attempts).unwrap();
    for attempt in attempts.as_array_mut().unwrap() {
        let attempt = attempt.as_object_mut().unwrap();
        assert!(attempt.remove("ms").is_some_and(|ms| ms.is_u64()));
        attempt.remove("message");
    }
    assert_eq!(
        attempts,
        json!([
            { "ref": "one/m", "endpoint": one.v1(), "residency": "hosted", "outcome": "failed", "fault": "overloaded", "status": 500 },
            { "ref": "two/m", "endpoint": two.v1(), "residency": "hosted", "outcome": "answered", "fault": null, "status": null },
        ])
    );
}

#[tokio::test]
async fn an_answer_that_began_as_reasoning_is_held_back_the_next_time() {
    let reply = "the person wants a greeting, I think\n</think>\n\nhello";
    let pieces = || reply.split_inclusive(' ').map(Step::text).chain([Step::End]);
    let one = server(Script::any().model("m").window(8_192).steps(pieces())).await;
    let house = house(in_order(vec![local("one", &one)]));
    run(&house, &ask(), Talk::new(10)).await;
    let told = run_on(&house, &ask(), Talk::new(10), Surface { can_retract: false }).await;
    assert_eq!(told.lines, ["attempt one/m", "text hello"]);
}

#[tokio::test]
async fn a_model_whose_server_separates_its_reasoning_streams_on_every_surface() {
    let steps = [Step::reasoning("hm"), Step::text("one. "), Step::DelayMs(20), Step::text("two."), Step::End];
    let one = server(Script::llama_cpp().model("minimax-m2.1-gs32").steps(steps)).await;
    let mut only = local("one", &one);
    only.models[0].id = krabba_types::ModelId::new("minimax-m2.1-gs32");
    let house = house(in_order(vec![only]));
    for can_retract in [true, false] {
        let told = run_on(&house, &ask(), Talk::new(10), Surface { can_retract }).await;
        assert_eq!(told.text(), "one. two.");
        assert!(told.lines.iter().filter(|line| line.starts_with("text ")).count() > 1, "{:?}", told.lines);
    }
}

#[tokio::test]
async fn a_router_that_does_not_load_by_itself_is_told_to() {
    let mut script = Script::llama_cpp().model("m").cold().model("other").cold().load_ms(10);
    script.machine.load.style = LoadStyle::Refuses;
    let one = server(script.reply("hello")).await;
    let two = server(chat("no")).await;
    let house = house(in_order(vec![local("one", &one), hosted("two", &two)]));
    let told = run(&house, &ask(), Talk::new(10)).await;
    assert_eq!((told.text().as_str(), one.loads().len()), ("hello", 1), "{told:?}");
}
