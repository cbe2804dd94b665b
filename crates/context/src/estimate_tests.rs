use std::fs;
use std::path::Path;

use crate::estimate_tokens;

fn sample(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tokens").join(format!("{name}.txt"))).unwrap()
}

/// Whether `estimate` is within 15 % of `real`.
fn close(estimate: u32, real: f64) -> bool {
    (f64::from(estimate) / real - 1.0).abs() <= 0.15
}

#[test]
fn latin_text_is_within_15_percent_of_a_real_vocabulary() {
    // Counted with tiktoken's cl100k_base.
    let counted = [
        ("english", 161),
        ("german", 175),
        ("json", 343),
        ("json_compact", 217),
        ("markdown", 147),
        ("python", 234),
        ("rust", 453),
        ("shell_log", 239),
    ];
    let off: Vec<String> = counted
        .iter()
        .map(|(name, real)| (name, estimate_tokens(&sample(name)), *real))
        .filter(|(_, estimate, real)| !close(*estimate, f64::from(*real)))
        .map(|(name, estimate, real)| format!("{name}: {estimate} for {real}"))
        .collect();
    assert_eq!(off, Vec::<String>::new());
}

#[test]
fn chinese_and_its_neighbours_are_as_their_models_count_them() {
    // DeepSeek's documentation gives 0.6 tokens per Chinese character; Qwen's vocabulary is of the same size.
    let per_character =
        |name: &str| f64::from(estimate_tokens(&sample(name))) / sample(name).chars().count().to_string().parse::<f64>().unwrap();
    for (name, low, high) in [("chinese", 0.55, 0.7), ("japanese", 0.6, 0.75), ("korean", 0.5, 0.75), ("russian", 0.3, 0.45)] {
        let found = per_character(name);
        assert!((low..=high).contains(&found), "{name}: {found}");
    }
}

#[test]
fn nothing_costs_nothing_and_something_never_does() {
    assert_eq!(estimate_tokens(""), 0);
    for text in ["a", "1", ".", "\n", "世", "🦀", "  "] {
        assert!(estimate_tokens(text) >= 1, "{text:?}");
    }
}
