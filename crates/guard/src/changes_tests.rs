//! What is decided about changes of files that are more than one file.

use krabba_types::{Action, FileChange, FileChanges, Label, WorkspacePath};

use crate::Answer;
use crate::monitor_tests::{change, room, rule_of, scene};

fn path(text: &str) -> WorkspacePath {
    WorkspacePath::parse(text, "/").unwrap()
}

fn changes() -> FileChanges {
    let Action::Change(changes) = change("notes.md", Some("x")) else { unreachable!() };
    changes
}

/// The removal of these files, and of these directories with them.
fn removal(files: &[&str], directories: &[&str]) -> Action {
    let all = changes();
    let gone = |file: &&str| FileChange { path: path(file), after: None, ..all.changes[0].clone() };
    Action::Change(FileChanges {
        changes: files.iter().map(gone).collect(),
        directories: directories.iter().map(|directory| path(directory)).collect(),
        ..all.clone()
    })
}

#[test]
fn directory_does_not_go_unasked_because_nothing_is_in_it() {
    let room = room();
    let tainted = scene("tidy up", &[Label::untrusted("evil.example")]);
    let rule = |directory: &str| rule_of(room.monitor.judge(removal(&[], &[directory]), &tainted).unwrap()).1;
    assert_eq!([rule("old"), rule("a/.git")], ["removal-tainted", "control-files-tainted"]);
    let lines = room.asked(removal(&["old/a"], &["old"]), &tainted).lines;
    assert_eq!((lines[0].as_str(), lines.last().unwrap().as_str()), ("remove old/a", "remove the directory old"));
    // The owner named one of the two.
    assert_eq!(rule_of(room.monitor.judge(removal(&["old/a"], &["other"]), &scene("remove old/a", &[])).unwrap()).1, "removal");
}

#[test]
fn what_a_command_wrote_is_not_taken_over_unasked_because_the_owner_named_the_file() {
    let room = room();
    let tainted = scene("what is in report.md, and in memory/new.md?", &[Label::untrusted("evil.example")]);
    let rule = |tool: &str, file: &str| {
        let change = FileChange { path: path(file), before: None, ..changes().changes[0].clone() };
        let action = Action::Change(FileChanges { tool: tool.to_owned(), changes: vec![change], ..changes() });
        rule_of(room.monitor.judge(action, &tainted).unwrap())
    };
    for file in ["report.md", "memory/new.md"] {
        assert_eq!(rule(FileChanges::KEEP, file), ("asked", "take-over".to_owned()), "{file}");
        assert_eq!(rule("write", file), ("allowed", String::new()), "{file}");
    }
}

#[test]
fn yes_to_all_of_a_task_is_none_to_what_a_command_writes_there() {
    let room = room();
    let tainted = scene("tidy up", &[Label::untrusted("evil.example")]);
    let of = |tool: &str| Action::Change(FileChanges { tool: tool.to_owned(), ..changes() });
    let question = room.asked(of("write"), &tainted);
    room.monitor.settle(&question.id, &Answer::ApproveTask, "terminal").unwrap();
    assert_eq!(rule_of(room.monitor.judge(of("write"), &tainted).unwrap()), ("allowed", String::new()));
    let taken = room.asked(of(FileChanges::KEEP), &tainted);
    assert_eq!((taken.rule.as_str(), taken.for_task), ("take-over", false));
}

#[test]
fn what_is_typed_for_a_removal_is_no_longer_than_a_person_types() {
    let room = room();
    let typed = |files: &[&str], directories: &[&str]| room.asked(removal(files, directories), &scene("tidy up", &[])).typed.unwrap();
    assert_eq!(typed(&["a.txt", "b/c.txt"], &["b"]), "remove a.txt b/c.txt");
    assert_eq!(typed(&[], &["b"]), "remove b");
    let many: Vec<String> = (0..60).map(|number| format!("src/gen/{}/{number}.rs", number % 7)).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(typed(&many, &["src/gen"]), "remove 60 files in src/gen");
    assert_eq!(typed(&[&many[..], &["src/general.rs"]].concat(), &[]), "remove 61 files in src");
    assert_eq!(typed(&[&many[..], &["a"]].concat(), &[]), "remove 61 files");
    assert_eq!(typed(&[], &many), "remove 60 directories in src/gen");
    let deep = "d/".repeat(50);
    assert_eq!(typed(&[&format!("{deep}a"), &format!("{deep}b")], &[]), "remove 2 files");
    assert_eq!(typed(&[&format!("{deep}a")], &[]), "remove it");
    assert_eq!(typed(&[&format!("notes/{}", "a".repeat(90))], &[]), "remove it in notes");
}

#[test]
fn question_about_what_is_written_can_be_answered_where_words_have_to_be_typed() {
    let room = room();
    let tainted = scene("tidy up", &[Label::untrusted("evil.example")]);
    for _ in 0..20 {
        let question = room.asked(Action::Change(changes()), &tainted);
        room.monitor.settle(&question.id, &Answer::Approve, "terminal").unwrap();
    }
    let question = room.asked(Action::Change(changes()), &tainted);
    assert_eq!(question.typed.as_deref(), Some("change notes.md"), "so many were answered too fast");
    room.monitor.settle(&question.id, &Answer::Typed("change notes.md".to_owned()), "terminal").unwrap();
}
