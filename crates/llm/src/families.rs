//! What servers say, as tables. Words are compared in lower case.
//!
//! Every entry was seen: in the source of the server named beside it, in its documentation, or in a report of a user. The
//! corpus in `tests/data/errors` holds each of them in full.

use krabba_dialect::ErrorBody;
use krabba_types::{Dialect, ServerKind};

use crate::Site;
use crate::classify::Meaning;

/// Machine words: `code`, `type` or `metadata.error_type`. A word that says no more than the status (`invalid_request_error`,
/// `api_error`, `server_error`) is not here.
const WORDS: [(Meaning, &[&str]); 7] = [
    (
        Meaning::Overflow,
        &[
            "exceed_context_size_error", // llama.cpp
            "context_length_exceeded",   // OpenAI, OpenRouter, llama-cpp-python
            "max_tokens_exceeded",       // OpenRouter
            "context_window_exceeded",
            "contextwindowexceedederror", // LiteLLM
            "request_too_large",          // Anthropic
        ],
    ),
    (
        Meaning::ContentPolicy,
        &[
            "content_policy_violation",
            "content_filter",
            "refusal",
            "moderation_blocked",
            "contentpolicyviolationerror",
            "data_inspection_failed",
        ],
    ),
    (
        Meaning::Billing,
        &[
            "insufficient_quota",
            "billing_error",
            "billing_hard_limit_reached",
            "payment_required",
            "insufficient_balance",
            "insufficient_credits",
        ],
    ),
    (
        Meaning::Auth,
        &[
            "authentication_error",
            "permission_error",
            "invalid_api_key",
            "invalid_authentication",
            "invalid_authentication_error",
            "unauthorized",
            "no_db_connection", // LiteLLM without a database: only its master key is right
        ],
    ),
    (Meaning::RateLimited, &["rate_limit_exceeded", "rate_limit_error", "too_many_requests", "rate_limit_reached_error"]),
    (
        Meaning::Overloaded,
        &[
            "overloaded_error",
            "engine_overloaded",
            "engine_overloaded_error",
            "provider_overloaded",
            "provider_unavailable",
            "server_overloaded",
        ],
    ),
    (Meaning::NoSuchModel, &["model_not_found", "model_not_available", "invalid_model"]),
];

/// A text belongs to a family when it holds all of the words.
struct Family(Meaning, &'static [&'static str]);

