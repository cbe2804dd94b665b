//! The line editor's state: text, cursor, history. Pure; the screen draws it and the terminal feeds it keys.
//!
//! Enter sends. Alt-Enter, Shift-Enter and Ctrl-J start a new line, and so does Enter after a backslash. A paste is
//! inserted as it is, line breaks and all. Up and Down walk through the history when the cursor stands on the first
//! or last line; what was being written is kept and comes back at the bottom.

use std::collections::HashSet;

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use unicode_segmentation::UnicodeSegmentation;

/// What a key brought about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Nothing to see.
    Nothing,
    /// Text or cursor changed.
    Changed,
    /// The person sent this.
    Submit(String),
    /// Enter with nothing written.
    SubmitNothing,
    /// Ctrl-C.
    Interrupt,
    /// Ctrl-D on an empty line.
    EndOfInput,
    /// Ctrl-L.
    Redraw,
}

/// The text being written.
#[derive(Debug, Default)]
pub(crate) struct Editor {
    text: String,
    /// A byte position on a grapheme boundary.
    cursor: usize,
    history: Vec<String>,
    /// Where in the history we are; `None` at the bottom.
    recalled: Option<usize>,
    /// What stood at the bottom before the walk began.
    draft: String,
    /// What was pasted that is longer than a line, newest last.
    pastes: Vec<String>,
}

/// As many characters in a row are no accident.
const RUN: usize = 20;

/// The runs of [`RUN`] characters in a line.
fn runs(line: &str) -> impl Iterator<Item = &str> {
    let starts = line.char_indices().map(|(at, _)| at);
    let ends = line.char_indices().map(|(at, _)| at).chain([line.len()]).skip(RUN);
    starts.zip(ends).filter_map(|(start, end)| line.get(start..end))
}

impl Editor {
    /// An empty editor with earlier lines to walk through, oldest first.
    pub(crate) fn with_history(history: Vec<String>) -> Self {
        Self { history, ..Self::default() }
    }

    /// The text.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The text before the cursor.
    pub(crate) fn before_cursor(&self) -> &str {
        self.text.get(..self.cursor).unwrap_or_default()
    }

    /// Whether nothing is written.
    pub(crate) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Throws the text away.
    pub(crate) fn clear(&mut self) {
        self.text.clear();
        self.cursor = 0;
        self.recalled = None;
    }

    /// Inserts pasted text. What is longer than a line is remembered as pasted: a name or an address that somebody copies for a message
    /// is what they say, a mail is what they show.
    pub(crate) fn paste(&mut self, text: &str) {
        let before = self.text.len();
        let cursor = self.cursor;
        self.write(text);
        let pasted = self.text.get(cursor..cursor + (self.text.len() - before)).unwrap_or_default();
        if pasted.trim().contains('\n') {
            self.pastes.push(pasted.to_owned());
        }
    }

    /// The pieces of `text` that were pasted: whole, or line by line where somebody changed them. A line that was changed itself is one
    /// as long as it has much in common with what was pasted.
    pub(crate) fn pasted_in(&self, text: &str) -> Vec<String> {
        let pieces = self.pastes.iter().flat_map(|paste| match text.contains(paste.trim()) {
            true => vec![paste.trim()],
            false => {
                let runs: HashSet<&str> = paste.lines().flat_map(runs).collect();
                let changed = text.lines().filter(|line| self::runs(line).any(|run| runs.contains(run))).map(str::trim);
                let whole = paste.lines().map(str::trim).filter(|line| line.chars().nth(2).is_some() && text.contains(line));
                whole.chain(changed).collect()
            }
        });
        pieces.map(str::to_owned).collect()
    }

    /// Inserts text; carriage returns become line breaks, other control characters are dropped.
    pub(crate) fn write(&mut self, text: &str) {
        let clean: String =
            text.replace("\r\n", "\n").replace('\r', "\n").chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect();
        self.insert(&clean);
    }

