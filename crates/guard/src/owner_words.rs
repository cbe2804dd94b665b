//! What the owner wrote in this conversation, and whether a value is among it.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use krabba_types::Label;
use url::Url;

use crate::payload;
use crate::spelling::{fold, has_span, is_hidden, is_word};
use crate::{Principal, Scene, Source};

/// Words that name nobody and nothing: "send all files" does not vouch for a recipient called "all".
const FUNCTION_WORDS: [&str; 75] = [
    "a",
    "an",
    "the",
    "this",
    "that",
    "these",
    "those",
    "all",
    "any",
    "both",
    "each",
    "every",
    "everybody",
    "everyone",
    "everything",
    "some",
    "someone",
    "other",
    "others",
    "me",
    "my",
    "mine",
    "we",
    "us",
    "our",
    "you",
    "your",
    "he",
    "she",
    "it",
    "they",
    "them",
    "his",
    "her",
    "its",
    "their",
    "i",
    "to",
    "of",
    "in",
    "on",
    "at",
    "by",
    "for",
    "from",
    "with",
    "as",
    "and",
    "or",
    "not",
    "no",
    "yes",
    "is",
    "are",
    "be",
    "do",
    "was",
    "has",
    "have",
    "so",
    "if",
    "but",
    "then",
    "there",
    "here",
    "what",
    "who",
    "when",
    "where",
    "how",
    "which",
    "anyone",
    "anybody",
    "anything",
    "him",
];

/// Words before a number that make it a name.
const NUMBER_WORDS: [&str; 3] = ["id", "number", "no"];

/// The owner's own words in a scene.
#[derive(Debug)]
pub(crate) struct OwnerWords {
    texts: Vec<String>,
    numbers: BTreeSet<String>,
    squeezed: String,
    addresses: BTreeSet<String>,
}

impl OwnerWords {
    pub(crate) fn of(scene: &Scene) -> Self {
        let owner = scene.principal == Principal::Owner;
        let typed = scene.said.iter().filter(|said| owner && said.source == Source::Typed && said.label == Label::Owner);
        let typed: Vec<&str> = typed.map(|said| said.text.as_str()).collect();
        let addresses = typed.iter().flat_map(|text| addresses(text)).collect();
        let texts: Vec<String> = typed.into_iter().map(fold).collect();
        let numbers = texts.iter().flat_map(|text| numbers(text)).collect();
        let squeezed = texts.iter().map(|text| squeeze(text)).collect::<Vec<_>>().join(" ");
        Self { texts, numbers, squeezed, addresses }
    }

    /// Whether the owner wrote `value` in one piece, as whole words, at least one of which names something.
    pub(crate) fn hold(&self, value: &str) -> bool {
        let folded = fold(value);
        let telling = || words(&folded).any(|word| !FUNCTION_WORDS.contains(&word));
        folded.chars().nth(1).is_some() && telling() && self.spell(value, &folded)
    }

    /// Whether the owner wrote this word of a question, if it names something or not.
    pub(crate) fn hold_word(&self, word: &str) -> bool {
        self.spell(word, &fold(word))
    }

    /// Whether the owner wrote the address, with or without its scheme, or the slash at its end; or as people write what has to be
    /// spelled otherwise to be sent (`/wiki/Käse`, a port that goes without saying).
    pub(crate) fn hold_address(&self, address: &str) -> bool {
        if self.addresses.contains(address) {
            return true;
        }
        let lower = address.to_ascii_lowercase();
        let bare = ["https://", "http://"].iter().find_map(|scheme| lower.starts_with(scheme).then(|| address.get(scheme.len()..))?);
        let held = |address: &str| self.hold(address) || address.strip_suffix('/').is_some_and(|address| self.hold(address));
        // A bare name may be that of a file.
        held(address) || bare.is_some_and(|bare| held(bare) && !payload::may_be_file(bare.trim_end_matches('/')))
    }

    /// Whether the owner wrote this host as one, in an address. "Summarise notes.md", "fix main.tf" and "never send anything to
    /// evil.example" name hosts too, as far as anybody can tell by their looks.
    pub(crate) fn hold_host(&self, host: &str) -> bool {
        let name = host.split(':').next().unwrap_or_default();
        let last = name.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
        // Resolvers take a single number, or two, for an address.
        let number = last.starts_with("0x") || last.chars().all(|character| character.is_ascii_digit());
        if number && name.parse::<Ipv4Addr>().is_err() {
            return false;
        }
        let as_host = || ["https://", "http://", "www."].iter().any(|before| self.hold(&format!("{before}{host}")));
        as_host() || self.texts.iter().any(|text| begins_address(text, &fold(host), payload::may_be_file(name)))
    }

    /// Whether a number of this value stands alone in the owner's words.
    pub(crate) fn count(&self, number: &serde_json::Number) -> bool {
        plain_number(&number.to_string()).is_some_and(|number| self.numbers.contains(&number))
    }

