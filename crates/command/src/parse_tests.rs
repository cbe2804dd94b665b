//! What people type, and what they mean by it.

use krabba_types::Thinking;
use proptest::prelude::*;

use crate::{COMMANDS, Command, CommandError, ModelWish, ModelsWish, PageSize, Switch, ThinkWish, parse};

const ALIASES: [&str; 3] = ["qwen", "MiniMax Local", "minimax"];

fn read(text: &str) -> Result<Option<Command>, CommandError> {
    parse(text, ALIASES)
}

fn command(text: &str) -> Command {
    read(text).unwrap().unwrap()
}

fn use_model(name: &str, message: Option<&str>) -> Command {
    Command::Model(ModelWish::Use { name: name.to_owned(), message: message.map(str::to_owned) })
}

#[test]
fn openclaw_spellings_are_understood() {
    assert_eq!(command("/model lmstudio/qwen/qwen3:8b@q4_k_m"), use_model("lmstudio/qwen/qwen3:8b@q4_k_m", None));
    assert_eq!(command("/model: qwen "), use_model("qwen", None));
    assert_eq!(command("/model"), Command::Model(ModelWish::Show));
    assert_eq!(command("/MODEL Status"), Command::Model(ModelWish::Status));
    assert_eq!(command("/model list"), Command::Models(ModelsWish::default()));
    let high = |message: Option<&str>| Command::Think(ThinkWish::Use { level: Thinking::High, message: message.map(str::to_owned) });
    assert_eq!(command("/t high"), high(None));
    assert_eq!(command("/think:xhigh"), high(None));
    assert_eq!(command("/thinking: max solve it"), high(Some("solve it")));
    assert_eq!(command("/think default"), Command::Think(ThinkWish::Default));
    assert_eq!(command("/reasoning stream"), Command::Reasoning(Some(Switch::On)));
    assert_eq!(command("/reset hello there"), Command::New { message: Some("hello there".to_owned()) });
    assert_eq!(command("/compact keep the names"), Command::Compact);
    assert_eq!(command("stop"), Command::Stop);
    assert_eq!(command("/exit"), Command::Quit);
}

#[test]
fn models_takes_provider_page_and_size() {
    let wish = |provider: Option<&str>, page, size| Command::Models(ModelsWish { provider: provider.map(str::to_owned), page, size });
    assert_eq!(command("/models"), wish(None, 1, None));
    assert_eq!(command("/models lmstudio 2 limit=50"), wish(Some("lmstudio"), 2, Some(PageSize::Entries(50))));
    assert_eq!(command("/models all"), wish(None, 1, Some(PageSize::All)));
    assert!(matches!(read("/models limit=0"), Err(CommandError::Misused { .. })));
    assert!(matches!(read("/models one two"), Err(CommandError::Misused { .. })));
}

#[test]
fn alias_is_a_command_with_or_without_a_message() {
    assert_eq!(command("/qwen"), use_model("qwen", None));
    assert_eq!(command("/QWEN: what is a crab?"), use_model("qwen", Some("what is a crab?")));
    assert_eq!(command("/minimax local hello"), use_model("MiniMax Local", Some("hello")));
    assert_eq!(command("/minimax locally grown"), use_model("minimax", Some("locally grown")));
}

#[test]
fn text_that_only_begins_with_a_slash_is_a_message() {
    for text in ["/home/anna/notes.txt is missing", "//", "/", " /help", "", "hello /help", "stop it", "/ help"] {
        assert_eq!(read(text), Ok(None), "{text}");
    }
}

#[test]
fn mistyped_command_is_not_sent_to_the_model() {
    let error = read("/modle qwen").unwrap_err();
    assert_eq!(
        error.to_string(),
        "there is no command /modle (did you mean /model or /models?); /help shows all. To send text that begins with a slash, put a space before it"
    );
    assert_eq!(read("/qwne").unwrap_err(), CommandError::Unknown { name: "qwne".to_owned(), closest: vec!["qwen".to_owned()] });
    assert_eq!(read("/zebra").unwrap_err(), CommandError::Unknown { name: "zebra".to_owned(), closest: Vec::new() });
}

#[test]
fn misuse_names_the_use() {
    let error = read("/think loud").unwrap_err();
    assert_eq!(
        error.to_string(),
        "/think: \"loud\" is not a thinking level; use off, low, medium or high; use it as /think [off|low|medium|high|default]"
    );
    assert!(matches!(read("/image"), Err(CommandError::Misused { command: "image", .. })));
    assert!(matches!(read("/status now"), Err(CommandError::Misused { command: "status", .. })));
}

#[test]
fn every_name_in_the_list_is_a_command() {
    for entry in COMMANDS {
        for name in std::iter::once(&entry.name).chain(entry.also) {
            let parsed = read(&format!("/{name} x.png"));
            assert!(!matches!(parsed, Ok(None) | Err(CommandError::Unknown { .. })), "/{name}");
        }
    }
}

proptest! {
    #[test]
    fn no_line_breaks_the_parser(text in "/?[a-z:/ \u{130}\u{df}]{0,12}.*") {
        let _ = read(&text);
    }
}
