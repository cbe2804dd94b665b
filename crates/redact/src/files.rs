//! Files that are made to hold secrets, and the secrets in them.
//!
//! A value counts when its name says so and it is no word, or when it is long and mixed enough to be nothing else. Ports, paths,
//! addresses and words stay readable: a model that helps with a `.env` has to see what is not secret in it, and who could make a word
//! secret by writing it into such a file would take it out of everything that is said.

use std::collections::HashSet;

use krabba_types::Secret;

use crate::assignments::assignments;
use crate::values::{LONG_ENOUGH, Name, is_mixed, is_no_word, is_secret};

/// The most secrets that one file holds; what has more is made for something else.
const MOST: usize = 100;

/// Names of files that hold assignments, beside `.env` and its like.
const NAMES: [&str; 10] = [
    "kubeconfig",
    ".npmrc",
    ".pypirc",
    ".git-credentials",
    ".dockerconfigjson",
    "auth.json",
    "secrets.json",
    "secrets.yaml",
    "secrets.yml",
    "secrets.toml",
];

/// How the names of keys of accounts at Google begin.
const ACCOUNTS: [&str; 3] = ["service-account", "service_account", "serviceaccount"];

/// What editors and people put behind the name of a file that they keep.
const KEPT: [&str; 4] = ["~", ".bak", ".old", ".orig"];

/// Names that say so only together with their directory's.
const PLACES: [(&str, &str); 2] = [(".kube", "config"), (".docker", "config.json")];

/// How what is in a file is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Key,
    Netrc,
    /// The last of what stands between colons.
    Fields,
    /// Columns with names.
    Table,
    Assignments,
}

/// Whether a file at this place, with `/` between directories, is made to hold secrets.
pub fn holds_secrets(path: &str) -> bool {
    kind(path).is_some()
}

fn kind(path: &str) -> Option<Kind> {
    let name = path.rsplit('/').next().unwrap_or_default();
    let kept = KEPT.into_iter().find(|end| ends(name, end)).and_then(|end| name.get(..name.len() - end.len()));
    let name = kept.unwrap_or(name);
    let (begins, ends) = (|with: &str| begins(name, with), |with: &str| ends(name, with));
    let is = |other: &str| name.eq_ignore_ascii_case(other);
    if ends(".pem") || ends(".key") || begins("id_") || is(".vault-token") {
        return Some(Kind::Key);
    }
    if is(".netrc") || is("_netrc") {
        return Some(Kind::Netrc);
    }
    if is(".pgpass") || is(".htpasswd") {
        return Some(Kind::Fields);
    }
    if ends("credentials.csv") || ends("accesskeys.csv") {
        return Some(Kind::Table);
    }
    let of_a_place = begins(".env.") || begins(".envrc.");
    let environment = ends(".env") || is(".envrc") || (of_a_place && !["example", "sample", "template"].into_iter().any(ends));
    let account = ends(".json") && ACCOUNTS.into_iter().any(begins);
    let above = || path.rsplit('/').nth(1).unwrap_or_default();
    let placed = PLACES.iter().any(|(directory, name)| is(name) && above().eq_ignore_ascii_case(directory));
    (environment || account || begins("credentials") || NAMES.into_iter().any(is) || placed).then_some(Kind::Assignments)
}

fn begins(text: &str, with: &str) -> bool {
    text.as_bytes().get(..with.len()).is_some_and(|part| part.eq_ignore_ascii_case(with.as_bytes()))
}

fn ends(text: &str, with: &str) -> bool {
    let start = text.len().checked_sub(with.len());
    start.and_then(|start| text.as_bytes().get(start..)).is_some_and(|part| part.eq_ignore_ascii_case(with.as_bytes()))
}

/// The secrets in the file at this place, the first hundred. None where it is not one of those.
pub fn secrets_in(path: &str, content: &str) -> Vec<Secret> {
    let mut found = match kind(path) {
        None => Vec::new(),
        Some(Kind::Key) => key_lines(content),
        Some(Kind::Netrc) => netrc(content),
        Some(Kind::Fields) => {
            content.lines().filter_map(|line| line.rsplit(':').next()).filter(|word| is_no_word(word)).map(Secret::new).collect()
        }
        Some(Kind::Table) => table(content),
        Some(Kind::Assignments) => {
            let mut found = assignments(content);
            // A key in text form may be a value, with its line ends written out.
            if content.contains("-----BEGIN ") {
                found.extend(key_lines(&content.replace("\\n", "\n")));
            }
            found
        }
    };
    let mut seen = HashSet::new();
    found.retain(|secret| seen.insert(secret.clone()));
    found.truncate(MOST);
    found
}

/// The lines of private keys in text form; one line alone already gives a part of it away. What stands in no frame is a key if it is
/// one word.
fn key_lines(content: &str) -> Vec<Secret> {
    let framed = content.contains("-----BEGIN ");
    let mut private = !framed;
    let mut before = "";
    let mut found = Vec::new();
    for line in content.lines().map(str::trim) {
        if let Some((_, name)) = line.split_once("-----BEGIN ") {
            private = name.contains("PRIVATE KEY");
        } else if line.starts_with("-----") {
            private = false;
            before = "";
        } else if !private || line.contains(char::is_whitespace) {
            before = "";
        } else if line.len() >= LONG_ENOUGH {
            if framed || is_mixed(line) {
                found.push(Secret::new(line));
                before = line;
            }
        } else if framed && is_no_word(line) {
            found.push(Secret::new(line));
        } else if framed && !before.is_empty() && !line.is_empty() {
            // The short end of a key may be a word: it counts only behind the line before it.
            found.push(Secret::new(format!("{before}{line}")));
        }
    }
    found
}

/// Lines of values with commas between, the first of them with the names of the columns.
fn table(content: &str) -> Vec<Secret> {
    let fields = |line: &str| line.split(',').map(|field| field.trim().trim_matches('"').to_owned()).collect::<Vec<_>>();
    let mut lines = content.lines().map(fields);
    let names = lines.next().unwrap_or_default();
    let named =
        lines.flat_map(|values| names.iter().zip(values).filter(|(name, value)| is_secret(Name::of(name), value)).collect::<Vec<_>>());
    named.map(|(_, value)| Secret::new(value)).collect()
}

fn netrc(content: &str) -> Vec<Secret> {
    let words: Vec<&str> = content.split_whitespace().collect();
    let passwords = words.windows(2).filter(|pair| matches!(pair, ["password", _])).filter_map(|pair| pair.get(1));
    passwords.map(|password| password.trim_matches('"')).filter(|password| is_no_word(password)).map(Secret::new).collect()
}