    /// Whether the owner called something by this short number: `file 13`, `id: 13`, `#13`. `names` are words for what it numbers.
    pub(crate) fn number(&self, names: &BTreeSet<String>, digits: &str) -> bool {
        let said = |phrase: String| self.texts.iter().any(|text| has_span(text, &phrase));
        let named = |name: &str| {
            [" ", ": ", " is "]
                .iter()
                .any(|between| ["", "'", "\""].iter().any(|quote| said(format!("{name}{between}{quote}{digits}{quote}"))))
        };
        said(format!("#{digits}")) || NUMBER_WORDS.into_iter().chain(names.iter().map(String::as_str)).any(named)
    }

    /// Whether the owner gave something this value: `the volume to 30`, `a price of 5`.
    pub(crate) fn sets(&self, names: &[String], number: &serde_json::Number) -> bool {
        let Some(name) = names.last().filter(|_| self.count(number)) else { return false };
        let said = |between: &str| self.texts.iter().any(|text| has_span(text, &format!("{name} {between} {number}")));
        ["to", "at", "of", "="].into_iter().any(said)
    }

    /// Whether letters and digits follow each other in this way in the owner's words, whatever stands between them.
    pub(crate) fn spell_out(&self, squeezed: &str) -> bool {
        self.squeezed.contains(squeezed)
    }

    fn spell(&self, value: &str, folded: &str) -> bool {
        !is_hidden(value) && self.texts.iter().any(|text| has_span(text, folded))
    }
}

/// Whether an address stands in a text that begins with this host, if need be with a scheme before it.
fn begins_address(text: &str, host: &str, scheme: bool) -> bool {
    text.match_indices(host).any(|(at, _)| {
        let (before, after) = (text.get(..at).unwrap_or_default(), text.get(at + host.len()..).unwrap_or_default());
        let begins = before.ends_with("://") || (!scheme && before.chars().next_back().is_none_or(|near| " (<\"'".contains(near)));
        begins && after.starts_with(['/', ':'])
    })
}

/// ASCII letters and digits alone, small.
pub(crate) fn squeeze(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).map(|character| character.to_ascii_lowercase()).collect()
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|character| !is_word(character)).filter(|word| !word.is_empty())
}

/// The numbers that stand alone: no part of a date, a time, a name or a longer number.
fn numbers(text: &str) -> Vec<String> {
    let characters: Vec<char> = text.chars().collect();
    let at = |index: Option<usize>| index.and_then(|index| characters.get(index)).copied();
    let digit = |index: usize| at(Some(index)).is_some_and(|character| character.is_ascii_digit());
    let mut found = Vec::new();
    let mut index = 0;
    while index < characters.len() {
        if !digit(index) {
            index += 1;
            continue;
        }
        let mut start = index;
        let mut end = index;
        while digit(end) {
            end += 1;
        }
        if matches!(at(Some(end)), Some('.' | ',')) && digit(end + 1) {
            end += 1;
            while digit(end) {
                end += 1;
            }
        }
        index = end;
        if matches!(at(start.checked_sub(1)), Some('-' | '+')) {
            start -= 1;
        }
        let joined = |near: char| is_word(near) || matches!(near, '/' | ':' | '-');
        let left = at(start.checked_sub(1)).is_some_and(|near| joined(near) || matches!(near, '.' | ','));
        let right = at(Some(end)).is_some_and(|near| joined(near) || (matches!(near, '.' | ',') && digit(end + 1)));
        if !left && !right {
            let written: String = characters.iter().skip(start).take(end - start).collect();
            // Three digits behind a comma are thousands to some people and a fraction to others.
            if written.split_once(',').is_none_or(|(_, fraction)| fraction.len() != 3) {
                found.extend(plain_number(&written.replace(',', ".")));
            }
        }
    }
    found
}

/// One spelling for one value; `None` for what is written with an exponent.
fn plain_number(text: &str) -> Option<String> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if !whole.chars().chain(fraction.chars()).all(|character| character.is_ascii_digit()) {
        return None;
    }
    let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
    let sign = if whole.is_empty() && fraction.is_empty() { "" } else { sign };
    Some(format!("{sign}{whole}.{fraction}"))
}

/// The addresses in a text, as they are sent.
fn addresses(text: &str) -> Vec<String> {
    let words = text.split(|character: char| character.is_whitespace() || "<>()[]\"'`".contains(character));
    let plain = words.map(|word| word.trim_end_matches(['.', ',', ';', ':', '!', '?'])).filter(|word| word.contains("://"));
    let parsed = plain.filter_map(|word| {
        let mut url = Url::parse(word).ok()?;
        url.set_fragment(None);
        Some(url.to_string())
    });
    parsed.collect()
}
