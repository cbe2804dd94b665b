//! The files that a configuration was read from, and the way from a value back to its line.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::draft::{At, Draft};
use crate::key_path::{KeyPath, Step};
use crate::secret_names::{holds_only_secrets, is_secret_name};
use crate::spans::{Spans, TokenKind, is_line_end, tokens};
use crate::tree::{Node, NodeId, Value};
use crate::{Diagnostic, Diagnostics, Place, Related, Severity, Snippet};

/// More than this many diagnostics help nobody.
const MAX_DIAGNOSTICS: usize = 1000;
/// Characters of a line that are shown before and after the place.
const SNIPPET_REACH: usize = 60;

/// One file that was read.
pub(crate) struct Source {
    pub(crate) path: PathBuf,
    pub(crate) text: String,
    pub(crate) mode: Option<u32>,
    spans: OnceCell<Spans>,
    lines: OnceCell<Vec<usize>>,
    hidden: OnceCell<Hidden>,
}

/// Parts of a text that are not shown.
struct Hidden {
    /// Comments and values under secret names.
    secrets: Vec<(usize, usize)>,
    /// Comments and all scalar values, for a text whose structure is in doubt.
    values: Vec<(usize, usize)>,
}

/// All files in the order in which they were opened; the first is the configuration itself.
#[derive(Default)]
pub(crate) struct Sources {
    files: Vec<Source>,
}

impl Sources {
    pub(crate) fn add(&mut self, path: &Path, text: String, mode: Option<u32>) -> u16 {
        let (spans, lines, hidden) = (OnceCell::new(), OnceCell::new(), OnceCell::new());
        self.files.push(Source { path: path.to_owned(), text, mode, spans, lines, hidden });
        u16::try_from(self.files.len() - 1).unwrap_or(u16::MAX)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u16, &Source)> {
        self.files.iter().enumerate().filter_map(|(index, source)| Some((u16::try_from(index).ok()?, source)))
    }

    pub(crate) fn len(&self) -> usize {
        self.files.len()
    }

    pub(crate) fn get(&self, file: u16) -> Option<&Source> {
        self.files.get(usize::from(file))
    }

    /// The place of a value's key.
    pub(crate) fn place(&self, id: NodeId) -> Option<Place> {
        let (file, start, _) = self.bytes(At::Key(id))?;
        Some(self.get(file)?.place(start))
    }

    /// Looks up places, keys and lines.
    pub(crate) fn finish(&self, mut drafts: Vec<Draft>, root: Option<&Node>) -> Diagnostics {
        let dropped = drafts.len().saturating_sub(MAX_DIAGNOSTICS);
        drafts.sort_by_key(|draft| draft.severity);
        drafts.truncate(MAX_DIAGNOSTICS);
        let mut keys = HashMap::new();
        for draft in drafts.iter().filter(|draft| draft.key.is_none()) {
            if let At::Key(id) | At::Value(id) = draft.at {
                keys.insert(id, None);
            }
        }
        if let Some(root) = root.filter(|_| !keys.is_empty()) {
            find_keys(root, &mut KeyPath::default(), &mut keys);
        }
        let mut items: Vec<Diagnostic> = drafts.into_iter().map(|draft| self.diagnostic(draft, &keys)).collect();
        if dropped > 0 {
            let severity = items.last().map_or(Severity::Notice, |last| last.severity);
            let message = format!("{dropped} more of this kind or below are not shown");
            items.push(self.diagnostic(Draft::new(severity, "too-many", At::Nowhere, message), &keys));
        }
        Diagnostics::new(items)
    }

    fn diagnostic(&self, draft: Draft, keys: &HashMap<NodeId, Option<String>>) -> Diagnostic {
        let key = draft.key.or_else(|| match draft.at {
            At::Key(id) | At::Value(id) => keys.get(&id).cloned().flatten(),
            At::Nowhere | At::File(_) | At::Bytes { .. } => None,
        });
        let bytes = self.bytes(draft.at);
        let source = bytes.and_then(|(file, _, _)| self.get(file));
        let shows_line = !matches!(draft.at, At::File(_));
        let doubtful = matches!(draft.at, At::Bytes { .. });
        let (place, snippet) = match (source, bytes) {
            (Some(source), Some((_, start, end))) => (Some(source.place(start)), shows_line.then(|| source.snippet(start, end, doubtful))),
            (None, _) | (_, None) => (None, None),
        };
        let related = draft.related.into_iter().filter_map(|(id, note)| Some(Related { place: self.place(id)?, note })).collect();
        let Draft { severity, code, message, expected, help, .. } = draft;
        Diagnostic { severity, code, key, message, expected, help, place, related, snippet }
    }

    /// File, start and end of what a draft points to.
    fn bytes(&self, at: At) -> Option<(u16, usize, usize)> {
        let span = |id: NodeId| self.get(id.file)?.spans().get(id.ordinal);
        match at {
            At::Nowhere => None,
            At::File(file) => Some((file, 0, 0)),
            At::Bytes { file, start, end } => Some((file, start, end)),
            At::Value(id) => span(id).map(|span| (id.file, span.start, span.end)),
            At::Key(id) => span(id).map(|span| match span.key {
                Some((start, end)) => (id.file, start, end),
                None => (id.file, span.start, span.end),
            }),
        }
    }
}

impl Source {
    pub(crate) fn spans(&self) -> &Spans {
        self.spans.get_or_init(|| Spans::of(&self.text))
    }

