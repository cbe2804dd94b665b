//! A server that stops every answer at the same total shows its real window.

use krabba_types::DoneReason;

/// Watches the totals of one route.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PinnedTotal {
    last: Option<(u64, u64)>,
}

impl PinnedTotal {
    /// A watch that has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the counters of a finished answer. `Some` when an answer ended by its length at the same total as the one before,
    /// from a prompt of another size: that total is the window. (From a prompt of the same size it may be our own output
    /// budget.)
    pub fn observe(&mut self, prompt_tokens: u64, output_tokens: u64, ended: DoneReason) -> Option<u32> {
        match ended {
            DoneReason::Length => {}
            DoneReason::Stop | DoneReason::ToolCalls | DoneReason::Unknown => return None,
        }
        let total = prompt_tokens.saturating_add(output_tokens);
        let before = self.last.replace((prompt_tokens, total));
        match before {
            Some((prompt_before, total_before)) if total_before == total && prompt_before != prompt_tokens => u32::try_from(total).ok(),
            Some(_) | None => None,
        }
    }
}
