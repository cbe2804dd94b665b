//! The words in `{"reply": "…"}`, taken out while they arrive.

/// Takes the words out of an answer that is one JSON object. What begins otherwise passes as it is.
///
/// Kept back: the beginning of the object until it is known for one, and half an escape. At the end of the input the former is given
/// out as it is, the latter is dropped.
#[derive(Debug, Default)]
pub struct Envelope {
    state: State,
    held: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// Not known yet what it is.
    #[default]
    Beginning,
    /// Within the words.
    Words,
    /// Behind them; nothing follows that is meant for anybody.
    Over,
    /// No such object.
    Other,
}

/// What stands before the words, blanks aside.
const BEGINNING: [&str; 4] = ["{", "\"reply\"", ":", "\""];

impl Envelope {
    /// Takes the next piece, and gives the words in it.
    pub fn push(&mut self, piece: &str) -> String {
        let mut out = String::new();
        match self.state {
            State::Other => return piece.to_owned(),
            State::Over => return out,
            State::Beginning | State::Words => self.held.push_str(piece),
        }
        if self.state == State::Beginning {
            match beginning(&self.held) {
                Beginning::Whole(len) => {
                    self.held.drain(..len);
                    self.state = State::Words;
                }
                Beginning::Partial => return out,
                Beginning::Different => {
                    self.state = State::Other;
                    return std::mem::take(&mut self.held);
                }
            }
        }
        let text = std::mem::take(&mut self.held);
        let mut rest = text.as_str();
        while let Some(first) = rest.chars().next() {
            let taken = match first {
                '"' => {
                    self.state = State::Over;
                    return out;
                }
                '\\' => match escape(rest) {
                    Some((character, len)) => {
                        out.push(character);
                        len
                    }
                    None => {
                        rest.clone_into(&mut self.held);
                        return out;
                    }
                },
                other => {
                    out.push(other);
                    other.len_utf8()
                }
            };
            rest = rest.get(taken..).unwrap_or_default();
        }
        out
    }

    /// No more input comes.
    pub fn finish(&mut self) -> String {
        if self.state == State::Beginning { std::mem::take(&mut self.held) } else { String::new() }
    }
}

enum Beginning {
    Whole(usize),
    Partial,
    Different,
}

fn beginning(text: &str) -> Beginning {
    let mut rest = text;
    for token in BEGINNING {
        rest = rest.trim_start_matches([' ', '\t', '\n', '\r']);
        match rest.strip_prefix(token) {
            Some(behind) => rest = behind,
            None if token.starts_with(rest) => return Beginning::Partial,
            None => return Beginning::Different,
        }
    }
    Beginning::Whole(text.len() - rest.len())
}

/// The character of the escape that `text` begins with, and its length; `None` while it is not whole.
fn escape(text: &str) -> Option<(char, usize)> {
    let kind = text.chars().nth(1)?;
    let plain = |character| Some((character, 1 + kind.len_utf8()));
    match (kind, unit(text)) {
        ('n', _) => plain('\n'),
        ('t', _) => plain('\t'),
        ('r', _) => plain('\r'),
        ('b', _) => plain('\u{8}'),
        ('f', _) => plain('\u{c}'),
        ('u', Unit::Partial) => None,
        ('u', Unit::None) => plain(char::REPLACEMENT_CHARACTER),
        // Half a character, whose other half follows.
        ('u', Unit::Whole(high @ 0xd800..0xdc00)) => match unit(text.get(6..).unwrap_or_default()) {
            Unit::Partial => None,
            Unit::Whole(low @ 0xdc00..0xe000) => {
                let both = 0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00);
                Some((char::from_u32(both).unwrap_or(char::REPLACEMENT_CHARACTER), 12))
            }
            Unit::Whole(_) | Unit::None => Some((char::REPLACEMENT_CHARACTER, 6)),
        },
        ('u', Unit::Whole(unit)) => Some((char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER), 6)),
        (other, _) => plain(other),
    }
}

/// What a text begins with that may be `\\u` and four digits.
enum Unit {
    Whole(u32),
    Partial,
    None,
}

fn unit(text: &str) -> Unit {
    let Some(digits) = text.strip_prefix("\\u") else {
        return if "\\u".starts_with(text) { Unit::Partial } else { Unit::None };
    };
    let hex: String = digits.chars().take(4).take_while(char::is_ascii_hexdigit).collect();
    match (hex.len(), u32::from_str_radix(&hex, 16)) {
        (4, Ok(unit)) => Unit::Whole(unit),
        (len, _) if len == digits.len() => Unit::Partial,
        _ => Unit::None,
    }
}
