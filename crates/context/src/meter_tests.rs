use crate::{Meter, Tokens, truncated_by_server};

#[test]
fn reports_pull_the_estimate_to_the_truth() {
    let mut meter = Meter::new();
    assert_eq!((meter.correct(1_000), meter.is_calibrated()), (1_000, false));
    meter.observe(1_000, 1_200);
    assert_eq!((meter.correct(1_000), meter.is_calibrated()), (1_200, true));
    for _ in 0..40 {
        meter.observe(1_000, 900);
    }
    assert_eq!(meter.correct(1_000), 901);
}

#[test]
fn a_truncated_prompt_teaches_no_wrong_ratio() {
    let mut meter = Meter::new();
    meter.observe(10_000, 4_096);
    meter.observe(10, 90);
    meter.observe(1_000, 0);
    meter.observe(100, 5_000);
    assert_eq!(meter, Meter::new());
}

#[test]
fn silent_truncation_is_seen_above_two_thousand_tokens_only() {
    assert!(truncated_by_server(8_000, 4_096));
    assert!(truncated_by_server(2_001, 1_700));
    assert!(!truncated_by_server(2_001, 1_701));
    assert!(!truncated_by_server(2_000, 100));
    assert!(!truncated_by_server(8_000, 9_000));
}

#[test]
fn a_number_says_where_it_comes_from() {
    assert_eq!(Tokens::measured(12).to_string(), "12 tokens (measured)");
    assert_eq!(Tokens::estimated(12).to_string(), "about 12 tokens (estimated)");
}
