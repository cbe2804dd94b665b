//! The marks that a model writes besides words, and how to tell one from text while it is still arriving.

use crate::calls::Form;
use crate::harmony::{self, Channel, Complete};

/// A mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// Reasoning begins.
    Open(Tag),
    /// Reasoning ends.
    Close(Tag),
    /// An empty element (`<think/>`).
    Empty,
    /// A Harmony header, from its first mark to its last.
    Header(Channel),
    /// The end of a turn or of a Harmony message.
    End,
    /// The strike-through element `</s>` of HTML, which is Mistral's end of turn as well.
    EndOrStrike,
    /// `<s>`, the opening half of the above.
    Strike,
    /// The template's announcement that the assistant speaks.
    Role,
    /// A block of calls begins. Only where calls are looked for, as the next two.
    Call(&'static Form),
    /// A mark that is left over from a call.
    Stray,
    /// The beginning of such a mark, and nothing comes any more.
    Half,
}

/// Which kind of reasoning tag; equal for the two halves of a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tag(u8);

impl Tag {
    /// The kind that stands for "opened by the template, nobody saw how".
    pub(crate) const UNSEEN: Self = Self(u8::MAX);
}

/// What the beginning of a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// A mark of so many bytes.
    Whole(Token, usize),
    /// Perhaps one; more input decides.
    Partial,
    /// No mark.
    Nothing,
}

/// Whether a mark can begin with `character`.
pub(crate) fn can_begin(character: char) -> bool {
    matches!(character, '<' | '[' | '◁')
}

/// Looks at the beginning of `text`. When no more input comes, nothing is [`Found::Partial`].
pub(crate) fn recognise(text: &str, complete: Complete) -> Found {
    match (so_far(text), complete) {
        (Found::Partial, Complete::Yes) => harmony::header_at_end(text),
        (found, Complete::Yes | Complete::No) => found,
    }
}

fn so_far(text: &str) -> Found {
    let mut partial = false;
    for (literal, token) in LITERALS {
        match prefix(text, literal) {
            Prefix::Whole => return Found::Whole(*token, literal.len()),
            Prefix::Partial => partial = true,
            Prefix::Different => {}
        }
    }
    if !text.starts_with('<') {
        return if partial { Found::Partial } else { Found::Nothing };
    }
    for found in [angle_tag(text), harmony::header(text)] {
        match found {
            Found::Whole(..) => return found,
            Found::Partial => partial = true,
            Found::Nothing => {}
        }
    }
    if partial { Found::Partial } else { Found::Nothing }
}

/// How a text and a literal that it may begin with compare, ASCII case aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Prefix {
    /// The text begins with the literal.
    Whole,
    /// The text is shorter and agrees as far as it goes.
    Partial,
    /// They differ.
    Different,
}

/// Compares the beginning of `text` with `literal`.
pub(crate) fn prefix(text: &str, literal: &str) -> Prefix {
    let (text, literal) = (text.as_bytes(), literal.as_bytes());
    let agrees = text.iter().zip(literal).all(|(left, right)| left.eq_ignore_ascii_case(right));
    match (agrees, text.len() >= literal.len()) {
        (true, true) => Prefix::Whole,
        (true, false) => Prefix::Partial,
        (false, _) => Prefix::Different,
    }
}

/// The names of reasoning elements in angle brackets. `antml:` and `mm:` are Anthropic's and MiniMax's name spaces, `seed:`
/// is ByteDance's; all of them have been seen in chats.
const NAMES: [&str; 11] = [
    "think",
    "thinking",
    "thought",
    "thoughts",
    "reasoning",
    "antthinking",
    "antml:thinking",
    "antml:reasoning",
    "mm:think",
    "mm:thinking",
    "seed:think",
];

/// The longest attribute text of a tag, in bytes.
const MAX_ATTRIBUTES: usize = 128;

