//! A block of calls while it arrives.
//!
//! Nothing in it is given out before its end. Where that is, is found without reading it: by its closing mark, which does not
//! count inside a text in quotes; by the balance of its brackets, where the form has no closing mark or the model forgot it; or
//! by the end of the turn. Like the reader, a step depends on the characters alone and waits where those that decide are not
//! there yet.

use super::form::{BARE, Content, ELEMENT_ENDS, ELEMENTS, Form, INNER, Start, VALUE_ENDS, VALUES, start_of};
use super::items;
use super::loose::Ending;
use super::written::WrittenCall;
use crate::harmony::Complete;
use crate::token::{self, Found, Token};

/// A block that is not over.
#[derive(Debug)]
pub(crate) struct Block {
    form: &'static Form,
    /// The function that a Harmony header addressed.
    function: Option<String>,
    body: String,
    scan: Scan,
    /// A mark or a whole call stands in the body, so that it can no longer be prose.
    marked: bool,
}

/// What a step found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BlockStep {
    /// So many bytes belong to the block.
    Took(usize),
    /// More input decides.
    Wait,
    /// So many bytes belong to it, and it is over.
    End(usize),
    /// This is no block of calls: what was collected is text.
    Prose,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scan {
    /// A call is to begin.
    Begin,
    /// Within a function's name that stands by itself.
    Name { len: usize },
    /// Within brackets.
    Nest(Nest),
    /// Within an element. Nothing in a value ends the block, but for the end of the element.
    Element { in_value: bool },
    /// After a complete call. `more` says that a comma or semicolon followed it.
    Between { more: bool },
    /// Anything, up to a closing mark.
    Opaque,
}

