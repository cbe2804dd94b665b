use crate::text::{beginning, fit, plain};

#[test]
fn what_is_left_out_is_said() {
    assert_eq!(fit("short", 10, ""), "short");
    let fitted = fit(&"0123456789".repeat(10), 30, "; read it in parts");
    assert_eq!(fitted, "01234567890123456789\n[… 70 bytes left out; read it in parts …]\n0123456789");
}

#[test]
fn no_character_is_cut() {
    for budget in 0..40 {
        let fitted = fit(&"äöü".repeat(20), budget, "");
        assert!(fitted.chars().all(|c| "äöü\n[… bytes left out]0123456789".contains(c)), "{fitted}");
        let (shown, _) = beginning("äöü\näöü\n", budget);
        assert!("äöü\näöü\n".starts_with(shown));
    }
}

#[test]
fn beginning_ends_with_a_line() {
    assert_eq!(beginning("one\ntwo\nthree\n", 9), ("one\ntwo\n", 2));
    assert_eq!(beginning("one\ntwo", 100), ("one\ntwo", 2));
    assert_eq!(beginning("onetwothree", 4), ("onet", 1));
}

#[test]
fn tabs_stay_and_what_was_written_over_goes() {
    assert_eq!(plain(b"a\tb\r\nall:\n\tcc \x1b[1m-o\x1b[0m x\n"), "a\tb\nall:\n\tcc -o x\n");
    assert_eq!(plain(b"10%\r20%\r100%\ndone\r"), "100%\ndone");
    assert_eq!(plain(b"\x1b]0;title\x07bell\x07 back\x08 null\0"), "bell back null");
}
