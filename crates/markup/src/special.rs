//! The special tokens of template families, as they look when somebody writes them out.
//!
//! A tokenizer that finds `<|im_start|>` in a page, a file or a message turns it into a role boundary, and the words after
//! it speak with another's voice. So they are broken before they reach a prompt. They are broken by a **blank after the
//! first character** (`< |im_start|>`): a blank is part of no special token, is dropped by no normaliser, is seen by
//! people, and cannot hide in code that a model copies. Invisible characters have none of these properties; SentencePiece
//! normalisers remove some of them.

use std::borrow::Cow;

use krabba_types::TemplateFamily;

/// Makes every special token of `family` in `text` harmless by a blank after its first character. Text without any is
/// returned as it is. Doing it twice changes nothing more. [`TemplateFamily::Unknown`] stands for all families.
pub fn neutralise(text: &str, family: TemplateFamily) -> Cow<'_, str> {
    let mut changed = String::new();
    let mut copied = 0;
    for (at, character) in text.char_indices() {
        if !matches!(character, '<' | '[' | ']') {
            continue;
        }
        let Some(rest) = text.get(at..) else { continue };
        if special_token(rest, family).is_some() {
            let end = at + character.len_utf8();
            changed.push_str(text.get(copied..end).unwrap_or_default());
            changed.push(' ');
            copied = end;
        }
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    changed.push_str(text.get(copied..).unwrap_or_default());
    Cow::Owned(changed)
}

/// Removes the marks that end a turn (`<|im_end|>`, `</s>`, …) from the end of a text that arrived whole, with the blanks
/// around them. Streams go through [`crate::ReasoningSplitter`], which does the same.
pub fn strip_end_tokens(text: &str) -> &str {
    let mut kept = text;
    'again: loop {
        let trimmed = kept.trim_end();
        for token in END_TOKENS {
            if let Some(before) = trimmed.strip_suffix(token) {
                kept = before;
                continue 'again;
            }
        }
        return if kept.len() == text.len() { text } else { trimmed };
    }
}

/// The part of a function's name before the first control token (`manage_cart<|channel|>commentary` is `manage_cart`).
pub fn cut_at_control_token(name: &str) -> &str {
    let cut = name
        .char_indices()
        .find(|(at, _)| name.get(*at..).is_some_and(|rest| special_token(rest, TemplateFamily::Unknown).is_some()))
        .map_or(name.len(), |(at, _)| at);
    name.get(..cut).unwrap_or(name).trim()
}

/// The marks that end a turn in one family or another.
const END_TOKENS: &[&str] = &[
    "<|im_end|>",
    "<|endoftext|>",
    "<|end_of_text|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<|eot|>",
    "<|EOT|>",
    "<|eos|>",
    "<|end|>",
    "<|return|>",
    "<|call|>",
    "<|user|>",
    "<|observation|>",
    "<|END_OF_TURN_TOKEN|>",
    "<|END_RESPONSE|>",
    "<end_of_turn>",
    "<turn|>",
    "<eos>",
    "</s>",
    "<｜end▁of▁sentence｜>",
    "[e~[",
];

/// The length of the special token of `family` that `text` begins with.
pub(crate) fn special_token(text: &str, family: TemplateFamily) -> Option<usize> {
    Shape::of(family).iter().find_map(|shape| shape.matches(text))
}

/// How a family writes its tokens.
enum Shape {
    /// `<|name|>`.
    Bars,
    /// `<｜name｜>`, with full-width bars.
    WideBars,
    /// `<|name>` and `<name|>`.
    HalfBars,
    /// `<unused12>`.
    Unused,
    /// Written out.
    Words(&'static [&'static str]),
}

/// The longest name between bars, in bytes.
const MAX_NAME: usize = 64;

