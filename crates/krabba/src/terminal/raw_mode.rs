//! Raw mode, given back whatever happens.

use std::io::{self, Write};
use std::sync::Once;

use crossterm::event::{DisableBracketedPaste, EnableBracketedPaste};
use crossterm::terminal::{disable_raw_mode, enable_raw_mode, is_raw_mode_enabled};

/// While this lives, keys arrive one by one and unechoed.
pub(crate) struct RawMode;

impl RawMode {
    /// Switches it on.
    pub(crate) fn enter() -> io::Result<Self> {
        tell_panics_readably();
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

/// A panic is told before the stack is unwound, so while the terminal is still raw, where its lines would run into each
/// other. Some panics end a task and not the conversation: raw mode comes back after the message.
fn tell_panics_readably() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let raw = is_raw_mode_enabled().unwrap_or(false);
            if raw {
                let _ = disable_raw_mode();
                let _ = writeln!(io::stderr(), "\r\x1b[J");
            }
            usual(panic);
            if raw {
                let _ = enable_raw_mode();
            }
        }));
    });
}
