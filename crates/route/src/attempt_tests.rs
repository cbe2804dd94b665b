use std::time::Duration;

use futures_util::stream::{self, BoxStream};
use futures_util::{FutureExt, StreamExt};
use krabba_types::{CallChannel, CallId, DoneReason, Fault, FaultKind, JsonObject, ModelEvent, Phase, Progress, Residency, ToolCall};
use tokio::time::{Instant, sleep};

use crate::attempt::{Attempting, Came, Look, Looking};
use crate::clocks::{ClockSettings, Clocks};
use crate::event::RouteEvent;
use crate::failover::{Failover, Stage};
use crate::pace::{Pace, Start};
use crate::stream::RunStream;

fn after(seconds: u64, event: ModelEvent) -> BoxStream<'static, ModelEvent> {
    stream::once(async move {
        sleep(Duration::from_secs(seconds)).await;
        event
    })
    .boxed()
}

fn text(words: &str) -> ModelEvent {
    ModelEvent::Text(words.to_owned())
}

/// Reads a model stream as a run would; gives what was told, what came of it, and how far it got.
async fn read(
    events: Vec<BoxStream<'static, ModelEvent>>,
    start: Start,
    look: Option<Box<dyn Fn() -> Looking + Send + Sync>>,
) -> (Vec<RouteEvent>, Came, Stage) {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let run = RunStream::of(|emitter| async move {
        let mut failover = Failover::new(true);
        let pace = Pace::new(Clocks::of(&ClockSettings::default(), &Residency::Device), Instant::now(), start);
        let whom = "a/b".to_owned();
        let loading = start == Start::Cold;
        let attempting = Attempting { emitter: &emitter, failover: &mut failover, pace, whom, loading, percent: None, look };
        let came = attempting.read(stream::iter(events).flatten()).await;
        drop(sender.send((came, failover.stage())));
    });
    let told = run.collect().await;
    let (came, stage) = receiver.await.unwrap();
    (told, came, stage)
}

#[tokio::test(start_paused = true)]
async fn three_minutes_of_silence_from_a_local_server_are_not_the_end() {
    let events = vec![after(180, text("hello")), after(0, ModelEvent::Done(DoneReason::Stop))];
    let (told, came, stage) = read(events, Start::Warm, None).await;
    assert_eq!(told, [RouteEvent::Model(text("hello"))]);
    assert_eq!((came.end, came.first_output, stage), (Ok(DoneReason::Stop), Some(Duration::from_secs(180)), Stage::Committed));
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_falls_silent_is_a_fault_with_its_clock() {
    let events = vec![after(1, text("hel")), after(61, text("lo"))];
    let (_, came, _) = read(events, Start::Warm, None).await;
    let fault = came.end.unwrap_err();
    assert_eq!((fault.kind, fault.phase), (FaultKind::Stalled, Phase::Streaming));
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_ends_without_a_final_event_is_truncated() {
    let (_, came, _) = read(vec![after(1, text("hel"))], Start::Warm, None).await;
    assert_eq!(came.end.unwrap_err().kind, FaultKind::Truncated);
}

#[tokio::test(start_paused = true)]
async fn calls_of_a_failed_answer_are_never_seen() {
    let call = ToolCall { id: CallId::new("1"), name: "read".to_owned(), arguments: JsonObject::new(), channel: CallChannel::default() };
    let cut = Fault::new(FaultKind::Truncated, Phase::Streaming, "cut");
    let events = || vec![after(0, ModelEvent::ToolCall(call.clone()))];
    let mut failing = events();
    failing.push(after(0, ModelEvent::Failed(cut)));
    let (told, came, _) = read(failing, Start::Warm, None).await;
    assert_eq!((told, came.calls), (Vec::new(), Vec::new()));
    let mut whole = events();
    whole.push(after(0, ModelEvent::Done(DoneReason::ToolCalls)));
    let (told, came, _) = read(whole, Start::Warm, None).await;
    assert_eq!((told, came.calls), (Vec::new(), vec![call]));
}

#[tokio::test(start_paused = true)]
async fn a_model_that_loads_in_silence_is_seen_to_load() {
    let began = Instant::now();
    let look = move || {
        async move { if began.elapsed() > Duration::from_secs(6) { Look::Loaded } else { Look::Loading { percent: None } } }.boxed()
            as Looking
    };
    let events = vec![after(0, ModelEvent::Progress(Progress::Waiting)), after(10, text("hello"))];
    let (told, _, _) = read(events, Start::Cold, Some(Box::new(look))).await;
    let loading = RouteEvent::Model(ModelEvent::Progress(Progress::Loading { percent: None }));
    let waiting = RouteEvent::Model(ModelEvent::Progress(Progress::Waiting));
    assert_eq!(told, [loading.clone(), loading.clone(), loading, waiting, RouteEvent::Model(text("hello"))]);
}

#[tokio::test(start_paused = true)]
async fn how_far_a_load_is_stays_said_when_a_look_finds_out_no_more() {
    let began = Instant::now();
    let look = move || {
        let percent = (began.elapsed() < Duration::from_secs(2)).then_some(40);
        async move { Look::Loading { percent } }.boxed() as Looking
    };
    let (told, _, _) = read(vec![after(4, text("hello"))], Start::Cold, Some(Box::new(look))).await;
    let loading = RouteEvent::Model(ModelEvent::Progress(Progress::Loading { percent: Some(40) }));
    assert_eq!(told, [loading.clone(), loading, RouteEvent::Model(text("hello"))]);
}

#[tokio::test(start_paused = true)]
async fn reading_is_not_taken_back_by_a_look_at_the_server() {
    let look = || async { Look::Loaded }.boxed() as Looking;
    let reading = ModelEvent::Progress(Progress::Reading { done: 0, total: 3000 });
    let (told, _, _) = read(vec![after(0, reading.clone()), after(10, text("hello"))], Start::Cold, Some(Box::new(look))).await;
    assert_eq!(told, [RouteEvent::Model(reading), RouteEvent::Model(text("hello"))]);
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_does_not_make_the_model_look_stalled() {
    // Everything is there at once; the consumer takes one event in ten minutes.
    let mut events: Vec<_> = (0..100).map(|_| after(0, text("x"))).collect();
    events.push(after(0, ModelEvent::Done(DoneReason::Stop)));
    let mut run = RunStream::of(|emitter| async move {
        let mut failover = Failover::new(true);
        let pace = Pace::new(Clocks::of(&ClockSettings::default(), &Residency::Device), Instant::now(), Start::Warm);
        let whom = String::new();
        let attempting = Attempting { emitter: &emitter, failover: &mut failover, pace, whom, loading: false, percent: None, look: None };
        let came = attempting.read(stream::iter(events).flatten()).await;
        let ended = if came.end.is_ok() { "whole" } else { "stalled" };
        emitter.emit(RouteEvent::Notice(ended.to_owned())).await;
    });
    let mut last = None;
    while let Some(event) = run.next().await {
        last = Some(event);
        tokio::time::advance(Duration::from_secs(600)).await;
    }
    assert_eq!(last, Some(RouteEvent::Notice("whole".to_owned())));
}