/// In this order: a narrow family stands before a wide one.
const TEXTS: [Family; 72] = [
    // The prompt, or the prompt with its budget, is too long.
    Family(Meaning::Overflow, &["exceeds the available context size"]), // llama.cpp
    Family(Meaning::Overflow, &["maximum context length"]),             // OpenAI, vLLM, SGLang
    Family(Meaning::Overflow, &["longer than the model's context length"]), // SGLang
    Family(Meaning::Overflow, &["max_model_len"]),                      // vLLM, with the output budget
    Family(Meaning::Overflow, &["max_tokens must be at least 1, got -"]), // vLLM, no room for an answer
    Family(Meaning::Overflow, &["n_keep", "n_ctx"]),                    // LM Studio, both engines
    Family(Meaning::Overflow, &["context the overflows"]),              // LM Studio, older
    Family(Meaning::Overflow, &["loaded with context length of only"]), // LM Studio, older
    Family(Meaning::Overflow, &["context size has been exceeded"]),     // LM Studio, MLX engine
    Family(Meaning::Overflow, &["longer than the context length currently available"]), // Ollama, `truncate: false`
    Family(Meaning::Overflow, &["exceeds maximum context length"]),     // Ollama, older
    Family(Meaning::Overflow, &["exceed context window of"]),           // llama-cpp-python
    Family(Meaning::Overflow, &["contextwindowexceedederror"]),         // LiteLLM
    Family(Meaning::Overflow, &["prompt is too long"]),                 // Anthropic
    Family(Meaning::Overflow, &["exceed context limit"]),               // Anthropic, with the budget
    Family(Meaning::Overflow, &["exceeds the context window"]),         // OpenAI Responses
    Family(Meaning::Overflow, &["must be <=", "`inputs`"]),             // text-generation-inference
    // Another model, or no model at all.
    Family(Meaning::Overloaded, &["failed to load model"]), // LM Studio: not enough memory
    Family(Meaning::Overloaded, &["model_load_failed"]),    // LM Studio, native
    Family(Meaning::NoSuchModel, &["no models loaded"]),    // LM Studio without loading by request
    Family(Meaning::NoSuchModel, &["no model is loaded"]),
    Family(Meaning::NoSuchModel, &["no model loaded"]),
    Family(Meaning::NoSuchModel, &["invalid model identifier"]), // LM Studio
    Family(Meaning::NoSuchModel, &["invalid model name"]),       // LiteLLM
    Family(Meaning::NoSuchModel, &["not a valid model id"]),     // OpenRouter
    Family(Meaning::Unsupported("tools"), &["no endpoints found that support tool use"]), // OpenRouter
    Family(Meaning::Unsupported("images"), &["no endpoints found that support image"]), // OpenRouter
    Family(Meaning::NoSuchModel, &["no endpoints found"]),       // OpenRouter: nobody offers it under this routing
    Family(Meaning::NoSuchModel, &["no allowed providers are available"]), // OpenRouter, routing left nobody
    Family(Meaning::NoSuchModel, &["try pulling it first"]),     // Ollama
    Family(Meaning::NoSuchModel, &["model is not loaded"]),      // llama.cpp's router without autoload
    Family(Meaning::NoSuchModel, &["does not support chat"]),    // Ollama: an embedding or base model
    Family(Meaning::NoSuchModel, &["does not support generate"]), // Ollama
    Family(Meaning::NoSuchModel, &["model", "does not exist"]),  // OpenAI, vLLM
    Family(Meaning::NoSuchModel, &["unknown model"]),
    Family(Meaning::NoSuchModel, &["repository not found"]), // mlx_lm: from the hub that it would load from
    Family(Meaning::NoSuchModel, &["is not a valid model identifier"]), // mlx_lm, transformers
    // Later.
    Family(Meaning::Loading, &["loading model"]), // llama.cpp: every route while it loads
    Family(Meaning::Loading, &["model is loading"]),
    Family(Meaning::Loading, &["currently loading"]),          // Hugging Face
    Family(Meaning::Loading, &["model is unloaded"]),          // LM Studio: evicted; it loads again by request
    Family(Meaning::Loading, &["model unloaded"]),             // LM Studio
    Family(Meaning::Busy, &["server busy, please try again"]), // Ollama, queue of 512 full
    Family(Meaning::Busy, &["queue is full"]),                 // SGLang
    Family(Meaning::Busy, &["no slot available"]),             // llama.cpp, `fail_on_no_slot`
    Family(Meaning::Busy, &["no available slot"]),
    Family(Meaning::RateLimited, &["no deployments available for selected model"]), // LiteLLM: all of them cool down
    Family(Meaning::RateLimited, &["rate limit"]),
    Family(Meaning::RateLimited, &["too many requests"]),
    Family(Meaning::Overloaded, &["engine is currently busy"]), // vLLM
    // The key and the money.
    Family(Meaning::Auth, &["no api key passed in"]), // LiteLLM, with status 500
    Family(Meaning::Auth, &["invalid api key"]),      // llama.cpp
    Family(Meaning::Auth, &["incorrect api key"]),    // OpenAI
    Family(Meaning::Auth, &["authentication error"]), // LiteLLM
    Family(Meaning::Auth, &["litellm.authenticationerror"]),
    Family(Meaning::Billing, &["credit balance is too low"]), // Anthropic, with status 400
    Family(Meaning::Billing, &["insufficient credits"]),      // OpenRouter
    Family(Meaning::Billing, &["key limit exceeded"]),        // OpenRouter
    Family(Meaning::Billing, &["insufficient balance"]),      // DeepSeek, Moonshot
    // A proxy whose own server hung up in the middle.
    Family(Meaning::Truncated, &["response payload is not completed"]), // LiteLLM over aiohttp
    Family(Meaning::Truncated, &["without sending complete message body"]), // LiteLLM over httpx
    // What the model on this server cannot do.
    Family(Meaning::Unsupported("tools"), &["does not support tools"]), // Ollama
    Family(Meaning::Unsupported("tools"), &["tool choice requires --enable-auto-tool-choice"]), // vLLM
    Family(Meaning::Unsupported("tools"), &["tools param requires --jinja"]), // llama.cpp
    Family(Meaning::Unsupported("tool schemas"), &["failed to parse grammar"]), // llama.cpp: one that it cannot turn into a grammar
    Family(Meaning::Unsupported("response_format"), &["response_format"]), // LM Studio and others: a kind that it does not know
    Family(Meaning::Unsupported("developer"), &["developer", "role"]),  // any template that knows four roles
    Family(Meaning::Unsupported("images"), &["only 'text' content type is supported"]), // mlx_lm
    Family(Meaning::Unsupported("images"), &["unsupported content[].type"]), // llama.cpp
    Family(Meaning::Unsupported("images"), &["image input is not supported"]), // llama.cpp without mmproj
    Family(Meaning::Unsupported("images"), &["does not support image"]),
    Family(Meaning::Unsupported("images"), &["is not a multimodal model"]), // vLLM
];

