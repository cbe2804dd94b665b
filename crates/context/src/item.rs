//! What contributes how much to a prompt.

use std::fmt;

use krabba_types::{Message, ToolSpec};

use crate::estimate::estimate_tokens;
use crate::fit::grouped;
use crate::measure::{message_bytes, message_tokens, tool_bytes, tool_tokens};
use crate::profile::Profile;
use crate::toolset::Toolset;

/// A contributor to the prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// What it is.
    pub source: Source,
    /// The name of a fragment or a tool, `note`, `history` or `last message`.
    pub name: String,
    /// Its size in bytes.
    pub bytes: usize,
    /// Its size in tokens, estimated.
    pub tokens: u32,
    /// What it would have in bytes, had it all the room that it wants. More than `bytes` only for what was cut off.
    pub of_bytes: usize,
}

/// What an [`Item`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// A piece of the system prompt.
    Fragment,
    /// The description of a tool.
    Tool,
    /// What was said.
    Conversation,
}

impl Item {
    /// The size of a text, before correction.
    pub(crate) fn of(source: Source, name: String, text: &str) -> Self {
        Self { source, name, bytes: text.len(), tokens: estimate_tokens(text), of_bytes: text.len() }
    }

    pub(crate) fn of_tool(tool: &ToolSpec) -> Self {
        let bytes = tool_bytes(tool);
        Self { source: Source::Tool, name: tool.name.clone(), bytes, tokens: tool_tokens(tool), of_bytes: bytes }
    }

    pub(crate) fn of_messages<'message>(name: &str, messages: impl Iterator<Item = &'message Message> + Clone) -> Self {
        let bytes = messages.clone().map(message_bytes).sum();
        let tokens = messages.map(message_tokens).fold(0, u32::saturating_add);
        Self { source: Source::Conversation, name: name.to_owned(), bytes, tokens, of_bytes: bytes }
    }

    pub(crate) fn out_of(self, bytes: usize) -> Self {
        Self { of_bytes: bytes.max(self.bytes), ..self }
    }
}

/// What a model is not told for want of room, as a line for the person. `None` when it is told everything. It is the same in
/// every request of a session on a route, so that it need be said once.
pub fn what_is_off(window: u32, tools: &Toolset, items: &[Item]) -> Option<String> {
    let mut off = Vec::new();
    match (tools.crowded_out(), tools.specs()) {
        ([], _) => {}
        (names, []) => off.push(format!("no tools: {}", names.join(", "))),
        (names, _) => off.push(format!("found by searching only: {}", names.join(", "))),
    }
    let fragments = items.iter().filter(|item| item.source == Source::Fragment && item.bytes < item.of_bytes);
    off.extend(fragments.map(|item| match item.bytes {
        0 => format!("{} is left out", item.name),
        bytes => format!("{} is cut to {bytes} of {} bytes", item.name, item.of_bytes),
    }));
    if off.is_empty() {
        return None;
    }
    let why = match Profile::for_window(window) {
        Profile::Reduced => format!("a window of {} tokens is small", grouped(window)),
        Profile::Full => "the first prompt is kept small".to_owned(),
    };
    Some(Off { why, off }.to_string())
}

struct Off {
    why: String,
    off: Vec<String>,
}

impl fmt::Display for Off {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.why, self.off.join("; "))
    }
}
