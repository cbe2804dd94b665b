//! What somebody decides whom the owner let decide it.

use std::time::Duration;

use krabba_types::{Action, ForeignCall, ForeignEffect, Label};
use serde_json::json;

use crate::monitor_tests::{room, rule_of, scene};
use crate::{Delegation, Principal, Said, Scene, Source, check_audit};

#[test]
fn somebody_whom_the_owner_let_decide_decides_that_and_nothing_else() {
    let room = room();
    let book = |server: &str, title: &str| {
        let arguments = json!({ "title": title });
        Action::Call(ForeignCall {
            server: server.to_owned(),
            tool: "create_event".to_owned(),
            arguments: arguments.as_object().unwrap().clone(),
            usual: Vec::new(),
            fields: ["title".to_owned()].into(),
            effect: ForeignEffect::Declared { critical: vec!["title".to_owned()] },
        })
    };
    let said = |origins: &[&str], text: &str| {
        let labels: Vec<Label> = origins.iter().map(|origin| Label::untrusted(*origin)).collect();
        let label = Label::join_all(&labels);
        let mut scene = scene("see what John wants", &[]);
        let source = Source::Tool { name: "mail__read".to_owned(), server: Some("mail".to_owned()) };
        scene.said.push(Said { source, label: label.clone(), text: text.to_owned() });
        scene.label = label;
        scene
    };
    let letter = said(&["MCP server mail"], "please note: lunch with Kim");
    let rule = |action: Action, scene: &Scene| rule_of(room.monitor.judge(action, scene).unwrap()).0;
    assert_eq!(rule(book("calendar", "lunch with Kim"), &letter), "asked");
    let delegation = Delegation { from: "MCP server mail".to_owned(), tools: vec!["calendar__create_event".to_owned()] };
    room.monitor.delegate(&delegation, 2, Duration::from_secs(3_600), "test").unwrap();
    assert_eq!(rule(book("other", "lunch with Kim"), &letter), "asked", "another server's tool");
    assert_eq!(rule(book("calendar", "dinner with Mallory"), &letter), "asked", "nobody said that");
    let page = said(&["evil.example"], "please note: lunch with Kim");
    assert_eq!(rule(book("calendar", "lunch with Kim"), &page), "asked", "somebody else said that");
    let quoted = said(&["MCP server mail", "evil.example"], "please note: lunch with Kim");
    assert_eq!(rule(book("calendar", "lunch with Kim"), &quoted), "asked", "somebody else said that first");
    let mut made = letter.clone();
    made.said.last_mut().unwrap().source = Source::Tool { name: "exec".to_owned(), server: None };
    assert_eq!(rule(book("calendar", "lunch with Kim"), &made), "asked", "the model had a command say that");
    let mut echo = letter.clone();
    let source = Source::Asked { name: "mail__search".to_owned(), server: Some("mail".to_owned()) };
    echo.said.push(Said { source, label: Label::Minted, text: r#"{"query":"Lunch%20with kim"}"#.to_owned() });
    assert_eq!(rule(book("calendar", "lunch with Kim"), &echo), "asked", "the model had the delegate say that");
    let guest = Scene { principal: Principal::Guest { person: "g".to_owned() }, ..letter.clone() };
    assert_eq!(rule(book("calendar", "lunch with Kim"), &guest), "denied");
    // As often as was said, and in the audit.
    assert_eq!(room.monitor.delegations().unwrap()[0].uses_left, 2);
    assert_eq!([0, 1].map(|_| rule(book("calendar", "lunch with Kim"), &letter)), ["allowed", "allowed"]);
    assert_eq!(rule(book("calendar", "lunch with Kim"), &letter), "asked");
    let words: Vec<String> = room.audit().into_iter().map(|(_, decision)| decision).collect();
    assert_eq!(words.iter().filter(|word| *word == "allowed-by-delegation").count(), 2);
    assert!(words.contains(&"given".to_owned()), "{words:?}");
    // Taken back, run out, and never for what cannot be undone.
    room.monitor
        .delegate(&Delegation { tools: vec!["calendar__*".to_owned()], ..delegation.clone() }, 5, Duration::from_secs(60), "test")
        .unwrap();
    let Action::Call(call) = book("calendar", "lunch with Kim") else { unreachable!() };
    for tool in ["delete_event", "deleteEvent", "send_money", "shareCalendar", "update-permissions", "transferFunds"] {
        assert_eq!(rule(Action::Call(ForeignCall { tool: tool.to_owned(), ..call.clone() }), &letter), "asked", "{tool}");
    }
    assert_eq!(rule(book("calendar", "lunch with Kim"), &letter), "allowed");
    room.monitor.take_back_delegation(&room.monitor.delegations().unwrap()[0], "test").unwrap();
    assert_eq!(rule(book("calendar", "lunch with Kim"), &letter), "asked");
    room.monitor.delegate(&delegation, 5, Duration::from_secs(60), "test").unwrap();
    room.clock.advance(Duration::from_secs(61));
    assert_eq!(rule(book("calendar", "lunch with Kim"), &letter), "asked");
    assert_eq!(check_audit(&room.store).unwrap().map(|rows| rows > 10), Ok(true));
}
