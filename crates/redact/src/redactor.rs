//! What is known, and how it is found.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::{Arc, PoisonError, RwLock};

use krabba_types::Secret;

use crate::finder::{Finder, replaced};
use crate::{dresses, files, shapes, squeeze};

/// What stands in place of a secret.
pub const HIDDEN: &str = "[secret]";
/// A shorter secret is hidden only where it stands alone: `abc` would otherwise shred every text.
const LONG_ENOUGH: usize = 12;
/// Shorter than this is not worth hiding.
const SHORTEST: usize = 4;
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
    known: Arc<RwLock<Known>>,
}

#[derive(Default)]
struct Known {
    secrets: HashSet<Secret>,
    /// Each text that gives a secret away, and whether it counts in the middle of a word.
    needles: BTreeMap<String, Alone>,
    /// The secrets that are also looked for with something between their characters.
    squeezed: BTreeSet<String>,
    finder: Option<Finder>,
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
        self.register_all(std::slice::from_ref(secret));
    }

    /// Learns the secrets in a file that is made to hold them (`.env`, `*.pem`, `.netrc` and their like). Other files hold none.
    pub fn learn(&self, name: &str, content: &str) {
        self.register_all(&files::secrets(name, content));
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
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        match known.finder.as_ref().and_then(|finder| finder.hide(text)) {
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
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let whole = || (text.len(), text.get(from..).unwrap_or_default().to_owned());
        known.finder.as_ref().map_or_else(whole, |finder| {
            let spans = finder.spans(text);
            let end = finder.settled(text, from, &spans);
            (end, replaced(text, from..end, &spans))
        })
    }

    fn register_all(&self, secrets: &[Secret]) {
        let fresh = |known: &Known| -> Vec<Secret> {
            let news = secrets.iter().filter(|secret| is_secret(secret.expose().trim()) && !known.secrets.contains(secret));
            news.cloned().collect()
        };
        if fresh(&self.known.read().unwrap_or_else(PoisonError::into_inner)).is_empty() {
            return;
        }
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        for secret in fresh(&known) {
            let text = secret.expose().trim();
            let alone = if text.len() < LONG_ENOUGH { Alone::Required } else { Alone::Anywhere };
            for dress in dresses::of(text, alone == Alone::Anywhere) {
                if dress.len() >= SHORTEST {
                    known.needles.entry(dress).and_modify(|before| *before = alone.min(*before)).or_insert(alone);
                }
            }
            let bare = squeeze::text(text);
            if bare.len() >= LONG_ENOUGH {
                known.squeezed.insert(bare);
            }
            known.secrets.insert(secret);
        }
        known.finder = Finder::of(&known.needles, &known.squeezed);
    }
}

fn is_secret(text: &str) -> bool {
    text.len() >= SHORTEST && !PLACEHOLDERS.iter().any(|placeholder| placeholder.eq_ignore_ascii_case(text))
}
