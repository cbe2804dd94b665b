//! A diagnostic before its place has been looked up. Drafts are cheap to make; line and column cost a pass over the
//! file, which a configuration without faults never pays.

use crate::Severity;
use crate::tree::NodeId;

/// Where a draft points to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum At {
    /// At no file.
    Nowhere,
    /// At a file as a whole.
    File(u16),
    /// At the key of a value, or the value when it has none.
    Key(NodeId),
    /// At a value.
    Value(NodeId),
    /// At bytes of a file that could not be parsed.
    Bytes { file: u16, start: usize, end: usize },
}

/// A diagnostic in the making.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) severity: Severity,
    pub(crate) code: &'static str,
    pub(crate) at: At,
    pub(crate) key: Option<String>,
    pub(crate) message: String,
    pub(crate) expected: Option<String>,
    pub(crate) help: Option<String>,
    pub(crate) related: Vec<(NodeId, String)>,
}

impl Draft {
    pub(crate) fn new(severity: Severity, code: &'static str, at: At, message: impl Into<String>) -> Self {
        Self { severity, code, at, key: None, message: message.into(), expected: None, help: None, related: Vec::new() }
    }

    pub(crate) fn error(code: &'static str, at: At, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, code, at, message)
    }

    pub(crate) fn warning(code: &'static str, at: At, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, code, at, message)
    }

    pub(crate) fn notice(code: &'static str, at: At, message: impl Into<String>) -> Self {
        Self::new(Severity::Notice, code, at, message)
    }

    pub(crate) fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    pub(crate) fn expected(mut self, expected: impl Into<String>) -> Self {
        self.expected = Some(expected.into());
        self
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub(crate) fn related(mut self, id: NodeId, note: impl Into<String>) -> Self {
        self.related.push((id, note.into()));
        self
    }
}
