//! Which keys hold secrets where no schema says so: in the sections that are kept for others and in headers.
//!
//! The decision is made by the key's own words, never by looking for a value in a text: `maxTokens` is a number of
//! tokens, `botToken` is one to keep.

/// Whether a key of this name holds a secret: its last word is token, secret, password or the like, or it is some
/// kind of private key.
pub(crate) fn is_secret_name(name: &str) -> bool {
    let words = words(name);
    let Some(last) = words.last() else { return false };
    match last.as_str() {
        "token" | "secret" | "password" | "passwd" | "passphrase" | "pass" | "credential" | "credentials" | "authorization" | "cookie"
        | "apikey" => true,
        "key" => match words.iter().rev().nth(1).map(String::as_str) {
            None => true,
            Some(kind) => matches!(kind, "api" | "private" | "signing" | "secret" | "access" | "encryption" | "auth" | "license"),
        },
        _ => false,
    }
}

/// Whether every value below a key of this name is treated as secret: environments and header tables.
pub(crate) fn holds_only_secrets(name: &str) -> bool {
    matches!(name, "env" | "vars" | "headers")
}

/// Header names whose values are harmless and worth seeing.
pub(crate) fn is_harmless_header(name: &str) -> bool {
    const HARMLESS: [&str; 8] =
        ["accept", "content-type", "user-agent", "http-referer", "referer", "x-title", "anthropic-version", "anthropic-beta"];
    HARMLESS.iter().any(|harmless| name.eq_ignore_ascii_case(harmless))
}

/// `botToken`, `bot_token`, `X-Bot-Token` and `BOT_TOKEN` are all `bot`, `token`.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut previous_is_lower = false;
    for c in name.chars() {
        if !c.is_alphanumeric() {
            words.push(String::new());
            previous_is_lower = false;
            continue;
        }
        if c.is_uppercase() && previous_is_lower {
            words.push(String::new());
        }
        previous_is_lower = !c.is_uppercase();
        if let Some(word) = words.last_mut() {
            word.extend(c.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}
