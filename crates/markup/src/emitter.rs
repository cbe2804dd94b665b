//! What has been decided and not yet handed over: joins pieces, drops blank lines, holds, takes back.

use crate::calls::WrittenCall;
use crate::splitter::{HOLD_LIMIT, OrphanPolicy, Split};

/// Collects the parts of an answer.
#[derive(Debug)]
pub(crate) struct Emitter {
    queue: Vec<Split>,
    /// Whether the queue is kept back, because all text in it may be reasoning.
    holding: bool,
    held: usize,
    /// Whether there is text that was not taken back.
    shown: bool,
    /// Whether reasoning was told apart from this answer already.
    separated: bool,
    last: Option<char>,
    /// The one before it.
    before_last: Option<char>,
    lead: Lead,
    blank: String,
    broke_line: bool,
    reasoning_began: bool,
    /// Whether no text came since the last mark.
    fresh: bool,
}

/// What happens to blanks that come next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lead {
    /// They are text.
    Kept,
    /// Nothing was shown yet: dropped, but for the indentation of the first line with something on it.
    Start,
    /// A line was just ended: blank lines are dropped.
    Line,
    /// After a closing tag without an opening one, late in the answer: if text follows, all before was reasoning;
    /// at the end of the answer it was a slip of the model.
    Stray,
}

impl Emitter {
    pub(crate) fn new(policy: OrphanPolicy) -> Self {
        Self {
            queue: Vec::new(),
            holding: match policy {
                OrphanPolicy::Hold => true,
                OrphanPolicy::Stream => false,
            },
            held: 0,
            shown: false,
            separated: false,
            last: None,
            before_last: None,
            lead: Lead::Start,
            blank: String::new(),
            broke_line: false,
            reasoning_began: false,
            fresh: true,
        }
    }

    /// Whether all text so far is kept back.
    pub(crate) fn holding(&self) -> bool {
        self.holding
    }

    /// Whether there is text that was not taken back.
    pub(crate) fn shown(&self) -> bool {
        self.shown
    }

    /// The last character of the text.
    pub(crate) fn last(&self) -> Option<char> {
        self.last
    }

    /// Whether the text ends with a quotation mark that opens a quotation: one that ends it has something directly before it.
    pub(crate) fn opens_quotation(&self) -> bool {
        let can_open = |before: char| before.is_whitespace() || matches!(before, '(' | '[' | '{' | '—' | '–');
        matches!(self.last, Some('"' | '\'' | '“' | '„' | '«' | '‹' | '‘')) && self.before_last.is_none_or(can_open)
    }

    /// Whether no text came since the last mark.
    pub(crate) fn at_section_start(&self) -> bool {
        self.fresh
    }

    /// Text of the answer.
    pub(crate) fn text(&mut self, text: &str) {
        // A block of calls that turned out to be prose may be empty.
        if text.is_empty() {
            return;
        }
        if self.lead == Lead::Kept {
            self.push_text(text);
            return;
        }
        let blank_len = text.len() - text.trim_start().len();
        let Some((blank, rest)) = text.split_at_checked(blank_len) else { return };
        match blank.rsplit_once('\n') {
            Some((_, indentation)) => {
                self.broke_line = true;
                indentation.clone_into(&mut self.blank);
            }
            None => self.blank.push_str(blank),
        }
        if rest.is_empty() {
            return;
        }
        if self.lead == Lead::Stray {
            self.retract();
        }
        let kept = match self.lead {
            Lead::Start => self.broke_line,
            Lead::Kept | Lead::Line | Lead::Stray => true,
        };
        let indentation = std::mem::take(&mut self.blank);
        self.lead = Lead::Kept;
        if kept && !indentation.is_empty() {
            self.push_text(&indentation);
        }
        self.push_text(rest);
    }

