use proptest::prelude::*;

use crate::Env;
use crate::variables::expand_text;

fn env() -> Env {
    Env::new([("A".to_owned(), "1".to_owned()), ("_B2".to_owned(), "two".to_owned()), ("EMPTY".to_owned(), String::new())])
}

#[test]
fn variables_are_put_in_and_look_alikes_are_left_alone() {
    let cases = [
        ("${A}", "1"),
        ("x${A}y${_B2}z", "x1ytwoz"),
        ("$${A}", "${A}"),
        ("$$${A}", "$${A}"),
        ("${a} ${1A} ${} ${A $A {A}", "${a} ${1A} ${} ${A $A {A}"),
        ("${${A}}", "${1}"),
    ];
    for (text, expected) in cases {
        let expanded = expand_text(text, &env());
        assert_eq!((expanded.text.as_str(), expanded.missing.len()), (expected, 0), "{text}");
    }
    assert_eq!(expand_text("${A}${NONE}${EMPTY}", &env()).missing, ["NONE", "EMPTY"]);
}

#[test]
fn dot_env_lines_are_read_as_node_reads_them() {
    let mut env = Env::default();
    env.add_dot_env("\u{feff}A=1\nexport B = \"two\\nlines\" # note\nC='#3'\nD=4 # four\n# E=5\nnonsense\nF=\n=7\nA=later\n", "file");
    let values = ["A", "B", "C", "D", "E", "F"].map(|name| env.get(name));
    assert_eq!(values, [Some("1"), Some("two\nlines"), Some("#3"), Some("4"), None, None]);
    assert_eq!(format!("{env:?}"), r#"{"A", "B", "C", "D", "F"}"#);
}

proptest! {
    #[test]
    fn text_without_variables_stays_as_it_is(text in "[^$]*") {
        prop_assert_eq!(expand_text(&text, &env()).text, text);
    }
}
