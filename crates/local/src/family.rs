//! Which family of chat template a model uses: from the template itself where a server shows it, else from names.

use krabba_types::TemplateFamily;

/// Marks that only one family's templates contain, the most particular first. Several derivatives carry ChatML's
/// `<|im_start|>` beside something of their own, so it comes last.
const TEMPLATE_MARKS: [(&str, TemplateFamily); 12] = [
    ("<|channel|>", TemplateFamily::Harmony),
    ("<|start_header_id|>", TemplateFamily::Llama3),
    ("<start_of_turn>", TemplateFamily::Gemma),
    ("<|turn>", TemplateFamily::Gemma),
    ("<｜User｜>", TemplateFamily::DeepSeek),
    ("<|im_middle|>", TemplateFamily::Kimi),
    ("]~b]", TemplateFamily::MiniMax),
    ("[gMASK]", TemplateFamily::Glm),
    ("<|observation|>", TemplateFamily::Glm),
    ("[INST]", TemplateFamily::Mistral),
    ("[SYSTEM_PROMPT]", TemplateFamily::Mistral),
    ("<|im_start|>", TemplateFamily::ChatMl),
];

/// Parts of model names and architectures. The distilled come before the distiller: `deepseek-r1-distill-qwen` speaks DeepSeek's template.
const NAME_PARTS: [(&str, TemplateFamily); 22] = [
    ("gpt-oss", TemplateFamily::Harmony),
    ("gpt_oss", TemplateFamily::Harmony),
    ("gptoss", TemplateFamily::Harmony),
    ("deepseek", TemplateFamily::DeepSeek),
    ("minimax", TemplateFamily::MiniMax),
    ("kimi", TemplateFamily::Kimi),
    ("moonshot", TemplateFamily::Kimi),
    ("chatglm", TemplateFamily::Glm),
    ("glm", TemplateFamily::Glm),
    ("hermes", TemplateFamily::ChatMl),
    ("dolphin", TemplateFamily::ChatMl),
    ("smollm", TemplateFamily::ChatMl),
    ("qwen", TemplateFamily::ChatMl),
    ("qwq", TemplateFamily::ChatMl),
    ("gemma", TemplateFamily::Gemma),
    ("mixtral", TemplateFamily::Mistral),
    ("magistral", TemplateFamily::Mistral),
    ("devstral", TemplateFamily::Mistral),
    ("ministral", TemplateFamily::Mistral),
    ("mistral", TemplateFamily::Mistral),
    ("llama-3", TemplateFamily::Llama3),
    ("llama3", TemplateFamily::Llama3),
];

/// The family of a chat template's own text.
pub(crate) fn of_template(template: &str) -> TemplateFamily {
    first_match(template, &TEMPLATE_MARKS)
}

/// The family that a model's name, architecture or file name points to.
pub(crate) fn of_name(name: &str) -> TemplateFamily {
    first_match(&name.to_ascii_lowercase(), &NAME_PARTS)
}

/// The first family that is known.
pub(crate) fn better(first: TemplateFamily, second: TemplateFamily) -> TemplateFamily {
    if first == TemplateFamily::Unknown { second } else { first }
}

fn first_match(text: &str, table: &[(&str, TemplateFamily)]) -> TemplateFamily {
    table.iter().find(|(mark, _)| text.contains(mark)).map_or(TemplateFamily::Unknown, |(_, family)| *family)
}
