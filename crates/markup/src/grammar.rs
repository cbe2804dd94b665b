//! A grammar in llama.cpp's notation (GBNF) of what a model may write: an answer in words, or one call between its marks. Everything
//! in a call has a longest form: lists and objects, digits, and texts, which end where the room for the answer would.
//!
//! Characters are named by what they are, never by what they are not: `[^"]` also takes bytes that are no character at all.

use std::fmt::Write as _;

use krabba_types::{ModelRequest, Wanted};
use serde_json::Value;

use crate::callable::callable;
use crate::digits::{Plain, numbers};
use crate::mould::{Field, Mould};

/// llama.cpp repeats nothing more often.
pub(crate) const MOST_REPEATED: u64 = 2_000;
/// The longest text of which a schema says nothing, in characters, whatever the room.
const LONGEST_TEXT: u64 = 60_000;
/// What a token can hold at most, nearly always; in characters.
const PER_TOKEN: u64 = 8;
/// How deep a value of any kind may be nested.
const ANYTHING_DEPTH: usize = 4;

/// The mark of a call up to where a text must not go on like it without being one.
const OPEN: [char; 5] = ['<', 't', 'o', 'o', 'l'];
const OPEN_REST: &str = "_call>";

/// What a model may write to call a tool of `request` between marks, or to answer in words where that is wanted too.
pub fn call_grammar(request: &ModelRequest) -> String {
    let mut writer = Writer { rules: String::new(), count: 0 };
    writer.shared(request.max_output_tokens);
    let call = |(name, arguments): (&str, Mould)| {
        let arguments = writer.rule(&arguments);
        format!("{} sp {} sp {arguments}", quoted(&format!("{},", Value::from(name))), quoted("\"arguments\":"))
    };
    let calls: Vec<String> = callable(request).into_iter().map(call).collect();
    let body = format!("nl \"{{\" {} sp ({}) \"}}\" nl \"</tool_call>\"", quoted("\"name\":"), calls.join(" | "));
    writer.put("call", &body);
    let call = format!("{} call", quoted("<tool_call>"));
    match request.calling.wanted {
        Wanted::Call => writer.put("root", &call),
        Wanted::AnswerOrCall => {
            writer.put("root", &format!("{} words | {call}", but(&['<'])));
            writer.words();
        }
    }
    writer.rules
}

struct Writer {
    rules: String,
    count: usize,
}

impl Writer {
    fn put(&mut self, name: &str, body: &str) {
        // Writing to a text cannot fail.
        let _ = writeln!(self.rules, "{name} ::= {body}");
    }

    fn named(&mut self, body: &str) -> String {
        self.count += 1;
        let name = format!("r{}", self.count);
        self.put(&name, body);
        name
    }

    fn shared(&mut self, budget: Option<u32>) {
        // No text of a schema that says nothing about it is longer than what there is room for.
        let room = budget.map_or(LONGEST_TEXT, |tokens| (u64::from(tokens) * PER_TOKEN).min(LONGEST_TEXT));
        self.put("sp", "\" \"?");
        self.put("nl", "\"\\n\"?");
        self.put("char", &format!("{} | \"\\\\\" [\"\\\\/bfnrt]", class(&['"', '\\'], &[])));
        self.put("block", &format!("char{{{MOST_REPEATED}}}"));
        let (blocks, rest) = (room / MOST_REPEATED, room.min(MOST_REPEATED - 1));
        self.put("more", &if blocks == 0 { format!("char{{0,{rest}}}") } else { format!("block{{0,{blocks}}} char{{0,{rest}}}") });
        self.put("text", "\"\\\"\" more \"\\\"\"");
        self.put("scalar", &format!("text | {} | \"true\" | \"false\" | \"null\"", numbers(&Plain::ANY)));
        let mut inner = "scalar".to_owned();
        for depth in 0..ANYTHING_DEPTH {
            let name = if depth + 1 == ANYTHING_DEPTH { "any".to_owned() } else { format!("any{depth}") };
            let (list, map) = (list(&inner, 0, 64), map(&inner, 0));
            self.put(&name, &format!("scalar | {list} | {map}"));
            inner = name;
        }
    }

    /// Text in which no call begins; and behind it, perhaps, one that does. Each rule knows how much of a mark was written.
    fn words(&mut self) {
        self.put("words", &format!("\"\" | {} words | \"<\" words1", but(&['<'])));
        for (written, next) in OPEN.into_iter().enumerate().skip(1) {
            let further = format!("{} words{}", quoted(&next.to_string()), written + 1);
            self.put(&format!("words{written}"), &format!("\"\" | {} words | \"<\" words1 | {further}", but(&['<', next])));
        }
        let call = format!("{} call", quoted(OPEN_REST));
        self.put(&format!("words{}", OPEN.len()), &format!("\"\" | {} words | \"<\" words1 | {call}", but(&['<', '_'])));
    }

