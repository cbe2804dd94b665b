//! How the window is shared out. Everything is a share of it; a constant would be nonsense in one window or another.

use crate::meter::Meter;

/// The share of the window that the answer has for itself, unless the model's longest answer is shorter.
const ANSWER_PERCENT: u64 = 25;
/// The share of the rest that stays free because tokens are estimated.
const MARGIN_PERCENT: u64 = 10;
/// The same, once the server's reports have corrected the estimate.
const CALIBRATED_MARGIN_PERCENT: u64 = 3;
/// The share of the room for history that a cut leaves filled. The other half is what makes the next cut rare.
const KEEP_RECENT_PERCENT: u64 = 50;
/// The share that a cut at the person's word leaves filled at most.
const COMPACT_PERCENT: u64 = 25;
/// The share of a prompt that may be filled before older turns are better noted.
const NEARLY_FULL_PERCENT: u64 = 80;
/// The share of the window that a piece takes which a model reads to note it …
const PIECE_PERCENT: u64 = 50;
/// … and the share that the note takes.
const NOTE_PERCENT: u64 = 10;
/// The share of the window that a result which the model has not read yet keeps before the question is shortened.
const READABLE_PERCENT: u64 = 10;
/// A single text may take this share of the window …
const LARGEST_TEXT_PERCENT: u64 = 60;
/// … and is shortened to this one when it takes more.
const SHORTENED_TEXT_PERCENT: u64 = 50;

/// The shares of one window, in tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Budget {
    window: u32,
    prompt: u32,
}

impl Budget {
    pub(crate) fn new(window: u32, max_output: Option<u32>, meter: &Meter) -> Self {
        let answer = percent(window, ANSWER_PERCENT).min(max_output.unwrap_or(u32::MAX));
        let rest = window.saturating_sub(answer);
        let margin = if meter.is_calibrated() { CALIBRATED_MARGIN_PERCENT } else { MARGIN_PERCENT };
        Self { window, prompt: rest - percent(rest, margin) }
    }

    /// The whole window.
    pub(crate) fn window(self) -> u32 {
        self.window
    }

    /// What a prompt may have, everything included.
    pub(crate) fn prompt(self) -> u32 {
        self.prompt
    }

    /// What history may have after a cut, beside `fixed` tokens of system prompt and tools.
    pub(crate) fn recent(self, fixed: u32) -> u32 {
        percent(self.prompt.saturating_sub(fixed), KEEP_RECENT_PERCENT)
    }

    /// What history of `present` tokens may have after a cut at the person's word.
    pub(crate) fn compacted(self, fixed: u32, present: u32) -> u32 {
        percent(self.prompt.saturating_sub(fixed), COMPACT_PERCENT).min(present / 2)
    }

    /// What a prompt has when older turns are better noted.
    pub(crate) fn nearly_full(self) -> u32 {
        percent(self.prompt, NEARLY_FULL_PERCENT)
    }

    /// What a model reads at once to note it. With the note so far, that is 60 % of the window.
    pub(crate) fn piece(self) -> u32 {
        percent(self.window, PIECE_PERCENT)
    }

    /// The longest note.
    pub(crate) fn note(self) -> u32 {
        percent(self.window, NOTE_PERCENT)
    }

    /// What a result that the model has not read yet keeps before the question is shortened.
    pub(crate) fn readable(self) -> u32 {
        percent(self.window, READABLE_PERCENT)
    }

    /// What a text that is too large by itself is shortened to. `None` for one that is not. In uncorrected tokens, so that
    /// the same text is always shortened alike.
    pub(crate) fn shortened(self, text_tokens: u32) -> Option<u32> {
        (text_tokens > percent(self.window, LARGEST_TEXT_PERCENT)).then(|| percent(self.window, SHORTENED_TEXT_PERCENT))
    }
}

fn percent(of: u32, percent: u64) -> u32 {
    u32::try_from(u64::from(of) * percent / 100).unwrap_or(u32::MAX)
}
