use std::time::Duration;

use crate::{Usage, grouped, seconds, signed, speed};

#[test]
fn figures_are_written_in_one_way() {
    assert_eq!([0_u32, 999, 1_000, 196_608].map(grouped), ["0", "999", "1,000", "196,608"]);
    assert_eq!(grouped(1_047_576_u64), "1,047,576");
    assert_eq!([-1_024, 0, 12].map(signed), ["-1,024", "+0", "+12"]);
    let durations = [0, 7, 999, 1_000, 1_049, 1_250, 59_999, 300_000].map(|ms| seconds(Duration::from_millis(ms)));
    assert_eq!(durations, ["0 s", "7 ms", "999 ms", "1 s", "1 s", "1.2 s", "59.9 s", "300 s"]);
    assert_eq!(
        [0.35, 9.94, 9.97, 41.6, 4748.2].map(speed),
        ["0.3 tokens/s", "9.9 tokens/s", "10 tokens/s", "42 tokens/s", "4,748 tokens/s"]
    );
}

#[test]
fn a_speed_is_the_servers_own_or_comes_from_a_time_that_can_be_measured() {
    let usage = Usage { output_tokens: Some(100), ..Usage::default() };
    assert_eq!(usage.writing_speed(Some(500), Some(2_500)), Some(50.0));
    assert_eq!(usage.writing_speed(Some(500), Some(510)), None);
    assert_eq!(usage.writing_speed(None, Some(510)), None);
    let told = Usage { output_per_second: Some(42.0), ..usage };
    assert_eq!(told.writing_speed(None, None), Some(42.0));
}
