//! Asking the person at the terminal.

use std::io::{IsTerminal, Write, stdin, stdout};

use anyhow::Result;
use krabba_types::Secret;

use crate::terminal::wrapped_lines;

/// Whether a person can be asked.
pub(super) fn somebody_is_there() -> bool {
    stdin().is_terminal() && stdout().is_terminal()
}

/// Prints a line, on a terminal in rows that end between words.
pub(super) fn print_wrapped(text: &str) {
    if !stdout().is_terminal() {
        return println!("{text}");
    }
    let columns = crossterm::terminal::size().map_or(80, |(columns, _)| usize::from(columns));
    wrapped_lines(text, columns, 4).iter().for_each(|row| println!("{row}"));
}

/// Reads a key without showing it. `None` where nobody can be asked, or nothing was typed.
pub(super) fn key(question: &str) -> Result<Option<Secret>> {
    if !somebody_is_there() {
        return Ok(None);
    }
    print!("{question}");
    stdout().flush()?;
    crossterm::terminal::enable_raw_mode()?;
    let key = read_hidden();
    crossterm::terminal::disable_raw_mode()?;
    println!();
    Ok(key?.filter(|key| !key.is_empty()).map(Secret::new))
}

fn read_hidden() -> Result<Option<String>> {
    use crossterm::event::{Event, KeyCode, KeyEventKind, KeyModifiers, read};
    let mut text = String::new();
    loop {
        match read()? {
            Event::Key(key) if key.kind == KeyEventKind::Release => {}
            Event::Key(key) if key.modifiers.contains(KeyModifiers::CONTROL) && matches!(key.code, KeyCode::Char('c' | 'd')) => {
                return Ok(None);
            }
            Event::Key(key) => match key.code {
                KeyCode::Enter => return Ok(Some(text.trim().to_owned())),
                KeyCode::Backspace => drop(text.pop()),
                KeyCode::Char(c) => text.push(c),
                _ => {}
            },
            Event::Paste(pasted) => text.push_str(&pasted),
            _ => {}
        }
    }
}

pub(super) fn line(question: &str) -> Result<String> {
    print!("{question}");
    stdout().flush()?;
    let mut answer = String::new();
    if stdin().read_line(&mut answer)? == 0 {
        anyhow::bail!("nothing was chosen");
    }
    Ok(answer.trim().to_owned())
}

/// Asks a question that only a clear yes answers with yes.
pub(super) fn says_yes(question: &str) -> Result<bool> {
    Ok(matches!(line(&format!("{question} [y/N] "))?.to_lowercase().as_str(), "y" | "yes" | "j" | "ja"))
}

/// Asks a question that only a clear no answers with no.
pub(super) fn says_not_no(question: &str) -> Result<bool> {
    Ok(!matches!(line(&format!("{question} [Y/n] "))?.to_lowercase().as_str(), "n" | "no" | "nein" | "nej"))
}
