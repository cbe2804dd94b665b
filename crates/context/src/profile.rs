//! How much may be said before anybody has said anything.

use krabba_types::ToolAbility;

/// The window up to which the small budget holds, in tokens.
pub const SMALL_WINDOW: u32 = 8_192;

/// The budget of a large window in bytes, about 3,000 tokens.
const FULL_BUDGET: usize = 12_000;
/// The budget of a small one, about 1,200 tokens.
const REDUCED_BUDGET: usize = 4_800;
/// In a window of less than 4,000 tokens the budget is a share of it: bytes per hundred tokens, a third of what they hold.
const BYTES_PER_HUNDRED_TOKENS: usize = 120;
/// The share of the budget that descriptions of tools may take …
const TOOLS_PERCENT: usize = 60;
/// … and the share that makes room for as many in words: their quotes are escaped, and how to make a call is said.
const TOOLS_IN_WORDS_PERCENT: usize = 72;

/// How much a model is told up front.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Profile {
    /// Whole descriptions of tools, and room for the owner's files.
    Full,
    /// Short descriptions, and of the owner's files what fits.
    Reduced,
}

impl Profile {
    /// The profile for a window of so many tokens. It depends on nothing else, so that it is the same in every request.
    pub fn for_window(window: u32) -> Self {
        if window <= SMALL_WINDOW { Self::Reduced } else { Self::Full }
    }

    /// What the first request in a window of so many tokens may take, in bytes of its tools and messages as they travel.
    pub fn budget(window: u32) -> usize {
        match Self::for_window(window) {
            Self::Full => FULL_BUDGET,
            Self::Reduced => {
                let hundreds = usize::try_from(window / 100).unwrap_or(usize::MAX);
                REDUCED_BUDGET.min(hundreds.saturating_mul(BYTES_PER_HUNDRED_TOKENS))
            }
        }
    }
}

/// A window of fewer tokens has no room for what tools bring.
const SMALLEST_FOR_TOOLS: u32 = 2_000;

/// What tools may have of a budget.
pub(crate) fn tools_share(window: u32, budget: usize, mode: ToolAbility) -> usize {
    let percent = match mode {
        ToolAbility::Native => TOOLS_PERCENT,
        ToolAbility::Text | ToolAbility::Constrained => TOOLS_IN_WORDS_PERCENT,
        ToolAbility::None => 0,
    };
    if window < SMALLEST_FOR_TOOLS { 0 } else { budget / 100 * percent }
}
