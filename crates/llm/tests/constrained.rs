//! A model whose weights are noise, held to the form of calls by a real `llama-server`: every call that it makes is valid for the
//! schema of its tool. `cargo xtask calls` prints the figures.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may stop where it stands, and its figures are printed")]

use std::time::Duration;

use krabba_llm::{Caller, Collected, OrphanPolicy, Shape, Target, collect};
use krabba_markup::check;
use krabba_net::{Egress, HttpClient, Url};
use krabba_redact::Redactor;
use krabba_testkit::{LlamaServer, ModelFile};
use krabba_types::{
    CallChannel, Calling, Dialect, JsonObject, Message, ModelId, ModelRef, ModelRequest, Params, ProviderId, Residency, Role, ServerKind,
    Thinking, ToolAbility, ToolSpec,
};
use serde_json::{Value, json};

/// So many calls are asked for, in each of the two forms.
const CALLS: usize = 200;
/// More steps than a model needs that answers in words as often as it calls.
const STEPS: usize = 1_000;
/// Room for a call of the largest schema that is drawn, and an answer in words that is cut off.
const BUDGET: u32 = 1_024;

/// Schemas from a seed.
struct Draw(u64);

impl Draw {
    /// From 0 to `below` - 1.
    fn number(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % below
    }

    fn tools(&mut self) -> Vec<ToolSpec> {
        let count = 1 + self.number(3);
        (0..count)
            .map(|index| {
                let mut parameters = self.object(3);
                parameters.insert("$defs".to_owned(), json!({ "place": { "type": "object", "properties": { "x": { "type": "number", "minimum": -90, "maximum": 90 }, "name": { "type": "string", "maxLength": 8 } }, "required": ["x"], "additionalProperties": false } }));
                ToolSpec { name: format!("tool_{index}"), description: format!("Tool {index}."), parameters }
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
            4 => {
                let least = f64::from(u32::try_from(self.number(4_000)).unwrap()) / 100.0 - 20.0;
                json!({ "type": "number", "minimum": least, "exclusiveMaximum": least + 0.5 + f64::from(u32::try_from(self.number(90)).unwrap()) })
            }
            5 => json!({ "type": ["boolean", "null"] }),
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

/// The same server, taken for one of either kind.
fn target(server: &LlamaServer, kind: ServerKind) -> Target {
    let route = ModelRef::new(ProviderId::new("box"), ModelId::new("m"));
    Target {
        route: route.clone(),
        dialect: Dialect::OpenAiCompletions,
        base_url: format!("{}/v1", server.url()),
        key: None,
        headers: Vec::new(),
        shape: Shape::new(kind, route),
        connect_timeout: Duration::from_secs(2),
        residency: Residency::Device,
        orphan: OrphanPolicy::Stream,
    }
}

fn request(tools: Vec<ToolSpec>, seed: i64, form: &Form) -> ModelRequest {
    let extra_body = form.extra.as_object().unwrap().clone();
    ModelRequest {
        model: ModelId::new("m"),
        messages: vec![Message::text(Role::User, "Go on.")],
        tools,
        calling: Calling { mode: ToolAbility::Constrained, ..Calling::default() },
        max_output_tokens: Some(BUDGET),
        thinking: Thinking::Unspecified,
        params: Params { seed: Some(seed), extra_body, ..Params::default() },
    }
}

/// What the server is asked to hold the model to, and as what kind of server.
struct Form {
    name: &'static str,
    kind: ServerKind,
    /// Noise hardly ever begins with the one character that a call begins with; this makes it likely, and touches nothing else.
    extra: Value,
}

#[derive(Default)]
struct Figures {
    valid: usize,
    calls: usize,
    words: usize,
    wrong: Vec<String>,
}

impl Figures {
    fn take(&mut self, tools: &[ToolSpec], got: &Collected) {
        if got.calls.is_empty() && got.broken.is_empty() {
            self.words += 1;
            if got.text.trim().is_empty() {
                self.wrong.push(format!("neither words nor a call: {:?}", got.end));
            }
            return;
        }
        self.calls += got.calls.len() + got.broken.len();
        for call in &got.calls {
            let schema = &tools.iter().find(|tool| tool.name == call.name).unwrap().parameters;
            match check(&call.arguments, schema) {
                Ok(()) if call.channel == CallChannel::Constrained && got.text.trim().is_empty() => self.valid += 1,
                other => self.wrong.push(format!("{call:?} beside {:?}: {other:?}", got.text)),
            }
        }
        self.wrong.extend(got.broken.iter().map(|broken| format!("{broken:?}")));
    }
}

#[tokio::test]
async fn noise_that_is_held_to_a_form_makes_no_invalid_call() {
    let seed = std::env::var("KRABBA_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(4_711_u64);
    let server = LlamaServer::start(ModelFile::Random, &["--alias", "m"]).await.unwrap();
    let egress = Egress::none();
    egress.allow(&Url::parse(&server.url()).unwrap());
    let caller = Caller::new(HttpClient::new(egress), Redactor::default());
    let forms = [
        Form { name: "grammar", kind: ServerKind::LlamaCpp, extra: json!({ "logit_bias": [["<", 4.0]] }) },
        Form { name: "json_schema", kind: ServerKind::LmStudio, extra: json!({}) },
    ];
    for form in &forms {
        let (mut draw, mut figures, mut steps) = (Draw(seed), Figures::default(), 0);
        while figures.calls < CALLS && steps < STEPS {
            steps += 1;
            let tools = draw.tools();
            let asked = request(tools.clone(), i64::try_from(steps).unwrap(), form);
            figures.take(&tools, &collect(caller.call(target(&server, form.kind), asked)).await);
        }
        let Figures { valid, calls, words, wrong } = figures;
        println!("{}: {valid} of {calls} calls valid, {words} answers in words, schemas of seed {seed}", form.name);
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        assert!(valid == calls && calls >= CALLS, "{valid} of {calls} in {steps} steps");
    }
}
