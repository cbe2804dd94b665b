//! The state machine behind the splitter.
//!
//! Four states: the answer, reasoning between tags (a stack, because it may be nested), a Harmony channel that is not for the
//! reader, and a block of calls, which is read when it is over. Every step looks at the beginning of what is left of the input and either takes some of it or waits for
//! more. A step depends on the characters alone, never on where the pieces were cut: wherever the characters that decide
//! are not there yet, it waits. That is why any cutting of the input gives the same result.

use calling::{half, or_mark};

use crate::calls::Block;
use crate::code::{CodeTracker, SpanEnd};
use crate::emitter::Emitter;
use crate::harmony::{self, BARE_FINAL, Channel, Complete, Opening};
use crate::splitter::OrphanPolicy;
use crate::token::{self, Found, Prefix, Tag, Token};

mod calling;

/// What a step did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// It took so many bytes; at least one, or it went over into another state.
    Took(usize),
    /// It needs more input. Never when the input is complete.
    Wait,
}

/// Reads an answer.
#[derive(Debug)]
pub(crate) struct Reader {
    pub(crate) emitter: Emitter,
    mode: Mode,
    code: CodeTracker,
    /// Marks that end a turn, and blanks after them: dropped if nothing follows.
    tail: String,
    words: Words,
    harmony: Harmony,
    /// `<s>` came: the next `</s>` is HTML.
    strike: bool,
    /// Opening tags quoted in the present piece of code, while the text is kept back.
    quoted_openings: usize,
    /// The last character of reasoning.
    previous: Option<char>,
    /// The names of the tools, where calls are looked for.
    tools: Option<Vec<String>>,
    /// A call that stands in quotation marks began.
    quoted_call: bool,
}

#[derive(Debug)]
enum Mode {
    Answer,
    /// Between tags; the stack is never empty.
    Thinking(Vec<Tag>),
    /// On a channel that is not for the reader.
    Hidden,
    Call(Box<Block>),
}

/// Which channel names are looked for without their marks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Words {
    /// Nothing of the answer was read yet.
    Start,
    /// The answer began with a bare channel name, or may have.
    Watched,
    /// Bare words are text.
    Ignored,
}

/// Whether the model speaks Harmony.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Harmony {
    No,
    /// A header came, but none of the final channel.
    Headers,
    /// The final channel was reached.
    Final,
}

impl Reader {
    pub(crate) fn new(policy: OrphanPolicy) -> Self {
        Self {
            emitter: Emitter::new(policy),
            mode: Mode::Answer,
            code: CodeTracker::default(),
            tail: String::new(),
            words: Words::Start,
            harmony: Harmony::No,
            strike: false,
            quoted_openings: 0,
            previous: None,
            tools: None,
            quoted_call: false,
        }
    }

    pub(crate) fn with_calls(policy: OrphanPolicy, tools: Vec<String>) -> Self {
        Self { tools: Some(tools), ..Self::new(policy) }
    }

    /// Takes a step at the beginning of `rest`, which is not empty.
    pub(crate) fn step(&mut self, rest: &str, complete: Complete) -> Step {
        let step = match self.mode {
            Mode::Answer => self.answer(rest, complete),
            Mode::Thinking(_) => self.thinking(rest, complete),
            Mode::Hidden => self.hidden(rest, complete),
            Mode::Call(_) => self.call(rest, complete),
        };
        if self.emitter.overflowed() {
            match &mut self.mode {
                Mode::Thinking(stack) => stack.insert(0, Tag::UNSEEN),
                Mode::Answer => self.mode = Mode::Thinking(vec![Tag::UNSEEN]),
                Mode::Hidden | Mode::Call(_) => {}
            }
        }
        step
    }

    fn answer(&mut self, rest: &str, complete: Complete) -> Step {
        if self.words == Words::Start
            && let Some(step) = self.beginning(rest, complete)
        {
            return step;
        }
        if let Some(step) = self.unmarked_call(rest, complete) {
            return step;
        }
        let bare = self.words == Words::Watched || (self.harmony != Harmony::No && self.emitter.at_section_start());
        let plain = rest.find(|character| token::can_begin(character) || (bare && character == 'a')).unwrap_or(rest.len());
        if plain > 0 {
            return self.take_text(rest, self.before_unmarked_call(rest, plain));
        }
        self.code.settle();
        if self.code.in_fence() && !self.emitter.holding() {
            return self.take_character(rest);
        }
        let (found, len) = match self.look(rest, complete) {
            Found::Whole(found, len) => (found, len),
            Found::Partial if complete == Complete::No => return Step::Wait,
            Found::Partial | Found::Nothing => return self.take_character(rest),
        };
        if self.code.in_fence() {
            return self.quoted_while_held(rest, found, len);
        }
        let ahead = rest.get(len..).unwrap_or_default();
        match self.code.span_end(ahead) {
            Some(SpanEnd::Closed) => return self.quoted_in_span(rest, found, len),
            Some(SpanEnd::Undecided) if complete == Complete::No => return Step::Wait,
            Some(SpanEnd::Undecided) if self.code.closed_at_end(ahead) => return self.quoted_in_span(rest, found, len),
            Some(SpanEnd::Undecided | SpanEnd::Open) | None => self.code.leave(),
        }
        self.quoted_openings = 0;
        self.apply(found, rest, len)
    }

