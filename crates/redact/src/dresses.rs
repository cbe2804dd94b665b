//! The dresses in which a secret goes about.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// Every text that gives `secret` away. Those that can be recognised in the middle of a word come with `long`.
pub(crate) fn of(secret: &str, long: bool) -> Vec<String> {
    // Some JSON writers escape the slash, most do not.
    let json = secret.replace('\\', "\\\\").replace('"', "\\\"");
    let percent = percent_encoded(secret);
    let mut texts = vec![secret.to_owned(), percent.to_ascii_lowercase(), percent, json.replace('/', "\\/"), json];
    if long {
        let backwards: String = secret.chars().rev().collect();
        let hex = hex(secret);
        for shift in 0..3usize {
            texts.push(inner_base64(secret, shift, &STANDARD_NO_PAD));
            texts.push(inner_base64(secret, shift, &URL_SAFE_NO_PAD));
        }
        texts.extend([backwards, hex.to_ascii_uppercase(), hex, secret.to_ascii_uppercase(), secret.to_ascii_lowercase()]);
    }
    texts.sort();
    texts.dedup();
    texts
}

/// The texts of a secret that are also looked for with something between their characters: `od` puts blanks there, `base64` line ends.
pub(crate) fn spread(secret: &str) -> Vec<String> {
    let hex = hex(secret);
    let mut texts = vec![secret.chars().rev().collect(), hex.to_ascii_uppercase(), hex, secret.to_owned()];
    for shift in 0..3usize {
        texts.push(inner_base64(secret, shift, &STANDARD_NO_PAD));
        texts.push(inner_base64(secret, shift, &URL_SAFE_NO_PAD));
    }
    texts
}

fn hex(secret: &str) -> String {
    secret.bytes().map(|byte| format!("{byte:02x}")).collect()
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