    /// Takes a key.
    pub(crate) fn key(&mut self, key: KeyEvent) -> Outcome {
        if key.kind == KeyEventKind::Release {
            return Outcome::Nothing;
        }
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            return self.control(key.code);
        }
        let newline = key.modifiers.intersects(KeyModifiers::ALT | KeyModifiers::SHIFT);
        match key.code {
            KeyCode::Enter if newline => self.insert("\n"),
            KeyCode::Enter => return self.enter(),
            KeyCode::Char('b') if key.modifiers.contains(KeyModifiers::ALT) => self.cursor = self.word_start(),
            KeyCode::Char('f') if key.modifiers.contains(KeyModifiers::ALT) => self.cursor = self.word_end(),
            KeyCode::Char(c) => self.insert(c.encode_utf8(&mut [0; 4])),
            KeyCode::Tab => self.insert("\t"),
            KeyCode::Backspace if newline => self.delete(self.word_start(), self.cursor),
            KeyCode::Backspace => self.delete(self.previous(), self.cursor),
            KeyCode::Delete => self.delete(self.cursor, self.next()),
            KeyCode::Left => self.cursor = self.previous(),
            KeyCode::Right => self.cursor = self.next(),
            KeyCode::Home => self.cursor = self.line_start(),
            KeyCode::End => self.cursor = self.line_end(),
            KeyCode::Up => self.up(),
            KeyCode::Down => self.down(),
            _ => return Outcome::Nothing,
        }
        Outcome::Changed
    }

    fn control(&mut self, code: KeyCode) -> Outcome {
        match code {
            KeyCode::Char('c') => return Outcome::Interrupt,
            KeyCode::Char('d') if self.text.is_empty() => return Outcome::EndOfInput,
            KeyCode::Char('d') => self.delete(self.cursor, self.next()),
            KeyCode::Char('l') => return Outcome::Redraw,
            KeyCode::Char('j') => self.insert("\n"),
            KeyCode::Char('a') => self.cursor = self.line_start(),
            KeyCode::Char('e') => self.cursor = self.line_end(),
            KeyCode::Char('b') => self.cursor = self.previous(),
            KeyCode::Char('f') => self.cursor = self.next(),
            KeyCode::Char('p') => self.up(),
            KeyCode::Char('n') => self.down(),
            KeyCode::Char('k') => self.delete(self.cursor, self.line_end()),
            KeyCode::Char('u') => self.delete(self.line_start(), self.cursor),
            KeyCode::Char('w') => self.delete(self.word_start(), self.cursor),
            KeyCode::Left => self.cursor = self.word_start(),
            KeyCode::Right => self.cursor = self.word_end(),
            _ => return Outcome::Nothing,
        }
        Outcome::Changed
    }

    fn enter(&mut self) -> Outcome {
        if self.before_cursor().ends_with('\\') {
            self.delete(self.previous(), self.cursor);
            self.insert("\n");
            return Outcome::Changed;
        }
        if self.text.trim().is_empty() {
            return Outcome::SubmitNothing;
        }
        // A space in front stays: it makes a message of what would be a command.
        let text = self.text.trim_end().trim_start_matches(['\n', '\r']).to_owned();
        self.clear();
        if self.history.last() != Some(&text) {
            self.history.push(text.clone());
        }
        Outcome::Submit(text)
    }

    fn insert(&mut self, text: &str) {
        self.text.insert_str(self.cursor, text);
        self.cursor += text.len();
    }

    fn delete(&mut self, from: usize, to: usize) {
        self.text.replace_range(from..to, "");
        self.cursor = from;
    }

    fn after_cursor(&self) -> &str {
        self.text.get(self.cursor..).unwrap_or_default()
    }

    fn previous(&self) -> usize {
        self.before_cursor().grapheme_indices(true).next_back().map_or(0, |(start, _)| start)
    }

    fn next(&self) -> usize {
        self.cursor + self.after_cursor().graphemes(true).next().map_or(0, str::len)
    }

    fn line_start(&self) -> usize {
        self.before_cursor().rfind('\n').map_or(0, |position| position + 1)
    }

    fn line_end(&self) -> usize {
        self.cursor + self.after_cursor().find('\n').unwrap_or(self.after_cursor().len())
    }

    fn word_start(&self) -> usize {
        let trimmed = self.before_cursor().trim_end();
        trimmed.char_indices().rev().find(|(_, c)| c.is_whitespace()).map_or(0, |(start, c)| start + c.len_utf8())
    }

    fn word_end(&self) -> usize {
        let rest = self.after_cursor();
        let leading = rest.len() - rest.trim_start().len();
        let word = rest.trim_start().find(char::is_whitespace).unwrap_or(rest.trim_start().len());
        self.cursor + leading + word
    }

    fn up(&mut self) {
        let start = self.line_start();
        if start > 0 {
            self.move_to_line_ending_at(start - 1);
            return;
        }
        let target = match self.recalled {
            None => self.history.len().checked_sub(1),
            Some(position) => position.checked_sub(1),
        };
        if let Some(position) = target {
            if self.recalled.is_none() {
                self.draft = std::mem::take(&mut self.text);
            }
            self.recall(Some(position));
        }
    }

    fn down(&mut self) {
        let end = self.line_end();
        if end < self.text.len() {
            let column = self.before_cursor().get(self.line_start()..).map_or(0, |line| line.graphemes(true).count());
            self.cursor = end + 1;
            self.advance(column);
            return;
        }
        if let Some(position) = self.recalled {
            self.recall(Some(position + 1).filter(|next| *next < self.history.len()));
        }
    }

    fn move_to_line_ending_at(&mut self, end: usize) {
        let column = self.before_cursor().get(self.line_start()..).map_or(0, |line| line.graphemes(true).count());
        self.cursor = end;
        self.cursor = self.line_start();
        self.advance(column);
    }

    /// Moves right by `graphemes` within the line.
    fn advance(&mut self, graphemes: usize) {
        for _ in 0..graphemes {
            if self.cursor >= self.line_end() {
                break;
            }
            self.cursor = self.next();
        }
    }

    fn recall(&mut self, position: Option<usize>) {
        self.recalled = position;
        self.text = match position {
            Some(position) => self.history.get(position).cloned().unwrap_or_default(),
            None => std::mem::take(&mut self.draft),
        };
        self.cursor = self.text.len();
    }
}
