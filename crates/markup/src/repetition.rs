//! Notices a model that repeats itself without end.
//!
//! Small and heavily quantised models fall into a cycle and do not leave it until their output budget is gone. A cycle is
//! a stretch that follows itself, byte for byte. It is looked for at the end of what was written, with the Z function
//! over the text read backwards: its value at distance `p` says how far back the text agrees with itself `p` bytes
//! earlier. Short cycles are looked for often in a small window, long ones seldom in a large one, so that the work per
//! byte is constant (some ten comparisons) and so is the memory (at most 35 KB, taken as it fills).
//!
//! Six copies are what it takes, and a minimum on top of them that depends on what is repeated: rulers, tables, empty
//! matrices and hex dumps repeat by nature, words do so much less.
//!
//! A file that a model writes may hold whatever somebody wants: a thousand lines alike, a picture of one colour. A patient guard
//! follows a cycle that was noticed, at one comparison a byte, and speaks when it goes on and on.

/// A cycle that was noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repetition {
    /// How many bytes, from the beginning of what was pushed, to keep: everything up to the end of the first copy. Always a
    /// character boundary.
    pub kept: usize,
    /// The length of the cycle in bytes.
    pub cycle: usize,
    /// How many whole copies were seen, as far as the guard remembers.
    pub copies: usize,
}

/// The longest cycle that is noticed, in bytes: 200 tokens of eight bytes.
const LONGEST_CYCLE: usize = 1_600;
/// How often a stretch follows itself before it counts.
const COPIES: usize = 6;
/// Added to the copies where words are repeated, in bytes (about 90 tokens).
const SLACK_FOR_WORDS: usize = 256;
/// The same for a cycle of one or two bytes, per byte of the cycle.
const SLACK_PER_BYTE: usize = 96;
/// Added to the copies where the cycle consists of marks and digits alone, in bytes.
const SLACK_FOR_LAYOUT: usize = 1_024;
/// How much is remembered.
const WINDOW: usize = COPIES * LONGEST_CYCLE + SLACK_FOR_LAYOUT;

/// So long must all copies together be for a patient guard, in bytes: about 8,000 tokens of the same.
const PATIENCE: usize = 32 * 1024;

/// How often which part of the window is looked at: `(every so many bytes, the last so many bytes)`.
const NEAR: (usize, usize) = (32, 512);
const FAR: (usize, usize) = (256, WINDOW);

/// Watches one answer as it arrives. It depends on the characters alone, never on where the pieces are cut, and speaks once.
#[derive(Debug, Default)]
pub struct RepetitionGuard {
    /// The last bytes, at least [`WINDOW`] of them.
    recent: Vec<u8>,
    total: usize,
    spoken: bool,
    scratch: Vec<usize>,
    patience: usize,
    /// A cycle that goes on and is not long enough yet.
    followed: Option<Repetition>,
}

impl RepetitionGuard {
    /// A guard for one answer.
    pub fn new() -> Self {
        Self::default()
    }

    /// A guard for what is not read by anybody as it comes: the arguments of calls.
    pub fn patient() -> Self {
        Self { patience: PATIENCE, ..Self::default() }
    }

    /// Takes the next piece. `Some` when a cycle of up to 1,600 bytes (about 200 tokens) is known to have begun; after that
    /// always `None`.
    pub fn push(&mut self, piece: &str) -> Option<Repetition> {
        for byte in piece.bytes() {
            if self.spoken {
                return None;
            }
            if self.recent.len() == 2 * WINDOW {
                self.recent.drain(..WINDOW);
            }
            self.recent.push(byte);
            self.total += 1;
            self.followed = self.followed.filter(|found| self.goes_on(found.cycle)).or_else(|| self.notice());
            if let Some(found) = self.followed {
                let run = self.total - found.kept + found.cycle;
                if run >= self.patience {
                    self.spoken = true;
                    return Some(Repetition { copies: found.copies.max(run / found.cycle), ..found });
                }
            }
        }
        None
    }

