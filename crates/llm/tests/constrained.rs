//! A model whose weights are noise, held to the form of calls by a real `llama-server`: every call that it makes is valid for the
//! schema of its tool. `cargo xtask calls` prints the figures.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may stop where it stands, and its figures are printed")]

use std::time::Duration;

use krabba_llm::{Caller, Collected, OrphanPolicy, Shape, Target, collect};
use krabba_markup::check;
use krabba_net::{Egress, HttpClient, Url};
use krabba_redact::Redactor;
use krabba_testkit::{LlamaServer, ModelFile, Script, ScriptedServer};
use krabba_types::{
    Aliases, CALL_TOOL, CallChannel, Calling, Dialect, FaultKind, JsonObject, Message, ModelId, ModelRef, ModelRequest, Params, ProviderId,
    Residency, Role, ServerKind, Thinking, ToolAbility, ToolCall, ToolSpec,
};
use serde_json::{Value, json};

/// More steps than a model needs that answers in words as often as it calls.
const STEPS: usize = 1_000;

/// Schemas from a seed.
struct Draw {
    state: u64,
    parts: Parts,
}

#[derive(Clone)]
struct Offered {
    tools: Vec<ToolSpec>,
    further: Vec<ToolSpec>,
}

impl Offered {
    /// The tool that runs, and what with.
    fn meant(&self, call: &ToolCall) -> Option<(&ToolSpec, JsonObject)> {
        if call.name != CALL_TOOL {
            return Some((self.tools.iter().find(|tool| tool.name == call.name)?, call.arguments.clone()));
        }
        let further = self.further.iter().find(|tool| call.arguments["name"] == tool.name)?;
        Some((further, call.arguments["arguments"].as_object()?.clone()))
    }
}

/// Whether numbers with a part behind the point are among them. llama.cpp's own converter of schemas, which is LM Studio's too, holds
/// those neither to their limits nor to an end of their digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Parts {
    Drawn,
    Left,
}

impl Draw {
    /// From 0 to `below` - 1.
    fn number(&mut self, below: u64) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state % below
    }

    /// Tools that the model is told of, and as many that it finds by a search.
    fn offered(&mut self) -> Offered {
        let (mut tools, mut further) = (self.tools(), self.tools());
        further.iter_mut().for_each(|tool| tool.name = format!("further_{}", tool.name));
        let free = json!({ "type": "object", "properties": { "name": { "type": "string" }, "arguments": { "type": "object" } }, "required": ["name", "arguments"] });
        let parameters = free.as_object().unwrap().clone();
        tools.push(ToolSpec { name: CALL_TOOL.to_owned(), description: "Calls.".to_owned(), parameters, aliases: Aliases::default() });
        Offered { tools, further }
    }

    fn tools(&mut self) -> Vec<ToolSpec> {
        let number = if self.parts == Parts::Drawn { "number" } else { "integer" };
        let count = 1 + self.number(3);
        (0..count)
            .map(|index| {
                let mut parameters = self.object(3);
                parameters.insert("$defs".to_owned(), json!({ "place": { "type": "object", "properties": { "x": { "type": number, "minimum": -90, "maximum": 90 }, "name": { "type": "string", "maxLength": 8 } }, "required": ["x"], "additionalProperties": false } }));
                ToolSpec { name: format!("tool_{index}"), description: format!("Tool {index}."), parameters, aliases: Aliases::default() }
            })
            .collect()
    }

    fn object(&mut self, depth: u64) -> JsonObject {
        let count = 1 + self.number(4);
        let properties: JsonObject = (0..count).map(|index| (format!("field_{index}"), self.value(depth))).collect();
        let required: Vec<String> = properties.keys().filter(|_| self.number(3) > 0).cloned().collect();
        let object = json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false });
        object.as_object().unwrap().clone()
    }

    fn value(&mut self, depth: u64) -> Value {
        match self.number(if depth == 0 { 8 } else { 13 }) {
            0 | 1 => {
                let least = self.number(4);
                json!({ "type": "string", "minLength": least, "maxLength": least + self.number(12) })
            }
            2 => json!({ "type": "integer" }),
            3 => {
                let least = i64::try_from(self.number(2_000)).unwrap() - 1_000;
                json!({ "type": "integer", "minimum": least, "maximum": least + i64::try_from(self.number(5_000)).unwrap() })
            }
            4 if self.parts == Parts::Drawn => {
                let least = f64::from(u32::try_from(self.number(4_000)).unwrap()) / 100.0 - 20.0;
                json!({ "type": "number", "minimum": least, "exclusiveMaximum": least + 0.5 + f64::from(u32::try_from(self.number(90)).unwrap()) })
            }
            4 | 5 => json!({ "type": ["boolean", "null"] }),
            6 => json!({ "enum": ["left", "right \"quoted\"", "grüße", 7, null] }),
            7 => json!({ "type": "string", "enum": (0..2 + self.number(5)).map(|index| format!("choice-{index}")).collect::<Vec<_>>() }),
            8 | 9 => {
                let (items, least) = (self.value(depth - 1), self.number(3));
                json!({ "type": "array", "items": items, "minItems": least, "maxItems": least + self.number(3) })
            }
            10 => json!({ "anyOf": [self.value(depth - 1), { "type": "null" }] }),
            11 => json!({ "$ref": "#/$defs/place" }),
            _ => Value::Object(self.object(depth - 1)),
        }
    }
}

