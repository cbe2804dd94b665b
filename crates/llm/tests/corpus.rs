//! Every quirk of the corpus, in every dialect that it applies to, streamed and whole: what comes out of a call is what
//! the quirk's file says.

#![allow(clippy::unwrap_used, reason = "a test may stop where it stands")]

use std::fmt::Write;
use std::time::Duration;

use krabba_llm::{Caller, Collected, OrphanPolicy, Shape, Target, collect};
use krabba_net::{Egress, HttpClient, Url};
use krabba_redact::Redactor;
use krabba_testkit::{Expect, Outcome, Quirk, ScriptedServer};
use krabba_types::{
    Aliases, Calling, Dialect, DoneReason, FaultKind, Message, ModelId, ModelRef, ModelRequest, Params, ProviderId, Residency, Role,
    Secret, Thinking, ToolSpec,
};

/// A stalled or endless stream is ended by whoever listens, here after this long; everything else answers far sooner.
const PATIENCE: Duration = Duration::from_secs(20);
const SHORT_PATIENCE: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Delivery {
    Stream,
    Whole,
}

impl Delivery {
    fn name(self) -> &'static str {
        match self {
            Self::Stream => "stream",
            Self::Whole => "whole",
        }
    }
}

#[tokio::test]
async fn every_quirk_ends_as_its_file_says() {
    let quirks = Quirk::all().unwrap();
    assert!(quirks.len() > 100, "the corpus is not there");
    let mut deviations = String::new();
    for quirk in &quirks {
        for dialect in quirk.dialects() {
            for delivery in [Delivery::Stream, Delivery::Whole] {
                if quirk.expect.only.as_deref().is_some_and(|only| only != delivery.name()) {
                    continue;
                }
                let got = run(quirk, dialect, delivery).await;
                for deviation in deviations_of(&quirk.expect, dialect, got.as_ref()) {
                    writeln!(deviations, "{} in {dialect}, {}: {deviation}", quirk.name, delivery.name()).unwrap();
                }
            }
        }
    }
    assert!(deviations.is_empty(), "{deviations}");
}

/// What the last of the quirk's requests brought; `None` when it did not end by itself.
async fn run(quirk: &Quirk, dialect: Dialect, delivery: Delivery) -> Option<Collected> {
    let server = ScriptedServer::start(quirk.script.clone()).await.unwrap();
    let egress = Egress::none();
    egress.allow(&Url::parse(&server.url()).unwrap());
    let caller = Caller::new(HttpClient::new(egress), Redactor::default());
    let route = ModelRef::new(ProviderId::new("quirk"), ModelId::new(quirk.model()));
    let mut shape = Shape::new(quirk.script.server, route.clone());
    shape.stream = delivery == Delivery::Stream;
    let target = Target {
        route,
        dialect,
        base_url: if dialect == Dialect::Ollama { server.url() } else { server.v1() },
        key: quirk.key().map(Secret::new),
        headers: Vec::new(),
        shape,
        connect_timeout: Duration::from_secs(2),
        residency: Residency::Device,
        // Only where the template opened the block is a closing tag alone to be expected.
        orphan: if quirk.name.contains("unopened") { OrphanPolicy::Hold } else { OrphanPolicy::Stream },
    };
    let request = ModelRequest {
        model: ModelId::new(quirk.model()),
        messages: vec![Message::text(Role::System, "Be brief."), Message::text(Role::User, quirk.prompt())],
        tools: if quirk.script.ask.tools { vec![weather()] } else { Vec::new() },
        calling: Calling::default(),
        max_output_tokens: Some(quirk.script.ask.max_output_tokens.unwrap_or(256)),
        thinking: Thinking::Unspecified,
        params: Params::default(),
    };
    let patience = if *quirk.expect.outcome_in(dialect) == Outcome::Endless { SHORT_PATIENCE } else { PATIENCE };
    let mut last = None;
    for _ in 0..quirk.script.ask.times.unwrap_or(1) {
        last = tokio::time::timeout(patience, collect(caller.call(target.clone(), request.clone()))).await.ok();
    }
    last
}

fn weather() -> ToolSpec {
    let schema = r#"{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}"#;
    ToolSpec {
        name: "get_weather".to_owned(),
        description: "weather".to_owned(),
        parameters: serde_json::from_str(schema).unwrap(),
        aliases: Aliases::default(),
    }
}

fn deviations_of(expect: &Expect, dialect: Dialect, got: Option<&Collected>) -> Vec<String> {
    let outcome = expect.outcome_in(dialect);
    let Some(got) = got else {
        return if *outcome == Outcome::Endless { Vec::new() } else { vec!["it did not end".to_owned()] };
    };
    let mut deviations: Vec<String> = end_deviation(expect, outcome, &got.end).into_iter().collect();
    if expect.except.contains_key(&dialect) {
        return deviations;
    }
    let mut compare = |what: &str, is: String, wanted: Option<String>| {
        if let Some(wanted) = wanted
            && is != wanted
        {
            deviations.push(format!("{what} is {is:?}, not {wanted:?}"));
        }
    };
    compare("text", got.text.clone(), expect.text.clone());
    compare("reasoning", got.reasoning.clone(), expect.reasoning.clone());
    if let Ok(done) = &got.end {
        compare("finish", finish(*done), expect.finish.clone());
    }
    compare("answering model", answered(got), Some(expect.answered_by.clone().unwrap_or_default()));
    if !expect.calls.is_empty() {
        let is: Vec<_> = got.calls.iter().map(|call| (&call.name, &call.arguments)).collect();
        let wanted: Vec<_> = expect.calls.iter().map(|call| (&call.name, &call.arguments)).collect();
        compare("list of calls", format!("{is:?}"), Some(format!("{wanted:?}")));
    }
    if !expect.broken.is_empty() {
        let is: Vec<String> = got.broken.iter().map(|broken| word(serde_json::to_value(broken.problem))).collect();
        compare("list of broken calls", is.join(", "), Some(expect.broken.join(", ")));
    }
    deviations
}

fn finish(done: DoneReason) -> String {
    word(serde_json::to_value(done))
}

fn word(value: serde_json::Result<serde_json::Value>) -> String {
    value.unwrap().as_str().unwrap().to_owned()
}

fn answered(got: &Collected) -> String {
    got.answered_by.as_ref().map(ToString::to_string).unwrap_or_default()
}

fn end_deviation(expect: &Expect, outcome: &Outcome, end: &Result<DoneReason, krabba_types::Fault>) -> Option<String> {
    let as_expected = match (end, outcome) {
        (Ok(_), Outcome::Complete) | (Err(_), Outcome::AnyFault | Outcome::Endless) => true,
        (Err(fault), Outcome::Fault(kind)) => {
            let limit_fits = match (&fault.kind, expect.limit) {
                (FaultKind::Overflow { limit, .. }, Some(wanted)) => *limit == Some(wanted),
                _ => true,
            };
            let field_fits = match (&fault.kind, &expect.field) {
                (FaultKind::Unsupported { field }, Some(wanted)) => field == wanted,
                _ => true,
            };
            fault.kind.name() == kind && limit_fits && field_fits
        }
        (Ok(_), Outcome::Fault(_) | Outcome::AnyFault | Outcome::Endless) | (Err(_), Outcome::Complete) => false,
    };
    (!as_expected).then(|| format!("it ended with {end:?}, not with {outcome:?}"))
}
