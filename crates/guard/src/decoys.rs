//! Decoys: made-up keys in reach of the model that nothing honest ever uses. One that is about to leave shows that somebody went
//! looking for keys, whatever else they wrote.

use krabba_redact::Redactor;
use krabba_types::Secret;

/// The decoys of one installation.
#[derive(Clone, Debug)]
pub struct Decoys {
    named: Vec<(String, String)>,
    finder: Redactor,
}

impl Decoys {
    /// Those that grow from `seed`, which nobody else knows. The same seed gives the same decoys, so that one that was read long ago
    /// is known when it moves.
    pub fn of(seed: &str) -> Self {
        let text = |purpose: &str| {
            let hash = blake3::derive_key(&format!("krabba decoy {purpose}"), seed.as_bytes());
            hash.iter().take(20).map(|byte| char::from(ALPHABET[usize::from(*byte) % ALPHABET.len()])).collect::<String>()
        };
        let named: Vec<(String, String)> =
            NAMES.iter().map(|(name, beginning)| ((*name).to_owned(), format!("{beginning}{}", text(name)))).collect();
        let finder = Redactor::new();
        named.iter().for_each(|(_, decoy)| finder.register(&Secret::new(decoy.as_str())));
        Self { named, finder }
    }

    /// Names and texts, to be put where a command may find them (variables of its environment).
    pub fn named(&self) -> &[(String, String)] {
        &self.named
    }

    /// The same as files of a home directory: where below it, and the content.
    pub fn files(&self) -> Vec<(&'static str, String)> {
        FILES.iter().zip(&self.named).map(|((path, content), (_, decoy))| (*path, content.replace("DECOY", decoy))).collect()
    }

    /// Whether one is in a text, in any dress.
    pub fn are_in(&self, text: &str) -> bool {
        self.finder.finds(text)
    }
}

/// Names that say "take me" and that no program reads.
const NAMES: [(&str, &str); 2] = [("BACKUP_SERVICE_TOKEN", "bst_"), ("ADMIN_CONSOLE_PASSWORD", "")];

/// Files that thieves look for, with a profile and a host that nothing honest asks for.
const FILES: [(&str, &str); NAMES.len()] = [
    (".aws/credentials", "[backup]\naws_access_key_id = backup\naws_secret_access_key = DECOY\n"),
    (".netrc", "machine console.invalid login admin password DECOY\n"),
];

const ALPHABET: &[u8; 56] = b"abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