/// The model does not think, or not at that level; which field said so depends on the dialect.
const THINKING: [&str; 4] = [
    "does not support thinking", // Ollama
    "think value",               // Ollama, a level
    "invalid reasoning value",   // Ollama `/v1`, a level
    "invalid reasoning effort",
];

/// What is left of a server after it ran out of memory or lost its engine.
const BROKEN: [&str; 8] = [
    "out of memory",
    "cuda error",
    "model has crashed", // LM Studio
    "insufficient system resources",
    "runner process has terminated",   // Ollama
    "engine process failed",           // vLLM
    "enginecore encountered an issue", // vLLM
    "failed to allocate",
];

/// The server could not read what its own model wrote.
const UNPARSED: [&str; 4] = [
    "does not match the expected", // llama.cpp: "The model produced output that does not match the expected peg-native format"
    "failed to parse input at pos", // llama.cpp
    "invalid diff:",               // llama.cpp, older
    "xml syntax error",            // Ollama's parser of qwen3-coder
];

/// The conversation could not be put through the template, or is not what the server takes for one.
const UNTEMPLATED: [&str; 9] = [
    "jinja",                                       // LM Studio, llama.cpp, Jan
    "unable to generate parser for this template", // llama.cpp
    "chat template",
    "conversation roles must alternate",
    "system message must be at the beginning",
    "no user query found",
    "invalid 'messages' in payload", // LM Studio
    "output of tool call should be", // llama.cpp
    "invalid message content type",  // Ollama `/v1`
];

/// What stands in a 404 that is about the path.
const NO_SUCH_PATH: [&str; 8] = [
    "unexpected endpoint or method", // LM Studio, with status 200
    "invalid url (",                 // OpenAI
    "404 page not found",            // Ollama
    "file not found",                // llama.cpp
    "cannot post /",                 // Express
    "route post:",                   // Fastify
    "no route",
    "unknown endpoint",
];

/// What the machine words say.
pub(crate) fn of_word(error: &ErrorBody, text: &str) -> Option<Meaning> {
    let named = [error.code.as_deref(), error.kind.as_deref()];
    let is = |word: &str| {
        let quoted = |field: &str| error.raw.contains(&format!("\"{field}\":\"{word}\""));
        named.iter().flatten().any(|name| name.eq_ignore_ascii_case(word)) || quoted("error_type")
    };
    let (meaning, _) = WORDS.iter().find(|(_, words)| words.iter().any(|word| is(word)))?;
    match meaning {
        // OpenAI gives the same code to "too fast" and to "too long for your tier", and a used-up account is a 429 too.
        Meaning::RateLimited if is_billing(text) => Some(Meaning::Billing),
        // OpenRouter and llama.cpp use `permission_error` for moderation as well.
        Meaning::Auth if is_moderation(text) => Some(Meaning::ContentPolicy),
        meaning => Some(*meaning),
    }
}

