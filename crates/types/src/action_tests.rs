use crate::{PathError, WorkspacePath};

const ROOT: &str = "/home/ada/workspace";

fn parsed(text: &str) -> Result<String, PathError> {
    WorkspacePath::parse(text, ROOT).map(String::from)
}

#[test]
fn a_path_in_the_workspace_has_one_spelling() {
    for (text, expected) in [
        ("notes.md", "notes.md"),
        ("./src//main.rs", "src/main.rs"),
        ("src/../notes.md", "notes.md"),
        ("/home/ada/workspace/notes.md", "notes.md"),
        ("/home/ada/workspace", ""),
        ("", ""),
        (".", ""),
        ("/home/ada/workspace/a/../b", "b"),
    ] {
        assert_eq!(parsed(text).as_deref(), Ok(expected), "{text}");
    }
}

#[test]
fn no_spelling_leads_out_of_the_workspace() {
    for text in ["..", "../secret", "a/../../secret", "/etc/passwd", "/home/ada/workspace2/x", "/home/ada/workspace/../.ssh/id", "/"] {
        assert_eq!(parsed(text), Err(PathError::Outside { path: text.to_owned() }), "{text}");
    }
    assert_eq!(parsed("a\nb"), Err(PathError::Control));
    assert_eq!(parsed("a\0b"), Err(PathError::Control));
}

#[test]
fn a_stored_path_is_read_only_in_its_one_spelling() {
    let read = |text: &str| serde_json::from_value::<WorkspacePath>(serde_json::json!(text)).map(String::from);
    assert_eq!(read("src/main.rs").ok().as_deref(), Some("src/main.rs"));
    for text in ["/etc/passwd", "../x", "a/./b", "a//b", "a/"] {
        assert!(read(text).is_err(), "{text}");
    }
}

#[test]
fn what_is_joined_stays_below() {
    let path = WorkspacePath::parse("src", ROOT).unwrap();
    assert_eq!(path.join("main.rs").unwrap().as_str(), "src/main.rs");
    assert_eq!(path.join("/main.rs").unwrap().as_str(), "src/main.rs");
    assert_eq!(WorkspacePath::root().join("a").unwrap().as_str(), "a");
    assert!(path.join("../..").is_err());
}