    /// Text of the reasoning; blanks at its beginning are dropped.
    pub(crate) fn reasoning(&mut self, text: &str) {
        let text = if self.reasoning_began { text } else { text.trim_start() };
        if text.is_empty() {
            return;
        }
        self.reasoning_began = true;
        if let Some(Split::Reasoning(last)) = self.queue.last_mut() {
            last.push_str(text);
        } else {
            self.queue.push(Split::Reasoning(text.to_owned()));
        }
        self.count(text.len());
    }

    /// A piece of a call came.
    pub(crate) fn calling(&mut self) {
        if self.queue.last() != Some(&Split::Calling) {
            self.queue.push(Split::Calling);
        }
    }

    /// A call is over.
    pub(crate) fn call(&mut self, call: WrittenCall) {
        self.count(call.raw.len());
        self.queue.push(Split::Call(call));
    }

    /// A block of reasoning opens.
    pub(crate) fn begin_reasoning(&mut self) {
        self.reasoning_began = false;
        self.separated = true;
        self.blank.clear();
        if !self.shown {
            self.holding = false;
        }
    }

    /// Whether the block that opened last is still empty.
    pub(crate) fn reasoning_is_empty(&self) -> bool {
        !self.reasoning_began
    }

    /// A part of the answer begins, after reasoning or a mark.
    pub(crate) fn begin_section(&mut self) {
        self.fresh = true;
        self.blank.clear();
        self.broke_line = false;
        self.lead = match (self.shown, self.last) {
            (false, _) => Lead::Start,
            (true, Some('\n')) => Lead::Line,
            (true, Some(_) | None) => Lead::Kept,
        };
    }

    /// A closing tag that nothing opened.
    pub(crate) fn orphan_close(&mut self) {
        if !self.shown {
            self.separated = true;
            self.holding = false;
            self.begin_section();
        } else if self.separated {
            self.begin_section();
            self.lead = Lead::Stray;
        } else {
            self.retract();
            self.begin_section();
        }
    }

    /// Everything shown so far was reasoning.
    pub(crate) fn retract(&mut self) {
        if self.holding {
            self.turn_held_into_reasoning();
        } else if self.shown {
            self.queue.push(Split::Retract);
        }
        self.separated = true;
        self.shown = false;
        self.last = None;
        self.before_last = None;
        self.lead = Lead::Start;
    }

    /// Gives up holding: what was kept back is reasoning.
    pub(crate) fn turn_held_into_reasoning(&mut self) {
        if !self.holding {
            return;
        }
        self.holding = false;
        for split in std::mem::take(&mut self.queue) {
            let text = match split {
                Split::Text(text) | Split::Reasoning(text) => text,
                Split::Call(call) => call.raw,
                Split::Calling | Split::Retract => continue,
            };
            match self.queue.last_mut() {
                Some(Split::Reasoning(last)) => last.push_str(&text),
                Some(_) | None => self.queue.push(Split::Reasoning(text)),
            }
        }
        self.reasoning_began = true;
    }

    /// Whether more was kept back than may be; then it became reasoning, and the reader is within reasoning now.
    pub(crate) fn overflowed(&mut self) -> bool {
        if !self.holding || self.held <= HOLD_LIMIT {
            return false;
        }
        self.retract();
        true
    }

    /// Hands over what need not be kept back.
    pub(crate) fn release(&mut self, out: &mut Vec<Split>) {
        if !self.holding {
            out.append(&mut self.queue);
        }
    }

    /// Hands over everything.
    pub(crate) fn release_all(&mut self, out: &mut Vec<Split>) {
        self.holding = false;
        self.blank.clear();
        out.append(&mut self.queue);
    }

    fn push_text(&mut self, text: &str) {
        self.shown = true;
        self.fresh = false;
        let mut backwards = text.chars().rev();
        if let Some(last) = backwards.next() {
            self.before_last = backwards.next().or(self.last);
            self.last = Some(last);
        }
        if let Some(Split::Text(last)) = self.queue.last_mut() {
            last.push_str(text);
        } else {
            self.queue.push(Split::Text(text.to_owned()));
        }
        self.count(text.len());
    }

    fn count(&mut self, len: usize) {
        if self.holding {
            self.held += len;
        }
    }
}
