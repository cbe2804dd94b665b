//! Secrets by their shape.
//!
//! The text is read word by word, a word being what a token may consist of. A word is hidden when it begins like a
//! key of a known service, or when what stands before it announces one: `Bearer`, `x-api-key:`, `api_key=`, `token":"`.

use super::HIDDEN;

/// Beginnings of keys, with the least number of characters that must follow.
const BEGINNINGS: [(&str, usize); 16] = [
    ("sk-", 8),
    ("sk_", 16),
    ("pk-", 16),
    ("rk-", 16),
    ("gsk_", 16),
    ("xai-", 16),
    ("hf_", 16),
    ("ghp_", 16),
    ("gho_", 16),
    ("github_pat_", 16),
    ("glpat-", 16),
    ("AIza", 30),
    ("AKIA", 16),
    ("xoxb-", 10),
    ("xapp-", 10),
    ("eyJ", 40),
];

/// What announces a secret, in lower case, without `-` and `_`.
const ANNOUNCERS: [&str; 14] = [
    "bearer",
    "basic",
    "authorization",
    "proxyauthorization",
    "apikey",
    "xapikey",
    "xgoogapikey",
    "accesstoken",
    "refreshtoken",
    "authtoken",
    "clientsecret",
    "secret",
    "password",
    "passwd",
];

/// `text` without what looks like a secret; `None` when nothing does.
pub(super) fn hide(text: &str) -> Option<String> {
    let mut clean = String::with_capacity(text.len());
    let mut changed = false;
    let mut announced = false;
    for piece in pieces(text) {
        match piece {
            Piece::Gap(gap) => {
                // `Incorrect API key provided: x` is a sentence; an announcement holds over punctuation, not over a line.
                announced = announced && !gap.contains('\n');
                clean.push_str(gap);
            }
            Piece::Word(word) if is_announcer(word) => {
                announced = true;
                clean.push_str(word);
            }
            Piece::Word(word) if looks_secret(word) || (announced && could_be_secret(word)) => {
                announced = false;
                changed = true;
                clean.push_str(HIDDEN);
            }
            Piece::Word(word) => {
                announced = false;
                clean.push_str(word);
            }
        }
    }
    let clean = hide_user_info(&clean).inspect(|_| changed = true).unwrap_or(clean);
    changed.then_some(clean)
}

enum Piece<'text> {
    Word(&'text str),
    Gap(&'text str),
}

fn pieces(text: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        let inside = in_word(first);
        let end = rest.find(|c| in_word(c) != inside).unwrap_or(rest.len());
        let (piece, after) = rest.split_at(end);
        rest = after;
        Some(if inside { Piece::Word(piece) } else { Piece::Gap(piece) })
    })
}

/// What keys consist of, and the stars and dots with which services abridge them.
fn in_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '+' | '/' | '~' | '*')
}

fn is_announcer(word: &str) -> bool {
    let bare: String = word.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    ANNOUNCERS.contains(&bare.as_str())
}

fn looks_secret(word: &str) -> bool {
    BEGINNINGS.iter().any(|(beginning, least)| word.strip_prefix(beginning).is_some_and(|rest| rest.len() >= *least))
}

/// After an announcement: long, and not a word of the language.
fn could_be_secret(word: &str) -> bool {
    let marks = word.chars().filter(|c| c.is_ascii_digit() || matches!(c, '_' | '+' | '*')).count();
    let mixed = word.chars().any(|c| c.is_ascii_uppercase()) && word.chars().skip(1).any(|c| c.is_ascii_uppercase());
    word.len() >= 8 && (marks > 0 || mixed || word.len() >= 24)
}

/// `https://user:password@host` without the credentials.
fn hide_user_info(text: &str) -> Option<String> {
    let mut clean = String::with_capacity(text.len());
    let mut changed = false;
    let mut rest = text;
    while let Some((head, tail)) = rest.split_once("://") {
        clean.push_str(head);
        clean.push_str("://");
        let end = tail.find(|c: char| c.is_whitespace() || matches!(c, '/' | '"' | '\'' | '<' | '>' | '?' | '#')).unwrap_or(tail.len());
        let (authority, after) = tail.split_at(end);
        match authority.rsplit_once('@') {
            Some((_, host)) => {
                clean.push_str(HIDDEN);
                clean.push('@');
                clean.push_str(host);
                changed = true;
            }
            None => clean.push_str(authority),
        }
        rest = after;
    }
    clean.push_str(rest);
    changed.then_some(clean)
}