    /// The very first characters: a channel name without its marks?
    fn beginning(&mut self, rest: &str, complete: Complete) -> Option<Step> {
        let blank = rest.len() - rest.trim_start().len();
        if blank > 0 {
            return Some(self.take_text(rest, blank));
        }
        match harmony::opening(rest, complete) {
            Opening::Undecided => return Some(Step::Wait),
            Opening::Bare(len) => {
                let address = rest.get(len..).filter(|_| self.tools.is_some()).map_or(Found::Nothing, harmony::bare_address);
                if address == Found::Partial && complete == Complete::No {
                    return Some(Step::Wait);
                }
                self.words = Words::Watched;
                if let Found::Whole(_, more) = address {
                    return Some(self.apply(Token::Header(Channel::Hidden), rest, len + more));
                }
                self.enter_hidden();
                return Some(Step::Took(len));
            }
            Opening::Suspicious => self.words = Words::Watched,
            Opening::Ordinary => {}
        }
        let header = match harmony::header_after_role_word(rest) {
            Found::Nothing if self.tools.is_some() => harmony::addressed_header(rest),
            header => header,
        };
        match header {
            Found::Whole(found, len) => return Some(self.apply(found, rest, len)),
            Found::Partial if complete == Complete::No => return Some(Step::Wait),
            Found::Partial | Found::Nothing => {}
        }
        if self.words == Words::Start {
            self.words = Words::Ignored;
        }
        None
    }

    /// Looks for a mark, and for bare words where they are watched for.
    fn look(&self, rest: &str, complete: Complete) -> Found {
        if !rest.starts_with('a') {
            let found = token::recognise(rest, complete);
            return if self.tools.is_some() { or_mark(found, rest, complete) } else { found };
        }
        let word = match self.words {
            Words::Watched => match token::prefix(rest, BARE_FINAL) {
                Prefix::Whole => return Found::Whole(Token::Header(Channel::Final), BARE_FINAL.len()),
                Prefix::Partial => Found::Partial,
                Prefix::Different if self.tools.is_some() => harmony::bare_call(rest),
                Prefix::Different => Found::Nothing,
            },
            Words::Start | Words::Ignored => Found::Nothing,
        };
        match harmony::header_after_role_word(rest) {
            Found::Nothing => word,
            found => found,
        }
    }

    /// A mark in an inline span. A tag with nothing but backticks around it is quoted, whatever else is true.
    fn quoted_in_span(&mut self, rest: &str, found: Token, len: usize) -> Step {
        let alone = self.emitter.last() == Some('`') && rest.get(len..).is_some_and(|ahead| ahead.starts_with('`'));
        if alone || !self.emitter.holding() { self.take_text(rest, len) } else { self.quoted_while_held(rest, found, len) }
    }

    /// While text is kept back, a closing tag in code counts, because reasoning may leave a fence or a span open; unless it
    /// closes an opening tag that is quoted in the same piece of code.
    fn quoted_while_held(&mut self, rest: &str, found: Token, len: usize) -> Step {
        match found {
            Token::Close(_) if self.quoted_openings == 0 => self.apply(found, rest, len),
            Token::Close(_) => {
                self.quoted_openings -= 1;
                self.take_text(rest, len)
            }
            Token::Open(_) => {
                self.quoted_openings += 1;
                self.take_text(rest, len)
            }
            Token::Empty
            | Token::Header(_)
            | Token::End
            | Token::EndOrStrike
            | Token::Strike
            | Token::Role
            | Token::Call(_)
            | Token::Stray
            | Token::Half => self.take_text(rest, len),
        }
    }

    /// Acts on a mark that stands in the answer, outside code.
    fn apply(&mut self, found: Token, rest: &str, len: usize) -> Step {
        if self.words == Words::Start {
            self.words = Words::Ignored;
        }
        match found {
            Token::Open(tag) => {
                self.release_tail();
                self.emitter.begin_reasoning();
                self.previous = None;
                self.mode = Mode::Thinking(vec![tag]);
            }
            Token::Close(_) => {
                self.release_tail();
                self.emitter.orphan_close();
                if !self.emitter.shown() {
                    self.code = CodeTracker::default();
                }
            }
            Token::Empty => {
                self.release_tail();
                self.emitter.begin_section();
            }
            Token::Header(channel) => self.enter_channel(channel, rest.get(..len).unwrap_or_default()),
            Token::End if self.harmony != Harmony::No => self.emitter.begin_section(),
            Token::EndOrStrike if self.strike => {
                self.strike = false;
                return self.take_text(rest, len);
            }
            Token::End | Token::EndOrStrike => self.tail.push_str(rest.get(..len).unwrap_or_default()),
            Token::Role if !self.emitter.shown() && self.tail.is_empty() => self.emitter.begin_section(),
            Token::Role => return self.take_text(rest, len),
            Token::Strike => {
                self.strike = true;
                return self.take_text(rest, len);
            }
            Token::Call(_) | Token::Stray | Token::Half if self.is_quoted(found) => return self.take_text(rest, len),
            Token::Call(form) => self.enter_call(Block::new(form)),
            Token::Stray => {}
            Token::Half => self.emitter.call(half(rest)),
        }
        Step::Took(len)
    }

