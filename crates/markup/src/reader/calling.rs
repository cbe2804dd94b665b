//! The reader's part in calls: where a block may begin, and what becomes of it.

use super::{Mode, Reader, Step};
use crate::calls::{
    self, BARE, Bare, Block, BlockStep, Ending, HARMONY, Mark, Place, Seen, Start, TOOL_CODE, WrittenCall, is_half_a_mark, start_of,
};
use crate::harmony::{self, Complete};
use crate::token::{Found, Token};

/// So many bytes are kept back without a sign of life.
const LONG_WAIT: usize = 512;

impl Reader {
    /// A call without a mark of its own, or with one that looks like a fence, at the beginning of a line; or behind prose that
    /// announces it.
    pub(super) fn unmarked_call(&mut self, rest: &str, complete: Complete) -> Option<Step> {
        let tools = self.tools.as_ref().filter(|_| !self.quoted_call)?;
        let place = match rest.chars().next()? {
            '{' | '[' | '`' if self.code.begins_line() => Place::Beginning,
            '{' if self.code.announces() => Place::Within,
            _ => return None,
        };
        if rest.starts_with(['{', '[']) {
            return match calls::opening(rest, tools, place, complete) {
                Bare::Opens => {
                    self.enter_call(Block::new(&BARE));
                    Some(Step::Took(0))
                }
                Bare::Undecided => {
                    if rest.len() > LONG_WAIT {
                        self.emitter.calling();
                    }
                    Some(Step::Wait)
                }
                Bare::Text => None,
            };
        }
        match start_of(rest, [&TOOL_CODE.open]) {
            Start::Whole(len) => {
                self.enter_call(Block::new(&TOOL_CODE));
                Some(Step::Took(len))
            }
            Start::Partial if complete == Complete::No => Some(Step::Wait),
            Start::Partial | Start::Different => {
                let run = rest.find(|character| character != '`').unwrap_or(rest.len());
                Some(self.take_text(rest, run))
            }
        }
    }

    /// How much of the first `plain` bytes of `rest` stands before the next place where such a call may begin.
    pub(super) fn before_unmarked_call(&self, rest: &str, plain: usize) -> usize {
        let Some(text) = rest.get(..plain).filter(|_| self.tools.is_some()) else { return plain };
        let is_lead = |character| matches!(character, ' ' | '\t' | '-' | '*' | '+' | '.' | ')' | '0'..='9');
        let first = self.code.begins_line().then_some(0);
        let lines = first.into_iter().chain(text.match_indices('\n').map(|(at, _)| at + 1));
        let mut fences = lines.filter_map(|at| {
            let line = text.get(at..)?;
            let mark = line.trim_start_matches(is_lead);
            mark.starts_with('`').then_some(plain - mark.len())
        });
        let bracket = text.char_indices().skip(1).find(|(_, character)| *character == '{').map(|(at, _)| at);
        let fence = fences.find(|at| *at > 0);
        bracket.into_iter().chain(fence).min().unwrap_or(plain)
    }

    /// Whether a mark of a call is quoted, so that it is text: in a quotation, or directly behind an opening quotation mark. The
    /// mark that ends a quoted call is quoted too.
    pub(super) fn is_quoted(&mut self, found: Token) -> bool {
        let begins = matches!(found, Token::Call(_));
        let opened = self.emitter.opens_quotation();
        let quoted = opened || self.code.in_quotation() || (self.quoted_call && !begins);
        self.quoted_call = begins && opened;
        quoted
    }

    pub(super) fn enter_call(&mut self, block: Block) {
        self.tail.clear();
        self.mode = Mode::Call(Box::new(block));
    }

    /// Enters the call that a Harmony header addresses to a function; `false` for any other header.
    pub(super) fn enter_addressed(&mut self, header: &str) -> bool {
        let Some(function) = harmony::recipient(header).filter(|_| self.tools.is_some()) else { return false };
        self.emitter.begin_reasoning();
        self.enter_call(Block::of_function(&HARMONY, function));
        true
    }

    /// A step within a block.
    pub(super) fn call(&mut self, rest: &str, complete: Complete) -> Step {
        let Mode::Call(block) = &mut self.mode else { return Step::Wait };
        match block.step(rest, complete) {
            BlockStep::Took(len) => {
                self.emitter.calling();
                Step::Took(len)
            }
            BlockStep::Wait => Step::Wait,
            BlockStep::End(len) => {
                let calls = block.calls();
                self.leave_call(calls);
                Step::Took(len)
            }
            BlockStep::Prose => {
                let body = block.body().to_owned();
                self.mode = Mode::Answer;
                self.take_text(&body, body.len());
                Step::Took(0)
            }
        }
    }

    /// No more input comes: ends the block that is open, if any, and gives back what did not belong to it.
    pub(crate) fn close_block(&mut self, ending: Ending) -> Option<String> {
        let Mode::Call(block) = &self.mode else { return None };
        let (calls, left) = block.at_end(ending);
        self.leave_call(calls);
        Some(left)
    }

    fn leave_call(&mut self, calls: Vec<WrittenCall>) {
        self.mode = Mode::Answer;
        self.emitter.begin_section();
        calls.into_iter().for_each(|call| self.emitter.call(call));
    }
}

/// What stands at the beginning of `rest`, when marks of calls count too.
pub(super) fn or_mark(found: Found, rest: &str, complete: Complete) -> Found {
    if matches!(found, Found::Whole(..)) {
        return found;
    }
    match calls::mark(rest) {
        Seen::Whole(Mark::Open(form), len) => Found::Whole(Token::Call(form), len),
        Seen::Whole(Mark::Stray, len) => Found::Whole(Token::Stray, len),
        Seen::Partial if complete == Complete::No => Found::Partial,
        Seen::Partial if is_half_a_mark(rest) => Found::Whole(Token::Half, rest.len()),
        Seen::Partial | Seen::Nothing => found,
    }
}

/// The beginning of a mark, with which the answer ended.
pub(super) fn half(rest: &str) -> WrittenCall {
    WrittenCall { name: None, arguments: None, ending: Ending::Cut, raw: rest.to_owned() }
}
