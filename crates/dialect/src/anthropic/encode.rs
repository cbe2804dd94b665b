//! Writing an Anthropic Messages request.

use krabba_types::{ModelRequest, Reasoning, ServerKind, Thinking};
use serde_json::Value;

use crate::body::{Body, object};
use crate::history::{Answered, Content, History, Turn};
use crate::{Shape, schema, thinking};

/// The field is required. Used when no budget is given; the oldest model still served writes no more.
const DEFAULT_MAX_TOKENS: u32 = 4_096;
/// Anthropic refuses a smaller thinking budget.
const LEAST_THINKING: u32 = 1_024;
/// What is left for the answer when thinking takes its share of the budget.
const LEAST_ANSWER: u32 = 1_024;

/// The body: system and tools before the messages, budgets and sampling after them.
pub(crate) fn encode(request: &ModelRequest, history: &History<'_>, shape: &Shape) -> Body {
    let own_host = shape.server == ServerKind::Anthropic;
    let mut body = Body::default();
    body.put("model", request.model.as_str());
    body.put("stream", shape.stream);
    if own_host {
        // Caches up to the last block without a mark inside the messages, where it would move on with every turn and
        // change bytes that were sent before.
        body.put("cache_control", ephemeral());
    }
    body.put_list("tools", tools(request, shape));
    body.put_some("system", history.system.as_deref().map(|text| system(text, own_host)));
    body.put("messages", messages(history, own_host));
    let max_tokens = request.max_output_tokens.unwrap_or(DEFAULT_MAX_TOKENS);
    body.put("max_tokens", max_tokens);
    let may_think = !own_host || begins_with_thought(history);
    let thinks = may_think && think(&mut body, request, max_tokens, shape);
    sampling(&mut body, request, thinks, own_host, shape);
    if !own_host {
        body.put_object("chat_template_kwargs", request.params.chat_template_kwargs.clone());
    }
    body
}

fn ephemeral() -> Value {
    object([("type", "ephemeral".into())])
}

/// A plain text, but for Anthropic a block with a cache mark, so that a new conversation finds tools and instructions
/// cached.
fn system(text: &str, own_host: bool) -> Value {
    if own_host {
        vec![object([("type", "text".into()), ("text", text.into()), ("cache_control", ephemeral())])].into()
    } else {
        text.into()
    }
}

/// Whether the answer that is under way, if any, began with thinking. Anthropic does not let a model begin to think in
/// the middle of a tool loop, which is where it comes in when another route made the calls.
fn begins_with_thought(history: &History<'_>) -> bool {
    let under_way = history.turns.iter().rev().take_while(|turn| !matches!(turn, Turn::User(_)));
    let calling = under_way.filter_map(|turn| match turn {
        Turn::Assistant(answered) if !answered.calls.is_empty() => Some(answered),
        Turn::Assistant(_) | Turn::User(_) | Turn::Result(_) => None,
    });
    calling.last().is_none_or(|first| first.reasoning.iter().any(|reasoning| thought(reasoning, true).is_some()))
}

/// Writes the thinking fields; tells whether the model will think.
fn think(body: &mut Body, request: &ModelRequest, max_tokens: u32, shape: &Shape) -> bool {
    if !thinking::is_asked(request.thinking, shape) {
        return false;
    }
    let budget = match request.thinking {
        Thinking::Unspecified => return false,
        Thinking::Off => {
            // Anthropic does not think unasked, and its newest models refuse the word.
            if shape.server != ServerKind::Anthropic {
                body.put("thinking", object([("type", "disabled".into())]));
            }
            return false;
        }
        Thinking::Low => 2_048,
        Thinking::Medium => 8_192,
        Thinking::High => 16_384,
    };
    if is_adaptive(request.model.as_str()) || shape.refuses("thinking.type.enabled") {
        body.put("thinking", object([("type", "adaptive".into())]));
        let effort = thinking::effort(request.thinking, shape);
        body.put_some("output_config", effort.map(|effort| object([("effort", effort.into())])));
        return true;
    }
    let budget = budget.min(max_tokens.saturating_sub(LEAST_ANSWER));
    if budget < LEAST_THINKING {
        return false;
    }
    body.put("thinking", object([("type", "enabled".into()), ("budget_tokens", budget.into())]));
    true
}

/// Claude 4.6 and later take `adaptive`, and from 4.7 on nothing else. The version is read from the id
/// (`claude-opus-4-6`, `claude-opus-4.6`, `claude-opus-5-20260901`); ids that put the version before the family
/// (`claude-3-7-sonnet`) are older.
fn is_adaptive(model: &str) -> bool {
    const FAMILIES: [&str; 3] = ["opus", "sonnet", "haiku"];
    let words: Vec<&str> = model.split(|character: char| !character.is_ascii_alphanumeric()).collect();
    let Some(family) = words.iter().position(|word| FAMILIES.contains(word)) else { return false };
    // Longer numbers are dates.
    let mut version = words.iter().skip(family + 1).map_while(|word| word.parse::<u32>().ok().filter(|number| *number < 100));
    let major = version.next().unwrap_or(0);
    let minor = version.next().unwrap_or(0);
    (major, minor) >= (4, 6)
}

