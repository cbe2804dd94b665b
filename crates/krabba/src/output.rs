//! Standard output and standard error.
//!
//! What servers call themselves and their models, what their programs wrote into logs, what a file holds: all of it is shown
//! somewhere. On a terminal none of it may move the cursor, set the title or turn a line around, so that every verb prints
//! through here. Into a pipe everything goes as it is. (The conversation draws with escape codes and has a screen of its own.)

use std::fmt::Arguments;
use std::io::{ErrorKind, IsTerminal, Result, Write, stderr, stdout};

use crate::terminal::printable_lines;

/// Writes to standard output. Once its reader is gone, which is how `krabba … | head` ends, the rest is written to nobody and
/// the verb goes on to its own end: it may have a server to stop. Any other failure, such as a full disk, ends the program.
pub(crate) fn write(text: Arguments<'_>) {
    match write_to(&mut stdout().lock(), text) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
        Err(error) => {
            complain(format_args!("krabba: the output cannot be written: {error}\n"));
            std::process::exit(1);
        }
    }
}

/// Writes to standard error. Nobody is told when that fails: there is nowhere left to say it.
pub(crate) fn complain(text: Arguments<'_>) {
    let _ = write_to(&mut stderr().lock(), text);
}

fn write_to(out: &mut (impl Write + IsTerminal), text: Arguments<'_>) -> Result<()> {
    if out.is_terminal() { out.write_all(printable_lines(&text.to_string()).as_bytes()) } else { out.write_fmt(text) }
}
