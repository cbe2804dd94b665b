use crate::workspace::{Claim, content, share_out};
use crate::{Fragment, WorkspaceFile};

fn claims(claims: &[(usize, usize)]) -> Vec<Claim> {
    claims.iter().map(|(need, weight)| Claim { need: *need, weight: *weight }).collect()
}

#[test]
fn a_file_in_which_nobody_wrote_anything_takes_no_room() {
    for nothing in ["", "  \n", "# USER.md\n\n## Name\n", "---\ntitle: x\n---\n# Only\n", "\u{feff}# h"] {
        assert_eq!(Fragment::workspace(WorkspaceFile::User, nothing), None, "{nothing:?}");
    }
    assert_eq!(content("---\ntitle: x\n---\n\n# Who\nAda\n"), Some("# Who\nAda"));
    assert_eq!(content("--- not front matter\nAda"), Some("--- not front matter\nAda"));
    assert_eq!(content("---\nnever closed"), Some("---\nnever closed"));
}

#[test]
fn who_needs_little_leaves_the_rest_to_the_others() {
    assert_eq!(share_out(1_000, &claims(&[(100, 50), (5_000, 25), (5_000, 25)])), [100, 450, 450]);
    assert_eq!(share_out(1_000, &claims(&[(100, 1), (300, 1)])), [100, 300]);
    assert_eq!(share_out(1_000, &[]), [0; 0]);
}

#[test]
fn a_scrap_of_a_file_is_not_worth_its_place() {
    assert_eq!(share_out(300, &claims(&[(5_000, 35), (5_000, 10), (5_000, 15)])), [300, 0, 0]);
    assert_eq!(share_out(0, &claims(&[(10, 1)])), [0]);
}

#[test]
fn every_file_has_a_name_of_its_own() {
    let names: Vec<&str> = WorkspaceFile::ALL.iter().map(|file| file.file_name()).collect();
    assert_eq!(names, ["AGENTS.md", "SOUL.md", "IDENTITY.md", "USER.md", "TOOLS.md", "MEMORY.md"]);
}

#[test]
fn notes_of_a_day_keep_their_end_and_say_where_the_rest_is() {
    assert_eq!(Fragment::daily("2026-11-29", "# Sunday\n"), None);
    let short = Fragment::daily("2026-11-29", "- the boat is red\n").unwrap();
    assert_eq!((short.name(), short.foreign_text()), ("memory/2026-11-29.md", Some("# memory/2026-11-29.md\n\n- the boat is red")));
    let lines: String = (0..200).map(|number| format!("- note {number}\n")).collect();
    let long = Fragment::daily("2026-11-28", &lines).unwrap();
    let text = long.foreign_text().unwrap();
    let begin = "# memory/2026-11-28.md\n\n[… read memory/2026-11-28.md to see what was noted before …]\n- note ";
    assert!(text.starts_with(begin) && text.ends_with("\n- note 199"), "{text}");
    assert!(text.len() < WorkspaceFile::DAILY_BYTES + begin.len(), "{}", text.len());
    // A single line that is longer is cut in it.
    let line = Fragment::daily("2026-11-28", &"ä".repeat(2_000)).unwrap();
    assert!(line.foreign_text().unwrap().ends_with(&"ä".repeat(600)));
}