    fn enter_channel(&mut self, channel: Channel, header: &str) {
        self.tail.clear();
        match channel {
            Channel::Hidden => {
                if !self.enter_addressed(header) {
                    self.enter_hidden();
                }
                if self.harmony == Harmony::No {
                    self.harmony = Harmony::Headers;
                }
            }
            Channel::Final => {
                if self.emitter.shown() && self.harmony != Harmony::Final {
                    self.emitter.retract();
                }
                if !self.emitter.shown() {
                    self.code = CodeTracker::default();
                    self.emitter.orphan_close();
                }
                self.emitter.begin_section();
                self.harmony = Harmony::Final;
                self.words = Words::Ignored;
                self.mode = Mode::Answer;
            }
        }
    }

    fn enter_hidden(&mut self) {
        self.emitter.begin_reasoning();
        self.mode = Mode::Hidden;
    }

    fn thinking(&mut self, rest: &str, complete: Complete) -> Step {
        let plain = rest.find(token::can_begin).unwrap_or(rest.len());
        if plain > 0 {
            return self.take_reasoning(rest, plain);
        }
        let (found, len) = match token::recognise(rest, complete) {
            Found::Whole(found, len) => (found, len),
            Found::Partial if complete == Complete::No => return Step::Wait,
            Found::Partial | Found::Nothing => return self.take_reasoning_character(rest),
        };
        if self.previous == Some('`') {
            match rest.get(len..).and_then(|ahead| ahead.chars().next()) {
                Some('`') => return self.take_reasoning(rest, len),
                None if complete == Complete::No => return Step::Wait,
                Some(_) | None => {}
            }
        }
        let Mode::Thinking(stack) = &mut self.mode else { return Step::Wait };
        match found {
            Token::Open(tag) => {
                if !self.emitter.reasoning_is_empty() || stack.last() != Some(&tag) {
                    stack.push(tag);
                }
            }
            Token::Close(tag) => {
                let remaining = stack.iter().rposition(|open| *open == tag).unwrap_or(stack.len().saturating_sub(1));
                stack.truncate(remaining);
                if stack.is_empty() {
                    self.mode = Mode::Answer;
                    self.emitter.begin_section();
                }
            }
            Token::Empty => {}
            Token::Header(_)
            | Token::End
            | Token::EndOrStrike
            | Token::Strike
            | Token::Role
            | Token::Call(_)
            | Token::Stray
            | Token::Half => return self.take_reasoning(rest, len),
        }
        self.previous = None;
        Step::Took(len)
    }

    fn hidden(&mut self, rest: &str, complete: Complete) -> Step {
        let bare = self.words == Words::Watched;
        let plain = rest.find(|character| character == '<' || (bare && character == 'a')).unwrap_or(rest.len());
        if plain > 0 {
            return self.take_reasoning(rest, plain);
        }
        match self.look(rest, complete) {
            Found::Whole(Token::Header(channel), len) => {
                self.enter_channel(channel, rest.get(..len).unwrap_or_default());
                Step::Took(len)
            }
            Found::Whole(Token::End, len) => {
                self.mode = Mode::Answer;
                self.harmony = Harmony::Headers;
                self.emitter.begin_section();
                Step::Took(len)
            }
            Found::Whole(Token::Role, len) => Step::Took(len),
            Found::Partial if complete == Complete::No => Step::Wait,
            Found::Whole(..) | Found::Partial | Found::Nothing => self.take_reasoning_character(rest),
        }
    }

    fn take_character(&mut self, rest: &str) -> Step {
        self.take_text(rest, rest.chars().next().map_or(1, char::len_utf8))
    }

    fn take_text(&mut self, rest: &str, len: usize) -> Step {
        let text = rest.get(..len).unwrap_or_default();
        if !self.tail.is_empty() {
            if text.trim().is_empty() {
                self.tail.push_str(text);
                return Step::Took(len);
            }
            self.release_tail();
        }
        self.code.feed(text);
        self.emitter.text(text);
        Step::Took(len)
    }

    fn release_tail(&mut self) {
        if self.tail.is_empty() {
            return;
        }
        let tail = std::mem::take(&mut self.tail);
        self.code.feed(&tail);
        self.emitter.text(&tail);
    }

    fn take_reasoning_character(&mut self, rest: &str) -> Step {
        self.take_reasoning(rest, rest.chars().next().map_or(1, char::len_utf8))
    }

    fn take_reasoning(&mut self, rest: &str, len: usize) -> Step {
        let text = rest.get(..len).unwrap_or_default();
        self.previous = text.chars().next_back();
        self.emitter.reasoning(text);
        Step::Took(len)
    }
}
