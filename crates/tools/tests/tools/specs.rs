//! What a model sees of the tools.

use std::time::Duration;

use krabba_net::{Egress, HttpClient, Url};
use krabba_tools::{FetchSettings, SearchSettings};
use krabba_types::{Aliases, ToolSpec};

use crate::room::Room;

/// To be read when it changes: each word of it is paid for in every first request.
#[tokio::test]
async fn specs_are_as_written_down() {
    let endpoint = Url::parse("https://search.example/").unwrap();
    let search = SearchSettings { http: HttpClient::new(Egress::none()), endpoint, count: None, timeout: Duration::from_secs(1) };
    let specs = Room::with_web(Some(FetchSettings::default()), Some(search)).tools.specs();
    let told = specs.into_iter().map(|spec| ToolSpec { aliases: Aliases::default(), ..spec });
    let lines: Vec<String> = told.map(|spec| serde_json::to_string(&spec).unwrap()).collect();
    let text = lines.join("\n") + "\n";
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tools/specs.jsonl");
    if std::env::var_os("KRABBA_BLESS").is_some() {
        std::fs::write(path, &text).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap_or_default(), text, "KRABBA_BLESS=1 writes it anew");
}
