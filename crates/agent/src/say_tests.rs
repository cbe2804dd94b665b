//! A listener that is slow, and one that is gone.

use tokio::sync::mpsc;

use crate::say::Speaker;
use crate::{Status, TurnEvent};

fn text(text: &str) -> TurnEvent {
    TurnEvent::Text(text.to_owned())
}

async fn heard_after(said: Vec<TurnEvent>) -> Vec<TurnEvent> {
    let (sender, mut events) = mpsc::channel(1);
    let mut speaker = Speaker::new(sender);
    said.into_iter().for_each(|event| speaker.say(event));
    let finishing = tokio::spawn(speaker.finish());
    let mut heard = Vec::new();
    while let Some(event) = events.recv().await {
        heard.push(event);
    }
    finishing.await.unwrap();
    heard
}

#[tokio::test]
async fn slow_listener_gets_merged_text_and_misses_no_byte() {
    let said = "krabba is a crab".split_inclusive(' ').map(text).collect();
    assert_eq!(heard_after(said).await, [text("krabba "), text("is a crab")]);
}

#[tokio::test]
async fn slow_listener_gets_only_the_latest_status() {
    let thinking = |tokens| TurnEvent::Status(Status::Thinking { tokens });
    let said =
        vec![TurnEvent::Status(Status::Waiting), thinking(1), thinking(2), TurnEvent::Status(Status::Answering), text("a"), thinking(3)];
    assert_eq!(heard_after(said).await, [TurnEvent::Status(Status::Waiting), text("a"), thinking(3)]);
}

#[tokio::test]
async fn text_that_was_taken_back_is_not_said_afterwards() {
    let restarted = TurnEvent::Restarted { why: "again".to_owned() };
    let notice = TurnEvent::Notice("n".to_owned());
    let said = vec![text("heard"), text("void"), notice.clone(), TurnEvent::Reasoning("void".to_owned()), restarted.clone(), text("new")];
    assert_eq!(heard_after(said).await, [text("heard"), notice, restarted, text("new")]);
}

#[tokio::test]
async fn listener_that_is_gone_does_not_hold_up_the_end() {
    let (sender, events) = mpsc::channel(1);
    let mut speaker = Speaker::new(sender);
    speaker.say(text("one"));
    speaker.say(text("two"));
    drop(events);
    speaker.say(text("three"));
    speaker.finish().await;
}
