//! The words for a person: what happened, where, what to do next. Texts of a server are quoted on one line, cut, and
//! only after the redactor has seen them.

use std::time::Duration;

use krabba_dialect::ErrorBody;
use krabba_types::{FaultKind, Phase, ServerKind, grouped};

use crate::Site;

/// As many characters of a server's text are quoted.
const QUOTED: usize = 300;

/// Whether the answer ended because it became too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Budget {
    Left,
    UsedUp,
}

/// What a refusal means, for every kind that the classifier finds in an answer of a server.
pub(crate) fn refused(kind: &FaultKind, status: Option<u16>, error: &ErrorBody, retry_after: Option<Duration>, site: &Site) -> String {
    let who = site.who();
    let said = said(status, &error.message, site);
    let (model, provider) = (site.model(), &site.route.provider);
    match kind {
        FaultKind::Loading => format!("{who} is still loading {model}{said}"),
        FaultKind::Busy => format!("{who} is busy with other requests{said}"),
        FaultKind::RateLimited => match retry_after {
            Some(pause) => format!("{who} asks to wait {} s{said}", pause.as_secs_f64().ceil()),
            None => format!("{who} asks to slow down{said}"),
        },
        FaultKind::Overloaded => format!("{who} could not answer{said}{}", look(site)),
        FaultKind::Overflow { limit, asked } => overflow(&who, *limit, *asked, &said),
        FaultKind::Auth if status == Some(403) => {
            format!("{who} does not allow this{said}; check what the key of provider \"{provider}\" may do, and who may connect")
        }
        FaultKind::Auth => format!("{who} refused the key{said}; check the key of provider \"{provider}\""),
        FaultKind::Billing => format!("{who} wants payment{said}; check the account of provider \"{provider}\""),
        FaultKind::NoSuchModel => format!("{who} does not have the model {model} ready{said}; {}", remedy(&error.message, site)),
        FaultKind::Unsupported { field } if field == "api" => {
            format!("{who} does not offer {}{said}; set another \"api\" for provider \"{provider}\"", site.dialect)
        }
        FaultKind::Unsupported { field } => format!("{who} does not take \"{}\"{said}", quoted(field, site)),
        FaultKind::ContentPolicy => format!("{who} refused the request for its content{said}; say it in other words"),
        FaultKind::BadRequest => format!("{who} could not process the request{said}{}", look(site)),
        FaultKind::Malformed | FaultKind::Unparsed => format!("{who} could not make sense of what its model wrote{said}{}", look(site)),
        FaultKind::Truncated => format!("the answer of {who} broke off before its end{said}"),
        FaultKind::Unreachable
        | FaultKind::Stalled
        | FaultKind::Empty
        | FaultKind::OnlyReasoning
        | FaultKind::Looping
        | FaultKind::Cancelled => format!("{who} failed{said}"),
    }
}

fn overflow(who: &str, limit: Option<u32>, asked: Option<u32>, said: &str) -> String {
    let next = "shorten the conversation, or give the model a larger window";
    match (limit, asked) {
        (Some(limit), Some(asked)) => {
            format!("the request of {} tokens does not fit into the window of {} tokens of {who}; {next}", grouped(asked), grouped(limit))
        }
        (Some(limit), None) => format!("the request does not fit into the window of {} tokens of {who}; {next}", grouped(limit)),
        (None, Some(asked)) => format!("the request of {} tokens does not fit into the window of {who}{said}; {next}", grouped(asked)),
        (None, None) => format!("the request does not fit into the window of {who}{said}; {next}"),
    }
}

/// What brings a model to its server.
fn remedy(text: &str, site: &Site) -> String {
    let model = site.model();
    // It is there, and is no chat model.
    if text.contains("does not support") {
        return "choose a model that can chat".to_owned();
    }
    match site.server {
        ServerKind::LmStudio => format!("load it in LM Studio or run `lms load {model}`"),
        ServerKind::Ollama => format!("run `ollama pull {model}`"),
        ServerKind::LlamaCpp
        | ServerKind::Vllm
        | ServerKind::Sglang
        | ServerKind::LiteLlm
        | ServerKind::Mlx
        | ServerKind::LocalAi
        | ServerKind::Jan
        | ServerKind::OpenAi
        | ServerKind::Anthropic
        | ServerKind::OpenRouter
        | ServerKind::Other => "`krabba models list` shows what is there".to_owned(),
    }
}

