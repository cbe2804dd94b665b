//! What may not ride along with an action that the owner named: links that others bring in, and identifiers that others wrote.
//!
//! This stops copying, also with blanks and dashes put in. Something that is written in another way (spelled out, encoded) is not
//! found here.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use crate::owner_words::squeeze;
use crate::spelling::is_word;

/// Beginnings of links that need no `//`.
const SCHEMES: [&str; 7] = ["mailto:", "tel:", "sms:", "data:", "javascript:", "vbscript:", "www."];

/// What ends a link, and full stops and brackets of scripts that put no blank behind them.
const ENDS_LINK: [char; 16] = ['<', '>', '"', '\'', ')', ']', '`', '|', '。', '，', '、', '；', '！', '？', '）', '」'];

/// The longest scheme that a link has, in characters.
const LONGEST_SCHEME: usize = 16;

/// Endings of file names that are also those of hosts.
const HOSTS_TOO: [&str; 12] = ["md", "rs", "py", "sh", "zip", "pl", "so", "ai", "app", "mov", "ps", "cc"];

/// Endings of file names that look like hosts.
const FILES: [&str; 39] = [
    "txt", "pdf", "doc", "docx", "xls", "xlsx", "ppt", "pptx", "odt", "csv", "tsv", "json", "json5", "yaml", "yml", "xml", "html", "htm",
    "log", "png", "jpg", "jpeg", "gif", "webp", "svg", "gz", "tar", "js", "ts", "c", "h", "cpp", "java", "go", "toml", "ini", "db",
    "sqlite", "lock",
];

/// The links in a text, as chat programs recognise them: also a bare host becomes one.
pub(crate) fn links(text: &str) -> Vec<String> {
    let characters: Vec<char> = text.chars().collect();
    let mut links = Vec::new();
    let mut index = 0;
    while index < characters.len() {
        let end = link_at(&characters, index);
        if let Some(end) = end {
            let link: String = characters.iter().skip(index).take(end - index).collect();
            let link = link.trim_end_matches(['.', ',', ';', ':', '!', '?']).to_owned();
            if !is_file(&link) {
                links.push(link);
            }
        }
        index = end.unwrap_or(index + 1);
    }
    links
}

/// The mail addresses in a text. Mail and chat programs make links of them, too.
pub(crate) fn mail_addresses(text: &str) -> Vec<String> {
    let characters: Vec<char> = text.chars().collect();
    let signs = characters.iter().enumerate().filter(|(_, character)| matches!(character, '@' | '\u{FF20}')).map(|(at, _)| at);
    signs.filter_map(|at| mail_address_around(&characters, at)).collect()
}

fn mail_address_around(characters: &[char], sign: usize) -> Option<String> {
    let mailbox = |c: &char| is_word(*c) || "!#$%&'*+/=?^`{|}~.-".contains(*c);
    let before = characters.iter().take(sign).rev().take_while(|c| mailbox(c)).count();
    let local: String = characters.iter().take(sign).skip(sign - before).collect();
    let local = local.trim_start_matches(|c| !is_word(c));
    let end = run(characters, sign + 1, |c| is_word(c) || is_dot(c) || c == '-');
    let host: String = characters.iter().take(end).skip(sign + 1).collect();
    let host = host.trim_end_matches(|c| !is_word(c));
    let top = host.rsplit_once(is_dot).map(|(_, top)| top).filter(|top| top.chars().all(char::is_alphabetic) || top.starts_with("xn--"));
    let sign = characters.get(sign)?;
    (!local.is_empty() && top.is_some_and(|top| top.chars().nth(1).is_some())).then(|| format!("{local}{sign}{host}"))
}

