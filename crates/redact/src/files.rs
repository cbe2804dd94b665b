//! Files that are made to hold secrets, and the secrets in them.
//!
//! A value counts when its name says so, or when it is long and mixed enough to be nothing else. Ports, paths, addresses and
//! words stay readable: a model that helps with a `.env` has to see what is not secret in it.

use krabba_types::Secret;

/// A shorter value is no secret whose name does not say so.
const LONG_ENOUGH: usize = 20;
/// A shorter value is no secret at all.
const SHORTEST: usize = 6;

/// Words in the names of values that are secret.
const TELLING: [&str; 9] = ["key", "token", "secret", "password", "passwd", "passphrase", "credential", "auth", "pwd"];

/// The secrets in a file of this name (without directories). None where the name is not one of those.
pub(crate) fn secrets(name: &str, content: &str) -> Vec<Secret> {
    let name = name.to_lowercase();
    if name.ends_with(".pem") || name.ends_with(".key") || name.starts_with("id_") {
        return key_lines(content);
    }
    if name == ".netrc" || name == "_netrc" {
        return netrc(content);
    }
    let holds = name == ".env"
        || (name.starts_with(".env.") && !["example", "sample", "template"].iter().any(|kind| name.ends_with(kind)))
        || name.ends_with(".env")
        || name.starts_with("credentials")
        || name == "kubeconfig"
        || [".npmrc", ".pypirc", ".pgpass", ".git-credentials", "auth.json", "secrets.json", "secrets.yaml", "secrets.yml", "secrets.toml"]
            .contains(&name.as_str());
    if holds { assignments(content) } else { Vec::new() }
}

/// `NAME=value`, `name: value`, `"name": "value"`, and passwords in addresses.
fn assignments(content: &str) -> Vec<Secret> {
    let mut found = Vec::new();
    for line in content.lines() {
        let line = line.trim().trim_end_matches(',');
        if line.starts_with('#') {
            continue;
        }
        if let Some((_, rest)) = line.split_once("://") {
            let password =
                rest.split(['/', ' ']).next().and_then(|authority| authority.rsplit_once('@')).and_then(|(user, _)| user.split_once(':'));
            found.extend(password.map(|(_, password)| Secret::new(password)));
            continue;
        }
        let Some((name, value)) = line.split_once(['=', ':']) else { continue };
        let value = value.trim().trim_matches(['"', '\'']);
        if is_secret(&name.to_lowercase(), value) {
            found.push(Secret::new(value));
        }
    }
    found
}

fn is_secret(name: &str, value: &str) -> bool {
    if value.len() < SHORTEST || value.contains(char::is_whitespace) || value.starts_with(['$', '<', '/', '.']) {
        return false;
    }
    let telling = TELLING.iter().any(|word| name.contains(word));
    let digits = value.chars().any(|character| character.is_ascii_digit());
    let letters = value.chars().any(|character| character.is_ascii_alphabetic());
    telling || (value.len() >= LONG_ENOUGH && digits && letters && !value.contains(['/', '.', ',']))
}

/// The lines of a key in text form; one line alone already gives a part of it away.
fn key_lines(content: &str) -> Vec<Secret> {
    let lines = content.lines().map(str::trim).filter(|line| line.len() >= LONG_ENOUGH && !line.starts_with("-----"));
    lines.map(Secret::new).collect()
}

fn netrc(content: &str) -> Vec<Secret> {
    let words: Vec<&str> = content.split_whitespace().collect();
    words.windows(2).filter(|pair| matches!(pair, ["password", _])).filter_map(|pair| pair.get(1)).map(|word| Secret::new(*word)).collect()
}