/// Reads `<name>`, `</name>`, `<name attribute="…">`, `<name/>` with blanks where HTML allows them and a few more.
/// `<think about it>` has no attribute in it and is prose.
fn angle_tag(text: &str) -> Found {
    let Some(after) = text.strip_prefix('<') else { return Found::Nothing };
    let body = after.trim_start_matches(' ');
    let (closes, body) = match body.strip_prefix('/') {
        Some(rest) => (true, rest.trim_start_matches(' ')),
        None => (false, body),
    };
    if text.len() - body.len() > 8 {
        return Found::Nothing;
    }
    let name_len = body.find(|character: char| !(character.is_ascii_alphabetic() || character == ':')).unwrap_or(body.len());
    let Some((name, rest)) = body.split_at_checked(name_len) else { return Found::Nothing };
    if rest.is_empty() {
        let possible = NAMES.iter().any(|known| prefix(name, known) != Prefix::Different && name.len() <= known.len());
        return if possible { Found::Partial } else { Found::Nothing };
    }
    let Some(tag) = NAMES.iter().zip(0_u8..).find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, index)| Tag(index)) else {
        return Found::Nothing;
    };
    let Some(end) = rest.find(['>', '<', '\n']) else {
        return if rest.len() > MAX_ATTRIBUTES { Found::Nothing } else { Found::Partial };
    };
    let Some((attributes, close)) = rest.split_at_checked(end) else { return Found::Nothing };
    let (attributes, empty) = match attributes.trim_end().strip_suffix('/') {
        Some(before) => (before, true),
        None => (attributes, false),
    };
    let plain = attributes.trim().is_empty() || (attributes.starts_with(' ') && attributes.contains('='));
    if !close.starts_with('>') || !plain || end > MAX_ATTRIBUTES {
        return Found::Nothing;
    }
    let len = text.len() - close.len() + 1;
    let token = match (closes, empty) {
        (true, _) => Token::Close(tag),
        (false, true) => Token::Empty,
        (false, false) => Token::Open(tag),
    };
    Found::Whole(token, len)
}

/// Marks without inner structure. Compared without regard to ASCII case.
const LITERALS: &[(&str, Token)] = &[
    // Mistral (Magistral).
    ("[THINK]", Token::Open(Tag(100))),
    ("[/THINK]", Token::Close(Tag(100))),
    // Kimi.
    ("◁think▷", Token::Open(Tag(101))),
    ("◁/think▷", Token::Close(Tag(101))),
    // Cohere Command.
    ("<|START_THINKING|>", Token::Open(Tag(102))),
    ("<|END_THINKING|>", Token::Close(Tag(102))),
    ("<|START_RESPONSE|>", Token::Role),
    ("<|END_RESPONSE|>", Token::End),
    ("<|END_OF_TURN_TOKEN|>", Token::End),
    // Models trained on long-thought data of the Sky-T1 kind.
    ("<|begin_of_thought|>", Token::Open(Tag(103))),
    ("<|end_of_thought|>", Token::Close(Tag(103))),
    ("<|begin_of_solution|>", Token::Role),
    ("<|end_of_solution|>", Token::End),
    // Gemma 4.
    ("<|channel>thought", Token::Open(Tag(104))),
    ("<channel|>", Token::Close(Tag(104))),
    ("<|turn>model", Token::Role),
    ("<turn|>", Token::End),
    // Gemma 2 and 3.
    ("<start_of_turn>model", Token::Role),
    ("<end_of_turn>", Token::End),
    ("<eos>", Token::End),
    // Apertus.
    ("<|inner_prefix|>", Token::Open(Tag(105))),
    ("<|inner_suffix|>", Token::Close(Tag(105))),
    ("<|assistant_end|>", Token::End),
    // ChatML and its many users.
    ("<|im_start|>assistant", Token::Role),
    ("<|im_end|>", Token::End),
    ("<|endoftext|>", Token::End),
    ("<|end_of_text|>", Token::End),
    ("<|eos|>", Token::End),
    // Llama 3 and 4.
    ("<|start_header_id|>assistant<|end_header_id|>", Token::Role),
    ("<|header_start|>assistant<|header_end|>", Token::Role),
    ("<|eot_id|>", Token::End),
    ("<|eom_id|>", Token::End),
    ("<|eot|>", Token::End),
    ("<|eom|>", Token::End),
    // Mistral.
    ("</s>", Token::EndOrStrike),
    ("<s>", Token::Strike),
    // DeepSeek.
    ("<｜end▁of▁sentence｜>", Token::End),
    ("<｜Assistant｜>", Token::Role),
    // GLM ends a turn by announcing the next speaker.
    ("<|assistant|>", Token::Role),
    ("<|user|>", Token::End),
    ("<|observation|>", Token::End),
    // MiniMax.
    ("[e~[", Token::End),
    // Harmony. Its `<|end|>` ends Phi's turns as well.
    ("<|end|>", Token::End),
    ("<|return|>", Token::End),
    ("<|call|>", Token::End),
    ("<|message|>", Token::Role),
];
