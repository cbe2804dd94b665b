//! Which field of the request a server refuses.

use std::sync::LazyLock;

use krabba_dialect::ErrorBody;
use regex::Regex;

/// Each pattern captures the field's path. Sources beside them.
const PATTERNS: [&str; 17] = [
    // OpenAI, older
    r"(?i)unrecognized request arguments? supplied: ([\w.\[\]-]+)",
    // OpenAI: unknown, unsupported, unsupported value
    r"(?i)(?:unknown|unsupported|unrecognized|invalid) (?:parameter|field|argument|value)s?: ['`\x22]([\w.\[\]-]+)['`\x22]",
    // LiteLLM: UnsupportedParamsError, as a list or as a map
    r"(?i)does not support parameters: [\[{]['\x22]([\w.\[\]-]+)['\x22]",
    // Anthropic and pydantic: `tools.0.strict: Extra inputs are not permitted`, `body.store: Extra inputs are not permitted`
    r"(?i)([\w.\[\]-]+): extra (?:inputs|fields) (?:are )?not permitted",
    // vLLM: pydantic's complaint as Python prints it
    r"'extra_forbidden', 'loc': \('body', '([\w.]+)'",
    // Groq: `property 'store' is unsupported`
    r"(?i)property ['`\x22]([\w.\[\]-]+)['`\x22] is (?:unsupported|not supported)",
    // JSON Schema validators: `Additional properties are not allowed ('store' was unexpected)`
    r"(?i)additional properties are not allowed \(['`\x22]([\w.\[\]-]+)['`\x22]",
    // Go: `json: unknown field "store"`; Rust: "unknown field `store`, expected one of"
    r"(?i)unknown field ['`\x22]([\w.\[\]-]+)['`\x22]",
    // Python: `create() got an unexpected keyword argument 'store'`
    r"(?i)unexpected keyword argument ['`\x22]([\w.\[\]-]+)['`\x22]",
    // llama.cpp: `llama.cpp does not support 'previous_response_id'.`
    r"(?i)does not support ['`\x22]([\w.\[\]-]+)['`\x22]",
    // "'tool_choice' is not supported", "`reasoning_effort` is unsupported with this model"
    r"(?i)['`\x22]([\w.\[\]-]+)['`\x22] (?:parameter )?is (?:not supported|unsupported|not permitted|not allowed|unknown)",
    // "parameter reasoning_effort is not supported", "argument not supported: store"
    r"(?i)(?:parameter|field|argument|option) ([a-z]\w*_[\w.\[\]-]+) is (?:not supported|unsupported|not permitted|not allowed|unknown)",
    r"(?i)(?:parameter|field|argument|option)s? not supported: ['`\x22]?([\w.\[\]-]+)",
    // Mistral: `reasoning_effort is not enabled for this model`
    r"(?i)^['`\x22]?([a-z][\w.\[\]-]*_[\w.\[\]-]+)['`\x22]? is not (?:enabled|supported|available|permitted|allowed)",
    // `Unsupported value: 'x' for reasoning_effort`; vLLM and LM Studio: "Invalid value for 'reasoning_effort'"
    r"(?i)invalid value for ['`\x22]?([a-z][\w.\[\]-]*_[\w.\[\]-]+)",
    r"(?i)(?:invalid (reasoning_effort)|(reasoning_effort) must be)",
    // "temperature is not supported with this model" in the words of several proxies
    r"(?i)\b(temperature|top_p|top_k|min_p|seed|stop|tools|store|metadata) is (?:not supported|unsupported|not permitted|not allowed)",
];

static COMPILED: LazyLock<Vec<Regex>> = LazyLock::new(|| PATTERNS.iter().filter_map(|pattern| Regex::new(pattern).ok()).collect());

/// Codes with which `param` names a field that is refused, not one whose content is wrong.
const REFUSING_CODES: [&str; 6] =
    ["unsupported_parameter", "unknown_parameter", "unsupported_value", "unrecognized_parameter", "invalid_parameter", "extra_forbidden"];
const REFUSING_WORDS: [&str; 8] =
    ["not supported", "unsupported", "unknown", "unrecognized", "not permitted", "not allowed", "unexpected", "does not support"];
/// Never a field that a request can do without.
const NEEDED: [&str; 5] = ["model", "messages", "input", "input_tokens", "prompt"];

/// The path of the refused field in the request's body.
pub(crate) fn refused(error: &ErrorBody) -> Option<String> {
    let by_text = COMPILED.iter().find_map(|pattern| {
        let found = pattern.captures(&error.message)?;
        found.iter().skip(1).flatten().next().map(|field| field.as_str())
    });
    let by_param = error.param.as_deref().filter(|_| {
        let text = error.message.to_lowercase();
        let code = error.code.as_deref().unwrap_or_default();
        REFUSING_CODES.contains(&code) || REFUSING_WORDS.iter().any(|words| text.contains(words))
    });
    let field = by_text.or(by_param)?;
    let field = field.trim_end_matches(['.', '-']);
    let field = field.strip_prefix("body.").unwrap_or(field);
    let top = field.split(['.', '[']).next().unwrap_or(field);
    (!field.is_empty() && !NEEDED.contains(&top)).then(|| field.to_owned())
}

#[cfg(test)]
pub(crate) fn broken_patterns() -> Vec<&'static str> {
    PATTERNS.iter().copied().filter(|pattern| Regex::new(pattern).is_err()).collect()
}