    /// Whether the last byte is the one a cycle earlier.
    fn goes_on(&self, cycle: usize) -> bool {
        let last = self.recent.len() - 1;
        last.checked_sub(cycle).is_some_and(|earlier| self.recent.get(earlier) == self.recent.get(last))
    }

    /// A cycle that can be seen by now.
    fn notice(&mut self) -> Option<Repetition> {
        [NEAR, FAR].into_iter().find_map(|(every, reach)| if self.total.is_multiple_of(every) { self.look(reach) } else { None })
    }

    /// Looks for a cycle that reaches to the end, in the last `reach` bytes.
    fn look(&mut self, reach: usize) -> Option<Repetition> {
        let start = self.recent.len().saturating_sub(reach);
        let recent = self.recent.get(start..).unwrap_or_default();
        agreement(recent, LONGEST_CYCLE.min(reach / COPIES), &mut self.scratch);
        let (cycle, run) = self
            .scratch
            .iter()
            .enumerate()
            .skip(1)
            .map(|(cycle, agreeing)| (cycle, agreeing + cycle))
            .find(|&(cycle, run)| run >= COPIES * cycle && run >= COPIES * cycle + slack(recent, cycle))?;
        let run = self.run_beyond(run, cycle);
        Some(Repetition { kept: self.total - run + cycle, cycle, copies: run / cycle })
    }

    /// A run that is known to be `run` bytes long, followed back to where it began or to where memory ends, and from there
    /// forward to the beginning of a character.
    fn run_beyond(&self, run: usize, cycle: usize) -> usize {
        let byte = |from_end: usize| self.recent.len().checked_sub(from_end).and_then(|at| self.recent.get(at));
        let mut run = run;
        while byte(run + 1).is_some() && byte(run + 1) == byte(run + 1 - cycle) {
            run += 1;
        }
        while byte(run).is_some_and(|byte| (*byte & 0b1100_0000) == 0b1000_0000) {
            run -= 1;
        }
        run
    }
}

/// What is asked for beyond the copies.
fn slack(recent: &[u8], cycle: usize) -> usize {
    let two_copies = recent.get(recent.len().saturating_sub(2 * cycle)..).unwrap_or_default();
    if is_layout_only(two_copies) { SLACK_FOR_LAYOUT } else { SLACK_FOR_WORDS.min(SLACK_PER_BYTE * cycle) }
}

/// Whether rulers, tables and listings of numbers are made of it.
fn is_layout(byte: u8) -> bool {
    byte.is_ascii_digit() || byte.is_ascii_whitespace() || b"-=_*#~.|+:<>/\\,;()[]{}\"'".contains(&byte)
}

/// Whether a stretch, which may be cut within characters at both ends, consists of the above and of box-drawing characters
/// and block elements (U+2500 to U+259F).
fn is_layout_only(stretch: &[u8]) -> bool {
    let cut = stretch.iter().take_while(|byte| (**byte & 0b1100_0000) == 0b1000_0000).count();
    let mut rest = stretch.get(cut..).unwrap_or_default();
    loop {
        rest = match rest {
            [] | [0xE2] | [0xE2, 0x94..=0x96] => return true,
            [0xE2, 0x94..=0x96, _, after @ ..] => after,
            [byte, after @ ..] if is_layout(*byte) => after,
            [..] => return false,
        };
    }
}

/// The Z function of `text` read backwards, up to distance `longest`: entry `p` is the number of bytes at the end that equal
/// those `p` bytes earlier.
fn agreement(text: &[u8], longest: usize, z: &mut Vec<usize>) {
    z.clear();
    z.push(0);
    let backwards = |index: usize| text.len().checked_sub(index + 1).and_then(|at| text.get(at)).copied();
    let (mut left, mut right) = (0, 0);
    for index in 1..text.len().min(longest + 1) {
        let mut len = if index < right { z.get(index - left).copied().unwrap_or(0).min(right - index) } else { 0 };
        while index + len < text.len() && backwards(len) == backwards(index + len) {
            len += 1;
        }
        z.push(len);
        if index + len > right {
            (left, right) = (index, index + len);
        }
    }
}