/// What the text says.
pub(crate) fn of_text(text: &str, site: &Site) -> Option<Meaning> {
    if let Some(Family(meaning, _)) = TEXTS.iter().find(|Family(_, words)| words.iter().all(|word| text.contains(word))) {
        return Some(*meaning);
    }
    if THINKING.iter().any(|words| text.contains(words)) {
        return Some(Meaning::Unsupported(thinking_field(site.dialect)));
    }
    if BROKEN.iter().any(|words| text.contains(words)) {
        return Some(Meaning::Overloaded);
    }
    if UNPARSED.iter().any(|words| text.contains(words)) {
        return Some(Meaning::Unparsed);
    }
    if UNTEMPLATED.iter().any(|words| text.contains(words)) {
        return Some(Meaning::BadRequest);
    }
    if NO_SUCH_PATH.iter().any(|words| text.contains(words)) {
        return Some(Meaning::Unsupported("api"));
    }
    if is_moderation(text) {
        return Some(Meaning::ContentPolicy);
    }
    // `model "x" not found`, `model 'x' not found`, `Model "x" not found`; mlx_lm says so of repositories and files as well.
    let missing = text.contains("model") && text.contains("not found");
    (missing && site.server != ServerKind::Mlx).then_some(Meaning::NoSuchModel)
}

/// What is left when there are no words: the class of the status.
pub(crate) fn of_bare_status(status: Option<u16>, text: &str) -> Meaning {
    match status {
        // `{"detail": "Not Found"}` is FastAPI, an empty body or a page is a proxy.
        Some(404) if matches!(text.trim_end_matches('.'), "" | "not found" | "404 not found" | "page not found" | "resource not found") => {
            Meaning::Unsupported("api")
        }
        // Anthropic: `model: claude-…`, and nothing else.
        Some(404) if text.starts_with("model:") => Meaning::NoSuchModel,
        // mlx_lm: whatever went wrong at the start of a generation.
        Some(404) => Meaning::Overloaded,
        Some(405 | 501) => Meaning::Unsupported("api"),
        Some(408 | 409 | 425 | 499) => Meaning::Overloaded,
        Some(400..=499) => Meaning::BadRequest,
        Some(_) | None => Meaning::Overloaded,
    }
}

/// The account is used up, which is not the same as being too fast.
pub(crate) fn is_billing(text: &str) -> bool {
    ["exceeded your current quota", "insufficient_quota", "insufficient balance", "insufficient credits", "key limit exceeded", "billing"]
        .iter()
        .any(|words| text.contains(words))
}

/// Refused for what the request says.
pub(crate) fn is_moderation(text: &str) -> bool {
    ["flagged", "moderation", "content policy", "content_policy", "content management policy", "safety system", "usage policy"]
        .iter()
        .any(|words| text.contains(words))
}

fn thinking_field(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::OpenAiCompletions => "reasoning_effort",
        Dialect::OpenAiResponses => "reasoning",
        Dialect::AnthropicMessages => "thinking",
        Dialect::Ollama => "think",
    }
}

#[cfg(test)]
pub(crate) fn not_lower_case() -> Vec<&'static str> {
    let words = WORDS.iter().flat_map(|(_, words)| words.iter());
    let texts = TEXTS.iter().flat_map(|Family(_, words)| words.iter());
    let rest = BROKEN.iter().chain(&THINKING).chain(&UNPARSED).chain(&UNTEMPLATED).chain(&NO_SUCH_PATH);
    words.chain(texts).chain(rest).copied().filter(|text| text.to_lowercase() != **text).collect()
}
