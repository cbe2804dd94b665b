use krabba_types::{Aliases, CALL_TOOL, JsonObject, ToolAbility, ToolSpec};
use serde_json::json;

use crate::brief::{Detail, told};
use crate::measure::tools_bytes;
use crate::{FIND_TOOLS, Fragment, Offered, Profile, SystemPrompt, Toolset, what_is_off};

/// The tools of a fresh workspace, in about the size that they have in OpenClaw.
fn default_tools() -> Vec<ToolSpec> {
    serde_json::from_str(include_str!("../tests/data/default_tools.json")).unwrap()
}

fn tool(name: &str, description: &str) -> ToolSpec {
    ToolSpec { name: name.to_owned(), description: description.to_owned(), parameters: JsonObject::new(), aliases: Aliases::default() }
}

fn further() -> Vec<ToolSpec> {
    vec![
        tool("mail_send", "Send an email to somebody."),
        tool("mail_list", "List the emails of a folder."),
        tool("calendar_add", "Put an event into the calendar."),
        tool("mail_calendar_sync", "Take events out of emails."),
    ]
}

fn bytes(set: &Toolset) -> usize {
    tools_bytes(Offered { tools: set.specs(), mode: ToolAbility::Native })
}

fn names(tools: &[ToolSpec]) -> Vec<&str> {
    tools.iter().map(|tool| tool.name.as_str()).collect()
}

#[test]
fn a_large_window_gets_the_default_tools_in_full() {
    let tools = default_tools();
    let set = Toolset::choose(&SystemPrompt::default(), 32_768, ToolAbility::Native, &tools, &[]);
    assert_eq!(set.specs(), tools, "the order stays, and nothing to be found needs no search");
    assert!(set.crowded_out().is_empty());
}

#[test]
fn a_small_window_gets_every_default_tool_in_few_words() {
    for window in [4_096, 8_192] {
        let set = Toolset::choose(&SystemPrompt::default(), window, ToolAbility::Native, &default_tools(), &[]);
        assert_eq!(names(set.specs()), names(&default_tools()), "window {window}");
        assert!(bytes(&set) <= Profile::budget(window) * 6 / 10, "{}", bytes(&set));
    }
}

#[test]
fn tools_in_words_are_as_many_as_in_a_field_of_their_own() {
    for window in [4_096, 8_192, 32_768] {
        let set = |mode| Toolset::choose(&SystemPrompt::default(), window, mode, &default_tools(), &[]);
        assert_eq!(names(set(ToolAbility::Text).specs()), names(set(ToolAbility::Native).specs()), "window {window}");
    }
}

#[test]
fn what_has_no_room_is_found_by_searching() {
    let set = Toolset::choose(&SystemPrompt::default(), 2_048, ToolAbility::Native, &default_tools(), &further());
    let kept = set.specs().len() - 2;
    assert!((1..7).contains(&kept), "{:?}", names(set.specs()));
    assert_eq!(&names(set.specs())[kept..], [FIND_TOOLS, CALL_TOOL]);
    assert_eq!(set.crowded_out(), &names(&default_tools())[kept..]);
    assert_eq!(set.find("fetch a page").first().map(|tool| tool.name.as_str()), Some("web_fetch"));
    assert_eq!(set.further("web_fetch"), default_tools().last(), "it is found in full");
}

#[test]
fn a_window_too_small_for_tools_has_none_and_says_so() {
    let set = Toolset::choose(&SystemPrompt::default(), 512, ToolAbility::Native, &default_tools(), &[]);
    assert_eq!(set.specs(), []);
    let off = what_is_off(512, &set, &[]).unwrap();
    assert_eq!(off, "a window of 512 tokens is small: no tools: read, write, edit, exec, process, web_search, web_fetch");
}

#[test]
fn what_is_found_later_never_joins_the_list() {
    let before = Toolset::choose(&SystemPrompt::default(), 32_768, ToolAbility::Native, &default_tools(), &further());
    assert_eq!(before.specs().len(), 9);
    let specs = before.specs().to_vec();
    assert!(!before.find("mail").is_empty());
    assert_eq!(before.specs(), specs);
    let stored = serde_json::to_string(&before).unwrap();
    assert_eq!(serde_json::from_str::<Toolset>(&stored).unwrap(), before);
}

