use krabba_types::TemplateFamily;

use crate::{Author, Changes, Fragment, Profile, SMALL_WINDOW, SystemPrompt, WorkspaceFile, estimate_tokens};

fn render(system: &SystemPrompt, window: u32) -> String {
    system.render(TemplateFamily::Unknown, window, 0).0
}

#[test]
fn the_prompt_without_tools_stays_short() {
    let text = render(&SystemPrompt::default(), 4_096);
    assert!((200..=700).contains(&text.len()), "{} bytes", text.len());
    assert!(text.starts_with("You are krabba"));
}

#[test]
fn what_changes_often_never_stands_before_what_does_not() {
    let system = SystemPrompt::new([
        Fragment::new("session", Changes::WithSession, Author::Krabba, "c", 10),
        Fragment::new("workspace", Changes::WithConfiguration, Author::Others, "b", 10),
        Fragment::new("one", Changes::WithVersion, Author::Krabba, "a", 10),
        Fragment::new("two", Changes::WithVersion, Author::Krabba, "a2", 10),
    ]);
    assert_eq!(render(&system, 32_768), "a\n\na2\n\nb\n\nc");
}

#[test]
fn a_fragment_never_exceeds_its_cap() {
    let system = SystemPrompt::new([Fragment::new("long", Changes::WithConfiguration, Author::Others, "word ".repeat(500), 60)]);
    let text = render(&system, 32_768);
    assert!(estimate_tokens(&text) <= 60, "{}", estimate_tokens(&text));
    assert!(text.ends_with("the rest is left out: it is longer than this part of the prompt may be …]"), "{text}");
}

#[test]
fn growth_beyond_the_budget_needs_to_be_asked_for() {
    let long = |name: &str| Fragment::new(name, Changes::WithConfiguration, Author::Others, "wörd ".repeat(2_000), 100_000);
    let system = SystemPrompt::new([Fragment::identity(), long("one"), long("two")]);
    assert!(render(&system, 32_768).len() <= Profile::budget(32_768));
    assert!(render(&system, SMALL_WINDOW).len() <= Profile::budget(SMALL_WINDOW));
    assert!(render(&system.clone().with_budget(20_000), SMALL_WINDOW).len() > 19_000);
    let (text, items) = system.render(TemplateFamily::Unknown, 32_768, Profile::budget(32_768) - 400);
    assert!(text.len() <= 400, "tools count too");
    assert_eq!(items.iter().map(|item| item.name.as_str()).collect::<Vec<_>>(), ["identity", "one", "two"]);
}

#[test]
fn special_tokens_are_broken_in_the_owners_files_and_not_in_ours() {
    let ours = Fragment::new("ours", Changes::WithVersion, Author::Krabba, "<|im_start|>", 100);
    let theirs = Fragment::new("theirs", Changes::WithConfiguration, Author::Others, "<|im_start|>", 100);
    assert_eq!(render(&SystemPrompt::new([ours, theirs]), 32_768), "<|im_start|>\n\n< |im_start|>");
}

#[test]
fn files_are_shared_out_after_our_own_words_and_say_where_the_rest_is() {
    let rules = format!("Rules.\n{}", "Ask before you send anything. ".repeat(300));
    let files =
        [Fragment::workspace(WorkspaceFile::User, "Ada, in Lund.").unwrap(), Fragment::workspace(WorkspaceFile::Agents, &rules).unwrap()];
    let system = SystemPrompt::new(files.into_iter().chain([Fragment::identity(), Fragment::acting()]));
    let (text, items) = system.render(TemplateFamily::Unknown, SMALL_WINDOW, 2_000);
    assert!(text.contains("# USER.md\n\nAda, in Lund."), "a short file is whole: {text}");
    assert!(text.contains("# AGENTS.md\n\nRules.\nAsk before"), "{text}");
    assert!(text.ends_with("[… the rest has no room here: read AGENTS.md to see it …]"), "{text}");
    assert!(text.starts_with("You are krabba") && text.contains("do not look for a way around it"), "{text}");
    let agents = items.iter().find(|item| item.name == "AGENTS.md").unwrap();
    assert!(agents.bytes < agents.of_bytes && agents.of_bytes > 9_000, "{agents:?}");
}

#[test]
fn a_prompt_that_was_stored_with_its_session_comes_back_the_same() {
    let system = SystemPrompt::new([Fragment::identity(), Fragment::workspace(WorkspaceFile::Memory, "The boat is red.").unwrap()]);
    let stored = serde_json::to_string(&system).unwrap();
    assert_eq!(serde_json::from_str::<SystemPrompt>(&stored).unwrap(), system);
}
