//! How long a large configuration takes to load, compared with its JSON5 parser alone: 2,000 models, about 1 MB, in
//! interleaved pairs. Prints medians; the goal is a ratio of 2 at most.

#![allow(clippy::print_stdout, reason = "a bench prints its figures")]

use std::fmt::Write;
use std::hint::black_box;
use std::time::{Duration, Instant};

use krabba_config::{Env, parse_text};

const MODELS: usize = 2000;
const ROUNDS: usize = 41;

fn main() {
    let start = Instant::now();
    let small = parse_text("{ agents: { defaults: { model: 'a/b' } } }", &Env::default());
    println!("first of all, small  {:>8.2} ms, the schema included", milliseconds(start.elapsed()));
    drop(black_box(small));
    let text = configuration();
    let env = Env::new([("BENCH_KEY".to_owned(), "key".to_owned())]);
    let (mut parser, mut loader) = (Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        let start = Instant::now();
        let value: serde_json::Value = json5::from_str(black_box(&text)).unwrap_or_default();
        let parsed = start.elapsed();
        drop(black_box(value));

        let start = Instant::now();
        let loaded = parse_text(black_box(&text), &env);
        let took = start.elapsed();
        match loaded {
            Ok(loaded)
                if loaded.diagnostics.is_empty()
                    && loaded.config.models.providers.iter().map(|(_, provider)| provider.models.len()).sum::<usize>() == MODELS => {}
            Ok(loaded) => println!("unexpected: {}", krabba_config::render(&loaded.diagnostics, krabba_config::Paint::Plain)),
            Err(diagnostics) => println!("unexpected: {}", krabba_config::render(&diagnostics, krabba_config::Paint::Plain)),
        }
        // The first round warms the caches.
        if round > 0 {
            parser.push(parsed);
            loader.push(took);
        }
    }
    let (parser, loader) = (median(&mut parser), median(&mut loader));
    println!("text                 {:>8.2} MB, {MODELS} models", text.len() as f64 / 1e6);
    println!("json5 alone, median  {:>8.2} ms", milliseconds(parser));
    println!("load, median         {:>8.2} ms", milliseconds(loader));
    println!("ratio                {:>8.2}", loader.as_secs_f64() / parser.as_secs_f64());
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
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