/// Where to look for more; only the owner of a server can.
fn look(site: &Site) -> &'static str {
    match site.server {
        ServerKind::LmStudio
        | ServerKind::LlamaCpp
        | ServerKind::Ollama
        | ServerKind::Vllm
        | ServerKind::Sglang
        | ServerKind::LiteLlm
        | ServerKind::Mlx
        | ServerKind::LocalAi
        | ServerKind::Jan => "; its log may say more",
        ServerKind::OpenAi | ServerKind::Anthropic | ServerKind::OpenRouter | ServerKind::Other => "",
    }
}

/// ` (HTTP 400: "…")`.
fn said(status: Option<u16>, text: &str, site: &Site) -> String {
    let text = quoted(text, site);
    match (status, text.is_empty()) {
        (Some(status), true) => format!(" (HTTP {status})"),
        (Some(status), false) => format!(" (HTTP {status}: \"{text}\")"),
        (None, true) => String::new(),
        (None, false) => format!(" (\"{text}\")"),
    }
}

/// One line of at most [`QUOTED`] characters, without secrets, control characters, and those that turn the direction of
/// text around and so make a line read as another.
pub(crate) fn quoted(text: &str, site: &Site) -> String {
    // Redacted whole before it is cut: half a secret is not recognised any more.
    let text = site.redactor.redact(text);
    let words: Vec<&str> =
        text.split(|c: char| c.is_whitespace() || c.is_control() || turns_text(c)).filter(|word| !word.is_empty()).collect();
    let line = words.join(" ").replace('"', "'");
    match line.char_indices().nth(QUOTED) {
        Some((cut, _)) => format!("{}…", line.split_at(cut).0),
        None => line,
    }
}

/// Unicode's `Bidi_Control` characters.
fn turns_text(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A 2xx whose body is neither a stream nor JSON of any dialect.
pub(crate) fn not_a_dialect(text: &str, site: &Site) -> String {
    let what = if text.trim_start().starts_with('<') {
        "a web page".to_owned()
    } else if text.trim().is_empty() {
        "nothing".to_owned()
    } else {
        format!("something else (\"{}\")", quoted(&text.chars().take(4 * QUOTED).collect::<String>(), site))
    };
    format!("{} sent {what} instead of an answer; is that the address of a model server, and \"api\" the right one?", site.who())
}

pub(crate) fn redirected(status: u16, location: &str, site: &Site) -> String {
    let location = site.redactor.redact(location.split(['?', '#']).next().unwrap_or_default());
    format!("{} sends on to {location} (HTTP {status}), which is not followed; set that address as base URL if it is yours", site.who())
}

pub(crate) fn truncated(site: &Site, phase: Phase) -> String {
    let who = site.who();
    match (phase, site.server) {
        (Phase::Streaming, _) => format!("the answer of {who} broke off before its end"),
        // LM Studio with GGUF models: 200, an empty stream, and the reason only in its own log.
        (_, ServerKind::LmStudio) => {
            format!("{who} ended the stream without a word; it does that when the prompt is larger than the loaded window")
        }
        (_, _) => format!("{who} ended the stream without a word; its log may tell why"),
    }
}

pub(crate) fn empty(site: &Site) -> String {
    format!("{} says that it is finished and sent nothing", site.who())
}

pub(crate) fn only_reasoning(site: &Site, budget: Budget) -> String {
    let why =
        if budget == Budget::UsedUp { " until its budget was used up; think less or allow a longer answer" } else { " and gave no answer" };
    format!("{} of {} only reasoned{why}", site.model(), site.who())
}

pub(crate) fn filtered(site: &Site) -> String {
    format!("{} withheld the answer for its content", site.who())
}

pub(crate) fn gave_up(site: &Site) -> String {
    format!("{} gave up in the middle of the answer without saying why", site.who())
}

pub(crate) fn window_full(site: &Site) -> String {
    format!("the window of {} is full before the answer begins", site.who())
}

pub(crate) fn incomplete_call(site: &Site) -> String {
    format!("{} ended in the middle of a tool call", site.who())
}

pub(crate) fn malformed(site: &Site, text: &str) -> String {
    format!("{} sent what is not {} (\"{}\")", site.who(), site.dialect, quoted(text, site))
}

pub(crate) fn looping(site: &Site) -> String {
    format!("{} repeats itself without end; the answer was stopped", site.model())
}

pub(crate) fn endless(site: &Site, limit: usize) -> String {
    format!("{} does not stop sending; the answer was ended after {} MiB", site.who(), limit / (1024 * 1024))
}