/// Brackets and quotes so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Nest {
    depth: u32,
    quote: Option<Quote>,
    escaped: bool,
    /// The last character that is not blank, outside quotes: an apostrophe opens a text only where one can begin.
    before: Option<char>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quote {
    Mark(char),
    /// Gemma's marks.
    Word(&'static str),
}

/// The longest name of a function, in bytes.
const MAX_NAME: usize = 128;
/// The most blanks between a name and what follows it.
const MAX_GAP: usize = 32;
const GEMMA_QUOTES: &[&str] = &["<|\"|>", "<escape>"];
const FENCES: &[&str] = &["```"];
const CALL_ENDS: &[&str] = &["<|tool_call_end|>", "<｜tool▁call▁end｜>"];

impl Block {
    /// A block that began with the mark of `form`.
    pub(crate) fn new(form: &'static Form) -> Self {
        let scan = match form.content {
            Content::Any | Content::Arguments => Scan::Begin,
            Content::Element => Scan::Element { in_value: false },
            Content::Python => Scan::Nest(Nest::default()),
        };
        Self { form, function: None, body: String::new(), scan, marked: content_is_marked(form.content) }
    }

    /// The arguments of a function that was named before.
    pub(crate) fn of_function(form: &'static Form, function: &str) -> Self {
        Self { function: Some(function.to_owned()), ..Self::new(form) }
    }

    /// Looks at the beginning of `rest`, which is not empty.
    pub(crate) fn step(&mut self, rest: &str, complete: Complete) -> BlockStep {
        let step = match self.scan {
            Scan::Begin => self.begin(rest, complete),
            Scan::Name { len } => self.name(len, rest, complete),
            Scan::Nest(nest) => self.nest(nest, rest, complete),
            Scan::Element { in_value } => self.element(in_value, rest, complete),
            Scan::Between { more } => self.between(more, rest, complete),
            Scan::Opaque => self.opaque(rest, complete),
        };
        if let BlockStep::Took(len) | BlockStep::End(len) = step {
            self.body.push_str(rest.get(..len).unwrap_or_default());
        }
        step
    }

    /// What was collected.
    pub(crate) fn body(&self) -> &str {
        &self.body
    }

    /// The calls of a block that is over.
    pub(crate) fn calls(&self) -> Vec<WrittenCall> {
        items::read(self.form, self.function.as_deref(), &self.body, Ending::Regular)
    }

    /// The calls when no more input comes, and what does not belong to the block after all.
    pub(crate) fn at_end(&self, ending: Ending) -> (Vec<WrittenCall>, String) {
        let read = |body: &str| items::read(self.form, self.function.as_deref(), body, ending);
        // A quote or a value that was never closed may have hidden the closing mark.
        let hidden = matches!(self.scan, Scan::Nest(_) | Scan::Element { in_value: true }) && ending == Ending::Regular;
        let close = self.form.close.iter().filter(|_| hidden).find_map(|close| Some(self.body.find(close)? + close.len()));
        match close.and_then(|at| self.body.split_at_checked(at)) {
            Some((body, after)) => (read(body), after.to_owned()),
            None => (read(&self.body), String::new()),
        }
    }

    fn begin(&mut self, rest: &str, complete: Complete) -> BlockStep {
        let blank = rest.len() - rest.trim_start().len();
        if blank > 0 {
            return BlockStep::Took(blank);
        }
        if let Some(step) = self.ends_here(rest, complete) {
            return step;
        }
        match start_of(rest, INNER.iter().chain(FENCES)) {
            Start::Whole(len) => {
                self.marked = true;
                return BlockStep::Took(len);
            }
            Start::Partial if complete == Complete::No => return BlockStep::Wait,
            Start::Partial | Start::Different => {}
        }
        match start_of(rest, ELEMENTS) {
            Start::Whole(len) => {
                self.marked = true;
                self.scan = Scan::Element { in_value: false };
                return BlockStep::Took(len);
            }
            Start::Partial if complete == Complete::No => return BlockStep::Wait,
            Start::Partial | Start::Different => {}
        }
        match rest.chars().next() {
            Some('{' | '[') => self.enter_nest(rest, complete),
            Some(first) if self.form.content == Content::Any && (first.is_alphabetic() || first == '_') => {
                self.scan = Scan::Name { len: 0 };
                self.name(0, rest, complete)
            }
            Some(_) if self.form.content == Content::Arguments => {
                self.scan = Scan::Opaque;
                self.opaque(rest, complete)
            }
            Some(_) | None => self.misfit(),
        }
    }

    /// What stands here begins no call.
    fn misfit(&self) -> BlockStep {
        if self.marked { BlockStep::End(0) } else { BlockStep::Prose }
    }

    fn name(&mut self, len: usize, rest: &str, complete: Complete) -> BlockStep {
        let more = rest.find(|character: char| !is_of_name(character)).unwrap_or(rest.len());
        if more > 0 {
            let len = len + more;
            self.scan = Scan::Name { len };
            return if len > MAX_NAME { self.misfit() } else { BlockStep::Took(more) };
        }
        let gap = rest.len() - rest.trim_start().len();
        let Some(ahead) = rest.get(gap..).filter(|ahead| !ahead.is_empty() && gap <= MAX_GAP) else {
            return if complete == Complete::No && gap <= MAX_GAP { BlockStep::Wait } else { self.misfit() };
        };
        if ahead.starts_with(['{', '(']) {
            return if gap > 0 { BlockStep::Took(gap) } else { self.enter_nest(rest, complete) };
        }
        let marks = INNER.iter().chain(FENCES).chain(self.form.close).chain([&"<arg_key>"]);
        match start_of(ahead, marks) {
            Start::Whole(_) if ahead.starts_with("<arg_key>") => {
                self.marked = true;
                self.scan = Scan::Element { in_value: false };
                BlockStep::Took(gap + "<arg_key>".len())
            }
            Start::Whole(_) => {
                self.scan = Scan::Begin;
                self.begin(rest, complete)
            }
            Start::Partial if complete == Complete::No => BlockStep::Wait,
            Start::Partial | Start::Different => self.misfit(),
        }
    }

    fn enter_nest(&mut self, rest: &str, complete: Complete) -> BlockStep {
        self.marked = true;
        self.scan = Scan::Nest(Nest::default());
        self.nest(Nest::default(), rest, complete)
    }

    fn nest(&mut self, mut nest: Nest, rest: &str, complete: Complete) -> BlockStep {
        let step = match nest.quote {
            Some(Quote::Word(word)) => match start_of(rest, [&word]) {
                Start::Whole(len) => {
                    nest.quote = None;
                    BlockStep::Took(len)
                }
                Start::Partial if complete == Complete::No => BlockStep::Wait,
                Start::Partial | Start::Different => BlockStep::Took(up_to(rest, |character| character == '<')),
            },
            Some(Quote::Mark(mark)) => nest.quoted(mark, rest),
            None => self.bracket(&mut nest, rest, complete),
        };
        if matches!(self.scan, Scan::Nest(_)) {
            self.scan = Scan::Nest(nest);
        }
        step
    }

    /// Within brackets and outside quotes.
    fn bracket(&mut self, nest: &mut Nest, rest: &str, complete: Complete) -> BlockStep {
        let is_special = |character| matches!(character, '{' | '[' | '(' | '}' | ']' | ')' | '"' | '\'' | '<' | '`');
        let plain = rest.find(is_special).unwrap_or(rest.len());
        if let Some(text) = rest.get(..plain).filter(|text| !text.is_empty()) {
            nest.before = text.trim_end().chars().next_back().or(nest.before);
            return BlockStep::Took(plain);
        }
        // An opening bracket may be the beginning of a mark, but the very first one is not.
        if nest.before.is_some()
            && let Some(step) = self.ends_here(rest, complete)
        {
            return step;
        }
        match start_of(rest, GEMMA_QUOTES) {
            Start::Whole(len) => {
                nest.quote = GEMMA_QUOTES.iter().find(|word| word.len() == len).map(|word| Quote::Word(word));
                nest.before = Some('"');
                return BlockStep::Took(len);
            }
            Start::Partial if complete == Complete::No => return BlockStep::Wait,
            Start::Partial | Start::Different => {}
        }
        let character = rest.chars().next().unwrap_or_default();
        match character {
            '{' | '[' | '(' => nest.depth = nest.depth.saturating_add(1),
            '}' | ']' | ')' => {
                nest.depth = nest.depth.saturating_sub(1);
                if nest.depth == 0 && self.form.content != Content::Python {
                    self.scan = Scan::Between { more: false };
                }
            }
            '"' => nest.quote = Some(Quote::Mark('"')),
            '\'' if nest.before.is_none_or(|before| "{[(,:=".contains(before)) => nest.quote = Some(Quote::Mark('\'')),
            _ => {}
        }
        nest.before = Some(character);
        BlockStep::Took(character.len_utf8())
    }

    fn element(&mut self, in_value: bool, rest: &str, complete: Complete) -> BlockStep {
        let plain = rest.find('<').unwrap_or(rest.len());
        if plain > 0 {
            return BlockStep::Took(plain);
        }
        if !in_value && let Some(step) = self.ends_here(rest, complete) {
            return step;
        }
        match start_of(rest, self.form.close.iter().filter(|close| ELEMENT_ENDS.contains(close))) {
            Start::Whole(len) => return BlockStep::End(len),
            Start::Partial if complete == Complete::No => return BlockStep::Wait,
            Start::Partial | Start::Different => {}
        }
        let (turns, next) = if in_value { (VALUE_ENDS, false) } else { (VALUES, true) };
        match (start_of(rest, turns), start_of(rest, ELEMENT_ENDS)) {
            (Start::Whole(len), _) => {
                self.scan = Scan::Element { in_value: next };
                BlockStep::Took(len)
            }
            (_, Start::Whole(len)) => {
                self.scan = Scan::Between { more: false };
                BlockStep::Took(len)
            }
            (Start::Partial, _) | (_, Start::Partial) if complete == Complete::No => BlockStep::Wait,
            (Start::Partial | Start::Different, _) => BlockStep::Took(1),
        }
    }

    fn between(&mut self, more: bool, rest: &str, complete: Complete) -> BlockStep {
        // A call without a mark is part of its line.
        if *self.form == BARE && !more && rest.starts_with('\n') {
            return BlockStep::End(0);
        }
        let is_blank = |character: char| character.is_whitespace() && (character != '\n' || *self.form != BARE || more);
        let blank = rest.len() - rest.trim_start_matches(is_blank).len();
        if blank > 0 {
            return BlockStep::Took(blank);
        }
        if let Some(step) = self.ends_here(rest, complete) {
            return step;
        }
        let has_mark = !self.form.close.is_empty();
        match start_of(rest, CALL_ENDS) {
            Start::Whole(len) => return BlockStep::Took(len),
            Start::Partial if complete == Complete::No => return BlockStep::Wait,
            Start::Partial | Start::Different => {}
        }
        match start_of(rest, INNER.iter().chain(ELEMENTS).chain(FENCES)) {
            Start::Whole(_) if has_mark => {
                self.scan = Scan::Begin;
                return self.begin(rest, complete);
            }
            Start::Partial if complete == Complete::No && has_mark => return BlockStep::Wait,
            Start::Whole(_) | Start::Partial | Start::Different => {}
        }
        match rest.chars().next() {
            Some(';' | ',') => {
                self.scan = Scan::Between { more: true };
                BlockStep::Took(1)
            }
            Some('}' | ']' | ')') => BlockStep::Took(1),
            Some('{' | '[') if has_mark || more => {
                self.scan = Scan::Begin;
                self.begin(rest, complete)
            }
            Some(_) | None => BlockStep::End(0),
        }
    }

    fn opaque(&mut self, rest: &str, complete: Complete) -> BlockStep {
        let plain = rest.find('<').unwrap_or(rest.len());
        if plain > 0 {
            return BlockStep::Took(plain);
        }
        self.ends_here(rest, complete).unwrap_or(BlockStep::Took(1))
    }

    /// Whether a mark that ends the block stands here: its own, that of another block of its kind, or the end of the turn.
    fn ends_here(&self, rest: &str, complete: Complete) -> Option<BlockStep> {
        match start_of(rest, self.form.close) {
            Start::Whole(len) => return Some(BlockStep::End(len)),
            Start::Partial if complete == Complete::No => return Some(BlockStep::Wait),
            Start::Partial | Start::Different => {}
        }
        if !self.form.open.is_empty() && !self.body.is_empty() {
            match start_of(rest, [&self.form.open]) {
                Start::Whole(_) => return Some(BlockStep::End(0)),
                Start::Partial if complete == Complete::No => return Some(BlockStep::Wait),
                Start::Partial | Start::Different => {}
            }
        }
        if !rest.starts_with('<') {
            return None;
        }
        match token::recognise(rest, complete) {
            Found::Whole(Token::End | Token::Header(_), _) => Some(BlockStep::End(0)),
            Found::Partial if complete == Complete::No => Some(BlockStep::Wait),
            Found::Whole(..) | Found::Partial | Found::Nothing => None,
        }
    }
}

impl Nest {
    /// Within quotes.
    fn quoted(&mut self, mark: char, rest: &str) -> BlockStep {
        let first = rest.chars().next().unwrap_or_default();
        if self.escaped {
            self.escaped = false;
        } else if first == '\\' {
            self.escaped = true;
        } else if first == mark {
            self.quote = None;
        } else {
            return BlockStep::Took(up_to(rest, |character| character == '\\' || character == mark));
        }
        BlockStep::Took(first.len_utf8())
    }
}

/// The length of the first character and of those behind it up to one that `stops`.
fn up_to(text: &str, stops: impl Fn(char) -> bool) -> usize {
    let first = text.chars().next().map_or(0, char::len_utf8);
    text.get(first..).and_then(|rest| rest.find(stops)).map_or(text.len(), |at| first + at)
}

/// `functions.read:0`, `call:read`.
pub(crate) fn is_of_name(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '_' | '-' | '.' | ':')
}

/// Whether what stands behind the mark of a form can be nothing but a call.
const fn content_is_marked(content: Content) -> bool {
    match content {
        Content::Any => false,
        Content::Element | Content::Python | Content::Arguments => true,
    }
}
