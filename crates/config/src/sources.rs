//! The files that a configuration was read from, and the way from a value back to its line.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::draft::{At, Draft};
use crate::key_path::{KeyPath, Step};
use crate::snippet::{Hidden, Line};
use crate::spans::{Spans, is_line_end};
use crate::tree::{Node, NodeId, Value};
use crate::{Diagnostic, Diagnostics, Place, Related, Severity, Snippet};

/// More than this many diagnostics help nobody.
pub(crate) const MAX_DIAGNOSTICS: usize = 1000;
/// The characters of a file are counted once up to each multiple of this many bytes, so that the columns of a thousand
/// places in one long line do not cost a thousand walks from its beginning.
const COUNTED_BYTES: usize = 512;

/// One file that was read.
pub(crate) struct Source {
    pub(crate) path: PathBuf,
    pub(crate) text: String,
    pub(crate) mode: Option<u32>,
    spans: OnceCell<Spans>,
    lines: OnceCell<Vec<Range<usize>>>,
    counts: OnceCell<Vec<usize>>,
    hidden: OnceCell<Hidden>,
}

/// All files in the order in which they were opened; the first is the configuration itself.
#[derive(Default)]
pub(crate) struct Sources {
    files: Vec<Source>,
}

impl Sources {
    pub(crate) fn add(&mut self, path: &Path, text: String, mode: Option<u32>) -> u16 {
        self.files.push(Source::new(path, text, mode));
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
            (Some(source), Some((_, start, end))) => (Some(source.place(start)), shows_line.then(|| source.snippet(start..end, doubtful))),
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
    fn new(path: &Path, text: String, mode: Option<u32>) -> Self {
        let (spans, lines, counts, hidden) = (OnceCell::new(), OnceCell::new(), OnceCell::new(), OnceCell::new());
        Self { path: path.to_owned(), text, mode, spans, lines, counts, hidden }
    }

    pub(crate) fn spans(&self) -> &Spans {
        self.spans.get_or_init(|| Spans::of(&self.text))
    }

    /// The line that `offset` is in, without what ends it, and its number from 0.
    fn line_of(&self, offset: usize) -> (Range<usize>, usize) {
        let lines = self.lines.get_or_init(|| {
            let starts = std::iter::once(0).chain(self.text.match_indices('\n').map(|(at, _)| at + 1));
            let length = |line: &str| line.find(is_line_end).unwrap_or(line.len());
            starts.zip(self.text.split('\n')).map(|(start, line)| start..start + length(line)).collect()
        });
        let number = lines.partition_point(|line| line.start <= offset).saturating_sub(1);
        (lines.get(number).cloned().unwrap_or_default(), number)
    }

    fn place(&self, offset: usize) -> Place {
        let (Range { start, .. }, number) = self.line_of(offset);
        let column = self.text.get(start..offset).map_or(0, |before| {
            let marks = before.len() - before.trim_start_matches('\u{feff}').len();
            self.characters_before(offset) - self.characters_before(start + marks)
        });
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX).saturating_add(1);
        Place { file: self.path.clone(), line: count(number), column: count(column) }
    }

    /// How many characters begin before `offset`.
    fn characters_before(&self, offset: usize) -> usize {
        let begun = |bytes: &[u8]| bytes.iter().filter(|&&byte| byte & 0b1100_0000 != 0b1000_0000).count();
        let bytes = self.text.as_bytes();
        let counts = self.counts.get_or_init(|| {
            let mut counts = vec![0];
            counts.extend(bytes.chunks(COUNTED_BYTES).scan(0, |sum, chunk| {
                *sum += begun(chunk);
                Some(*sum)
            }));
            counts
        });
        let chunk = offset / COUNTED_BYTES;
        counts.get(chunk).copied().unwrap_or(0) + begun(bytes.get(chunk * COUNTED_BYTES..offset).unwrap_or_default())
    }

    fn hidden(&self) -> &Hidden {
        self.hidden.get_or_init(|| Hidden::of(&self.text))
    }

    /// The line around the beginning of `marked`. Of a text whose structure is in doubt no value is shown.
    fn snippet(&self, marked: Range<usize>, doubtful: bool) -> Snippet {
        let hidden = if doubtful { &self.hidden().values } else { &self.hidden().secrets };
        let (bytes, _) = self.line_of(marked.start);
        Line { text: &self.text, bytes, hidden }.snippet(marked)
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