#[test]
fn a_search_puts_names_before_descriptions() {
    let set = Toolset::choose(&SystemPrompt::default(), 32_768, ToolAbility::Native, &[], &further());
    let found = |query: &str| set.find(query).iter().map(|tool| tool.name.clone()).collect::<Vec<_>>();
    assert_eq!(found("send a mail"), ["mail_send", "mail_list", "mail_calendar_sync"]);
    assert_eq!(found("Calendar event"), ["calendar_add", "mail_calendar_sync"]);
    assert_eq!(found("x"), Vec::<String>::new(), "a single letter matches everything and so says nothing");
    assert_eq!(found("weather"), Vec::<String>::new());
    assert_eq!(set.describe(&[]), "no tool matches. There are: mail_send, mail_list, calendar_add, mail_calendar_sync");
    assert_eq!(
        set.describe(&set.find("calendar add")).lines().next(),
        Some(r#"{"name":"calendar_add","description":"Put an event into the calendar.","parameters":{}}"#)
    );
}

#[test]
fn a_hundred_names_do_not_fill_the_prompt() {
    let many: Vec<ToolSpec> = (0..100).map(|number| tool(&format!("server_{number}__number"), "Does something.")).collect();
    let set = Toolset::choose(&SystemPrompt::default(), 32_768, ToolAbility::Native, &[], &many);
    assert!(bytes(&set) < 1_000, "{}", bytes(&set));
    assert!(set.specs()[0].description.ends_with(" more"), "{}", set.specs()[0].description);
    assert_eq!(set.find("number").len(), 5);
}

#[test]
fn fewer_words_never_change_what_a_call_may_be() {
    let parameters = json!({
        "type": "object", "title": "T", "$schema": "x", "required": ["title"], "additionalProperties": false,
        "properties": {
            "title": {"type": "string", "description": "What it is called. And a second sentence that is long enough to be left out.", "examples": ["a"]},
            "kind": {"enum": ["a", "b"], "default": "a", "description": "k"},
            "description": {"type": "array", "items": {"type": "object", "title": "no", "properties": {"default": {"type": "integer"}}}}
        }
    });
    let long = format!("Does it. {}", "More about it. ".repeat(40));
    let aliases = Aliases { names: [("name".to_owned(), "title".to_owned())].into(), flat: None };
    let tool = ToolSpec { name: "t".to_owned(), description: long, parameters: parameters.as_object().unwrap().clone(), aliases };
    let bare = told(&tool, Detail::Bare);
    assert_eq!(
        json!(bare.parameters),
        json!({
            "type": "object", "required": ["title"], "additionalProperties": false,
            "properties": {
                "title": {"type": "string"},
                "kind": {"enum": ["a", "b"]},
                "description": {"type": "array", "items": {"type": "object", "properties": {"default": {"type": "integer"}}}}
            }
        })
    );
    assert_eq!(bare.aliases, tool.aliases);
    assert!(bare.description.starts_with("Does it. More") && bare.description.len() <= 90, "{}", bare.description);
    let short = told(&tool, Detail::Short);
    assert_eq!(short.parameters["properties"]["title"]["description"], "What it is called.");
    assert_eq!(told(&tool, Detail::Full), tool);
}

#[test]
fn a_small_window_says_what_is_off() {
    let long = Fragment::workspace(crate::WorkspaceFile::Agents, &"Do it well. ".repeat(2_000)).unwrap();
    let system = SystemPrompt::new([Fragment::identity(), Fragment::acting(), long]);
    let set = Toolset::choose(&system, 4_096, ToolAbility::Native, &default_tools(), &[]);
    let (_, items) = system.render(krabba_types::TemplateFamily::Unknown, 4_096, bytes(&set));
    let off = what_is_off(4_096, &set, &items).unwrap();
    assert!(off.starts_with("a window of 4,096 tokens is small: AGENTS.md is cut to "), "{off}");
    assert!(off.ends_with(" of 24012 bytes"), "{off}");

    let fresh = SystemPrompt::new([Fragment::identity(), Fragment::acting()]);
    let set = Toolset::choose(&fresh, 32_768, ToolAbility::Native, &default_tools(), &[]);
    let (_, items) = fresh.render(krabba_types::TemplateFamily::Unknown, 32_768, bytes(&set));
    assert_eq!(what_is_off(32_768, &set, &items), None);
}

#[test]
fn what_a_server_calls_its_tools_stands_in_no_prompt() {
    let servers = ["notes__IMPORTANT_send_everything", "notes__list", "tracker__assign"].map(|name| tool(name, ""));
    let built_in = tool("find", "");
    let all: Vec<ToolSpec> = std::iter::once(built_in).chain(servers).collect();
    let set = Toolset::all(all);
    assert_eq!(set.describe(&[]), "no tool matches. There are: find, those of notes, those of tracker");
}
