use std::time::Duration;

use krabba_types::{FaultKind, ModelEvent, Phase, Progress, Residency};
use tokio::time::Instant;

use crate::clocks::{ClockSettings, ClockTable, Clocks};
use crate::pace::{Pace, Start};
use crate::test_settings::reference;

const SECOND: Duration = Duration::from_secs(1);

/// A pace with the time that has passed.
struct Run {
    pace: Pace,
    began: Instant,
    now: Instant,
}

impl Run {
    fn at(place: &Residency, start: Start) -> Self {
        Self::with(ClockSettings::default(), place, start)
    }

    fn with(settings: ClockSettings, place: &Residency, start: Start) -> Self {
        let began = Instant::now();
        Self { pace: Pace::new(Clocks::of(&settings, place), began, start), began, now: began }
    }

    /// Lets time pass and then something happen; `false` when a clock ran out before.
    fn after(&mut self, seconds: u32, event: ModelEvent) -> bool {
        self.now += SECOND * seconds;
        if self.pace.deadline() <= self.now {
            return false;
        }
        self.pace.observe(&event, self.now);
        true
    }

    /// Seconds from the beginning to the next clock's end.
    fn end(&self) -> u64 {
        (self.pace.deadline() - self.began).as_secs()
    }
}

fn text() -> ModelEvent {
    ModelEvent::Text("x".to_owned())
}

fn progress(progress: Progress) -> ModelEvent {
    ModelEvent::Progress(progress)
}

#[test]
fn a_silent_local_server_is_given_three_minutes_and_more() {
    let mut run = Run::at(&Residency::Device, Start::Warm);
    assert!(run.after(180, text()));
}

#[test]
fn a_silent_hosted_server_is_not_waited_for_as_long() {
    let run = Run::at(&Residency::Hosted, Start::Warm);
    assert_eq!(run.end(), 60);
}

#[test]
fn loading_is_not_taken_from_the_first_token() {
    let mut run = Run::at(&Residency::Device, Start::Cold);
    assert_eq!(run.end(), 600);
    run.now += SECOND * 290;
    run.pace.loaded(run.now);
    assert_eq!(run.end(), 290 + 300);
}

#[test]
fn comments_every_ten_seconds_for_twenty_minutes_do_not_abort_a_local_turn() {
    let mut run = Run::at(&Residency::Device, Start::Warm);
    assert!((0..120).all(|_| run.after(10, progress(Progress::Alive))));
}

#[test]
fn comments_alone_do_not_hold_a_turn_for_ever() {
    let mut run = Run::at(&Residency::Device, Start::Warm);
    let borne = (0..1_000).take_while(|_| run.after(10, progress(Progress::Alive))).count();
    assert_eq!(borne, 179);
}

#[test]
fn a_prompt_that_is_read_slowly_is_read_to_its_end() {
    let mut run = Run::at(&Residency::Device, Start::Warm);
    assert!((1..=60).all(|done| run.after(250, progress(Progress::Reading { done, total: 60 }))));
}

#[test]
fn a_prompt_that_is_not_getting_on_is_given_up() {
    let mut run = Run::at(&Residency::Hosted, Start::Warm);
    let borne = (0..1_000).take_while(|_| run.after(10, progress(Progress::Reading { done: 7, total: 60 }))).count();
    assert_eq!(borne, 30);
}

#[test]
fn a_server_that_goes_silent_after_the_first_token_is_stalled_soon() {
    let mut run = Run::at(&Residency::Device, Start::Warm);
    assert!(run.after(250, text()));
    assert_eq!(run.end(), 250 + 60);
    let fault = run.pace.fault(run.pace.deadline(), "lmstudio/x");
    assert_eq!(
        (fault.kind, fault.phase, fault.message),
        (FaultKind::Stalled, Phase::Streaming, "lmstudio/x fell silent for 60 s in the middle of its answer (clock: gap)".to_owned())
    );
}

#[test]
fn pings_between_tokens_do_not_hide_a_stuck_model() {
    let mut run = Run::at(&Residency::Device, Start::Warm);
    assert!(run.after(1, text()));
    let borne = (0..100).take_while(|_| run.after(10, progress(Progress::Alive))).count();
    assert_eq!(borne, 11);
}

#[test]
fn reasoning_counts_as_output() {
    let mut run = Run::at(&Residency::Hosted, Start::Warm);
    assert!((0..100).all(|_| run.after(29, ModelEvent::Reasoning("hm".to_owned()))));
}

#[test]
fn a_look_that_finds_a_model_still_loading_does_not_extend_its_budget() {
    let mut run = Run::at(&Residency::Device, Start::Cold);
    for second in 0..100 {
        run.pace.still_loading(None, run.began + SECOND * second);
    }
    assert_eq!(run.end(), 600);
    run.pace.still_loading(Some(40), run.began + SECOND * 100);
    assert_eq!(run.end(), 700);
}

#[test]
fn the_whole_answer_is_limited_only_when_configured() {
    let settings = ClockSettings { whole: Some(SECOND * 100), ..ClockSettings::default() };
    let mut run = Run::with(settings, &Residency::Device, Start::Warm);
    let borne = (0..1_000).take_while(|_| run.after(10, text())).count();
    assert_eq!(borne, 9);
    assert_eq!(run.pace.fault(run.now, "a/b").message, "a/b was not finished after 100 s (clock: whole answer)");
}

#[test]
fn every_limit_is_printed_with_its_source() {
    let settings = ClockSettings {
        connect: Some(Duration::from_millis(2_500)),
        timeout: Some(SECOND * 900),
        origin: Some("openclaw.json:9:5".to_owned()),
        ..ClockSettings::default()
    };
    let table = ClockTable::of(&reference("lmstudio/x"), &settings, &Residency::Device);
    let rows: Vec<(&str, Option<u64>, &str)> = table.rows.iter().map(|row| (row.name, row.limit_ms, row.source.as_str())).collect();
    assert_eq!(
        rows,
        [
            ("queue", None, "never limited"),
            ("connect", Some(2_500), "clocks.connect (openclaw.json:9:5)"),
            ("headers", None, "part of first token"),
            ("load", Some(300_000), "default for this machine"),
            ("load, after one that did not end", Some(5_000), "fixed: a tenth of load, 5 s at most"),
            ("first token", Some(900_000), "timeoutSeconds (openclaw.json:9:5)"),
            ("first token, signs of life only", Some(1_800_000), "fixed: at least the first-token limit"),
            ("gap", Some(900_000), "timeoutSeconds (openclaw.json:9:5)"),
            ("gap, signs of life only", Some(1_800_000), "fixed: twice the gap"),
            ("after the finish reason", Some(3_000), "fixed"),
            ("whole answer", None, "none unless configured"),
            ("held after failures", Some(20_000), "fixed"),
        ]
    );
    assert_eq!(table.first_to_fire, "first token");
    assert!(table.to_string().ends_with("if the server stays silent, \"first token\" fires first"));
}
