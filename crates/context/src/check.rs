//! What the strictest chat templates demand of a message list, as a test that can be run.
//!
//! Collected from servers that answer 400 otherwise: Mistral's and Gemma's templates (strict turns), Qwen's ("System message
//! must be at the beginning", "No user query found in messages"), Anthropic (results directly after their calls).

use std::collections::HashSet;

use krabba_types::{CallId, Message, Part, Role};

/// Why a strict template would refuse a message list. `at` counts from 0.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// A system message that is not the first message.
    #[error("message {at} is a system message and not the first one")]
    SystemNotFirst {
        /// Which message.
        at: usize,
    },
    /// A message of a role that cannot stand there.
    #[error("message {at} is out of turn")]
    OutOfTurn {
        /// Which message.
        at: usize,
    },
    /// A message without content, or a part without any.
    #[error("message {at} is empty")]
    Empty {
        /// Which message.
        at: usize,
    },
    /// A part that its role cannot hold.
    #[error("message {at} holds a part that its role cannot hold")]
    WrongPart {
        /// Which message.
        at: usize,
    },
    /// A call id that is blank or was used before.
    #[error("message {at} has a call id that is blank or was used before")]
    BadId {
        /// Which message.
        at: usize,
    },
    /// Calls without results, or results without their call, or in another order.
    #[error("the calls before message {at} and their results do not match")]
    Unpaired {
        /// Which message.
        at: usize,
    },
    /// Nobody asks anything.
    #[error("there is no user message")]
    NoUser,
}

/// Checks that `messages` has one system message at most, at the beginning; then user and assistant in turns, beginning
/// with the user; after an assistant message with calls exactly one result for each, in order, one message each; no empty
/// message; and unique ids.
///
/// # Errors
/// The first violation.
pub fn check(messages: &[Message]) -> Result<(), Violation> {
    let mut seen = HashSet::new();
    let mut open: Vec<CallId> = Vec::new();
    let mut may_come = vec![Role::System, Role::User];
    for (at, message) in messages.iter().enumerate() {
        if message.role == Role::System && at > 0 {
            return Err(Violation::SystemNotFirst { at });
        }
        if !open.is_empty() && message.role != Role::Tool {
            return Err(Violation::Unpaired { at });
        }
        if !may_come.contains(&message.role) {
            return Err(Violation::OutOfTurn { at });
        }
        parts(message, at)?;
        may_come = match message.role {
            Role::System => vec![Role::User],
            Role::User => vec![Role::Assistant],
            Role::Assistant => {
                for call in calls(message) {
                    if call.as_str().trim().is_empty() || !seen.insert(call.clone()) {
                        return Err(Violation::BadId { at });
                    }
                    open.push(call.clone());
                }
                if open.is_empty() { vec![Role::User] } else { vec![Role::Tool] }
            }
            Role::Tool => {
                result(message, at, &mut open)?;
                if open.is_empty() { vec![Role::Assistant] } else { vec![Role::Tool] }
            }
        };
    }
    if !open.is_empty() {
        return Err(Violation::Unpaired { at: messages.len() });
    }
    if messages.iter().any(|message| message.role == Role::User) { Ok(()) } else { Err(Violation::NoUser) }
}

fn calls(message: &Message) -> impl Iterator<Item = &CallId> {
    message.parts.iter().filter_map(|part| match part {
        Part::ToolCall(call) => Some(&call.id),
        Part::Text(_) | Part::Image(_) | Part::Reasoning(_) | Part::ToolResult(_) => None,
    })
}

fn result(message: &Message, at: usize, open: &mut Vec<CallId>) -> Result<(), Violation> {
    match (message.parts.as_slice(), open.first()) {
        ([Part::ToolResult(result)], Some(call)) if result.call == *call => {
            open.remove(0);
            Ok(())
        }
        _ => Err(Violation::Unpaired { at }),
    }
}

fn parts(message: &Message, at: usize) -> Result<(), Violation> {
    let mut content = false;
    for part in &message.parts {
        let fits = match (part, message.role) {
            (Part::Text(_), Role::System | Role::User | Role::Assistant)
            | (Part::Image(_), Role::User)
            | (Part::Reasoning(_) | Part::ToolCall(_), Role::Assistant)
            | (Part::ToolResult(_), Role::Tool) => true,
            (Part::Text(_) | Part::Image(_) | Part::Reasoning(_) | Part::ToolCall(_) | Part::ToolResult(_), _) => false,
        };
        if !fits {
            return Err(Violation::WrongPart { at });
        }
        content |= match part {
            Part::Text(text) => !text.trim().is_empty(),
            Part::ToolResult(result) if result.text.is_empty() => return Err(Violation::Empty { at }),
            Part::Image(_) | Part::ToolCall(_) | Part::ToolResult(_) => true,
            Part::Reasoning(_) => false,
        };
    }
    if content { Ok(()) } else { Err(Violation::Empty { at }) }
}