/// The server at `url`, taken for one of any kind.
fn target(url: &str, kind: ServerKind, dialect: Dialect) -> Target {
    let route = ModelRef::new(ProviderId::new("box"), ModelId::new("m"));
    Target {
        route: route.clone(),
        dialect,
        base_url: if dialect == Dialect::Ollama { url.to_owned() } else { format!("{url}/v1") },
        key: None,
        headers: Vec::new(),
        shape: Shape::new(kind, route),
        connect_timeout: Duration::from_secs(2),
        residency: Residency::Device,
        orphan: OrphanPolicy::Stream,
    }
}

fn caller(url: &str) -> Caller {
    let egress = Egress::none();
    egress.allow(&Url::parse(url).unwrap());
    Caller::new(HttpClient::new(egress), Redactor::default())
}

fn request(offered: Offered, seed: i64, budget: u32, extra: &Value) -> ModelRequest {
    let extra_body = extra.as_object().unwrap().clone();
    ModelRequest {
        model: ModelId::new("m"),
        messages: vec![Message::text(Role::User, "Go on.")],
        tools: offered.tools,
        calling: Calling { mode: ToolAbility::Constrained, further: offered.further, ..Calling::default() },
        max_output_tokens: Some(budget),
        thinking: Thinking::Unspecified,
        params: Params { seed: Some(seed), extra_body, ..Params::default() },
    }
}

/// What the server is asked to hold the model to, and as what kind of server.
struct Form {
    name: &'static str,
    kind: ServerKind,
    /// So many calls are waited for.
    calls: usize,
    /// Room for a call of the largest schema that is drawn. Words of noise only end there, and under a schema this server reads
    /// all of them again with every token.
    budget: u32,
    parts: Parts,
    /// For the grammar: noise hardly ever begins with the one character that a call begins with; this makes it likely, and touches
    /// nothing else.
    extra: Value,
}

#[derive(Default)]
struct Figures {
    valid: usize,
    calls: usize,
    /// Calls through another tool.
    through: usize,
    words: usize,
    wrong: Vec<String>,
}

impl Figures {
    fn take(&mut self, offered: &Offered, got: &Collected) {
        if got.calls.is_empty() && got.broken.is_empty() {
            self.words += 1;
            // llama.cpp cannot parse a JSON object that was cut off where the room ended, and says so instead of giving it.
            let cut = got.end.as_ref().is_err_and(|fault| fault.message.contains("does not match the expected"));
            if got.text.trim().is_empty() && !cut {
                self.wrong.push(format!("neither words nor a call: {:?}", got.end));
            }
            return;
        }
        self.calls += got.calls.len() + got.broken.len();
        for call in &got.calls {
            self.through += usize::from(call.name == CALL_TOOL);
            match offered.meant(call).map(|(tool, arguments)| check(&arguments, &tool.parameters)) {
                Some(Ok(())) if call.channel == CallChannel::Constrained && got.text.trim().is_empty() => self.valid += 1,
                other => self.wrong.push(format!("{call:?} beside {:?}: {other:?}", got.text)),
            }
        }
        self.wrong.extend(got.broken.iter().map(|broken| format!("{broken:?}")));
    }
}

/// Bytes that are no character are forbidden: that converter lets them through, and in this model file a byte is a token of its number.
/// And a name is made likely, because noise has no end to its words.
fn schema_bias() -> Vec<Value> {
    let broken = (237..=255).filter(|byte| !(238..244).contains(byte)).map(|byte| json!([byte, false]));
    broken.chain([json!(["n", 4.0])]).collect()
}

