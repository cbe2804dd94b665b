//! The one classifier: from everything that can go wrong with a call to a [`Fault`].
//!
//! What a server says is read in this order, the first that knows decides:
//!
//! 1. machine words (`code`, `type`, OpenRouter's `metadata.error_type`), see [`families::of_word`];
//! 2. the statuses that mean one thing everywhere (401, 402, 429, 529);
//! 3. text families, see [`families::of_text`], because most local servers have nothing but their text;
//! 4. a refused field, see [`fields::refused`];
//! 5. the status alone.
//!
//! An error inside a stream has no status of its own; a numeric `code` stands in for it (llama.cpp, OpenRouter, vLLM).
//! `mlx_lm` answers 404 to any failure at the start of a generation, so a 404 is a missing model only if it says so.

use std::time::Duration;

use krabba_dialect::ErrorBody;
use krabba_net::NetError;
use krabba_types::{Fault, FaultKind, Phase};

use crate::{Site, families, fields, message};

/// Something that went wrong.
#[derive(Debug)]
pub enum Trouble<'a> {
    /// Between us and the server.
    Network(&'a NetError),
    /// A status other than 2xx and 3xx, with its body; an unreadable body is an empty [`ErrorBody`].
    Status {
        /// The HTTP status.
        status: u16,
        /// What the server says.
        error: &'a ErrorBody,
        /// What it asks for in its headers.
        retry_after: Option<Duration>,
    },
    /// An error inside of a 2xx answer.
    InStream(&'a ErrorBody),
    /// A redirect, which is never followed.
    Redirect {
        /// The HTTP status.
        status: u16,
        /// Where to.
        location: &'a str,
    },
    /// A 2xx answer that no dialect can read: a web page, nothing, garbage.
    NotADialect {
        /// How it begins.
        text: &'a str,
    },
}

/// Classifies `trouble` that occurred in `phase` at `site`. The message is for people and free of secrets.
pub fn classify(trouble: &Trouble<'_>, phase: Phase, site: &Site) -> Fault {
    match trouble {
        Trouble::Network(error) => of_network(error, phase, site),
        Trouble::Status { status, error, retry_after } => of_answer(Some(*status), error, *retry_after, phase, site),
        Trouble::InStream(error) => of_answer(None, error, None, phase, site),
        Trouble::Redirect { status, location } => {
            let message = message::redirected(*status, location, site);
            Fault { status: Some(*status), ..Fault::new(FaultKind::Malformed, phase, message) }
        }
        Trouble::NotADialect { text } => Fault::new(FaultKind::Malformed, phase, message::not_a_dialect(text, site)),
    }
}

fn of_network(error: &NetError, phase: Phase, site: &Site) -> Fault {
    let kind = match error {
        NetError::Refused { .. }
        | NetError::Dns { .. }
        | NetError::Connect { .. }
        | NetError::Tls { .. }
        | NetError::ConnectTimeout { .. }
        | NetError::Reset { .. }
        | NetError::Other { .. } => FaultKind::Unreachable,
        // The only part of a request that comes from the configuration unchecked is a key or a header.
        NetError::BadRequest { .. } => FaultKind::Auth,
        NetError::NotHttp { .. } | NetError::TooLarge { .. } => FaultKind::Malformed,
        NetError::Cut { .. } => FaultKind::Truncated,
    };
    let message = site.redactor.redact(&error.to_string()).into_owned();
    Fault::new(kind, phase, format!("{}: {message}", site.route.provider))
}

fn of_answer(status: Option<u16>, error: &ErrorBody, retry_after: Option<Duration>, phase: Phase, site: &Site) -> Fault {
    let retry_after = retry_after.or(error.retry_after_ms.map(Duration::from_millis));
    let kind = kind(status, error, retry_after, site);
    let message = message::refused(&kind, status, error, retry_after, site);
    Fault { kind, phase, status, message, retry_after }
}

fn kind(status: Option<u16>, error: &ErrorBody, retry_after: Option<Duration>, site: &Site) -> FaultKind {
    let status = status.or_else(|| error.code.as_deref()?.parse().ok().filter(|code| (400..600).contains(code)));
    let text = error.message.to_lowercase();
    if let Some(meaning) = families::of_word(error, &text) {
        return settle(meaning, error, retry_after);
    }
    if let Some(meaning) = of_status(status, &text) {
        return settle(meaning, error, retry_after);
    }
    if let Some(meaning) = families::of_text(&text, site) {
        return settle(meaning, error, retry_after);
    }
    if let Some(field) = fields::refused(error) {
        return FaultKind::Unsupported { field };
    }
    settle(families::of_bare_status(status, &text), error, retry_after)
}

/// The statuses that need no words.
fn of_status(status: Option<u16>, text: &str) -> Option<Meaning> {
    match status? {
        401 => Some(Meaning::Auth),
        402 => Some(Meaning::Billing),
        403 if families::is_moderation(text) => Some(Meaning::ContentPolicy),
        403 if families::is_billing(text) => Some(Meaning::Billing),
        403 => Some(Meaning::Auth),
        413 => Some(Meaning::Overflow),
        429 if families::is_billing(text) => Some(Meaning::Billing),
        429 => Some(Meaning::RateLimited),
        529 => Some(Meaning::Overloaded),
        _ => None,
    }
}

/// What an error means, before the numbers and names in it are filled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    Loading,
    Busy,
    RateLimited,
    Overloaded,
    Overflow,
    Auth,
    Billing,
    NoSuchModel,
    /// The field, or `api`.
    Unsupported(&'static str),
    BadRequest,
    ContentPolicy,
    Truncated,
    Unparsed,
}

fn settle(meaning: Meaning, error: &ErrorBody, retry_after: Option<Duration>) -> FaultKind {
    match meaning {
        Meaning::Loading => FaultKind::Loading,
        Meaning::Busy => FaultKind::Busy,
        Meaning::RateLimited => FaultKind::RateLimited,
        Meaning::Overloaded => FaultKind::Overloaded,
        Meaning::Overflow => FaultKind::Overflow { limit: error.window, asked: error.prompt_tokens },
        Meaning::Auth => FaultKind::Auth,
        // OpenRouter: 402 with a pause is the budget of requests in flight, and passes.
        Meaning::Billing if retry_after.is_some() || error.raw.contains("in_flight_budget") => FaultKind::RateLimited,
        Meaning::Billing => FaultKind::Billing,
        Meaning::NoSuchModel => FaultKind::NoSuchModel,
        Meaning::Unsupported(field) => FaultKind::Unsupported { field: field.to_owned() },
        Meaning::BadRequest => FaultKind::BadRequest,
        Meaning::ContentPolicy => FaultKind::ContentPolicy,
        Meaning::Truncated => FaultKind::Truncated,
        Meaning::Unparsed => FaultKind::Unparsed,
    }
}