impl Shape {
    fn of(family: TemplateFamily) -> &'static [Self] {
        const CHAT_ML: Shape = Shape::Words(&["<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>"]);
        const MISTRAL: Shape = Shape::Words(&[
            "<s>",
            "</s>",
            "<unk>",
            "<pad>",
            "[INST]",
            "[/INST]",
            "<<SYS>>",
            "<</SYS>>",
            "[SYSTEM_PROMPT]",
            "[/SYSTEM_PROMPT]",
            "[AVAILABLE_TOOLS]",
            "[/AVAILABLE_TOOLS]",
            "[TOOL_RESULTS]",
            "[/TOOL_RESULTS]",
            "[TOOL_CALLS]",
            "[TOOL_CONTENT]",
            "[CALL_ID]",
            "[ARGS]",
            "[IMG]",
            "[IMG_BREAK]",
            "[IMG_END]",
            "[PREFIX]",
            "[MIDDLE]",
            "[SUFFIX]",
            "[THINK]",
            "[/THINK]",
            "[AUDIO]",
            "[BEGIN_AUDIO]",
            "[TRANSCRIBE]",
            "[MODEL_SETTINGS]",
            "[/MODEL_SETTINGS]",
        ]);
        const GEMMA: Shape = Shape::Words(&[
            "<start_of_turn>",
            "<end_of_turn>",
            "<bos>",
            "<eos>",
            "<pad>",
            "<unk>",
            "<mask>",
            "<start_of_image>",
            "<end_of_image>",
            "<image_soft_token>",
            "<start_function_call>",
            "<end_function_call>",
        ]);
        const GLM: Shape = Shape::Words(&[
            "[gMASK]",
            "[MASK]",
            "[sMASK]",
            "<sop>",
            "<eop>",
            "<tool_call>",
            "</tool_call>",
            "<tool_response>",
            "</tool_response>",
            "<arg_key>",
            "</arg_key>",
            "<arg_value>",
            "</arg_value>",
        ]);
        const KIMI: Shape = Shape::Words(&["[BOS]", "[EOS]", "[EOT]", "[UNK]", "[PAD]"]);
        const MINI_MAX: Shape = Shape::Words(&[
            "]~!b[",
            "]~b]",
            "]!d~[",
            "]!p~[",
            "[e~[",
            "<minimax:tool_call>",
            "</minimax:tool_call>",
            "<beginning_of_sentence>",
            "<end_of_sentence>",
        ]);
        match family {
            TemplateFamily::ChatMl => &[Shape::Bars, CHAT_ML],
            TemplateFamily::Llama3 | TemplateFamily::Harmony => &[Shape::Bars],
            TemplateFamily::Mistral => &[MISTRAL],
            TemplateFamily::Gemma => &[GEMMA, Shape::Bars, Shape::HalfBars, Shape::Unused],
            TemplateFamily::DeepSeek => &[Shape::WideBars, Shape::Bars],
            TemplateFamily::Glm => &[Shape::Bars, GLM],
            TemplateFamily::Kimi => &[Shape::Bars, KIMI],
            TemplateFamily::MiniMax => &[MINI_MAX],
            TemplateFamily::Unknown => {
                &[Shape::Bars, Shape::WideBars, Shape::HalfBars, Shape::Unused, CHAT_ML, MISTRAL, GEMMA, GLM, KIMI, MINI_MAX]
            }
        }
    }

    fn matches(&self, text: &str) -> Option<usize> {
        match self {
            Self::Bars => between(text, "<|", "|>"),
            Self::WideBars => between(text, "<｜", "｜>"),
            Self::HalfBars => between(text, "<|", ">").or_else(|| between(text, "<", "|>")),
            Self::Unused => between(text, "<unused", ">"),
            Self::Words(words) => words.iter().find(|word| text.starts_with(**word)).map(|word| word.len()),
        }
    }
}

/// The length of `open`, a name without blanks or marks, and `close` at the beginning of `text`.
fn between(text: &str, open: &str, close: &str) -> Option<usize> {
    let inner = text.strip_prefix(open)?;
    let name_len = inner.find(|character: char| character.is_whitespace() || matches!(character, '<' | '>' | '|' | '｜'))?;
    let named = name_len > 0 && name_len <= MAX_NAME;
    (named && inner.get(name_len..)?.starts_with(close)).then(|| open.len() + name_len + close.len())
}