/// The text with links that a program would follow made so that it does not (`hxxps://evil[.]example`): those that are not `known`.
/// A name without a scheme may be anything, `array.push` too, and stays.
pub fn defang(text: &str, known: impl Fn(&str) -> bool) -> String {
    let characters: Vec<char> = text.chars().collect();
    let mut told = String::with_capacity(text.len());
    let mut index = 0;
    while let Some(character) = characters.get(index) {
        let Some(end) = link_at(&characters, index) else {
            // Behind what is no scheme of ours there may be one of somebody's.
            let follows = begins_with(&characters, index, "://") && characters.get(index + 3).is_some_and(|c| c.is_alphanumeric());
            if follows {
                told.push_str("[:]");
            } else {
                told.push(*character);
            }
            index += 1;
            continue;
        };
        let whole: String = characters.iter().skip(index).take(end - index).collect();
        // What closes a sentence, a code span or bold text belongs to no link.
        let link = whole.trim_end_matches(|c: char| !c.is_alphanumeric() && !matches!(c, '/' | '=' | '-' | '_' | '#' | '%' | '&'));
        // "2.https://": a scheme is letters, and what stands before them is text.
        let text = link.find("://").and_then(|end| link.get(..end)?.char_indices().rfind(|(_, c)| !c.is_ascii_alphabetic()));
        let (before, link) = link.split_at(text.map_or(0, |(at, last)| at + last.len_utf8()));
        told.push_str(before);
        let lower = link.to_ascii_lowercase();
        let followed = link.contains("://") || SCHEMES.iter().any(|scheme| lower.starts_with(scheme));
        if followed && !known(link) {
            told.push_str(&without_fangs(link))
        } else {
            told.push_str(link)
        }
        told.push_str(whole.get(before.len() + link.len()..).unwrap_or_default());
        index = end;
    }
    told
}

fn without_fangs(link: &str) -> String {
    let (scheme, rest) = link.split_once("://").unwrap_or(("", link));
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (host, path) = rest.split_at(end);
    let host = host.replace('.', "[.]").replace(':', "[:]");
    match scheme {
        "" => format!("{host}{path}"),
        scheme => format!("{}://{host}{path}", scheme.replace(['t', 'T'], "x")),
    }
}

/// Where the link ends that begins at `start`.
fn link_at(characters: &[char], start: usize) -> Option<usize> {
    let before = start.checked_sub(1).and_then(|before| characters.get(before)).copied();
    if before.is_none_or(|before| !before.is_ascii_alphanumeric()) {
        let scheme = characters.iter().skip(start).take(LONGEST_SCHEME);
        let scheme = start + scheme.take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '.' | '-')).count();
        if scheme > start && begins_with(characters, scheme, "://") {
            return Some(tail(characters, scheme + 3)).filter(|end| *end > scheme + 3);
        }
    }
    let scheme = SCHEMES.iter().find(|scheme| before.is_none_or(|before| !is_word(before)) && begins_with(characters, start, scheme));
    if let Some(scheme) = scheme {
        let after = start + scheme.len();
        return Some(tail(characters, after)).filter(|end| *end > after);
    }
    host_at(characters, start, before)
}

fn host_at(characters: &[char], start: usize, before: Option<char>) -> Option<usize> {
    let joins = |c: char| is_word(c) || is_dot(c) || c == '-';
    if before.is_some_and(|before| joins(before) || before == '@') {
        return None;
    }
    let mut end = run(characters, start, joins);
    if characters.get(end) == Some(&'@') {
        return None;
    }
    while end > start && characters.get(end - 1).is_some_and(|last| is_dot(*last)) {
        end -= 1;
    }
    let name: String = characters.iter().skip(start).take(end - start).collect();
    let labels: Vec<&str> = name.trim_start_matches(is_dot).split(is_dot).collect();
    let (last, others) = labels.split_last()?;
    let top = (2..=24).contains(&last.chars().count()) && last.chars().all(char::is_alphabetic) || last.starts_with("xn--");
    let top = top || name.parse::<Ipv4Addr>().is_ok();
    if others.is_empty() || !top || others.iter().any(|label| label.is_empty()) {
        return None;
    }
    let goes_on = characters.get(end).is_some_and(|next| matches!(next, ':' | '/' | '?' | '#'));
    Some(if goes_on { tail(characters, end) } else { end })
}

/// Browsers take all of these for a dot.
fn is_dot(character: char) -> bool {
    matches!(character, '.' | '\u{3002}' | '\u{FF0E}' | '\u{FF61}')
}

fn is_file(link: &str) -> bool {
    let lower = link.to_lowercase();
    !link.contains([':', '/', '?', '#']) && !lower.starts_with("www.") && lower.rsplit('.').next().is_some_and(|end| FILES.contains(&end))
}

