//! The piece of a line that is shown with a diagnostic, without what nobody should read over a shoulder or in a log.
//!
//! A generated file may be one line of several megabytes with a thousand faults in it, so that a piece is cut by walking
//! from the place outwards, only as far as is shown.

use std::iter;
use std::ops::Range;

use crate::Snippet;
use crate::secret_names::{holds_only_secrets, is_secret_name};
use crate::spans::{TokenKind, tokens};

/// Characters of a line that are shown before and after the place.
const REACH: usize = 60;
/// May stand at the beginning of a file, and is nothing to look at.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// Parts of a text that are not shown, in order.
pub(crate) struct Hidden {
    /// Comments and values under secret names.
    pub(crate) secrets: Vec<Range<usize>>,
    /// Comments and all scalar values, for a text whose structure is in doubt.
    pub(crate) values: Vec<Range<usize>>,
}

/// A line of a text, and what of it is not shown.
pub(crate) struct Line<'t> {
    pub(crate) text: &'t str,
    /// The line in the text, without what ends it.
    pub(crate) bytes: Range<usize>,
    /// Each part that is not shown appears as `…`.
    pub(crate) hidden: &'t [Range<usize>],
}

impl Line<'_> {
    /// The part around `marked`, which begins in this line.
    pub(crate) fn snippet(&self, marked: Range<usize>) -> Snippet {
        let mark_end = marked.end.min(self.bytes.end).max(marked.start + 1);
        let begin = self.begin(marked.start);
        // One character more than is shown tells that there is more.
        let mut before: Vec<char> = self.before(begin).take(REACH + 1).collect();
        let after: Vec<(usize, char)> = self.after(begin).take(2 * REACH + 1).collect();
        let width = after.iter().filter(|&&(at, _)| at < mark_end).count().clamp(1, REACH);
        if let Some(farthest) = before.get_mut(REACH) {
            *farthest = '…';
        }
        let mut text: String = before.iter().rev().copied().chain(after.iter().take(width + REACH).map(|&(_, c)| c)).collect();
        if after.len() > width + REACH {
            text.push('…');
        }
        Snippet { text: text.trim_end().to_owned(), indent: before.len(), width }
    }

    /// Where the marked part begins to be shown: with the whole of a hidden part that it begins in.
    fn begin(&self, start: usize) -> usize {
        match self.hidden_at(start) {
            Some(hidden) if start < self.bytes.end => hidden.start.max(self.bytes.start),
            Some(_) | None => self.text.ceil_char_boundary(start.min(self.bytes.end)),
        }
    }

    /// The hidden part that holds the byte at `at`.
    fn hidden_at(&self, at: usize) -> Option<&Range<usize>> {
        self.hidden.get(self.hidden.partition_point(|part| part.end <= at)).filter(|part| part.start <= at)
    }

    /// What is shown before `at`, the nearest first.
    fn before(&self, mut at: usize) -> impl Iterator<Item = char> {
        let step = move || {
            let before = self.text.get(self.bytes.start..at).filter(|before| !before.is_empty())?;
            match self.hidden_at(at - 1) {
                Some(hidden) => {
                    at = hidden.start.max(self.bytes.start);
                    Some('…')
                }
                None => {
                    let c = before.chars().next_back()?;
                    at -= c.len_utf8();
                    Some(c)
                }
            }
        };
        iter::from_fn(step).filter(|&c| c != BYTE_ORDER_MARK).map(as_shown)
    }

    /// What is shown from `at` on, each with the place that it stands for.
    fn after(&self, mut at: usize) -> impl Iterator<Item = (usize, char)> {
        let step = move || {
            let from = at;
            let rest = self.text.get(from..self.bytes.end).filter(|rest| !rest.is_empty())?;
            match self.hidden_at(from) {
                Some(hidden) => {
                    at = hidden.end.min(self.bytes.end);
                    Some((from, '…'))
                }
                None => {
                    let c = rest.chars().next()?;
                    at += c.len_utf8();
                    Some((from, c))
                }
            }
        };
        iter::from_fn(step).filter(|&(_, c)| c != BYTE_ORDER_MARK).map(|(at, c)| (at, as_shown(c)))
    }
}

fn as_shown(c: char) -> char {
    if c.is_control() { ' ' } else { c }
}

impl Hidden {
    pub(crate) fn of(text: &str) -> Self {
        let (mut secrets, mut values) = (Vec::new(), Vec::new());
        // For each open bracket: whether all below it is secret, whether it is an object.
        let mut stack: Vec<(bool, bool)> = Vec::new();
        let (mut key, mut wants_key) = (String::new(), false);
        for token in tokens(text) {
            let within = stack.last().is_some_and(|frame| frame.0);
            match token.kind {
                TokenKind::Comment => {
                    secrets.push(token.start..token.end);
                    values.push(token.start..token.end);
                }
                TokenKind::Text | TokenKind::Word if wants_key => {
                    key = text.get(token.start..token.end).unwrap_or_default().trim_matches(['"', '\'']).to_owned();
                }
                TokenKind::Text | TokenKind::Word => {
                    values.push(token.start..token.end);
                    let value = text.get(token.start..token.end).unwrap_or_default();
                    let has_userinfo = value.split_once("://").is_some_and(|(_, rest)| rest.contains('@'));
                    if within || has_userinfo || is_secret_name(&key) {
                        secrets.push(token.start..token.end);
                    }
                }
                TokenKind::Mark(open @ ('{' | '[')) => {
                    let is_object = open == '{';
                    stack.push((within || holds_only_secrets(&key), is_object));
                    // The items of a list have the list's name.
                    if is_object {
                        key.clear();
                    }
                    wants_key = is_object;
                }
                TokenKind::Mark('}' | ']') => {
                    stack.pop();
                    wants_key = false;
                }
                TokenKind::Mark(',') => wants_key = stack.last().is_some_and(|frame| frame.1),
                TokenKind::Mark(_) => wants_key = false,
            }
        }
        Self { secrets, values }
    }
}