/// While it thinks, the model takes no temperature and no `top_k`; and Anthropic takes temperature or `top_p`, not
/// both.
fn sampling(body: &mut Body, request: &ModelRequest, thinks: bool, own_host: bool, shape: &Shape) {
    let params = &request.params;
    let temperature = params.temperature.filter(|_| !thinks && shape.compat.request.supports_temperature != Some(false));
    body.put_some("temperature", temperature);
    if !thinks {
        body.put_some("top_p", params.top_p.filter(|_| !own_host || temperature.is_none()));
        body.put_some("top_k", params.top_k);
    }
    if !own_host {
        body.put_some("min_p", params.min_p);
        body.put_some("seed", params.seed);
    }
    body.put_list("stop_sequences", params.stop.iter().map(|stop| stop.as_str().into()).collect());
}

fn tools(request: &ModelRequest, shape: &Shape) -> Vec<Value> {
    let tools = schema::tools(request, shape).into_iter();
    tools
        .map(|(tool, parameters)| {
            object([
                ("name", tool.name.as_str().into()),
                ("description", tool.description.as_str().into()),
                ("input_schema", parameters.into()),
            ])
        })
        .collect()
}

/// The results of one answer's calls are blocks of one user message, and what the person says next joins them: roles
/// must alternate.
fn messages(history: &History<'_>, own_host: bool) -> Vec<Value> {
    let mut messages: Vec<(&str, Vec<Value>)> = Vec::with_capacity(history.turns.len());
    for turn in &history.turns {
        let (role, blocks) = match turn {
            Turn::User(contents) => ("user", contents.iter().filter_map(content).collect()),
            Turn::Assistant(answered) => ("assistant", assistant(answered, own_host)),
            Turn::Result(brought) => {
                let mut block = Body::default();
                block.put("type", "tool_result");
                block.put("tool_use_id", brought.id.as_str());
                block.put("content", brought.text.as_ref());
                if brought.is_error {
                    block.put("is_error", true);
                }
                ("user", vec![block.into_object().into()])
            }
        };
        match messages.last_mut() {
            Some((last, existing)) if *last == role => existing.extend(blocks),
            Some(_) | None => messages.push((role, blocks)),
        }
    }
    let spell = |(role, blocks): (&str, Vec<Value>)| {
        // An empty message is refused, and so is an empty text.
        let blocks = if blocks.is_empty() { vec![text_block("(no text)")] } else { blocks };
        object([("role", role.into()), ("content", blocks.into())])
    };
    messages.into_iter().map(spell).collect()
}

fn content(content: &Content<'_>) -> Option<Value> {
    match content {
        Content::Text(text) if text.trim().is_empty() => None,
        Content::Text(text) => Some(text_block(text)),
        Content::Image(image) => {
            let source = object([
                ("type", "base64".into()),
                ("media_type", image.media_type.as_str().into()),
                ("data", image.base64.as_str().into()),
            ]);
            Some(object([("type", "image".into()), ("source", source)]))
        }
    }
}

fn text_block(text: &str) -> Value {
    object([("type", "text".into()), ("text", text.into())])
}

/// Thinking comes first and unchanged, or the signature is refused.
fn assistant(answered: &Answered<'_>, own_host: bool) -> Vec<Value> {
    let mut blocks: Vec<Value> = answered.reasoning.iter().filter_map(|reasoning| thought(reasoning, own_host)).collect();
    if !answered.text.trim().is_empty() {
        blocks.push(text_block(&answered.text));
    }
    blocks.extend(answered.calls.iter().map(|call| {
        object([
            ("type", "tool_use".into()),
            ("id", call.id.as_str().into()),
            ("name", call.name.into()),
            ("input", call.arguments.clone().into()),
        ])
    }));
    blocks
}

/// A block as it came. Local servers do not sign; their text alone makes a block, which Anthropic would refuse.
fn thought(reasoning: &Reasoning, own_host: bool) -> Option<Value> {
    let artefact = reasoning.origin.artefact.as_ref().filter(|artefact| artefact.contains_key("type"));
    match artefact {
        Some(block) => Some(block.clone().into()),
        None if own_host || reasoning.text.is_empty() => None,
        None => Some(object([("type", "thinking".into()), ("thinking", reasoning.text.as_str().into()), ("signature", "".into())])),
    }
}
