//! Where each value of a file stands.
//!
//! A lexer, not a parser: it knows comments, texts, words and brackets, and counts values in the order in which the
//! JSON5 parser visits them. On a text that parser accepted, ordinal n here is ordinal n there. On any other text it
//! never fails; it is then used only to find the bracket that was left open and the parts of a line that may be shown.

/// The place of one value, in bytes from the start of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    /// Start and end of the key, quotes included, when the value has one.
    pub(crate) key: Option<(usize, usize)>,
    /// First byte of the value.
    pub(crate) start: usize,
    /// One past its last byte.
    pub(crate) end: usize,
}

/// A piece of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) kind: TokenKind,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// What a piece of the text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenKind {
    /// A quoted text.
    Text,
    /// A name, a number or a literal.
    Word,
    /// One of `{}[],:`.
    Mark(char),
    /// Either kind of comment.
    Comment,
}

/// The places of all values, by ordinal.
pub(crate) struct Spans {
    spans: Vec<Span>,
    open: Vec<usize>,
}

impl Spans {
    pub(crate) fn of(text: &str) -> Self {
        let mut builder = Builder::default();
        for token in tokens(text) {
            builder.token(token);
        }
        let open = builder.stack.iter().filter_map(|frame| builder.spans.get(frame.ordinal)).map(|span| span.start).collect();
        Self { spans: builder.spans, open }
    }

    pub(crate) fn get(&self, ordinal: u32) -> Option<Span> {
        self.spans.get(usize::try_from(ordinal).ok()?).copied()
    }

    /// The innermost bracket that the end of the file left open.
    pub(crate) fn innermost_open(&self) -> Option<usize> {
        self.open.last().copied()
    }
}

struct Frame {
    ordinal: usize,
    is_object: bool,
}

#[derive(Default)]
struct Builder {
    spans: Vec<Span>,
    stack: Vec<Frame>,
    key: Option<(usize, usize)>,
    wants_key: bool,
}

impl Builder {
    fn token(&mut self, token: Token) {
        match token.kind {
            TokenKind::Comment => {}
            TokenKind::Text | TokenKind::Word if self.wants_key => self.key = Some((token.start, token.end)),
            TokenKind::Text | TokenKind::Word => self.value(token.start, token.end),
            TokenKind::Mark(open @ ('{' | '[')) => {
                let ordinal = self.spans.len();
                self.value(token.start, token.end);
                self.stack.push(Frame { ordinal, is_object: open == '{' });
                self.wants_key = open == '{';
            }
            TokenKind::Mark('}' | ']') => {
                if let Some(span) = self.stack.pop().and_then(|frame| self.spans.get_mut(frame.ordinal)) {
                    span.end = token.end;
                }
                self.wants_key = false;
            }
            TokenKind::Mark(',') => self.wants_key = self.stack.last().is_some_and(|frame| frame.is_object),
            TokenKind::Mark(_) => self.wants_key = false,
        }
    }

    fn value(&mut self, start: usize, end: usize) {
        self.spans.push(Span { key: self.key.take(), start, end });
    }
}

/// Cuts a text into tokens. Blanks are left out; an unfinished text ends with its line, an unfinished comment with the file.
pub(crate) fn tokens(text: &str) -> impl Iterator<Item = Token> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = text.get(at..)?;
        let start = at + rest.find(|c| !is_blank(c))?;
        let rest = text.get(start..)?;
        let first = rest.chars().next()?;
        let (kind, length) = match first {
            '{' | '}' | '[' | ']' | ',' | ':' => (TokenKind::Mark(first), 1),
            '"' | '\'' => (TokenKind::Text, quoted_length(rest, first)),
            _ if rest.starts_with("//") => (TokenKind::Comment, rest.find(is_line_end).unwrap_or(rest.len())),
            _ if rest.starts_with("/*") => {
                let end = rest.get(2..).and_then(|inner| inner.find("*/")).map(|end| end + 4);
                (TokenKind::Comment, end.unwrap_or(rest.len()))
            }
            _ => {
                let ends = |c: char| is_blank(c) || matches!(c, '{' | '}' | '[' | ']' | ',' | ':' | '"' | '\'' | '/');
                let tail = rest.char_indices().skip(1).find(|&(_, c)| ends(c));
                (TokenKind::Word, tail.map_or(rest.len(), |(end, _)| end))
            }
        };
        at = start + length;
        Some(Token { kind, start, end: at })
    })
}

/// Bytes of a quoted text, quotes included. A backslash keeps the line going, also over CR LF, which is two characters.
fn quoted_length(rest: &str, quote: char) -> usize {
    let mut chars = rest.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => {
                if matches!(chars.next(), Some((_, '\r'))) {
                    chars.next_if(|&(_, c)| c == '\n');
                }
            }
            '\n' | '\r' => return at,
            _ if c == quote => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

fn is_blank(c: char) -> bool {
    c.is_whitespace() || c == '\u{feff}'
}

/// Line ends of ECMAScript, which also end a `//` comment in JSON5.
pub(crate) fn is_line_end(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{2028}' | '\u{2029}')
}
