use std::time::Duration;

use crate::Backoff;

#[test]
fn pauses_double_up_to_the_ceiling_and_start_over() {
    let seconds = Duration::from_secs;
    let mut backoff = Backoff::new(seconds(1), seconds(6));
    let longest: Vec<Duration> = (0..5).map(|_| backoff.pause_with(u32::MAX)).collect();
    assert_eq!(longest, [1, 2, 4, 6, 6].map(seconds));
    assert_eq!(backoff.failures(), 5);
    backoff.reset();
    assert_eq!(backoff.pause_with(0), Duration::from_millis(500));
}

#[test]
fn a_pause_is_never_shorter_than_half_and_never_overflows() {
    let mut backoff = Backoff::new(Duration::from_secs(1), Duration::MAX);
    for _ in 0..200 {
        let pause = backoff.pause();
        assert!(pause >= Duration::from_millis(500), "{pause:?}");
    }
}
