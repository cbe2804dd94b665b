//! What tools did, and the owner's word about what they may do, as lines of a terminal.

use krabba_agent::Acted;
use krabba_guard::{Answer, Question};
use krabba_types::Action;

use super::printable_lines;

/// What a tool did, in one line.
pub(crate) fn acted_line(acted: &Acted) -> String {
    let mark = if acted.is_error { "✗" } else { "•" };
    printable_lines(&format!("{mark} {}", acted.what))
}

/// What is shown below such a line.
pub(super) fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {}", printable_lines(line))).collect::<Vec<_>>().join("\n")
}

/// How a question is answered here.
pub(super) fn how_to_answer(question: &Question) -> String {
    match &question.typed {
        Some(words) => format!("a yes is not enough: type \"{words}\" to have it done, n to refuse"),
        None if question.for_task && matches!(question.action, Action::Run(_)) => {
            "y to have it done this once, t to let any command of this task reach these hosts, n to refuse".to_owned()
        }
        None if question.for_task => "y to have it done this once, t to allow the same for the rest of the task, n to refuse".to_owned(),
        None => "y to have it done this once, n to refuse".to_owned(),
    }
}

/// A question for somebody who cannot be asked here, with the way to answer it.
pub(crate) fn from_elsewhere(question: &Question) -> String {
    let mut lines = question.lines.clone();
    lines.push(format!("krabba: waiting for your word: krabba approvals approve {0}, or krabba approvals deny {0}", question.id));
    lines.join("\n")
}

/// A typed line as an answer; `None` when it is something else.
pub(super) fn read_answer(question: &Question, text: &str) -> Option<Answer> {
    let text = text.trim();
    match (text.to_lowercase().as_str(), &question.typed) {
        // Also when they are a word that is an answer elsewhere.
        (_, Some(words)) if text == words => Some(Answer::Typed(text.to_owned())),
        ("n" | "no" | "deny", _) => Some(Answer::Deny),
        ("t" | "task", None) => Some(Answer::ApproveTask),
        ("y" | "yes" | "approve", None) => Some(Answer::Approve),
        // Told again what has to be typed.
        ("y" | "yes" | "approve", Some(_)) => Some(Answer::Approve),
        // Mistyped words are told again as well.
        (_, Some(words)) if begins_alike(text, words) => Some(Answer::Typed(text.to_owned())),
        (_, _) => None,
    }
}

fn begins_alike(text: &str, words: &str) -> bool {
    let first = |text: &str| text.split_whitespace().next().map(str::to_lowercase);
    first(text).is_some() && first(text) == first(words)
}
