//! Why a verb failed: in words for people on standard error, and for a program that asked with `--json` as an object on
//! standard output.
//!
//! The object is OpenClaw's, `{ok: false, error: {code, message}}`, with the `status` that a turn has as well, and `kind`, which
//! says the same as `code` under the name that attempts and faults have here.

use std::io::ErrorKind;
use std::process::ExitCode;

use krabba_config::{Diagnostics, Paint, Severity, render};
use krabba_local::ProbeError;
use krabba_route::ResolveError;
use krabba_store::StoreError;
use serde_json::{Value, json};

use crate::assemble::{ConfigErrors, Forbidden};

/// sysexits.h `EX_CONFIG`; service managers are told not to restart on it.
pub(crate) const CONFIG_ERROR: u8 = 78;

/// A failure for which programs have a word, and no other room a type.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// No model server is in reach.
    #[error("{0}")]
    Unserved(String),
    /// There is no such session, or more than one.
    #[error("{0}")]
    WhichSession(String),
    /// An answer is being made in it.
    #[error("{0}")]
    SessionInUse(String),
    /// There is no such question, or more than one.
    #[error("{0}")]
    WhichQuestion(String),
    /// The configuration has no such agent.
    #[error("{0}")]
    UnknownAgent(String),
}

/// Who reads standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reader {
    /// A person.
    Person,
    /// A program, which gets exactly one JSON object in any case.
    Program,
}

/// Tells why a verb failed.
pub(crate) fn report(error: &anyhow::Error, reader: Reader) -> ExitCode {
    // A closed pipe is how `krabba … | head` ends.
    if error.chain().any(|cause| cause.downcast_ref::<std::io::Error>().is_some_and(|io| io.kind() == ErrorKind::BrokenPipe)) {
        return ExitCode::SUCCESS;
    }
    if reader == Reader::Program {
        let shape = json!({ "ok": false, "status": "error", "error": shape(error) });
        println!("{shape:#}");
    }
    if let Some(ConfigErrors(diagnostics)) = error.downcast_ref() {
        eprint!("{}", render(diagnostics, Paint::Plain));
        return ExitCode::from(CONFIG_ERROR);
    }
    eprintln!("krabba: {}", words(error));
    if error.is::<Forbidden>() { ExitCode::from(CONFIG_ERROR) } else { ExitCode::FAILURE }
}

/// What went wrong, for programs: `code`, `kind`, `message`.
pub(crate) fn fault(kind: &str, message: &str) -> Value {
    json!({ "code": kind, "kind": kind, "message": message })
}

fn shape(error: &anyhow::Error) -> Value {
    let cause = |is: fn(&(dyn std::error::Error + 'static)) -> Option<&'static str>| error.chain().find_map(is);
    let kind = cause(kind).unwrap_or("failed");
    let Some(ConfigErrors(diagnostics)) = error.downcast_ref() else {
        let mut shape = fault(kind, &words(error));
        if let Some(resolve) = error.downcast_ref::<ResolveError>() {
            shape["closest"] = json!(resolve.closest());
        }
        return shape;
    };
    let mut shape = fault(kind, &format!("{error}: {}", errors(diagnostics)));
    shape["diagnostics"] = json!(diagnostics.iter().collect::<Vec<_>>());
    shape
}

/// The first cause that has a word.
fn kind(cause: &(dyn std::error::Error + 'static)) -> Option<&'static str> {
    if cause.is::<ConfigErrors>() || cause.is::<Forbidden>() {
        return Some("config");
    }
    if let Some(failure) = cause.downcast_ref::<Failure>() {
        return Some(match failure {
            Failure::Unserved(_) => "noServer",
            Failure::WhichSession(_) => "noSession",
            Failure::SessionInUse(_) => "sessionInUse",
            Failure::WhichQuestion(_) => "noQuestion",
            Failure::UnknownAgent(_) => "noAgent",
        });
    }
    if let Some(resolve) = cause.downcast_ref::<ResolveError>() {
        return Some(match resolve {
            ResolveError::Ambiguous { .. } => "ambiguousModel",
            ResolveError::Empty
            | ResolveError::Unknown { .. }
            | ResolveError::UnsupportedProvider { .. }
            | ResolveError::SwitchedOff { .. } => "noSuchModel",
        });
    }
    let is_state = cause.is::<StoreError>();
    let is_server = cause.is::<ProbeError>();
    is_state.then_some("state").or(is_server.then_some("noServer"))
}

fn errors(diagnostics: &Diagnostics) -> String {
    let errors = diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error);
    let line = |diagnostic: &krabba_config::Diagnostic| match &diagnostic.place {
        Some(place) => format!("{place}: {}", diagnostic.message),
        None => diagnostic.message.clone(),
    };
    errors.map(line).collect::<Vec<_>>().join("; ")
}

/// The error with its causes, without those whose words an error above them has said already.
pub(crate) fn words(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |said, cause| {
        if said.is_empty() {
            cause
        } else if said.contains(&cause) {
            said
        } else {
            format!("{said}: {cause}")
        }
    })
}
