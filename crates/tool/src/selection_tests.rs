//! What a choice leaves on.

use krabba_types::ModelRef;

use crate::{Keeps, Selection, Step};

fn step(place: &str, route: Option<&str>, keeps: Keeps, names: &[&str]) -> Step {
    let names = names.iter().map(|name| (*name).to_owned()).collect();
    Step { place: place.to_owned(), route: route.map(str::to_owned), names, keeps }
}

#[test]
fn later_step_gives_nothing_back() {
    let steps = vec![
        step("profile", None, Keeps::These, &["read", "web_*", "group:plugins"]),
        step("allow", None, Keeps::These, &["*"]),
        step("deny", None, Keeps::Others, &["web_f*h", "*__delete*"]),
        step("by", Some("LMStudio"), Keeps::Others, &["read"]),
        step("by-model", Some("lmstudio/Qwen"), Keeps::These, &["read"]),
    ];
    let own = ["read", "exec", "web_search", "web_fetch"].map(str::to_owned).to_vec();
    let selection = Selection { steps, own };
    let off = |tool| selection.off(tool);
    assert_eq!([off("read"), off("Web_Search"), off("mail__send")], [None, None, None]);
    assert_eq!([off("exec"), off("web_fetch"), off("mail__delete_all")], [Some("profile"), Some("deny"), Some("deny")]);
    let other = ModelRef::parse("ollama/qwen").unwrap();
    let (small, large) = (ModelRef::parse("lmstudio/qwen").unwrap(), ModelRef::parse("lmstudio/other").unwrap());
    assert_eq!([&other, &small, &large].map(|route| selection.off_for("read", route)), [None, Some("by"), Some("by")]);
    assert_eq!([&other, &small, &large].map(|route| selection.off_for("web_search", route)), [None, Some("by-model"), None]);
    assert_eq!(Selection::default().off_for("anything", &small), None);
}

#[test]
fn star_stands_for_any_letters_and_nothing_else_does() {
    let off = |pattern: &str, tool: &str| {
        let steps = vec![step("deny", None, Keeps::Others, &[pattern])];
        Selection { steps, own: Vec::new() }.off(tool).is_some()
    };
    for (pattern, tool) in [("*", "read"), ("read", "read"), ("r*d", "read"), ("*e*", "read"), ("a**b", "ab"), ("re*ad", "read")] {
        assert!(off(pattern, tool), "{pattern} {tool}");
    }
    for (pattern, tool) in [("rea", "read"), ("read*d", "read"), ("r.ad", "read"), ("ab*ba", "aba"), ("", "read"), ("*x*", "read")] {
        assert!(!off(pattern, tool), "{pattern} {tool}");
    }
}
