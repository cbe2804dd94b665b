//! `messages`: what a message does that arrives while an answer is under way.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How messages are taken.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-ignored" = ["ackReaction", "ackReactionScope", "groupChat", "inbound", "messagePrefix", "removeAckAfterReply", "responsePrefix",
    "suppressToolErrors", "tts", "visibleReplies"]))]
pub struct Messages {
    /// Messages that arrive while a turn works.
    pub queue: MessageQueue,
}

/// Messages that arrive while a turn works.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-ignored" = ["byChannel", "cap", "debounceMs", "debounceMsByChannel", "drop"]))]
pub struct MessageQueue {
    /// What such a message does.
    #[schemars(extend("x-default" = "steer"))]
    pub mode: Option<QueueMode>,
}

/// What a message does that arrives while a turn works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum QueueMode {
    /// The turn ends between two steps, and the message is answered with what was found out.
    Steer,
    /// The same.
    Queue,
    /// The same: nothing of the message is lost by it.
    SteerBacklog,
    /// It waits its turn.
    Followup,
    /// It waits, and is answered together with all that waited.
    Collect,
    /// It stops the turn.
    Interrupt,
}
