use proptest::prelude::*;

use crate::indentation::Indentation;

/// A line of the model's, after pairs of its lines and the file's.
fn translated(pairs: &[(&str, &str)], line: &str) -> Option<String> {
    Indentation::of(pairs.iter().copied()).translated(line).ok()
}

#[test]
fn tabs_and_blanks_are_not_mixed_where_the_lines_tell_what_a_tab_is() {
    for (pairs, line, there) in [
        (&[("    a", "\ta"), ("        b", "\t\tb")][..], "            c", "\t\t\tc"),
        (&[("    a", "\ta")], "        c", "\t\tc"),
        (&[("    a", "\ta")], "c", "c"),
        (&[("      a", "\t\ta")], "   c", "\tc"),
        (&[("a", "\ta"), ("  b", "\t\tb")], "    c", "\t\t\tc"),
        (&[("\ta", "    a")], "\t\tc", "        c"),
        (&[("  a", "    a"), ("    b", "        b")], "      c", "            c"),
        (&[("  a", "      a"), ("     b", "         b")], "    c", "        c"),
        (&[("    a", "a"), ("        b", "    b")], "            c", "        c"),
        (&[("a", "\ta")], "\tc", "\t\tc"),
        (&[("    a", "\ta"), ("", ""), ("      b", "\t  b")], "     c", "\t c"),
        (&[("\ta", "\ta")], "    c", "    c"),
        // They contradict each other, but not about this one.
        (&[("a", "a"), ("  b", "  b"), ("  c", "    c")], "d", "d"),
        (&[("    a", "\ta")], "  ", "  "),
    ] {
        assert_eq!(translated(pairs, line).as_deref(), Some(there), "{pairs:?} {line:?}");
    }
}

#[test]
fn indentation_that_cannot_be_told_is_refused() {
    for (pairs, line) in [
        // What a tab is, is told by nothing.
        (&[("a", "\ta")][..], "    c"),
        (&[("   a", "\t\ta")], "c"),
        // Between two levels, and above all of them.
        (&[("    a", "\ta")], "      c"),
        (&[("        a", "    a")], "c"),
        (&[("    a", "\ta")], "\tc"),
        (&[("a", "a"), ("b", "  b")], "c"),
        (&[("\ta", &format!("{}a", " ".repeat(900)))], "\t\tc"),
        (&[("a", "    a"), ("        b", "        b")], "            c"),
    ] {
        assert_eq!(translated(pairs, line), None, "{pairs:?} {line:?}");
    }
    let why = Indentation::of([("a", "\ta")].into_iter()).translated("    c").unwrap_err();
    assert!(why.contains("how \"c\" is to be cannot be told"), "{why}");
}

proptest! {
    /// Whatever of its lines the model kept, the rest gets the file's tabs, and never blanks among them.
    #[test]
    fn every_level_is_translated(depths in prop::collection::vec(0_usize..6, 1..6), unit in 1_usize..9, depth in 0_usize..6) {
        let lines: Vec<(String, String)> =
            depths.iter().map(|depth| (format!("{}x", " ".repeat(depth * unit)), format!("{}x", "\t".repeat(*depth)))).collect();
        let indentation = Indentation::of(lines.iter().map(|(wanted, there)| (wanted.as_str(), there.as_str())));
        let line = format!("{}y", " ".repeat(depth * unit));
        if depths.iter().any(|depth| *depth > 0) {
            prop_assert_eq!(indentation.translated(&line), Ok(format!("{}y", "\t".repeat(depth))));
        } else {
            prop_assert_eq!(indentation.translated(&line), Ok(line));
        }
    }

    #[test]
    fn line_that_both_know_is_the_files(pairs in prop::collection::vec(("[ \t]{0,4}x", "[ \t]{0,4}x"), 1..5), line in "[ \t]{0,6}x?") {
        let indentation = Indentation::of(pairs.iter().map(|(wanted, there)| (wanted.as_str(), there.as_str())));
        for (wanted, there) in &pairs {
            if let Ok(translated) = indentation.translated(wanted) {
                prop_assert_eq!(&translated, there);
            }
        }
        let _any = indentation.translated(&line);
    }
}
