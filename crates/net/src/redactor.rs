//! Keeps secrets out of everything that is shown, logged or stored.
//!
//! Two nets, because each has holes. The known secrets are searched for as they are and as they appear when quoted by a
//! server: percent-encoded, in base64 (also as the second half of `user:key`), escaped in JSON. What merely
//! looks like a secret (`Bearer …`, `sk-…`, `api_key=…`, a password in a URL) is caught by its shape, since
//! some servers quote the key of somebody else: a proxy reports the key of the upstream that refused it.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::{Arc, PoisonError, RwLock};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use krabba_types::Secret;

mod shapes;

/// What stands in place of a secret.
pub(crate) const HIDDEN: &str = "[secret]";
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
    needles: Vec<Needle>,
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Redactor(…)")
    }
}

#[derive(Clone, PartialEq, Eq)]
struct Needle {
    text: String,
    alone: Alone,
}

/// Whether a needle counts in the middle of a word.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Alone {
    Required,
    Anywhere,
}

impl Redactor {
    /// Knows shapes only.
    pub fn new() -> Self {
        Self::default()
    }

    /// Learns a secret, for all clones. Known placeholders (`ollama`, `lm-studio`) and texts of less than 4 bytes are
    /// not secrets.
    pub fn register(&self, secret: &Secret) {
        let text = secret.expose().trim();
        if text.len() < SHORTEST || PLACEHOLDERS.iter().any(|placeholder| placeholder.eq_ignore_ascii_case(text)) {
            return;
        }
        if self.known.read().unwrap_or_else(PoisonError::into_inner).secrets.contains(secret) {
            return;
        }
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.secrets.insert(secret.clone());
        for needle in needles(text) {
            if !known.needles.contains(&needle) {
                known.needles.push(needle);
            }
        }
        // The longest first, so that a secret which contains another one disappears whole.
        known.needles.sort_by_key(|needle| std::cmp::Reverse(needle.text.len()));
    }

    /// `text` with every secret replaced by `[secret]`.
    pub fn redact<'text>(&self, text: &'text str) -> Cow<'text, str> {
        let mut text = Cow::Borrowed(text);
        for needle in &self.known.read().unwrap_or_else(PoisonError::into_inner).needles {
            if let Some(clean) = needle.hide(&text) {
                text = Cow::Owned(clean);
            }
        }
        match shapes::hide(&text) {
            Some(clean) => Cow::Owned(clean),
            None => text,
        }
    }
}

impl Needle {
    fn hide(&self, text: &str) -> Option<String> {
        let mut clean = String::new();
        let mut before = '\0';
        let mut rest = text;
        let mut changed = false;
        while let Some((head, tail)) = rest.split_once(self.text.as_str()) {
            let left = head.chars().next_back().unwrap_or(before);
            let alone = !left.is_alphanumeric() && !tail.chars().next().is_some_and(char::is_alphanumeric);
            clean.push_str(head);
            if alone || self.alone == Alone::Anywhere {
                clean.push_str(HIDDEN);
                changed = true;
            } else {
                clean.push_str(&self.text);
            }
            before = self.text.chars().next_back().unwrap_or(before);
            rest = tail;
        }
        clean.push_str(rest);
        changed.then_some(clean)
    }
}

fn needles(secret: &str) -> Vec<Needle> {
    let alone = if secret.len() < LONG_ENOUGH { Alone::Required } else { Alone::Anywhere };
    // Some JSON writers escape the slash, most do not.
    let json = secret.replace('\\', "\\\\").replace('"', "\\\"");
    let mut texts = vec![secret.to_owned(), percent_encoded(secret), json.replace('/', "\\/"), json];
    texts.push(percent_encoded(secret).to_ascii_lowercase());
    if alone == Alone::Anywhere {
        for shift in 0..3usize {
            texts.push(inner_base64(secret, shift, &STANDARD_NO_PAD));
            texts.push(inner_base64(secret, shift, &URL_SAFE_NO_PAD));
        }
    }
    texts.sort();
    texts.dedup();
    texts.into_iter().filter(|text| text.len() >= SHORTEST).map(|text| Needle { text, alone }).collect()
}

/// The base64 of `secret` where it begins `shift` bytes into a group, without the characters at both ends
/// that depend on its neighbours.
fn inner_base64(secret: &str, shift: usize, engine: &impl Engine) -> String {
    let mut bytes = vec![0u8; shift];
    bytes.extend_from_slice(secret.as_bytes());
    let text = engine.encode(&bytes);
    let skipped = match shift {
        0 => 0,
        1 => 2,
        _ => 3,
    };
    let whole = bytes.len() / 3 * 4;
    text.chars().take(whole).skip(skipped).collect()
}

fn percent_encoded(secret: &str) -> String {
    url::form_urlencoded::byte_serialize(secret.as_bytes()).collect()
}
