//! What a model made up, on its way to a person.

use krabba_types::{CallChannel, CallId, JsonObject, ModelEvent, ToolCall};
use tokio::sync::mpsc;

use crate::answer::{Answer, ReasoningShown};
use crate::say::Speaker;

#[tokio::test]
async fn the_name_of_a_made_up_tool_steers_no_terminal() {
    let (sender, _listener) = mpsc::channel(8);
    let mut speaker = Speaker::new(sender);
    let mut answer = Answer::default();
    for name in ["\u{1b}]0;x\u{7}\u{202e}read\n", "write"] {
        let call = ToolCall {
            id: CallId::new("1"),
            name: name.to_owned() + &"e".repeat(100),
            arguments: JsonObject::new(),
            channel: CallChannel::default(),
        };
        answer.take(ModelEvent::ToolCall(call), ReasoningShown::No, &mut speaker);
    }
    let expected = format!("the model wanted to use a tool (\"]0;xread{}\") that it does not have, and said nothing else", "e".repeat(56));
    assert_eq!(answer.nothing_said().message, expected);
}
