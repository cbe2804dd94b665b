//! Pieces of a text give what the whole gives, wherever it is cut.

use krabba_types::Secret;
use proptest::prelude::*;

use crate::{Redactor, Veil};

const LONG: &str = "tok_4f9a8b7c6d5e";
const LONGER: &str = "tok_4f9a8b7c6d5e-more-of-it";
const SHORT: &str = "hunter2";

fn redactor() -> Redactor {
    let redactor = Redactor::new();
    [LONG, LONGER, SHORT].iter().for_each(|secret| redactor.register(&Secret::new(*secret)));
    redactor
}

fn in_pieces(text: &str, cuts: &[usize]) -> String {
    let mut veil = Veil::new(redactor());
    let mut out = String::new();
    let characters: Vec<char> = text.chars().collect();
    let mut from = 0;
    for cut in cuts.iter().copied().chain([characters.len()]) {
        let cut = cut.clamp(from, characters.len());
        out.push_str(&veil.push(&characters[from..cut].iter().collect::<String>()));
        from = cut;
    }
    out + &veil.finish()
}

#[test]
fn secret_that_comes_in_two_pieces_is_hidden() {
    let hex: String = LONG.bytes().map(|byte| format!("{byte:02x}")).collect();
    let spread = |by: &str| LONG.chars().map(|character| format!("{character}{by}")).collect::<String>();
    let backwards: String = LONG.chars().rev().collect();
    let twice = format!("{LONG}{LONG}");
    for secret in [LONG, LONGER, SHORT, &hex, &spread(" "), &spread("-"), &spread(" - "), &spread("\\n"), &backwards, &twice] {
        let text = format!("the key is {secret}, and that is it");
        let whole = redactor().hide(&text).into_owned();
        assert!(whole.contains("[secret]") && !whole.contains("4f9a") && !whole.contains('7'), "{whole}");
        for cut in 0..=text.chars().count() {
            assert_eq!(in_pieces(&text, &[cut]), whole, "cut at {cut}");
        }
        let every: Vec<usize> = (0..text.chars().count()).collect();
        assert_eq!(in_pieces(&text, &every), whole);
    }
}

#[test]
fn text_without_a_secret_is_not_held_up() {
    let mut veil = Veil::new(redactor());
    assert_eq!(veil.push("Good mornin"), "Good mornin");
    assert_eq!(veil.push("g, a tok"), "g, a ");
    assert_eq!(veil.push("en is"), "token is");
    assert_eq!(veil.push(", hunter2"), ", ");
    assert_eq!(veil.push("q"), "hunter2q");
    assert_eq!(veil.push(" hunter2"), " ");
    assert_eq!(veil.finish(), "[secret]");
}

#[test]
fn words_far_apart_are_no_secret() {
    let text = "tok_4f9a        8b7c6d5e";
    assert_eq!(redactor().hide(text), text);
    assert_eq!(redactor().hide("tok_4f9a - 8b7c6d5e"), "[secret]");
}

proptest! {
    #[test]
    fn pieces_give_what_the_whole_gives(
        parts in proptest::collection::vec(prop_oneof![
            Just(LONG.to_owned()), Just(LONGER.to_owned()), Just(SHORT.to_owned()), Just("tok_4f".to_owned()), Just("9a8b7c".to_owned()),
            Just("6d5e".to_owned()), Just("-".to_owned()), Just(" ".to_owned()), Just("é".to_owned()), Just("hunter".to_owned()),
            Just("2".to_owned()), Just("746f6b5f".to_owned()), Just("t".to_owned()), Just("\\".to_owned()), Just("n".to_owned()),
            "[a-z ]{0,6}",
        ], 0..12),
        mut cuts in proptest::collection::vec(0usize..120, 0..8),
    ) {
        let text = parts.concat();
        cuts.sort_unstable();
        prop_assert_eq!(in_pieces(&text, &cuts), redactor().hide(&text).into_owned());
    }
}
