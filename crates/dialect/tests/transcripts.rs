//! Every quirk of every server that we know of, one file each under `tests/data/<dialect>/`.
//!
//! A transcript is the body of an answer as the server writes it; its first line, after `# `, says where the fact comes
//! from. The events that it must give stand beside it in a file of the same name ending in `.events`. Files called
//! `whole-…` are bodies in one piece; those under `errors` are bodies of error statuses. `KRABBA_BLESS=1` writes the
//! events anew: read the difference before keeping it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use krabba_dialect::{Decoder, ErrorBody, WireEvent, WireFinish, parse_error};
use krabba_types::{Dialect, Progress, Usage};

#[test]
fn chat_quirks_are_read() {
    compare_all("chat", |name, body| decode(Dialect::OpenAiCompletions, name, body));
}

#[test]
fn responses_quirks_are_read() {
    compare_all("responses", |name, body| decode(Dialect::OpenAiResponses, name, body));
}

#[test]
fn anthropic_quirks_are_read() {
    compare_all("anthropic", |name, body| decode(Dialect::AnthropicMessages, name, body));
}

#[test]
fn ollama_quirks_are_read() {
    compare_all("ollama", |name, body| decode(Dialect::Ollama, name, body));
}

#[test]
fn error_bodies_are_read() {
    compare_all("errors", |_, body| match parse_error(body.as_bytes()) {
        Some(error) => render_error(&error),
        None => "none\n".to_owned(),
    });
}

fn compare_all(folder: &str, run: impl Fn(&str, &str) -> String) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(folder);
    let mut transcripts: Vec<PathBuf> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    transcripts.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    transcripts.sort();
    assert!(!transcripts.is_empty(), "no transcripts in {}", folder.display());
    let bless = std::env::var_os("KRABBA_BLESS").is_some();
    let mut wrong = String::new();
    for path in transcripts {
        let name = path.file_stem().unwrap().to_str().unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let (header, body) = text.split_once('\n').unwrap();
        assert!(header.starts_with("# "), "{} does not say where its fact comes from", path.display());
        let found = run(name, body);
        let expected_path = path.with_extension("events");
        if bless {
            fs::write(&expected_path, &found).unwrap();
        }
        let expected = fs::read_to_string(&expected_path).unwrap_or_default();
        if found != expected {
            writeln!(wrong, "== {name} ({header})\n-- expected\n{expected}-- found\n{found}").unwrap();
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

fn decode(dialect: Dialect, name: &str, body: &str) -> String {
    let events = if name.starts_with("whole-") { Decoder::whole(dialect, body.as_bytes()) } else { stream(dialect, body) };
    events.iter().map(render).collect()
}

/// The plainest possible framing: what real bytes may look like is the business of the crate that reads them.
fn stream(dialect: Dialect, body: &str) -> Vec<WireEvent> {
    let mut decoder = Decoder::new(dialect);
    let mut out = Vec::new();
    let mut event = None;
    for line in body.lines().filter(|line| !line.is_empty()) {
        if let Some(name) = line.strip_prefix("event: ") {
            event = Some(name);
        } else if let Some(data) = line.strip_prefix("data: ") {
            decoder.event(event.take(), data, &mut out);
        } else if let Some(comment) = line.strip_prefix(':') {
            decoder.comment(comment, &mut out);
        } else {
            decoder.event(None, line, &mut out);
        }
    }
    decoder.finish(&mut out);
    out
}

fn render(event: &WireEvent) -> String {
    match event {
        WireEvent::AnsweredBy(model) => format!("answered by {model}\n"),
        WireEvent::Text(text) => format!("text {text:?}\n"),
        WireEvent::Reasoning(text) => format!("reasoning {text:?}\n"),
        WireEvent::ReasoningArtefact { field, artefact } => format!("artefact {field} {}\n", serde_json::to_string(artefact).unwrap()),
        WireEvent::ToolCallPart(part) => {
            format!("call part {} {} {:?}\n", part.index, part.name.as_deref().unwrap_or("-"), part.arguments)
        }
        WireEvent::ToolCall { server_id, name, arguments } => {
            let arguments = match arguments {
                Ok(object) => serde_json::to_string(object).unwrap(),
                Err(raw) => format!("unusable {raw:?}"),
            };
            format!("call {} {name} {arguments}\n", server_id.as_deref().unwrap_or("-"))
        }
        WireEvent::Progress(progress) => render_progress(progress),
        WireEvent::Usage(usage) => render_usage(usage),
        WireEvent::Finish(finish) => match finish {
            WireFinish::Unknown(word) => format!("finish unknown {word:?}\n"),
            known => format!("finish {known:?}\n"),
        },
        WireEvent::EndMarker => "end mark\n".to_owned(),
        WireEvent::Error(error) => render_error(error),
        WireEvent::Malformed(beginning) => format!("malformed {beginning:?}\n"),
    }
}

fn render_progress(progress: &Progress) -> String {
    match progress {
        Progress::Reading { done, total } => format!("reading {done} of {total}\n"),
        Progress::Loading { percent } => format!("loading {percent:?}\n"),
        Progress::Alive => "alive\n".to_owned(),
        other => format!("{other:?}\n"),
    }
}

fn render_usage(usage: &Usage) -> String {
    let value = serde_json::to_value(usage).unwrap();
    let known = value.as_object().unwrap().iter().filter(|(_, value)| !value.is_null());
    let counters: Vec<String> = known.map(|(key, value)| format!("{key}={value}")).collect();
    format!("usage {}\n", counters.join(" "))
}

fn render_error(error: &ErrorBody) -> String {
    let mut text = format!("error {:?}\n", error.message);
    let words = [("code", &error.code), ("kind", &error.kind), ("param", &error.param)];
    for (name, value) in words {
        if let Some(value) = value {
            writeln!(text, "  {name} {value}").unwrap();
        }
    }
    let numbers = [
        ("prompt tokens", error.prompt_tokens.map(u64::from)),
        ("window", error.window.map(u64::from)),
        ("pause ms", error.retry_after_ms),
    ];
    for (name, value) in numbers {
        if let Some(value) = value {
            writeln!(text, "  {name} {value}").unwrap();
        }
    }
    text
}
