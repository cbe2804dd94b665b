//! Standard output.

use std::fmt::Arguments;
use std::io::{ErrorKind, Write, stdout};

/// Writes to standard output. Once its reader is gone, which is how `krabba … | head` ends, the rest is written to nobody and
/// the verb goes on to its own end: it may have a server to stop. Any other failure, such as a full disk, ends the program.
pub(crate) fn write(text: Arguments<'_>) {
    match stdout().lock().write_fmt(text) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
        Err(error) => {
            eprintln!("krabba: the output cannot be written: {error}");
            std::process::exit(1);
        }
    }
}
