//! A page, written anew for the parser of pages.
//!
//! HTML lets a short text cost the square of its length, or its memory: tags that never end under ends that fit none, attributes
//! without number, letters in bold that are bold again in each paragraph to come. So the tags are read here first, in one pass, and only
//! what cannot do that is written down: no comments, nothing that no reader sees, an end only where its beginning is, few attributes,
//! and none on what begins again by itself. As whatever is written is in one form, the parser reads the same tags.
//!
//! It does not mend pages. What is wrong with one is the parser's business, as far as it is harmless.

use std::collections::HashMap;

/// Elements that stand open at a time.
const DEEPEST: usize = 1_000;

/// The most elements. Each is held against others.
pub(crate) const MOST_ELEMENTS: usize = 30_000;

/// The most attributes of an element; each is held against those before it.
const MOST_ATTRIBUTES: usize = 32;

/// Elements that need no end, or end where the next one begins.
const ENDLESS: [&str; 24] = [
    "area", "base", "br", "col", "dd", "dt", "embed", "hr", "img", "input", "li", "link", "meta", "option", "p", "param", "source",
    "tbody", "td", "th", "thead", "tr", "track", "wbr",
];

/// Elements that go with all that is in them: no reader sees it, or it is read by other rules.
const UNREAD: [&str; 12] =
    ["frameset", "iframe", "noembed", "noframes", "plaintext", "script", "select", "style", "svg", "template", "textarea", "xmp"];

/// Elements that say nothing themselves.
const BARE: [&str; 4] = ["applet", "marquee", "math", "object"];

/// What begins again in the next paragraph when nobody ended it; at most three times, as long as one is like the other.
const FORMATTING: [&str; 14] = ["a", "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u"];

/// What else stands within a line. An end of such a one ends nothing that is made of lines.
const WITHIN_LINES: [&str; 12] = ["abbr", "cite", "del", "ins", "label", "mark", "q", "span", "sub", "sup", "time", "var"];

/// The page as plain HTML; `None` when it is deeper or longer than what anybody writes for readers.
pub(crate) fn plain(html: &str) -> Option<String> {
    let mut page =
        Page { html: String::with_capacity(html.len()), open: Vec::new(), named: HashMap::new(), lines: Vec::new(), elements: 0 };
    page.html.push_str("<!DOCTYPE html>");
    let mut rest = html;
    while let Some((text, tag)) = rest.split_once('<') {
        page.html.push_str(text);
        rest = page.tag(tag)?;
    }
    page.html.push_str(rest);
    Some(page.html)
}

/// What stands behind the first `mark`, whose case does not count.
pub(crate) fn after<'t>(text: &'t str, mark: &str) -> &'t str {
    let at = text.as_bytes().windows(mark.len()).position(|window| window.eq_ignore_ascii_case(mark.as_bytes()));
    at.and_then(|at| text.get(at + mark.len()..)).unwrap_or_default()
}

struct Page {
    html: String,
    /// What stands open, each with its number.
    open: Vec<(usize, String)>,
    /// The numbers of what stands open under a name: no end is held against all of them.
    named: HashMap<String, Vec<usize>>,
    /// The numbers of what stands open and is made of lines.
    lines: Vec<usize>,
    elements: usize,
}

