//! The end of a conversation that is continued, so that a person sees where they were.

use krabba_agent::{Extent, Record};
use krabba_store::StoredEvent;
use krabba_types::Part;

use super::footer::was_unverified;

/// As many exchanges as help to remember.
const EXCHANGES: usize = 2;
/// Lines of an answer beyond which its beginning is left out.
const LINES: usize = 12;

/// What a person said, and what came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Exchange {
    /// Their words.
    pub(crate) said: String,
    /// The answer, Markdown; empty where there was none.
    pub(crate) answer: String,
    /// The mark of an answer that something foreign is in.
    pub(crate) mark: Option<String>,
}

/// The last exchanges of a session's events, oldest first.
pub(crate) fn last_exchanges(events: &[StoredEvent]) -> Vec<Exchange> {
    let mut exchanges: Vec<Exchange> = Vec::new();
    for event in events.iter().filter_map(StoredEvent::readable) {
        let Ok(record) = Record::of(event) else { continue };
        match record {
            Record::User(user) => exchanges.push(Exchange { said: spoken(&user.parts), answer: String::new(), mark: None }),
            Record::Assistant(assistant) => {
                if let Some(exchange) = exchanges.last_mut() {
                    exchange.answer = spoken(&assistant.parts);
                    exchange.mark = was_unverified(&event.label).filter(|_| !exchange.answer.is_empty());
                    if assistant.extent == Extent::Aborted {
                        exchange.answer = format!("{}\n\n[broke off here]", exchange.answer.trim_end());
                    }
                }
            }
            Record::Opened(_)
            | Record::Started(_)
            | Record::Call(_)
            | Record::Result(_)
            | Record::Ended(_)
            | Record::Changed(_)
            | Record::Cut(_)
            | Record::Notice(_) => {}
        }
    }
    let mut last = exchanges.split_off(exchanges.len().saturating_sub(EXCHANGES));
    last.iter_mut().for_each(|exchange| exchange.answer = end_of(&exchange.answer));
    last
}

/// What was typed at the end, and no turn began for. Commands were carried out at once.
pub(crate) fn never_begun(typed: Vec<String>, events: &[StoredEvent]) -> Vec<String> {
    let records = events.iter().filter_map(|event| Record::of(event.readable()?).ok());
    let said: Vec<String> =
        records.filter_map(|record| if let Record::User(user) = record { Some(spoken(&user.parts)) } else { None }).collect();
    let messages = typed.into_iter().rev().filter(|line| !line.starts_with('/'));
    let mut unsent: Vec<String> = messages.take_while(|line| !said.iter().any(|said| said.contains(line.as_str()))).collect();
    unsent.reverse();
    unsent
}

fn end_of(answer: &str) -> String {
    let lines: Vec<&str> = answer.lines().collect();
    match lines.len().checked_sub(LINES) {
        None | Some(0) => answer.to_owned(),
        Some(left_out) => {
            let (before, rest) = lines.split_at(left_out);
            let in_code = !before.iter().filter(|line| line.trim_start().starts_with("```")).count().is_multiple_of(2);
            format!("…\n{}{}", if in_code { "```\n" } else { "" }, rest.join("\n"))
        }
    }
}

/// Reasoning is not among it: it was never said to anyone.
fn spoken(parts: &[Part]) -> String {
    let pieces = parts.iter().filter_map(|part| match part {
        Part::Text(text) => Some(text.as_str()),
        Part::Image(_) => Some("[picture]"),
        Part::Reasoning(_) | Part::ToolCall(_) | Part::ToolResult(_) => None,
    });
    pieces.collect::<Vec<_>>().concat()
}
