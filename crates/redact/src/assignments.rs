//! Secrets in what gives values names: `NAME=value`, `name: value`, JSON.

use krabba_types::Secret;
use serde_json::Value;

use crate::values::{Name, is_mixed, is_no_word, is_reference, is_secret};

/// The secret values in a text, and the passwords in its addresses.
pub(crate) fn assignments(content: &str) -> Vec<Secret> {
    let mut found = Vec::new();
    if let Ok(json) = serde_json::from_str(content) {
        values(&json, Name::Other, &mut found);
    }
    // JSON may also be a value, or have a comment in it; and what is escaped in it is seen as it is written.
    for line in content.replace("{\"", "{\n\"").replace(",\"", ",\n\"").replace(", \"", ", \n\"").lines() {
        let line = line.trim().trim_end_matches(',');
        if line.starts_with('#') {
            continue;
        }
        addresses(line, &mut found);
        // A value may have either sign in it, a name neither blanks nor quotes, nor is it an address.
        let is_name = |name: &str| !name.trim_start_matches("export ").trim().contains([' ', '"', '\'']) && !name.contains("://");
        let assigned = line.split_once('=').filter(|(name, _)| is_name(name));
        let Some((name, value)) = assigned.or_else(|| line.split_once(':')) else { continue };
        if let Some(value) = value_of(value.trim())
            && is_secret(Name::of(name), value)
        {
            found.push(Secret::new(value));
        }
    }
    found
}

/// The strings in JSON. What stands under a telling name is named by it, however deep.
fn values(json: &Value, name: Name, found: &mut Vec<Secret>) {
    match json {
        Value::String(text) => {
            addresses(text, found);
            if is_secret(name, text) {
                found.push(Secret::new(text.as_str()));
            }
        }
        Value::Array(items) => items.iter().for_each(|item| values(item, name, found)),
        Value::Object(members) => {
            for (key, member) in members {
                values(member, if name == Name::Telling { name } else { Name::of(key) }, found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// What is assigned, without quotes and without the comment behind it. Only between quotes may it have blanks.
fn value_of(written: &str) -> Option<&str> {
    let Some(quote) = written.chars().next().filter(|first| matches!(first, '"' | '\'')) else {
        let comment =
            written.match_indices('#').map(|(at, _)| at).find(|at| written.get(..*at).is_some_and(|it| it.ends_with([' ', '\t'])));
        let value = written.get(..comment.unwrap_or(written.len()))?.trim();
        return (!value.contains(char::is_whitespace)).then_some(value);
    };
    let inner = written.get(1..)?;
    // One that is escaped, or doubled, does not end it.
    let end = inner.match_indices(quote).map(|(at, _)| at).find(|at| {
        let (value, behind) = inner.split_at(*at);
        let closes = behind.chars().nth(1).is_none_or(|next| next.is_whitespace() || matches!(next, ',' | ';' | '}' | ']'));
        closes && !value.ends_with('\\')
    });
    inner.get(..end.unwrap_or(inner.len()))
}

/// The passwords in the addresses of a line. A user who has none is a token if it looks like one.
fn addresses(line: &str, found: &mut Vec<Secret>) {
    for rest in line.split("://").skip(1) {
        let rest = rest.split([' ', '\t', '"']).next().unwrap_or_default();
        let authority = rest.split('/').next().unwrap_or_default();
        let whole = authority.rsplit_once('@').or_else(|| {
            // The password may have a slash in it; what is only digits before one is a port.
            let (_, port) = authority.split_once(':')?;
            port.contains(|character: char| !character.is_ascii_digit()).then(|| rest.split_once('@'))?
        });
        let Some((user_and_password, _)) = whole else { continue };
        let (user, password) = user_and_password.split_once(':').unwrap_or((user_and_password, ""));
        if is_no_word(password) && !is_reference(password) {
            found.push(Secret::new(password));
        } else if is_mixed(user) && !is_reference(user) {
            found.push(Secret::new(user));
        }
    }
}
