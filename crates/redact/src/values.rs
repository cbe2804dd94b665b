//! Which values are secret.

/// A shorter value is no secret whose name does not say so.
pub(crate) const LONG_ENOUGH: usize = 20;
/// A shorter value is no secret at all.
const SHORTEST: usize = 8;
/// A shorter value without a digit is a word, or a few.
const NO_WORD: usize = 16;

/// What the names of secret values contain.
const TELLING: [&str; 9] = ["key", "token", "secret", "password", "passwd", "passphrase", "credential", "auth", "pwd"];
/// What they contain as words of their own: a compass and a passage hold no secret.
const TELLING_WORDS: [&str; 2] = ["pass", "pw"];

/// What the name of a value says of it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Name {
    Telling,
    Other,
}

impl Name {
    pub(crate) fn of(name: &str) -> Self {
        let lower = name.to_ascii_lowercase();
        let telling = TELLING.iter().any(|part| lower.contains(part)) || words(name).any(|word| TELLING_WORDS.contains(&word.as_str()));
        if telling { Self::Telling } else { Self::Other }
    }
}

/// In lower case, of `SMTP_PASS` and `smtpPass` alike.
fn words(name: &str) -> impl Iterator<Item = String> {
    let mut apart = String::with_capacity(name.len());
    let mut before = ' ';
    for character in name.chars() {
        if before.is_ascii_lowercase() && character.is_ascii_uppercase() {
            apart.push(' ');
        }
        apart.push(if character.is_ascii_alphanumeric() { character.to_ascii_lowercase() } else { ' ' });
        before = character;
    }
    apart.split(' ').map(str::to_owned).collect::<Vec<_>>().into_iter()
}

/// Whether a value is secret that stands alone or between quotes.
pub(crate) fn is_secret(name: Name, value: &str) -> bool {
    if is_reference(value) || is_path(value) || is_address(value) {
        return false;
    }
    if value.contains(char::is_whitespace) {
        return name == Name::Telling && is_phrase(value);
    }
    (name == Name::Telling && is_no_word(value)) || (is_mixed(value) && !value.contains(['/', '.', ',']))
}

/// Whether nobody writes it who does not mean the secret: letters with digits among them, or many of more than one kind.
pub(crate) fn is_no_word(value: &str) -> bool {
    let has = |kind: fn(char) -> bool| value.chars().any(kind);
    let kinds = [has(|c| c.is_ascii_lowercase()), has(|c| c.is_ascii_uppercase()), has(|c| !c.is_ascii_alphanumeric())];
    let many = value.len() >= NO_WORD && kinds.into_iter().filter(|kind| *kind).count() > 1 && !value.contains(['/', '.', ',']);
    value.len() >= SHORTEST && has(|c| c.is_ascii_alphabetic()) && (has(|c| c.is_ascii_digit()) || many)
}

pub(crate) fn is_mixed(value: &str) -> bool {
    value.len() >= LONG_ENOUGH && has_both(value)
}

fn has_both(value: &str) -> bool {
    value.contains(|character: char| character.is_ascii_digit()) && value.contains(|character: char| character.is_ascii_alphabetic())
}

/// Whether words with blanks between are a secret: many, one of them no word. Any other sentence could be taken out of what is said.
fn is_phrase(value: &str) -> bool {
    let in_one_line = !value.contains(|character: char| character.is_whitespace() && character != ' ');
    // Keys in text form are looked at line by line.
    in_one_line && value.len() >= NO_WORD && value.split(' ').any(has_both) && !value.contains("-----BEGIN ")
}

/// Whether it stands for something else: `$NAME`, `$NAME/file`, `${NAME}`, `$(command)`, `<your key>`.
pub(crate) fn is_reference(value: &str) -> bool {
    if value.starts_with('<') {
        return value.ends_with('>');
    }
    let Some(rest) = value.strip_prefix('$') else { return false };
    if rest.starts_with('{') || rest.starts_with('(') {
        return rest.contains(['}', ')']);
    }
    let end = rest.find(|character: char| !character.is_ascii_alphanumeric() && character != '_').unwrap_or(rest.len());
    let (name, behind) = rest.split_at(end);
    let begins = name.starts_with(|character: char| character.is_ascii_alphabetic() || character == '_');
    // A name with digits is in upper case; what mixes them otherwise is no name.
    let is_name = !name.contains(|character: char| character.is_ascii_lowercase()) || !has_both(name);
    begins && is_name && (behind.is_empty() || behind.starts_with('/'))
}

/// Whether it is the place of a file. Base64 may begin with a slash and have another in it, but mixes digits with upper case.
fn is_path(value: &str) -> bool {
    let relative = ["./", "../", "~/"].into_iter().any(|start| value.starts_with(start));
    let absolute = value.strip_prefix('/').is_some_and(|rest| rest.contains('/'));
    let mixed = value.contains(|c: char| c.is_ascii_digit()) && value.contains(|c: char| c.is_ascii_uppercase());
    relative || (absolute && !mixed)
}

/// Addresses are public but for the passwords in them.
fn is_address(value: &str) -> bool {
    let scheme = value.split_once("://").map(|(scheme, _)| scheme);
    scheme.is_some_and(|scheme| scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.')))
}
