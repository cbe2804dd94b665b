use proptest::prelude::*;

use crate::patch::{FilePatch, apply, parse};

/// The text after the only file of a patch, whose hunks are given.
fn patched(text: &str, hunks: &str) -> Result<String, String> {
    match parse(&format!("*** Begin Patch\n*** Update File: a\n{hunks}\n*** End Patch\n"))?.as_slice() {
        [FilePatch::Update { hunks, .. }] => apply(text, hunks),
        other => panic!("{other:?}"),
    }
}

const TEXT: &str = "fn one() {\n    same();\n}\n\nfn two() {\n    same();\n}\n";

#[test]
fn hunk_changes_the_place_that_it_means() {
    let second = TEXT.replacen("two() {\n    same", "two() {\n    other", 1);
    assert_eq!(patched(TEXT, "@@ fn two() {\n-    same();\n+    other();").unwrap(), second);
    assert_eq!(patched(TEXT, "@@ fn two\n-    same();\n+    other();").unwrap(), second);
    assert_eq!(patched(TEXT, "@@\n fn two() {\n-    same();\n+    other();\n }").unwrap(), second);
    assert_eq!(patched(TEXT, "-    same();\n+    other();\n }\n*** End of File").unwrap(), second);
    let both = "@@\n fn one() {\n-    same();\n+    first();\n@@ fn two() {\n-    same();\n+    other();";
    assert_eq!(patched(TEXT, both).unwrap(), second.replacen("same", "first", 1));
    assert_eq!(patched(TEXT, "+// the end").unwrap(), format!("{TEXT}// the end\n"));
    assert_eq!(patched(TEXT, "@@ fn one() {\n+    zero();").unwrap(), TEXT.replacen("{\n", "{\n    zero();\n", 1));
}

#[test]
fn hunk_that_fits_twice_or_nowhere_changes_nothing() {
    assert_eq!(
        patched(TEXT, "-    same();").unwrap_err(),
        "its lines stand there more than once; give more of them, or @@ with a line above"
    );
    let twice = patched(TEXT, "@@ fn two() {\n-    same();\n@@\n-fn one() {").unwrap_err();
    assert_eq!(twice, "hunk 2: its lines do not stand there (from \"fn one() {\" on); read the file again");
    assert_eq!(patched(TEXT, "@@ fn three\n-}").unwrap_err(), "there is no line \"fn three\" where @@ looks for it");
}

#[test]
fn white_space_is_remembered_roughly_and_kept_as_it_is() {
    // Blanks at the end, and another indentation, into which that of what is added is translated.
    let text = "if x {  \n\tif y {\n\t\tgo();\n\t}\n}\n";
    let after = patched(text, " if x {\n     if y {\n-        go();\n+        stop();\n     }").unwrap();
    assert_eq!(after, "if x {  \n\tif y {\n\t\tstop();\n\t}\n}\n");
    let odd = patched(text, "@@\n if x {\n@@\n if y {\n-go();\n+stop();").unwrap_err();
    assert!(odd.starts_with("hunk 2: the file's lines are indented otherwise"), "{odd}");
    assert_eq!(patched("a\r\nb\r\nc\r\n", " a\n-b\n+x\n+y").unwrap(), "a\r\nx\r\ny\r\nc\r\n");
    assert_eq!(patched("a\nb", " b\n+c").unwrap(), "a\nb\nc\n");
    assert_eq!(patched("a\n\nb\n", " a\n\n-b\n+c").unwrap(), "a\n\nc\n");
    assert_eq!(patched("a\n", "@@ -1,1 +1,1 @@\n-a\n+b").unwrap(), "b\n");
}

#[test]
fn nothing_of_a_patch_is_lost_behind_its_end() {
    let two = "*** Begin Patch\n*** Delete File: old\n*** End Patch\n*** Begin Patch\n*** Add File: new\n+x\n*** End Patch\n";
    assert!(parse(two).unwrap_err().starts_with("behind *** End Patch there is \"*** Begin Patch\""));
    let about = "a\n*** End Patch\nc\n";
    assert_eq!(patched(about, "-a\n+A\n *** End Patch\n-c\n+C").unwrap(), "A\n*** End Patch\nC\n");
    assert!(parse("*** Begin Patch\n*** Add File: new\n+x\n  *** End Patch\n```\n").is_ok());
}

#[test]
fn patch_that_was_cut_or_makes_no_sense_is_refused_with_its_line() {
    for (text, why) in [
        ("", "a patch begins with the line *** Begin Patch"),
        ("*** Begin Patch\n*** Add File: a\n+x\n", "a patch ends with the line *** End Patch"),
        ("*** Begin Patch\n*** End Patch", "the patch is empty"),
        ("*** Begin Patch\n+x\n*** End Patch", "line 2 of the patch: Add File, Delete File or Update File is missing above it"),
        ("*** Begin Patch\n*** Add File: a\nx\n*** End Patch", "line 3 of the patch: each line of a new file stands behind a +"),
        ("*** Begin Patch\n*** Update File: a\n@@\nx\n*** End Patch", "line 4 of the patch: a line of a hunk begins with a blank, - or +"),
        ("*** Begin Patch\n*** Add File: \n+x\n*** End Patch", "line 2 of the patch: the file has no name"),
        ("*** Begin Patch\n*** Update File: a\n*** End Patch", "nothing is said about what becomes of a"),
    ] {
        assert_eq!(parse(text).unwrap_err(), why, "{text}");
    }
}

proptest! {
    /// A patch made from two texts, each hunk with all lines around it, makes the one of the other.
    #[test]
    fn patch_of_two_texts_leads_from_one_to_the_other(
        before in prop::collection::vec("[ab]{0,2}", 1..8),
        after in prop::collection::vec("[ab]{0,2}", 1..8),
    ) {
        let (before, after) = (before.join("\n") + "\n", after.join("\n") + "\n");
        let diff = similar::TextDiff::from_lines(&before, &after);
        let lines: String = diff.iter_all_changes().map(|change| format!("{}{change}", change.tag())).collect();
        prop_assert_eq!(patched(&before, lines.trim_end_matches('\n')).unwrap(), after);
    }

    #[test]
    fn no_patch_brings_it_down(text in "[ab \r\n]{0,40}", hunks in "([-+ @ab]{1,5}\n|@@ a\n|\\*\\*\\* End of File\n){0,8}") {
        let _result = patched(&text, &hunks);
    }
}