impl Page {
    /// Reads what stands behind a `<`; gives what is behind that.
    fn tag<'t>(&mut self, tag: &'t str) -> Option<&'t str> {
        if tag.starts_with("!--") {
            return Some(after(tag.get(1..)?, "-->"));
        }
        let (ends, named) = tag.strip_prefix('/').map_or((false, tag), |named| (true, named));
        if !named.starts_with(|first: char| first.is_ascii_alphabetic()) {
            if ends || tag.starts_with(['!', '?']) {
                return Some(after(tag, ">"));
            }
            self.html.push_str("&lt;");
            return Some(tag);
        }
        let end = named.find(|character: char| character.is_ascii_whitespace() || matches!(character, '/' | '>')).unwrap_or(named.len());
        let (name, rest) = named.split_at(end);
        let name = name.to_ascii_lowercase();
        if ends {
            self.end(&name);
            return Some(after(rest, ">"));
        }
        let (attributes, rest) = attributes(rest);
        if name == "svg" && named.strip_suffix(rest).is_some_and(|tag| tag.ends_with("/>")) {
            return Some(rest);
        }
        if UNREAD.contains(&name.as_str()) {
            return Some(after(after(rest, &format!("</{name}")), ">"));
        }
        if name == "title" {
            let behind = after(rest, "</title");
            let content = rest.get(..rest.len() - behind.len())?;
            let content = content.get(..content.len().checked_sub("</title".len())?)?;
            self.html.push_str(&format!("<title>{}</title>", content.replace('<', "&lt;")));
            return Some(after(behind, ">"));
        }
        self.begin(name, &attributes)?;
        Some(rest)
    }

    fn begin(&mut self, name: String, attributes: &[(&str, &str)]) -> Option<()> {
        // What is no plain word is no element that a reader knows.
        if BARE.contains(&name.as_str()) || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
            return Some(());
        }
        self.elements += 1;
        self.html.push('<');
        self.html.push_str(&name);
        if name == "a" || !FORMATTING.contains(&name.as_str()) {
            for (name, value) in attributes {
                self.html.push_str(&format!(" {name}=\"{}\"", value.replace('"', "&quot;")));
            }
        }
        self.html.push('>');
        if !ENDLESS.contains(&name.as_str()) {
            self.named.entry(name.clone()).or_default().push(self.elements);
            if !in_lines(&name) {
                self.lines.push(self.elements);
            }
            self.open.push((self.elements, name));
        }
        (self.elements <= MOST_ELEMENTS && self.open.len() <= DEEPEST).then_some(())
    }

    /// Ends an element, and those in it that nobody ended.
    fn end(&mut self, name: &str) {
        if ENDLESS.contains(&name) {
            self.html.push_str(&format!("</{name}>"));
            return;
        }
        let Some(number) = self.last(name) else { return };
        // Nothing ends what a table stands in from within the table.
        let barrier = if in_lines(name) { self.lines.last().copied() } else { self.last("table") };
        if barrier.is_none_or(|barrier| barrier <= number) {
            while self.open.last().is_some_and(|(open, _)| *open >= number) {
                self.end_at(self.open.len() - 1);
            }
        } else if FORMATTING.contains(&name)
            && let Ok(at) = self.open.binary_search_by_key(&number, |(open, _)| *open)
        {
            // What is interlaced with others the parser takes apart, each once.
            self.end_at(at);
        }
    }

    /// The number of the last one of this name that stands open.
    fn last(&self, name: &str) -> Option<usize> {
        self.named.get(name)?.last().copied()
    }

    /// Ends what stands open here, which is the last of its name.
    fn end_at(&mut self, at: usize) {
        let (number, name) = self.open.remove(at);
        if let Some(named) = self.named.get_mut(&name) {
            named.pop();
        }
        self.lines.pop_if(|last| *last == number);
        self.html.push_str(&format!("</{name}>"));
    }
}

/// Whether an element stands within a line.
fn in_lines(name: &str) -> bool {
    FORMATTING.contains(&name) || WITHIN_LINES.contains(&name)
}

/// The attributes of a tag with their values, the first ones; and what stands behind the tag.
fn attributes(tag: &str) -> (Vec<(&str, &str)>, &str) {
    let (mut found, mut rest) = (Vec::new(), tag);
    loop {
        rest = rest.trim_start_matches(|character: char| character.is_ascii_whitespace() || character == '/');
        if rest.is_empty() {
            return (found, rest);
        }
        if let Some(behind) = rest.strip_prefix('>') {
            return (found, behind);
        }
        // An equals sign at the beginning belongs to the name.
        let ends = |(at, character): &(usize, char)| {
            character.is_ascii_whitespace() || matches!(character, '/' | '>') || (*character == '=' && *at > 0)
        };
        let end = rest.char_indices().find(ends).map_or(rest.len(), |(at, _)| at);
        let (name, behind) = rest.split_at(end);
        let value;
        (value, rest) = match behind.trim_ascii_start().strip_prefix('=') {
            Some(behind) => self::value(behind.trim_ascii_start()),
            None => ("", behind),
        };
        let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b':'));
        if plain && found.len() < MOST_ATTRIBUTES {
            found.push((name, value));
        }
    }
}

fn value(text: &str) -> (&str, &str) {
    for quote in ['"', '\''] {
        if let Some(inside) = text.strip_prefix(quote) {
            return inside.split_once(quote).unwrap_or((inside, ""));
        }
    }
    text.split_at(text.find(|character: char| character.is_ascii_whitespace() || character == '>').unwrap_or(text.len()))
}
