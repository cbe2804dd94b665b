use std::sync::Arc;

use krabba_store::Store;
use krabba_types::{Clock, Dialect, FactSource, ManualClock, Timestamp, ToolAbility, Usage};

use crate::learned::{CountsTell, Learned, LearnedWindow, Lesson, Lessons};

fn read(prompt: u64, output: u64) -> Usage {
    Usage { prompt_tokens: Some(prompt), output_tokens: Some(output), ..Usage::default() }
}

#[test]
fn a_prompt_that_the_server_cut_is_noticed() {
    let mut lessons = Lessons::default();
    assert_eq!(lessons.counts(&read(4_096, 10), 8_000, false), CountsTell::Truncated { read: 4_096, expected: 8_000 });
}

#[test]
fn a_tokenizer_that_counts_less_than_we_do_is_not_a_cut() {
    let mut lessons = Lessons::default();
    assert_eq!(lessons.counts(&read(900, 10), 1_200, false), CountsTell::Nothing);
    // The same ratio again, in a size at which it would otherwise be suspicious.
    assert_eq!(lessons.counts(&read(6_000, 10), 8_000, false), CountsTell::Nothing);
    assert_eq!(lessons.counts(&read(4_000, 10), 8_000, false), CountsTell::Truncated { read: 4_000, expected: 6_000 });
}

#[test]
fn small_prompts_say_nothing() {
    assert_eq!(Lessons::default().counts(&read(100, 10), 1_900, false), CountsTell::Nothing);
}

#[test]
fn two_answers_that_end_at_the_same_total_show_the_window() {
    let mut lessons = Lessons::default();
    assert_eq!(lessons.counts(&read(1_000, 3_096), 1_000, true), CountsTell::Nothing);
    assert_eq!(lessons.counts(&read(1_500, 2_000), 1_500, false), CountsTell::Nothing);
    assert_eq!(lessons.counts(&read(2_000, 2_096), 2_000, true), CountsTell::Pinned { total: 4_096 });
}

#[test]
fn counters_that_are_missing_say_nothing() {
    assert_eq!(Lessons::default().counts(&Usage::default(), 90_000, true), CountsTell::Nothing);
}

#[test]
fn a_learned_window_that_turns_out_too_small_is_given_up() {
    let mut lessons = Lessons::default();
    let window = LearnedWindow { tokens: 4_096, claimed: None, until: None };
    lessons.window = Some(krabba_types::Fact::new(window, FactSource::LearnedFromOverflow, Timestamp(0)));
    assert_eq!(lessons.counts(&read(5_000, 10), 5_000, false), CountsTell::LargerThanThought);
}

#[test]
fn lessons_survive_a_restart() {
    let store = Arc::new(Store::open_in_memory().unwrap());
    let clock = Arc::new(ManualClock::at(Timestamp(5)));
    let learned = Learned::load(Arc::clone(&store), clock.clone());
    let lessons = [
        Lesson::Window(LearnedWindow { tokens: 4_096, claimed: Some(32_768), until: None }),
        Lesson::Dropped(Dialect::OpenAiCompletions, "stream_options".to_owned()),
        Lesson::Dropped(Dialect::OpenAiCompletions, "store".to_owned()),
        Lesson::Dialect(Dialect::OpenAiCompletions),
        Lesson::Tools(ToolAbility::Text),
        Lesson::Speeds { reading: Some(400.0), writing: Some(20.0) },
        Lesson::OrphanClose(true),
        Lesson::EndlessLoad,
        Lesson::EndlessLoad,
    ];
    for lesson in &lessons {
        learned.learn("http://a.test/v1 x", lesson, FactSource::Measured).unwrap();
    }
    let again = Learned::load(store, clock);
    assert_eq!(again.of("http://a.test/v1 x"), learned.of("http://a.test/v1 x"));
    assert_eq!(again.of("http://a.test/v1 y"), Lessons::default());
}

#[test]
fn a_window_that_was_given_up_does_not_come_back() {
    let store = Arc::new(Store::open_in_memory().unwrap());
    let clock = Arc::new(ManualClock::at(Timestamp(5)));
    let learned = Learned::load(Arc::clone(&store), clock.clone());
    let window = Lesson::Window(LearnedWindow { tokens: 4_096, claimed: None, until: None });
    learned.learn("r", &window, FactSource::LearnedFromOverflow).unwrap();
    learned.learn("r", &Lesson::WindowWasTooSmall, FactSource::Measured).unwrap();
    assert_eq!(Learned::load(store, clock).of("r").window, None);
}

#[test]
fn a_load_that_never_ends_is_remembered_longer_each_time_and_forgotten_when_it_ends() {
    let store = Arc::new(Store::open_in_memory().unwrap());
    let clock = Arc::new(ManualClock::at(Timestamp(5)));
    let learned = Learned::load(Arc::clone(&store), clock.clone());
    let mut minutes = Vec::new();
    for _ in 0..7 {
        learned.learn("r", &Lesson::EndlessLoad, FactSource::Measured).unwrap();
        let memory = learned.of("r").memory_of_endless_loads();
        minutes.push(memory.as_secs() / 60);
        assert!(!learned.of("r").loads_end(clock.now()));
        clock.advance(memory);
        assert!(learned.of("r").loads_end(clock.now()));
    }
    assert_eq!(minutes, [1, 2, 4, 8, 16, 30, 30]);
    learned.learn("r", &Lesson::Loaded, FactSource::Measured).unwrap();
    assert_eq!(Learned::load(store, clock).of("r"), Lessons::default());
}
