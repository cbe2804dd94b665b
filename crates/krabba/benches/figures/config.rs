//! How long a large configuration takes to be loaded, beside its JSON5 parser alone.

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::Instant;

use anyhow::{Result, ensure};
use krabba_config::{Env, Paint, parse_text, render};

use crate::samples::{Samples, milliseconds};
use crate::table::{Row, Table};

const MODELS: usize = 2_000;
/// Pairs, after one that does not count: it makes the schema and warms the caches.
const ROUNDS: usize = 41;

/// Measures loading.
pub(crate) fn measure(table: &mut Table) -> Result<()> {
    let text = configuration();
    let env = Env::new([("BENCH_KEY".to_owned(), "key".to_owned())]);
    let (mut parser, mut loader) = (Samples::default(), Samples::default());
    for round in 0..=ROUNDS {
        let started = Instant::now();
        let value: serde_json::Value = json5::from_str(black_box(&text))?;
        let parsed = started.elapsed();
        drop(black_box(value));

        let started = Instant::now();
        let outcome = parse_text(black_box(&text), &env);
        let took = started.elapsed();
        match outcome {
            Ok(loaded) => {
                ensure!(loaded.diagnostics.is_empty(), "{}", render(&loaded.diagnostics, Paint::Plain));
                let models: usize = loaded.config.models.providers.iter().map(|(_, provider)| provider.models.len()).sum();
                ensure!(models == MODELS, "{models} models were read");
            }
            Err(diagnostics) => anyhow::bail!("{}", render(&diagnostics, Paint::Plain)),
        }
        if round > 0 {
            parser.add(parsed);
            loader.add(took);
        }
    }
    table.add(Row {
        figure: format!("load a configuration of {:.1} MB, {MODELS} models", text.len() as f64 / 1e6),
        krabba: milliseconds(loader.median()),
        beside: format!("json5 parser alone {}", milliseconds(parser.median())),
        more: format!("× {:.2}", loader.median() / parser.median()),
        goal: "≤ × 2",
    });
    Ok(())
}

fn configuration() -> String {
    let mut text = "// Made for measuring.\n{\n  models: {\n    mode: \"merge\",\n    providers: {\n".to_owned();
    for provider in 0..10 {
        let _ = writeln!(
            text,
            "      box{provider}: {{\n        baseUrl: \"http://10.0.0.{provider}:1234/v1\",\n        apiKey: \"${{BENCH_KEY}}\",\n        api: \"openai-responses\",\n        models: ["
        );
        for model in 0..MODELS / 10 {
            let _ = writeln!(
                text,
                "          {{\n            id: \"vendor/model-{provider}-{model}-instruct@q4_k_m\", // a comment, as people write them\n            name: \"Model {model} of box {provider}, instruct, 4 bit\",\n            reasoning: false,\n            input: [\"text\", \"image\"],\n            cost: {{ input: 0.25, output: 1.5, cacheRead: 0, cacheWrite: 0 }},\n            contextWindow: 131072,\n            maxTokens: 8192,\n            params: {{ temperature: 0.7, top_p: 0.95, stop: [\"<|end|>\"] }},\n            compat: {{ supportsDeveloperRole: false, maxTokensField: \"max_tokens\" }},\n          }},"
            );
        }
        text.push_str("        ],\n      },\n");
    }
    text.push_str("    },\n  },\n}\n");
    text
}
