//! What is known, and how it is found.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use krabba_types::Secret;

use crate::finder::{Finder, replaced};
use crate::{dresses, shapes, squeeze};

/// What stands in place of a secret.
pub const HIDDEN: &str = "[secret]";
/// A shorter secret is hidden only where it stands alone: `abc` would otherwise shred every text.
const LONG_ENOUGH: usize = 12;
/// Shorter than this is not worth hiding.
const SHORTEST: usize = 4;
/// How many secrets are learned from files, and how many bytes of them. Each is searched for in a dozen dresses, in all that is said.
const MOST_LEARNED: usize = 1_000;
const MOST_LEARNED_BYTES: usize = 32 << 10;
/// The first of each file have as much again for themselves: whoever puts a thousand of them into a file pushes no other file's out.
const FIRST: usize = 8;
/// Placeholders that people give to servers without authentication; ordinary words in messages about them.
const PLACEHOLDERS: [&str; 16] = [
    "ollama",
    "ollama-local",
    "lmstudio",
    "lm-studio",
    "llama.cpp",
    "llamacpp",
    "vllm",
    "vllm-local",
    "litellm",
    "custom-local",
    "local",
    "none",
    "null",
    "dummy",
    "empty",
    "not-needed",
];

/// Removes secrets from texts. Clones share what they know.
#[derive(Clone, Default)]
pub struct Redactor {
    known: Arc<Mutex<Known>>,
    /// Made of what is known, beside those who look for it in the meantime.
    finder: Arc<RwLock<Option<Arc<Finder>>>>,
}

#[derive(Default)]
struct Known {
    secrets: HashSet<Secret>,
    /// Each text that gives a secret away, and whether it counts in the middle of a word.
    needles: BTreeMap<String, Alone>,
    /// The secrets that are also looked for with something between their characters.
    squeezed: BTreeSet<String>,
    /// How many were learned from files, and how many bytes.
    learned: (usize, usize),
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Redactor(…)")
    }
}

/// Whether a needle counts in the middle of a word.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Alone {
    Anywhere,
    Required,
}

impl Redactor {
    /// Knows shapes only.
    pub fn new() -> Self {
        Self::default()
    }

    /// Learns a secret, for all clones. Known placeholders (`ollama`, `lm-studio`) and texts of less than 4 bytes are
    /// not secrets.
    pub fn register(&self, secret: &Secret) {
        self.add(std::iter::once((0, secret)), |_, _| true);
    }

    /// Learns secrets that stand in files, a list for each; up to 1,000 of them in all and 32 KiB, and as many again of the first of each
    /// file. Takes a moment: what is found is looked for at once.
    pub fn learn(&self, files: &[Vec<Secret>]) {
        let longest = files.iter().map(Vec::len).max().unwrap_or_default();
        // The first of each file before the second of any.
        let ranks = (0..longest).flat_map(|rank| files.iter().filter_map(move |file| Some((rank, file.get(rank)?))));
        self.add(ranks, |learned, (rank, secret)| {
            let (number, bytes) = (learned.0 + 1, learned.1 + secret.expose().len());
            let times = if *rank < FIRST { 2 } else { 1 };
            let room = number <= times * MOST_LEARNED && bytes <= times * MOST_LEARNED_BYTES;
            if room {
                *learned = (number, bytes);
            }
            room
        });
    }

    /// `text` with every secret replaced by `[secret]`, also what only looks like one.
    pub fn redact<'text>(&self, text: &'text str) -> Cow<'text, str> {
        let text = self.hide(text);
        match shapes::hide(&text) {
            Some(clean) => Cow::Owned(clean),
            None => text,
        }
    }

    /// `text` with every known secret replaced by `[secret]`.
    pub fn hide<'text>(&self, text: &'text str) -> Cow<'text, str> {
        match self.finder().and_then(|finder| finder.hide(text)) {
            Some(clean) => Cow::Owned(clean),
            None => Cow::Borrowed(text),
        }
    }

    /// Whether a known secret is in `text`.
    pub fn finds(&self, text: &str) -> bool {
        matches!(self.hide(text), Cow::Owned(_))
    }

    /// Up to which byte `text` can be shown whatever comes after it, and the part of it from `from` to there with its secrets
    /// replaced. What stands before `from` was shown, and tells words apart.
    pub(crate) fn hide_beginning(&self, text: &str, from: usize) -> (usize, String) {
        let whole = || (text.len(), text.get(from..).unwrap_or_default().to_owned());
        self.finder().map_or_else(whole, |finder| {
            let spans = finder.spans(text);
            let end = finder.settled(text, from, &spans);
            (end, replaced(text, from..end, &spans))
        })
    }

    fn finder(&self) -> Option<Arc<Finder>> {
        self.finder.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Adds those that are not known yet and that there is `room` for; each with its place in its file.
    fn add<'s>(&self, secrets: impl Iterator<Item = (usize, &'s Secret)>, room: impl Fn(&mut (usize, usize), &(usize, &Secret)) -> bool) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let Known { secrets: before, needles, squeezed, learned } = &mut *known;
        let count = before.len();
        for (rank, secret) in secrets {
            let text = secret.expose().trim();
            if !is_secret(text) || before.contains(secret) || !room(learned, &(rank, secret)) {
                continue;
            }
            let alone = if text.len() < LONG_ENOUGH { Alone::Required } else { Alone::Anywhere };
            for dress in dresses::of(text, alone == Alone::Anywhere) {
                if dress.len() >= SHORTEST {
                    needles.entry(dress).and_modify(|before| *before = alone.min(*before)).or_insert(alone);
                }
            }
            if alone == Alone::Anywhere {
                let bare = dresses::spread(text).into_iter().map(|dress| squeeze::text(&dress));
                squeezed.extend(bare.filter(|bare| bare.len() >= LONG_ENOUGH));
            }
            before.insert(secret.clone());
        }
        if before.len() > count {
            let finder = Finder::of(needles, squeezed).map(Arc::new);
            *self.finder.write().unwrap_or_else(PoisonError::into_inner) = finder;
        }
    }
}

fn is_secret(text: &str) -> bool {
    text.len() >= SHORTEST && !PLACEHOLDERS.iter().any(|placeholder| placeholder.eq_ignore_ascii_case(text))
}
