//! The marks that begin and end calls in the families' own ways of writing them.
//!
//! Sources: the chat templates that ship with the models, and what servers were seen to let through when their own parser
//! was off or failed.

/// One way to write calls.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Form {
    /// Begins a block.
    pub(crate) open: &'static str,
    /// Ends it. Without any, the block ends with what stands in it.
    pub(crate) close: &'static [&'static str],
    /// What stands in it, where the first characters do not tell.
    pub(crate) content: Content,
}

/// What stands in a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// Calls in one of the notations that the first characters tell apart.
    Any,
    /// The rest of an element whose name was opened by the mark (`<function=`).
    Element,
    /// Statements in Python.
    Python,
    /// The arguments of the function that the header named.
    Arguments,
}

const fn any(open: &'static str, close: &'static [&'static str]) -> Form {
    Form { open, close, content: Content::Any }
}

/// All forms that begin with a mark of their own.
pub(crate) const FORMS: &[Form] = &[
    // Hermes, Qwen, GLM; Jamba and MiniMax-M1; others' habits.
    any("<tool_call>", &["</tool_call>"]),
    any("<tool_calls>", &["</tool_calls>"]),
    any("<function_call>", &["</function_call>"]),
    any("<function_calls>", &["</function_calls>"]),
    // MiniMax-M2, Seed-OSS.
    any("<minimax:tool_call>", &["</minimax:tool_call>"]),
    any("<seed:tool_call>", &["</seed:tool_call>"]),
    // Gemma 4, FunctionGemma.
    any("<|tool_call>", &["<tool_call|>"]),
    any("<start_function_call>", &["<end_function_call>"]),
    // Granite, Phi-4; LFM2.
    any("<|tool_call|>", &["<|/tool_call|>"]),
    any("<|tool_call_start|>", &["<|tool_call_end|>"]),
    // Kimi. The section holds calls; some write them without it.
    any("<|tool_calls_section_begin|>", &["<|tool_calls_section_end|>"]),
    any("<|tool_call_begin|>", &["<|tool_call_end|>"]),
    // DeepSeek V3 and R1; V3.2.
    any("<｜tool▁calls▁begin｜>", &["<｜tool▁calls▁end｜>"]),
    any("<｜tool▁call▁begin｜>", &["<｜tool▁call▁end｜>"]),
    any("<｜DSML｜function_calls>", &["</｜DSML｜function_calls>"]),
    // Command, InternLM.
    any("<|START_ACTION|>", &["<|END_ACTION|>"]),
    any("<|action_start|>", &["<|action_end|>"]),
    // Mistral, LM Studio, Llama 3.
    any("[TOOL_CALLS]", &[]),
    any("[TOOL_REQUEST]", &["[END_TOOL_REQUEST]"]),
    any("<|python_tag|>", &[]),
    // Qwen3-Coder and Anthropic's old form without their wrapper.
    Form { open: "<function=", close: &["</function>"], content: Content::Element },
    Form { open: "<invoke name=", close: &["</invoke>"], content: Content::Element },
    Form { open: "<｜DSML｜invoke name=", close: &["</｜DSML｜invoke>"], content: Content::Element },
];

/// Gemma 3: a fence of its own kind.
pub(crate) const TOOL_CODE: Form = Form { open: "```tool_code\n", close: &["```"], content: Content::Python };
/// Harmony: the header is the mark.
pub(crate) const HARMONY: Form = Form { open: "", close: &["<|call|>", "<|end|>", "<|return|>"], content: Content::Arguments };
/// A call without any mark.
pub(crate) const BARE: Form = Form { open: "", close: &[], content: Content::Any };

/// Marks that stand between and around calls within a block.
pub(crate) const INNER: &[&str] = &[
    "<|tool_call_begin|>",
    "<|tool_call_end|>",
    "<|tool_call_argument_begin|>",
    "<｜tool▁call▁begin｜>",
    "<｜tool▁call▁end｜>",
    "<｜tool▁sep｜>",
    "<|plugin|>",
    CALL_ID,
    ARGS,
];
/// Mistral's marks between name, id and arguments. Outside a block they are words in brackets.
pub(crate) const CALL_ID: &str = "[CALL_ID]";
pub(crate) const ARGS: &str = "[ARGS]";

/// What stands before parameters of their own element.
pub(crate) const ELEMENTS: &[&str] = &["<function=", "<invoke name=", "<｜DSML｜invoke name="];
/// What ends one of them.
pub(crate) const ELEMENT_ENDS: &[&str] = &["</function>", "</invoke>", "</｜DSML｜invoke>"];

/// What begins a value within one.
pub(crate) const VALUES: &[&str] = &["<parameter=", "<parameter name=", "<｜DSML｜parameter name=", "<arg_value>"];
/// What ends it.
pub(crate) const VALUE_ENDS: &[&str] = &["</parameter>", "</｜DSML｜parameter>", "</arg_value>"];
/// The other marks of GLM.
const KEYS: &[&str] = &["<arg_key>", "</arg_key>"];

/// How a text and a literal that it may begin with compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// The text begins with the literal, which is so many bytes long.
    Whole(usize),
    /// The text is shorter and agrees as far as it goes.
    Partial,
    /// They differ.
    Different,
}

/// The first of `literals` that `text` begins with, or may begin with.
pub(crate) fn start_of<'a>(text: &str, literals: impl IntoIterator<Item = &'a &'a str>) -> Start {
    let mut found = Start::Different;
    for literal in literals {
        if text.starts_with(*literal) {
            return Start::Whole(literal.len());
        }
        if literal.starts_with(text) {
            found = Start::Partial;
        }
    }
    found
}

/// A mark of a call.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Mark {
    /// A block begins.
    Open(&'static Form),
    /// A block ends, or something within one; left over when it stands outside.
    Stray,
}

/// What a text begins with.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Seen {
    /// A mark of so many bytes.
    Whole(Mark, usize),
    /// The beginning of one; more input decides.
    Partial,
    /// None.
    Nothing,
}

/// Looks for a mark at the beginning of `text`.
pub(crate) fn mark(text: &str) -> Seen {
    if !text.starts_with(['<', '[']) {
        return Seen::Nothing;
    }
    if let Some(form) = FORMS.iter().find(|form| text.starts_with(form.open)) {
        return Seen::Whole(Mark::Open(form), form.open.len());
    }
    let strays = FORMS.iter().flat_map(|form| form.close).chain(INNER).chain(VALUES).chain(VALUE_ENDS).chain(KEYS);
    let strays = strays.filter(|mark| ![CALL_ID, ARGS].contains(mark));
    match start_of(text, strays) {
        Start::Whole(len) => Seen::Whole(Mark::Stray, len),
        Start::Different if FORMS.iter().all(|form| !form.open.starts_with(text)) => Seen::Nothing,
        Start::Partial | Start::Different => Seen::Partial,
    }
}

/// All marks that may never be shown.
#[cfg(test)]
pub(crate) fn marks() -> Vec<&'static str> {
    let opens = FORMS.iter().map(|form| form.open);
    let others = FORMS.iter().flat_map(|form| form.close).chain(INNER).chain(VALUES).chain(VALUE_ENDS).chain(KEYS).copied();
    opens.chain(others).filter(|mark| ![CALL_ID, ARGS].contains(mark)).collect()
}

/// Whether `text`, which is all that came, is more likely half a mark than anything else.
pub(crate) fn is_half_a_mark(text: &str) -> bool {
    (text.len() >= 3 || text == "<|") && matches!(mark(text), Seen::Partial)
}