    /// The start of the line that `offset` is in, and its number from 0.
    fn line_of(&self, offset: usize) -> (usize, usize) {
        let lines = self.lines.get_or_init(|| std::iter::once(0).chain(self.text.match_indices('\n').map(|(at, _)| at + 1)).collect());
        let number = lines.partition_point(|&start| start <= offset).saturating_sub(1);
        (lines.get(number).copied().unwrap_or(0), number)
    }

    fn place(&self, offset: usize) -> Place {
        let (start, number) = self.line_of(offset);
        let column = self.text.get(start..offset).map_or(0, |before| before.trim_start_matches('\u{feff}').chars().count());
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX).saturating_add(1);
        Place { file: self.path.clone(), line: count(number), column: count(column) }
    }

    fn hidden(&self) -> &Hidden {
        self.hidden.get_or_init(|| Hidden::of(&self.text))
    }

    /// The line around `start`, without what nobody should read over a shoulder or in a log.
    fn snippet(&self, start: usize, end: usize, doubtful: bool) -> Snippet {
        let (line_start, _) = self.line_of(start);
        let rest = self.text.get(line_start..).unwrap_or_default();
        let line_end = line_start + rest.find(is_line_end).unwrap_or(rest.len());
        let hidden = if doubtful { &self.hidden().values } else { &self.hidden().secrets };
        let mut builder = SnippetBuilder { text: String::new(), indent: 0, width: 0 };
        let mut at = line_start;
        for &(from, to) in hidden.iter().skip(hidden.partition_point(|&(_, to)| to <= line_start)).take_while(|&&(from, _)| from < line_end)
        {
            builder.show(&self.text, at, from.max(line_start), start, end.min(line_end));
            builder.hide(from.max(line_start), to.min(line_end), start, end);
            at = to.min(line_end);
        }
        builder.show(&self.text, at, line_end, start, end.min(line_end));
        builder.finish()
    }
}

struct SnippetBuilder {
    text: String,
    indent: usize,
    width: usize,
}

impl SnippetBuilder {
    fn show(&mut self, source: &str, from: usize, to: usize, start: usize, end: usize) {
        for (at, c) in source.get(from..to).unwrap_or_default().char_indices() {
            if c != '\u{feff}' {
                self.push(if c.is_control() { ' ' } else { c }, from + at, start, end);
            }
        }
    }

    fn hide(&mut self, from: usize, to: usize, start: usize, end: usize) {
        if from >= to {
            return;
        }
        self.text.push('…');
        if to <= start {
            self.indent += 1;
        } else if from < end.max(start + 1) {
            self.width += 1;
        }
    }

    fn push(&mut self, c: char, at: usize, start: usize, end: usize) {
        self.text.push(c);
        if at < start {
            self.indent += 1;
        } else if at < end.max(start + 1) {
            self.width += 1;
        }
    }

    /// Cuts a long line to the part around the marked one.
    fn finish(self) -> Snippet {
        let skip = self.indent.saturating_sub(SNIPPET_REACH);
        let width = self.width.clamp(1, SNIPPET_REACH);
        let shown = self.indent - skip + width + SNIPPET_REACH;
        let total = self.text.chars().count();
        let mut text: String = self.text.chars().skip(skip).take(shown).collect();
        let mut indent = self.indent - skip;
        if skip > 0 {
            text.insert(0, '…');
            indent += 1;
        }
        if total > skip + shown {
            text.push('…');
        }
        Snippet { text: text.trim_end().to_owned(), indent, width }
    }
}

impl Hidden {
    fn of(text: &str) -> Self {
        let (mut secrets, mut values) = (Vec::new(), Vec::new());
        // For each open bracket: whether all below it is secret, whether it is an object.
        let mut stack: Vec<(bool, bool)> = Vec::new();
        let (mut key, mut wants_key) = (String::new(), false);
        for token in tokens(text) {
            let within = stack.last().is_some_and(|frame| frame.0);
            match token.kind {
                TokenKind::Comment => {
                    secrets.push((token.start, token.end));
                    values.push((token.start, token.end));
                }
                TokenKind::Text | TokenKind::Word if wants_key => {
                    key = text.get(token.start..token.end).unwrap_or_default().trim_matches(['"', '\'']).to_owned();
                }
                TokenKind::Text | TokenKind::Word => {
                    values.push((token.start, token.end));
                    let value = text.get(token.start..token.end).unwrap_or_default();
                    let has_userinfo = value.split_once("://").is_some_and(|(_, rest)| rest.contains('@'));
                    if within || has_userinfo || is_secret_name(&key) {
                        secrets.push((token.start, token.end));
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

/// Finds the keys of the values that are asked for, in one walk.
fn find_keys(node: &Node, path: &mut KeyPath, keys: &mut HashMap<NodeId, Option<String>>) {
    if let Some(key @ None) = keys.get_mut(&node.id)
        && !path.is_empty()
    {
        *key = Some(path.to_string());
    }
    match &node.value {
        Value::List(items) => {
            for (index, item) in items.iter().enumerate() {
                path.push(Step::Index(index));
                find_keys(item, path, keys);
                path.pop();
            }
        }
        Value::Object(object) => {
            for (key, child) in &object.entries {
                path.push(Step::Key(key.clone()));
                find_keys(child, path, keys);
                path.pop();
            }
        }
        Value::Null | Value::Bool(_) | Value::Integer(_) | Value::Float(_) | Value::Text(_) => {}
    }
}
