//! Raw mode, given back whatever happens.

use std::io::{self, Write};

use crossterm::event::{DisableBracketedPaste, EnableBracketedPaste};
use crossterm::terminal::{disable_raw_mode, enable_raw_mode};

/// While this lives, keys arrive one by one and unechoed.
pub(crate) struct RawMode;

impl RawMode {
    /// Switches it on.
    pub(crate) fn enter() -> io::Result<Self> {
        enable_raw_mode()?;
        let guard = Self;
        crossterm::execute!(io::stdout(), EnableBracketedPaste)?;
        Ok(guard)
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        let _ = crossterm::execute!(io::stdout(), DisableBracketedPaste);
        let _ = disable_raw_mode();
        let _ = io::stdout().flush();
    }
}
