//! What the person wants said, and has not been: messages that wait for an answer to end, and pictures for the next one.

use std::collections::VecDeque;

use krabba_agent::{Arriving, Input};
use krabba_types::{Image, Part};

/// Messages and pictures that wait.
#[derive(Default)]
pub(super) struct Unsent {
    waiting: VecDeque<Message>,
    /// Pictures that go with the next message.
    attached: Vec<Image>,
}

/// A message, and the line that it was written as.
pub(super) struct Message {
    pub(super) typed: String,
    pub(super) input: Input,
}

impl Unsent {
    /// A picture for the next message.
    pub(super) fn attach(&mut self, image: Image) {
        self.attached.push(image);
    }

    /// Gives a message the pictures that are there for it.
    pub(super) fn complete(&mut self, mut message: Message) -> Message {
        message.input.parts.extend(self.attached.drain(..).map(Part::Image));
        message
    }

    /// Lets a message wait.
    pub(super) fn wait(&mut self, message: Message) {
        self.waiting.push_back(message);
    }

    /// The next message; where they are to be answered together, with those behind it that are to be answered alike.
    pub(super) fn next(&mut self, arriving: Arriving) -> Option<Message> {
        let mut message = self.waiting.pop_front()?;
        if arriving == Arriving::Collect {
            let alike =
                |one: &Input, other: &Input| (&one.model, one.thinking, &one.residency) == (&other.model, other.thinking, &other.residency);
            while let Some(more) = self.waiting.pop_front_if(|more| alike(&more.input, &message.input)) {
                message.input.parts.extend(more.input.parts);
                message.input.pasted.extend(more.input.pasted);
                message.typed = format!("{}\n{}", message.typed, more.typed);
            }
        }
        Some(message)
    }

    /// Takes back what waits: the lines as they were written. Their pictures go with the next message.
    pub(super) fn take_back(&mut self) -> Vec<String> {
        let messages: Vec<Message> = self.waiting.drain(..).collect();
        let take = |message: Message| {
            self.attached.extend(message.input.parts.into_iter().filter_map(|part| match part {
                Part::Image(image) => Some(image),
                Part::Text(_) | Part::Reasoning(_) | Part::ToolCall(_) | Part::ToolResult(_) => None,
            }));
            message.typed
        };
        messages.into_iter().map(take).collect()
    }

    /// The lines that wait.
    pub(super) fn lines(&self) -> Vec<String> {
        self.waiting.iter().map(|message| message.typed.clone()).collect()
    }
}
