use proptest::prelude::*;

use crate::{KeyPath, Step};

fn parsed(text: &str) -> Vec<Step> {
    text.parse::<KeyPath>().unwrap().steps().to_vec()
}

fn key(text: &str) -> Step {
    Step::Key(text.to_owned())
}

#[test]
fn reference_with_dots_and_slashes_is_one_key() {
    let expected = vec![key("agents"), key("models"), key("lm/qwen3.5:8b"), key("alias")];
    assert_eq!(parsed("agents.models[\"lm/qwen3.5:8b\"].alias"), expected);
    assert_eq!(parsed("agents.models['lm/qwen3.5:8b'].alias"), expected);
    assert_eq!(parsed("models.my-box.models[12].id"), [key("models"), key("my-box"), key("models"), Step::Index(12), key("id")]);
}

#[test]
fn path_of_many_thousand_steps_does_not_overflow_the_stack() {
    assert_eq!(parsed(&vec!["a"; 100].join(".")).len(), 100);
    assert!(vec!["a"; 101].join(".").parse::<KeyPath>().is_err());
    assert!("[0]".repeat(50_000).parse::<KeyPath>().is_err());
}

#[test]
fn half_a_path_is_refused() {
    for text in ["", " ", ".", "a.", ".a", "a..b", "a[", "a[1", "a[x]", "a['x", "a['x'", "a[1]b", "a[-1]"] {
        assert!(text.parse::<KeyPath>().is_err(), "{text}");
    }
}

proptest! {
    #[test]
    fn printed_path_is_read_back(steps in prop::collection::vec(prop_oneof![".{0,6}".prop_map(Step::Key), (0usize..99).prop_map(Step::Index)], 1..5)) {
        let mut path = KeyPath::default();
        steps.iter().cloned().for_each(|step| path.push(step));
        prop_assert_eq!(path.to_string().parse::<KeyPath>().unwrap(), path);
    }
}
