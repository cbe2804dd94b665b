use proptest::prelude::*;

use crate::{HOLD_LIMIT, OrphanPolicy, ReasoningSplitter, Split};

fn split(policy: OrphanPolicy, pieces: &[&str]) -> Vec<Split> {
    let mut splitter = ReasoningSplitter::new(policy);
    let mut splits = Vec::new();
    for piece in pieces {
        splitter.push(piece, &mut splits);
    }
    splitter.finish(&mut splits);
    splits
}

/// Adjacent parts of one kind joined.
fn joined(splits: Vec<Split>) -> Vec<Split> {
    let mut joined: Vec<Split> = Vec::new();
    for split in splits {
        match (joined.last_mut(), split) {
            (Some(Split::Text(last)), Split::Text(text)) | (Some(Split::Reasoning(last)), Split::Reasoning(text)) => last.push_str(&text),
            (_, split) => joined.push(split),
        }
    }
    joined
}

fn text(text: &str) -> Split {
    Split::Text(text.to_owned())
}

#[test]
fn an_ordinary_answer_is_not_delayed() {
    let mut splitter = ReasoningSplitter::new(OrphanPolicy::Stream);
    let mut splits = Vec::new();
    for piece in ["An", " answer", " with 1 < 2,", " [a list]", " `code` and a\n", "```rust\n<think>", "\n```\n", "end"] {
        let before = splits.len();
        splitter.push(piece, &mut splits);
        assert_eq!(splits.get(before..), Some([text(piece)].as_slice()));
    }
}

#[test]
fn only_the_beginning_of_a_mark_is_kept_back() {
    let mut splitter = ReasoningSplitter::new(OrphanPolicy::Stream);
    let mut splits = Vec::new();
    splitter.push("Hello <thi", &mut splits);
    assert_eq!(splits, [text("Hello ")]);
    splitter.push("s>", &mut splits);
    assert_eq!(splits, [text("Hello "), text("<this>")]);
}

#[test]
fn nothing_is_shown_while_held() {
    let mut splitter = ReasoningSplitter::new(OrphanPolicy::Hold);
    let mut splits = Vec::new();
    splitter.push("Okay.\n\nThe user greets.\n\n", &mut splits);
    assert_eq!(splits, []);
    splitter.push("</think>", &mut splits);
    assert_eq!(splits, [Split::Reasoning("Okay.\n\nThe user greets.\n\n".to_owned())]);
    splitter.push("Hel", &mut splits);
    assert_eq!(splits.last(), Some(&text("Hel")));
}

#[test]
fn an_endless_held_text_becomes_reasoning() {
    let much = "hm, so ".repeat(HOLD_LIMIT / 7 + 2);
    assert_eq!(joined(split(OrphanPolicy::Hold, &[&much, "</think>yes"])), [Split::Reasoning(much.clone()), text("yes")]);
    assert_eq!(joined(split(OrphanPolicy::Hold, &[&much])), [Split::Reasoning(much)]);
}

fn document() -> impl Strategy<Value = Vec<&'static str>> {
    let piece = prop_oneof![
        Just("<think>"),
        Just("</think>"),
        Just("<thinking a=\"b\">"),
        Just("</thinking>"),
        Just("[THINK]"),
        Just("[/THINK]"),
        Just("◁think▷"),
        Just("◁/think▷"),
        Just("<|channel|>"),
        Just("analysis"),
        Just("final"),
        Just("assistant"),
        Just("assistantfinal"),
        Just("<|message|>"),
        Just("<|end|>"),
        Just("<|start|>"),
        Just("<|im_end|>"),
        Just("</s>"),
        Just("<s>"),
        Just("`"),
        Just("``"),
        Just("```"),
        Just("~~~"),
        Just("\n"),
        Just("\n\n"),
        Just(" "),
        Just("word "),
        Just("世界"),
        Just("<"),
        Just("a"),
        Just("think>"),
        Just("<|channel|>analysis<|message|>"),
        Just("<|start|>assistant<|channel|>final<|message|>"),
        Just("<think/>"),
    ];
    proptest::collection::vec(piece, 0..20)
}

fn policy() -> impl Strategy<Value = OrphanPolicy> {
    prop_oneof![Just(OrphanPolicy::Hold), Just(OrphanPolicy::Stream)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn cutting_the_input_anywhere_changes_nothing(document in document(), policy in policy(), cuts in proptest::collection::vec(0_usize..200, 0..6)) {
        let input = document.concat();
        let whole = joined(split(policy, &[&input]));
        let characters: Vec<String> = input.chars().map(String::from).collect();
        let single: Vec<&str> = characters.iter().map(String::as_str).collect();
        prop_assert_eq!(joined(split(policy, &single)), whole.clone());
        let mut ends: Vec<usize> = cuts.into_iter().filter(|cut| input.is_char_boundary(*cut)).chain([0, input.len()]).collect();
        ends.sort_unstable();
        let pieces: Vec<&str> = ends.windows(2).map(|pair| input.get(pair[0]..pair[1]).unwrap()).collect();
        prop_assert_eq!(joined(split(policy, &pieces)), whole);
    }

    #[test]
    fn text_without_marks_passes_whole(input in "[a-z0-9 \n.,`*#|-]{0,200}") {
        let splits = joined(split(OrphanPolicy::Stream, &[&input]));
        let expected: Vec<Split> = if input.trim().is_empty() { Vec::new() } else { vec![text(without_leading_blank_lines(&input))] };
        prop_assume!(!input.trim_start().starts_with("analysis") && !input.trim_start().starts_with("commentary"));
        prop_assert_eq!(splits, expected);
    }

    #[test]
    fn nothing_is_lost_but_the_tags(
        before in "([a-z.]{1,8} ){0,6}", thought in "([a-z.]{1,8} ){1,9}", after in "([a-z.]{1,8} ){1,9}",
        tags in prop_oneof![Just(("<think>", "</think>")), Just(("<REASONING>", "</Reasoning>")), Just(("[THINK]", "[/THINK]"))],
    ) {
        let (open, close) = tags;
        let splits = joined(split(policy_of(&before), &[&format!("{before}{open}{thought}{close}{after}")]));
        let shown: String = splits.iter().filter_map(|split| match split { Split::Text(text) => Some(text.as_str()), _ => None }).collect();
        let hidden: String = splits.iter().filter_map(|split| match split { Split::Reasoning(text) => Some(text.as_str()), _ => None }).collect();
        prop_assert_eq!(shown, format!("{before}{after}"));
        prop_assert_eq!(hidden, thought);
    }

    #[test]
    fn held_reasoning_never_shows(thought in "[a-z `~\n]{1,60}", answer in "[a-z][a-z `]{0,20}") {
        prop_assume!(!thought.trim().is_empty());
        let splits = joined(split(OrphanPolicy::Hold, &[&format!("{thought} </think>{answer}")]));
        prop_assert_eq!(splits.last(), Some(&text(&answer)));
        prop_assert_eq!(splits.iter().filter(|split| matches!(split, Split::Text(_))).count(), 1);
        prop_assert!(!splits.contains(&Split::Retract));
    }
}

/// Both policies must pass; which one is used is drawn from the sample.
fn policy_of(before: &str) -> OrphanPolicy {
    if before.len().is_multiple_of(2) { OrphanPolicy::Stream } else { OrphanPolicy::Hold }
}

fn without_leading_blank_lines(input: &str) -> &str {
    let (blank, _) = input.split_at(input.len() - input.trim_start().len());
    match blank.rfind('\n') {
        Some(at) => input.split_at(at + 1).1,
        None => input.trim_start(),
    }
}
