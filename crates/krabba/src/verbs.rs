//! What each verb does. Every verb is a module with one `run` that reads its flags, does its work and says how it ended.

mod approvals;
mod ask;
mod chat;
mod config;
mod doctor;
mod explain;
mod mcp;
mod models;
mod policy;
mod security;
mod sessions;

pub(crate) use models::set_default;

use std::process::ExitCode;

use anyhow::Result;
use krabba_types::{RouteState, Timestamp, grouped};

use crate::assemble::Home;
use crate::cli::{Cli, SecurityVerb, Talk, Verb};
use crate::onboard::Named;

/// Runs the verb of the command line.
pub(crate) async fn run(cli: Cli) -> Result<ExitCode> {
    let home = Home::find(&cli.place)?;
    match cli.verb {
        None => chat::run(&home, Talk::default()).await,
        Some(Verb::Chat(flags)) => chat::run(&home, flags).await,
        Some(Verb::Agent(flags)) => ask::run(&home, flags).await,
        Some(Verb::Models { verb }) => models::run(&home, verb).await,
        Some(Verb::Config { verb }) => config::run(&home, verb),
        Some(Verb::Sessions { verb }) => sessions::run(&home, verb),
        Some(Verb::Approvals { verb }) => approvals::run(&home, verb),
        Some(Verb::Mcp { verb }) => mcp::run(&home, verb).await,
        Some(Verb::Security { verb: SecurityVerb::Audit { output } }) => security::run(&home, output).await,
        Some(Verb::Doctor { fix, output }) => doctor::run(&home, fix, output).await,
        Some(Verb::Explain { verb }) => explain::run(&home, verb).await,
        Some(Verb::Onboard { url, key_env }) => {
            let named = url.map(|url| Named { url, key_env });
            chat::after_onboarding(&home, named.as_ref()).await
        }
    }
}

/// `1 model`, `3 models`.
pub(crate) fn counted_models(count: usize) -> String {
    format!("{} model{}", grouped(u64::try_from(count).unwrap_or(u64::MAX)), if count == 1 { "" } else { "s" })
}

/// A state in one word.
fn state_name(state: RouteState) -> &'static str {
    match state {
        RouteState::Unknown => "unknown",
        RouteState::Cold => "cold",
        RouteState::Loading => "loading",
        RouteState::Ready => "ready",
        RouteState::Busy => "busy",
        RouteState::RateLimited { .. } => "limited",
        RouteState::AuthFailed => "auth",
        RouteState::Down { .. } => "down",
    }
}

/// A state in words.
fn state_words(state: RouteState, now: Timestamp) -> String {
    let seconds = state.remaining(now).as_secs();
    match state {
        RouteState::Unknown => "not known".to_owned(),
        RouteState::Cold => "not loaded; the first request loads it".to_owned(),
        RouteState::Loading => "loading".to_owned(),
        RouteState::Ready => "ready".to_owned(),
        RouteState::Busy => "ready, no free slot".to_owned(),
        RouteState::RateLimited { .. } => format!("rate limited for {seconds} s"),
        RouteState::AuthFailed => "does not take the key".to_owned(),
        RouteState::Down { .. } => format!("down, asked again in {seconds} s"),
    }
}
