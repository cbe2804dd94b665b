use krabba_types::{Dialect, ServerKind};

use crate::{KeyHeader, endpoint_url, key_header};

#[test]
fn a_base_in_any_spelling_reaches_the_same_place() {
    let cases = [
        (Dialect::OpenAiCompletions, "http://127.0.0.1:1234", "http://127.0.0.1:1234/v1/chat/completions"),
        (Dialect::OpenAiCompletions, " http://127.0.0.1:1234/v1/ ", "http://127.0.0.1:1234/v1/chat/completions"),
        (Dialect::OpenAiCompletions, "http://[::1]:8080//", "http://[::1]:8080/v1/chat/completions"),
        (Dialect::OpenAiCompletions, "https://api.z.ai/api/paas/v4", "https://api.z.ai/api/paas/v4/chat/completions"),
        (Dialect::OpenAiCompletions, "http://box:4000/v1/chat/completions", "http://box:4000/v1/chat/completions"),
        (Dialect::OpenAiCompletions, "https://x.test/openai?api-version=1", "https://x.test/openai/chat/completions?api-version=1"),
        (Dialect::OpenAiResponses, "http://localhost:1234", "http://localhost:1234/v1/responses"),
        (Dialect::OpenAiResponses, "http://localhost:1234/v1/chat/completions", "http://localhost:1234/v1/responses"),
        (Dialect::AnthropicMessages, "https://api.anthropic.com", "https://api.anthropic.com/v1/messages"),
        (Dialect::AnthropicMessages, "http://localhost:1234/v1", "http://localhost:1234/v1/messages"),
        (Dialect::AnthropicMessages, "https://api.minimax.io/anthropic/", "https://api.minimax.io/anthropic/v1/messages"),
        (Dialect::AnthropicMessages, "http://localhost:8080/v1/messages", "http://localhost:8080/v1/messages"),
        (Dialect::Ollama, "http://127.0.0.1:11434", "http://127.0.0.1:11434/api/chat"),
        (Dialect::Ollama, "http://127.0.0.1:11434/v1/", "http://127.0.0.1:11434/api/chat"),
        (Dialect::Ollama, "http://127.0.0.1:11434/api", "http://127.0.0.1:11434/api/chat"),
        (Dialect::Ollama, "https://home.test/ollama", "https://home.test/ollama/api/chat"),
    ];
    let found: Vec<String> = cases.iter().map(|(dialect, base, _)| endpoint_url(*dialect, base)).collect();
    let expected: Vec<&str> = cases.iter().map(|(_, _, url)| *url).collect();
    assert_eq!(found, expected);
}

#[test]
fn a_key_goes_under_the_header_that_the_server_reads() {
    assert_eq!(key_header(Dialect::AnthropicMessages, ServerKind::Anthropic), KeyHeader::XApiKey);
    assert_eq!(key_header(Dialect::AnthropicMessages, ServerKind::Other), KeyHeader::XApiKey);
    assert_eq!(key_header(Dialect::AnthropicMessages, ServerKind::Vllm), KeyHeader::Bearer);
    assert_eq!(key_header(Dialect::OpenAiResponses, ServerKind::OpenAi), KeyHeader::Bearer);
    assert_eq!((KeyHeader::XApiKey.name(), KeyHeader::XApiKey.value("k")), ("x-api-key", "k".to_owned()));
    assert_eq!((KeyHeader::Bearer.name(), KeyHeader::Bearer.value("k")), ("authorization", "Bearer k".to_owned()));
}