    /// A rule, or something that can stand in place of one.
    fn rule(&mut self, mould: &Mould) -> String {
        match mould {
            Mould::Object(fields) => self.object(fields),
            Mould::Map { value, least } => {
                let value = self.rule(value);
                self.named(&map(&value, *least))
            }
            Mould::List { item, least, most } => {
                let item = self.rule(item);
                self.named(&list(&item, *least, *most))
            }
            Mould::Text { least: 0, most: None } => "text".to_owned(),
            Mould::Text { least, most } => self.named(&text(*least, *most)),
            Mould::Number(range) => self.named(&numbers(&Plain::of(range))),
            Mould::Values(values) => {
                let values: Vec<String> = values.iter().map(|value| quoted(&value.to_string())).collect();
                self.named(&values.join(" | "))
            }
            Mould::Either(choices) => {
                let choices: Vec<String> = choices.iter().map(|choice| self.rule(choice)).collect();
                self.named(&choices.join(" | "))
            }
            Mould::Anything => "any".to_owned(),
        }
    }

    /// Fields in their order. From the last one to the first: what may follow when none was written, and when one was.
    fn object(&mut self, fields: &[Field]) -> String {
        let (mut first, mut later) = ("\"\"".to_owned(), "\"\"".to_owned());
        for field in fields.iter().rev() {
            let value = self.rule(&field.mould);
            let entry = format!("{} sp {value}", quoted(&format!("{}:", Value::from(field.name.as_str()))));
            let left_out = |otherwise: &str| if field.required { String::new() } else { format!(" | {otherwise}") };
            let (from_here, after_one) =
                (format!("{entry} {later}{}", left_out(&first)), format!("\",\" sp {entry} {later}{}", left_out(&later)));
            first = self.named(&from_here);
            later = self.named(&after_one);
        }
        self.named(&format!("\"{{\" {first} \"}}\""))
    }
}

fn list(item: &str, least: u64, most: u64) -> String {
    if most == 0 {
        return "\"[]\"".to_owned();
    }
    let further = format!("(\",\" sp {item}){{{},{}}}", least.saturating_sub(1), most - 1);
    if least == 0 { format!("\"[\" ({item} {further})? \"]\"") } else { format!("\"[\" {item} {further} \"]\"") }
}

fn map(value: &str, least: u64) -> String {
    let entry = format!("text \":\" sp {value}");
    let further = format!("(\",\" sp {entry}){{{},63}}", least.saturating_sub(1).min(63));
    if least == 0 { format!("\"{{\" ({entry} {further})? \"}}\"") } else { format!("\"{{\" {entry} {further} \"}}\"") }
}

fn text(least: u64, most: Option<u64>) -> String {
    let least = least.min(MOST_REPEATED);
    let body = match most {
        Some(most) if most <= MOST_REPEATED => format!("char{{{},{most}}}", least.min(most)),
        Some(most) => {
            let rest = most - least;
            let blocks = (rest / MOST_REPEATED).saturating_sub(1).min(LONGEST_TEXT / MOST_REPEATED);
            format!("char{{{least}}} block{{0,{blocks}}} char{{0,{}}}", rest.min(MOST_REPEATED - 1))
        }
        None => format!("char{{{least}}} more"),
    };
    format!("\"\\\"\" {body} \"\\\"\"")
}

/// A literal.
fn quoted(text: &str) -> String {
    let mut literal = String::with_capacity(text.len() + 2);
    literal.push('"');
    for character in text.chars() {
        match character {
            '"' => literal.push_str("\\\""),
            '\\' => literal.push_str("\\\\"),
            '\n' => literal.push_str("\\n"),
            other => literal.push(other),
        }
    }
    literal.push('"');
    literal
}

/// Any character of an answer but these.
fn but(others: &[char]) -> String {
    class(others, &['\t', '\n'])
}

/// All printable characters without `without`, and `with`.
fn class(without: &[char], with: &[char]) -> String {
    let mut class = String::from("[");
    with.iter().for_each(|character| {
        class.push_str(match character {
            '\t' => "\\t",
            _ => "\\n",
        })
    });
    let mut without: Vec<char> = without.to_vec();
    without.sort_unstable();
    let mut from = b' ';
    let ascii = without.iter().filter_map(|character| u8::try_from(*character).ok()).chain([0x7f]);
    for gap in ascii {
        if from < gap {
            let _ = write!(class, "\\x{from:02X}-\\x{:02X}", gap - 1);
        }
        from = gap + 1;
    }
    class.push_str("\\u00A0-\\uD7FF\\uE000-\\uFFFD\\U00010000-\\U0010FFFF]");
    class
}