/// Whether a bare name may mean a file, though there are hosts that end like that.
pub(crate) fn may_be_file(name: &str) -> bool {
    let lower = name.to_lowercase();
    let end = lower.rsplit('.').next().unwrap_or_default();
    !name.contains(['/', ':', '?', '#']) && (FILES.contains(&end) || HOSTS_TOO.contains(&end))
}

fn tail(characters: &[char], start: usize) -> usize {
    run(characters, start, |c| !c.is_whitespace() && !ENDS_LINK.contains(&c))
}

fn run(characters: &[char], start: usize, belongs: impl Fn(char) -> bool) -> usize {
    start + characters.iter().skip(start).take_while(|character| belongs(**character)).count()
}

fn begins_with(characters: &[char], at: usize, beginning: &str) -> bool {
    let mut rest = characters.iter().skip(at);
    beginning.chars().all(|expected| rest.next().is_some_and(|character| character.eq_ignore_ascii_case(&expected)))
}

/// The identifiers in a text (card and account numbers, passports, codes), squeezed; no dates, times or amounts.
pub(crate) fn identifiers(text: &str) -> BTreeSet<String> {
    let blanked = without_dates(text);
    let mut found = BTreeSet::new();
    for run in blanked.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))) {
        // A double dash is no part of an identifier.
        for token in run.replace("__", " ").replace("--", " ").replace("-_", " ").replace("_-", " ").split_whitespace() {
            let token = token.trim_matches(['-', '_']);
            let squeezed = squeeze(token);
            let digits = squeezed.chars().filter(char::is_ascii_digit).count();
            let all = digits == squeezed.len();
            if digits >= 8 || (digits >= 5 && squeezed.len() >= 8 && !all) || (digits >= 6 && all && token.len() == digits) {
                found.insert(squeezed);
            }
        }
    }
    found
}

fn without_dates(text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let mut kept = String::with_capacity(text.len());
    let mut index = 0;
    while let Some(character) = characters.get(index) {
        match date(&characters, index).or_else(|| clock(&characters, index)).or_else(|| decimal(&characters, index)) {
            Some(end) => {
                kept.push(' ');
                index = end;
            }
            None => {
                kept.push(*character);
                index += 1;
            }
        }
    }
    kept
}

/// `2024-05-20`, with a time behind it or without.
fn date(characters: &[char], start: usize) -> Option<usize> {
    let mut end = shape(characters, start, "dddd-dd-dd")?;
    if let Some(time) = shape(characters, end, "Tdd:dd").or_else(|| shape(characters, end, " dd:dd")) {
        end = shape(characters, time, ":dd").unwrap_or(time);
        if let Some(fraction) = shape(characters, end, ".d") {
            end = run(characters, fraction, |c| c.is_ascii_digit());
        }
    }
    let zone = shape(characters, end, "Z").or_else(|| shape(characters, end, "+dd:dd")).or_else(|| shape(characters, end, "-dd:dd"));
    Some(zone.unwrap_or(end))
}

fn clock(characters: &[char], start: usize) -> Option<usize> {
    let end = shape(characters, start, "dd:dd").or_else(|| shape(characters, start, "d:dd"))?;
    Some(shape(characters, end, ":dd").unwrap_or(end))
}

fn decimal(characters: &[char], start: usize) -> Option<usize> {
    if start.checked_sub(1).and_then(|before| characters.get(before)).is_some_and(|before| is_word(*before)) {
        return None;
    }
    let point = run(characters, start, |c| c.is_ascii_digit());
    let end = run(characters, point + 1, |c| c.is_ascii_digit());
    let whole = point > start && characters.get(point) == Some(&'.') && end > point + 1;
    (whole && !characters.get(end).is_some_and(|after| is_word(*after))).then_some(end)
}

/// Where a shape ends; `d` stands for a digit.
fn shape(characters: &[char], start: usize, shape: &str) -> Option<usize> {
    let mut rest = characters.iter().skip(start);
    let fits = shape.chars().all(|expected| {
        rest.next().is_some_and(|character| if expected == 'd' { character.is_ascii_digit() } else { *character == expected })
    });
    fits.then(|| start + shape.len())
}
