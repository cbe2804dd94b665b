use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use krabba_types::{Label, WorkspacePath};
use serde_json::json;

use crate::room::{Came, Room};

fn foreign() -> Label {
    Label::untrusted("evil.example")
}

/// A command after foreign content, whose changes are kept apart.
async fn apart(room: &Room, command: &str) -> String {
    match room.call_in(&foreign(), "exec", json!({ "command": command })).await {
        Came::Done(done) if !done.is_error => done.text,
        other => panic!("{other:?}"),
    }
}

fn mode(room: &Room, path: &str) -> u32 {
    fs::metadata(room.root.join(path)).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn directory_that_was_renamed_is_not_there_twice() {
    let room = Room::new();
    for path in ["src/a.c", "src/deep/b.c"] {
        room.file(path, format!("{path}\n"));
    }
    apart(&room, "mv src lib").await;
    let listed = room.said("process", json!({"action": "list"})).await;
    assert!(listed.ends_with("wrote lib/a.c (8 bytes)\n  wrote lib/deep/b.c (13 bytes)\n  removed src/"), "{listed}");
    let question = room.question(&foreign(), "process", json!({"action": "keep"})).await;
    let told: Vec<&str> = question.lines.iter().map(String::as_str).filter(|line| !line.starts_with(' ')).collect();
    let all = ["create lib/a.c", "create lib/deep/b.c", "remove src/a.c", "remove src/deep/b.c"];
    assert_eq!(told, [&all[..], &["remove the directory src/deep", "remove the directory src"]].concat());
    let kept = room.agreed(&foreign(), "process", json!({"action": "keep"})).await;
    assert!(kept.text.ends_with("removed src/deep/b.c\nremoved the directory src/deep\nremoved the directory src"), "{kept:?}");
    assert_eq!(room.text("lib/deep/b.c").as_deref(), Some("src/deep/b.c\n"));
    assert!(!room.root.join("src").exists());
    // What went is kept for the owner, as after any other tool.
    assert_eq!(room.replaced().iter().map(|(path, _)| path.as_str()).collect::<Vec<_>>(), ["src/a.c", "src/deep/b.c"]);
    assert_eq!(apart(&room, "ls").await, "lib");
}

#[tokio::test]
async fn directory_that_was_removed_is_gone_and_nothing_else() {
    let room = Room::new();
    for path in ["build/a.o", "build/b.o", "build/secret", "builder.txt", "old/only.txt", "emptied/only.txt"] {
        room.file(path, "x\n");
    }
    fs::create_dir(room.root.join("hollow")).unwrap();
    apart(&room, "rm -r build old hollow; rm emptied/only.txt").await;
    // A part of it first.
    room.agreed(&foreign(), "process", json!({"action": "keep", "paths": ["build/a.o"]})).await;
    assert_eq!((room.text("build/a.o"), room.text("build/b.o").as_deref()), (None, Some("x\n")));
    let kept = room.agreed(&foreign(), "process", json!({"action": "keep"})).await;
    assert!(!kept.is_error, "{kept:?}");
    let left = |path: &str| room.root.join(path).exists();
    assert!(["build", "old", "hollow", "emptied/only.txt"].iter().all(|path| !left(path)), "{kept:?}");
    assert!(left("builder.txt") && left("emptied"), "{kept:?}");
    assert!(room.refused("process", json!({"action": "keep"})).await.contains("no file was changed"));
}

#[tokio::test]
async fn what_steers_stays_with_its_directory_when_that_is_removed() {
    let room = Room::new();
    for path in ["d/AGENTS.md", "d/a.txt", "d/e/b.txt"] {
        room.file(path, "x\n");
    }
    apart(&room, "rm -rf d || true").await;
    let kept = room.agreed(&foreign(), "process", json!({"action": "keep"})).await;
    assert_eq!(kept.text, "removed d/a.txt\nremoved d/e/b.txt\nremoved the directory d/e");
    assert_eq!(room.text("d/AGENTS.md").as_deref(), Some("x\n"));
}

#[tokio::test]
async fn file_that_came_into_a_removed_directory_meanwhile_is_not_taken_along() {
    let room = Room::new();
    room.file("d/a.txt", "x\n");
    apart(&room, "rm -r d").await;
    std::thread::sleep(std::time::Duration::from_millis(20));
    room.file("d/new.txt", "the owner's\n");
    let refusal = room.refusal("process", json!({"action": "keep"})).await;
    assert!(refusal.why.ends_with("or drop d/new.txt"), "{refusal:?}");
    let kept = room.agreed(&foreign(), "process", json!({"action": "keep", "paths": ["d/a.txt"]})).await;
    assert_eq!((kept.text.as_str(), room.text("d/new.txt").as_deref()), ("removed d/a.txt", Some("the owner's\n")));
}

#[tokio::test]
async fn what_a_later_command_removed_again_does_not_come() {
    let room = Room::new();
    room.file("src/a.c", "old\n");
    apart(&room, "echo new > src/a.c; echo more > src/b.c; mkdir made; echo made > made/c.c").await;
    apart(&room, "rm -r src made; mkdir src; echo last > src/d.c").await;
    let kept = room.agreed(&foreign(), "process", json!({"action": "keep"})).await;
    assert_eq!(kept.text, "removed src/a.c\nwrote src/d.c (5 bytes, new)");
    assert!(!room.root.join("made").exists());
}

#[tokio::test]
async fn script_that_may_be_run_may_be_run_when_it_is_taken_over() {
    let room = Room::new();
    room.file("old.sh", "echo old\n");
    room.file("data.sh", "echo data\n");
    fs::set_permissions(room.root.join("data.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    apart(&room, "echo 'echo new' > new.sh; chmod +x new.sh old.sh; chmod -x data.sh").await;
    let question = room.question(&foreign(), "process", json!({"action": "keep"})).await;
    for line in ["  old mode 100644", "  new mode 100755", "  new file mode 100755", "  new mode 100644"] {
        assert!(question.lines.iter().any(|told| told == line), "{line}: {:?}", question.lines);
    }
    let kept = room.agreed(&foreign(), "process", json!({"action": "keep"})).await;
    assert_eq!(
        kept.text,
        "wrote data.sh (10 bytes, no longer executable)\nwrote new.sh (9 bytes, new, executable)\nwrote old.sh (9 bytes, executable)"
    );
    assert_eq!(["data.sh", "new.sh", "old.sh"].map(|path| mode(&room, path)), [0o644, 0o755, 0o755]);
    assert_eq!(room.text("old.sh").as_deref(), Some("echo old\n"));
    // Not by what is written over it later.
    room.said("write", json!({"path": "old.sh", "content": "echo older\n"})).await;
    assert_eq!(mode(&room, "old.sh"), 0o755);
    assert!(
        room.labels()
            .label_of_file(&WorkspacePath::parse("new.sh", "/").unwrap(), b"echo new\n", krabba_types::Timestamp(i64::MAX))
            .is_ok_and(|label| !label.is_own())
    );
}
