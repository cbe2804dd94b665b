//! The public face of the separation: pieces in, text and reasoning out.

use crate::calls::{Ending, WrittenCall};
use crate::harmony::Complete;
use crate::reader::{Reader, Step};

/// A part of what the model wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Split {
    /// For the reader. Never empty.
    Text(String),
    /// Not for the reader. Never empty.
    Reasoning(String),
    /// A call, as the model wrote it; it may be unreadable.
    Call(WrittenCall),
    /// A piece of a call came, which is not given out before it is whole: a sign of life.
    Calling,
    /// All [`Split::Text`] and every [`Split::Call`] so far in this answer was reasoning, and must be taken back: a closing tag
    /// came that nothing had opened. Only with [`OrphanPolicy::Stream`].
    Retract,
}

/// What to do about text at the beginning of an answer, which may still turn out to be reasoning whose opening tag stood in
/// the prompt (the usual template of Qwen and DeepSeek models, when the server does not separate it).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OrphanPolicy {
    /// For routes known to do so: nothing is given out before the closing tag has come, or reasoning was opened visibly.
    /// At most [`HOLD_LIMIT`] bytes are kept; what goes beyond is reasoning until a closing tag says otherwise.
    Hold,
    /// For all others: text is given out at once; a closing tag that comes all the same gives [`Split::Retract`].
    Stream,
}

/// How much [`OrphanPolicy::Hold`] keeps back, in bytes: about 64,000 tokens.
pub const HOLD_LIMIT: usize = 256 * 1024;

/// Separates the answer from the reasoning while it arrives. One splitter serves one answer.
///
/// Recognised, in any case and cut at any byte: `<think>`, `<thinking>`, `<thought>`, `<reasoning>` with attributes and name
/// spaces, `[THINK]`, `◁think▷`, the pairs of Command, Gemma 4, Apertus and others, Harmony headers whole, damaged, or
/// reduced to their words (`analysis…assistantfinal…`). Reasoning may be nested; an opening tag directly repeated counts
/// once, because templates write one and models another. A tag between two backticks does not end reasoning.
///
/// In the answer, tags in fenced code and in inline code spans are text. Marks that end a turn (`<|im_end|>`, `</s>`, …)
/// are dropped at the end of the answer and are text anywhere else. Blank lines before the answer are dropped.
///
/// Made by [`ReasoningSplitter::with_calls`], it also takes out the calls that the model writes into its text, in the notations
/// of all common families. Their marks are text in code and in quotations (`> …`, or directly behind an opening quotation mark), and
/// never anywhere else.
///
/// Kept back, apart from [`OrphanPolicy::Hold`]: a possible beginning of a mark (a few hundred bytes at most), blanks
/// before the answer, and marks that end a turn. At the end of the input, the beginning of a mark is text, and a block that
/// nobody closed was reasoning.
#[derive(Debug)]
pub struct ReasoningSplitter {
    reader: Reader,
    /// The beginning of a mark that is not complete.
    pending: String,
}

impl ReasoningSplitter {
    /// A splitter for one answer.
    pub fn new(policy: OrphanPolicy) -> Self {
        Self { reader: Reader::new(policy), pending: String::new() }
    }

    /// The same, which looks for calls as well. `tools` are the names of the functions that were offered: calls without marks are
    /// known by them.
    pub fn with_calls(policy: OrphanPolicy, tools: Vec<String>) -> Self {
        Self { reader: Reader::with_calls(policy, tools), pending: String::new() }
    }

    /// Takes the next piece of the stream, and appends to `out` what is certain.
    pub fn push(&mut self, piece: &str, out: &mut Vec<Split>) {
        self.advance(piece, Complete::No);
        self.reader.emitter.release(out);
    }

    /// The model finished its answer. Text that [`OrphanPolicy::Hold`] keeps back is the answer, because no closing tag came.
    pub fn finish(&mut self, out: &mut Vec<Split>) {
        self.end(Ending::Regular);
        self.reader.emitter.release_all(out);
    }

    /// The answer broke off: its output budget ran out, or the stream was cut. Text that [`OrphanPolicy::Hold`] keeps back is
    /// reasoning, because its closing tag may have been about to come.
    pub fn finish_cut(&mut self, out: &mut Vec<Split>) {
        self.end(Ending::Cut);
        self.reader.emitter.turn_held_into_reasoning();
        self.reader.emitter.release_all(out);
    }

    fn end(&mut self, ending: Ending) {
        self.advance("", Complete::Yes);
        // A block that was not closed may turn out to have ended before the text does.
        while let Some(left) = self.reader.close_block(ending).filter(|left| !left.is_empty()) {
            self.advance(&left, Complete::Yes);
        }
    }

    fn advance(&mut self, piece: &str, complete: Complete) {
        let joined;
        let mut rest = if self.pending.is_empty() {
            piece
        } else {
            self.pending.push_str(piece);
            joined = std::mem::take(&mut self.pending);
            joined.as_str()
        };
        while !rest.is_empty() {
            match self.reader.step(rest, complete) {
                Step::Took(len) => rest = rest.get(len..).unwrap_or_default(),
                Step::Wait => break,
            }
        }
        self.pending = rest.to_owned();
    }
}
