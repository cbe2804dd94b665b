//! Where in a Markdown text there is code: fenced blocks and inline spans, followed one character at a time.
//!
//! Only as much of Markdown as is needed to know whether a tag is quoted. Two deliberate differences from CommonMark: an
//! inline span ends with its line, so that a lone backtick cannot hide a tag on a later line; and a fence may follow a
//! list marker, because models write that. A closing fence counts from its last mark on, so that an end token that
//! follows it without a line break is not taken for code.

/// Follows the answer's text and knows whether the next character stands in code.
#[derive(Debug, Default)]
pub(crate) struct CodeTracker {
    fence: Option<Fence>,
    line: Line,
    /// The line is a quotation (`> …`).
    quotation: bool,
    /// Number of backticks that opened the inline span.
    span: Option<usize>,
    /// Backticks of a run that is not over yet.
    run: usize,
    /// The first character of the line that is not blank, and the last two.
    first: Option<char>,
    before: [char; 2],
}

/// Whether an inline span is closed further on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SpanEnd {
    /// The closing run is there.
    Closed,
    /// The line ends, or the bound is reached, without one.
    Open,
    /// The input ends before either.
    Undecided,
}

#[derive(Clone, Copy, Debug)]
struct Fence {
    mark: char,
    len: usize,
}

/// Where on the line the next character stands.
#[derive(Clone, Copy, Debug, Default)]
enum Line {
    /// Nothing but indentation, quote and list marks so far.
    #[default]
    Lead,
    /// A run of fence marks that began the line.
    Mark { mark: char, len: usize },
    /// After the marks that open a fence.
    Info,
    /// After the marks that close it.
    Closing,
    /// Anywhere else.
    Body,
}

/// How far ahead the end of an inline span is looked for, in bytes.
const SPAN_LOOKAHEAD: usize = 512;

impl CodeTracker {
    /// Follows `text`.
    pub(crate) fn feed(&mut self, text: &str) {
        for character in text.chars() {
            self.next(character);
        }
    }

    /// Says that the next character is neither a backtick nor a tilde, so that a pending run of them is over.
    pub(crate) fn settle(&mut self) {
        if let Line::Mark { mark, len } = self.line {
            self.line = match self.fence {
                Some(fence) if len >= fence.len => Line::Closing,
                Some(_) => Line::Body,
                None if len >= 3 => {
                    self.fence = Some(Fence { mark, len });
                    Line::Info
                }
                None => {
                    if mark == '`' {
                        self.run = len;
                    }
                    Line::Body
                }
            };
        }
        if self.run > 0 {
            self.span = match self.span {
                Some(len) if len == self.run => None,
                Some(len) => Some(len),
                None => Some(self.run),
            };
            self.run = 0;
        }
    }

    /// Whether the next character stands in a fenced block.
    pub(crate) fn in_fence(&self) -> bool {
        self.fence.is_some() && !matches!(self.line, Line::Closing)
    }

    /// Whether nothing but indentation and marks of lists stands on the line so far, and no fence is open.
    pub(crate) fn begins_line(&self) -> bool {
        matches!(self.line, Line::Lead) && self.fence.is_none() && !self.quotation
    }

    /// Whether prose on the line ends in a way in which one announces what follows. A line that begins with a mark may hold a quoted
    /// key.
    pub(crate) fn announces(&self) -> bool {
        let is_prose = matches!(self.line, Line::Body) && self.fence.is_none() && !self.quotation && self.span.is_none() && self.run == 0;
        let [second, last] = self.before;
        let is_key = matches!(second, '"' | '\'' | '`') && !self.first.is_some_and(char::is_alphanumeric);
        is_prose && !is_key && matches!(last, ':' | '.' | '!' | '…' | '：' | '。' | '！')
    }

    /// Whether the line is a quotation.
    pub(crate) fn in_quotation(&self) -> bool {
        self.quotation
    }

    /// Whether an inline span was opened on this line and is closed in `ahead`. `None` outside a span.
    pub(crate) fn span_end(&self, ahead: &str) -> Option<SpanEnd> {
        let wanted = self.span?;
        let mut run = 0;
        for (at, character) in ahead.char_indices() {
            if character == '`' {
                run += 1;
                continue;
            }
            if run == wanted {
                return Some(SpanEnd::Closed);
            }
            run = 0;
            if character == '\n' || at > SPAN_LOOKAHEAD {
                return Some(SpanEnd::Open);
            }
        }
        Some(SpanEnd::Undecided)
    }

    /// Whether `ahead`, being all that is left of the input, closes the span.
    pub(crate) fn closed_at_end(&self, ahead: &str) -> bool {
        let trailing = ahead.chars().rev().take_while(|&character| character == '`').count();
        self.span.is_some_and(|wanted| wanted == trailing)
    }

    /// Leaves the inline span that turned out to be none, and a fence whose closing marks were just read.
    pub(crate) fn leave(&mut self) {
        self.span = None;
        if matches!(self.line, Line::Closing) {
            self.fence = None;
            self.line = Line::Body;
        }
    }

    fn next(&mut self, character: char) {
        if character == '\n' {
            self.end_line();
            return;
        }
        if !character.is_whitespace() {
            self.first = self.first.or(Some(character));
            self.before = [self.before[1], character];
        }
        if let Line::Mark { mark, len } = self.line
            && character == mark
        {
            self.line = Line::Mark { mark, len: len + 1 };
            return;
        }
        if matches!(self.line, Line::Mark { .. }) || character != '`' {
            self.settle();
        }
        match self.line {
            Line::Lead => self.lead(character),
            Line::Info => self.info(character),
            Line::Closing if character.is_whitespace() => {}
            Line::Closing => self.line = Line::Body,
            Line::Body | Line::Mark { .. } => self.body(character),
        }
    }

    fn lead(&mut self, character: char) {
        let is_mark = match self.fence {
            Some(fence) => character == fence.mark,
            None => matches!(character, '`' | '~'),
        };
        let stays =
            matches!(character, ' ' | '\t' | '>') || (self.fence.is_none() && matches!(character, '-' | '*' | '+' | '.' | ')' | '0'..='9'));
        self.quotation |= character == '>' && self.fence.is_none();
        if is_mark {
            self.line = Line::Mark { mark: character, len: 1 };
        } else if !stays {
            self.line = Line::Body;
            self.body(character);
        }
    }

    /// A backtick after backtick marks: the line held an inline span, not the opening of a fence.
    fn info(&mut self, character: char) {
        if let Some(Fence { mark: '`', len }) = self.fence
            && character == '`'
        {
            self.fence = None;
            self.span = Some(len);
            self.run = 1;
            self.line = Line::Body;
        }
    }

    fn body(&mut self, character: char) {
        if self.fence.is_none() && character == '`' {
            self.run += 1;
        }
    }

    fn end_line(&mut self) {
        self.settle();
        if matches!(self.line, Line::Closing) {
            self.fence = None;
        }
        self.line = Line::Lead;
        self.quotation = false;
        self.first = None;
        self.before = Default::default();
        self.span = None;
        self.run = 0;
    }
}
