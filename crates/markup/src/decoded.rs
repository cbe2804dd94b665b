//! What a text says when it is read as what it may be: JSON with a text in it, HTML, a quotation.
//!
//! A model that repeats something decodes it in passing. Whoever looks for what it repeated has to read the source in the same way,
//! and does not know how often it was packed.

/// The most ways in which one text is read.
const MOST: usize = 12;

/// `text` in every form that it may be meant in, itself first. Special tokens that were broken are whole in all of them, see
/// [`crate::neutralise`].
pub(crate) fn forms(text: &str) -> Vec<String> {
    let mut forms = vec![["<", "[", "]"].iter().fold(text.to_owned(), |text, mark| text.replace(&format!("{mark} "), mark))];
    let mut at = 0;
    while let Some(form) = forms.get(at).filter(|_| forms.len() < MOST) {
        let decoded = [without_entities(form), without_escapes(form), without_margin(form)];
        for form in decoded.into_iter().flatten() {
            if forms.len() < MOST && !forms.contains(&form) {
                forms.push(form);
            }
        }
        at += 1;
    }
    forms
}

/// The characters that notations of calls are made of. Numbers do for all others.
const ENTITIES: [(&str, char); 18] = [
    ("quot", '"'),
    ("apos", '\''),
    ("lt", '<'),
    ("gt", '>'),
    ("amp", '&'),
    ("nbsp", ' '),
    ("lcub", '{'),
    ("lbrace", '{'),
    ("rcub", '}'),
    ("rbrace", '}'),
    ("lsqb", '['),
    ("rsqb", ']'),
    ("lpar", '('),
    ("rpar", ')'),
    ("colon", ':'),
    ("comma", ','),
    ("equals", '='),
    ("lowbar", '_'),
];
/// The longest of them, and of numbers.
const LONGEST_ENTITY: usize = 10;

fn without_entities(text: &str) -> Option<String> {
    decoded(text, '&', |after| {
        let name = after.get(..after.floor_char_boundary(LONGEST_ENTITY + 1))?.split_once(';')?.0;
        let number = name.strip_prefix('#').map(|number| match number.strip_prefix(['x', 'X']) {
            Some(number) => u32::from_str_radix(number, 16).ok().and_then(char::from_u32),
            None => number.parse().ok().and_then(char::from_u32),
        });
        let character = number.unwrap_or_else(|| Some(ENTITIES.iter().find(|(known, _)| *known == name)?.1))?;
        Some((character, name.len() + 1))
    })
}

/// Of JSON and of programs; those of Markdown are marks behind a backslash too.
fn without_escapes(text: &str) -> Option<String> {
    decoded(text, '\\', |after| {
        let escaped = after.chars().next()?;
        match escaped {
            'n' => Some(('\n', 1)),
            't' => Some(('\t', 1)),
            'r' => Some(('\r', 1)),
            'u' => {
                let unit = u32::from_str_radix(after.get(1..5)?, 16).ok()?;
                Some((char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER), 5))
            }
            'x' => Some((char::from_u32(u32::from_str_radix(after.get(1..3)?, 16).ok()?)?, 3)),
            mark if mark.is_ascii_punctuation() => Some((mark, 1)),
            _ => None,
        }
    })
}

/// `text` with a character in the place of everything that begins with `mark` and that `read` can read; `None` where that is nothing.
fn decoded(text: &str, mark: char, read: impl Fn(&str) -> Option<(char, usize)>) -> Option<String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(mark) {
        out.push_str(before);
        match read(after) {
            Some((character, len)) => {
                out.push(character);
                rest = after.get(len..).unwrap_or_default();
            }
            None => {
                out.push(mark);
                rest = after;
            }
        }
    }
    out.push_str(rest);
    (out.len() < text.len()).then_some(out)
}

/// Without what stands before each line of a mail that is quoted, a difference, a comment, a list, or a file with its lines numbered.
fn without_margin(text: &str) -> Option<String> {
    let is_margin = |character: char| character.is_ascii_digit() || " \t>|+-*#/:;%".contains(character);
    let mut out = String::with_capacity(text.len());
    let mut changed = false;
    for line in text.split_inclusive('\n') {
        let kept = line.trim_start_matches(is_margin);
        changed |= kept.trim_start().len() < line.trim_start().len();
        out.push_str(kept);
    }
    changed.then_some(out)
}
