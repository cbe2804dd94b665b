//! Where secrets are in a text, and where one might be about to begin at its end.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use aho_corasick::{AhoCorasick, Input, MatchKind};

use crate::redactor::{Alone, HIDDEN};
use crate::squeeze::Squeezed;

/// Finds what is known.
pub(crate) struct Finder {
    automaton: AhoCorasick,
    alone: Vec<Alone>,
    /// In order.
    needles: Vec<String>,
    squeezed: AhoCorasick,
    /// In order.
    squeezed_needles: Vec<String>,
}

impl Finder {
    /// The longest needle wins, so that a secret which contains another one disappears whole. An automaton that cannot be built
    /// would need gigabytes of secrets.
    pub(crate) fn of(needles: &BTreeMap<String, Alone>, squeezed: &BTreeSet<String>) -> Option<Self> {
        let mut builder = AhoCorasick::builder();
        builder.match_kind(MatchKind::LeftmostLongest);
        Some(Self {
            automaton: builder.build(needles.keys()).ok()?,
            alone: needles.values().copied().collect(),
            needles: needles.keys().cloned().collect(),
            squeezed: builder.build(squeezed).ok()?,
            squeezed_needles: squeezed.iter().cloned().collect(),
        })
    }

    /// The text with every secret replaced; `None` where there is none.
    pub(crate) fn hide(&self, text: &str) -> Option<String> {
        let spans = self.spans(text);
        (!spans.is_empty()).then(|| replaced(text, 0..text.len(), &spans))
    }

    /// Where secrets are, from left to right, apart from each other.
    pub(crate) fn spans(&self, text: &str) -> Vec<Range<usize>> {
        let mut spans = self.plain(text);
        let squeezed = Squeezed::of(text);
        spans.extend(self.squeezed.find_iter(&squeezed.text).filter_map(|found| squeezed.place(found.start()..found.end())));
        spans.sort_by_key(|span| (span.start, span.end));
        let mut apart: Vec<Range<usize>> = Vec::with_capacity(spans.len());
        for span in spans {
            match apart.last_mut() {
                Some(last) if span.start < last.end => last.end = last.end.max(span.end),
                Some(_) | None => apart.push(span),
            }
        }
        apart
    }

    fn plain(&self, text: &str) -> Vec<Range<usize>> {
        let mut spans = Vec::new();
        let mut from = 0;
        while let Some(found) = self.automaton.find(Input::new(text).range(from..)) {
            let before = text.get(..found.start()).and_then(|before| before.chars().next_back());
            let after = text.get(found.end()..).and_then(|after| after.chars().next());
            let inside = before.is_some_and(char::is_alphanumeric) || after.is_some_and(char::is_alphanumeric);
            if inside && self.alone.get(found.pattern().as_usize()) == Some(&Alone::Required) {
                // In the middle of a word it is none. Another one may begin right behind its first character.
                from = found.start() + text.get(found.start()..).and_then(|rest| rest.chars().next()).map_or(1, char::len_utf8);
                continue;
            }
            spans.push(found.start()..found.end());
            from = found.end();
        }
        spans
    }

    /// Up to where a text is settled, whatever comes after it: nothing from there on may be the beginning of a secret, and no
    /// secret lies across.
    pub(crate) fn settled(&self, text: &str, from: usize, spans: &[Range<usize>]) -> usize {
        let mut end = self.beginning(text, from);
        // What is held back can reach into a secret that is whole already; then all of both waits.
        while let Some(across) = spans.iter().find(|span| span.start < end && end < span.end) {
            end = across.start;
        }
        end.max(from)
    }

    /// Where the first thing begins, from `from` on, that goes to the end of the text and may go on as a secret.
    fn beginning(&self, text: &str, from: usize) -> usize {
        let Some(rest) = text.get(from..) else { return text.len() };
        let plain = first_tail(rest, &self.needles).map(|tail| tail.start);
        let squeezed = Squeezed::of(rest);
        let spread = first_tail(&squeezed.text, &self.squeezed_needles).and_then(|tail| squeezed.place(tail)).map(|place| place.start);
        from + plain.into_iter().chain(spread).min().unwrap_or(rest.len())
    }
}

/// The longest end of a text that a needle begins with, or is.
fn first_tail(text: &str, needles: &[String]) -> Option<Range<usize>> {
    let longest = needles.iter().map(String::len).max()?;
    let near = text.char_indices().map(|(at, _)| at).filter(|at| text.len() - at <= longest);
    let begins = |tail: &str| {
        let next = needles.partition_point(|needle| needle.as_str() < tail);
        needles.get(next).is_some_and(|needle| needle.starts_with(tail))
    };
    near.filter_map(|at| text.get(at..).filter(|tail| begins(tail)).map(|_| at..text.len())).next()
}

/// A part of a text with the spans in it replaced. None of them lies across its ends.
pub(crate) fn replaced(text: &str, part: Range<usize>, spans: &[Range<usize>]) -> String {
    let mut clean = String::with_capacity(part.len());
    let mut done = part.start;
    for span in spans.iter().filter(|span| span.start >= part.start && span.end <= part.end) {
        clean.push_str(text.get(done..span.start).unwrap_or_default());
        clean.push_str(HIDDEN);
        done = span.end;
    }
    clean.push_str(text.get(done..part.end).unwrap_or_default());
    clean
}