#[tokio::test]
async fn noise_that_is_held_to_a_form_makes_no_invalid_call() {
    let seed = std::env::var("KRABBA_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(4_711_u64);
    let server = LlamaServer::start(ModelFile::RandomTiny, &["--alias", "m"]).await.unwrap();
    let caller = caller(&server.url());
    let forms = [
        Form {
            name: "grammar",
            kind: ServerKind::LlamaCpp,
            calls: 200,
            budget: 1_024,
            parts: Parts::Drawn,
            extra: json!({ "logit_bias": [["<", 4.0]] }),
        },
        Form {
            name: "json_schema",
            kind: ServerKind::LmStudio,
            calls: 50,
            budget: 512,
            parts: Parts::Left,
            extra: json!({ "logit_bias": schema_bias() }),
        },
    ];
    for form in &forms {
        let (mut draw, mut figures, mut steps) = (Draw { state: seed, parts: form.parts }, Figures::default(), 0);
        while figures.calls < form.calls && steps < STEPS {
            steps += 1;
            let offered = draw.offered();
            let asked = request(offered.clone(), i64::try_from(steps).unwrap(), form.budget, &form.extra);
            let target = target(&server.url(), form.kind, Dialect::OpenAiCompletions);
            let got = collect(caller.call(target, asked)).await;
            // A connection that is used again may be closed by the server in that moment; no step was made then.
            if !got.end.as_ref().is_err_and(|fault| fault.kind == FaultKind::Unreachable) {
                figures.take(&offered, &got);
            }
        }
        let Figures { valid, calls, through, words, wrong } = figures;
        println!(
            "{}: {valid} of {calls} calls valid, {through} of them of tools that were not listed, {words} answers in words (noise does not end them), schemas of seed {seed}",
            form.name
        );
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        assert!(valid == calls && calls >= form.calls && through > 0, "{valid} of {calls} in {steps} steps, {through} not listed");
    }
}

#[tokio::test]
async fn each_server_is_asked_to_hold_its_model_in_a_field_that_it_knows() {
    let script = "{server: 'other', rules: [{steps: [{text: '{\"reply\": \"one '}, {text: 'and\\\\ntwo\"}'}, 'end']}]}";
    let server = ScriptedServer::start(script.parse::<Script>().unwrap()).await.unwrap();
    let caller = caller(&server.url());
    let cases = [
        (ServerKind::LlamaCpp, Dialect::OpenAiCompletions, Some("grammar")),
        (ServerKind::LmStudio, Dialect::OpenAiCompletions, Some("response_format")),
        (ServerKind::Vllm, Dialect::OpenAiCompletions, Some("response_format")),
        (ServerKind::Sglang, Dialect::OpenAiCompletions, Some("response_format")),
        (ServerKind::Ollama, Dialect::OpenAiCompletions, Some("response_format")),
        (ServerKind::Ollama, Dialect::Ollama, Some("format")),
        (ServerKind::LlamaCpp, Dialect::OpenAiResponses, Some("grammar")),
        (ServerKind::LmStudio, Dialect::OpenAiResponses, Some("text")),
        (ServerKind::OpenAi, Dialect::OpenAiResponses, Some("text")),
        (ServerKind::LlamaCpp, Dialect::AnthropicMessages, None),
    ];
    for (index, (kind, dialect, field)) in cases.into_iter().enumerate() {
        let asked = request(Draw { state: 7, parts: Parts::Drawn }.offered(), 1, 256, &json!({}));
        let got = collect(caller.call(target(&server.url(), kind, dialect), asked)).await;
        let sent = server.generations()[index].json.clone().unwrap();
        let held: Vec<&str> =
            ["grammar", "response_format", "text", "format"].into_iter().filter(|name| sent.get(name).is_some()).collect();
        assert_eq!(held, field.into_iter().collect::<Vec<_>>(), "{kind:?} in {dialect}");
        assert!(sent.get("tools").is_none() && sent.to_string().contains("tool_0"), "{sent}");
        let in_object = matches!(field, Some("response_format" | "text" | "format"));
        let text = if in_object { "one and\ntwo" } else { "{\"reply\": \"one and\\ntwo\"}" };
        assert_eq!(got.text, text, "{kind:?} in {dialect}");
    }
}
