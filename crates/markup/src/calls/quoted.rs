//! Calls that stand somewhere in a text of others.
//!
//! The reader asks what an answer does, so that code, quotations and the lack of a mark make a difference to it. Here it is asked what
//! a text holds that a model may repeat, so that nothing of that does: every object that reads as a call counts, and all arguments
//! beside the name of a tool, in each of the notations.

use krabba_types::JsonObject;
use serde_json::Value;

use super::block::is_of_name;
use super::elements;
use super::form::{ELEMENTS, INNER};
use super::items::{ARGUMENTS, Read, clean_name, of_object};
use super::loose::{Ending, value, value_or_look};
use super::python;

/// So far from its beginning a call in a notation other than JSON is read, in bytes: each name of a tool may begin one.
const REACH: usize = 16 * 1024;
/// So deep objects are looked for in texts within objects.
const MAX_DEPTH: u32 = 4;
/// How often all of a text is looked at, at most. Of JSON that was cut off, each level is read once more.
const MOST_LOOKS: usize = 32;
/// The longest way from a name to its arguments, in words.
const MOST_WORDS: usize = 4;
/// What may stand on it, beside the marks within a block.
const MARKS: [&str; 5] = ["```json", "```", "<|message|>", "<|constrain|>", "<|channel|>"];
const WORDS: [&str; 3] = ["json", "code", "commentary"];

/// All calls in `text` of what `is_tool` says is a tool; `None` where the text is made so that they cannot be found in bounded time.
pub(crate) fn calls_within(text: &str, is_tool: &dyn Fn(&str) -> bool) -> Option<Vec<(String, JsonObject)>> {
    let mut search = Search { is_tool, found: Vec::new(), hostile: false };
    search.objects(text, 0);
    if search.hostile {
        return None;
    }
    search.beside_names(text);
    Some(search.found)
}

struct Search<'a> {
    is_tool: &'a dyn Fn(&str) -> bool,
    found: Vec<(String, JsonObject)>,
    hostile: bool,
}

impl Search<'_> {
    fn note(&mut self, read: Read) {
        if let (Some(name), Some(arguments)) = read
            && (self.is_tool)(&name)
        {
            self.found.push((name, arguments));
        }
    }

    /// JSON that reads as a call, at any depth.
    fn objects(&mut self, text: &str, depth: u32) {
        let mut rest = text;
        let mut looked = 0;
        while let Some(here) = rest.find('{').and_then(|at| rest.get(at..)) {
            let (len, taken) = match value_or_look(here) {
                Ok((value, len)) => {
                    self.look_into(&value, depth);
                    (len, len)
                }
                Err(len) => (len, 1),
            };
            looked += len;
            if looked > MOST_LOOKS * text.len() {
                self.hostile = true;
            }
            if self.hostile {
                return;
            }
            rest = here.get(taken..).unwrap_or_default();
        }
    }

    fn look_into(&mut self, value: &Value, depth: u32) {
        match value {
            Value::Object(object) => {
                if reads_as_call(object)
                    && let Some(read) = of_object(object.clone(), Ending::Regular)
                {
                    self.note(read);
                }
                object.values().for_each(|value| self.look_into(value, depth));
            }
            Value::Array(values) => values.iter().for_each(|value| self.look_into(value, depth)),
            Value::String(text) if depth < MAX_DEPTH => self.objects(text, depth + 1),
            Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// Arguments behind the name of a tool. There must be some: a name and an empty pair of brackets stand in many texts.
    fn beside_names(&mut self, text: &str) {
        for (at, bracket) in text.match_indices(['(', '{', '<']) {
            let Some((before, rest)) = text.split_at_checked(at) else { continue };
            match bracket {
                "(" => {
                    let name = last_word(before);
                    if (self.is_tool)(name)
                        && let Some((read, _)) =
                            python::call(within_reach(text.get(at - name.len()..).unwrap_or_default()), Ending::Regular)
                    {
                        self.note_arguments(read);
                    }
                }
                "{" => {
                    let names: Vec<String> = addressed(before).map(clean_name).filter(|name| (self.is_tool)(name)).collect();
                    if !names.is_empty()
                        && let Some((Value::Object(arguments), _)) = value(rest, Ending::Regular)
                    {
                        names.into_iter().for_each(|name| self.note_arguments((Some(name), Some(arguments.clone()))));
                    }
                }
                _ if rest.starts_with("<arg_key>") => {
                    let name = clean_name(last_word(before.trim_end()));
                    if (self.is_tool)(&name)
                        && let Some((arguments, _)) = elements::pairs(within_reach(rest), Ending::Regular)
                    {
                        self.note_arguments((Some(name), Some(arguments)));
                    }
                }
                _ => {
                    if ELEMENTS.iter().any(|mark| rest.starts_with(mark))
                        && let Some((read, _)) = elements::element(within_reach(rest), Ending::Regular)
                    {
                        self.note(read);
                    }
                }
            }
        }
    }

    fn note_arguments(&mut self, read: Read) {
        if read.1.as_ref().is_some_and(|arguments| !arguments.is_empty()) {
            self.note(read);
        }
    }
}

/// Whether it says what to call something with. One that describes a tool without parameters is no call of it.
fn reads_as_call(object: &JsonObject) -> bool {
    let with = ARGUMENTS.iter().find_map(|key| object.get(*key));
    with.is_some_and(|with| !(object.contains_key("description") && with.as_object().is_some_and(JsonObject::is_empty)))
}

/// The words before an opening bracket that may name what it holds the arguments of, the last one first.
fn addressed(before: &str) -> impl Iterator<Item = &str> {
    let mut rest = before;
    let mut over = false;
    let words = std::iter::from_fn(move || {
        rest = without_marks(rest);
        let word = last_word(rest);
        rest = rest.strip_suffix(word)?;
        let follows = WORDS.contains(&word) || without_marks(rest).len() < rest.trim_end().len();
        let ends = std::mem::replace(&mut over, !follows);
        (!ends && !word.is_empty()).then_some(word)
    });
    // Prose that announces an object ends in a colon.
    words.take(MOST_WORDS).filter(|word| !word.ends_with(':'))
}

fn without_marks(text: &str) -> &str {
    let mut rest = text.trim_end();
    while let Some(before) = MARKS.iter().chain(INNER).find_map(|mark| rest.strip_suffix(*mark)) {
        rest = before.trim_end();
    }
    rest
}

fn last_word(text: &str) -> &str {
    let len = text.chars().rev().take_while(|character| is_of_name(*character)).map(char::len_utf8).sum::<usize>();
    text.get(text.len() - len..).unwrap_or_default()
}

fn within_reach(text: &str) -> &str {
    text.get(..text.floor_char_boundary(REACH)).unwrap_or(text)
}
