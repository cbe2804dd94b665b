//! The checks of strict servers. What they say when one fails is up to the kind of server.

use krabba_types::Dialect;
use serde_json::Value;

use crate::http::Request;
use crate::prompt::{Turn, asked_budget, has_image, tokens, top_level_system, turns};
use crate::script::Strict;

/// Members that the oldest documented form of each API knows.
const CHAT_FIELDS: &[&str] = &[
    "model",
    "messages",
    "stream",
    "stream_options",
    "max_tokens",
    "temperature",
    "top_p",
    "stop",
    "seed",
    "tools",
    "tool_choice",
    "frequency_penalty",
    "presence_penalty",
    "n",
    "user",
    "response_format",
];
const RESPONSES_FIELDS: &[&str] =
    &["model", "input", "instructions", "stream", "max_output_tokens", "temperature", "top_p", "tools", "tool_choice"];
const MESSAGES_FIELDS: &[&str] =
    &["model", "messages", "system", "stream", "max_tokens", "temperature", "top_p", "top_k", "stop_sequences", "tools", "tool_choice"];
const OLLAMA_FIELDS: &[&str] = &["model", "messages", "stream", "options", "tools", "format", "keep_alive", "think", "truncate", "shift"];

/// Whether the request breaks this rule; for [`Strict::KnownFields`] and the like, with the member at fault.
pub(crate) fn offence(rule: Strict, dialect: Dialect, request: &Request, body: &Value, window: u32, prompt: &str) -> Option<String> {
    let turns = turns(dialect, body);
    let field = |name: &str| body.get(name).filter(|value| !value.is_null()).map(|_| name.to_owned());
    let broken = |is_broken: bool, what: &str| is_broken.then(|| what.to_owned());
    match rule {
        Strict::OneSystem => broken(stray_system(dialect, body, &turns), "messages"),
        Strict::Alternation => broken(repeats_role(&turns), "messages"),
        Strict::NeedsUser => broken(!turns.iter().any(|turn| turn.role == "user"), "messages"),
        Strict::NoContentParts => broken(turns.iter().any(|turn| turn.content.is_array()), "messages.content"),
        Strict::NoImages => broken(has_image(dialect, body), "messages.content"),
        Strict::NoDeveloper => broken(turns.iter().any(|turn| turn.role == "developer"), "messages.role"),
        Strict::NoTools => broken(has_tools(body), "tools"),
        Strict::SimpleSchemas => broken(body["tools"].as_array().is_some_and(|tools| tools.iter().any(has_odd_schema)), "tools"),
        Strict::NoAutoToolChoice => broken(has_tools(body) && is_auto(&body["tool_choice"]), "tool_choice"),
        Strict::ShortToolIds => broken(tool_ids(&turns).iter().any(|id| !is_short_id(id)), "tool_call_id"),
        Strict::NoThinking => thinking_field(body),
        Strict::NoStreamOptions => field("stream_options"),
        Strict::NoStore => field("store"),
        Strict::NoMaxCompletionTokens => field("max_completion_tokens"),
        Strict::KnownFields => unknown_field(dialect, body),
        Strict::ContentLength => broken(request.header("content-length").is_none(), "content-length"),
        Strict::LocalHost => broken(!is_local_host(request.header("host").unwrap_or_default()), "host"),
        Strict::NoResponses => broken(dialect == Dialect::OpenAiResponses, "api"),
        Strict::BudgetFits => {
            broken(asked_budget(body).is_some_and(|budget| budget + tokens(prompt.len()) > u64::from(window)), "max_tokens")
        }
    }
}

fn stray_system(dialect: Dialect, body: &Value, turns: &[Turn<'_>]) -> bool {
    let is_system = |turn: &Turn<'_>| matches!(turn.role, "system" | "developer");
    let allowed = usize::from(top_level_system(dialect, body).is_none());
    let later = turns.iter().skip(1).any(is_system);
    later || turns.iter().filter(|turn| is_system(turn)).count() > allowed
}

fn repeats_role(turns: &[Turn<'_>]) -> bool {
    let spoken: Vec<&str> = turns.iter().map(|turn| turn.role).filter(|role| matches!(*role, "user" | "assistant")).collect();
    let starts_wrong = spoken.first().is_some_and(|role| *role == "assistant");
    starts_wrong || (turns.iter().all(|turn| turn.role != "tool") && spoken.windows(2).any(|pair| pair.first() == pair.last()))
}

fn has_tools(body: &Value) -> bool {
    body["tools"].as_array().is_some_and(|tools| !tools.is_empty())
}

fn is_auto(choice: &Value) -> bool {
    choice.is_null() || choice == "auto"
}

fn has_odd_schema(schema: &Value) -> bool {
    match schema {
        Value::Object(members) => {
            let odd = ["pattern", "format", "maxLength", "$ref", "not"].iter().any(|name| members.contains_key(*name));
            odd || members.values().any(has_odd_schema)
        }
        Value::Array(items) => items.iter().any(has_odd_schema),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

fn tool_ids(turns: &[Turn<'_>]) -> Vec<String> {
    let calls = turns.iter().filter_map(|turn| turn.message["tool_calls"].as_array()).flatten();
    let ids = calls.filter_map(|call| call["id"].as_str());
    let results = turns.iter().filter_map(|turn| turn.message["tool_call_id"].as_str());
    ids.chain(results).map(str::to_owned).collect()
}

fn is_short_id(id: &str) -> bool {
    id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn thinking_field(body: &Value) -> Option<String> {
    let wanted = |value: &Value| !value.is_null() && value != false && value != "none";
    ["reasoning_effort", "reasoning", "think", "thinking"].iter().find(|name| wanted(&body[**name])).map(|name| (*name).to_owned())
}

fn unknown_field(dialect: Dialect, body: &Value) -> Option<String> {
    let known = match dialect {
        Dialect::OpenAiResponses => RESPONSES_FIELDS,
        Dialect::OpenAiCompletions => CHAT_FIELDS,
        Dialect::AnthropicMessages => MESSAGES_FIELDS,
        Dialect::Ollama => OLLAMA_FIELDS,
    };
    body.as_object()?.keys().find(|name| !known.contains(&name.as_str())).cloned()
}

pub(crate) fn is_local_host(host: &str) -> bool {
    let name = host.rsplit_once(':').map_or(host, |(name, port)| if port.bytes().all(|byte| byte.is_ascii_digit()) { name } else { host });
    matches!(name, "localhost" | "127.0.0.1" | "[::1]")
}
