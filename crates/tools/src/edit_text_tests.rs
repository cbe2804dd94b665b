use proptest::prelude::*;

use crate::edit_text::{Edit, apply};

fn edit(old: &str, new: &str) -> Edit {
    Edit { old: old.to_owned(), new: new.to_owned() }
}

fn once(text: &str, old: &str, new: &str) -> Result<String, String> {
    apply(text, &[edit(old, new)])
}

#[test]
fn exact_piece_is_replaced() {
    assert_eq!(once("one two three", "two", "2").as_deref(), Ok("one 2 three"));
}

#[test]
fn place_is_never_guessed() {
    assert!(once("a b a", "a", "c").unwrap_err().contains("2 times"));
    assert!(once("a b", "x", "c").unwrap_err().contains("does not stand there"));
    assert!(once("  a\nb\n\ta\n", "a ", "c").unwrap_err().contains("more than once"));
    assert!(once("a", "", "c").is_err());
    assert!(once("a\n\n\nb", "\n \n", "c").is_err());
    assert!(apply("a", &[]).is_err());
}

#[test]
fn white_space_at_the_ends_of_lines_does_not_matter() {
    let text = "fn a() {\n        one();  \n        two();\n    }\n";
    assert_eq!(once(text, "  one();\n  two();", "  three();").as_deref(), Ok("fn a() {\n        three();\n    }\n"));
}

#[test]
fn blanks_do_not_come_among_the_tabs_of_a_file() {
    let text = "\tif a:\n\t\tb()\n\t\td()\n";
    let new = "    if a:\n        c()\n        if e:\n            f()";
    let after = "\tif a:\n\t\tc()\n\t\tif e:\n\t\t\tf()\n\t\td()\n";
    assert_eq!(once(text, "    if a:\n        b()", new).as_deref(), Ok(after));
    assert_eq!(once("    if a:\n        b()\n", "\tif a:\n\t\tb()", "\tif a:\n\t\tc()").as_deref(), Ok("    if a:\n        c()\n"));
    let why = once(text, "if a:\nb()", "if a:\nc()").unwrap_err();
    assert!(why.contains("give all lines with the tabs and blanks that it has"), "{why}");
}

#[test]
fn lines_end_as_those_of_the_file_do() {
    let text = "one\r\n  two\r\nthree\r\n";
    // As it stands there, roughly, and in a single line of the file.
    assert_eq!(once(text, "one\n  two\n", "1\n  2\n").as_deref(), Ok("1\r\n  2\r\nthree\r\n"));
    assert_eq!(once(text, "\n  two", "\n  2\n  zwei").as_deref(), Ok("one\r\n  2\r\n  zwei\r\nthree\r\n"));
    assert_eq!(once(text, "one\n two", "1\n 2").as_deref(), Ok("1\r\n  2\r\nthree\r\n"));
    assert_eq!(once(text, "one", "1\n1.5").as_deref(), Ok("1\r\n1.5\r\n  two\r\nthree\r\n"));
    assert_eq!(once("one\ntwo\n", "one\r\ntwo\r\n", "1\r\n2\r\n").as_deref(), Ok("1\n2\n"));
    assert!(once(text, "one\n", "one\r\n").unwrap_err().contains("the same"));
}

#[test]
fn edits_follow_each_other_and_say_which_failed() {
    assert_eq!(apply("a", &[edit("a", "b"), edit("b", "c")]).as_deref(), Ok("c"));
    assert!(apply("a", &[edit("a", "b"), edit("a", "c")]).unwrap_err().starts_with("edit 2: "));
}

proptest! {
    #[test]
    fn whatever_is_asked_the_rest_of_the_text_stays(text in "[ab \n]{0,30}", old in "[ab \n]{0,6}", new in "[ab \n]{0,6}") {
        if let Ok(after) = once(&text, &old, &new) {
            prop_assert!(after.len() <= text.len() + new.len() + 2 * text.len().max(8));
        }
    }

    #[test]
    fn unique_piece_is_found(before in "[ab]{0,10}", after in "[ab]{0,10}") {
        let text = format!("{before}XYZ{after}");
        let expected = format!("{before}0{after}");
        prop_assert_eq!(once(&text, "XYZ", "0"), Ok(expected));
    }
}
