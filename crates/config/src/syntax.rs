//! What to say when a file is not JSON5.

use json5::{Error, ErrorCode};

use crate::draft::{At, Draft};
use crate::sources::Source;
use crate::spans::{TokenKind, is_line_end, tokens};

/// The parser's complaint in a person's words, at the place where it can be mended.
pub(crate) fn explain(error: &Error, file: u16, source: &Source) -> Draft {
    let text = source.text.as_str();
    if tokens(text).all(|token| token.kind == TokenKind::Comment) && !matches!(error.code(), Some(ErrorCode::EofParsingComment)) {
        return Draft::error("syntax", At::File(file), "there is nothing in this file").help("write at least {}");
    }
    let (message, help) = match error.code() {
        Some(code) if ends_early(code) => return cut_off(code, file, source),
        Some(code) => words(code),
        None => (without_place(error), ""),
    };
    let start = error.position().map_or(text.len(), |position| offset(text, position));
    let draft = Draft::error("syntax", one_character(file, text, start), message);
    if help.is_empty() { draft } else { draft.help(help) }
}

/// The bracket that was left open is what the person needs, not the end of the file.
fn cut_off(code: ErrorCode, file: u16, source: &Source) -> Draft {
    let text = source.text.as_str();
    let end = text.trim_end().len();
    let (start, message) = match (code, source.spans().innermost_open()) {
        (ErrorCode::EofParsingComment, _) => (text.rfind("/*").unwrap_or(end), "this comment is never closed"),
        (ErrorCode::EofParsingString | ErrorCode::EofParsingEscapeSequence, _) | (_, None) => {
            (end, "the file ends in the middle of a value")
        }
        (_, Some(open)) => (open, "this bracket is never closed"),
    };
    Draft::error("syntax", one_character(file, text, start), message).help("close it, or restore an earlier version of the file")
}

fn one_character(file: u16, text: &str, start: usize) -> At {
    let width = text.get(start..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
    At::Bytes { file, start, end: start + width }
}

fn ends_early(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::EofParsingArray
            | ErrorCode::EofParsingBool
            | ErrorCode::EofParsingComment
            | ErrorCode::EofParsingEscapeSequence
            | ErrorCode::EofParsingIdentifier
            | ErrorCode::EofParsingNull
            | ErrorCode::EofParsingNumber
            | ErrorCode::EofParsingObject
            | ErrorCode::EofParsingString
            | ErrorCode::EofParsingValue
    )
}

fn words(code: ErrorCode) -> (String, &'static str) {
    let (message, help) = match code {
        ErrorCode::ExpectedComma | ErrorCode::ExpectedClosingBrace | ErrorCode::ExpectedClosingBracket => {
            ("a comma or a closing bracket is missing before this", "put a comma between two entries")
        }
        ErrorCode::ExpectedColon => ("a colon is missing after the key", "write key: value"),
        ErrorCode::ExpectedIdentifier => ("this is no key", "put keys with signs such as - or / in quotes"),
        ErrorCode::LineTerminatorInString => ("a text ends with its line without a closing quote", "close the quote"),
        ErrorCode::TrailingCharacters => ("there is something after the end of the configuration", "remove it"),
        ErrorCode::LeadingZero => ("a number starts with a needless 0", "remove the 0"),
        ErrorCode::InvalidEscapeSequence => ("there is no such escape in a text", "write a backslash as \\\\"),
        ErrorCode::ExpectedComment => ("a lone / starts no comment", "start a comment with //"),
        ErrorCode::OverflowParsingNumber => ("this number is too large", "write a smaller one"),
        // The rest concerns readers that know what they want; here a value is always asked for.
        _ => ("this is no value", "put texts in quotes"),
    };
    (message.to_owned(), help)
}

/// The parser counts lines as ECMAScript does, from 0, and columns in characters.
fn offset(text: &str, position: json5::Position) -> usize {
    let (mut line, mut column) = (0, 0);
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if (line, column) == (position.line, position.column) {
            return at;
        }
        if is_line_end(c) {
            if c == '\r' && matches!(chars.peek(), Some((_, '\n'))) {
                chars.next();
            }
            line += 1;
            column = 0;
        } else {
            column += 1;
        }
    }
    text.len()
}

fn without_place(error: &Error) -> String {
    let text = error.to_string();
    match text.split_once(" at line ") {
        Some((message, _)) => message.to_owned(),
        None => text,
    }
}
